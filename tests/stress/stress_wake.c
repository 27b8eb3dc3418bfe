/* SPDX-License-Identifier: Apache-2.0 */
/* Lost wake-ups: work comes to a pool that is just going to sleep, again and again, from outside, from
 * workers, as halves and as wake-ups of waiting tasks. A round that takes a second, not counting the
 * time for which threads were ready and had no CPU, has lost one; a quarter of an hour of this is what a
 * change of the idle protocol deserves (FILCH_STRESS_SECONDS=900). */
#include "test.h"

#include "schedule.h"

#include <filch/filch.h>
#include <stdio.h>

enum {
    LATE_NS = 1000000000,
    ROUNDS_BETWEEN_LOOKS = 16, /* at what the machine made threads wait for */
};

static void note_time(void *argument)
{
    __atomic_store_n((int64_t *)argument, xt_now_ns(), __ATOMIC_RELEASE);
}

static void gap(uint64_t *random)
{
    /* About as long as a worker searches before it sleeps, more or less. */
    int64_t length = (int64_t)(xt_random(random) % 60000);
    int64_t begin = xt_now_ns();
    if (xt_random(random) % 2 == 0)
        xt_sleep_ns(length);
    while (xt_now_ns() - begin < length)
        ;
}

static void submit(struct filch_pool *pool)
{
    struct filch_task *task = NULL;
    int64_t ran_ns = 0;
    assert_int_equal(filch_pool_spawn(pool, &task, NULL, note_time, &ran_ns), 0);
    assert_int_equal(filch_task_join(task), 0);
}

static void submit_detached(struct filch_pool *pool)
{
    static int64_t ran_ns;
    __atomic_store_n(&ran_ns, 0, __ATOMIC_RELEASE);
    assert_int_equal(filch_pool_spawn(pool, NULL, NULL, note_time, &ran_ns), 0);
    while (__atomic_load_n(&ran_ns, __ATOMIC_ACQUIRE) == 0)
        xt_sleep_ns(1000);
}

struct meeting {
    struct filch_pool *pool;
    uint32_t arrived;
    uint32_t wanted;
};

/* Ends when as many have come, which takes as many workers; or too late. */
static void meet(void *argument)
{
    struct meeting *m = argument;
    int64_t late = xt_now_ns() + LATE_NS;
    __atomic_fetch_add(&m->arrived, 1, __ATOMIC_ACQ_REL);
    while (__atomic_load_n(&m->arrived, __ATOMIC_ACQUIRE) < m->wanted && xt_now_ns() < late)
        xt_sleep_ns(1000);
}

static void join_meeting(void *argument)
{
    filch_join(meet, argument, meet, argument);
}

static void scope_meeting(void *argument)
{
    FILCH_SCOPE (s) {
        xt_expect_equal(filch_scope_spawn(s, meet, argument), 0);
        meet(argument);
    }
}

static void wait_for_other(void *argument)
{
    struct filch_task *task = NULL;
    int64_t ran_ns = 0;
    struct filch_pool *pool = argument;
    xt_expect_equal(filch_pool_spawn(pool, &task, NULL, note_time, &ran_ns), 0);
    xt_expect_equal(filch_task_join(task), 0);
}

/* One of the ways in which work comes to a sleeping pool. */
static void bring_work(struct filch_pool *pool, struct filch_pool *other, uint64_t kind)
{
    struct meeting m = {.pool = pool, .wanted = 2};
    switch (filch_pool_width(pool) > 1 ? kind % 6 : kind % 3) {
    case 0:
        submit(pool);
        break;
    case 1:
        submit_detached(pool);
        break;
    case 2: /* the waiting task of one pool is woken by the other */
        assert_int_equal(filch_pool_install(pool, wait_for_other, other), 0);
        break;
    case 3:
        assert_int_equal(filch_pool_install(pool, join_meeting, &m), 0);
        break;
    case 4:
        assert_int_equal(filch_pool_install(pool, scope_meeting, &m), 0);
        break;
    default: /* from outside: a guest and a worker meet */
        if (filch_pool_width(NULL) > 1)
            join_meeting(&m);
        break;
    }
}

static void run_rounds(size_t width, enum schedule_mode mode, int64_t duration_ns)
{
    struct filch_pool *pool = NULL;
    struct filch_pool *other = NULL;
    struct filch_pool_config config = {.name = "wake", .workers = width};
    assert_int_equal(filch_pool_create(&pool, &config), 0);
    config.workers = 1;
    assert_int_equal(filch_pool_create(&other, &config), 0);
    uint64_t random = xt_seed() + width;
    int64_t end = xt_now_ns() + duration_ns;
    int64_t worst = 0;
    int64_t delay_ns = 0;
    uint64_t rounds = 0;
    schedule_perturb(mode, random);
    do {
        xt_watch("a wake-up", 30);
        if (rounds % ROUNDS_BETWEEN_LOOKS == 0)
            delay_ns = xt_run_delay_ns();
        gap(&random);
        int64_t begin = xt_now_ns();
        uint64_t kind = xt_random(&random);
        bring_work(pool, other, kind);
        int64_t took = xt_now_ns() - begin;
        if (took >= LATE_NS)
            took -= xt_run_delay_ns() - delay_ns;
        worst = took > worst ? took : worst;
        rounds++;
        if (took >= LATE_NS && !xt_is_emulated())
            print_error("late: kind %u of work\n", (unsigned)(kind % (width > 1 ? 6 : 3)));
    } while (xt_now_ns() < end && worst < LATE_NS);
    schedule_perturb(SCHEDULE_OFF, 0);
    printf("%zu workers: %ju rounds, the slowest %.3f ms\n", width, (uintmax_t)rounds,
           (double)worst / 1e6);
    if (!xt_is_emulated())
        assert_true(worst < LATE_NS);
    assert_int_equal(filch_pool_destroy(pool), 0);
    assert_int_equal(filch_pool_destroy(other), 0);
}

xt_define(no_wake_up_is_lost)
{
    static const size_t widths[] = {1, 2, 3, 8};
    for (size_t i = 0; i < 4; i++) {
        for (int mode = SCHEDULE_OFF; mode < SCHEDULE_MODES; mode++)
            run_rounds(widths[i], (enum schedule_mode)mode, xt_stress_ns(3.0) / 4 / SCHEDULE_MODES);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        xt_test(no_wake_up_is_lost),
    };
    return xt_run(tests);
}
