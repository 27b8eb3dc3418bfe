/* SPDX-License-Identifier: Apache-2.0 */
/* Panics through joins, forks, scopes, loops and tasks: nothing that a frame has begun outlives it. */
#include "test.h"

#include "pool.h"

#include <filch/filch.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- what the tests count and wait for --- */

static uint32_t started; /* halves that have begun elsewhere */
static uint32_t raised;  /* panics that have been reported */
static uint32_t ended;   /* halves that have ended elsewhere */
static uint32_t dropped;
static uint32_t handled;

static uint32_t get(uint32_t *counter)
{
    return __atomic_load_n(counter, __ATOMIC_ACQUIRE);
}

static void add(uint32_t *counter)
{
    (void)__atomic_fetch_add(counter, 1, __ATOMIC_ACQ_REL);
}

/* Other workers have to get on meanwhile: there may be fewer processors than workers. */
static void wait_until(uint32_t *counter, uint32_t least)
{
    while (get(counter) < least)
        xt_sleep_ns(10000);
}

static void count_raised(const struct filch_panic *panic)
{
    (void)panic;
    add(&raised);
}

static void count_handled(const int *unused)
{
    (void)unused;
    xt_expect(filch_panicking());
    add(&handled);
}

static void count_dropped(void *unused)
{
    (void)unused;
    add(&dropped);
}

static void start_counting(void)
{
    started = raised = ended = dropped = handled = 0;
    (void)filch_panic_set_hook(count_raised);
}

/* Runs body as a caller from outside and in a task, in a pool of 3 workers. */
static struct filch_pool *pool;

static void run_everywhere(void (*body)(void *))
{
    const struct filch_pool_config config = {.workers = 3};
    assert_int_equal(filch_pool_create(&pool, &config), 0);
    start_counting();
    assert_int_equal(filch_pool_install(pool, body, NULL), 0);
    assert_int_equal(filch_pool_destroy(pool), 0);
    pool = NULL;
    start_counting();
    body(NULL);
    assert_null(filch_pool_current());
    assert_int_equal(xt_take_failures(), 0);
}

static struct filch_panic *caught(void (*fn)(void *), void *arg)
{
    struct filch_panic *panic = NULL;
    int error = filch_catch_unwind(fn, arg, &panic);
    xt_expect_equal(error, EOWNERDEAD);
    xt_expect(panic != NULL);
    return panic;
}

static void expect_message(struct filch_panic *panic, const char *message, size_t others)
{
    if (panic == NULL)
        return;
    if (strcmp(filch_panic_message(panic), message) != 0)
        fprintf(stderr, "message: %s\n", filch_panic_message(panic));
    xt_expect(strcmp(filch_panic_message(panic), message) == 0);
    xt_expect_equal(filch_panic_others(panic), others);
    filch_panic_free(panic);
}

static void nothing(void *unused)
{
    (void)unused;
}

static void boom(void *message)
{
    int guard __attribute__((cleanup(count_handled))) = 0;
    (void)guard;
    filch_panic("%s", (const char *)message);
}

static char text_left[] = "left";
static char text_right[] = "right";
static char text_body[] = "body";
static char text_task[] = "task";

/* --- joins --- */

/* Panics when the other half has begun elsewhere. */
static void boom_beside(void *message)
{
    wait_until(&started, 1);
    boom(message);
}

/* Ends only some time after the other half has panicked. */
static void end_late(void *unused)
{
    (void)unused;
    add(&started);
    wait_until(&raised, 1);
    xt_sleep_ns(2000000);
    add(&ended);
}

static void join_left_panics(void *unused)
{
    (void)unused;
    filch_join(boom_beside, text_left, end_late, NULL);
}

static void left_panics(void *unused)
{
    (void)unused;
    struct filch_panic *panic = caught(join_left_panics, NULL);
    xt_expect(!filch_panicking());
    xt_expect_equal(get(&ended), 1);
    expect_message(panic, "left", 0);
}

xt_define(a_join_is_not_left_before_its_stolen_half_has_ended)
{
    run_everywhere(left_panics);
}

static void join_function(void *unused)
{
    (void)unused;
    (filch_join)(boom_beside, text_left, end_late, NULL);
}

static void left_panics_in_function(void *unused)
{
    (void)unused;
    struct filch_panic *panic = caught(join_function, NULL);
    xt_expect_equal(get(&ended), 1);
    expect_message(panic, "left", 0);
}

xt_define(the_function_form_of_join_waits_too)
{
    run_everywhere(left_panics_in_function);
}

static void boom_late(void *message)
{
    add(&started);
    wait_until(&raised, 1);
    boom(message);
}

static void join_both_panic(void *unused)
{
    (void)unused;
    filch_join(boom_beside, text_left, boom_late, text_right);
}

static void both_panic(void *unused)
{
    (void)unused;
    struct filch_panic *panic = caught(join_both_panic, NULL);
    xt_expect_equal(get(&raised), 2);
    xt_expect_equal(get(&handled), 2);
    expect_message(panic, "left", 1);
}

xt_define(the_first_half_wins_and_the_other_panic_is_counted)
{
    run_everywhere(both_panic);
}

static void wait_for_right(void *unused)
{
    (void)unused;
    wait_until(&started, 1);
}

static void boom_elsewhere(void *message)
{
    add(&started);
    boom(message);
}

static void join_right_panics(void *unused)
{
    (void)unused;
    filch_join(wait_for_right, NULL, boom_elsewhere, text_right);
}

static void right_panics(void *unused)
{
    (void)unused;
    expect_message(caught(join_right_panics, NULL), "right", 0);
}

xt_define(the_panic_of_a_stolen_half_goes_on_at_the_join)
{
    run_everywhere(right_panics);
}

static void join_right_panics_here(void *unused)
{
    (void)unused;
    filch_join(nothing, NULL, boom, text_right);
}

static void right_panics_here(void *unused)
{
    (void)unused;
    for (int i = 0; i < 100; i++)
        expect_message(caught(join_right_panics_here, NULL), "right", 0);
}

xt_define(a_panic_of_the_second_half_on_this_stack)
{
    run_everywhere(right_panics_here);
}

/* A lock that both halves take: the panicking one gives it back on its way up. */
static uint32_t spin;

static void spin_lock(void)
{
    uint32_t seen = 0;
    while (!__atomic_compare_exchange_n(&spin, &seen, 1, 0, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)) {
        seen = 0;
        xt_sleep_ns(10000);
    }
}

static void spin_unlock(const int *unused)
{
    (void)unused;
    __atomic_store_n(&spin, 0, __ATOMIC_RELEASE);
}

static void boom_with_lock(void *message)
{
    spin_lock();
    int guard __attribute__((cleanup(spin_unlock))) = 0;
    (void)guard;
    boom_beside(message);
}

static void lock_too(void *unused)
{
    (void)unused;
    add(&started);
    wait_until(&raised, 1);
    spin_lock();
    int guard __attribute__((cleanup(spin_unlock))) = 0;
    (void)guard;
    add(&ended);
}

static void join_with_lock(void *unused)
{
    (void)unused;
    filch_join(boom_with_lock, text_left, lock_too, NULL);
}

static void panics_with_lock(void *unused)
{
    (void)unused;
    expect_message(caught(join_with_lock, NULL), "left", 0);
    xt_expect_equal(get(&ended), 1);
}

xt_define(handlers_run_before_the_other_half_is_waited_for)
{
    run_everywhere(panics_with_lock);
}

/* --- typed forks --- */

static long descend(int depth, int until);
FILCH_FORKABLE(long, descend, int, int)

/* A deep stack of forks. */
static long descend(int depth, int until)
{
    if (depth == until)
        filch_panic("deep");
    if (depth > until)
        return 1;
    FILCH_FORK(other, descend, until + 1, until);
    long here = descend(depth + 1, until);
    return here + FILCH_SYNC(other, descend);
}

static void descend_100(void *unused)
{
    (void)unused;
    (void)descend(0, 100);
}

static void descend_1500(void *unused) /* more than a strand has slots */
{
    (void)unused;
    (void)descend(0, 1500);
}

static void panics_below_forks(void *unused)
{
    (void)unused;
    for (int i = 0; i < 100; i++)
        expect_message(caught(descend_100, NULL), "deep", 0);
    for (int i = 0; i < 3; i++)
        expect_message(caught(descend_1500, NULL), "deep", 0);
}

xt_define(open_forks_are_taken_back)
{
    run_everywhere(panics_below_forks);
}

static void late_half(int *where);
FILCH_FORKABLE_VOID(late_half, int *)

static void late_half(int *where)
{
    end_late(NULL);
    *where = 1;
}

static void fork_and_panic(void *unused)
{
    (void)unused;
    int where = 0;
    FILCH_FORK(half, late_half, &where);
    boom_beside(text_left);
    FILCH_SYNC(half, late_half);
}

static void forks_are_waited_for(void *unused)
{
    (void)unused;
    expect_message(caught(fork_and_panic, NULL), "left", 0);
    xt_expect_equal(get(&ended), 1);
}

xt_define(a_fork_is_not_left_before_its_stolen_call_has_ended)
{
    run_everywhere(forks_are_waited_for);
}

/* Forks of frames above and below a boundary, joins between. */
static void fork_then_join(void *unused)
{
    (void)unused;
    int where = 0;
    FILCH_FORK(half, late_half, &where);
    filch_join(fork_and_panic, NULL, nothing, NULL);
    FILCH_SYNC(half, late_half);
}

static void fork_around_boundary(void *unused)
{
    (void)unused;
    FILCH_FORK(outer, descend, 1, 0);
    struct filch_panic *panic = caught(fork_then_join, NULL);
    xt_expect_equal(FILCH_SYNC(outer, descend), 1);
    xt_expect(get(&ended) >= 1);
    expect_message(panic, "left", 0);
}

static void boundaries_between_forks(void *unused)
{
    (void)unused;
    /* Twice: forks that were settled leave the stack as they found it. */
    fork_around_boundary(NULL);
    fork_around_boundary(NULL);
}

static long count_call(int number);
FILCH_FORKABLE(long, count_call, int)

static long count_call(int number)
{
    add(&ended);
    return number;
}

/* Nothing but the boundary lies between the fork and those that the panic ends. */
static void fork_around_catch(void *unused)
{
    (void)unused;
    for (uint32_t i = 0; i < 2; i++) {
        __atomic_store_n(&ended, 0, __ATOMIC_RELEASE);
        FILCH_FORK(outer, count_call, 7);
        const void *tail = filch__forks_here()->tail;
        expect_message(caught(descend_100, NULL), "deep", 0);
        xt_expect(filch__forks_here()->tail == tail);
        xt_expect_equal(FILCH_SYNC(outer, count_call), 7);
        xt_expect_equal(get(&ended), 1);
    }
}

xt_define(a_fork_before_the_boundary_stays)
{
    run_everywhere(fork_around_catch);
}

xt_define(forks_outside_of_the_boundary_stay)
{
    run_everywhere(boundaries_between_forks);
}

/* --- scopes --- */

static void end_much_later(void *counter)
{
    wait_until(&raised, 1);
    xt_sleep_ns(1000000);
    add(counter);
}

static void scope_body_panics(void *unused)
{
    (void)unused;
    FILCH_SCOPE (s) {
        for (int i = 0; i < 20; i++) {
            if (filch_scope_spawn(s, end_much_later, &ended) != 0)
                abort();
        }
        boom(text_body);
    }
}

static void body_panics(void *unused)
{
    (void)unused;
    struct filch_panic *panic = caught(scope_body_panics, NULL);
    xt_expect_equal(get(&ended), 20);
    expect_message(panic, "body", 0);
}

xt_define(a_scope_whose_body_panics_waits_for_its_tasks)
{
    run_everywhere(body_panics);
}

static void scope_tasks_panic(void *unused)
{
    (void)unused;
    FILCH_SCOPE (s) {
        for (int i = 0; i < 20; i++) {
            void (*fn)(void *) = i % 2 == 0 ? boom : end_much_later;
            void *arg = i % 2 == 0 ? (void *)text_task : (void *)&ended;
            if (filch_scope_spawn(s, fn, arg) != 0)
                abort();
        }
    }
    add(&started); /* not reached */
}

static void tasks_panic(void *unused)
{
    (void)unused;
    struct filch_panic *panic = caught(scope_tasks_panic, NULL);
    xt_expect_equal(get(&ended), 10);
    xt_expect_equal(get(&handled), 10);
    xt_expect_equal(get(&started), 0);
    expect_message(panic, "task", 9);
}

xt_define(the_first_panic_of_a_scope_goes_on_when_all_have_ended)
{
    run_everywhere(tasks_panic);
}

static void body_and_tasks(struct filch_scope *s, void *unused)
{
    (void)unused;
    for (int i = 0; i < 5; i++) {
        if (filch_scope_spawn(s, boom, text_task) != 0)
            abort();
    }
    boom(text_body);
}

static void run_scope(void *unused)
{
    (void)unused;
    xt_expect_equal(filch_scope_run(body_and_tasks, NULL), -1); /* not reached */
}

static void body_wins(void *unused)
{
    (void)unused;
    expect_message(caught(run_scope, NULL), "body", 5);
}

xt_define(the_panic_of_the_body_wins)
{
    run_everywhere(body_wins);
}

static void see_no_panic(void *unused)
{
    (void)unused;
    xt_expect(!filch_panicking());
    add(&ended);
}

static void scope_in_handler(const int *unused)
{
    (void)unused;
    xt_expect(filch_panicking());
    FILCH_SCOPE (s) {
        for (int i = 0; i < 50; i++) {
            if (filch_scope_spawn(s, see_no_panic, NULL) != 0)
                abort();
        }
        filch_join(nothing, NULL, nothing, NULL);
    }
    xt_expect(filch_panicking());
    xt_expect_equal(filch_catch_unwind(boom, text_task, NULL), EOWNERDEAD);
    xt_expect(filch_panicking());
}

static void panic_over_handler(void *unused)
{
    (void)unused;
    int guard __attribute__((cleanup(scope_in_handler))) = 0;
    (void)guard;
    boom(text_body);
}

static void handlers_may_use_everything(void *unused)
{
    (void)unused;
    expect_message(caught(panic_over_handler, NULL), "body", 0);
    xt_expect_equal(get(&ended), 50);
}

xt_define(a_handler_may_open_scopes_and_its_tasks_see_no_panic)
{
    run_everywhere(handlers_may_use_everything);
}

static void handler_with_panicking_scope(const int *unused)
{
    (void)unused;
    expect_message(caught(scope_tasks_panic, NULL), "task", 9);
}

static void panic_over_panicking_scope(void *unused)
{
    (void)unused;
    int guard __attribute__((cleanup(handler_with_panicking_scope))) = 0;
    (void)guard;
    boom(text_body);
}

static void scopes_in_handlers_panic(void *unused)
{
    (void)unused;
    expect_message(caught(panic_over_panicking_scope, NULL), "body", 0);
}

xt_define(a_scope_in_a_handler_panics_by_itself)
{
    run_everywhere(scopes_in_handlers_panic);
}

/* --- scopes between a fork and its sync --- */

static void idle_half(int unused)
{
    (void)unused;
}

FILCH_FORKABLE_VOID(idle_half, int)

static void fork_scope_and_panic(void *unused)
{
    (void)unused;
    int where = 0;
    FILCH_FORK(half, late_half, &where);
    FILCH_FORK(other, idle_half, 0);
    FILCH_SCOPE (s) {
        wait_until(&started, 1); /* before its tasks occupy all workers */
        for (int i = 0; i < 20; i++) {
            if (filch_scope_spawn(s, end_much_later, &ended) != 0)
                abort();
        }
        boom(text_body);
    }
    FILCH_SYNC(other, idle_half);
    FILCH_SYNC(half, late_half);
}

static void scopes_behind_forks(void *unused)
{
    (void)unused;
    struct filch_panic *panic = caught(fork_scope_and_panic, NULL);
    xt_expect_equal(get(&ended), 21);
    expect_message(panic, "body", 0);
}

xt_define(a_scope_that_panics_ends_before_the_forks_before_it)
{
    run_everywhere(scopes_behind_forks);
}

static struct filch_scope *around;

static int sleep_inside(int seconds)
{
    add(&started);
    return filch_sleep_ns(seconds * FILCH_S);
}

FILCH_FORKABLE(int, sleep_inside, int)

/* The half runs elsewhere, and is within the scope whose block is left. */
static void fork_and_cancel(const int *unused)
{
    (void)unused;
    FILCH_FORK(half, sleep_inside, 20);
    wait_until(&started, 1);
    xt_expect_equal(filch_scope_cancel(around), 0);
    xt_expect_equal(FILCH_SYNC(half, sleep_inside), ECANCELED);
}

static void fork_in_handler(void *unused)
{
    (void)unused;
    FILCH_FORK(first, idle_half, 0);
    FILCH_FORK(second, idle_half, 0);
    FILCH_SCOPE (s) {
        int guard __attribute__((cleanup(fork_and_cancel))) = 0;
        (void)guard;
        around = s;
        boom(text_body);
    }
    FILCH_SYNC(second, idle_half);
    FILCH_SYNC(first, idle_half);
}

static void handlers_fork_in_scopes(void *unused)
{
    (void)unused;
    expect_message(caught(fork_in_handler, NULL), "body", 0);
}

xt_define(what_a_handler_forks_belongs_to_the_scope_that_it_is_in)
{
    run_everywhere(handlers_fork_in_scopes);
}

/* --- loops --- */

enum { LOOP_COUNT = 200000, BAD_INDEX = 150001 };
static uint32_t inside; /* bodies that run now */

static void leave_body(const int *unused)
{
    (void)unused;
    (void)__atomic_fetch_sub(&inside, 1, __ATOMIC_ACQ_REL);
}

static void loop_body(size_t begin, size_t end, void *unused)
{
    (void)unused;
    add(&inside);
    int guard __attribute__((cleanup(leave_body))) = 0;
    (void)guard;
    volatile double sum = 0;
    for (size_t i = begin; i < end; i++) {
        sum = sum + 1.0 / (double)(i + 1);
        if (i == BAD_INDEX)
            filch_panic("index %zu", i);
    }
}

static void loop(void *unused)
{
    (void)unused;
    filch_for(0, LOOP_COUNT, loop_body, NULL);
}

static void loop_for_two(void *unused)
{
    (void)unused;
    const struct filch_for_options options = {.max_workers = 2};
    xt_expect_equal(filch_for_with(&options, 0, LOOP_COUNT, loop_body, NULL), -1);
}

static void loops_panic(void *unused)
{
    (void)unused;
    for (int i = 0; i < 50; i++) {
        expect_message(caught(loop, NULL), "index 150001", 0);
        xt_expect_equal(get(&inside), 0);
        expect_message(caught(loop_for_two, NULL), "index 150001", 0);
        xt_expect_equal(get(&inside), 0);
    }
}

xt_define(a_loop_is_not_left_before_its_bodies_have_ended)
{
    run_everywhere(loops_panic);
}

/* --- tasks --- */

static void payload_of_task(void *unused)
{
    filch_panic_any(unused, "payload", count_dropped);
}

static void tasks_with_handles(void *unused)
{
    (void)unused;
    const struct filch_task_attr named = {.name = "fragile"};
    struct filch_task *task;
    struct filch_panic *panic = NULL;
    int here;
    xt_expect_equal(filch_pool_spawn(pool, &task, &named, payload_of_task, &here), 0);
    xt_expect_equal(filch_task_join_panic(task, FILCH_FOREVER, &panic), EOWNERDEAD);
    xt_expect(panic != NULL && filch_panic_payload(panic, "payload") == &here);
    xt_expect_equal(get(&dropped), 0);
    filch_panic_free(panic);
    xt_expect_equal(get(&dropped), 1);
    /* Nobody takes the payload: it is dropped with the task. */
    xt_expect_equal(filch_pool_spawn(pool, &task, NULL, payload_of_task, &here), 0);
    xt_expect_equal(filch_task_join(task), EOWNERDEAD);
    xt_expect_equal(get(&dropped), 2);
    xt_expect_equal(filch_pool_spawn(pool, &task, NULL, payload_of_task, &here), 0);
    filch_task_detach(task);
    wait_until(&dropped, 3);
}

xt_define(the_join_of_a_task_hands_its_panic_over)
{
    run_everywhere(tasks_with_handles);
}

static void detached_tasks(void *unused)
{
    (void)unused;
    for (int i = 0; i < 100; i++)
        xt_expect_equal(filch_pool_spawn(pool, NULL, NULL, payload_of_task, NULL), 0);
    wait_until(&dropped, 100);
    xt_expect_equal(get(&raised), 100);
    uint32_t ran = 0;
    struct filch_task *task;
    xt_expect_equal(filch_pool_spawn(pool, &task, NULL, end_much_later, &ran), 0);
    xt_expect_equal(filch_task_join(task), 0);
    xt_expect_equal(ran, 1);
}

xt_define(a_detached_task_that_panics_is_reported_and_its_worker_goes_on)
{
    run_everywhere(detached_tasks);
}

static void install_boom(void *unused)
{
    (void)unused;
    xt_expect_equal(filch_pool_install(pool, boom, text_task), -1); /* not reached */
}

static void installs(void *unused)
{
    (void)unused;
    expect_message(caught(install_boom, NULL), "task", 0);
}

xt_define(an_installed_call_panics_in_its_caller)
{
    run_everywhere(installs);
}

/* A panic that waits in a handler is not seen by what its worker runs meanwhile. */
static void wait_in_handler(const int *unused)
{
    (void)unused;
    struct filch_task *task;
    xt_expect_equal(filch_pool_spawn(NULL, &task, NULL, see_no_panic, NULL), 0);
    xt_expect_equal(filch_task_join(task), 0);
    xt_expect(filch_panicking());
}

static void boom_and_wait(void *unused)
{
    (void)unused;
    int guard __attribute__((cleanup(wait_in_handler))) = 0;
    (void)guard;
    boom(text_task);
}

xt_define(a_waiting_panic_is_not_seen_by_other_tasks_of_its_worker)
{
    const struct filch_pool_config config = {.workers = 1};
    start_counting();
    assert_int_equal(filch_pool_create(&pool, &config), 0);
    struct filch_task *tasks[20];
    for (size_t i = 0; i < 20; i++)
        assert_int_equal(filch_pool_spawn(pool, &tasks[i], NULL, boom_and_wait, NULL), 0);
    for (size_t i = 0; i < 20; i++)
        assert_int_equal(filch_task_join(tasks[i]), EOWNERDEAD);
    assert_int_equal(filch_pool_destroy(pool), 0);
    pool = NULL;
}

/* --- what aborts --- */

static void expect_abort(void (*body)(void *), const char *message)
{
    struct xt_child child;
    xt_run_child(&child, body, NULL);
    if (!xt_child_aborted(&child, message))
        fprintf(stderr, "status %#x: %s\n", (unsigned)child.status, child.output);
    assert_true(xt_child_aborted(&child, message));
}

static void exit_thread(void *unused)
{
    (void)unused;
    pthread_exit(NULL);
}

static void exit_in_task(void *unused)
{
    (void)unused;
    xt_expect_equal(filch_pool_install(NULL, exit_thread, NULL), 0);
}

static void exit_in_scope(void *unused)
{
    (void)unused;
    FILCH_SCOPE (s) {
        if (filch_scope_spawn(s, exit_thread, NULL) != 0)
            abort();
    }
}

static void cancel_thread(void *unused)
{
    (void)unused;
    (void)pthread_cancel(pthread_self());
    pthread_testcancel();
}

static void cancel_in_task(void *unused)
{
    (void)unused;
    xt_expect_equal(filch_pool_install(NULL, cancel_thread, NULL), 0);
}

xt_define(leaving_the_thread_of_a_task_aborts)
{
    xt_skip_if_emulated();
    expect_abort(exit_in_task, "filch: pthread_exit or pthread_cancel in a task");
    expect_abort(exit_in_scope, "filch: pthread_exit or pthread_cancel in a task");
    expect_abort(cancel_in_task, "filch: pthread_exit or pthread_cancel in a task");
}

static void drop_boom(void *unused)
{
    (void)unused;
    filch_panic("in a drop");
}

static void cancel_with_bad_drop(void *unused)
{
    const struct filch_pool_config config = {.workers = 1};
    const struct filch_task_attr attr = {.drop = drop_boom};
    start_counting();
    if (filch_pool_create(&pool, &config) != 0 ||
        filch_pool_spawn(pool, NULL, NULL, end_late, NULL) != 0)
        abort();
    wait_until(&started, 1);
    if (filch_pool_spawn(pool, NULL, &attr, nothing, unused) != 0)
        abort();
    (void)(filch_pool_shutdown(pool, FILCH_CANCEL, 0) == 0);
    add(&raised);
    (void)(filch_pool_shutdown(pool, FILCH_CANCEL, FILCH_FOREVER) == 0);
}

xt_define(a_drop_function_of_a_task_must_not_panic)
{
    xt_skip_if_emulated();
    expect_abort(cancel_with_bad_drop, "filch: a drop function panicked");
}

static void named_task(void *unused)
{
    const struct filch_task_attr named = {.name = "fragile"};
    struct filch_task *task;
    (void)filch_panic_set_hook(NULL);
    if (filch_pool_spawn(NULL, &task, &named, boom, text_task) != 0)
        abort();
    xt_expect_equal(filch_task_join(task), EOWNERDEAD);
    (void)unused;
}

xt_define(the_report_names_worker_and_task)
{
    xt_skip_if_emulated();
    struct xt_child child;
    xt_run_child(&child, named_task, NULL);
    if (strstr(child.output, "', task 'fragile', panicked at ") == NULL)
        fprintf(stderr, "%s\n", child.output);
    assert_int_equal(child.status, 0);
    assert_non_null(strstr(child.output, "thread 'filch-"));
    assert_non_null(strstr(child.output, "', task 'fragile', panicked at "));
}

static void one_after_the_other(void *unused)
{
    const struct filch_task_attr named = {.name = "fragile"};
    const struct filch_pool_config config = {.workers = 1};
    struct filch_pool *alone;
    struct filch_task *task;
    (void)filch_panic_set_hook(NULL);
    if (filch_pool_create(&alone, &config) != 0 ||
        filch_pool_spawn(alone, &task, &named, boom, text_task) != 0)
        abort();
    xt_expect_equal(filch_task_join(task), EOWNERDEAD);
    xt_expect_equal(filch_pool_spawn(alone, NULL, NULL, boom, text_task), 0);
    xt_expect_equal(filch_pool_destroy(alone), 0);
    (void)unused;
}

/* What has no handle runs on the same strand, in the loop that the panic has ended. */
xt_define(a_task_is_not_taken_for_the_one_that_panicked_before_it)
{
    xt_skip_if_emulated();
    struct xt_child child;
    xt_run_child(&child, one_after_the_other, NULL);
    assert_int_equal(child.status, 0);
    static const char named[] = "', task 'fragile', panicked at ";
    const char *first = strstr(child.output, named);
    assert_non_null(first);
    const char *rest = first + strlen(named);
    assert_non_null(strstr(rest, "panicked at "));
    assert_null(strstr(rest, "'fragile'"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        xt_test(leaving_the_thread_of_a_task_aborts), /* children first: they start pools */
        xt_test(a_drop_function_of_a_task_must_not_panic),
        xt_test(the_report_names_worker_and_task),
        xt_test(a_task_is_not_taken_for_the_one_that_panicked_before_it),
        xt_test(a_join_is_not_left_before_its_stolen_half_has_ended),
        xt_test(the_function_form_of_join_waits_too),
        xt_test(the_first_half_wins_and_the_other_panic_is_counted),
        xt_test(the_panic_of_a_stolen_half_goes_on_at_the_join),
        xt_test(a_panic_of_the_second_half_on_this_stack),
        xt_test(handlers_run_before_the_other_half_is_waited_for),
        xt_test(open_forks_are_taken_back),
        xt_test(a_fork_is_not_left_before_its_stolen_call_has_ended),
        xt_test(a_fork_before_the_boundary_stays),
        xt_test(forks_outside_of_the_boundary_stay),
        xt_test(a_scope_whose_body_panics_waits_for_its_tasks),
        xt_test(the_first_panic_of_a_scope_goes_on_when_all_have_ended),
        xt_test(the_panic_of_the_body_wins),
        xt_test(a_handler_may_open_scopes_and_its_tasks_see_no_panic),
        xt_test(a_scope_in_a_handler_panics_by_itself),
        xt_test(a_scope_that_panics_ends_before_the_forks_before_it),
        xt_test(what_a_handler_forks_belongs_to_the_scope_that_it_is_in),
        xt_test(a_loop_is_not_left_before_its_bodies_have_ended),
        xt_test(the_join_of_a_task_hands_its_panic_over),
        xt_test(a_detached_task_that_panics_is_reported_and_its_worker_goes_on),
        xt_test(an_installed_call_panics_in_its_caller),
        xt_test(a_waiting_panic_is_not_seen_by_other_tasks_of_its_worker),
    };
    return xt_run(tests);
}
