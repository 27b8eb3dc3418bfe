/* SPDX-License-Identifier: Apache-2.0 */
/* Sleeping in tasks: never early, never starved, and many at once cost no thread. */
#include "test.h"

#include <dirent.h>
#include <errno.h>
#include <filch/filch.h>

static struct filch_pool *create(size_t workers)
{
    struct filch_pool *pool = NULL;
    struct filch_pool_config config = {
        .name = "sleep", .workers = workers, .stack_size_bytes = 64 * 1024};
    assert_int_equal(filch_pool_create(&pool, &config), 0);
    return pool;
}

static int64_t get(const int64_t *number)
{
    return __atomic_load_n(number, __ATOMIC_ACQUIRE);
}

static void add(int64_t *number)
{
    (void)__atomic_fetch_add(number, 1, __ATOMIC_ACQ_REL);
}

static int64_t threads_of_process(void)
{
    int64_t count = 0;
    DIR *tasks = opendir("/proc/self/task");
    if (tasks == NULL)
        return 0;
    while (readdir(tasks) != NULL)
        count++;
    (void)closedir(tasks);
    return count;
}

/* --- many --- */

enum { SLEEPERS = 100000 };
static int64_t asleep, early, awake, due_ns;

/* All of them until the same moment, so that all sleep at once. */
static void sleep_until_due(void *unused)
{
    (void)unused;
    add(&asleep);
    int error = filch_sleep_until(due_ns);
    xt_expect_equal(error, 0);
    if (filch_now_ns() < due_ns)
        add(&early);
    add(&awake);
}

/* Far ones, one after the other: whoever began last is due first. */
static void sleep_backwards(void *number)
{
    add(&asleep);
    int64_t mine_ns = due_ns - (int64_t)(uintptr_t)number;
    (void)filch_sleep_until(mine_ns);
    if (filch_now_ns() < mine_ns)
        add(&early);
    add(&awake);
}

static void sleep_together(size_t workers, size_t count, void (*body)(void *))
{
    struct filch_pool *pool = create(workers);
    int64_t threads = threads_of_process();
    asleep = early = awake = 0;
    due_ns = INT64_MAX;
    due_ns = filch_deadline_in((int64_t)count * 10 * FILCH_US + 50 * FILCH_MS);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(filch_pool_spawn(pool, NULL, NULL, body, (void *)(uintptr_t)i), 0);
    while (get(&asleep) < (int64_t)count)
        (void)filch_sleep_ns(FILCH_MS);
    assert_true(threads_of_process() <= threads);
    assert_int_equal(filch_pool_shutdown(pool, FILCH_DRAIN, FILCH_FOREVER), 0);
    assert_int_equal(awake, count);
    assert_int_equal(early, 0);
    assert_int_equal(filch_pool_destroy(pool), 0);
}

xt_define(many_sleepers_cost_no_thread)
{
    size_t count = xt_scaled(SLEEPERS);
    sleep_together(2, count, sleep_until_due);
    sleep_together(1, count / 4, sleep_backwards);
}

xt_define(many_workers_for_one_processor)
{
    xt_use_one_cpu(true);
    sleep_together(64, xt_scaled(5000), sleep_until_due);
    xt_use_one_cpu(false);
}

xt_define(a_storm_of_signals)
{
    if (!XT_STORMS)
        skip();
    uint64_t before = xt_storm(true);
    sleep_together(2, xt_scaled(5000), sleep_until_due);
    sleep_together(1, xt_scaled(5000), sleep_backwards);
    assert_true(xt_storm(false) > before);
}

/* --- never starved --- */

static int64_t has_slept;

static void sleep_a_little(void *unused)
{
    (void)unused;
    xt_expect_equal(filch_sleep_ns(2 * FILCH_MS), 0);
    add(&has_slept);
}

/* A task that spawns its like until the sleeper is back. */
static void breed(void *unused)
{
    if (get(&has_slept) == 0)
        xt_expect_equal(filch_pool_spawn(filch_pool_current(), NULL, NULL, breed, unused), 0);
}

static struct filch_scope *nest;

static void breed_in_scope(void *unused)
{
    if (get(&has_slept) == 0)
        xt_expect_equal(filch_scope_spawn(nest, breed_in_scope, unused), 0);
}

/* The scope's end runs them, on top of its own frame. */
static void end_a_scope(void *unused)
{
    FILCH_SCOPE (s) {
        nest = s;
        breed_in_scope(unused);
    }
}

static void nothing(void *unused)
{
    (void)unused;
}

/* Tasks that are over at once, each with halves. */
static void fork_for_ever(void *unused)
{
    filch_join(nothing, unused, nothing, unused);
    breed(unused);
    if (get(&has_slept) == 0)
        xt_expect_equal(filch_pool_spawn(filch_pool_current(), NULL, NULL, fork_for_ever, unused),
                        0);
}

/* Two tasks that hand over to each other all the time: the worker never runs out of those. */
static struct filch_semaphore ping = FILCH_SEMAPHORE_INIT(0), pong = FILCH_SEMAPHORE_INIT(0);

static void play_ping(void *unused)
{
    (void)unused;
    while (get(&has_slept) == 0) {
        filch_semaphore_release(&pong, 1);
        xt_expect_equal(filch_semaphore_acquire(&ping), 0);
    }
    filch_semaphore_release(&pong, 1);
}

static void play_pong(void *unused)
{
    (void)unused;
    while (get(&has_slept) == 0) {
        filch_semaphore_release(&ping, 1);
        xt_expect_equal(filch_semaphore_acquire(&pong), 0);
    }
    filch_semaphore_release(&ping, 1);
}

static void start(struct filch_pool *pool, void (*fn)(void *))
{
    assert_int_equal(filch_pool_spawn(pool, NULL, NULL, fn, NULL), 0);
}

/* On one worker, which has never nothing to do, the sleeper comes back. */
static void sleep_beside(void (*first)(void *), void (*second)(void *))
{
    struct filch_pool *pool = create(1);
    has_slept = 0;
    start(pool, sleep_a_little);
    start(pool, first);
    if (second != NULL)
        start(pool, second);
    assert_int_equal(filch_pool_shutdown(pool, FILCH_DRAIN, FILCH_FOREVER), 0);
    assert_int_equal(has_slept, 1);
    assert_int_equal(filch_pool_destroy(pool), 0);
}

xt_define(short_tasks_for_ever)
{
    sleep_beside(breed, NULL);
}

xt_define(a_scope_that_breeds_for_ever)
{
    sleep_beside(end_a_scope, NULL);
}

xt_define(halves_for_ever)
{
    sleep_beside(fork_for_ever, NULL);
}

xt_define(tasks_that_wake_each_other_for_ever)
{
    sleep_beside(play_ping, play_pong);
}

/* A task that waits while others sleep, and is woken first: its deadline never passes. */
static void acquire_in_time(void *semaphore)
{
    for (int i = 0; i < 1000; i++)
        xt_expect_equal(filch_semaphore_acquire_until(semaphore, filch_deadline_in(FILCH_S * 60)),
                        0);
    add(&has_slept);
}

static void release_all(void *semaphore)
{
    for (int i = 0; i < 1000; i++) {
        filch_semaphore_release(semaphore, 1);
        if (i % 10 == 0)
            (void)filch_sleep_ns(1000);
    }
    add(&has_slept);
}

xt_define(deadlines_that_do_not_pass)
{
    struct filch_semaphore semaphore = FILCH_SEMAPHORE_INIT(0);
    struct filch_pool *pool = create(2);
    has_slept = 0;
    assert_int_equal(filch_pool_spawn(pool, NULL, NULL, acquire_in_time, &semaphore), 0);
    assert_int_equal(filch_pool_spawn(pool, NULL, NULL, release_all, &semaphore), 0);
    assert_int_equal(filch_pool_shutdown(pool, FILCH_DRAIN, FILCH_FOREVER), 0);
    assert_int_equal(has_slept, 2);
    assert_int_equal(filch_pool_destroy(pool), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        xt_test(many_sleepers_cost_no_thread),
        xt_test(many_workers_for_one_processor),
        xt_test(a_storm_of_signals),
        xt_test(short_tasks_for_ever),
        xt_test(a_scope_that_breeds_for_ever),
        xt_test(halves_for_ever),
        xt_test(tasks_that_wake_each_other_for_ever),
        xt_test(deadlines_that_do_not_pass),
    };
    return xt_run(tests);
}
