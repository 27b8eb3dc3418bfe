/* SPDX-License-Identifier: Apache-2.0 */
/* Ways of cancelling: loops, tasks, pools, deadlines; and what resists. */
#include "cancelling.h"

/* --- loops --- */

enum { ITERATIONS = 1000000 };
static int64_t done, cancelled_at;
static struct filch_scope *scope;

static void count_and_cancel(size_t begin, size_t end, void *unused)
{
    (void)unused;
    (void)__atomic_fetch_add(&done, (int64_t)(end - begin), __ATOMIC_ACQ_REL);
    xt_sleep_ns(FILCH_MS / 100);
    if (get(&done) >= 100 && get(&cancelled_at) == 0) {
        xt_expect_equal(filch_scope_cancel(scope), 0);
        set(&cancelled_at, 1);
    }
}

static void count_only(size_t begin, size_t end, void *unused)
{
    (void)unused;
    (void)__atomic_fetch_add(&done, (int64_t)(end - begin), __ATOMIC_ACQ_REL);
}

static void cancel_loop(const struct filch_for_options *options)
{
    done = cancelled_at = 0;
    FILCH_SCOPE (s) {
        scope = s;
        xt_expect_equal(filch_for_with(options, 0, ITERATIONS, count_and_cancel, NULL), ECANCELED);
        xt_expect(done >= 100 && done < ITERATIONS);
        done = 0;
        xt_expect_equal(filch_for(0, 10, count_only, NULL), ECANCELED); /* not even one */
        xt_expect_equal(done, 0);
    }
    xt_expect_equal(filch_for(0, 10, count_only, NULL), 0);
    xt_expect_equal(done, 10);
}

static void loops(void *unused)
{
    static const struct filch_for_options options[] = {
        {.grain = 0}, {.grain = 10}, {.max_workers = 1}, {.grain = 7, .max_workers = 2}};
    (void)unused;
    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++)
        cancel_loop(&options[i]);
}

xt_define(loops_hand_out_no_more_ranges)
{
    everywhere(loops);
}

enum { FEW = 10 };

static void cancel_at_the_end(size_t begin, size_t end, void *unused)
{
    (void)unused;
    int64_t count = (int64_t)(end - begin);
    if (__atomic_add_fetch(&done, count, __ATOMIC_ACQ_REL) == FEW)
        xt_expect_equal(filch_scope_cancel(scope), 0);
}

static void cancel_when_all_is_done(void *unused)
{
    static const struct filch_for_options options[] = {
        {.grain = FEW}, {.grain = 1}, {.max_workers = 1}, {.grain = 3, .max_workers = 2}};
    (void)unused;
    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++) {
        done = 0;
        FILCH_SCOPE (s) {
            scope = s;
            xt_expect_equal(filch_for_with(&options[i], 0, FEW, cancel_at_the_end, NULL), 0);
        }
        xt_expect_equal(done, FEW);
    }
}

xt_define(a_loop_whose_ranges_have_all_begun_is_not_cut_short)
{
    everywhere(cancel_when_all_is_done);
}

static void slow_range(size_t begin, size_t end, void *unused)
{
    (void)unused;
    (void)__atomic_fetch_add(&done, (int64_t)(end - begin), __ATOMIC_ACQ_REL);
    xt_sleep_ns(FILCH_MS / 100);
}

static void loop_in_time(void *unused)
{
    (void)unused;
    done = 0;
    FILCH_SCOPE (s) {
        xt_expect_equal(filch_scope_set_deadline(s, filch_deadline_in(2 * FILCH_MS)), 0);
        struct filch_for_options options = {.grain = 1};
        xt_expect_equal(filch_for_with(&options, 0, ITERATIONS, slow_range, NULL), ETIMEDOUT);
    }
    xt_expect(done < ITERATIONS);
}

xt_define(loops_end_when_time_is_up)
{
    everywhere(loop_in_time);
}

/* --- tasks --- */

static int64_t ran, dropped, reached;

static void count_run(void *unused)
{
    (void)unused;
    add(&ran);
}

static void count_drop(void *unused)
{
    (void)unused;
    add(&dropped);
}

static void sleep_for_ever(void *unused)
{
    (void)unused;
    add(&reached);
    xt_expect_equal(filch_canceled(), 0);
    xt_expect_equal(filch_sleep_until(FILCH_FOREVER), ECANCELED);
    xt_expect_equal(filch_canceled(), ECANCELED);
    add(&ran);
}

static void polls(void *unused)
{
    (void)unused;
    add(&reached);
    while (filch_canceled() == 0)
        filch_yield();
    add(&ran);
}

static void wait_for_gate(void *gate)
{
    add(&reached);
    while (get(gate) == 0)
        xt_sleep_ns(FILCH_MS / 10);
}

static void sleep_in_children(void *unused)
{
    FILCH_SCOPE (s) {
        xt_expect_equal(filch_scope_spawn(s, sleep_for_ever, unused), 0);
        xt_expect_equal(filch_scope_spawn(s, sleep_for_ever, unused), 0);
    }
}

xt_define(a_task_that_runs_is_cancelled)
{
    struct filch_pool *pool = create(2);
    static void (*const bodies[])(void *) = {sleep_for_ever, polls, sleep_in_children};
    static const int64_t sleepers[] = {1, 1, 2};
    for (size_t i = 0; i < 3; i++) {
        struct filch_task *task;
        ran = reached = 0;
        assert_int_equal(filch_pool_spawn(pool, &task, NULL, bodies[i], NULL), 0);
        await(&reached, sleepers[i]);
        assert_int_equal(filch_task_cancel(task), 0);
        assert_int_equal(filch_task_cancel(task), 0); /* once more changes nothing */
        assert_int_equal(filch_task_join(task), 0);   /* it has run to its end */
        assert_int_equal(ran, sleepers[i]);
    }
    assert_int_equal(filch_task_cancel(NULL), EINVAL);
    assert_int_equal(filch_pool_destroy(pool), 0);
}

xt_define(a_task_that_has_not_begun_never_does)
{
    static const struct filch_task_attr attr = {.drop = count_drop};
    struct filch_pool *pool = create(1);
    struct filch_task *tasks[3], *gate_task;
    int64_t gate = 0;
    ran = dropped = reached = 0;
    assert_int_equal(filch_pool_spawn(pool, &gate_task, NULL, wait_for_gate, &gate), 0);
    await(&reached, 1);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(filch_pool_spawn(pool, &tasks[i], &attr, count_run, NULL), 0);
    assert_int_equal(filch_task_cancel(tasks[1]), 0);
    set(&gate, 1);
    assert_int_equal(filch_task_join(gate_task), 0);
    assert_int_equal(filch_task_join(tasks[0]), 0);
    assert_int_equal(filch_task_join(tasks[1]), ECANCELED);
    while (!filch_task_is_finished(tasks[2]))
        (void)filch_sleep_ns(FILCH_MS / 10);
    assert_int_equal(filch_task_cancel(tasks[2]), 0); /* too late: nothing happens */
    assert_int_equal(filch_task_join(tasks[2]), 0);
    assert_int_equal(ran, 2);
    assert_int_equal(dropped, 1);
    assert_int_equal(filch_pool_destroy(pool), 0);
}

/* --- pools --- */

static void sleep_in_family(void *unused)
{
    sleep_in_children(unused);
    xt_expect_equal(filch_canceled(), ECANCELED);
}

xt_define(a_pool_is_cancelled)
{
    static const size_t widths[] = {1, 2, 8};
    enum { SLEEPERS = 50 };
    for (size_t i = 0; i < 3; i++) {
        struct filch_pool *pool = create(widths[i]);
        struct filch_task *task;
        ran = reached = 0;
        for (int k = 0; k < SLEEPERS; k++)
            assert_int_equal(filch_pool_spawn(pool, NULL, NULL, sleep_for_ever, NULL), 0);
        assert_int_equal(filch_pool_spawn(pool, &task, NULL, sleep_in_family, NULL), 0);
        await(&reached, SLEEPERS + 2);
        assert_int_equal(filch_pool_shutdown(pool, FILCH_DRAIN, filch_deadline_in(FILCH_MS)),
                         ETIMEDOUT);
        assert_int_equal(filch_pool_shutdown(pool, FILCH_CANCEL, FILCH_FOREVER), 0);
        assert_int_equal(ran, SLEEPERS + 2);
        assert_int_equal(filch_task_join(task), 0);
        assert_int_equal(filch_pool_destroy(pool), 0);
    }
}

static void *sleep_as_guest(void *unused)
{
    FILCH_SCOPE (s) {
        (void)s;
        sleep_for_ever(unused);
    }
    return unused;
}

struct installed {
    struct filch_pool *pool;
    int error;
};

static void sleep_in_scope(void *unused)
{
    (void)sleep_as_guest(unused);
}

static void *install_sleep(void *argument)
{
    struct installed *installed = argument;
    installed->error = filch_pool_install(installed->pool, sleep_in_scope, NULL);
    return NULL;
}

static void install_as_task(void *argument)
{
    (void)install_sleep(argument);
}

/* A call from outside, and one from a task of another pool, are within the pool that they run in. */
xt_define(a_pool_is_cancelled_with_calls_from_elsewhere)
{
    struct filch_pool *pool = create(1), *other = create(1);
    struct installed here = {pool, -1}, there = {pool, -1};
    struct filch_thread *thread;
    struct filch_task *task;
    ran = reached = 0;
    assert_int_equal(filch_thread_spawn(&thread, NULL, install_sleep, &here), 0);
    assert_int_equal(filch_pool_spawn(other, &task, NULL, install_as_task, &there), 0);
    await(&reached, 2);
    assert_int_equal(filch_pool_shutdown(pool, FILCH_CANCEL, FILCH_FOREVER), 0);
    assert_int_equal(filch_thread_join(thread, NULL, NULL), 0);
    assert_int_equal(filch_task_join(task), 0);
    assert_int_equal(ran, 2);
    assert_int_equal(here.error, 0);
    assert_int_equal(there.error, 0);
    assert_int_equal(filch_pool_destroy(pool), 0);
    assert_int_equal(filch_pool_destroy(other), 0);
}

/* --- deadlines --- */

static void nested_deadlines(void *unused)
{
    (void)unused;
    int64_t near = filch_deadline_in(2 * FILCH_MS);
    FILCH_SCOPE (outer) {
        xt_expect_equal(filch_scope_set_deadline(outer, near), 0);
        FILCH_SCOPE (inner) {
            xt_expect_equal(filch_scope_set_deadline(inner, filch_deadline_in(FILCH_S)), 0);
            xt_expect_equal(filch_sleep_until(FILCH_FOREVER), ETIMEDOUT);
            xt_expect(filch_now_ns() >= near);
        }
    }
    near = filch_deadline_in(2 * FILCH_MS);
    FILCH_SCOPE (outer) {
        xt_expect_equal(filch_scope_set_deadline(outer, filch_deadline_in(FILCH_S)), 0);
        FILCH_SCOPE (inner) {
            xt_expect_equal(filch_scope_set_deadline(inner, near), 0);
            xt_expect_equal(filch_sleep_until(FILCH_FOREVER), ETIMEDOUT);
        }
        xt_expect_equal(filch_sleep_ns(1), 0); /* outside there is time */
    }
    FILCH_SCOPE (s) {
        xt_expect_equal(filch_scope_set_deadline(s, 0), 0);
        xt_expect_equal(filch_canceled(), ETIMEDOUT);
        xt_expect_equal(filch_scope_set_deadline(s, FILCH_FOREVER), 0);
        xt_expect_equal(filch_canceled(), 0);
        xt_expect_equal(filch_sleep_ns(FILCH_MS), 0);
        xt_expect_equal(filch_scope_set_deadline(s, 0), 0);
        xt_expect_equal(filch_scope_cancel(s), 0);
        xt_expect_equal(filch_canceled(), ECANCELED);
    }
}

xt_define(the_earliest_deadline_around_holds)
{
    everywhere(nested_deadlines);
    assert_int_equal(filch_scope_set_deadline(NULL, 0), EINVAL);
    assert_int_equal(filch_scope_cancel(NULL), EINVAL);
}

static void sleep_out_of_time(void *unused)
{
    (void)unused;
    add(&reached);
    xt_expect_equal(filch_sleep_until(FILCH_FOREVER), ETIMEDOUT);
    add(&ran);
}

/* A deadline that is put off while somebody waits with it, and one that is set while they do. */
static void moved_deadlines(void *unused)
{
    (void)unused;
    int64_t later = 0;
    bool is_in_time = false; /* a machine may be slow */
    ran = reached = 0;
    FILCH_SCOPE (s) {
        int64_t first = filch_deadline_in(20 * FILCH_MS);
        xt_expect_equal(filch_scope_set_deadline(s, first), 0);
        xt_expect_equal(filch_scope_spawn(s, sleep_out_of_time, NULL), 0);
        while (get(&reached) == 0 && filch_canceled() == 0)
            (void)filch_sleep_ns(FILCH_MS / 10);
        later = filch_deadline_in(40 * FILCH_MS);
        xt_expect_equal(filch_scope_set_deadline(s, later), 0);
        is_in_time = filch_now_ns() < first;
    }
    xt_expect_equal(ran, reached);
    xt_expect(filch_now_ns() >= later || reached == 0 || !is_in_time);
    ran = reached = 0;
    FILCH_SCOPE (s) {
        xt_expect_equal(filch_scope_spawn(s, sleep_out_of_time, NULL), 0);
        await(&reached, 1);
        (void)filch_sleep_ns(FILCH_MS);
        xt_expect_equal(filch_scope_set_deadline(s, filch_deadline_in(FILCH_MS)), 0);
    }
    xt_expect_equal(ran, 1);
}

xt_define(deadlines_that_are_moved)
{
    everywhere(moved_deadlines);
}

/* --- what resists --- */

static struct filch_mutex mutex = FILCH_MUTEX_INIT;
static struct filch_rwlock rwlock = FILCH_RWLOCK_INIT;
static struct filch_condvar condvar = FILCH_CONDVAR_INIT;
static int64_t is_held, may_give;

/* Outside of every scope: holds what the others want. */
static void *hold(void *unused)
{
    xt_expect_equal(filch_mutex_lock(&mutex), 0);
    xt_expect_equal(filch_rwlock_write(&rwlock), 0);
    set(&is_held, 1);
    while (get(&may_give) == 0)
        xt_sleep_ns(FILCH_MS / 10);
    set(&is_held, 0);
    filch_rwlock_unlock_write(&rwlock);
    filch_mutex_unlock(&mutex);
    return unused;
}

static void guard_mutex(void *unused)
{
    (void)unused;
    add(&reached);
    FILCH_LOCK_GUARD(&mutex);
    xt_expect_equal(get(&is_held), 0);
    add(&ran);
}

static void guard_write(void *unused)
{
    (void)unused;
    add(&reached);
    FILCH_WRITE_GUARD(&rwlock);
    xt_expect_equal(get(&is_held), 0);
    add(&ran);
}

static void guard_read(void *unused)
{
    (void)unused;
    add(&reached);
    FILCH_READ_GUARD(&rwlock);
    xt_expect_equal(get(&is_held), 0);
    add(&ran);
}

static void resisting(void *unused)
{
    struct filch_thread *thread;
    ran = reached = is_held = may_give = 0;
    xt_expect_equal(filch_thread_spawn(&thread, NULL, hold, unused), 0);
    await(&is_held, 1);
    FILCH_SCOPE (s) {
        xt_expect_equal(filch_scope_spawn(s, guard_mutex, NULL), 0);
        xt_expect_equal(filch_scope_spawn(s, guard_write, NULL), 0);
        xt_expect_equal(filch_scope_spawn(s, guard_read, NULL), 0);
        await(&reached, 3);
        xt_expect_equal(filch_scope_cancel(s), 0);
        xt_expect_equal(get(&ran), 0);
        set(&may_give, 1);
    }
    xt_expect_equal(ran, 3);
    xt_expect_equal(filch_thread_join(thread, NULL, NULL), 0);
}

xt_define(guards_resist)
{
    everywhere(resisting);
}

static void wait_on_condvar(void *unused)
{
    (void)unused;
    xt_expect_equal(filch_mutex_lock(&mutex), 0);
    add(&reached);
    xt_expect_equal(filch_condvar_wait(&condvar, &mutex), ECANCELED);
    xt_expect_equal(get(&is_held), 0);
    xt_expect_equal(filch_mutex_try_lock(&mutex), EBUSY); /* it is ours */
    filch_mutex_unlock(&mutex);
    add(&ran);
}

static void relocking(void *unused)
{
    struct filch_thread *thread = NULL;
    ran = reached = is_held = may_give = 0;
    FILCH_SCOPE (s) {
        xt_expect_equal(filch_scope_spawn(s, wait_on_condvar, NULL), 0);
        await(&reached, 1);
        xt_expect_equal(filch_thread_spawn(&thread, NULL, hold, unused), 0);
        await(&is_held, 1); /* it has the mutex: the wait has begun */
        xt_expect_equal(filch_scope_cancel(s), 0);
        xt_sleep_ns(FILCH_MS);
        xt_expect_equal(get(&ran), 0);
        set(&may_give, 1);
    }
    xt_expect_equal(ran, 1);
    xt_expect_equal(filch_thread_join(thread, NULL, NULL), 0);
}

xt_define(a_wait_on_a_condvar_comes_back_with_the_mutex)
{
    everywhere(relocking);
}

static void sleep_then_run(void *unused)
{
    (void)unused;
    add(&reached);
    while (get(&may_give) == 0)
        xt_sleep_ns(FILCH_MS / 10);
    add(&ran);
}

static void *let_go(void *unused)
{
    xt_sleep_ns(2 * FILCH_MS);
    set(&may_give, 1);
    return unused;
}

/* The ends of a scope, a join and a loop wait for their parts although they are cancelled themselves. */
static void ends(void *unused)
{
    struct filch_thread *thread;
    ran = reached = may_give = 0;
    xt_expect_equal(filch_thread_spawn(&thread, NULL, let_go, unused), 0);
    FILCH_SCOPE (outer) {
        FILCH_SCOPE (s) {
            xt_expect_equal(filch_scope_spawn(s, sleep_then_run, NULL), 0);
            if (filch_pool_width(filch_pool_current()) > 1)
                await(&reached, 1);
            xt_expect_equal(filch_scope_cancel(outer), 0);
        }
        xt_expect_equal(get(&ran), get(&reached));
        filch_join(sleep_then_run, NULL, sleep_then_run, NULL); /* halves always run */
        xt_expect_equal(get(&ran), get(&reached));
    }
    xt_expect(get(&ran) >= 2);
    xt_expect_equal(filch_thread_join(thread, NULL, NULL), 0);
}

xt_define(ends_resist)
{
    everywhere(ends);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        xt_test(loops_hand_out_no_more_ranges),
        xt_test(a_loop_whose_ranges_have_all_begun_is_not_cut_short),
        xt_test(loops_end_when_time_is_up),
        xt_test(a_task_that_runs_is_cancelled),
        xt_test(a_task_that_has_not_begun_never_does),
        xt_test(a_pool_is_cancelled),
        xt_test(a_pool_is_cancelled_with_calls_from_elsewhere),
        xt_test(the_earliest_deadline_around_holds),
        xt_test(deadlines_that_are_moved),
        xt_test(guards_resist),
        xt_test(a_wait_on_a_condvar_comes_back_with_the_mutex),
        xt_test(ends_resist),
    };
    return xt_run(tests);
}
