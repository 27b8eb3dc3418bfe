/* SPDX-License-Identifier: Apache-2.0 */
/* A worker that waits for a half lends its processor to the one that has it, where that one has lost its own. One
 * that sleeps in its half has as well as lost it. */
#define _GNU_SOURCE 1 /* sched_getaffinity */

#include "test.h"

#include <filch/filch.h>
#include <sched.h>
#include <time.h>
#include <unistd.h>

struct halves {
    pid_t waits; /* the thread of the first half, and of the second one */
    pid_t sleeps;
    cpu_set_t waits_at;
    cpu_set_t after; /* where who sleeps may run when it has been waited for */
    int has_begun;   /* atomic */
    bool was_lent;
};

static bool is_over(time_t begin_s)
{
    return time(NULL) - begin_s > XT_TEST_SECONDS / 2;
}

static void nothing(void *unused)
{
    (void)unused;
}

/* Until somebody has come for the other half, which is seen at a fork at the latest. */
static void waits(void *argument)
{
    struct halves *h = argument;
    time_t begin_s = time(NULL);
    while (__atomic_load_n(&h->has_begun, __ATOMIC_ACQUIRE) == 0 && !is_over(begin_s))
        filch_join(nothing, NULL, nothing, NULL);
}

static void sleeps(void *argument)
{
    struct halves *h = argument;
    time_t begin_s = time(NULL);
    h->sleeps = gettid();
    __atomic_store_n(&h->has_begun, 1, __ATOMIC_RELEASE);
    while (h->waits != h->sleeps && !h->was_lent && !is_over(begin_s)) {
        cpu_set_t here;
        nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL);
        xt_expect_equal(sched_getaffinity(0, sizeof here, &here), 0);
        h->was_lent = CPU_EQUAL(&here, &h->waits_at);
    }
}

static void lend_once(void *argument)
{
    struct halves *h = argument;
    h->waits = gettid();
    xt_expect_equal(sched_getaffinity(0, sizeof h->waits_at, &h->waits_at), 0);
    filch_join(waits, h, sleeps, h);
    xt_expect_equal(sched_getaffinity(h->sleeps, sizeof h->after, &h->after), 0);
}

xt_define(who_waits_lends_its_processor)
{
    xt_skip_if_emulated();
    cpu_set_t allowed;
    assert_int_equal(sched_getaffinity(0, sizeof allowed, &allowed), 0);
    if (CPU_COUNT(&allowed) < 2)
        skip();
    struct filch_pool *pool = NULL;
    struct filch_pool_config config = {.name = "lend", .workers = 2, .bind = FILCH_BIND_CORES};
    assert_int_equal(filch_pool_create(&pool, &config), 0);
    struct halves h = {.has_begun = 0};
    assert_int_equal(filch_pool_install(pool, lend_once, &h), 0);
    assert_int_not_equal(h.waits, h.sleeps);
    assert_true(h.was_lent);
    assert_false(CPU_EQUAL(&h.after, &h.waits_at));
    assert_int_equal(filch_pool_destroy(pool), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        xt_test(who_waits_lends_its_processor),
    };
    return xt_run(tests);
}
