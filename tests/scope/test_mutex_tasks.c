/* SPDX-License-Identifier: Apache-2.0 */
/* The mutex in tasks: the task is the owner, waiting sets only the task aside, and a lock may be held
 * across whatever waits. */
#include "locks.h"

#include "park/self.h"

static bool is_panicking(void)
{
    return (filch__self & FILCH__SELF_PANICKING) != 0;
}

struct contest {
    struct filch_mutex m;
    size_t rounds;
    uint64_t count; /* plain: the lock guards it */
    uint64_t timeouts;
};

static void count_up(void *argument)
{
    struct contest *c = argument;
    for (size_t i = 0; i < c->rounds; i++) {
        xt_expect_equal(filch_mutex_lock(&c->m), 0);
        c->count++;
        filch_mutex_unlock(&c->m);
    }
}

xt_define(no_update_is_lost_between_tasks_and_threads)
{
    static const size_t widths[] = {1, 2, 8};
    for (size_t i = 0; i < sizeof widths / sizeof widths[0]; i++) {
        for (size_t threads = 0; threads <= 4; threads += 2) {
            struct contest c = {.rounds = xt_scaled(5000)};
            locks_mixed(widths[i], 8, threads, count_up, &c);
            assert_int_equal(c.count, (8 + threads) * c.rounds);
            assert_int_equal(c.m.filch__word, 0);
        }
    }
}

static void nothing(void *unused)
{
    (void)unused;
}

/* Holds the lock across a wait, so that those of the same worker find it held. */
static void count_up_slowly(void *argument)
{
    struct contest *c = argument;
    for (size_t i = 0; i < c->rounds; i++) {
        struct filch_task *task;
        xt_expect_equal(filch_mutex_lock(&c->m), 0);
        uint64_t before = c->count;
        xt_expect_equal(filch_pool_spawn(filch_pool_current(), &task, NULL, nothing, NULL), 0);
        xt_expect_equal(filch_task_join(task), 0);
        xt_expect_equal(c->count, before);
        c->count = before + 1;
        filch_mutex_unlock(&c->m);
    }
}

xt_define(the_task_is_the_owner_wherever_it_waits)
{
    static const size_t widths[] = {1, 2, 8};
    for (size_t i = 0; i < sizeof widths / sizeof widths[0]; i++) {
        struct contest c = {.rounds = xt_scaled(500)};
        locks_mixed(widths[i], 8, 0, count_up_slowly, &c);
        assert_int_equal(c.count, 8 * c.rounds);
        assert_int_equal(c.m.filch__word, 0);
    }
}

static void count_up_in_time(void *argument)
{
    struct contest *c = argument;
    static uint64_t turn;
    uint64_t seed = xt_seed() + __atomic_fetch_add(&turn, 1, __ATOMIC_RELAXED);
    uint64_t timeouts = 0;
    for (size_t i = 0; i < c->rounds; i++) {
        int64_t deadline = xt_now_ns() + (int64_t)(xt_random(&seed) % 60000);
        int error = filch_mutex_lock_until(&c->m, deadline);
        if (error == ETIMEDOUT) {
            timeouts++;
            xt_expect(xt_now_ns() >= deadline);
            continue;
        }
        xt_expect_equal(error, 0);
        c->count++;
        if (xt_random(&seed) % 16 == 0)
            xt_sleep_ns((int64_t)(xt_random(&seed) % 30000));
        filch_mutex_unlock(&c->m);
    }
    __atomic_fetch_add(&c->timeouts, timeouts, __ATOMIC_RELAXED);
}

xt_define(deadlines_race_with_wake_ups)
{
    static const size_t widths[] = {1, 2, 8};
    for (size_t i = 0; i < sizeof widths / sizeof widths[0]; i++) {
        struct contest c = {.rounds = xt_scaled(1000)};
        locks_mixed(widths[i], 8, 2, count_up_in_time, &c);
        assert_int_equal(c.count + c.timeouts, 10 * c.rounds);
        assert_int_equal(c.m.filch__word, 0);
    }
}

/* --- one worker, two tasks --- */

struct neighbours {
    struct filch_mutex m;
    struct filch_mutex gate; /* of the test's thread */
    struct filch_task *task;
    int seen;
    bool has_run;
};

static void meet_the_neighbours_lock(void *argument)
{
    struct neighbours *n = argument;
    n->seen = filch_mutex_try_lock(&n->m);
    xt_expect(!is_panicking());
    n->has_run = true;
}

static void own_beside_a_neighbour(void *argument)
{
    struct neighbours *n = argument;
    xt_expect_equal(filch_mutex_lock(&n->m), 0);
    xt_expect_equal(filch_mutex_lock(&n->m), EDEADLK);
    filch__self_set_panicking(true);
    xt_expect_equal(
        filch_pool_spawn(filch_pool_current(), &n->task, NULL, meet_the_neighbours_lock, n), 0);
    xt_expect_equal(filch_task_join(n->task), 0); /* it runs on this worker */
    xt_expect_equal(n->seen, EBUSY);
    xt_expect(is_panicking());
    filch_mutex_unlock(&n->m);
    filch__self_set_panicking(false);
    xt_expect_equal(filch_mutex_lock(&n->m), EOWNERDEAD);
    filch_mutex_unlock(&n->m);
}

xt_define(tasks_of_one_worker_are_different_owners)
{
    struct neighbours n = {.seen = 0};
    struct filch_pool *pool = locks_pool(1);
    assert_int_equal(filch_pool_install(pool, own_beside_a_neighbour, &n), 0);
    assert_true(n.has_run);
    assert_int_equal(filch_pool_destroy(pool), 0);
}

static void unlock_the_neighbours(void *argument)
{
    struct neighbours *n = argument;
    filch_mutex_unlock(&n->m);
}

static void lend_a_lock(void *argument)
{
    struct neighbours *n = argument;
    if (filch_mutex_lock(&n->m) == 0 &&
        filch_pool_spawn(filch_pool_current(), &n->task, NULL, unlock_the_neighbours, n) == 0 &&
        filch_task_join(n->task) == 0)
        filch_mutex_unlock(&n->m);
}

static void in_one_worker(void *argument)
{
    struct filch_pool *pool = locks_pool(1);
    xt_expect_equal(filch_pool_install(pool, lend_a_lock, argument), 0);
}

xt_define(a_neighbour_cannot_unlock)
{
    xt_skip_if_emulated();
    struct neighbours n = {.seen = 0};
    struct xt_child child;
    xt_run_child(&child, in_one_worker, &n);
    assert_true(xt_child_aborted(&child, "the caller does not hold the mutex"));
}

static void wait_at_the_gate(void *argument)
{
    struct neighbours *n = argument;
    xt_expect_equal(filch_mutex_lock(&n->gate), 0);
    xt_expect(n->has_run);
    filch_mutex_unlock(&n->gate);
}

static void run(void *argument)
{
    struct neighbours *n = argument;
    n->has_run = true;
}

/* A thread holds the lock, a task waits for it, and its only worker goes on with another one. */
xt_define(only_the_task_waits)
{
    struct neighbours n = {.seen = 0};
    struct filch_task *waits, *runs;
    struct filch_pool *pool = locks_pool(1);
    assert_int_equal(filch_mutex_lock(&n.gate), 0);
    assert_int_equal(filch_pool_spawn(pool, &waits, NULL, wait_at_the_gate, &n), 0);
    while (locks_suspensions(pool) == 0)
        xt_sleep_ns(100000);
    assert_int_equal(filch_pool_spawn(pool, &runs, NULL, run, &n), 0);
    assert_int_equal(filch_task_join(runs), 0);
    assert_int_equal(filch_task_is_finished(waits), 0);
    filch_mutex_unlock(&n.gate);
    assert_int_equal(filch_task_join(waits), 0);
    assert_int_equal(filch_pool_destroy(pool), 0);
}

/* --- a lock held across what waits --- */

static struct filch_mutex common = FILCH_MUTEX_INIT;
static uint64_t sum; /* plain: the lock guards it */

static void add_in_lock(void *unused)
{
    (void)unused;
    xt_expect_equal(filch_mutex_lock(&common), 0);
    sum++;
    filch_mutex_unlock(&common);
}

static void add_piece(size_t begin, size_t end, void *count)
{
    __atomic_fetch_add((uint64_t *)count, end - begin, __ATOMIC_RELAXED);
}

static void add_one(void *count)
{
    __atomic_fetch_add((uint64_t *)count, 1, __ATOMIC_RELAXED);
}

static uint64_t by_loop(void)
{
    uint64_t count = 0;
    struct filch_for_options fine = {.grain = 1};
    xt_expect_equal(filch_for_with(&fine, 0, 32, add_piece, &count), 0);
    return count;
}

static uint64_t by_join(void)
{
    uint64_t count = 30;
    filch_join(add_one, &count, add_one, &count);
    return count;
}

static uint64_t by_scope(void)
{
    uint64_t count = 0;
    FILCH_SCOPE (s) {
        for (int i = 0; i < 32; i++)
            xt_expect_equal(filch_scope_spawn(s, add_one, &count), 0);
    }
    return count;
}

static uint64_t by_task(void)
{
    uint64_t count = 31;
    struct filch_task *task;
    xt_expect_equal(filch_pool_spawn(NULL, &task, NULL, add_one, &count), 0);
    xt_expect_equal(filch_task_join(task), 0);
    return count;
}

static uint64_t by_install(void)
{
    uint64_t count = 31;
    xt_expect_equal(filch_pool_install(NULL, add_one, &count), 0);
    return count;
}

static uint64_t (*const ways[])(void) = {by_loop, by_join, by_scope, by_task, by_install};
enum { WAYS = sizeof ways / sizeof ways[0] };

static void hold_across(size_t begin, size_t end, void *way)
{
    for (size_t i = begin; i < end; i++) {
        xt_expect_equal(filch_mutex_lock(&common), 0);
        sum += (*(uint64_t(**)(void))way)();
        filch_mutex_unlock(&common);
    }
}

/* Every iteration takes the lock and has a parallel construct of its own run meanwhile. Where a waiting
 * worker runs whatever it finds on top of what waits, it finds another iteration, which wants the lock
 * that lies below. */
static void hold_in_every_iteration(void *argument)
{
    size_t count = xt_scaled(500);
    sum = 0;
    struct filch_for_options fine = {.grain = 1};
    xt_expect_equal(filch_for_with(&fine, 0, count, hold_across, argument), 0);
    xt_expect_equal(sum, 32 * count);
}

/* The same where the outer construct is a scope of tasks that hold the lock, and of others that only
 * take it briefly. */
static void hold_task(void *argument)
{
    hold_across(0, 1, argument);
}

static void hold_in_every_task(void *argument)
{
    size_t count = xt_scaled(250);
    sum = 0;
    FILCH_SCOPE (s) {
        for (size_t i = 0; i < count; i++) {
            xt_expect_equal(filch_scope_spawn(s, hold_task, argument), 0);
            xt_expect_equal(filch_scope_spawn(s, add_in_lock, NULL), 0);
        }
    }
    xt_expect_equal(sum, 33 * count);
}

/* And where halves of nested joins do. */
struct halves {
    void *way;
    size_t depth;
};

static void half(void *argument)
{
    struct halves *h = argument;
    hold_task(h->way);
    struct halves below = {h->way, h->depth - 1};
    if (h->depth > 0)
        filch_join(half, &below, half, &below);
}

static void hold_in_halves(void *argument)
{
    struct halves h = {argument, 6};
    sum = 0;
    half(&h);
    xt_expect_equal(sum, 32 * 127);
}

static void in_every_way(void (*test)(void *))
{
    for (int i = 0; i < WAYS; i++) {
        uint64_t (*way)(void) = ways[i];
        test(&way); /* as a guest */
        locks_in_pools(test, &way);
    }
}

xt_define(a_lock_held_across_anything_in_a_loop)
{
    in_every_way(hold_in_every_iteration);
}

xt_define(a_lock_held_across_anything_in_a_scope)
{
    in_every_way(hold_in_every_task);
}

xt_define(a_lock_held_across_anything_in_halves)
{
    in_every_way(hold_in_halves);
}

/* --- guests --- */

/* A thread is the same owner inside and outside of its own scope. */
xt_define(a_guest_stays_who_it_is)
{
    struct filch_mutex before = FILCH_MUTEX_INIT, within = FILCH_MUTEX_INIT;
    assert_int_equal(filch_mutex_lock(&before), 0);
    FILCH_SCOPE (s) {
        (void)s;
        assert_int_equal(filch_mutex_lock(&before), EDEADLK);
        filch_mutex_unlock(&before);
        assert_int_equal(filch_mutex_lock(&within), 0);
        (void)by_task();
    }
    assert_int_equal(filch_mutex_lock(&within), EDEADLK);
    filch_mutex_unlock(&within);
}

static void *first_lock_in_scope(void *m)
{
    FILCH_SCOPE (s) {
        (void)s;
        xt_expect_equal(filch_mutex_lock(m), 0);
    }
    xt_expect_equal(filch__self & FILCH__SELF_TASK, 0);
    filch_mutex_unlock(m);
    return NULL;
}

xt_define(a_guest_is_a_thread_even_if_it_locks_first_in_a_scope)
{
    struct filch_mutex m = FILCH_MUTEX_INIT;
    xt_run_threads(1, first_lock_in_scope, &m, 0);
}

/* --- nobody starves --- */

enum { HOGGED_MAX = 20, WANTING = 3 };

struct hogged {
    struct filch_mutex m;
    size_t times;     /* that the hog takes it */
    int had[WANTING]; /* in which order the others have had it */
    int count;
};

struct wanting {
    struct hogged *hogged;
    int number;
};

static void want(void *argument)
{
    struct wanting *w = argument;
    struct hogged *h = w->hogged;
    xt_expect_equal(filch_mutex_lock(&h->m), 0);
    h->had[h->count++] = w->number;
    filch_mutex_unlock(&h->m);
}

/* On one worker, whoever is woken finds the lock taken again. Returns how often it was taken. */
static size_t hog(struct hogged *h, int wanting)
{
    struct wanting all[WANTING];
    size_t taken = 0;
    FILCH_SCOPE (s) {
        xt_expect_equal(filch_mutex_lock(&h->m), 0);
        for (int i = 0; i < wanting; i++) {
            all[i] = (struct wanting){h, i};
            xt_expect_equal(filch_scope_spawn(s, want, &all[i]), 0);
            filch_yield(); /* it goes to the queue */
        }
        while (++taken < h->times && h->count == 0) {
            filch_mutex_unlock(&h->m);
            xt_expect_equal(filch_mutex_lock(&h->m), 0);
            filch_yield();
        }
        filch_mutex_unlock(&h->m);
    }
    return taken;
}

static void hog_for_ever(void *argument)
{
    size_t taken = hog(argument, 1);
    xt_expect(taken > 1 && taken < HOGGED_MAX);
}

xt_define(who_is_woken_in_vain_gets_it_handed_over)
{
    struct hogged h = {.m = FILCH_MUTEX_INIT, .times = HOGGED_MAX};
    struct filch_pool *pool = locks_pool(1);
    assert_int_equal(filch_pool_install(pool, hog_for_ever, &h), 0);
    assert_int_equal(filch_pool_destroy(pool), 0);
}

static void hog_twice(void *argument)
{
    xt_expect_equal(hog(argument, WANTING), 2);
}

xt_define(who_is_woken_in_vain_is_still_the_first)
{
    struct hogged h = {.m = FILCH_MUTEX_INIT, .times = 2};
    struct filch_pool *pool = locks_pool(1);
    assert_int_equal(filch_pool_install(pool, hog_twice, &h), 0);
    assert_int_equal(filch_pool_destroy(pool), 0);
    for (int i = 0; i < WANTING; i++)
        assert_int_equal(h.had[i], i);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        xt_test(no_update_is_lost_between_tasks_and_threads),
        xt_test(the_task_is_the_owner_wherever_it_waits),
        xt_test(deadlines_race_with_wake_ups),
        xt_test(tasks_of_one_worker_are_different_owners),
        xt_test(a_neighbour_cannot_unlock),
        xt_test(only_the_task_waits),
        xt_test(a_lock_held_across_anything_in_a_loop),
        xt_test(a_lock_held_across_anything_in_a_scope),
        xt_test(a_lock_held_across_anything_in_halves),
        xt_test(a_guest_stays_who_it_is),
        xt_test(a_guest_is_a_thread_even_if_it_locks_first_in_a_scope),
        xt_test(who_is_woken_in_vain_gets_it_handed_over),
        xt_test(who_is_woken_in_vain_is_still_the_first),
    };
    return xt_run(tests);
}
