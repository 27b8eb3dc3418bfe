/* SPDX-License-Identifier: Apache-2.0 */
/* Misuse that no caller can be told of ends the process with a message that names it; each case runs
 * in a child. */
#include "test.h"

#include "fiber/stack.h"

#include <filch/filch.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

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

static void *return_at_once(void *argument)
{
    return argument;
}

static void detach_and_join(void *unused)
{
    struct filch_thread *thread;
    (void)unused;
    if (filch_thread_spawn(&thread, NULL, sleep_for_ever, NULL) != 0 ||
        filch_thread_detach(thread) != 0)
        return;
    ignore(filch_thread_join(thread, NULL, NULL));
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

/* Long after the thread has gone, with others started in its place. */
static void use_old_handle(void *use)
{
    struct filch_thread *thread;
    if (filch_thread_spawn(&thread, NULL, return_at_once, NULL) != 0 ||
        filch_thread_join(thread, NULL, NULL) != 0)
        return;
    for (int i = 0; i < 200; i++) {
        struct filch_thread *other;
        if (filch_thread_spawn(&other, NULL, return_at_once, NULL) != 0 ||
            filch_thread_join(other, NULL, NULL) != 0)
            return;
    }
    (*(void (**)(struct filch_thread *))use)(thread);
}

static void join_it(struct filch_thread *thread)
{
    ignore(filch_thread_join(thread, NULL, NULL));
}

static void join_it_in_time(struct filch_thread *thread)
{
    ignore(filch_thread_join_until(thread, 0, NULL, NULL));
}

static void detach_it(struct filch_thread *thread)
{
    ignore(filch_thread_detach(thread));
}

static void name_it(struct filch_thread *thread)
{
    (void)filch_thread_name(thread);
}

static void drop_handle(void *unused)
{
    struct filch_thread *thread;
    (void)unused;
    if (filch_thread_spawn(&thread, NULL, return_at_once, NULL) == 0)
        filch_thread_drop(thread);
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
    static void (*joins[])(struct filch_thread *) = {join_it, join_it_in_time};
    static void (*detaches[])(struct filch_thread *) = {detach_it};
    static void (*uses[])(struct filch_thread *) = {name_it, filch_thread_unpark};
    xt_skip_if_emulated();
    expect_abort(detach_and_join, NULL, "filch: a thread was joined twice, or joined after");
    expect_abort(detach_twice, NULL, "filch: a thread was detached twice, or detached after");
    for (size_t i = 0; i < 2; i++) {
        expect_abort(use_old_handle, &joins[i],
                     "filch: a thread was joined twice, or joined after");
        expect_abort(use_old_handle, &uses[i], "filch: the handle of a thread was used after");
    }
    expect_abort(use_old_handle, &detaches[0],
                 "filch: a thread was detached twice, or detached after");
    expect_abort(drop_handle, NULL, "filch: the handle of a thread was dropped");
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

static void *overflow_in_thread(void *unused)
{
    overflow(unused);
    return NULL;
}

static void overflow_thread_stack(void *stack_size_bytes)
{
    const struct filch_thread_attr attr = {.name = "a thread with a long name",
                                           .stack_size_bytes = *(size_t *)stack_size_bytes};
    struct filch_thread *thread;
    if (filch_thread_spawn(&thread, &attr, overflow_in_thread, NULL) == 0)
        ignore(filch_thread_join(thread, NULL, NULL));
}

static void overflow_named_task(void *unused)
{
    const struct filch_task_attr attr = {.name = "deep"};
    struct filch_task *task;
    if (filch_pool_spawn(NULL, &task, &attr, overflow, unused) == 0)
        ignore(filch_task_join(task));
}

/* The sanitizers have handlers of their own, and ours gives way. */
static void expect_overflow(void (*body)(void *), void *argument, const char *message)
{
    struct xt_child child;
    xt_run_child(&child, body, argument);
    assert_true(xt_child_faulted(&child));
    if (XT_ASAN || XT_TSAN)
        return;
    if (strstr(child.output, message) == NULL)
        fprintf(stderr, "status %#x: %s\n", (unsigned)child.status, child.output);
    assert_non_null(strstr(child.output, message));
}

xt_define(a_stack_that_overflows_is_named)
{
    xt_skip_if_emulated();
    size_t small = 1, large = 16 * 1024 * 1024;
    expect_overflow(overflow_worker_stack, NULL, "filch: a task on 'filch-");
    expect_overflow(overflow_named_task, NULL, "filch: task 'deep' on 'filch-");
    expect_overflow(overflow_task_stack, NULL, "' has overflowed its stack\n");
    expect_overflow(overflow_thread_stack, &small,
                    "filch: thread 'a thread with a long name' has overflowed its stack\n");
    expect_overflow(overflow_thread_stack, &large,
                    "filch: thread 'a thread with a long name' has overflowed its stack\n");
}

static bool has_signal_stack(void)
{
    stack_t stack;
    return sigaltstack(NULL, &stack) == 0 && (stack.ss_flags & SS_DISABLE) == 0;
}

static struct {
    pthread_key_t key;
    uint32_t is_detached, has_ended;
    int rounds;
} leaving = {.rounds = 3};

/* Goes on until the thread is no thread of the library any more. */
static void look_when_over(void *here)
{
    if (--leaving.rounds > 0) {
        xt_expect_equal(pthread_setspecific(leaving.key, here), 0);
        return;
    }
    xt_expect(filch_thread_current() == NULL);
    xt_expect(!has_signal_stack());
    __atomic_store_n(&leaving.has_ended, 1, __ATOMIC_RELEASE);
}

static void *look_at_signal_stack(void *is_wanted)
{
    xt_expect_equal(has_signal_stack(), is_wanted != NULL);
    xt_expect_equal(pthread_setspecific(leaving.key, &leaving), 0);
    while (!__atomic_load_n(&leaving.is_detached, __ATOMIC_ACQUIRE))
        xt_sleep_ns(10000);
    return NULL;
}

static void leave_signal_stack(void *has_handler)
{
    struct filch_thread *thread;
    if (has_handler != NULL)
        (void)signal(SIGSEGV, SIG_IGN);
    xt_expect_equal(pthread_key_create(&leaving.key, look_when_over), 0);
    void *is_wanted = has_handler == NULL ? &leaving : NULL;
    if (filch_thread_spawn(&thread, NULL, look_at_signal_stack, is_wanted) != 0)
        abort();
    xt_expect_equal(filch_thread_detach(thread), 0);
    __atomic_store_n(&leaving.is_detached, 1, __ATOMIC_RELEASE);
    while (!__atomic_load_n(&leaving.has_ended, __ATOMIC_ACQUIRE))
        xt_sleep_ns(10000);
}

xt_define(a_detached_thread_takes_its_room_for_signals_back)
{
    if (XT_ASAN || XT_TSAN) /* which give rooms of their own */
        skip();
    xt_expect_child(leave_signal_stack, NULL, "a room for signals");
    xt_expect_child(leave_signal_stack, &leaving, "no room where the program has a handler");
}

static void handle_fault(int number)
{
    static const char text[] = "the program's own handler\n";
    (void)number;
    _exit(write(STDOUT_FILENO, text, sizeof text - 1) > 0 ? 7 : 8);
}

static void *write_to_null(void *unused)
{
    volatile uintptr_t address = 16; /* NULL is what UndefinedBehaviorSanitizer looks for */
    *(volatile int *)address = 1;
    return unused;
}

static void fault_in_thread(void *handler)
{
    struct sigaction action = {.sa_handler = handle_fault};
    if (handler != NULL)
        (void)sigaction(SIGSEGV, &action, NULL);
    struct filch_thread *thread;
    if (filch_thread_spawn(&thread, NULL, write_to_null, NULL) == 0)
        ignore(filch_thread_join(thread, NULL, NULL));
}

xt_define(other_faults_are_left_alone)
{
    xt_skip_if_emulated();
    struct xt_child child;
    int with_handler;
    xt_run_child(&child, fault_in_thread, NULL);
    assert_true(xt_child_faulted(&child));
    assert_null(strstr(child.output, "overflowed"));
    xt_run_child(&child, fault_in_thread, &with_handler);
    assert_true(WIFEXITED(child.status));
    assert_int_equal(WEXITSTATUS(child.status), 7);
    assert_non_null(strstr(child.output, "the program's own handler"));
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
        xt_test(a_stack_that_overflows_is_named),
        xt_test(other_faults_are_left_alone),
        xt_test(a_detached_thread_takes_its_room_for_signals_back),
        xt_test(a_stack_that_is_pulled_away),
        xt_test(exit_does_not_wait_for_detached_tasks),
    };
    return xt_run(tests);
}
