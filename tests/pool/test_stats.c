/* SPDX-License-Identifier: Apache-2.0 */
/* What a pool says about itself: its counters, against what has happened; where its workers run,
 * against where the system has them. */
#define _GNU_SOURCE 1 /* affinities */
#include "test.h"

#include "pool.h"

#include <errno.h>
#include <filch/filch.h>
#include <hwloc.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static int bind_error; /* what bindings fail with; 0: they go to the kernel */

/* Stands before the function of the C library. */
int sched_setaffinity(pid_t thread, size_t size_bytes, const cpu_set_t *mask)
{
    if (bind_error != 0) {
        errno = bind_error;
        return -1;
    }
    return (int)syscall(SYS_sched_setaffinity, thread, size_bytes, mask);
}

static struct filch_pool *create(const struct filch_pool_config *config)
{
    struct filch_pool *pool = NULL;
    assert_int_equal(filch_pool_create(&pool, config), 0);
    return pool;
}

static struct filch_pool_stats stats_of(struct filch_pool *pool)
{
    struct filch_pool_stats stats;
    memset(&stats, 0xff, sizeof stats);
    assert_int_equal(filch_pool_stats(pool, &stats), 0);
    return stats;
}

/* --- counters --- */

static void nothing(void *unused)
{
    (void)unused;
}

static void spawn_many(void *pool)
{
    for (int i = 0; i < 200; i++)
        xt_expect_equal(filch_pool_spawn(pool, NULL, NULL, nothing, NULL), 0);
}

xt_define(tasks_that_do_not_wait_cost_no_stack)
{
    struct filch_pool *pool = create(&(struct filch_pool_config){.workers = 3});
    assert_int_equal(filch_pool_spawn(pool, NULL, NULL, spawn_many, pool), 0);
    spawn_many(pool);
    assert_int_equal(filch_pool_shutdown(pool, FILCH_DRAIN, FILCH_FOREVER), 0);
    struct filch_pool_stats stats = stats_of(pool);
    assert_int_equal(stats.tasks, 1 + 2 * 200);
    assert_int_equal(stats.suspensions, 0);
    assert_int_equal(stats.stacks_max, 0);
    assert_int_equal(stats.stackless, 0);
    assert_int_equal(filch_pool_destroy(pool), 0);
}

static void wait_for_permit(void *semaphore)
{
    xt_expect_equal(filch_semaphore_acquire(semaphore), 0);
}

static void give_permits(void *semaphore)
{
    for (int i = 0; i < 5; i++)
        filch_semaphore_release(semaphore, 1);
}

xt_define(each_task_that_waits_is_set_aside_once)
{
    struct filch_semaphore semaphore = FILCH_SEMAPHORE_INIT(0);
    struct filch_pool *pool = create(&(struct filch_pool_config){.workers = 1});
    struct filch_task *last = NULL;
    for (int i = 0; i < 5; i++)
        assert_int_equal(filch_pool_spawn(pool, NULL, NULL, wait_for_permit, &semaphore), 0);
    assert_int_equal(filch_pool_spawn(pool, &last, NULL, give_permits, &semaphore), 0);
    assert_int_equal(filch_task_join(last), 0);
    assert_int_equal(filch_pool_shutdown(pool, FILCH_DRAIN, FILCH_FOREVER), 0);
    struct filch_pool_stats stats = stats_of(pool);
    assert_int_equal(stats.tasks, 6);
    assert_int_equal(stats.suspensions, 5);
    assert_int_equal(stats.stacks_max, 5);
    assert_int_equal(filch_pool_destroy(pool), 0);
}

struct pair {
    uint32_t has_begun;
    struct filch_pool *pool;
};

static void begin(void *argument)
{
    __atomic_store_n(&((struct pair *)argument)->has_begun, 1, __ATOMIC_RELEASE);
}

/* Keeps its worker until somebody else has begun the task that it has spawned. */
static void wait_for_thief(void *argument)
{
    struct pair *p = argument;
    xt_expect_equal(filch_pool_spawn(p->pool, NULL, NULL, begin, p), 0);
    while (!__atomic_load_n(&p->has_begun, __ATOMIC_ACQUIRE))
        xt_sleep_ns(100 * FILCH_US);
}

xt_define(steals_sleeps_and_wakes_are_counted)
{
    struct pair p = {.pool = create(&(struct filch_pool_config){.workers = 2})};
    while (stats_of(p.pool).sleeps < 2) /* both, for the first time */
        xt_sleep_ns(FILCH_MS);
    assert_int_equal(stats_of(p.pool).steals, 0);
    assert_int_equal(filch_pool_install(p.pool, wait_for_thief, &p), 0);
    assert_int_equal(filch_pool_shutdown(p.pool, FILCH_DRAIN, FILCH_FOREVER), 0);
    struct filch_pool_stats stats = stats_of(p.pool);
    assert_int_equal(stats.tasks, 2);
    assert_int_equal(stats.steals, 1);
    assert_true(stats.wakes >= 1); /* by the one that spawned */
    assert_int_equal(filch_pool_destroy(p.pool), 0);
}

enum { LONE_TASKS = 200000 };

static void count_up(void *count)
{
    ++*(uint32_t *)count;
}

static void spawn_and_join(void *argument)
{
    struct filch_pool *pool = argument;
    struct filch_task *task = NULL;
    uint32_t count = 0;
    for (size_t i = 0; i < xt_scaled(LONE_TASKS); i++) {
        xt_expect_equal(filch_pool_spawn(pool, &task, NULL, count_up, &count), 0);
        xt_expect_equal(filch_task_join(task), 0);
    }
    xt_expect_equal(count, xt_scaled(LONE_TASKS));
}

/* A thief that takes one only has its owner wait for it: hundreds were, on two idle processors. Where the owner
 * loses its processor, some are. */
xt_define(a_task_that_is_joined_at_once_is_left_to_its_owner)
{
    struct filch_pool *pool = create(&(struct filch_pool_config){.workers = 2});
    assert_int_equal(filch_pool_install(pool, spawn_and_join, pool), 0);
    assert_int_equal(filch_pool_shutdown(pool, FILCH_DRAIN, FILCH_FOREVER), 0);
    assert_true(stats_of(pool).steals <= xt_scaled(LONE_TASKS) / 500);
    assert_int_equal(filch_pool_destroy(pool), 0);
}

/* Puts lone tasks before the eyes of thieves all the time, none of which lasts. */
static void tease(void *argument)
{
    struct pair *p = argument;
    uint32_t count = 0;
    while (!__atomic_load_n(&p->has_begun, __ATOMIC_ACQUIRE)) {
        struct filch_task *task = NULL;
        xt_expect_equal(filch_pool_spawn(p->pool, &task, NULL, count_up, &count), 0);
        xt_expect_equal(filch_task_join(task), 0);
    }
}

/* Two of three workers; the third one takes the task that lasts, although the others come and go. */
xt_define(a_lone_task_is_not_passed_over_for_others_that_come_and_go)
{
    for (int i = 0; i < 20; i++) {
        struct pair p = {.pool = create(&(struct filch_pool_config){.workers = 3})};
        assert_int_equal(filch_pool_spawn(p.pool, NULL, NULL, tease, &p), 0);
        assert_int_equal(filch_pool_spawn(p.pool, NULL, NULL, wait_for_thief, &p), 0);
        assert_int_equal(filch_pool_destroy(p.pool), 0);
    }
}

/* --- tasks that are not worth stealing --- */

enum { TINY_TASKS = 20000, ROUNDS = 40 };

static void spawn_tiny(struct filch_scope *scope, void *rounds)
{
    for (size_t i = 0; i < *(size_t *)rounds * xt_scaled(TINY_TASKS); i++)
        xt_expect_equal(filch_scope_spawn(scope, nothing, NULL), 0);
}

static void run_tiny(size_t rounds)
{
    xt_expect_equal(filch_scope_run(spawn_tiny, &rounds), 0);
}

static void run_tiny_long(void *took_ns)
{
    int64_t begin_ns = xt_now_ns();
    run_tiny(ROUNDS);
    *(int64_t *)took_ns = xt_now_ns() - begin_ns;
}

/* A thief that comes for more at once does so every 5 to 20 us, one that never sleeps every 25 to 55, and one
 * that does every 140, however long it takes in all. */
xt_define(tasks_that_are_not_worth_stealing_are_left_to_their_owner)
{
    int64_t took_ns = 0;
    struct filch_pool *pool = create(&(struct filch_pool_config){.workers = 2});
    assert_int_equal(filch_pool_install(pool, run_tiny_long, &took_ns), 0);
    assert_int_equal(filch_pool_shutdown(pool, FILCH_DRAIN, FILCH_FOREVER), 0);
#if !FILCH_DEBUG && defined __OPTIMIZE__ /* else they are */
    if (!xt_is_emulated())
        assert_true((int64_t)stats_of(pool).steals <= took_ns / (40 * FILCH_US));
#endif
    assert_int_equal(filch_pool_destroy(pool), 0);
}

struct late {
    struct filch_pool *pool;
    int64_t spawned_ns;
    int64_t late_ns; /* -1: it has not begun */
    int64_t least_ns;
    uint32_t met;
};

static void begin_late(void *argument)
{
    struct late *l = argument;
    __atomic_store_n(&l->late_ns, xt_now_ns() - l->spawned_ns, __ATOMIC_RELEASE);
}

/* Whoever spawns it does not come by: a thief has to run it. */
static void spawn_lone(struct late *l)
{
    int64_t late_ns;
    l->late_ns = -1;
    l->spawned_ns = xt_now_ns();
    xt_expect_equal(filch_pool_spawn(l->pool, NULL, NULL, begin_late, l), 0);
    while ((late_ns = __atomic_load_n(&l->late_ns, __ATOMIC_ACQUIRE)) < 0)
        filch__cpu_relax();
    l->least_ns = late_ns < l->least_ns ? late_ns : l->least_ns;
}

/* Keeps its worker until the other one has begun, too. */
static void meet(void *met)
{
    __atomic_fetch_add((uint32_t *)met, 1, __ATOMIC_ACQ_REL);
    while (__atomic_load_n((uint32_t *)met, __ATOMIC_ACQUIRE) < 2)
        filch__cpu_relax();
}

static void spawn_two(struct filch_scope *scope, void *met)
{
    xt_expect_equal(filch_scope_spawn(scope, meet, met), 0);
    xt_expect_equal(filch_scope_spawn(scope, meet, met), 0);
}

static void spawn_after_tiny(void *argument)
{
    struct late *l = argument;
    for (int i = 0; i < ROUNDS; i++) {
        run_tiny(1);
        spawn_lone(l);
        run_tiny(1);
        l->met = 0;
        xt_expect_equal(filch_scope_run(spawn_two, &l->met), 0);
    }
}

/* Who has just stolen in vain sleeps for a moment, and others count on him: but no longer. */
xt_define(tasks_that_last_are_stolen_although_those_before_were_not_worth_it)
{
    struct late l = {.pool = create(&(struct filch_pool_config){.workers = 2}),
                     .least_ns = INT64_MAX};
    assert_int_equal(filch_pool_install(l.pool, spawn_after_tiny, &l), 0);
    if (!xt_is_emulated())
        assert_true(l.least_ns < FILCH_MS); /* the others may be those of a busy machine */
    assert_int_equal(filch_pool_destroy(l.pool), 0);
}

/* --- names --- */

xt_define(the_name_is_copied_and_stays_whole)
{
    char name[] = "a name of more than fifteen bytes";
    char text[4096];
    struct filch_pool *pool = create(&(struct filch_pool_config){.name = name, .workers = 2});
    memset(name, 'x', sizeof name - 1);
    assert_int_equal(filch_pool_describe(pool, text, sizeof text), 0);
    assert_non_null(strstr(text, "a name of more than fifteen bytes-0"));
    assert_non_null(strstr(text, "a name of more than fifteen bytes-1"));
    assert_null(strstr(text, "xx"));
    assert_int_equal(filch_pool_destroy(pool), 0);
}

/* --- places --- */

/* Whether this thread may run on exactly what its worker's placement says, or on whatever the whole
 * topology has where that ties it to nothing. */
static bool is_where_it_belongs(const struct filch_pool *pool)
{
    const struct placement *place = &pool->machine.placements[filch_worker_index()];
    cpu_set_t now;
    cpu_set_t expected;
    xt_expect_equal(sched_getaffinity(0, sizeof now, &now), 0);
    CPU_ZERO(&expected);
    uint32_t first = place->is_pinned ? place->first_pu : 0;
    uint32_t count = place->is_pinned ? place->pu_count : pool->machine.topology->pu_count;
    for (uint32_t i = 0; i < count; i++)
        CPU_SET(pool->machine.topology->pus[first + i].os_index, &expected);
    return CPU_EQUAL(&now, &expected);
}

static void compare_masks(void *argument)
{
    xt_expect(is_where_it_belongs(argument));
}

static void wait_for_its_place(void *argument)
{
    while (!is_where_it_belongs(argument)) /* the last one may be binding it just now */
        filch_sleep_ns(100000);
}

struct found_out {
    const char *workers; /* FILCH_WORKERS */
};

/* The default pool runs tasks before it knows the machine, and binds its workers then. */
static void start_default_pool(void *argument)
{
    const struct found_out *f = argument;
    struct filch_pool *pool;
    struct filch_task *task;
    char text[1024];
    setenv("FILCH_WORKERS", f->workers, 1);
    setenv("FILCH_BIND", "cores", 1);
    xt_expect_equal(filch_pool_spawn(NULL, &task, NULL, nothing, NULL), 0);
    xt_expect_equal(filch_task_join(task), 0);
    xt_expect_equal(filch_pool_default(&pool), 0);
    xt_expect_equal(filch_pool_describe(NULL, text, sizeof text), 0);
    xt_expect(strstr(text, "worker filch-0 on ") != NULL);
    for (size_t i = 0; i < 10 * pool->width; i++) {
        xt_expect_equal(filch_pool_spawn(NULL, &task, NULL, wait_for_its_place, pool), 0);
        xt_expect_equal(filch_task_join(task), 0);
    }
    struct filch_pool_stats stats;
    xt_expect_equal(filch_pool_stats(NULL, &stats), 0);
    xt_expect_equal(stats.bind_failures, 0);
}

xt_define(the_default_pool_finds_its_places)
{
    xt_skip_if_emulated();
    xt_expect_child(start_default_pool, &(struct found_out){.workers = "1"}, "one worker");
    xt_expect_child(start_default_pool, &(struct found_out){.workers = "2"}, "two workers");
}

static void compare_ranges(size_t first, size_t end, void *ctx)
{
    (void)first;
    (void)end;
    compare_masks(ctx);
}

/* Workers only: a thread outside is bound to nothing, so the loop is begun inside. */
static void compare_all(void *argument)
{
    struct filch_pool *pool = argument;
    struct filch_for_options options = {.pool = pool, .grain = 1};
    xt_expect_equal(filch_for_with(&options, 0, 200, compare_ranges, pool), 0);
}

xt_define(workers_run_where_they_are_planned)
{
    static const enum filch_bind policies[] = {FILCH_BIND_DEFAULT, FILCH_BIND_CORES,
                                               FILCH_BIND_NONE};
    if (xt_is_emulated())
        skip();
    for (size_t i = 0; i < sizeof policies / sizeof policies[0]; i++) {
        for (size_t workers = 1; workers <= 3; workers++) {
            struct filch_pool *pool =
                create(&(struct filch_pool_config){.workers = workers, .bind = policies[i]});
            if (policies[i] == FILCH_BIND_NONE)
                assert_false(pool->machine.placements[0].is_pinned);
            else if (policies[i] == FILCH_BIND_CORES && workers <= pool->machine.topology->pu_count)
                assert_true(pool->machine.placements[0].is_pinned);
            assert_int_equal(filch_pool_install(pool, compare_all, pool), 0);
            assert_int_equal(stats_of(pool).bind_failures, 0);
            assert_int_equal(filch_pool_destroy(pool), 0);
        }
    }
}

xt_define(a_pool_whose_workers_cannot_be_bound_works)
{
    bind_error = EPERM;
    struct filch_pool *pool =
        create(&(struct filch_pool_config){.workers = 2, .bind = FILCH_BIND_CORES});
    spawn_many(pool);
    assert_int_equal(filch_pool_shutdown(pool, FILCH_DRAIN, FILCH_FOREVER), 0);
    bind_error = 0;
    struct filch_pool_stats stats = stats_of(pool);
    assert_int_equal(stats.tasks, 200);
    assert_int_equal(stats.bind_failures, 2);
    assert_int_equal(filch_pool_destroy(pool), 0);
}

/* A machine that is elsewhere: it gives the pool its width and shape, and nobody is bound. */
xt_define(a_topology_of_the_caller_is_borrowed_for_the_call)
{
    hwloc_topology_t machine;
    char text[4096];
    assert_int_equal(hwloc_topology_init(&machine), 0);
    assert_int_equal(hwloc_topology_set_synthetic(machine, "pack:2 core:3 pu:1"), 0);
    assert_int_equal(hwloc_topology_load(machine), 0);
    struct filch_pool *pool = create(&(struct filch_pool_config){.hwloc_topology = machine});
    hwloc_topology_destroy(machine);
    assert_int_equal(filch_pool_width(pool), 6);
    assert_int_equal(filch_pool_describe(pool, text, sizeof text), 0);
    assert_non_null(strstr(text, "worker filch-5 on core 5"));
    assert_true(
        filch__topology_distance(&pool->machine.placements[0], &pool->machine.placements[5]) >
        filch__topology_distance(&pool->machine.placements[0], &pool->machine.placements[1]));
    spawn_many(pool);
    assert_int_equal(filch_pool_destroy(pool), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        xt_test(tasks_that_do_not_wait_cost_no_stack),
        xt_test(each_task_that_waits_is_set_aside_once),
        xt_test(steals_sleeps_and_wakes_are_counted),
        xt_test(a_task_that_is_joined_at_once_is_left_to_its_owner),
        xt_test(a_lone_task_is_not_passed_over_for_others_that_come_and_go),
        xt_test(tasks_that_are_not_worth_stealing_are_left_to_their_owner),
        xt_test(tasks_that_last_are_stolen_although_those_before_were_not_worth_it),
        xt_test(the_name_is_copied_and_stays_whole),
        xt_test(workers_run_where_they_are_planned),
        xt_test(a_pool_whose_workers_cannot_be_bound_works),
        xt_test(the_default_pool_finds_its_places),
        xt_test(a_topology_of_the_caller_is_borrowed_for_the_call),
    };
    /* What the environment of the tests says is not what they are about. */
    unsetenv("FILCH_BIND");
    unsetenv("FILCH_WORKERS");
    return xt_run(tests);
}
