/* SPDX-License-Identifier: Apache-2.0 */
/* Tasks that may go on with another worker, and those that may not. */
#include "test.h"

#include <errno.h>
#include <fenv.h>
#include <filch/filch.h>
#include <string.h>

static struct filch_pool *create(size_t workers, int tasks_may_migrate)
{
    struct filch_pool *pool = NULL;
    struct filch_pool_config config = {
        .name = "mig", .workers = workers, .tasks_may_migrate = tasks_may_migrate};
    assert_int_equal(filch_pool_create(&pool, &config), 0);
    return pool;
}

static void destroy(struct filch_pool *pool)
{
    assert_int_equal(filch_pool_destroy(pool), 0);
}

static const struct filch_task_attr roaming = {.may_migrate = 1};

static struct filch_pool_stats stats_of(struct filch_pool *pool)
{
    struct filch_pool_stats stats;
    assert_int_equal(filch_pool_stats(pool, &stats), 0);
    return stats;
}

static uint64_t migrations_of(struct filch_pool *pool)
{
    return stats_of(pool).migrations;
}

/* --- tasks that are begun on one worker while the other is held, and go on when that is free --- */

enum { TASKS = 64 };

struct crowd {
    struct filch_pool *pool;
    const struct filch_task_attr *attr;
    void (*wait)(struct crowd *);
    struct filch_semaphore sem;
    struct filch_mutex mutex;
    struct filch_condvar changed;
    struct filch_sender *tx;
    struct filch_receiver *rx;
    int is_so; /* under the mutex */
    uint32_t begun, ended, moved;
    uint32_t is_held, is_free;
    size_t starter;
    struct filch_thread *thread; /* of the starter */
    struct filch_task *tasks[TASKS];
};

static void hold_worker(void *arg)
{
    struct crowd *c = arg;
    __atomic_store_n(&c->is_held, 1, __ATOMIC_RELEASE);
    while (!__atomic_load_n(&c->is_free, __ATOMIC_ACQUIRE))
        xt_sleep_ns(50 * FILCH_US);
}

/* Keeps its worker busy for a moment, so that there is something for the others to take. */
static void be_busy(void)
{
    int64_t end = xt_now_ns() + 200 * FILCH_US;
    while (xt_now_ns() < end) {
    }
}

static void one_of_crowd(void *arg)
{
    struct crowd *c = arg;
    size_t index = filch_worker_index();
    xt_expect_equal(index, c->starter);
    __atomic_fetch_add(&c->begun, 1, __ATOMIC_ACQ_REL);
    c->wait(c);
    be_busy();
    if (filch_worker_index() != index)
        __atomic_fetch_add(&c->moved, 1, __ATOMIC_RELAXED);
    __atomic_fetch_add(&c->ended, 1, __ATOMIC_ACQ_REL);
}

static void begin_crowd(void *arg)
{
    struct crowd *c = arg;
    struct filch_task *holder = NULL;
    c->starter = filch_worker_index();
    c->thread = filch_thread_current();
    xt_expect_equal(filch_pool_spawn(c->pool, &holder, NULL, hold_worker, c), 0);
    while (!__atomic_load_n(&c->is_held, __ATOMIC_ACQUIRE)) {
    } /* stolen: by the other one, since this one is here */
    for (int i = 0; i < TASKS; i++)
        xt_expect_equal(filch_pool_spawn(c->pool, &c->tasks[i], c->attr, one_of_crowd, c), 0);
    while (__atomic_load_n(&c->begun, __ATOMIC_ACQUIRE) < TASKS)
        filch_sleep_ns(FILCH_MS); /* they begin here */
    __atomic_store_n(&c->is_free, 1, __ATOMIC_RELEASE);
    xt_expect_equal(filch_task_join(holder), 0);
    filch_semaphore_release(&c->sem, TASKS);
    for (int i = 0, value = 7; i < TASKS && c->tx != NULL; i++)
        xt_expect_equal(filch_send(c->tx, &value), 0);
    xt_expect_equal(filch_mutex_lock(&c->mutex), 0);
    c->is_so = 1;
    filch_condvar_notify_all(&c->changed);
    filch_mutex_unlock(&c->mutex);
    filch_thread_unpark(c->thread);
    for (int i = 0; i < TASKS; i++)
        xt_expect_equal(filch_task_join(c->tasks[i]), 0);
}

static void plain_wait(struct crowd *c)
{
    xt_expect_equal(filch_semaphore_acquire(&c->sem), 0);
}

static uint32_t moved_of_crowd(const struct filch_task_attr *attr, int tasks_may_migrate,
                               void (*wait)(struct crowd *))
{
    struct crowd c = {.attr = attr, .wait = wait};
    c.pool = create(2, tasks_may_migrate);
    assert_int_equal(filch_channel_create(&c.tx, &c.rx, sizeof(int), FILCH_UNBOUNDED), 0);
    assert_int_equal(filch_pool_install(c.pool, begin_crowd, &c), 0);
    assert_int_equal(c.ended, TASKS);
    assert_int_equal(migrations_of(c.pool) > 0, c.moved > 0);
    /* With the one that spawns and the one that holds the worker; one that goes on has begun before. */
    if (wait == plain_wait) /* others begin tasks of their own */
        assert_int_equal(stats_of(c.pool).tasks, TASKS + 2);
    filch_sender_drop(c.tx);
    filch_receiver_drop(c.rx);
    destroy(c.pool);
    return c.moved;
}

/* Whether any of them moves; on a machine that is busy with others, not at the first attempt. */
static bool moves(const struct filch_task_attr *attr, int tasks_may_migrate,
                  void (*wait)(struct crowd *))
{
    for (int i = 0; i < (xt_has_migration() ? 50 : 1); i++) {
        if (moved_of_crowd(attr, tasks_may_migrate, wait) > 0)
            return true;
    }
    return false;
}

xt_define(by_default_a_task_stays)
{
    assert_int_equal(moved_of_crowd(NULL, 0, plain_wait), 0);
    static const struct filch_task_attr named = {.name = "stays"};
    assert_int_equal(moved_of_crowd(&named, 0, plain_wait), 0);
}

xt_define(a_task_that_may_moves)
{
    assert_int_equal(moves(&roaming, 0, plain_wait), xt_has_migration());
}

xt_define(in_a_pool_that_lets_them_all_may)
{
    assert_int_equal(moves(NULL, 1, plain_wait), xt_has_migration());
}

/* --- each way to wait --- */

static void wait_until(struct crowd *c)
{
    xt_expect_equal(filch_semaphore_acquire_until(&c->sem, filch_deadline_in(3600 * FILCH_S)), 0);
}

static void wait_body(size_t begin, size_t end, void *ctx)
{
    (void)begin;
    (void)end;
    plain_wait(ctx);
}

static void wait_in_loop(struct crowd *c)
{
    for (int i = 0; i < 3; i++) {
        if (i > 0)
            filch_semaphore_release(&c->sem, 1);
        xt_expect_equal(filch_for(0, 1, wait_body, c), 0);
    }
}

static void wait_to_own_scope(struct crowd *c)
{
    FILCH_SCOPE (s) {
        (void)s;
        plain_wait(c);
    }
}

static void wait_for_channel(struct crowd *c)
{
    int value = 0;
    xt_expect_equal(filch_recv(c->rx, &value), 0);
    xt_expect_equal(value, 7);
}

static void wait_for_condition(struct crowd *c)
{
    xt_expect_equal(filch_mutex_lock(&c->mutex), 0);
    while (!c->is_so)
        xt_expect_equal(filch_condvar_wait(&c->changed, &c->mutex), 0);
    filch_mutex_unlock(&c->mutex);
}

static void wait_for_time(struct crowd *c)
{
    plain_wait(c);
    filch_sleep_ns(FILCH_MS);
}

xt_define(each_wait_may_move_it)
{
    static void (*const waits[])(struct crowd *) = {wait_until,         wait_in_loop,
                                                    wait_to_own_scope,  wait_for_channel,
                                                    wait_for_condition, wait_for_time};
    for (size_t i = 0; i < sizeof waits / sizeof waits[0]; i++)
        assert_int_equal(moves(&roaming, 0, waits[i]), xt_has_migration());
}

/* --- where even these stay --- */

static int leaf(int value)
{
    return value;
}

FILCH_FORKABLE(int, leaf, int)

static void wait_with_open_fork(struct crowd *c)
{
    FILCH_FORK(forked, leaf, 3);
    plain_wait(c);
    xt_expect_equal(FILCH_SYNC(forked, leaf), 3);
}

static void wait_as_child(void *arg)
{
    plain_wait(arg);
}

/* The children run on top of the one that ends the scope: its own frames have agreed, theirs have not. */
static void wait_in_child(struct crowd *c)
{
    FILCH_SCOPE (s)
        xt_expect_equal(filch_scope_spawn(s, wait_as_child, c), 0);
}

/* The same where the one below waits for the child's handle. */
static void wait_in_joined(struct crowd *c)
{
    struct filch_task *task = NULL;
    xt_expect_equal(filch_pool_spawn(c->pool, &task, NULL, wait_as_child, c), 0);
    xt_expect_equal(filch_task_join(task), 0);
}

static __thread struct crowd *starting;
static __thread int started;

static void local_start(void *value)
{
    plain_wait(starting);
    *(int *)value = ++started;
}

static FILCH_LOCAL(int, local, local_start, NULL);

__attribute__((noinline)) static void start_local(struct crowd *c)
{
    starting = c;
    xt_expect_equal(*FILCH_LOCAL_GET(local), 1);
}

/* Only the first of them finds it not started; it is used on this worker only. */
static void wait_in_local(struct crowd *c)
{
    if (__atomic_exchange_n(&c->is_so, 1, __ATOMIC_RELAXED) == 0)
        start_local(c);
    else
        wait_with_open_fork(c);
}

/* The token is the worker's: all that are parked there get it. */
static void wait_for_token(struct crowd *c)
{
    struct filch_thread *here = filch_thread_current();
    while (!__atomic_load_n(&c->is_free, __ATOMIC_ACQUIRE))
        filch_thread_park();
    filch_thread_unpark(here);
    wait_with_open_fork(c);
}

xt_define(some_waits_keep_their_worker)
{
    assert_int_equal(moved_of_crowd(&roaming, 0, wait_with_open_fork), 0);
    assert_int_equal(moved_of_crowd(&roaming, 0, wait_in_child), 0);
    assert_int_equal(moved_of_crowd(&roaming, 0, wait_in_joined), 0);
    assert_int_equal(moved_of_crowd(&roaming, 0, wait_in_local), 0);
    assert_int_equal(moved_of_crowd(&roaming, 0, wait_for_token), 0);
}

/* --- what a task takes along --- */

__attribute__((noinline)) static int errno_here(void)
{
    return errno;
}

__attribute__((noinline)) static void set_errno_here(int value)
{
    errno = value;
}

static void wait_with_everything(struct crowd *c)
{
    struct filch_mutex own = FILCH_MUTEX_INIT;
    int rounding = fegetround();
    struct filch_pool *pool = filch_pool_current();
    fesetround(FE_UPWARD);
    set_errno_here(EXDEV);
    xt_expect_equal(filch_mutex_lock(&own), 0);
    plain_wait(c);
    xt_expect_equal(errno_here(), EXDEV);
    xt_expect_equal(fegetround(), FE_UPWARD);
    xt_expect_equal(filch_mutex_lock(&own), EDEADLK); /* still the same owner */
    filch_mutex_unlock(&own);
    xt_expect(filch_pool_current() == pool);
    fesetround(rounding);
    xt_expect_equal(filch_mutex_lock(&c->mutex), 0);
    filch_mutex_unlock(&c->mutex);
    int64_t sum = 0;
    FILCH_SCOPE (s)
        xt_expect_equal(filch_scope_spawn(s, wait_as_child, c), 0);
    for (int i = 0; i < 3; i++) {
        FILCH_FORK(forked, leaf, i);
        sum += leaf(i);
        sum += FILCH_SYNC(forked, leaf);
    }
    xt_expect_equal(sum, 6);
}

xt_define(it_takes_along_what_is_its_own)
{
    struct filch_pool *pool = create(2, 0);
    for (int round = 0; round < 5; round++) {
        struct crowd again = {.attr = &roaming, .wait = wait_with_everything, .pool = pool};
        struct filch_task *task = NULL;
        assert_int_equal(filch_pool_spawn(pool, &task, NULL, begin_crowd, &again), 0);
        while (!__atomic_load_n(&again.is_free, __ATOMIC_ACQUIRE))
            xt_sleep_ns(100 * FILCH_US);
        filch_semaphore_release(&again.sem, TASKS);
        assert_int_equal(filch_task_join(task), 0);
        assert_int_equal(again.ended, TASKS);
    }
    destroy(pool);
}

static void panic_after_wait(struct crowd *c)
{
    plain_wait(c);
    filch_panic("after the wait");
}

static void catch_own_panic(void *arg)
{
    panic_after_wait(arg);
}

static void wait_and_catch(struct crowd *c)
{
    struct filch_panic *panic = NULL;
    xt_expect_equal(filch_catch_unwind(catch_own_panic, c, &panic), EOWNERDEAD);
    xt_expect(panic != NULL && strcmp(filch_panic_message(panic), "after the wait") == 0);
    filch_panic_free(panic);
}

static void say_nothing(const struct filch_panic *panic)
{
    (void)panic;
}

xt_define(a_panic_after_a_move_is_caught)
{
    filch_panic_hook *before = filch_panic_set_hook(say_nothing);
    assert_int_equal(moves(&roaming, 0, wait_and_catch), xt_has_migration());
    filch_panic_set_hook(before);
}

static void wait_then_panic(void *arg)
{
    struct crowd *c = arg;
    plain_wait(c);
    filch_panic("nobody catches it");
}

xt_define(a_panic_after_a_move_is_joined)
{
    filch_panic_hook *before = filch_panic_set_hook(say_nothing);
    for (int may = 0; may < 2; may++) {
        struct filch_pool *pool = create(3, may);
        struct crowd c = {.pool = pool};
        for (int i = 0; i < TASKS; i++)
            assert_int_equal(filch_pool_spawn(pool, &c.tasks[i], &roaming, wait_then_panic, &c), 0);
        filch_semaphore_release(&c.sem, TASKS);
        for (int i = 0; i < TASKS; i++)
            assert_int_equal(filch_task_join(c.tasks[i]), EOWNERDEAD);
        destroy(pool);
    }
    filch_panic_set_hook(before);
}

/* --- a worker that is busy for long keeps nobody --- */

struct busy {
    struct filch_semaphore sem;
    struct filch_semaphore started;
    size_t index;
    struct filch_task *task;
    int is_there; /* the busy task has come to the worker of the one that waits */
    uint32_t is_done;
};

/* Takes the worker of the one that waits until that one has gone on, elsewhere. */
static void be_busy_there(void *arg)
{
    struct busy *b = arg;
    b->is_there = filch_worker_index() == b->index;
    filch_semaphore_release(&b->started, 1);
    while (b->is_there && !__atomic_load_n(&b->is_done, __ATOMIC_ACQUIRE))
        xt_sleep_ns(50 * FILCH_US);
}

static void wait_beside_busy(void *arg)
{
    struct busy *b = arg;
    b->index = filch_worker_index();
    xt_expect_equal(filch_pool_spawn(filch_pool_current(), &b->task, NULL, be_busy_there, b), 0);
    xt_expect_equal(filch_semaphore_acquire(&b->sem), 0);
    if (b->is_there)
        xt_expect(filch_worker_index() != b->index);
    __atomic_store_n(&b->is_done, 1, __ATOMIC_RELEASE);
}

xt_define(busy_worker_keeps_nobody)
{
    if (!xt_has_migration())
        skip();
    struct filch_pool *pool = create(2, 1);
    int rounds = 0;
    for (int done = 0; done < 5 && rounds < 10000; rounds++) {
        struct busy b = {.is_done = 0};
        struct filch_task *task = NULL;
        assert_int_equal(filch_pool_spawn(pool, &task, NULL, wait_beside_busy, &b), 0);
        assert_int_equal(filch_semaphore_acquire(&b.started), 0);
        done += b.is_there; /* else a thief has it */
        filch_semaphore_release(&b.sem, 1);
        assert_int_equal(filch_task_join(task), 0);
        assert_int_equal(filch_task_join(b.task), 0);
        xt_sleep_ns(rounds % 8 * 20 * FILCH_US);
    }
    assert_true(migrations_of(pool) >= 5);
    destroy(pool);
}

/* --- tasks that begin on one worker and end on another one --- */

struct flow {
    struct filch_semaphore sem;
    struct filch_semaphore ended;
};

static void flow_by(void *arg)
{
    struct flow *f = arg;
    xt_expect_equal(filch_semaphore_acquire(&f->sem), 0);
    filch_semaphore_release(&f->ended, 1);
}

/* Begins them, lets them go, and is busy until they have ended; itself it stays. */
static void flow_from_here(void *arg)
{
    struct flow *f = arg;
    enum { AT_ONCE = 8, ROUNDS_MAX = 2000, ENOUGH = 1000 };
    struct filch_pool_stats stats = {0};
    for (size_t round = 0; round < xt_scaled(ROUNDS_MAX) && stats.migrations < ENOUGH; round++) {
        for (int i = 0; i < AT_ONCE; i++)
            xt_expect_equal(filch_pool_spawn(filch_pool_current(), NULL, &roaming, flow_by, f), 0);
        filch_sleep_ns(FILCH_US);
        filch_semaphore_release(&f->sem, AT_ONCE);
        int64_t end = xt_now_ns() + FILCH_MS;
        for (int left = AT_ONCE; left > 0;) {
            if (filch_semaphore_try_acquire(&f->ended) == 0)
                left--;
            else if (xt_now_ns() > end)
                filch_sleep_ns(FILCH_US); /* nobody has come for them: here, then */
        }
        xt_expect_equal(filch_pool_stats(filch_pool_current(), &stats), 0);
    }
}

xt_define(stacks_do_not_pile_up)
{
    struct filch_pool *pool = create(2, 0);
    struct flow f = {.sem = FILCH_SEMAPHORE_INIT(0), .ended = FILCH_SEMAPHORE_INIT(0)};
    assert_int_equal(filch_pool_install(pool, flow_from_here, &f), 0);
    struct filch_pool_stats stats;
    assert_int_equal(filch_pool_stats(pool, &stats), 0);
    assert_true(stats.stacks_max <= 2 * 80 + 4 * 8);
    destroy(pool);
}

/* --- deadlines and cancellation --- */

struct late {
    struct filch_pool *pool;
    struct filch_semaphore never;
    struct filch_semaphore begun;
    uint32_t timed_out, canceled;
};

static void wait_in_vain(void *arg)
{
    struct late *l = arg;
    int64_t deadline = filch_deadline_in(2 * FILCH_MS);
    xt_expect_equal(filch_semaphore_acquire_until(&l->never, deadline), ETIMEDOUT);
    xt_expect(xt_now_ns() >= deadline);
    __atomic_fetch_add(&l->timed_out, 1, __ATOMIC_RELAXED);
    filch_semaphore_release(&l->begun, 1);
    int error = filch_semaphore_acquire_until(&l->never, filch_deadline_in(3600 * FILCH_S));
    xt_expect_equal(error, ECANCELED);
    xt_expect_equal(filch_semaphore_acquire(&l->never), ECANCELED);
    __atomic_fetch_add(&l->canceled, 1, __ATOMIC_RELAXED);
}

xt_define(deadlines_and_cancels)
{
    for (int may = 0; may < 2; may++) {
        struct filch_task *tasks[TASKS];
        struct late l = {.pool = create(3, may)};
        for (int i = 0; i < TASKS; i++)
            assert_int_equal(filch_pool_spawn(l.pool, &tasks[i], &roaming, wait_in_vain, &l), 0);
        for (int i = 0; i < TASKS; i++)
            assert_int_equal(filch_semaphore_acquire(&l.begun), 0);
        for (int i = 0; i < TASKS / 2; i++)
            assert_int_equal(filch_task_cancel(tasks[i]), 0);
        for (int i = 0; i < TASKS / 2; i++)
            assert_int_equal(filch_task_join(tasks[i]), 0);
        assert_int_equal(filch_pool_shutdown(l.pool, FILCH_CANCEL, FILCH_FOREVER), 0);
        for (int i = TASKS / 2; i < TASKS; i++)
            assert_int_equal(filch_task_join(tasks[i]), 0);
        assert_int_equal(l.timed_out, TASKS);
        assert_int_equal(l.canceled, TASKS);
        destroy(l.pool);
    }
}

/* Each of many deadlines in one worker has its turn, though nothing else happens there. */
struct turns {
    struct filch_semaphore never;
    int64_t begin_ns;
    uint32_t next, late;
};

static void wait_for_turn(void *arg)
{
    struct turns *t = arg;
    uint32_t turn = __atomic_fetch_add(&t->next, 1, __ATOMIC_RELAXED);
    /* The last to begin is the first to go on. */
    int64_t deadline = t->begin_ns + (TASKS - (int64_t)turn) * 2 * FILCH_MS;
    xt_expect_equal(filch_semaphore_acquire_until(&t->never, deadline), ETIMEDOUT);
    xt_expect(xt_now_ns() >= deadline);
    __atomic_fetch_add(&t->late, 1, __ATOMIC_RELAXED);
}

xt_define(each_deadline_has_its_turn)
{
    for (size_t workers = 1; workers <= 2; workers++) {
        struct filch_task *tasks[TASKS];
        struct filch_pool *pool = create(workers, 0);
        struct turns t = {.begin_ns = xt_now_ns()};
        for (int i = 0; i < TASKS; i++)
            assert_int_equal(filch_pool_spawn(pool, &tasks[i], &roaming, wait_for_turn, &t), 0);
        for (int i = 0; i < TASKS; i++)
            assert_int_equal(filch_task_join(tasks[i]), 0);
        assert_int_equal(t.late, TASKS);
        destroy(pool);
    }
}

/* A scope's time is set while its tasks wait already, for later than that or for ever. */
struct hurried {
    struct filch_semaphore never;
    struct filch_semaphore begun;
    int64_t deadline;
    uint32_t late;
};

static void wait_for_too_long(void *arg)
{
    struct hurried *h = arg;
    filch_semaphore_release(&h->begun, 1);
    xt_expect_equal(filch_semaphore_acquire_until(&h->never, FILCH_FOREVER), ETIMEDOUT);
    xt_expect(xt_now_ns() >= h->deadline);
    int64_t later = filch_deadline_in(3600 * FILCH_S);
    xt_expect_equal(filch_semaphore_acquire_until(&h->never, later), ETIMEDOUT);
    __atomic_fetch_add(&h->late, 1, __ATOMIC_RELAXED);
}

static void set_time_late(void *arg)
{
    struct hurried *h = arg;
    FILCH_SCOPE (s) {
        for (int i = 0; i < TASKS; i++)
            xt_expect_equal(filch_scope_spawn(s, wait_for_too_long, h), 0);
        for (int i = 0; i < TASKS; i++)
            xt_expect_equal(filch_semaphore_acquire(&h->begun), 0);
        xt_expect_equal(filch_sleep_ns(2 * FILCH_MS), 0);
        h->deadline = filch_deadline_in(5 * FILCH_MS);
        xt_expect_equal(filch_scope_set_deadline(s, h->deadline), 0);
    }
    xt_expect_equal(h->late, TASKS);
}

xt_define(a_deadline_that_is_set_later_ends_waits)
{
    for (size_t workers = 1; workers <= 3; workers++) {
        struct filch_pool *pool = create(workers, 1);
        struct hurried h = {.late = 0};
        assert_int_equal(filch_pool_install(pool, set_time_late, &h), 0);
        destroy(pool);
    }
}

/* --- two that wake each other for ever let a third one run --- */

struct pair {
    struct filch_semaphore sems[2];
    uint32_t is_over;
};

static void wake_each_other(struct pair *p, int mine)
{
    while (!__atomic_load_n(&p->is_over, __ATOMIC_RELAXED)) {
        xt_expect_equal(filch_semaphore_acquire(&p->sems[mine]), 0);
        filch_semaphore_release(&p->sems[!mine], 1);
    }
    filch_semaphore_release(&p->sems[!mine], 1);
}

static void be_first(void *arg)
{
    wake_each_other(arg, 0);
}

static void be_second(void *arg)
{
    wake_each_other(arg, 1);
}

static void be_third(void *arg)
{
    struct pair *p = arg;
    __atomic_store_n(&p->is_over, 1, __ATOMIC_RELAXED);
}

static void begin_pair(void *arg)
{
    /* The third one lies oldest in the deque. */
    xt_expect_equal(filch_pool_spawn(filch_pool_current(), NULL, NULL, be_third, arg), 0);
    xt_expect_equal(filch_pool_spawn(filch_pool_current(), NULL, NULL, be_first, arg), 0);
    xt_expect_equal(filch_pool_spawn(filch_pool_current(), NULL, NULL, be_second, arg), 0);
}

xt_define(nobody_starves)
{
    for (int may = 0; may < 2; may++) {
        struct filch_pool *pool = create(1, may);
        struct pair p = {.is_over = 0};
        filch_semaphore_release(&p.sems[0], 1);
        assert_int_equal(filch_pool_install(pool, begin_pair, &p), 0);
        destroy(pool);
        assert_int_equal(p.is_over, 1);
    }
}

/* --- panics of tasks without a handle --- */

static void spawn_panicking(void *arg)
{
    FILCH_SCOPE (s) {
        for (int i = 0; i < TASKS; i++)
            xt_expect_equal(filch_scope_spawn(s, wait_then_panic, arg), 0);
    }
}

struct panicking {
    struct filch_pool *pool;
    struct crowd c;
};

static void install_panicking(void *arg)
{
    struct panicking *p = arg;
    xt_expect_equal(filch_pool_install(p->pool, spawn_panicking, &p->c), 0);
}

static void *release_slowly(void *arg)
{
    struct crowd *c = arg;
    for (int i = 0; i < TASKS; i++) {
        xt_sleep_ns(20 * FILCH_US);
        filch_semaphore_release(&c->sem, 1);
    }
    return NULL;
}

xt_define(a_scope_gets_the_panics_of_those_that_moved)
{
    filch_panic_hook *before = filch_panic_set_hook(say_nothing);
    struct filch_pool *pool = create(3, 1);
    for (int round = 0; round < 20; round++) {
        struct panicking p = {.pool = pool};
        struct filch_panic *panic = NULL;
        struct filch_thread *thread = NULL;
        assert_int_equal(filch_thread_spawn(&thread, NULL, release_slowly, &p.c), 0);
        assert_int_equal(filch_catch_unwind(install_panicking, &p, &panic), EOWNERDEAD);
        assert_string_equal(filch_panic_message(panic), "nobody catches it");
        assert_int_equal(filch_panic_others(panic), TASKS - 1);
        filch_panic_free(panic);
        assert_int_equal(filch_thread_join(thread, NULL, NULL), 0);
    }
    destroy(pool);
    filch_panic_set_hook(before);
}

/* --- many, for long --- */

struct relay {
    struct filch_semaphore *sems;
    size_t count;
    uint64_t laps;
    uint64_t sum;
};

struct runner {
    struct relay *relay;
    size_t number;
};

static void run_relay(void *arg)
{
    struct runner *r = arg;
    struct relay *relay = r->relay;
    for (uint64_t i = 0; i < relay->laps; i++) {
        xt_expect_equal(filch_semaphore_acquire(&relay->sems[r->number]), 0);
        relay->sum++; /* plain: the semaphores order it */
        filch_semaphore_release(&relay->sems[(r->number + 1) % relay->count], 1);
    }
}

enum { RUNNERS = 8, RELAYS = 12 };

/* Several tokens go round at once, from task to task, and every hand-over may change the worker. */
static void race(size_t workers, int tasks_may_migrate)
{
    struct filch_pool *pool = create(workers, tasks_may_migrate);
    static struct filch_semaphore sems[RELAYS][RUNNERS];
    static struct relay relays[RELAYS];
    static struct runner runners[RELAYS][RUNNERS];
    static struct filch_task *tasks[RELAYS][RUNNERS];
    memset(sems, 0, sizeof sems);
    for (size_t i = 0; i < RELAYS; i++) {
        relays[i] = (struct relay){.sems = sems[i], .count = RUNNERS, .laps = xt_scaled(400)};
        for (size_t k = 0; k < RUNNERS; k++) {
            runners[i][k] = (struct runner){&relays[i], k};
            assert_int_equal(
                filch_pool_spawn(pool, &tasks[i][k], &roaming, run_relay, &runners[i][k]), 0);
        }
    }
    for (size_t i = 0; i < RELAYS; i++)
        filch_semaphore_release(&sems[i][i % RUNNERS], 1);
    for (size_t i = 0; i < RELAYS; i++) {
        for (size_t k = 0; k < RUNNERS; k++)
            assert_int_equal(filch_task_join(tasks[i][k]), 0);
        assert_int_equal(relays[i].sum, RUNNERS * xt_scaled(400));
    }
    struct filch_pool_stats stats;
    assert_int_equal(filch_pool_stats(pool, &stats), 0);
    /* Stacks travel, and come back to those that need them. */
    assert_true(stats.stacks_max <= 2 * RELAYS * RUNNERS * workers);
    destroy(pool);
}

xt_define(relays)
{
    for (size_t workers = 1; workers <= 8; workers *= 2) {
        race(workers, 0);
        race(workers, 1);
    }
}

/* Wake-ups from outside, while the pool is about to end. */
static void wait_once(void *arg)
{
    struct crowd *c = arg;
    plain_wait(c);
    __atomic_fetch_add(&c->ended, 1, __ATOMIC_RELAXED);
}

xt_define(woken_from_outside_to_the_end)
{
    for (size_t i = 0; i < xt_scaled(100); i++) {
        struct filch_pool *pool = create(3, 1);
        struct crowd c = {.pool = pool};
        for (int k = 0; k < TASKS; k++)
            assert_int_equal(filch_pool_spawn(pool, NULL, NULL, wait_once, &c), 0);
        for (int k = 0; k < TASKS; k++)
            filch_semaphore_release(&c.sem, 1);
        destroy(pool);
        assert_int_equal(c.ended, TASKS);
    }
}

/* The drop function of a panic that nobody takes waits, where no task is left below it. */
static void wait_in_drop(void *arg)
{
    wait_once(arg);
}

static void panic_with_crowd(void *arg)
{
    filch_panic_any(arg, "crowd", wait_in_drop);
}

xt_define(the_drop_of_a_panic_may_move)
{
    filch_panic_hook *before = filch_panic_set_hook(say_nothing);
    for (size_t i = 0; i < xt_scaled(50); i++) {
        struct filch_pool *pool = create(4, 1);
        struct crowd c = {.pool = pool};
        for (int k = 0; k < TASKS; k++)
            assert_int_equal(filch_pool_spawn(pool, NULL, NULL, panic_with_crowd, &c), 0);
        filch_sleep_ns(FILCH_MS / 10);
        filch_semaphore_release(&c.sem, TASKS);
        destroy(pool);
        assert_int_equal(c.ended, TASKS);
    }
    filch_panic_set_hook(before);
}

/* --- where no stack is to be had --- */

struct scarce {
    struct filch_pool *pool;
    struct filch_semaphore last;  /* what the others wait for */
    struct filch_semaphore first; /* what the one with a half waits for */
    struct filch_semaphore has_forked;
    struct filch_semaphore moves; /* what the one that may migrate waits for */
    uint32_t begun, ended;
    int result;
};

static void wait_with_others(void *arg)
{
    struct scarce *s = arg;
    __atomic_fetch_add(&s->begun, 1, __ATOMIC_RELEASE);
    xt_expect_equal(filch_semaphore_acquire(&s->last), 0);
    __atomic_fetch_add(&s->ended, 1, __ATOMIC_RELEASE);
}

static void nothing(void *unused)
{
    (void)unused;
}

static void wait_twice(void *arg)
{
    struct scarce *s = arg;
    __atomic_fetch_add(&s->begun, 1, __ATOMIC_RELEASE);
    xt_expect_equal(filch_semaphore_acquire(&s->has_forked), 0);
    xt_expect_equal(filch_semaphore_acquire(&s->last), 0);
    __atomic_fetch_add(&s->ended, 1, __ATOMIC_RELEASE);
}

static void wait_with_half(void *arg)
{
    struct scarce *s = arg;
    FILCH_FORK(forked, leaf, 3);
    filch_semaphore_release(&s->has_forked, 1);
    xt_expect_equal(filch_semaphore_acquire(&s->first), 0);
    __atomic_store_n(&s->result, FILCH_SYNC(forked, leaf), __ATOMIC_RELEASE);
}

static void spawn_waiting(struct scarce *s, void (*fn)(void *), unsigned count)
{
    uint32_t before = __atomic_load_n(&s->begun, __ATOMIC_ACQUIRE);
    for (unsigned i = 0; i < count; i++)
        assert_int_equal(filch_pool_spawn(s->pool, NULL, NULL, fn, s), 0);
    while (__atomic_load_n(&s->begun, __ATOMIC_ACQUIRE) < before + count)
        xt_sleep_ns(100 * FILCH_US);
}

/* Until a worker has had to go on without another stack: else there is nothing to see. */
static void expect_scarcity(const struct scarce *s)
{
    while (stats_of(s->pool).stackless == 0)
        xt_sleep_ns(100 * FILCH_US);
}

/* Nobody has anything to do: nobody wakes up. */
static void expect_sleep(const struct scarce *s)
{
    enum { FEW_SLEEPS = 10 };
    struct filch_pool_stats before, after;
    assert_int_equal(filch_pool_stats(s->pool, &before), 0);
    xt_sleep_ns(50 * FILCH_MS);
    assert_int_equal(filch_pool_stats(s->pool, &after), 0);
    assert_true(after.sleeps - before.sleeps < FEW_SLEEPS);
}

static void end_scarcity(struct scarce *s)
{
    assert_int_equal(filch_pool_shutdown(s->pool, FILCH_DRAIN, FILCH_FOREVER), 0);
    xt_faults_disarm();
    destroy(s->pool);
    xt_faults_remove();
}

/* More tasks than there are stacks: the last ones wait where they are, on the base of the worker, which then is
 * left as well. */
xt_define(all_go_on_where_stacks_ran_out)
{
    enum { FEW = 4, MANY = 36 };
    xt_faults_install();
    struct scarce s = {.pool = create(1, 1)};
    spawn_waiting(&s, wait_with_others, FEW);
    xt_faults_arm(XT_MAP, 1, XT_FAULT_ONWARD);
    for (int i = 0; i < MANY; i++)
        assert_int_equal(filch_pool_spawn(s.pool, NULL, NULL, wait_with_others, &s), 0);
    xt_sleep_ns(50 * FILCH_MS); /* most have begun, and there is nothing to see of the rest */
    expect_scarcity(&s);
    /* The first to wait go on, although the one that keeps the worker waits still. */
    filch_semaphore_release(&s.last, FEW);
    while (__atomic_load_n(&s.ended, __ATOMIC_ACQUIRE) < FEW)
        xt_sleep_ns(100 * FILCH_US);
    assert_int_equal(__atomic_load_n(&s.ended, __ATOMIC_ACQUIRE), FEW);
    filch_semaphore_release(&s.last, MANY);
    end_scarcity(&s);
    assert_int_equal(s.ended, FEW + MANY);
}

/* A worker that looks for one to go on with keeps the halves in its deque: their strands look there. */
xt_define(a_half_stays_where_stacks_ran_out)
{
    enum { FEW = 2, MANY = 13 };
    xt_faults_install();
    struct scarce s = {.pool = create(1, 0)};
    struct filch_task *task = NULL;
    assert_int_equal(filch_pool_spawn(s.pool, &task, &roaming, nothing, NULL), 0);
    assert_int_equal(filch_task_join(task), 0);
    spawn_waiting(&s, wait_twice, 1);
    spawn_waiting(&s, wait_with_others, FEW);
    xt_faults_arm(XT_MAP, 1, XT_FAULT_ONWARD);
    spawn_waiting(&s, wait_with_others, MANY);
    assert_int_equal(filch_pool_spawn(s.pool, NULL, NULL, wait_with_half, &s), 0);
    xt_sleep_ns(50 * FILCH_MS); /* for it to have forked and to wait, which nobody can see */
    expect_sleep(&s);           /* although the half lies in the deque */
    filch_semaphore_release(&s.first, 1);
    while (__atomic_load_n(&s.result, __ATOMIC_ACQUIRE) == 0)
        xt_sleep_ns(100 * FILCH_US);
    assert_int_equal(s.result, 3); /* although the others wait for longer */
    expect_scarcity(&s);
    filch_semaphore_release(&s.last, 1 + FEW + MANY);
    end_scarcity(&s);
    assert_int_equal(s.ended, 1 + FEW + MANY);
}

static void go_on_and_wait(void *arg)
{
    struct scarce *s = arg;
    __atomic_fetch_add(&s->begun, 1, __ATOMIC_RELEASE);
    xt_expect_equal(filch_semaphore_acquire(&s->moves), 0);
    filch_semaphore_release(&s->first, 1);
    xt_expect_equal(filch_semaphore_acquire(&s->last), 0);
    __atomic_fetch_add(&s->ended, 1, __ATOMIC_RELEASE);
}

/* Leaves three in the deque: one that begins, one that goes on, and the half, which is offered when the strand is
 * left for one that is ready. */
static void wait_with_half_on_top(void *arg)
{
    struct scarce *s = arg;
    xt_expect_equal(filch_pool_spawn(s->pool, NULL, NULL, nothing, NULL), 0);
    filch_semaphore_release(&s->moves, 1);
    FILCH_FORK(forked, leaf, 3);
    filch_semaphore_release(&s->has_forked, 1);
    xt_expect_equal(filch_semaphore_acquire(&s->first), 0);
    __atomic_store_n(&s->result, FILCH_SYNC(forked, leaf), __ATOMIC_RELEASE);
}

/* Nor does it change their order when it finds one: a strand looks for its half where it has left it. */
xt_define(halves_stay_in_order_where_stacks_ran_out)
{
    enum { FEW = 2, MANY = 13 };
    xt_faults_install();
    struct scarce s = {.pool = create(1, 0)};
    spawn_waiting(&s, wait_twice, FEW); /* one of them on the base, which never goes */
    assert_int_equal(filch_pool_spawn(s.pool, NULL, &roaming, go_on_and_wait, &s), 0);
    xt_faults_arm(XT_MAP, 1, XT_FAULT_ONWARD);
    spawn_waiting(&s, wait_with_others, MANY);
    assert_int_equal(filch_pool_spawn(s.pool, NULL, NULL, wait_with_half_on_top, &s), 0);
    while (__atomic_load_n(&s.result, __ATOMIC_ACQUIRE) == 0)
        xt_sleep_ns(100 * FILCH_US);
    assert_int_equal(s.result, 3);
    if (xt_has_migration()) /* else the one that goes on is ready at once */
        expect_scarcity(&s);
    filch_semaphore_release(&s.has_forked, FEW - 1);
    filch_semaphore_release(&s.last, 1 + FEW + MANY);
    end_scarcity(&s);
    assert_int_equal(s.ended, 1 + FEW + MANY);
}

/* A worker without a stack gives no memory back, and does not wake up for it. */
xt_define(no_stack_is_no_reason_to_wake_up)
{
    enum { MANY = 40, TRIM_NS = 500 * FILCH_MS };
    xt_faults_install();
    struct scarce s = {.pool = create(1, 0)};
    spawn_waiting(&s, wait_with_others, MANY);
    filch_semaphore_release(&s.last, MANY);
    while (__atomic_load_n(&s.ended, __ATOMIC_ACQUIRE) < MANY)
        xt_sleep_ns(100 * FILCH_US);
    xt_sleep_ns(10 *
                FILCH_MS); /* now so many stacks are spare that it is to look at them once more */
    xt_faults_arm(XT_MAP, 1, XT_FAULT_ONWARD);
    for (int i = 0; i < 2 * MANY; i++)
        assert_int_equal(filch_pool_spawn(s.pool, NULL, NULL, wait_with_others, &s), 0);
    xt_sleep_ns(TRIM_NS + 50 * FILCH_MS);
    expect_scarcity(&s);
    expect_sleep(&s);
    filch_semaphore_release(&s.last, 2 * MANY);
    end_scarcity(&s);
    assert_int_equal(s.ended, 3 * MANY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        xt_test(by_default_a_task_stays),
        xt_test(a_task_that_may_moves),
        xt_test(in_a_pool_that_lets_them_all_may),
        xt_test(each_wait_may_move_it),
        xt_test(some_waits_keep_their_worker),
        xt_test(busy_worker_keeps_nobody),
        xt_test(stacks_do_not_pile_up),
        xt_test(deadlines_and_cancels),
        xt_test(each_deadline_has_its_turn),
        xt_test(a_deadline_that_is_set_later_ends_waits),
        xt_test(nobody_starves),
        xt_test(it_takes_along_what_is_its_own),
        xt_test(a_panic_after_a_move_is_caught),
        xt_test(a_panic_after_a_move_is_joined),
        xt_test(relays),
        xt_test(woken_from_outside_to_the_end),
        xt_test(the_drop_of_a_panic_may_move),
        xt_test(all_go_on_where_stacks_ran_out),
        xt_test(a_half_stays_where_stacks_ran_out),
        xt_test(halves_stay_in_order_where_stacks_ran_out),
        xt_test(no_stack_is_no_reason_to_wake_up),
        xt_test(a_scope_gets_the_panics_of_those_that_moved),
    };
    return xt_run(tests);
}
