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
    void (*second)(struct halves *h); /* what the second half does; the first one waits */
    struct filch_pool *pool;
    pid_t waits; /* the thread of the first half, and of the second one */
    pid_t sleeps;
    cpu_set_t waits_at;
    cpu_set_t after; /* where who sleeps may run when it has been waited for */
    int has_begun;   /* atomic */
    bool was_lent;
    uint64_t sleep_count; /* of all workers, meanwhile */
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
    h->sleeps = gettid();
    __atomic_store_n(&h->has_begun, 1, __ATOMIC_RELEASE);
    if (h->waits != h->sleeps)
        h->second(h);
}

static cpu_set_t may_run_at(pid_t thread)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    xt_expect_equal(sched_getaffinity(thread, sizeof set, &set), 0);
    return set;
}

static uint64_t count_sleeps(struct filch_pool *pool)
{
    struct filch_pool_stats stats;
    xt_expect_equal(filch_pool_stats(pool, &stats), 0);
    return stats.sleeps;
}

static void join_once(void *argument)
{
    struct halves *h = argument;
    h->waits = gettid();
    h->waits_at = may_run_at(0);
    h->sleep_count = count_sleeps(h->pool);
    filch_join(waits, h, sleeps, h);
    h->sleep_count = count_sleeps(h->pool) - h->sleep_count;
    h->after = may_run_at(h->sleeps);
}

static void run_halves(struct halves *h)
{
    h->has_begun = 0;
    xt_skip_if_emulated();
    cpu_set_t allowed = may_run_at(0);
    if (CPU_COUNT(&allowed) < 2)
        skip();
    struct filch_pool_config config = {.name = "lend", .workers = 2, .bind = FILCH_BIND_CORES};
    assert_int_equal(filch_pool_create(&h->pool, &config), 0);
    assert_int_equal(filch_pool_install(h->pool, join_once, h), 0);
    assert_int_not_equal(h->waits, h->sleeps);
    assert_int_equal(filch_pool_destroy(h->pool), 0);
}

/* In short naps: it is seen to run, so it is lent to again. */
static void sleep_until_lent(struct halves *h)
{
    for (int i = 0; i < 100 && !h->was_lent; i++) {
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
        cpu_set_t here = may_run_at(0);
        h->was_lent = CPU_EQUAL(&here, &h->waits_at);
    }
}

/* Who looks once while the other one runs sleeps on without a loan; so may a busy machine have it. Then again. */
static void run_until_lent(struct halves *h)
{
    time_t begin_s = time(NULL);
    do
        run_halves(h);
    while (!h->was_lent && !is_over(begin_s));
}

xt_define(who_waits_lends_its_processor)
{
    struct halves h = {.second = sleep_until_lent};
    run_until_lent(&h);
    assert_true(h.was_lent);
    assert_false(CPU_EQUAL(&h.after, &h.waits_at));
}

/* --- what the program has bound itself --- */

static cpu_set_t all; /* processors of the process */

static void bind_anywhere(void)
{
    xt_expect_equal(sched_setaffinity(0, sizeof all, &all), 0);
}

static void sleep_anywhere(struct halves *h)
{
    bind_anywhere();
    for (int i = 0; i < 300 && !h->was_lent; i++) {
        nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL);
        cpu_set_t here = may_run_at(0);
        h->was_lent = !CPU_EQUAL(&here, &all);
    }
}

xt_define(nothing_is_lent_to_one_that_the_program_has_bound)
{
    all = may_run_at(0);
    struct halves h = {.second = sleep_anywhere};
    run_halves(&h);
    assert_false(h.was_lent);
    assert_true(CPU_EQUAL(&h.after, &all));
}

static void bind_when_lent(struct halves *h)
{
    sleep_until_lent(h);
    bind_anywhere();
}

xt_define(who_is_bound_meanwhile_stays_there)
{
    all = may_run_at(0);
    struct halves h = {.second = bind_when_lent};
    run_until_lent(&h);
    assert_true(h.was_lent);
    assert_true(CPU_EQUAL(&h.after, &all));
}

/* --- one that waits for something else --- */

enum {
    BLOCKED_MS = 300,
    LOANS_MAX = BLOCKED_MS / 10 / 2 /* half of those that there is time for */
};

static void block(struct halves *h)
{
    (void)h;
    nanosleep(&(struct timespec){.tv_nsec = BLOCKED_MS * 1000000l}, NULL);
}

xt_define(one_that_does_not_use_a_loan_gets_no_other)
{
    struct halves h = {.second = block};
    run_halves(&h);
    assert_in_range(h.sleep_count, 1, LOANS_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        xt_test(who_waits_lends_its_processor),
        xt_test(nothing_is_lent_to_one_that_the_program_has_bound),
        xt_test(who_is_bound_meanwhile_stays_there),
        xt_test(one_that_does_not_use_a_loan_gets_no_other),
    };
    return xt_run(tests);
}
