/* SPDX-License-Identifier: Apache-2.0 */
/* Handles of tasks: join from outside and inside, with deadlines, detach; and what happens to a
 * worker whose task waits. */
#include "test.h"

#include <errno.h>
#include <fenv.h>
#include <filch/filch.h>

static struct filch_pool *create(size_t workers)
{
    struct filch_pool *pool = NULL;
    struct filch_pool_config config = {.name = "task", .workers = workers};
    assert_int_equal(filch_pool_create(&pool, &config), 0);
    return pool;
}

static void destroy(struct filch_pool *pool)
{
    assert_int_equal(filch_pool_destroy(pool), 0);
}

static struct filch_task *spawn(struct filch_pool *pool, void (*fn)(void *), void *arg)
{
    struct filch_task *task = NULL;
    xt_expect_equal(filch_pool_spawn(pool, &task, NULL, fn, arg), 0);
    return task;
}

static void add_one(void *argument)
{
    __atomic_fetch_add((uint64_t *)argument, 1, __ATOMIC_RELAXED);
}

static void set_plainly(void *argument)
{
    *(uint64_t *)argument = 42;
}

static void nap(void *argument)
{
    xt_sleep_ns(*(int64_t *)argument);
}

static void wait_for_flag(void *argument)
{
    while (!__atomic_load_n((uint32_t *)argument, __ATOMIC_ACQUIRE))
        xt_sleep_ns(100 * FILCH_US);
}

xt_define(null_handles)
{
    assert_int_equal(filch_task_join(NULL), EINVAL);
    assert_int_equal(filch_task_join_until(NULL, 0), EINVAL);
    assert_int_equal(filch_task_is_finished(NULL), 0);
    filch_task_detach(NULL);
}

xt_define(a_join_sees_what_the_task_did)
{
    struct filch_pool *pool = create(2);
    for (size_t i = 0; i < xt_scaled(20000); i++) {
        uint64_t value = 0; /* plain: the join has to order it */
        assert_int_equal(filch_task_join(spawn(pool, set_plainly, &value)), 0);
        assert_int_equal(value, 42);
    }
    destroy(pool);
}

xt_define(is_finished_orders_what_the_task_did)
{
    struct filch_pool *pool = create(2);
    uint64_t value = 0;
    struct filch_task *task = spawn(pool, set_plainly, &value);
    while (!filch_task_is_finished(task))
        xt_sleep_ns(FILCH_US);
    assert_int_equal(value, 42);
    assert_int_equal(filch_task_join_until(task, 0), 0);
    destroy(pool);
}

xt_define(a_deadline_leaves_the_handle)
{
    struct filch_pool *pool = create(1);
    uint32_t flag = 0;
    struct filch_task *task = spawn(pool, wait_for_flag, &flag);
    int64_t begin = xt_now_ns();
    assert_int_equal(filch_task_join_until(task, filch_deadline_in(10 * FILCH_MS)), ETIMEDOUT);
    assert_true(xt_now_ns() - begin >= 10 * FILCH_MS);
    assert_int_equal(filch_task_join_until(task, 0), ETIMEDOUT);
    assert_int_equal(filch_task_join_until(task, INT64_MIN), ETIMEDOUT);
    assert_int_equal(filch_task_is_finished(task), 0);
    __atomic_store_n(&flag, 1, __ATOMIC_RELEASE);
    assert_int_equal(filch_task_join_until(task, FILCH_FOREVER), 0);
    destroy(pool);
}

xt_define(detached_tasks_run)
{
    struct filch_pool *pool = create(2);
    uint64_t count = 0;
    uint32_t flag = 0;
    struct filch_task *blocker = spawn(pool, wait_for_flag, &flag);
    for (int i = 0; i < 1000; i++)
        filch_task_detach(spawn(pool, add_one, &count));
    __atomic_store_n(&flag, 1, __ATOMIC_RELEASE);
    filch_task_detach(blocker);
    destroy(pool);
    assert_int_equal(count, 1000);
}

/* --- joining inside --- */

struct joiner {
    struct filch_pool *pool;
    struct filch_task *self;
    uint32_t self_is_known;
    int result;
    uint64_t value;
    int64_t timeout_ns;
};

static void join_self(void *argument)
{
    struct joiner *j = argument;
    wait_for_flag(&j->self_is_known);
    j->result = filch_task_join_until(j->self, filch_deadline_in(FILCH_S));
}

xt_define(a_task_cannot_join_itself)
{
    struct filch_pool *pool = create(1);
    struct joiner j = {.pool = pool};
    j.self = spawn(pool, join_self, &j);
    __atomic_store_n(&j.self_is_known, 1, __ATOMIC_RELEASE);
    assert_int_equal(filch_task_join(j.self), 0);
    assert_int_equal(j.result, EDEADLK);
    destroy(pool);
}

static void join_later_one(void *argument)
{
    struct joiner *j = argument;
    struct filch_task *later = spawn(j->pool, set_plainly, &j->value);
    j->result = filch_task_join_until(later, filch_deadline_in(3600 * FILCH_S));
    xt_expect_equal(j->value, 42);
    xt_expect(filch_pool_current() == j->pool);
}

/* One worker: task A joins task B, which can only run on the same worker. */
xt_define(a_waiting_task_lets_its_worker_go_on)
{
    struct filch_pool *pool = create(1);
    struct joiner j = {.pool = pool, .result = -1};
    assert_int_equal(filch_task_join(spawn(pool, join_later_one, &j)), 0);
    assert_int_equal(j.result, 0);
    struct filch_pool_stats stats;
    assert_int_equal(filch_pool_stats(pool, &stats), 0);
    assert_true(stats.suspensions >= 1);
    destroy(pool);
}

static void join_given_one(void *argument)
{
    struct joiner *j = argument;
    wait_for_flag(&j->self_is_known);
    j->result = filch_task_join(j->self);
}

/* The same with B spawned from outside after A has started. */
xt_define(a_task_waits_for_one_that_is_spawned_later)
{
    struct filch_pool *pool = create(1);
    uint64_t value = 0;
    struct joiner j = {.pool = pool, .result = -1};
    struct filch_task *a = spawn(pool, join_given_one, &j);
    xt_sleep_ns(5 * FILCH_MS);
    j.self = spawn(pool, set_plainly, &value);
    __atomic_store_n(&j.self_is_known, 1, __ATOMIC_RELEASE);
    assert_int_equal(filch_task_join(a), 0);
    assert_int_equal(j.result, 0);
    assert_int_equal(value, 42);
    destroy(pool);
}

enum { CHAIN_LENGTH = 2000 };

struct link {
    struct filch_pool *pool;
    struct filch_task *next;
    size_t *woken;
    size_t rank;
};

static void join_next(void *argument)
{
    struct link *link = argument;
    size_t worker = filch_worker_index();
    if (link->next != NULL)
        xt_expect_equal(filch_task_join(link->next), 0);
    xt_expect_equal(filch_worker_index(), worker); /* a started task stays where it is */
    __atomic_fetch_add(link->woken, 1, __ATOMIC_RELAXED);
}

/* A chain of tasks, each waiting for the one before; the first is let go last. */
static void run_chain(size_t workers, size_t length)
{
    static struct link links[CHAIN_LENGTH];
    struct filch_pool *pool = create(workers);
    size_t woken = 0;
    uint32_t flag = 0;
    struct filch_task *before = spawn(pool, wait_for_flag, &flag);
    if (workers == 1) {
        /* The only worker must not be held by the flag. */
        __atomic_store_n(&flag, 1, __ATOMIC_RELEASE);
    }
    for (size_t i = 0; i < length; i++) {
        links[i] = (struct link){pool, before, &woken, i};
        before = spawn(pool, join_next, &links[i]);
    }
    __atomic_store_n(&flag, 1, __ATOMIC_RELEASE);
    assert_int_equal(filch_task_join(before), 0);
    assert_int_equal(woken, length);
    destroy(pool);
}

xt_define(chains_of_waiting_tasks)
{
    run_chain(1, xt_scaled(CHAIN_LENGTH));
    run_chain(2, xt_scaled(CHAIN_LENGTH));
    run_chain(3, xt_scaled(CHAIN_LENGTH));
}

struct tree {
    struct filch_pool *pool;
    unsigned depth;
    uint64_t leaves;
};

/* Spawns both children with handles and joins them: almost every task waits. */
static void join_tree(void *argument)
{
    struct tree *t = argument;
    if (t->depth == 0) {
        t->leaves = 1;
        return;
    }
    struct tree children[2] = {{t->pool, t->depth - 1, 0}, {t->pool, t->depth - 1, 0}};
    struct filch_task *tasks[2];
    for (int i = 0; i < 2; i++)
        tasks[i] = spawn(t->pool, join_tree, &children[i]);
    for (int i = 0; i < 2; i++)
        xt_expect_equal(filch_task_join(tasks[i]), 0);
    t->leaves = children[0].leaves + children[1].leaves;
}

xt_define(trees_of_waiting_tasks)
{
    static const size_t widths[] = {1, 2, 8};
    unsigned depth = XT_TSAN || XT_ASAN ? 6 : 11;
    for (size_t i = 0; i < 3; i++) {
        struct tree tree = {create(widths[i]), depth, 0};
        assert_int_equal(filch_task_join(spawn(tree.pool, join_tree, &tree)), 0);
        assert_int_equal(tree.leaves, UINT64_C(1) << depth);
        destroy(tree.pool);
    }
}

/* --- deadlines inside --- */

static void join_with_timeout(void *argument)
{
    struct joiner *j = argument;
    int64_t begin = xt_now_ns();
    j->result = filch_task_join_until(j->self, filch_deadline_in(j->timeout_ns));
    j->value = (uint64_t)(xt_now_ns() - begin);
}

xt_define(joins_inside_time_out)
{
    struct filch_pool *pool = create(2);
    uint32_t flag = 0;
    struct filch_task *target = spawn(pool, wait_for_flag, &flag);
    struct joiner j = {.pool = pool, .self = target, .timeout_ns = 20 * FILCH_MS};
    assert_int_equal(filch_task_join(spawn(pool, join_with_timeout, &j)), 0);
    assert_int_equal(j.result, ETIMEDOUT);
    assert_true(j.value >= 20 * FILCH_MS);
    assert_true(j.value < 5 * FILCH_S);
    j.timeout_ns = 0;
    assert_int_equal(filch_task_join(spawn(pool, join_with_timeout, &j)), 0);
    assert_int_equal(j.result, ETIMEDOUT);
    __atomic_store_n(&flag, 1, __ATOMIC_RELEASE);
    j.timeout_ns = 20 * FILCH_S;
    assert_int_equal(filch_task_join(spawn(pool, join_with_timeout, &j)), 0);
    assert_int_equal(j.result, 0);
    destroy(pool);
}

struct shared_handle {
    struct filch_pool *pool;
    struct filch_task *task;
    uint32_t began; /* of the task; with it, the handle is known */
    int result;
};

static void run_until_cancelled(void *argument)
{
    struct shared_handle *h = argument;
    __atomic_store_n(&h->began, 1, __ATOMIC_RELEASE);
    while (filch_canceled() == 0)
        xt_sleep_ns(FILCH_US);
}

static void join_what_it_spawns(void *argument)
{
    struct shared_handle *h = argument;
    h->task = spawn(h->pool, run_until_cancelled, h);
    h->result = filch_task_join(h->task);
}

/* The task that joins the other one runs it itself; its handle is good for everybody until then. */
xt_define(others_use_the_handle_of_a_task_that_its_joiner_runs)
{
    struct filch_pool *pool = create(1);
    for (int i = 0; i < 50; i++) {
        struct shared_handle h = {.pool = pool, .result = -1};
        struct filch_task *joiner = spawn(pool, join_what_it_spawns, &h);
        wait_for_flag(&h.began);
        assert_int_equal(filch_task_is_finished(h.task), 0);
        assert_int_equal(filch_task_join_until(h.task, filch_deadline_in(10 * FILCH_US)),
                         ETIMEDOUT);
        assert_int_equal(filch_task_join_until(h.task, 0), ETIMEDOUT);
        assert_int_equal(filch_task_cancel(h.task), 0);
        assert_int_equal(filch_task_join(joiner), 0);
        assert_int_equal(h.result, 0);
    }
    struct filch_pool_stats stats;
    assert_int_equal(filch_pool_stats(pool, &stats), 0);
    assert_int_equal(stats.suspensions, 0); /* it did not wait for it */
    destroy(pool);
}

/* The worker of the waiting tasks is busy with other tasks when their deadlines come. */
xt_define(deadlines_are_kept_by_a_busy_worker)
{
    enum { WAITERS = 20 };
    struct filch_pool *pool = create(2);
    uint32_t flag = 0;
    uint64_t count = 0;
    struct filch_task *target = spawn(pool, wait_for_flag, &flag);
    struct joiner joiners[WAITERS];
    struct filch_task *tasks[WAITERS];
    for (size_t i = 0; i < WAITERS; i++) {
        joiners[i] = (struct joiner){.self = target, .result = -1};
        joiners[i].timeout_ns = (int64_t)(WAITERS - i) * FILCH_MS;
        tasks[i] = spawn(pool, join_with_timeout, &joiners[i]);
    }
    int64_t end = xt_now_ns() + 50 * FILCH_MS;
    while (xt_now_ns() < end)
        filch_task_detach(spawn(pool, add_one, &count));
    for (size_t i = 0; i < WAITERS; i++) {
        assert_int_equal(filch_task_join(tasks[i]), 0);
        assert_int_equal(joiners[i].result, ETIMEDOUT);
        assert_true(joiners[i].value >= (uint64_t)joiners[i].timeout_ns);
        assert_true(joiners[i].value < 10 * (uint64_t)FILCH_S);
    }
    __atomic_store_n(&flag, 1, __ATOMIC_RELEASE);
    assert_int_equal(filch_task_join(target), 0);
    destroy(pool);
}

struct racer {
    struct filch_pool *pool;
    int64_t nap_ns;
    int64_t timeout_ns;
    uint64_t *timeouts;
};

static void race_deadline(void *argument)
{
    struct racer *r = argument;
    struct filch_task *task = spawn(r->pool, nap, &r->nap_ns);
    int error = filch_task_join_until(task, filch_deadline_in(r->timeout_ns));
    if (error == ETIMEDOUT) {
        __atomic_fetch_add(r->timeouts, 1, __ATOMIC_RELAXED);
        error = filch_task_join(task);
    }
    xt_expect_equal(error, 0);
}

/* Deadlines and ends of tasks as close together as they can be made. */
xt_define(deadlines_race_with_ends)
{
    enum { AT_ONCE = 8 };
    static const size_t widths[] = {1, 2, 3};
    uint64_t seed = xt_seed();
    for (size_t k = 0; k < 3; k++) {
        struct filch_pool *pool = create(widths[k]);
        uint64_t timeouts = 0;
        for (size_t i = 0; i < xt_scaled(1000); i++) {
            struct racer racers[AT_ONCE];
            struct filch_task *tasks[AT_ONCE];
            for (size_t r = 0; r < AT_ONCE; r++) {
                racers[r] = (struct racer){pool, 0, 0, &timeouts};
                racers[r].nap_ns = (int64_t)(xt_random(&seed) % 30000);
                racers[r].timeout_ns = (int64_t)(xt_random(&seed) % 300000);
                tasks[r] = spawn(pool, race_deadline, &racers[r]);
            }
            for (size_t r = 0; r < AT_ONCE; r++)
                assert_int_equal(filch_task_join(tasks[r]), 0);
        }
        destroy(pool);
    }
}

/* --- what a task finds --- */

static void change_ambient(void *argument)
{
    struct joiner *j = argument;
    errno = ERANGE;
    if (fesetround(FE_DOWNWARD) != 0)
        j->value = 1;
    int64_t short_nap = FILCH_MS;
    struct filch_task *task = spawn(j->pool, nap, &short_nap);
    xt_expect_equal(filch_task_join(task), 0);
    xt_expect_equal(errno, ERANGE);
    xt_expect_equal(fegetround(), FE_DOWNWARD);
    (void)fesetround(FE_TONEAREST);
}

static void other_ambient(void *argument)
{
    (void)argument;
    xt_expect_equal(fegetround(), FE_TONEAREST);
    errno = EDOM;
}

/* errno and the rounding mode are a task's own across every wait. */
xt_define(errno_and_rounding_survive_a_wait)
{
    struct filch_pool *pool = create(1);
    struct joiner j = {.pool = pool};
    struct filch_task *first = spawn(pool, change_ambient, &j);
    for (int i = 0; i < 50; i++)
        filch_task_detach(spawn(pool, other_ambient, NULL));
    assert_int_equal(filch_task_join(first), 0);
    destroy(pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        xt_test(null_handles),
        xt_test(a_join_sees_what_the_task_did),
        xt_test(is_finished_orders_what_the_task_did),
        xt_test(a_deadline_leaves_the_handle),
        xt_test(detached_tasks_run),
        xt_test(a_task_cannot_join_itself),
        xt_test(a_waiting_task_lets_its_worker_go_on),
        xt_test(a_task_waits_for_one_that_is_spawned_later),
        xt_test(chains_of_waiting_tasks),
        xt_test(trees_of_waiting_tasks),
        xt_test(joins_inside_time_out),
        xt_test(others_use_the_handle_of_a_task_that_its_joiner_runs),
        xt_test(deadlines_are_kept_by_a_busy_worker),
        xt_test(deadlines_race_with_ends),
        xt_test(errno_and_rounding_survive_a_wait),
    };
    return xt_run(tests);
}
