/* SPDX-License-Identifier: Apache-2.0 */
/* Condition variables between tasks, and between tasks and threads. */
#include "locks.h"

struct ring {
    struct filch_mutex m;
    struct filch_condvar cv;
    size_t rounds;
    size_t parties;
    size_t turn; /* under m, as the next */
    size_t joined;
};

static void take_turns(void *argument)
{
    struct ring *r = argument;
    xt_expect_equal(filch_mutex_lock(&r->m), 0);
    size_t mine = r->joined++;
    for (size_t i = 0; i < r->rounds; i++) {
        while (r->turn != mine)
            xt_expect_equal(filch_condvar_wait(&r->cv, &r->m), 0);
        r->turn = (mine + 1) % r->parties;
        filch_condvar_notify_all(&r->cv);
    }
    filch_mutex_unlock(&r->m);
}

static void run_ring(size_t workers, size_t tasks, size_t threads, size_t rounds)
{
    struct ring r = {.rounds = xt_scaled(rounds), .parties = tasks + threads};
    locks_mixed(workers, tasks, threads, take_turns, &r);
    assert_int_equal(r.joined, r.parties);
    assert_int_equal(r.m.filch__word, 0);
    assert_int_equal(r.cv.filch__word, 0);
}

xt_define(tasks_take_turns)
{
    run_ring(1, 2, 0, 5000);
    run_ring(1, 16, 0, 300);
    run_ring(2, 2, 0, 2000);
    run_ring(2, 8, 0, 300);
    run_ring(8, 8, 0, 300);
}

xt_define(tasks_and_threads_take_turns)
{
    run_ring(1, 1, 1, 1000);
    run_ring(1, 4, 4, 200);
    run_ring(2, 4, 4, 200);
    run_ring(8, 4, 4, 200);
}

struct store {
    struct filch_mutex m;
    struct filch_condvar not_empty, not_full;
    size_t rounds;
    uint64_t held; /* under m, as the rest; at most 4 */
    uint64_t put, taken, late;
    uint64_t joined;
};

static void put_or_take(void *argument)
{
    struct store *s = argument;
    xt_expect_equal(filch_mutex_lock(&s->m), 0);
    uint64_t mine = s->joined++;
    filch_mutex_unlock(&s->m);
    uint64_t seed = xt_seed() + mine;
    for (size_t i = 0; i < s->rounds; i++) {
        int error = filch_mutex_lock(&s->m);
        int64_t deadline = xt_now_ns() + (int64_t)(xt_random(&seed) % 100000);
        if (mine % 2 == 0) {
            while (s->held == 4 && error == 0)
                error = filch_condvar_wait_until(&s->not_full, &s->m, deadline);
            if (error == 0) {
                s->held++;
                s->put++;
                filch_condvar_notify_one(&s->not_empty);
            }
        } else {
            while (s->held == 0 && error == 0)
                error = filch_condvar_wait_until(&s->not_empty, &s->m, deadline);
            if (error == 0) {
                s->held--;
                s->taken++;
                filch_condvar_notify_one(&s->not_full);
            }
        }
        xt_expect(error == 0 || (error == ETIMEDOUT && xt_now_ns() >= deadline));
        s->late += error != 0;
        filch_mutex_unlock(&s->m);
    }
}

xt_define(a_store_between_tasks_and_threads)
{
    static const size_t widths[] = {1, 2, 8};
    for (size_t i = 0; i < sizeof widths / sizeof widths[0]; i++) {
        struct store s = {.rounds = xt_scaled(1000)};
        locks_mixed(widths[i], 6, 4, put_or_take, &s);
        assert_int_equal(s.put + s.taken + s.late, 10 * s.rounds);
        assert_int_equal(s.put, s.taken + s.held);
        assert_int_equal(s.m.filch__word, 0);
        assert_int_equal(s.not_empty.filch__word, 0);
        assert_int_equal(s.not_full.filch__word, 0);
    }
}

static void wait_for_turn(void *argument)
{
    struct ring *r = argument;
    FILCH_LOCK_GUARD(&r->m);
    r->joined++;
    while (r->turn == 0)
        xt_expect_equal(filch_condvar_wait(&r->cv, &r->m), 0);
    r->turn++;
}

/* Many tasks wait on one worker; notifying them all makes each go on. */
xt_define(a_crowd_of_tasks)
{
    struct ring r = {.rounds = 0};
    size_t count = xt_scaled(2000);
    struct filch_pool *pool = locks_pool(1);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(filch_pool_spawn(pool, NULL, NULL, wait_for_turn, &r), 0);
    for (bool are_there = false; !are_there;) {
        assert_int_equal(filch_mutex_lock(&r.m), 0);
        are_there = r.joined == count;
        filch_mutex_unlock(&r.m);
        xt_sleep_ns(100000);
    }
    assert_int_equal(filch_mutex_lock(&r.m), 0);
    r.turn = 1;
    filch_condvar_notify_all(&r.cv);
    filch_mutex_unlock(&r.m);
    assert_int_equal(filch_pool_destroy(pool), 0);
    assert_int_equal(r.turn, count + 1);
    assert_int_equal(r.m.filch__word, 0);
}

struct next {
    struct filch_mutex m;
    struct filch_condvar cv;
    struct filch_semaphore gate;
    int turn; /* under m, as the next */
    int waits;
    int error;
};

static void wait_for_notification(void *argument)
{
    struct next *n = argument;
    FILCH_LOCK_GUARD(&n->m);
    n->waits++;
    while (n->turn == 0)
        xt_expect_equal(filch_condvar_wait(&n->cv, &n->m), 0);
    n->turn = 2;
    filch_condvar_notify_one(&n->cv);
}

static void try_in_between(void *argument)
{
    struct next *n = argument;
    xt_expect_equal(filch_mutex_lock(&n->m), 0);
    n->waits++;
    filch_mutex_unlock(&n->m);
    xt_expect_equal(filch_semaphore_acquire(&n->gate), 0);
    n->error = filch_mutex_try_lock(&n->m);
    if (n->error == 0)
        filch_mutex_unlock(&n->m);
}

static void wake_both(void *argument)
{
    struct next *n = argument;
    while (FILCH_LOAD_RELAXED(&n->waits) != 2) /* of tasks of one worker */
        filch_yield();
    FILCH_LOCK_GUARD(&n->m);
    n->turn = 1;
    filch_semaphore_release(&n->gate, 1);
    filch_condvar_notify_one(&n->cv);
    while (n->turn != 2)
        xt_expect_equal(filch_condvar_wait(&n->cv, &n->m), 0);
}

/* Who waits hands its mutex to a task that runs next, and to no other: it would be kept from those between. */
xt_define(a_mutex_is_free_until_the_one_that_is_notified_runs)
{
    struct next n = {.turn = 0, .error = -1};
    struct filch_pool *pool = locks_pool(1);
    assert_int_equal(filch_pool_spawn(pool, NULL, NULL, wait_for_notification, &n), 0);
    assert_int_equal(filch_pool_spawn(pool, NULL, NULL, try_in_between, &n), 0);
    assert_int_equal(filch_pool_spawn(pool, NULL, NULL, wake_both, &n), 0);
    assert_int_equal(filch_pool_destroy(pool), 0);
    assert_int_equal(n.error, 0);
    assert_int_equal(n.m.filch__word, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        xt_test(tasks_take_turns),
        xt_test(tasks_and_threads_take_turns),
        xt_test(a_store_between_tasks_and_threads),
        xt_test(a_crowd_of_tasks),
        xt_test(a_mutex_is_free_until_the_one_that_is_notified_runs),
    };
    return xt_run(tests);
}
