/* SPDX-License-Identifier: Apache-2.0 */
/* Misuse that no caller can be told of ends the process with a message that names it; each case runs
 * in a child. */
#include "test.h"

#include "base/check.h"
#include "fiber/stack.h"
#include "os/os.h"

#include <filch/filch.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
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

static void nap(void *duration_ns)
{
    xt_sleep_ns(*(int64_t *)duration_ns);
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

static struct filch_task *spawn_nothing(void)
{
    struct filch_task *task = NULL;
    int error = filch_pool_spawn(NULL, &task, NULL, nothing, NULL);
    return error == 0 ? task : NULL;
}

/* A handle that has been given up; then come `others` tasks, and half of their handles stay valid. */
static struct filch_task *old_task(bool is_joined, int others)
{
    struct filch_task *task = spawn_nothing();
    if (!is_joined)
        filch_task_detach(task);
    else if (filch_task_join(task) != 0)
        return NULL;
    for (int i = 0; i < others; i++) {
        struct filch_task *other = spawn_nothing();
        if (i % 2 == 0)
            ignore(filch_task_join(other));
    }
    return task;
}

struct task_misuse {
    void (*use)(struct filch_task *);
    bool is_joined;
    int others;
};

static void use_old_task(void *misuse)
{
    const struct task_misuse *m = misuse;
    m->use(old_task(m->is_joined, m->others));
}

static void join_task(struct filch_task *task)
{
    ignore(filch_task_join(task));
}

static void join_task_in_time(struct filch_task *task)
{
    ignore(filch_task_join_until(task, 0));
}

static void ask_task(struct filch_task *task)
{
    ignore(filch_task_is_finished(task));
}

/* A task's own handle, which somebody else has detached. */
static void join_self(void *argument)
{
    struct filch_task **self = argument;
    struct filch_task *task;
    while ((task = __atomic_load_n(self, __ATOMIC_ACQUIRE)) == NULL)
        filch_yield();
    join_task(task);
}

static void join_self_detached(void *unused)
{
    static struct filch_task *shown;
    struct filch_task *task = NULL;
    (void)unused;
    if (filch_pool_spawn(NULL, &task, NULL, join_self, &shown) != 0)
        return;
    filch_task_detach(task);
    __atomic_store_n(&shown, task, __ATOMIC_RELEASE);
    for (;;)
        xt_sleep_ns(FILCH_S);
}

static void join_at_the_same_time(void *task)
{
    join_task(task);
}

/* Two wait for the same task; only one of them can be the last. */
static void join_task_from_two(void *unused)
{
    struct filch_task *task = NULL, *joiners[2];
    int64_t delay_ns = 20 * FILCH_MS;
    (void)unused;
    if (filch_pool_spawn(NULL, &task, NULL, nap, &delay_ns) != 0)
        return;
    for (int i = 0; i < 2; i++)
        ignore(filch_pool_spawn(NULL, &joiners[i], NULL, join_at_the_same_time, task));
    for (int i = 0; i < 2; i++)
        ignore(filch_task_join(joiners[i]));
}

xt_define(a_task_that_has_been_given_up)
{
    static const char joined[] = "filch: a task was joined twice, or joined after";
    static const char detached[] = "filch: a task was detached twice, or detached after";
    static const char used[] = "filch: the handle of a task was used after";
    static const struct {
        void (*use)(struct filch_task *);
        const char *message;
    } uses[] = {{join_task, joined},
                {join_task_in_time, joined},
                {filch_task_detach, detached},
                {ask_task, used}};
    xt_skip_if_emulated();
    for (size_t i = 0; i < 4; i++) {
        for (int is_joined = 0; is_joined < 2; is_joined++) {
            for (int others = 0; others <= 300; others += 100) {
                struct task_misuse misuse = {uses[i].use, is_joined != 0, others};
                expect_abort(use_old_task, &misuse, uses[i].message);
            }
        }
    }
    expect_abort(join_self_detached, NULL, joined);
    expect_abort(join_task_from_two, NULL, joined);
}

/* Not even a handle. */
static void join_garbage(void *garbage)
{
    join_task(garbage);
}

xt_define(what_is_no_handle_of_a_task)
{
    int local = 0;
    xt_skip_if_emulated();
    expect_abort(join_garbage, &local, "filch: a task was joined twice, or joined after");
    expect_abort(join_garbage, (void *)(UINTPTR_MAX - 2), "filch: a task was joined twice");
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

/* --- forks --- */

static int leaf(int value)
{
    return value;
}

FILCH_FORKABLE(int, leaf, int)

/* Begins a fork that no block looks after, as in a file without FILCH_DEBUG. */
static struct leaf__filch_fork begin_fork(int value)
{
    return leaf__filch_begin((struct leaf__filch_args){value}, 0);
}

static void leave_without_sync(void *unused)
{
    (void)unused;
    FILCH_FORK(forked, leaf, 1);
    if (leaf(1) == 1)
        return;
    ignore(FILCH_SYNC(forked, leaf));
}

static void sync_outer_first(void *unused)
{
    (void)unused;
    FILCH_FORK(outer, leaf, 1);
    FILCH_FORK(inner, leaf, 2);
    ignore(FILCH_SYNC(outer, leaf));
    ignore(FILCH_SYNC(inner, leaf));
}

static void fork_unlooked(void *unused)
{
    (void)unused;
    (void)begin_fork(1);
}

static void sync_after_a_lost_one(void *unused)
{
    (void)unused;
    FILCH_FORK(forked, leaf, 1);
    fork_unlooked(NULL);
    ignore(FILCH_SYNC(forked, leaf));
}

static void join_after_a_lost_one(void *unused)
{
    (void)unused;
    filch_join(fork_unlooked, NULL, nothing, NULL);
}

static void catch_after_a_lost_one(void *unused)
{
    (void)unused;
    ignore(filch_catch_unwind(fork_unlooked, NULL, NULL));
}

static void spawn_one_that_loses(void *unused)
{
    struct filch_task *task;
    (void)unused;
    if (filch_pool_spawn(NULL, &task, NULL, fork_unlooked, NULL) == 0)
        ignore(filch_task_join(task));
}

static void sync_inside_a_scope(void *unused)
{
    (void)unused;
    FILCH_FORK(forked, leaf, 1);
    FILCH_SCOPE (s) {
        (void)s;
        ignore(FILCH_SYNC(forked, leaf));
    }
}

static void lose_inside_a_scope(void *unused)
{
    (void)unused;
    FILCH_SCOPE (s) {
        (void)s;
        fork_unlooked(NULL);
    }
}

xt_define(a_fork_and_a_scope_that_cross)
{
    static const char crossed[] =
        "filch: a fork was synced inside a scope that was opened after it";
    xt_skip_if_emulated();
    expect_abort_everywhere(sync_inside_a_scope, crossed);
    expect_abort_everywhere(lose_inside_a_scope, crossed);
}

xt_define(a_fork_that_is_never_synced)
{
    static const char order[] = "filch: a fork was synced out of order, or another one after it";
    static const char left[] = "filch: a FILCH_FORK was not synced before its block";
    static const char returned[] =
        "filch: a FILCH_FORK was not synced before its function returned";
    xt_skip_if_emulated();
    if (!FILCH_DEBUG)
        skip();
    expect_abort_everywhere(leave_without_sync, left);
    expect_abort_everywhere(sync_outer_first, order);
    expect_abort_everywhere(sync_after_a_lost_one, order);
    expect_abort_everywhere(join_after_a_lost_one, order);
    expect_abort_everywhere(catch_after_a_lost_one, left);
    expect_abort(spawn_one_that_loses, NULL, returned);
}

/* --- a sandbox that is entered too late --- */

static bool is_forbidden; /* atomic: membarrier(2) */

static int fragile_barrier(void)
{
    return __atomic_load_n(&is_forbidden, __ATOMIC_ACQUIRE) ? ENOSYS : filch__os_linux.barrier();
}

static struct os_table fragile;

/* In a child, before anything else. */
static void use_fragile_barrier(void)
{
    fragile = filch__os_linux;
    fragile.barrier = fragile_barrier;
    filch__os_replace(&fragile);
}

static void forbid_barrier(void)
{
    __atomic_store_n(&is_forbidden, true, __ATOMIC_RELEASE);
}

/* Workers that go to sleep while others are awake: one that is alone needs no barrier. */
static void sleep_without_barrier(void *unused)
{
    (void)unused;
    use_fragile_barrier();
    ignore(filch_pool_install(NULL, nothing, NULL));
    forbid_barrier();
    for (;;) {
        for (int k = 0; k < 4; k++)
            ignore(filch_pool_spawn(NULL, NULL, NULL, nothing, NULL));
        ignore(filch_pool_install(NULL, nothing, NULL));
        xt_sleep_ns(1000000);
    }
}

/* A thread that wants what another one hides in its fork stack. */
static void hide_for_long(void *unused)
{
    (void)unused;
    forbid_barrier();
    for (;;) /* on a busy machine, a thief may take its time */
        xt_sleep_ns(FILCH_S);
}

static void expose_without_barrier(void *unused)
{
    (void)unused;
    use_fragile_barrier();
    filch_join(nothing, NULL, nothing, NULL);
    filch_join(hide_for_long, NULL, nothing, NULL);
}

static struct filch_sender *sending;

static void *send_one(void *unused)
{
    uint64_t value = 1;
    (void)unused;
    ignore(filch_try_send(sending, &value));
    return NULL;
}

/* Two threads at one end of a channel. */
static void send_without_barrier(void *capacity)
{
    struct filch_receiver *receiver;
    struct filch_thread *thread;
    use_fragile_barrier();
    ignore(filch_channel_create(&sending, &receiver, sizeof(uint64_t), *(const size_t *)capacity));
    (void)send_one(NULL);
    forbid_barrier();
    ignore(filch_thread_spawn(&thread, NULL, send_one, NULL));
    ignore(filch_thread_join(thread, NULL, NULL));
}

xt_define(a_barrier_that_is_taken_away)
{
    static const char refused[] = "filch: membarrier(2) is refused, which was to be had before";
    static const size_t bounded = 16;
    static const size_t unbounded = FILCH_UNBOUNDED;
    xt_skip_if_emulated();
    if (filch__os->barrier_ready() != 0)
        skip();
    expect_abort(sleep_without_barrier, NULL, refused);
    expect_abort(expose_without_barrier, NULL, refused);
    expect_abort(send_without_barrier, (void *)(uintptr_t)&bounded, refused);
    expect_abort(send_without_barrier, (void *)(uintptr_t)&unbounded, refused);
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

/* Main's own stack: from the first thread on that it starts. */
static void overflow_main(void *unused)
{
    struct filch_thread *thread;
    if (filch_thread_spawn(&thread, NULL, return_at_once, NULL) == 0)
        ignore(filch_thread_join(thread, NULL, NULL));
    overflow(unused);
}

static void *ask_and_overflow(void *unused)
{
    (void)filch_thread_current();
    overflow(unused);
    return NULL;
}

/* A thread that was not started here, and has become known. */
static void overflow_foreign(void *unused)
{
    struct filch_thread *thread;
    pthread_t foreign;
    if (filch_thread_spawn(&thread, NULL, return_at_once, NULL) == 0)
        ignore(filch_thread_join(thread, NULL, NULL));
    if (pthread_create(&foreign, NULL, ask_and_overflow, unused) == 0)
        (void)pthread_join(foreign, NULL);
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
    expect_overflow(overflow_main, NULL, "filch: thread 'main' has overflowed its stack\n");
    expect_overflow(overflow_foreign, NULL, "filch: thread '<unnamed>' has overflowed its stack\n");
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
    xt_skip_if_emulated();
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

/* No access will be tried again, and end the process. */
static void send_fault(void *unused)
{
    struct filch_thread *thread;
    if (filch_thread_spawn(&thread, NULL, return_at_once, unused) == 0)
        ignore(filch_thread_join(thread, NULL, NULL));
    (void)kill(getpid(), SIGSEGV);
}

xt_define(a_fault_that_was_sent_is_not_lost)
{
    xt_skip_if_emulated();
    struct xt_child child;
    xt_run_child(&child, send_fault, NULL);
    assert_true(xt_child_faulted(&child));
    assert_null(strstr(child.output, "overflowed"));
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

/* --- calls that block --- */

static void *fork_and_return(void *argument)
{
    pid_t child = fork();
    if (child > 0) {
        int status = 0;
        (void)waitpid(child, &status, 0);
        _exit(WIFSIGNALED(status) ? 3 : 4);
    }
    return argument;
}

static void call_that_forks(void *unused)
{
    ignore(filch_blocking(fork_and_return, unused, NULL));
}

static void *leave_thread(void *argument)
{
    pthread_exit(argument);
}

static void call_that_exits(void *unused)
{
    ignore(filch_blocking(leave_thread, unused, NULL));
}

static void install(void *fn)
{
    void (*body)(void *) = *(void (**)(void *))fn;
    ignore(filch_pool_install(NULL, body, NULL));
}

xt_define(a_blocking_call_that_leaves_its_thread)
{
    static void (*bodies[])(void *) = {call_that_forks, call_that_exits};
    struct xt_child child;
    xt_skip_if_emulated();
    expect_abort(install, &bodies[1], "filch: ");
    if (XT_TSAN)
        skip(); /* it knows no child of a process with threads */
    xt_run_child(&child, install, &bodies[0]);
    assert_true(WIFEXITED(child.status) && WEXITSTATUS(child.status) == 3);
    assert_non_null(
        strstr(child.output, "filch: a call of filch_blocking returned in a forked child"));
}

/* --- forks of the parent in a forked child --- */

static void sync_in_a_forked_child(void *unused)
{
    (void)unused;
    FILCH_FORK(first, leaf, 1);
    FILCH_FORK(second, leaf, 2);
    pid_t child = fork();
    if (child > 0) {
        int status = 0;
        (void)waitpid(child, &status, 0);
        _exit(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT ? 3 : 4);
    }
    int sum = FILCH_SYNC(second, leaf);
    sum += FILCH_SYNC(first, leaf);
    _exit(sum == 3 ? 0 : 1);
}

xt_define(a_fork_that_is_synced_in_a_forked_child)
{
    xt_skip_if_emulated();
    if (XT_TSAN)
        skip(); /* it knows no child of a process with threads */
    struct xt_child child;
    xt_run_child(&child, sync_in_a_forked_child, NULL);
    /* "twice, on another thread, or in a forked child"; a debug build looks at the order first. */
    assert_non_null(strstr(child.output, "filch: a fork was synced "));
    assert_true(WIFEXITED(child.status) && WEXITSTATUS(child.status) == 3);
}

/* --- a task that panics in a forked child --- */

static void panic_in_child(void *unused)
{
    (void)unused;
    pid_t child = fork();
    if (child == 0)
        filch_panic("in the child");
    int status = 0;
    (void)waitpid(child, &status, 0);
    _exit(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT ? 3 : 4);
}

static void spawn_with_handle(void *fn)
{
    struct filch_task *task;
    ignore(filch_pool_spawn(NULL, &task, NULL, *(void (**)(void *))fn, NULL));
    ignore(filch_task_join(task));
}

static void spawn_without_handle(void *fn)
{
    ignore(filch_pool_spawn(NULL, NULL, NULL, *(void (**)(void *))fn, NULL));
    for (;;) /* it ends the process */
        xt_sleep_ns(FILCH_S);
}

xt_define(a_task_that_panics_in_a_forked_child)
{
    static void (*const ways[])(void *) = {spawn_with_handle, spawn_without_handle};
    void (*fn)(void *) = panic_in_child;
    xt_skip_if_emulated();
    if (XT_TSAN)
        skip(); /* it knows no child of a process with threads */
    for (int i = 0; i < 2; i++) {
        struct xt_child child;
        xt_run_child(&child, ways[i], &fn);
        assert_non_null(strstr(child.output, "filch: a task returned in a forked child"));
        assert_true(WIFEXITED(child.status) && WEXITSTATUS(child.status) == 3);
    }
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
        xt_test(what_is_no_handle_of_a_task),
        xt_test(a_fork_that_is_never_synced),
        xt_test(a_fork_and_a_scope_that_cross),
        xt_test(a_fork_that_is_synced_in_a_forked_child),
        xt_test(a_task_that_panics_in_a_forked_child),
        xt_test(a_barrier_that_is_taken_away),
        xt_test(a_blocking_call_that_leaves_its_thread),
        xt_test(a_stack_that_overflows_is_named),
        xt_test(other_faults_are_left_alone),
        xt_test(a_fault_that_was_sent_is_not_lost),
        xt_test(a_detached_thread_takes_its_room_for_signals_back),
        xt_test(a_stack_that_is_pulled_away),
        xt_test(exit_does_not_wait_for_detached_tasks),
    };
    return xt_run(tests);
}
