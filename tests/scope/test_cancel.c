/* SPDX-License-Identifier: Apache-2.0 */
/* Cancelling: every wait inside ends, with exactly one of its two outcomes; what has not begun does not
 * run, and is reported; what must not be abandoned is not. */
#include "cancelling.h"

#include <stdlib.h>
#include <string.h>

static void spawn(struct filch_scope *s, void (*fn)(void *), void *arg)
{
    xt_expect_equal(filch_scope_spawn(s, fn, arg), 0);
}

/* --- every wait --- */

/* What nobody else ever gives: each wait for it ends by being cancelled or not at all. */
static struct {
    struct filch_mutex mutex;      /* held by the test */
    struct filch_mutex free_mutex; /* of the condition variable */
    struct filch_rwlock rwlock;    /* held by the test, for writing */
    struct filch_condvar condvar;
    struct filch_once once;       /* under way, in the test */
    struct filch_once_cell cell;  /* its value is being made, likewise */
    struct filch_barrier barrier; /* one party is missing */
    struct filch_semaphore semaphore;
    struct filch_latch latch;
    struct filch_sender *full, *meets, *idle;
    struct filch_receiver *full_rx, *meets_rx, *idle_rx;
    struct filch_watch_sender *watch;
    struct filch_watch_receiver *watch_rx;
    struct filch_broadcast_sender *broadcast;
    struct filch_broadcast_receiver *broadcast_rx;
    struct filch_task_set *set;  /* its task waits until the test is over */
    struct filch_task *task;     /* waits until the test is over */
    struct filch_thread *thread; /* the same */
    int64_t is_over;
} never;

static int wait_mutex(void)
{
    return filch_mutex_lock(&never.mutex);
}

static int wait_read(void)
{
    return filch_rwlock_read(&never.rwlock);
}

static int wait_write(void)
{
    return filch_rwlock_write(&never.rwlock);
}

static int wait_condvar(void)
{
    xt_expect_equal(filch_mutex_lock(&never.free_mutex), 0);
    int error = filch_condvar_wait(&never.condvar, &never.free_mutex);
    xt_expect_equal(filch_mutex_try_lock(&never.free_mutex), EBUSY); /* it is held */
    filch_mutex_unlock(&never.free_mutex);
    return error;
}

static void call_nothing(void *unused)
{
    (void)unused;
}

static int wait_once(void)
{
    return filch_once_call(&never.once, call_nothing, NULL);
}

static int wait_once_done(void)
{
    return filch_once_wait_until(&never.once, FILCH_FOREVER);
}

static void *make_nothing(void *unused)
{
    xt_expect(false);
    return unused;
}

static int wait_cell(void)
{
    void *value = NULL;
    return filch_once_cell_get_or_init(&never.cell, make_nothing, NULL, &value);
}

static int wait_barrier(void)
{
    return filch_barrier_wait(&never.barrier, NULL);
}

static int wait_semaphore(void)
{
    return filch_semaphore_acquire(&never.semaphore);
}

static int wait_latch(void)
{
    return filch_latch_wait(&never.latch);
}

static int wait_send(void)
{
    int value = 0;
    return filch_send(never.full, &value);
}

static int wait_meet(void)
{
    int value = 0;
    return filch_send(never.meets, &value);
}

static int wait_recv(void)
{
    int value;
    return filch_recv(never.idle_rx, &value);
}

static int wait_send_many(void)
{
    static const int values[2];
    size_t sent = 1;
    int error = filch_send_many(never.full, values, 2, FILCH_FOREVER, &sent);
    xt_expect_equal(sent, 0);
    return error;
}

static int wait_recv_many(void)
{
    int values[2];
    size_t received;
    return filch_recv_many(never.idle_rx, values, 2, FILCH_FOREVER, &received);
}

static int wait_select(void)
{
    int value = 0;
    size_t index;
    struct filch_select_case cases[] = {
        {.rx = never.idle_rx, .value = &value},
        {.tx = never.full, .value = &value},
    };
    return filch_select(cases, 2, FILCH_FOREVER, &index);
}

static int wait_sleep(void)
{
    return filch_sleep_until(FILCH_FOREVER);
}

static int wait_sleep_long(void)
{
    return filch_sleep_ns(3600 * FILCH_S);
}

static int wait_park(void)
{
    return filch_thread_park_until(FILCH_FOREVER);
}

static int wait_join_thread(void)
{
    return filch_thread_join(never.thread, NULL, NULL);
}

static int wait_join_task(void)
{
    int error = filch_task_join(never.task);
    if (error == ETIMEDOUT)
        filch_task_detach(never.task); /* it stays; after ECANCELED it does not */
    return error;
}

static int wait_watch(void)
{
    return filch_watch_changed(never.watch_rx);
}

static int wait_watch_closed(void)
{
    return filch_watch_closed(never.watch);
}

static int wait_broadcast(void)
{
    int value;
    return filch_broadcast_recv(never.broadcast_rx, &value, NULL);
}

static int wait_task_set(void)
{
    struct filch_task_end end;
    return filch_task_set_next(never.set, &end);
}

static void *nothing(void *unused)
{
    return unused;
}

static int wait_blocking(void)
{
    int error = filch_sleep_until(FILCH_FOREVER);
    void *result = &never;
    int again = filch_blocking(nothing, NULL, &result);
    /* A thread may have begun it: then it is done. */
    xt_expect(again == error || (again == 0 && result == NULL));
    return error;
}

static int (*const waits[])(void) = {
    wait_mutex,       wait_read,      wait_write,     wait_condvar,      wait_once,
    wait_barrier,     wait_latch,     wait_send,      wait_meet,         wait_semaphore,
    wait_recv,        wait_select,    wait_sleep,     wait_park,         wait_sleep_long,
    wait_join_thread, wait_join_task, wait_watch,     wait_watch_closed, wait_broadcast,
    wait_task_set,    wait_blocking,  wait_once_done, wait_cell,         wait_send_many,
    wait_recv_many,
};
enum { WAITS = sizeof waits / sizeof waits[0] };

static int64_t tasks_made, tasks_ended;

static void end_with_test(void *unused)
{
    (void)unused;
    await(&never.is_over, 1);
    add(&tasks_ended);
}

static void *end_with_test_thread(void *unused)
{
    while (get(&never.is_over) == 0)
        xt_sleep_ns(FILCH_MS / 10);
    return unused;
}

static void make_channel(struct filch_sender **tx, struct filch_receiver **rx, size_t capacity)
{
    xt_expect_equal(filch_channel_create(tx, rx, sizeof(int), capacity), 0);
}

static void *end_with_set(void *unused)
{
    while (get(&never.is_over) == 0 && filch_canceled() == 0)
        (void)filch_sleep_ns(FILCH_MS / 10);
    return unused;
}

static struct filch_pool *keeper; /* of never.task */

static void make_never(void)
{
    int value = 0;
    memset(&never, 0, sizeof never);
    never.barrier = (struct filch_barrier)FILCH_BARRIER_INIT(2);
    never.semaphore = (struct filch_semaphore)FILCH_SEMAPHORE_INIT(0);
    never.latch = (struct filch_latch)FILCH_LATCH_INIT(1);
    make_channel(&never.full, &never.full_rx, 1);
    make_channel(&never.meets, &never.meets_rx, 0);
    make_channel(&never.idle, &never.idle_rx, 1);
    xt_expect_equal(filch_send(never.full, &value), 0);
    xt_expect_equal(filch_watch_create(&never.watch, &never.watch_rx, sizeof value, &value), 0);
    xt_expect_equal(filch_broadcast_create(&never.broadcast, &never.broadcast_rx, sizeof value, 1),
                    0);
    xt_expect_equal(filch_task_set_create(&never.set, NULL), 0);
    xt_expect_equal(filch_task_set_spawn(never.set, NULL, end_with_set, NULL), 0);
    xt_expect_equal(filch_mutex_lock(&never.mutex), 0);
    xt_expect_equal(filch_rwlock_write(&never.rwlock), 0);
    xt_expect_equal(filch_pool_spawn(keeper, &never.task, NULL, end_with_test, NULL), 0);
    xt_expect_equal(filch_thread_spawn(&never.thread, NULL, end_with_test_thread, NULL), 0);
}

static void drop_never(void)
{
    set(&never.is_over, 1);
    filch_mutex_unlock(&never.mutex);
    filch_rwlock_unlock_write(&never.rwlock);
    filch_sender_drop(never.full);
    filch_receiver_drop(never.full_rx);
    filch_sender_drop(never.meets);
    filch_receiver_drop(never.meets_rx);
    filch_sender_drop(never.idle);
    filch_receiver_drop(never.idle_rx);
    filch_watch_sender_drop(never.watch);
    filch_watch_receiver_drop(never.watch_rx);
    filch_broadcast_sender_drop(never.broadcast);
    filch_broadcast_receiver_drop(never.broadcast_rx);
    filch_task_set_drop(never.set);
    await(&tasks_ended, ++tasks_made); /* nobody joins those that are detached */
    xt_expect_equal(filch_thread_join(never.thread, NULL, NULL), 0);
}

static int64_t waiting, ended;
static int expected; /* of every wait */

static void do_wait(void *which)
{
    add(&waiting);
    int error = (*(int (*const *)(void))which)();
    xt_expect_equal(error, expected);
    xt_expect_equal(filch_canceled(), expected);
    add(&ended);
}

static void wait_for_all_inside(struct filch_scope *s)
{
    waiting = ended = 0;
    for (size_t i = 0; i < WAITS; i++)
        spawn(s, do_wait, (void *)(uintptr_t)&waits[i]);
}

static int64_t once_begun, once_may_end;

static void hold_once(void *unused)
{
    (void)unused;
    set(&once_begun, 1);
    while (get(&once_may_end) == 0)
        xt_sleep_ns(FILCH_MS / 10);
}

static void *make_in_once(void *unused)
{
    xt_expect_equal(filch_once_call(&never.once, hold_once, NULL), 0);
    return unused;
}

static void *hold_once_thread(void *unused)
{
    xt_expect_equal(filch_once_cell_get_or_init(&never.cell, make_in_once, NULL, NULL), 0);
    return unused;
}

/* make_never zeroes the once and the cell, so another thread holds them from then on. */
static void with_once_held(void (*test)(void))
{
    pthread_t thread;
    once_begun = once_may_end = 0;
    make_never();
    xt_expect_equal(pthread_create(&thread, NULL, hold_once_thread, NULL), 0);
    await(&once_begun, 1);
    test();
    set(&once_may_end, 1);
    xt_expect_equal(pthread_join(thread, NULL), 0);
    drop_never();
}

static void cancel_them(void)
{
    FILCH_SCOPE (s) {
        wait_for_all_inside(s);
        await(&waiting, WAITS);
        (void)filch_sleep_ns(FILCH_MS); /* most wait by now; those that do not are refused later */
        xt_expect_equal(filch_scope_cancel(s), 0);
        xt_expect_equal(filch_sleep_ns(FILCH_MS), expected); /* the body is inside, too */
    }
    xt_expect_equal(get(&ended), WAITS);
}

static void cancelled_scope(void *unused)
{
    (void)unused;
    expected = ECANCELED;
    with_once_held(cancel_them);
    xt_expect_equal(filch_canceled(), 0); /* the scope is gone */
}

static void let_time_pass(void)
{
    int64_t deadline = 0;
    FILCH_SCOPE (s) {
        wait_for_all_inside(s);
        await(&waiting, WAITS);
        deadline = filch_deadline_in(5 * FILCH_MS);
        xt_expect_equal(filch_scope_set_deadline(s, deadline), 0);
    }
    xt_expect_equal(get(&ended), WAITS);
    xt_expect(filch_now_ns() >= deadline); /* never early */
}

static void scope_out_of_time(void *unused)
{
    (void)unused;
    expected = ETIMEDOUT;
    with_once_held(let_time_pass);
}

xt_define(every_wait_inside_a_cancelled_scope_ends)
{
    keeper = create(1);
    everywhere(cancelled_scope);
    assert_int_equal(filch_pool_destroy(keeper), 0);
}

xt_define(every_wait_inside_a_scope_out_of_time_ends)
{
    keeper = create(1);
    everywhere(scope_out_of_time);
    assert_int_equal(filch_pool_destroy(keeper), 0);
}

/* --- what has what it waits for has it --- */

static void done_without_waiting(void *unused)
{
    (void)unused;
    struct filch_mutex m = FILCH_MUTEX_INIT;
    struct filch_semaphore semaphore = FILCH_SEMAPHORE_INIT(1);
    FILCH_SCOPE (s) {
        xt_expect_equal(filch_scope_cancel(s), 0);
        xt_expect_equal(filch_canceled(), ECANCELED);
        xt_expect_equal(filch_mutex_lock(&m), 0);
        filch_mutex_unlock(&m);
        xt_expect_equal(filch_semaphore_acquire(&semaphore), 0);
        xt_expect_equal(filch_semaphore_acquire(&semaphore), ECANCELED);
        xt_expect_equal(filch_sleep_ns(0), 0);
        xt_expect_equal(filch_sleep_ns(FILCH_S), ECANCELED);
        filch_thread_park(); /* returns without a reason, as it may */
    }
}

xt_define(what_need_not_wait_is_done)
{
    everywhere(done_without_waiting);
    assert_int_equal(filch_canceled(), 0);
}

/* --- what has not begun --- */

enum { CHILDREN = 100 };
static int64_t begun, dropped;

static void begin(void *unused)
{
    (void)unused;
    add(&begun);
}

static void drop(void *unused)
{
    (void)unused;
    add(&dropped);
}

struct family {
    struct filch_task *tasks[CHILDREN];
};

static void spawn_then_cancel(struct filch_scope *s, void *ctx)
{
    struct family *family = ctx;
    static const struct filch_task_attr attr = {.drop = drop};
    for (size_t i = 0; i < CHILDREN; i++) {
        if (i == CHILDREN / 2)
            xt_expect_equal(filch_scope_cancel(s), 0);
        xt_expect_equal(filch_scope_spawn_task(s, &family->tasks[i], &attr, begin, NULL), 0);
    }
}

static void not_begun(void *unused)
{
    struct family family;
    int64_t joined = 0;
    (void)unused;
    begun = dropped = 0;
    xt_expect_equal(filch_scope_run(spawn_then_cancel, &family), ECANCELED);
    xt_expect_equal(begun + dropped, CHILDREN);
    xt_expect(dropped >= CHILDREN / 2);
    for (size_t i = 0; i < CHILDREN; i++) {
        int error = filch_task_join(family.tasks[i]);
        xt_expect(error == 0 || error == ECANCELED);
        joined += error == ECANCELED;
    }
    xt_expect_equal(joined, dropped);
}

xt_define(children_that_have_not_begun_are_dropped_and_reported)
{
    everywhere(not_begun);
}

static void spawn_in_time(struct filch_scope *s, void *unused)
{
    (void)unused;
    xt_expect_equal(filch_scope_set_deadline(s, filch_deadline_in(3600 * FILCH_S)), 0);
    for (size_t i = 0; i < CHILDREN; i++)
        spawn(s, begin, NULL);
}

static void spawn_too_late(struct filch_scope *s, void *unused)
{
    (void)unused;
    xt_expect_equal(filch_scope_set_deadline(s, filch_now_ns()), 0);
    for (size_t i = 0; i < CHILDREN; i++)
        spawn(s, begin, NULL);
    xt_expect_equal(filch_canceled(), ETIMEDOUT);
}

static void deadlines_of_children(void *unused)
{
    (void)unused;
    begun = 0;
    xt_expect_equal(filch_scope_run(spawn_in_time, NULL), 0);
    xt_expect_equal(begun, CHILDREN);
    xt_expect_equal(filch_scope_run(spawn_too_late, NULL), ETIMEDOUT);
    xt_expect_equal(begun, CHILDREN);
}

xt_define(children_of_a_scope_out_of_time_do_not_begin)
{
    everywhere(deadlines_of_children);
}

/* --- what is within it --- */

static int64_t inside, left;

static void sleep_inside(void *unused)
{
    (void)unused;
    add(&inside);
    xt_expect_equal(filch_sleep_until(FILCH_FOREVER), ECANCELED);
    add(&left);
}

static void sleep_in_range(size_t begin_index, size_t end, void *unused)
{
    for (size_t i = begin_index; i < end; i++)
        sleep_inside(unused);
}

static void both_halves_sleep(void *unused)
{
    filch_join(sleep_inside, unused, sleep_inside, unused);
}

static void sleep_in_nested_scope(void *unused)
{
    FILCH_SCOPE (s) {
        spawn(s, sleep_inside, unused);
        spawn(s, both_halves_sleep, unused);
        sleep_inside(unused);
    }
}

static void sleep_in_loop(void *unused)
{
    (void)unused;
    struct filch_for_options options = {.grain = 1};
    int error = filch_for_with(&options, 0, 4, sleep_in_range, NULL);
    xt_expect(error == 0 || error == ECANCELED); /* all parts had begun, or not */
}

static struct filch_pool *other_pool;

static void sleep_in_other_pool(void *unused)
{
    xt_expect_equal(filch_pool_install(other_pool, sleep_in_nested_scope, unused), 0);
}

static void nested(void *unused)
{
    (void)unused;
    inside = left = 0;
    FILCH_SCOPE (outer) {
        spawn(outer, sleep_in_nested_scope, NULL);
        spawn(outer, sleep_in_loop, NULL);
        spawn(outer, sleep_in_other_pool, NULL);
        await(&inside, 5); /* of each at least one; which halves are stolen is chance */
        (void)filch_sleep_ns(FILCH_MS);
        xt_expect_equal(filch_scope_cancel(outer), 0);
    }
    xt_expect_equal(left, inside);
}

xt_define(what_is_within_a_cancelled_scope_is_cancelled)
{
    other_pool = create(2);
    everywhere(nested);
    assert_int_equal(filch_pool_destroy(other_pool), 0);
}

/* A half that was forked before a scope was opened is not within that scope. */
static void open_and_cancel(void *unused)
{
    (void)unused;
    FILCH_SCOPE (s) {
        xt_expect_equal(filch_scope_cancel(s), 0);
        while (get(&begun) == 0) /* the other worker comes for the other half */
            xt_sleep_ns(FILCH_MS / 10);
        set(&inside, 1);
        while (get(&left) == 0)
            xt_sleep_ns(FILCH_MS / 10);
    }
}

static void sleep_outside(void *unused)
{
    (void)unused;
    add(&begun);
    while (get(&inside) == 0)
        xt_sleep_ns(FILCH_MS / 10);
    xt_expect_equal(filch_canceled(), 0);
    xt_expect_equal(filch_sleep_ns(FILCH_MS), 0);
    add(&left);
}

static void half_outside(void *unused)
{
    begun = inside = left = 0;
    filch_join(open_and_cancel, unused, sleep_outside, unused);
}

xt_define(a_half_forked_before_a_scope_is_not_within_it)
{
    struct filch_pool *pool = create(2);
    assert_int_equal(filch_pool_install(pool, half_outside, NULL), 0);
    assert_int_equal(filch_pool_destroy(pool), 0);
}

static void cancel_inner(void *unused)
{
    (void)unused;
    FILCH_SCOPE (outer) {
        int error = 0;
        FILCH_SCOPE (inner) {
            xt_expect_equal(filch_scope_cancel(inner), 0);
            error = filch_sleep_ns(FILCH_S);
        }
        xt_expect_equal(error, ECANCELED);
        xt_expect_equal(filch_canceled(), 0);
        xt_expect_equal(filch_sleep_ns(1), 0);
        spawn(outer, begin, NULL);
    }
}

xt_define(what_is_around_a_cancelled_scope_goes_on)
{
    everywhere(cancel_inner);
}

/* --- panics --- */

static void wait_in_cleanup(const int *unused)
{
    (void)unused;
    xt_expect_equal(filch_sleep_until(FILCH_FOREVER), ECANCELED);
    add(&left);
}

static void panic_inside(void *unused)
{
    (void)unused;
    int marker __attribute__((cleanup(wait_in_cleanup))) = 0;
    (void)marker;
    xt_expect_equal(filch_sleep_until(FILCH_FOREVER), ECANCELED);
    filch_panic("inside");
}

static void panics_once(void *unused)
{
    struct filch_panic *panic = NULL;
    xt_expect_equal(filch_catch_unwind(panic_inside, unused, &panic), EOWNERDEAD);
    filch_panic_free(panic);
    xt_expect_equal(filch_sleep_until(FILCH_FOREVER), ECANCELED); /* still */
}

static void body_panics(struct filch_scope *s, void *unused)
{
    spawn(s, panics_once, unused);
    spawn(s, panic_inside, unused);
    (void)filch_sleep_ns(FILCH_MS);
    xt_expect_equal(filch_scope_cancel(s), 0);
}

static void run_scope_that_panics(void *unused)
{
    int error = filch_scope_run(body_panics, unused);
    xt_expect_equal(error, ECANCELED);
}

static void panic_then_cancelled(void *unused)
{
    struct filch_panic *panic = NULL;
    left = 0;
    int error = filch_catch_unwind(run_scope_that_panics, unused, &panic);
    /* Where a task was dropped before it began, it has not panicked. */
    xt_expect(error == EOWNERDEAD || left < 2);
    if (error != 0)
        filch_panic_free(panic);
    xt_expect_equal(filch_canceled(), 0);
    xt_expect_equal(filch_sleep_ns(1), 0);
}

xt_define(a_panic_does_not_hide_it)
{
    everywhere(panic_then_cancelled);
}

/* --- a join that would run the task itself --- */

static int64_t has_joined, begun_before_joined;

static void begins(void *unused)
{
    (void)unused;
    if (get(&has_joined) == 0)
        add(&begun_before_joined);
}

static void join_cancelled(void *pool)
{
    struct filch_task *task;
    FILCH_SCOPE (s) {
        xt_expect_equal(filch_scope_cancel(s), 0);
        xt_expect_equal(filch_pool_spawn(pool, &task, NULL, begins, NULL), 0);
        xt_expect_equal(filch_task_join(task), ECANCELED);
        set(&has_joined, 1);
    }
}

/* The only worker: nobody else runs the task that it joins. */
xt_define(a_cancelled_task_does_not_run_what_it_joins)
{
    struct filch_pool *pool = create(1);
    has_joined = begun_before_joined = 0;
    assert_int_equal(filch_pool_install(pool, join_cancelled, pool), 0);
    assert_int_equal(filch_pool_destroy(pool), 0);
    assert_int_equal(begun_before_joined, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        xt_test(every_wait_inside_a_cancelled_scope_ends),
        xt_test(every_wait_inside_a_scope_out_of_time_ends),
        xt_test(what_need_not_wait_is_done),
        xt_test(children_that_have_not_begun_are_dropped_and_reported),
        xt_test(children_of_a_scope_out_of_time_do_not_begin),
        xt_test(what_is_within_a_cancelled_scope_is_cancelled),
        xt_test(a_half_forked_before_a_scope_is_not_within_it),
        xt_test(what_is_around_a_cancelled_scope_goes_on),
        xt_test(a_panic_does_not_hide_it),
        xt_test(a_cancelled_task_does_not_run_what_it_joins),
    };
    return xt_run(tests);
}
