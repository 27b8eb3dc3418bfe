/* SPDX-License-Identifier: Apache-2.0 */
/* The life of pools: creating, spawning, shutting down, destroying, counting. */
#define _GNU_SOURCE 1 /* affinities */
#include "test.h"

#include <dirent.h>
#include <errno.h>
#include <filch/filch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct filch_pool *create(const char *name, size_t workers)
{
    struct filch_pool *pool = NULL;
    struct filch_pool_config config = {.name = name, .workers = workers};
    assert_int_equal(filch_pool_create(&pool, &config), 0);
    assert_non_null(pool);
    return pool;
}

static void destroy(struct filch_pool *pool)
{
    assert_int_equal(filch_pool_destroy(pool), 0);
}

static uint64_t ran;

static void count_run(void *arg)
{
    (void)arg;
    __atomic_fetch_add(&ran, 1, __ATOMIC_RELAXED);
}

static uint64_t dropped;

static void count_drop(void *arg)
{
    (void)arg;
    __atomic_fetch_add(&dropped, 1, __ATOMIC_RELAXED);
}

/* A task that lasts until it is let go. */
struct gate {
    uint32_t is_open;
    uint32_t entered;
};

static void wait_at_gate(void *argument)
{
    struct gate *gate = argument;
    __atomic_fetch_add(&gate->entered, 1, __ATOMIC_RELEASE);
    while (!__atomic_load_n(&gate->is_open, __ATOMIC_ACQUIRE))
        xt_sleep_ns(100 * FILCH_US);
}

static void await_entered(struct gate *gate, uint32_t count)
{
    while (__atomic_load_n(&gate->entered, __ATOMIC_ACQUIRE) < count)
        xt_sleep_ns(100 * FILCH_US);
}

static void open_gate(struct gate *gate)
{
    __atomic_store_n(&gate->is_open, 1, __ATOMIC_RELEASE);
}

/* --- creation --- */

xt_define(bad_configurations_are_refused)
{
    struct filch_pool *pool = (void *)&ran;
    assert_int_equal(filch_pool_create(NULL, NULL), EINVAL);
    struct filch_pool_config config = {.workers = 1025};
    assert_int_equal(filch_pool_create(&pool, &config), EINVAL);
    config.workers = SIZE_MAX;
    assert_int_equal(filch_pool_create(&pool, &config), EINVAL);
    config = (struct filch_pool_config){.workers = 1, .bind = (enum filch_bind)3};
    assert_int_equal(filch_pool_create(&pool, &config), EINVAL);
    config.bind = (enum filch_bind) - 1;
    assert_int_equal(filch_pool_create(&pool, &config), EINVAL);
    config = (struct filch_pool_config){.workers = 1, .stack_size_bytes = SIZE_MAX};
    assert_int_equal(filch_pool_create(&pool, &config), EINVAL);
    assert_ptr_equal(pool, (void *)&ran);
}

static void run_many(struct filch_pool *pool, size_t count)
{
    ran = 0;
    for (size_t i = 0; i < count; i++)
        assert_int_equal(filch_pool_spawn(pool, NULL, NULL, count_run, NULL), 0);
    assert_int_equal(filch_pool_shutdown(pool, FILCH_DRAIN, FILCH_FOREVER), 0);
    assert_int_equal(ran, count);
}

static void try_widths(void)
{
    static const size_t widths[] = {1, 2, 3, 8, 64, 256};
    for (size_t i = 0; i < sizeof widths / sizeof widths[0]; i++) {
        if (XT_TSAN && widths[i] > 64)
            continue;
        struct filch_pool *pool = create("wide", widths[i]);
        assert_int_equal(filch_pool_width(pool), widths[i]);
        assert_true(filch_pool_places(pool) > widths[i]);
        run_many(pool, xt_scaled(2000));
        destroy(pool);
    }
}

xt_define(every_width_works)
{
    try_widths();
}

xt_define(every_width_works_on_one_cpu)
{
    xt_use_one_cpu(true);
    try_widths();
    xt_use_one_cpu(false);
}

xt_define(the_largest_pool_works)
{
    if (XT_TSAN || XT_ASAN)
        skip();
    struct filch_pool *pool = create(NULL, 1024);
    assert_int_equal(filch_pool_width(pool), 1024);
    run_many(pool, 1000);
    destroy(pool);
}

xt_define(pools_come_and_go)
{
    size_t rounds = xt_scaled(200);
    for (size_t i = 0; i < rounds; i++) {
        struct filch_pool *pool = create("brief", 1 + i % 4);
        if (i % 3 == 1)
            run_many(pool, 10);
        destroy(pool);
    }
}

/* Counts the threads of this process whose name begins with `name`. */
static size_t threads_named(const char *name)
{
    size_t count = 0;
    DIR *tasks = opendir("/proc/self/task");
    assert_non_null(tasks);
    for (struct dirent *entry = readdir(tasks); entry != NULL; entry = readdir(tasks)) {
        char path[300];
        char comm[32] = "";
        snprintf(path, sizeof path, "/proc/self/task/%s/comm", entry->d_name);
        FILE *file = entry->d_name[0] == '.' ? NULL : fopen(path, "r");
        if (file == NULL)
            continue;
        if (fgets(comm, sizeof comm, file) != NULL)
            comm[strcspn(comm, "\n")] = '\0';
        count += strcmp(comm, name) == 0;
        fclose(file);
    }
    closedir(tasks);
    return count;
}

xt_define(workers_have_names)
{
    if (xt_is_emulated())
        skip();
    struct filch_pool *pool = create("solver", 3);
    struct filch_pool *unnamed = create(NULL, 1);
    run_many(unnamed, 1);
    static const char *const names[] = {"solver-0", "solver-1", "solver-2"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        /* A thread names itself when it starts. */
        while (threads_named(names[i]) == 0)
            xt_sleep_ns(FILCH_MS);
        assert_int_equal(threads_named(names[i]), 1);
    }
    assert_int_equal(threads_named("solver-3"), 0);
    destroy(unnamed);
    destroy(pool);
    /* A thread that has been joined is listed for a moment longer. */
    while (threads_named("solver-0") != 0)
        xt_sleep_ns(FILCH_MS);
    assert_int_equal(threads_named("solver-0"), 0);
}

/* --- questions --- */

struct place {
    size_t index;
    struct filch_pool *pool;
};

static void note_place(void *argument)
{
    struct place *place = argument;
    place->index = filch_worker_index();
    place->pool = filch_pool_current();
}

xt_define(places_are_known)
{
    assert_int_equal(filch_worker_index(), FILCH_NOT_A_WORKER);
    assert_null(filch_pool_current());
    struct filch_pool *pool = create("places", 2);
    struct place place = {0};
    assert_int_equal(filch_pool_install(pool, note_place, &place), 0);
    assert_ptr_equal(place.pool, pool);
    assert_true(place.index < 2);
    assert_null(filch_pool_current());
    destroy(pool);
}

struct crowd {
    struct filch_pool *pool;
    uint32_t *taken; /* an entry per place */
};

static void take_place(size_t begin, size_t end, void *ctx)
{
    struct crowd *c = ctx;
    size_t place = filch_worker_index();
    xt_expect(place < filch_pool_places(c->pool));
    xt_expect_equal(__atomic_exchange_n(&c->taken[place], 1, __ATOMIC_ACQ_REL), 0);
    if (begin % 8 == 0)
        xt_sleep_ns(10 * FILCH_US);
    xt_expect_equal(filch_worker_index(), place);
    xt_expect_equal(__atomic_exchange_n(&c->taken[place], 0, __ATOMIC_ACQ_REL), 1);
    (void)end;
}

static void *loop_beside_others(void *argument)
{
    struct crowd *c = *(struct crowd **)argument;
    struct filch_for_options options = {.pool = c->pool, .grain = 1};
    for (size_t i = 0; i < xt_scaled(20); i++)
        xt_expect_equal(filch_for_with(&options, 0, 200, take_place, c), 0);
    return NULL;
}

/* More threads than the pool has room for as well. */
xt_define(nobody_shares_a_place)
{
    struct crowd crowd = {.pool = create("places", 3)};
    struct crowd *argument = &crowd;
    crowd.taken = calloc(filch_pool_places(crowd.pool), sizeof *crowd.taken);
    assert_non_null(crowd.taken);
    xt_run_threads(4, loop_beside_others, &argument, 0);
    xt_run_threads(20, loop_beside_others, &argument, 0);
    free(crowd.taken);
    destroy(crowd.pool);
}

xt_define(statistics_add_up)
{
    struct filch_pool *pool = create("stats", 2);
    struct filch_pool_stats stats;
    assert_int_equal(filch_pool_stats(pool, NULL), EINVAL);
    for (int i = 0; i < 100; i++)
        assert_int_equal(filch_pool_spawn(pool, NULL, NULL, count_run, NULL), 0);
    assert_int_equal(filch_pool_shutdown(pool, FILCH_DRAIN, FILCH_FOREVER), 0);
    assert_int_equal(filch_pool_stats(pool, &stats), 0);
    assert_int_equal(stats.tasks, 100);
    assert_int_equal(stats.suspensions, 0);
    destroy(pool);
}

xt_define(a_pool_describes_itself)
{
    struct filch_pool *pool = create("painter", 2);
    char text[4096];
    char small[8];
    assert_int_equal(filch_pool_describe(pool, NULL, 10), EINVAL);
    assert_int_equal(filch_pool_describe(pool, text, 0), EINVAL);
    assert_int_equal(filch_pool_describe(pool, text, sizeof text), 0);
    assert_non_null(strstr(text, "painter-0"));
    assert_non_null(strstr(text, "painter-1"));
    for (size_t size = 1; size <= sizeof small; size++) {
        memset(small, 'x', sizeof small);
        assert_int_equal(filch_pool_describe(pool, small, size), 0);
        assert_true(strlen(small) < size);
    }
    destroy(pool);
}

/* --- spawning --- */

xt_define(bad_spawns_are_refused)
{
    struct filch_pool *pool = create("bad", 1);
    struct filch_task *task = (void *)&ran;
    void *args[1] = {NULL};
    assert_int_equal(filch_pool_spawn(pool, &task, NULL, NULL, NULL), EINVAL);
    assert_ptr_equal(task, (void *)&ran);
    assert_int_equal(filch_pool_spawn_batch(pool, NULL, args, 1), EINVAL);
    assert_int_equal(filch_pool_spawn_batch(pool, count_run, NULL, 1), EINVAL);
    assert_int_equal(filch_pool_spawn_batch(pool, count_run, args, SIZE_MAX), EINVAL);
    assert_int_equal(filch_pool_spawn_batch(pool, count_run, NULL, 0), 0);
    assert_int_equal(filch_pool_install(pool, NULL, NULL), EINVAL);
    destroy(pool);
}

static void mark(void *argument)
{
    __atomic_fetch_add((uint8_t *)argument, 1, __ATOMIC_RELAXED);
}

xt_define(a_batch_runs_each_argument_once)
{
    static const size_t counts[] = {1, 2, 125, 126, 127, 1000, 20000};
    for (size_t k = 0; k < sizeof counts / sizeof counts[0]; k++) {
        struct filch_pool *pool = create("batch", 3);
        size_t count = counts[k];
        uint8_t *marks = calloc(count, 1);
        void **args = calloc(count, sizeof *args);
        assert_true(marks != NULL && args != NULL);
        for (size_t i = 0; i < count; i++)
            args[i] = &marks[i];
        assert_int_equal(filch_pool_spawn_batch(pool, mark, args, count), 0);
        memset(args, 0, count * sizeof *args); /* they have been copied */
        destroy(pool);
        for (size_t i = 0; i < count; i++)
            assert_int_equal(marks[i], 1);
        free(args);
        free(marks);
    }
}

struct breeder {
    struct filch_pool *pool;
    unsigned depth;
};

/* Each task spawns two, down to depth 0: twice 2^depth - 1 tasks in all. */
static void breed(void *argument)
{
    struct breeder *breeder = argument;
    count_run(NULL);
    for (int i = 0; i < 2 && breeder->depth > 0; i++) {
        struct breeder *child = malloc(sizeof *child);
        *child = (struct breeder){breeder->pool, breeder->depth - 1};
        xt_expect_equal(filch_pool_spawn(breeder->pool, NULL, NULL, breed, child), 0);
    }
    free(breeder);
}

xt_define(tasks_spawn_tasks_while_the_pool_drains)
{
    unsigned depth = XT_TSAN || XT_ASAN ? 8 : 12;
    struct filch_pool *pool = create("breed", 3);
    struct breeder *first = malloc(sizeof *first);
    *first = (struct breeder){pool, depth};
    ran = 0;
    assert_int_equal(filch_pool_spawn(pool, NULL, NULL, breed, first), 0);
    assert_int_equal(filch_pool_shutdown(pool, FILCH_DRAIN, FILCH_FOREVER), 0);
    assert_int_equal(ran, (UINT64_C(2) << depth) - 1);
    destroy(pool);
}

struct flood {
    struct filch_pool *pool;
    size_t count;
    uint64_t rss_max;
};

static void flood(void *argument)
{
    struct flood *f = argument;
    for (size_t i = 0; i < f->count; i++) {
        xt_expect_equal(filch_pool_spawn(f->pool, NULL, NULL, count_run, NULL), 0);
        if (i % 65536 == 0 && xt_rss_bytes() > f->rss_max)
            f->rss_max = xt_rss_bytes();
    }
}

xt_define(a_task_that_floods_its_pool_keeps_memory_bounded)
{
    static const size_t widths[] = {1, 2};
    for (size_t i = 0; i < 2; i++) {
        struct filch_pool *pool = create("flood", widths[i]);
        struct flood f = {pool, xt_scaled(2000000), 0};
        uint64_t before = xt_rss_bytes();
        ran = 0;
        assert_int_equal(filch_pool_install(pool, flood, &f), 0);
        assert_int_equal(filch_pool_shutdown(pool, FILCH_DRAIN, FILCH_FOREVER), 0);
        assert_int_equal(ran, f.count);
        if (!XT_ASAN && !XT_TSAN)
            assert_true(f.rss_max < before + 16 * 1024 * 1024);
        destroy(pool);
    }
}

/* --- shutting down --- */

xt_define(bad_shutdowns_are_refused)
{
    struct filch_pool *pool = create("bad", 1);
    assert_int_equal(filch_pool_shutdown(NULL, FILCH_DRAIN, FILCH_FOREVER), EINVAL);
    assert_int_equal(filch_pool_shutdown(pool, (enum filch_shutdown)2, FILCH_FOREVER), EINVAL);
    assert_int_equal(filch_pool_destroy(NULL), 0);
    ran = 0;
    assert_int_equal(filch_pool_spawn(pool, NULL, NULL, count_run, NULL), 0);
    destroy(pool);
    assert_int_equal(ran, 1);
}

xt_define(the_default_pool_does_not_end)
{
    struct filch_pool *pool;
    struct filch_pool *again;
    assert_int_equal(filch_pool_default(NULL), EINVAL);
    assert_int_equal(filch_pool_default(&pool), 0);
    assert_int_equal(filch_pool_default(&again), 0);
    assert_ptr_equal(pool, again);
    assert_int_equal(filch_pool_shutdown(pool, FILCH_DRAIN, FILCH_FOREVER), EPERM);
    assert_int_equal(filch_pool_shutdown(pool, FILCH_CANCEL, 0), EPERM);
    assert_int_equal(filch_pool_destroy(pool), EPERM);
    assert_int_equal(filch_pool_width(NULL), filch_pool_width(pool));
    assert_int_equal(filch_pool_places(NULL), filch_pool_places(pool));
    struct filch_task *task;
    ran = 0;
    assert_int_equal(filch_pool_spawn(NULL, &task, NULL, count_run, NULL), 0);
    assert_int_equal(filch_task_join(task), 0);
    assert_int_equal(ran, 1);
}

xt_define(a_drain_runs_everything_first)
{
    struct filch_pool *pool = create("drain", 2);
    struct gate gate = {0};
    assert_int_equal(filch_pool_spawn(pool, NULL, NULL, wait_at_gate, &gate), 0);
    assert_int_equal(filch_pool_spawn(pool, NULL, NULL, wait_at_gate, &gate), 0);
    await_entered(&gate, 2);
    ran = 0;
    for (int i = 0; i < 1000; i++)
        assert_int_equal(filch_pool_spawn(pool, NULL, NULL, count_run, NULL), 0);
    int64_t begin = xt_now_ns();
    assert_int_equal(filch_pool_shutdown(pool, FILCH_DRAIN, filch_deadline_in(20 * FILCH_MS)),
                     ETIMEDOUT);
    assert_true(xt_now_ns() - begin >= 20 * FILCH_MS);
    assert_int_equal(filch_pool_shutdown(pool, FILCH_DRAIN, 0), ETIMEDOUT);
    assert_int_equal(filch_pool_shutdown(pool, FILCH_DRAIN, -1), ETIMEDOUT);
    struct filch_task *task = (void *)&ran;
    assert_int_equal(filch_pool_spawn(pool, &task, NULL, count_run, NULL), ESHUTDOWN);
    assert_ptr_equal(task, (void *)&ran);
    void *args[1] = {NULL};
    assert_int_equal(filch_pool_spawn_batch(pool, count_run, args, 1), ESHUTDOWN);
    assert_int_equal(filch_pool_install(pool, count_run, NULL), ESHUTDOWN);
    open_gate(&gate);
    assert_int_equal(filch_pool_shutdown(pool, FILCH_DRAIN, FILCH_FOREVER), 0);
    assert_int_equal(ran, 1000);
    assert_int_equal(filch_pool_shutdown(pool, FILCH_DRAIN, 0), 0);
    assert_int_equal(filch_pool_shutdown(pool, FILCH_CANCEL, 0), 0);
    assert_int_equal(filch_pool_spawn(pool, NULL, NULL, count_run, NULL), ESHUTDOWN);
    assert_int_equal(filch_pool_install(pool, count_run, NULL), ESHUTDOWN);
    assert_int_equal(filch_pool_width(pool), 2);
    destroy(pool);
}

enum { CANCEL_TASKS = 500 };

static void cancel_after(enum filch_shutdown first)
{
    static const struct filch_task_attr attr = {.name = "victim", .drop = count_drop};
    struct filch_pool *pool = create("cancel", 2);
    struct gate gate = {0};
    struct filch_task *tasks[CANCEL_TASKS];
    for (int i = 0; i < 2; i++)
        assert_int_equal(filch_pool_spawn(pool, NULL, NULL, wait_at_gate, &gate), 0);
    await_entered(&gate, 2);
    ran = dropped = 0;
    for (int i = 0; i < CANCEL_TASKS; i++) {
        assert_int_equal(filch_pool_spawn(pool, &tasks[i], &attr, count_run, NULL), 0);
        assert_int_equal(filch_pool_spawn(pool, NULL, &attr, count_run, NULL), 0);
        assert_int_equal(filch_pool_spawn(pool, NULL, &(struct filch_task_attr){.drop = count_drop},
                                          count_run, NULL),
                         0);
        assert_int_equal(filch_pool_spawn(pool, NULL, NULL, count_run, NULL), 0);
    }
    if (first == FILCH_DRAIN)
        assert_int_equal(filch_pool_shutdown(pool, FILCH_DRAIN, 0), ETIMEDOUT);
    assert_int_equal(filch_pool_shutdown(pool, FILCH_CANCEL, 0), ETIMEDOUT);
    assert_int_equal(ran, 0);
    open_gate(&gate);
    for (int i = 0; i < CANCEL_TASKS; i++)
        assert_int_equal(filch_task_join(tasks[i]), ECANCELED);
    assert_int_equal(filch_pool_shutdown(pool, FILCH_CANCEL, FILCH_FOREVER), 0);
    assert_int_equal(ran, 0);
    assert_int_equal(dropped, 3 * CANCEL_TASKS);
    destroy(pool);
}

xt_define(a_cancelled_pool_drops_what_has_not_started)
{
    cancel_after(FILCH_CANCEL);
}

xt_define(a_cancellation_overrides_a_drain)
{
    cancel_after(FILCH_DRAIN);
}

/* Each task runs or is dropped, never both, however the cancellation falls among them. */
xt_define(a_cancellation_in_the_middle_loses_nothing)
{
    static const struct filch_task_attr attr = {.drop = count_drop};
    size_t rounds = xt_scaled(200);
    uint64_t seed = xt_seed();
    for (size_t i = 0; i < rounds; i++) {
        struct filch_pool *pool = create("cancel", 1 + i % 3);
        ran = dropped = 0;
        uint64_t accepted = 0;
        uint64_t count = xt_random(&seed) % 300;
        for (uint64_t k = 0; k < count; k++)
            accepted += filch_pool_spawn(pool, NULL, &attr, count_run, NULL) == 0;
        assert_int_equal(accepted, count);
        assert_int_equal(filch_pool_shutdown(pool, FILCH_CANCEL, FILCH_FOREVER), 0);
        assert_int_equal(ran + dropped, accepted);
        destroy(pool);
    }
}

struct end_call {
    struct filch_pool *pool;
    int shutdown;
    int destroy;
};

static void end_own_pool(void *argument)
{
    struct end_call *call = argument;
    call->shutdown = filch_pool_shutdown(call->pool, FILCH_DRAIN, FILCH_FOREVER);
    call->destroy = filch_pool_destroy(call->pool);
}

xt_define(a_task_cannot_end_its_own_pool)
{
    struct filch_pool *pool = create("own", 1);
    struct end_call call = {.pool = pool};
    assert_int_equal(filch_pool_install(pool, end_own_pool, &call), 0);
    assert_int_equal(call.shutdown, EDEADLK);
    assert_int_equal(call.destroy, EDEADLK);
    destroy(pool);
}

xt_define(a_task_ends_another_pool)
{
    struct filch_pool *pool = create("one", 1);
    struct filch_pool *other = create("two", 2);
    ran = 0;
    assert_int_equal(filch_pool_spawn(other, NULL, NULL, count_run, NULL), 0);
    struct end_call call = {.pool = other, .shutdown = -1, .destroy = -1};
    assert_int_equal(filch_pool_install(pool, end_own_pool, &call), 0);
    assert_int_equal(call.shutdown, 0);
    assert_int_equal(call.destroy, 0);
    assert_int_equal(ran, 1);
    destroy(pool);
}

struct guest {
    struct filch_pool *pool;
    struct gate gate;
};

static void gate_body(size_t begin, size_t end, void *ctx)
{
    if (begin == 0)
        wait_at_gate(ctx);
    (void)end;
}

static void *loop_on_pool(void *argument)
{
    struct guest *guest = argument;
    struct filch_for_options options = {.pool = guest->pool, .grain = 1};
    xt_expect_equal(filch_for_with(&options, 0, 4, gate_body, &guest->gate), 0);
    return NULL;
}

xt_define(a_pool_in_use_from_outside_is_busy)
{
    struct guest guest = {.pool = create("busy", 2)};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, loop_on_pool, &guest), 0);
    await_entered(&guest.gate, 1);
    assert_int_equal(filch_pool_destroy(guest.pool), EBUSY);
    assert_int_equal(filch_pool_shutdown(guest.pool, FILCH_DRAIN, filch_deadline_in(FILCH_MS)),
                     ETIMEDOUT);
    open_gate(&guest.gate);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(filch_pool_shutdown(guest.pool, FILCH_DRAIN, FILCH_FOREVER), 0);
    destroy(guest.pool);
}

static void *shut_down(void *argument)
{
    struct filch_pool **pool = argument;
    xt_expect_equal(filch_pool_shutdown(*pool, FILCH_DRAIN, FILCH_FOREVER), 0);
    return NULL;
}

xt_define(several_threads_may_shut_down)
{
    for (int i = 0; i < 20; i++) {
        struct filch_pool *pool = create("many", 2);
        ran = 0;
        for (int k = 0; k < 100; k++)
            assert_int_equal(filch_pool_spawn(pool, NULL, NULL, count_run, NULL), 0);
        xt_run_threads(4, shut_down, &pool, 0);
        assert_int_equal(ran, 100);
        destroy(pool);
    }
}

xt_define(errno_is_preserved)
{
    struct filch_pool *pool = NULL;
    struct filch_task *task;
    errno = ENOTTY;
    assert_int_equal(filch_pool_create(&pool, NULL), 0);
    assert_int_equal(errno, ENOTTY);
    assert_int_equal(filch_pool_spawn(pool, &task, NULL, count_run, NULL), 0);
    assert_int_equal(filch_task_join(task), 0);
    assert_int_equal(errno, ENOTTY);
    assert_int_equal(filch_pool_install(pool, count_run, NULL), 0);
    assert_int_equal(errno, ENOTTY);
    assert_int_equal(filch_pool_shutdown(pool, FILCH_DRAIN, FILCH_FOREVER), 0);
    assert_int_equal(filch_pool_destroy(pool), 0);
    assert_int_equal(errno, ENOTTY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        xt_test(bad_configurations_are_refused),
        xt_test(every_width_works),
        xt_test(every_width_works_on_one_cpu),
        xt_test(the_largest_pool_works),
        xt_test(pools_come_and_go),
        xt_test(workers_have_names),
        xt_test(places_are_known),
        xt_test(nobody_shares_a_place),
        xt_test(statistics_add_up),
        xt_test(a_pool_describes_itself),
        xt_test(bad_spawns_are_refused),
        xt_test(a_batch_runs_each_argument_once),
        xt_test(tasks_spawn_tasks_while_the_pool_drains),
        xt_test(a_task_that_floods_its_pool_keeps_memory_bounded),
        xt_test(bad_shutdowns_are_refused),
        xt_test(the_default_pool_does_not_end),
        xt_test(a_drain_runs_everything_first),
        xt_test(a_cancelled_pool_drops_what_has_not_started),
        xt_test(a_cancellation_overrides_a_drain),
        xt_test(a_cancellation_in_the_middle_loses_nothing),
        xt_test(a_task_cannot_end_its_own_pool),
        xt_test(a_task_ends_another_pool),
        xt_test(a_pool_in_use_from_outside_is_busy),
        xt_test(several_threads_may_shut_down),
        xt_test(errno_is_preserved),
    };
    return xt_run(tests);
}
