/* SPDX-License-Identifier: Apache-2.0 */
/* A pool without work uses no processor time, and wakes up for every piece of work. */
#include "test.h"

#include "idle.h"
#include "os/os.h"
#include "pool.h"
#include "worker.h"

#include <errno.h>
#include <filch/filch.h>
#include <stdlib.h>

static struct filch_pool *create(size_t workers)
{
    struct filch_pool *pool = NULL;
    struct filch_pool_config config = {.name = "idle", .workers = workers};
    assert_int_equal(filch_pool_create(&pool, &config), 0);
    return pool;
}

static void destroy(struct filch_pool *pool)
{
    assert_int_equal(filch_pool_destroy(pool), 0);
}

static void do_nothing(void *argument)
{
    (void)argument;
}

/* The least that any of some windows took: others share the machine. */
static int64_t cpu_while_idle_ns(void)
{
    int64_t least = INT64_MAX;
    for (int i = 0; i < 5 && least > FILCH_MS; i++) {
        int64_t before = xt_cpu_ns();
        xt_sleep_ns(300 * FILCH_MS);
        int64_t used = xt_cpu_ns() - before;
        least = used < least ? used : least;
    }
    return least;
}

static void expect_idle(void)
{
    if (XT_TSAN || xt_is_emulated())
        return; /* their own threads work */
    xt_expect(cpu_while_idle_ns() < FILCH_MS);
}

xt_define(an_idle_pool_uses_no_cpu)
{
    struct filch_pool *pool = create(8);
    expect_idle();
    for (int i = 0; i < 100; i++)
        assert_int_equal(filch_pool_install(pool, do_nothing, NULL), 0);
    expect_idle();
    destroy(pool);
}

static void wait_for_flag(void *argument)
{
    uint32_t *flag = argument;
    while (!__atomic_load_n(flag, __ATOMIC_ACQUIRE))
        xt_sleep_ns(100 * FILCH_MS);
}

struct waiting {
    struct filch_task *target;
};

static void wait_for_task(void *argument)
{
    struct waiting *w = argument;
    xt_expect_equal(filch_task_join(w->target), 0);
}

/* Tasks that wait, a sleeping worker below them, and one that sleeps in the OS: no CPU either. */
xt_define(waiting_tasks_use_no_cpu)
{
    struct filch_pool *pool = create(2);
    uint32_t flag = 0;
    struct waiting w = {NULL};
    struct filch_task *waiter;
    assert_int_equal(filch_pool_spawn(pool, &w.target, NULL, wait_for_flag, &flag), 0);
    assert_int_equal(filch_pool_spawn(pool, &waiter, NULL, wait_for_task, &w), 0);
    xt_sleep_ns(20 * FILCH_MS);
    expect_idle();
    __atomic_store_n(&flag, 1, __ATOMIC_RELEASE);
    assert_int_equal(filch_task_join(waiter), 0);
    destroy(pool);
}

static void *wait_in_scope(void *argument)
{
    struct waiting *w = argument;
    FILCH_SCOPE (s) {
        xt_expect_equal(filch_scope_spawn(s, wait_for_task, w), 0);
    }
    return NULL;
}

/* A guest whose own task waits sleeps too. */
xt_define(a_waiting_guest_uses_no_cpu)
{
    uint32_t flag = 0;
    struct waiting w = {NULL};
    struct filch_pool *pool = create(1);
    assert_int_equal(filch_pool_spawn(pool, &w.target, NULL, wait_for_flag, &flag), 0);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, wait_in_scope, &w), 0);
    xt_sleep_ns(20 * FILCH_MS);
    expect_idle();
    __atomic_store_n(&flag, 1, __ATOMIC_RELEASE);
    assert_int_equal(pthread_join(thread, NULL), 0);
    destroy(pool);
}

/* Submits after gaps of random length, which is when workers go to sleep. One that is left asleep beside the
 * task sleeps for ever, and so do we: how long a wake-up takes is not looked at. */
static void submit_with_gaps(size_t workers, size_t count)
{
    struct filch_pool *pool = create(workers);
    uint64_t seed = xt_seed() + workers;
    int64_t end = xt_now_ns() + 2 * FILCH_S; /* fewer, where other programs have the processors */
    for (size_t i = 0; i < count && xt_now_ns() < end; i++) {
        struct filch_task *task;
        int64_t gap = (int64_t)(xt_random(&seed) % 60000);
        int64_t begin = xt_now_ns();
        if (i % 2 == 0) {
            while (xt_now_ns() - begin < gap)
                ;
        } else {
            xt_sleep_ns(gap);
        }
        assert_int_equal(filch_pool_spawn(pool, &task, NULL, do_nothing, NULL), 0);
        assert_int_equal(filch_task_join(task), 0);
    }
    destroy(pool);
}

xt_define(sleeping_workers_wake_up)
{
    submit_with_gaps(1, 2000);
    submit_with_gaps(2, 2000);
    submit_with_gaps(8, 2000);
}

/* The same on one CPU. */
xt_define(sleeping_workers_wake_up_on_one_cpu)
{
    xt_use_one_cpu(true);
    submit_with_gaps(2, 1000);
    xt_use_one_cpu(false);
}

struct spin {
    uint32_t arrived;
    uint32_t wanted;
    uint32_t met;
};

/* Waits for the others, so that it ends only if all of them run at the same time. */
static void meet(void *argument)
{
    struct spin *s = argument;
    __atomic_fetch_add(&s->arrived, 1, __ATOMIC_ACQ_REL);
    while (__atomic_load_n(&s->arrived, __ATOMIC_ACQUIRE) < s->wanted)
        xt_sleep_ns(50 * FILCH_US);
    __atomic_fetch_add(&s->met, 1, __ATOMIC_ACQ_REL);
}

/* Waking one worker wakes the next while there is work: as many long tasks as there are workers all
 * get one, however they are given. */
static void all_workers_meet(size_t workers)
{
    enum { WORKERS_MAX = 16 };
    struct filch_pool *pool = create(workers);
    for (size_t round = 0; round < xt_scaled(60); round++) {
        struct spin s = {.wanted = (uint32_t)workers};
        struct filch_task *tasks[WORKERS_MAX];
        void *args[WORKERS_MAX];
        xt_sleep_ns((int64_t)(round % 3) * 100 * FILCH_US);
        for (size_t i = 0; i < workers; i++) {
            args[i] = &s;
            if (round % 2 == 0)
                assert_int_equal(filch_pool_spawn(pool, &tasks[i], NULL, meet, &s), 0);
        }
        if (round % 2 == 1)
            assert_int_equal(filch_pool_spawn_batch(pool, meet, args, workers), 0);
        for (size_t i = 0; i < workers && round % 2 == 0; i++)
            assert_int_equal(filch_task_join(tasks[i]), 0);
        while (__atomic_load_n(&s.met, __ATOMIC_ACQUIRE) < workers)
            xt_sleep_ns(100 * FILCH_US);
    }
    destroy(pool);
}

xt_define(waking_one_wakes_the_next)
{
    all_workers_meet(2);
    all_workers_meet(5);
    all_workers_meet(16);
}

struct spawner {
    struct filch_pool *pool;
    struct spin spin;
};

static void spawn_and_meet(void *argument)
{
    struct spawner *s = argument;
    for (uint32_t i = 1; i < s->spin.wanted; i++)
        xt_expect_equal(filch_pool_spawn(s->pool, NULL, NULL, meet, &s->spin), 0);
    meet(&s->spin);
}

/* The same for tasks spawned by a worker that then does not come by any more. */
xt_define(a_worker_that_spawns_wakes_the_others)
{
    static const uint32_t widths[] = {2, 5};
    for (size_t k = 0; k < 2; k++) {
        struct spawner s = {.pool = create(widths[k])};
        for (size_t round = 0; round < xt_scaled(200); round++) {
            s.spin = (struct spin){.wanted = widths[k]};
            xt_sleep_ns((int64_t)(round % 5) * 30 * FILCH_US);
            assert_int_equal(filch_pool_install(s.pool, spawn_and_meet, &s), 0);
            while (__atomic_load_n(&s.spin.met, __ATOMIC_ACQUIRE) < widths[k])
                xt_sleep_ns(100 * FILCH_US);
        }
        destroy(s.pool);
    }
}

/* The first thread from outside comes when all workers sleep: nobody can have asked it for work. */
static void come_to_sleeping_pool(void *unused)
{
    struct filch_pool *pool = NULL;
    struct spin s = {.wanted = 2};
    (void)unused;
    setenv("FILCH_WORKERS", "2", 1);
    xt_expect_equal(filch_pool_default(&pool), 0);
    xt_sleep_ns(50 * FILCH_MS);
    filch_join(meet, &s, meet, &s);
    xt_expect_equal(s.met, 2);
    struct filch_pool_stats stats;
    xt_expect_equal(filch_pool_stats(pool, &stats), 0);
    xt_expect_equal(stats.steals, 1);
}

xt_define(the_first_guest_wakes_a_worker)
{
    xt_skip_if_emulated();
    xt_expect_child(come_to_sleeping_pool, NULL, "the first guest");
}

static void count_run(struct filch__slot *slot)
{
    __atomic_fetch_add((uint32_t *)slot->args[0], 1, __ATOMIC_ACQ_REL);
}

/* Stops where an owner that loses its processor would: while it changes the public part of its forks, of
 * which one is private. */
static void stop_while_changing(void *argument)
{
    uint32_t *runs = argument;
    struct forks *forks = &filch__worker->room->forks;
    struct filch__slot *slot = FILCH_LOAD_RELAXED(&forks->owner.tail); /* owner */
    uint64_t owner = filch__forks_word(0, 0, FORKS_EXPOSER_OWNER);
    __atomic_fetch_or(&forks->shared, owner, __ATOMIC_ACQ_REL);
    slot->args[0] = (uintptr_t)runs;
    FILCH_STORE_RELAXED(&slot->run, (uintptr_t)count_run); /* published by FK_tail */
    FILCH_STORE(&forks->owner.tail, slot + 1, FK_tail, release);
    filch__idle_wake_one(filch__worker->pool); /* it finds that, and cannot have it */
    expect_idle();
    xt_expect_equal(__atomic_load_n(runs, __ATOMIC_ACQUIRE), 0);
    __atomic_fetch_and(&forks->shared, ~owner, __ATOMIC_ACQ_REL);
    if (filch__fork_take(&forks->owner, slot))
        count_run(slot);
    else
        (void)filch__sync_slow(&forks->owner, slot);
}

xt_define(nobody_spins_for_an_owner_that_was_preempted)
{
    struct filch_pool *pool = create(3);
    uint32_t runs = 0;
    assert_int_equal(filch_pool_install(pool, stop_while_changing, &runs), 0);
    assert_int_equal(runs, 1);
    destroy(pool);
}

/* --- a wake-up with a task, of a worker that is late for something else --- */

static int wait_without_deadline(uint32_t *word, uint32_t expected, int64_t deadline_ns)
{
    (void)deadline_ns;
    return filch__os_linux.futex_wait(word, expected, INT64_MAX);
}

struct turns {
    uint32_t taken;
    uint32_t of_sleeper, of_other;
};

static void sleep_for_its_turn(void *argument)
{
    struct turns *t = argument;
    xt_expect_equal(filch_sleep_ns(10 * FILCH_MS), 0);
    t->of_sleeper = ++t->taken;
}

static void take_turn(void *argument)
{
    struct turns *t = argument;
    t->of_other = ++t->taken;
}

/* The system lets the worker sleep on past its timer; then a task comes with its wake-up. */
xt_define(what_is_late_goes_on_before_a_task_that_comes)
{
    struct os_table table = filch__os_linux;
    struct turns t = {0};
    struct filch_task *sleeper = NULL;
    struct filch_task *other = NULL;
    table.futex_wait = wait_without_deadline;
    filch__os_replace(&table);
    struct filch_pool *pool = create(1);
    assert_int_equal(filch_pool_spawn(pool, &sleeper, NULL, sleep_for_its_turn, &t), 0);
    while (FILCH_LOAD_RELAXED(&pool->places[0]->stats.suspensions) == 0 /* statistic */ ||
           !filch__idle_all_sleep(FILCH_LOAD_RELAXED(&pool->idle.word), 1)) /* a look */
        xt_sleep_ns(100 * FILCH_US);
    xt_sleep_ns(50 * FILCH_MS);
    assert_int_equal(filch_pool_spawn(pool, &other, NULL, take_turn, &t), 0);
    assert_int_equal(filch_task_join(sleeper), 0);
    assert_int_equal(filch_task_join(other), 0);
    destroy(pool);
    filch__os_replace(NULL);
    assert_int_equal(t.of_sleeper, 1);
    assert_int_equal(t.of_other, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        /* First: while no other threads of the library sleep. */
        xt_test(what_is_late_goes_on_before_a_task_that_comes),
        xt_test(the_first_guest_wakes_a_worker), /* first: while there is no default pool */
        xt_test(an_idle_pool_uses_no_cpu),
        xt_test(waiting_tasks_use_no_cpu),
        xt_test(a_waiting_guest_uses_no_cpu),
        xt_test(sleeping_workers_wake_up),
        xt_test(sleeping_workers_wake_up_on_one_cpu),
        xt_test(waking_one_wakes_the_next),
        xt_test(a_worker_that_spawns_wakes_the_others),
        xt_test(nobody_spins_for_an_owner_that_was_preempted),
    };
    return xt_run(tests);
}
