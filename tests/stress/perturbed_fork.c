/* SPDX-License-Identifier: Apache-2.0 */
/* Forks and joins under perturbed schedules: every half runs exactly once, whoever runs it. */
#include "perturbed.h"

#include <filch/filch.h>

long fib(long n);
FILCH_FORKABLE(long, fib, long)

long fib(long n)
{
    if (n < 2)
        return n;
    FILCH_FORK(right, fib, n - 1);
    long left = fib(n - 2);
    return left + FILCH_SYNC(right, fib);
}

static long fib_serial(long n)
{
    return n < 2 ? n : fib_serial(n - 1) + fib_serial(n - 2);
}

struct call {
    long n;
    long result;
};

static void fib_join(void *argument)
{
    struct call *call = argument;
    struct call left = {.n = call->n - 2};
    struct call right = {.n = call->n - 1};
    call->result = call->n;
    if (call->n < 2)
        return;
    filch_join(fib_join, &left, fib_join, &right);
    call->result = left.result + right.result;
}

/* A half that suspends: the forks of its strand have to be offered as tasks meanwhile. */
static void nothing(void *argument)
{
    (void)argument;
}

static void wait_for_task(void *argument)
{
    struct filch_task *task;
    (void)argument;
    int error = filch_pool_spawn(filch_pool_current(), &task, NULL, nothing, NULL);
    xt_expect_equal(error, 0);
    if (error == 0)
        xt_expect_equal(filch_task_join(task), 0);
}

static void fib_wait(void *argument)
{
    struct call *call = argument;
    struct call left = {.n = call->n - 2};
    struct call right = {.n = call->n - 1};
    call->result = call->n;
    if (call->n < 2) {
        if (call->n == 1)
            wait_for_task(NULL);
        return;
    }
    filch_join(fib_wait, &left, fib_wait, &right);
    call->result = left.result + right.result;
}

static void fork_typed(uint64_t *random)
{
    long n = (long)(xt_random(random) % 14);
    xt_expect_equal(fib(n), fib_serial(n));
}

static void fork_join(uint64_t *random)
{
    struct call call = {.n = (long)(xt_random(random) % 14)};
    fib_join(&call);
    xt_expect_equal(call.result, fib_serial(call.n));
}

static void fork_that_waits(uint64_t *random)
{
    struct call call = {.n = (long)(xt_random(random) % 10)};
    fib_wait(&call);
    xt_expect_equal(call.result, fib_serial(call.n));
}

static struct filch_pool *pool;

static void inside(void *argument)
{
    uint64_t *random = argument;
    fork_typed(random);
    fork_join(random);
    fork_that_waits(random);
}

static void fork_in_pool(uint64_t *random)
{
    xt_expect_equal(filch_pool_install(pool, inside, random), 0);
}

static void *several(void *argument)
{
    uint64_t random = *(uint64_t *)argument;
    inside(&random);
    return NULL;
}

static void fork_from_threads(uint64_t *random)
{
    uint64_t seeds[4];
    for (size_t i = 0; i < 4; i++)
        seeds[i] = xt_random(random);
    xt_run_threads(4, several, seeds, sizeof seeds[0]);
}

xt_define(typed)
{
    perturbed_run("typed", fork_typed);
}

xt_define(join)
{
    perturbed_run("join", fork_join);
}

xt_define(halves_that_wait)
{
    perturbed_run("halves that wait", fork_that_waits);
}

xt_define(threads)
{
    perturbed_run("threads", fork_from_threads);
}

static void run_inside(size_t workers)
{
    struct filch_pool_config config = {.workers = workers};
    assert_int_equal(filch_pool_create(&pool, &config), 0);
    perturbed_run("inside a pool", fork_in_pool);
    assert_int_equal(filch_pool_destroy(pool), 0);
}

xt_define(inside_pool_of_1)
{
    run_inside(1);
}

xt_define(inside_pool_of_3)
{
    run_inside(3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        xt_test(typed),
        xt_test(join),
        xt_test(halves_that_wait),
        xt_test(threads),
        xt_test(inside_pool_of_1),
        xt_test(inside_pool_of_3),
    };
    return xt_run(tests);
}
