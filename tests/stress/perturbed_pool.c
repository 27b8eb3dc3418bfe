/* SPDX-License-Identifier: Apache-2.0 */
/* Work from outside, sleep and shutdown under perturbed schedules: no task is left while the pool
 * sleeps, and every task that was accepted runs or is dropped, exactly once. */
#include "perturbed.h"

#include <filch/filch.h>

enum { SUBMITTERS = 3, TASKS_MAX = 40 };

static struct filch_pool *pool;

static void count_one(void *argument)
{
    __atomic_fetch_add((long *)argument, 1, __ATOMIC_RELEASE);
}

static void wait_until_equal(const long *value, long expected)
{
    while (__atomic_load_n(value, __ATOMIC_ACQUIRE) != expected)
        xt_sleep_ns(10000);
}

/* Nobody but the submission itself can wake the pool: if it does not, the watchdog speaks. */
static void *submit(void *argument)
{
    uint64_t random = *(uint64_t *)argument;
    for (int i = 0; i < 5; i++) {
        static const size_t counts[] = {1, 1, 2, 7};
        size_t count = counts[xt_random(&random) % 4];
        void *args[7];
        long done = 0;
        xt_sleep_ns((int64_t)(xt_random(&random) % 150000));
        for (size_t k = 0; k < count; k++)
            args[k] = &done;
        xt_expect_equal(filch_pool_spawn_batch(pool, count_one, args, count), 0);
        wait_until_equal(&done, (long)count);
    }
    return NULL;
}

static void submit_and_wait(uint64_t *random)
{
    uint64_t seeds[SUBMITTERS];
    for (size_t i = 0; i < SUBMITTERS; i++)
        seeds[i] = xt_random(random);
    xt_run_threads(1 + seeds[0] % SUBMITTERS, submit, seeds, sizeof seeds[0]);
}

/* A task that makes work and then keeps its thread until another worker has done that work. */
static void push_and_block(void *argument)
{
    long done = 0;
    (void)argument;
    int error = filch_pool_spawn(pool, NULL, NULL, count_one, &done);
    xt_expect_equal(error, 0);
    if (error == 0)
        wait_until_equal(&done, 1);
}

static void others_are_woken(uint64_t *random)
{
    xt_sleep_ns((int64_t)(xt_random(random) % 150000));
    xt_expect_equal(filch_pool_install(pool, push_and_block, NULL), 0);
}

static void run_with_pool(size_t workers, const char *name, void (*round)(uint64_t *random))
{
    struct filch_pool_config config = {.workers = workers};
    assert_int_equal(filch_pool_create(&pool, &config), 0);
    perturbed_run(name, round);
    assert_int_equal(filch_pool_destroy(pool), 0);
}

/* --- shutdown --- */

struct shared {
    struct filch_pool *pool;
    long accepted;
    long ended; /* ran, or were dropped */
    uint64_t seed;
};

static void end_one(void *argument)
{
    struct shared *shared = argument;
    __atomic_fetch_add(&shared->ended, 1, __ATOMIC_RELAXED);
}

static void end_and_spawn(void *argument)
{
    static const struct filch_task_attr attr = {.drop = end_one};
    struct shared *shared = argument;
    if (filch_pool_spawn(shared->pool, NULL, &attr, end_one, shared) == 0)
        __atomic_fetch_add(&shared->accepted, 1, __ATOMIC_RELAXED);
    end_one(shared);
}

static void *spawn_until_refused(void *argument)
{
    static const struct filch_task_attr attr = {.drop = end_one};
    struct shared *shared = argument;
    uint64_t random = shared->seed;
    for (int i = 0; i < TASKS_MAX; i++) {
        bool breeds = xt_random(&random) % 2 == 0;
        int error =
            filch_pool_spawn(shared->pool, NULL, &attr, breeds ? end_and_spawn : end_one, shared);
        if (error == ESHUTDOWN)
            break;
        xt_expect_equal(error, 0);
        __atomic_fetch_add(&shared->accepted, 1, __ATOMIC_RELAXED);
    }
    return NULL;
}

static void shut_down(uint64_t *random)
{
    struct shared shared = {.seed = xt_random(random)};
    struct filch_pool_config config = {.workers = 1 + shared.seed % 3};
    enum filch_shutdown how = xt_random(random) % 2 == 0 ? FILCH_DRAIN : FILCH_CANCEL;
    int error = filch_pool_create(&shared.pool, &config);
    xt_expect_equal(error, 0);
    if (error != 0)
        return;
    pthread_t thread;
    xt_expect_equal(pthread_create(&thread, NULL, spawn_until_refused, &shared), 0);
    xt_sleep_ns((int64_t)(xt_random(random) % 300000));
    do
        error = filch_pool_shutdown(shared.pool, how,
                                    filch_deadline_in((int64_t)(xt_random(random) % 200000)));
    while (error == ETIMEDOUT);
    xt_expect_equal(error, 0);
    (void)pthread_join(thread, NULL);
    xt_expect_equal(shared.ended, shared.accepted);
    xt_expect_equal(filch_pool_destroy(shared.pool), 0);
}

static void double_range(size_t begin, size_t end, void *ctx)
{
    long *x = ctx;
    for (size_t i = begin; i < end; i++)
        x[i] *= 2;
}

/* A guest of a pool that is being shut down: its loop runs, there or here. */
static void *loop_as_guest(void *argument)
{
    struct shared *shared = argument;
    struct filch_for_options options = {.pool = shared->pool, .grain = 8};
    for (int k = 0; k < 3; k++) {
        long x[100];
        for (size_t i = 0; i < 100; i++)
            x[i] = (long)i;
        int error = filch_for_with(&options, 0, 100, double_range, x);
        if (error == ESHUTDOWN)
            break;
        xt_expect_equal(error, 0);
        for (size_t i = 0; i < 100; i++)
            xt_expect_equal(x[i], 2 * i);
    }
    return NULL;
}

static void shut_down_with_guests(uint64_t *random)
{
    struct shared shared = {.seed = xt_random(random)};
    struct filch_pool_config config = {.workers = 1 + shared.seed % 3};
    int error = filch_pool_create(&shared.pool, &config);
    xt_expect_equal(error, 0);
    if (error != 0)
        return;
    pthread_t threads[2];
    for (size_t i = 0; i < 2; i++)
        xt_expect_equal(pthread_create(&threads[i], NULL, loop_as_guest, &shared), 0);
    xt_sleep_ns((int64_t)(xt_random(random) % 300000));
    xt_expect_equal(filch_pool_shutdown(shared.pool, FILCH_DRAIN, FILCH_FOREVER), 0);
    for (size_t i = 0; i < 2; i++)
        (void)pthread_join(threads[i], NULL);
    xt_expect_equal(filch_pool_destroy(shared.pool), 0);
}

/* --- two pools --- */

static void *install_in_turn(void *argument)
{
    uint64_t random = *(uint64_t *)argument;
    long done = 0;
    for (int i = 0; i < 5; i++) {
        xt_sleep_ns((int64_t)(xt_random(&random) % 50000));
        xt_expect_equal(filch_pool_install(pool, count_one, &done), 0);
    }
    xt_expect_equal(done, 5);
    return NULL;
}

static void install(uint64_t *random)
{
    uint64_t seeds[SUBMITTERS];
    for (size_t i = 0; i < SUBMITTERS; i++)
        seeds[i] = xt_random(random);
    xt_run_threads(SUBMITTERS, install_in_turn, seeds, sizeof seeds[0]);
}

/* A task of one pool waits for one of another, and its own pool is destroyed right after. */
static void install_from_pool(void *argument)
{
    (void)install_in_turn(argument);
}

static void across_pools(uint64_t *random)
{
    struct filch_pool *brief;
    struct filch_pool_config config = {.workers = 1 + xt_random(random) % 2};
    int error = filch_pool_create(&brief, &config);
    xt_expect_equal(error, 0);
    if (error != 0)
        return;
    uint64_t seed = xt_random(random);
    xt_expect_equal(filch_pool_spawn(brief, NULL, NULL, install_from_pool, &seed), 0);
    xt_expect_equal(filch_pool_destroy(brief), 0);
}

xt_define(submission_wakes_1)
{
    run_with_pool(1, "submission, 1 worker", submit_and_wait);
}

xt_define(submission_wakes_2)
{
    run_with_pool(2, "submission, 2 workers", submit_and_wait);
}

xt_define(submission_wakes_5)
{
    run_with_pool(5, "submission, 5 workers", submit_and_wait);
}

xt_define(push_wakes_2)
{
    run_with_pool(2, "push, 2 workers", others_are_woken);
}

xt_define(push_wakes_4)
{
    run_with_pool(4, "push, 4 workers", others_are_woken);
}

xt_define(installing)
{
    run_with_pool(2, "install", install);
}

xt_define(installing_across_pools)
{
    run_with_pool(2, "install across pools", across_pools);
}

xt_define(shutting_down)
{
    perturbed_run("shutdown", shut_down);
}

xt_define(shutting_down_with_guests)
{
    perturbed_run("shutdown with guests", shut_down_with_guests);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        xt_test(submission_wakes_1),
        xt_test(submission_wakes_2),
        xt_test(submission_wakes_5),
        xt_test(push_wakes_2),
        xt_test(push_wakes_4),
        xt_test(installing),
        xt_test(installing_across_pools),
        xt_test(shutting_down),
        xt_test(shutting_down_with_guests),
    };
    return xt_run(tests);
}
