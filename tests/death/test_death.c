/* SPDX-License-Identifier: Apache-2.0 */
/* Misuse that no caller can be told of ends the process with a message that names it; each case runs
 * in a child. */
#include "test.h"

#include "fiber/stack.h"

#include <filch/filch.h>
#include <stdio.h>
#include <stdlib.h>

static void nothing(void *argument)
{
    (void)argument;
}

/* Where the result is not worth a look: gcc takes a cast to void for no look at all. */
static void ignore(int error)
{
    (void)error;
}

static void expect_abort(void (*misuse)(void *), void *argument, const char *message)
{
    struct xt_child child;
    xt_run_child(&child, misuse, argument);
    if (!xt_child_aborted(&child, message))
        fprintf(stderr, "status %#x: %s\n", (unsigned)child.status, child.output);
    assert_true(xt_child_aborted(&child, message));
}

/* The misuse happens in a task of a pool. */
static void in_task(void *misuse)
{
    void (*fn)(void *) = *(void (**)(void *))misuse;
    ignore(filch_pool_install(NULL, fn, NULL));
}

/* Outside of every pool, and in a task. */
static void expect_abort_everywhere(void (*misuse)(void *), const char *message)
{
    expect_abort(misuse, NULL, message);
    expect_abort(in_task, &misuse, message);
}

/* --- halves and bodies that are NULL --- */

static void join_null_first(void *unused)
{
    (void)unused;
    filch_join(NULL, NULL, nothing, NULL);
}

static void join_null_second(void *unused)
{
    (void)unused;
    filch_join(nothing, NULL, NULL, NULL);
}

static void join_null_by_function(void *unused)
{
    (void)unused;
    (filch_join)(NULL, NULL, NULL, NULL);
}

static void loop_null(void *unused)
{
    (void)unused;
    filch_for(0, 10, NULL, NULL);
}

static void empty_loop_null(void *unused)
{
    (void)unused;
    filch_for(0, 0, NULL, NULL);
}

xt_define(functions_that_are_null)
{
    xt_skip_if_emulated();
    expect_abort_everywhere(join_null_first, "filch: filch_join: a half is NULL");
    expect_abort_everywhere(join_null_second, "filch: filch_join: a half is NULL");
    expect_abort_everywhere(join_null_by_function, "filch: filch_join: a half is NULL");
    expect_abort_everywhere(loop_null, "filch: filch_for: the body is NULL");
    expect_abort_everywhere(empty_loop_null, "filch: filch_for: the body is NULL");
}

/* --- no pool --- */

static void scope_without_pool(void *unused)
{
    (void)unused;
    setenv("FILCH_WORKERS", "nonsense", 1);
    FILCH_SCOPE (s) {
        (void)s;
    }
}

xt_define(a_scope_without_a_pool)
{
    expect_abort(scope_without_pool, NULL, "filch: FILCH_SCOPE: no pool can be had");
}

/* --- threads --- */

static void *sleep_for_ever(void *argument)
{
    for (;;)
        xt_sleep_ns(FILCH_S);
    return argument;
}

static void detach_and_join(void *unused)
{
    struct filch_thread *thread;
    (void)unused;
    /* The thread holds the other reference, so the handle is still readable. */
    if (filch_thread_spawn(&thread, NULL, sleep_for_ever, NULL) != 0 ||
        filch_thread_detach(thread) != 0)
        return;
    ignore(filch_thread_join(thread, NULL));
}

static void detach_twice(void *unused)
{
    struct filch_thread *thread;
    (void)unused;
    if (filch_thread_spawn(&thread, NULL, sleep_for_ever, NULL) != 0 ||
        filch_thread_detach(thread) != 0)
        return;
    ignore(filch_thread_detach(thread));
}

static void join_task_twice(void *unused)
{
    struct filch_task *task;
    (void)unused;
    if (filch_pool_spawn(NULL, &task, NULL, nothing, NULL) != 0 || filch_task_join(task) != 0)
        return;
    ignore(filch_task_join(task));
}

static void join_detached_task(void *unused)
{
    struct filch_task *task;
    (void)unused;
    if (filch_pool_spawn(NULL, &task, NULL, nothing, NULL) != 0)
        return;
    filch_task_detach(task);
    ignore(filch_task_join(task));
}

static void detach_task_twice(void *unused)
{
    struct filch_task *task;
    (void)unused;
    if (filch_pool_spawn(NULL, &task, NULL, nothing, NULL) != 0)
        return;
    filch_task_detach(task);
    filch_task_detach(task);
}

xt_define(a_task_that_has_been_given_up)
{
    xt_skip_if_emulated();
    expect_abort(join_task_twice, NULL, "filch: a task was joined twice, or joined after");
    expect_abort(join_detached_task, NULL, "filch: a task was joined twice, or joined after");
    expect_abort(detach_task_twice, NULL, "filch: a task was joined or detached twice");
}

xt_define(a_thread_that_has_been_given_up)
{
    xt_skip_if_emulated();
    if (XT_TSAN || XT_ASAN)
        skip(); /* they report it first, in words of their own */
    expect_abort(detach_and_join, NULL, "filch: a thread was joined twice, or joined after");
    expect_abort(detach_twice, NULL, "filch: a thread was detached twice, or detached after");
}

/* --- stacks --- */

static volatile uint64_t depth_max = UINT64_MAX;

static uint64_t recurse(volatile uint64_t *below, uint64_t depth)
{
    volatile uint64_t here[64];
    here[0] = depth + below[0];
    if (depth == depth_max)
        return 0;
    return recurse(here, depth + 1) + here[0];
}

static void overflow(void *unused)
{
    volatile uint64_t zero = 0;
    (void)unused;
    printf("%llu", (unsigned long long)recurse(&zero, 0));
}

static void wait_then_overflow(void *argument)
{
    struct filch_task *task;
    struct filch_pool *pool = filch_pool_current();
    if (filch_pool_spawn(pool, &task, NULL, argument == NULL ? nothing : overflow, NULL) == 0)
        ignore(filch_task_join(task));
    overflow(NULL);
}

static void overflow_worker_stack(void *unused)
{
    (void)unused;
    ignore(filch_pool_install(NULL, overflow, NULL));
}

/* The join leaves the thread's own stack behind, and what it waits for runs on a fresh one. */
static void overflow_task_stack(void *unused)
{
    struct filch_pool_config config = {.workers = 1, .stack_size_bytes = 64 * 1024};
    struct filch_pool *pool = NULL;
    if (filch_pool_create(&pool, &config) == 0)
        ignore(filch_pool_install(pool, wait_then_overflow, unused == NULL ? &config : NULL));
}

xt_define(a_stack_that_overflows)
{
    xt_skip_if_emulated();
    struct xt_child child;
    xt_run_child(&child, overflow_worker_stack, NULL);
    assert_true(xt_child_faulted(&child));
    xt_run_child(&child, overflow_task_stack, NULL);
    assert_true(xt_child_faulted(&child));
}

static void lose_stack(void *unused)
{
    struct stack_store store;
    struct stack_cache cache;
    struct stack *stack;
    (void)unused;
    if (filch__stack_store_init(&store, 0) != 0)
        return;
    filch__stack_cache_init(&cache, &store);
    if (filch__stack_get(&cache, &stack) == 0)
        filch__stack_store_destroy(&store);
}

xt_define(a_stack_that_is_pulled_away)
{
    struct xt_child child;
    xt_run_child(&child, lose_stack, NULL);
    assert_true(xt_child_aborted(&child, "filch: "));
}

/* --- pools --- */

static void wait_for_ever(void *argument)
{
    for (;;)
        xt_sleep_ns(FILCH_S);
    (void)argument;
}

/* Leaving the process is no misuse, whatever its pools do. */
static void exit_with_running_tasks(void *unused)
{
    (void)unused;
    for (int i = 0; i < 10; i++) {
        if (filch_pool_spawn(NULL, NULL, NULL, wait_for_ever, NULL) != 0)
            return;
    }
    xt_sleep_ns(FILCH_MS);
    exit(42);
}

xt_define(exit_does_not_wait_for_detached_tasks)
{
    xt_skip_if_emulated();
    struct xt_child child;
    xt_run_child(&child, exit_with_running_tasks, NULL);
    assert_int_equal(child.status, 42 << 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        xt_test(functions_that_are_null),
        xt_test(a_scope_without_a_pool),
        xt_test(a_thread_that_has_been_given_up),
        xt_test(a_task_that_has_been_given_up),
        xt_test(a_stack_that_overflows),
        xt_test(a_stack_that_is_pulled_away),
        xt_test(exit_does_not_wait_for_detached_tasks),
    };
    return xt_run(tests);
}
