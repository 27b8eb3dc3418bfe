/* SPDX-License-Identifier: Apache-2.0 */
/* filch_blocking: only the task waits, and whatever its call does comes back. */
#define _GNU_SOURCE /* gettid, sched_getaffinity */
#include "test.h"

#include "pool.h"

#include <dirent.h>
#include <errno.h>
#include <fenv.h>
#include <filch/filch.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static struct filch_pool *create(size_t workers, size_t threads_max)
{
    struct filch_pool *pool = NULL;
    struct filch_pool_config config = {
        .name = "blk", .workers = workers, .blocking_threads_max = threads_max};
    assert_int_equal(filch_pool_create(&pool, &config), 0);
    return pool;
}

static void destroy(struct filch_pool *pool)
{
    assert_int_equal(filch_pool_destroy(pool), 0);
}

static struct filch_pool_stats stats_of(struct filch_pool *pool)
{
    struct filch_pool_stats stats;
    assert_int_equal(filch_pool_stats(pool, &stats), 0);
    return stats;
}

static void install(struct filch_pool *pool, void (*fn)(void *), void *arg)
{
    assert_int_equal(filch_pool_install(pool, fn, arg), 0);
}

static struct filch_task *spawn(struct filch_pool *pool, void (*fn)(void *), void *arg)
{
    struct filch_task *task = NULL;
    xt_expect_equal(filch_pool_spawn(pool, &task, NULL, fn, arg), 0);
    return task;
}

static void *give_back(void *arg)
{
    return arg;
}

static size_t threads_of_process(void)
{
    DIR *directory = opendir("/proc/self/task");
    size_t count = 0;
    assert_non_null(directory);
    while (readdir(directory) != NULL)
        count++;
    closedir(directory);
    return count - 2;
}

/* --- where it runs --- */

xt_define(it_wants_a_function)
{
    void *result = &result;
    assert_int_equal(filch_blocking(NULL, NULL, &result), EINVAL);
    assert_ptr_equal(result, &result);
}

static void *tid(void *arg)
{
    *(pid_t *)arg = gettid();
    return arg;
}

xt_define(outside_of_every_pool_it_is_a_call)
{
    pid_t where = 0;
    void *result = NULL;
    assert_int_equal(filch_blocking(tid, &where, &result), 0);
    assert_int_equal(where, gettid());
    assert_ptr_equal(result, &where);
    assert_int_equal(filch_blocking_until(give_back, NULL, 0, NULL), 0); /* it need not wait */
}

struct where {
    pid_t worker, spare;
    char name[32];
    size_t index;
    struct filch_pool *pool;
    int cpus;
};

static void *look_around(void *arg)
{
    struct where *where = arg;
    cpu_set_t cpus;
    where->spare = gettid();
    snprintf(where->name, sizeof where->name, "%s", filch_thread_name(filch_thread_current()));
    where->index = filch_worker_index();
    where->pool = filch_pool_current();
    where->cpus = sched_getaffinity(0, sizeof cpus, &cpus) == 0 ? CPU_COUNT(&cpus) : 0;
    return where;
}

static void look_around_elsewhere(void *arg)
{
    struct where *where = arg;
    void *result = NULL;
    where->worker = gettid();
    xt_expect_equal(filch_blocking(look_around, where, &result), 0);
    xt_expect(result == where);
    xt_expect_equal(gettid(), where->worker);
    xt_expect(filch_worker_index() == 0);
}

xt_define(in_a_task_it_runs_on_a_spare_thread)
{
    struct filch_pool *pool = create(1, 0);
    struct where where = {0};
    cpu_set_t cpus;
    assert_int_equal(sched_getaffinity(0, sizeof cpus, &cpus), 0);
    install(pool, look_around_elsewhere, &where);
    assert_int_not_equal(where.spare, where.worker);
    assert_string_equal(where.name, "blk-block-0");
    assert_true(where.index == FILCH_NOT_A_WORKER);
    assert_null(where.pool);
    assert_int_equal(where.cpus, CPU_COUNT(&cpus));
    destroy(pool);
}

static void block_in_loop(size_t begin, size_t end, void *ctx)
{
    struct where *where = ctx;
    (void)begin;
    (void)end;
    where->worker = gettid();
    xt_expect_equal(filch_blocking(look_around, where, NULL), 0);
}

xt_define(in_a_loop_of_a_guest_as_well)
{
    struct filch_pool *pool = create(1, 0);
    struct where where = {0};
    struct filch_for_options options = {.pool = pool};
    assert_int_equal(filch_for_with(&options, 0, 1, block_in_loop, &where), 0);
    assert_int_not_equal(where.spare, where.worker);
    destroy(pool);
}

struct pipe_ends {
    int ends[2];
    char read;
};

static void *read_byte(void *arg)
{
    struct pipe_ends *p = arg;
    return read(p->ends[0], &p->read, 1) == 1 ? p : NULL;
}

static void read_byte_elsewhere(void *arg)
{
    void *result = NULL;
    xt_expect_equal(filch_blocking(read_byte, arg, &result), 0);
    xt_expect(result == arg);
}

static void write_byte(void *arg)
{
    xt_expect(write(((struct pipe_ends *)arg)->ends[1], "x", 1) == 1);
}

/* One worker: who waits for the byte must not have it. */
xt_define(the_worker_goes_on)
{
    struct filch_pool *pool = create(1, 0);
    struct pipe_ends p = {.read = 0};
    assert_int_equal(pipe(p.ends), 0);
    struct filch_task *reader = spawn(pool, read_byte_elsewhere, &p);
    struct filch_task *writer = spawn(pool, write_byte, &p);
    assert_int_equal(filch_task_join(reader), 0);
    assert_int_equal(filch_task_join(writer), 0);
    assert_int_equal(p.read, 'x');
    close(p.ends[0]);
    close(p.ends[1]);
    destroy(pool);
}

/* --- what comes back --- */

static void *change_modes(void *arg)
{
    xt_expect_equal(errno, EXDEV);
    xt_expect_equal(fegetround(), FE_UPWARD);
    errno = EPIPE;
    fesetround(FE_TOWARDZERO);
    return arg;
}

static void keep_modes(void *arg)
{
    int rounding = fegetround();
    errno = EXDEV;
    fesetround(FE_UPWARD);
    xt_expect_equal(filch_blocking(change_modes, arg, NULL), 0);
    xt_expect_equal(errno, EPIPE);
    xt_expect_equal(fegetround(), FE_TOWARDZERO);
    fesetround(rounding);
}

xt_define(errno_and_modes_go_there_and_come_back)
{
    struct filch_pool *pool = create(1, 0);
    install(pool, keep_modes, NULL);
    destroy(pool);
}

static void *panic_there(void *arg)
{
    filch_panic("there: %d", *(int *)arg);
}

static void call_that_panics(void *arg)
{
    void *result = arg;
    int error = filch_blocking(panic_there, arg, &result);
    xt_expect(error != error); /* not reached */
}

static void catch_the_panic(void *arg)
{
    struct filch_panic *panic = NULL;
    (void)arg;
    for (int i = 0; i < 20; i++) {
        xt_expect_equal(filch_catch_unwind(call_that_panics, &i, &panic), EOWNERDEAD);
        char expected[32];
        snprintf(expected, sizeof expected, "there: %d", i);
        xt_expect(strcmp(filch_panic_message(panic), expected) == 0);
        filch_panic_free(panic);
    }
}

static void say_nothing(const struct filch_panic *panic)
{
    (void)panic;
}

xt_define(a_panic_comes_back)
{
    struct filch_pool *pool = create(1, 0);
    filch_panic_hook *before = filch_panic_set_hook(say_nothing);
    install(pool, catch_the_panic, NULL);
    int number = 7;
    struct filch_task *task = spawn(pool, call_that_panics, &number);
    assert_int_equal(filch_task_join(task), EOWNERDEAD);
    filch_panic_set_hook(before);
    assert_int_equal(stats_of(pool).blocking_threads, 1);
    destroy(pool);
}

/* --- how many --- */

struct gate {
    struct filch_pool *pool;
    uint32_t is_open;
    uint32_t inside, inside_max;
    uint32_t begun;
    uint32_t order[64];
};

static void *wait_at_gate(void *arg)
{
    struct gate *g = arg;
    uint32_t inside = __atomic_add_fetch(&g->inside, 1, __ATOMIC_ACQ_REL);
    uint32_t seen = __atomic_load_n(&g->inside_max, __ATOMIC_RELAXED);
    while (seen < inside && !__atomic_compare_exchange_n(&g->inside_max, &seen, inside, 0,
                                                         __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
    }
    while (!__atomic_load_n(&g->is_open, __ATOMIC_ACQUIRE))
        xt_sleep_ns(100 * FILCH_US);
    __atomic_sub_fetch(&g->inside, 1, __ATOMIC_ACQ_REL);
    return arg;
}

static void wait_elsewhere(void *arg)
{
    xt_expect_equal(filch_blocking(wait_at_gate, arg, NULL), 0);
}

static void wait_until_inside(struct gate *g, uint32_t count)
{
    while (__atomic_load_n(&g->inside, __ATOMIC_ACQUIRE) < count)
        xt_sleep_ns(100 * FILCH_US);
}

static void wait_for_calls(struct filch_pool *pool, uint64_t count)
{
    while (stats_of(pool).blocking_calls < count)
        xt_sleep_ns(100 * FILCH_US);
}

xt_define(no_more_threads_than_allowed)
{
    enum { CALLS = 20, THREADS = 3 };
    struct filch_pool *pool = create(2, THREADS);
    struct gate gate = {0};
    struct filch_task *tasks[CALLS];
    for (int i = 0; i < CALLS; i++)
        tasks[i] = spawn(pool, wait_elsewhere, &gate);
    wait_for_calls(pool, CALLS); /* all wait, and the workers are free */
    wait_until_inside(&gate, THREADS);
    assert_int_equal(stats_of(pool).blocking_threads, THREADS);
    __atomic_store_n(&gate.is_open, 1, __ATOMIC_RELEASE);
    for (int i = 0; i < CALLS; i++)
        assert_int_equal(filch_task_join(tasks[i]), 0);
    assert_int_equal(gate.inside_max, THREADS);
    assert_int_equal(stats_of(pool).blocking_refused, 0);
    destroy(pool);
}

xt_define(limits_out_of_range)
{
    struct filch_pool *pool = NULL;
    struct filch_pool_config config = {.workers = 1, .blocking_threads_max = 4097};
    assert_int_equal(filch_pool_create(&pool, &config), EINVAL);
    config.blocking_threads_max = SIZE_MAX;
    assert_int_equal(filch_pool_create(&pool, &config), EINVAL);
    config.blocking_threads_max = 4096;
    assert_int_equal(filch_pool_create(&pool, &config), 0);
    destroy(pool);
}

struct numbered {
    struct gate *gate;
    uint32_t number;
};

static void *note_order(void *arg)
{
    struct numbered *n = arg;
    n->gate->order[__atomic_fetch_add(&n->gate->begun, 1, __ATOMIC_ACQ_REL)] = n->number;
    return arg;
}

static void note_order_elsewhere(void *arg)
{
    xt_expect_equal(filch_blocking(note_order, arg, NULL), 0);
}

xt_define(the_oldest_call_is_next)
{
    enum { CALLS = 20 };
    struct filch_pool *pool = create(1, 1);
    struct gate gate = {0};
    struct numbered numbers[CALLS];
    struct filch_task *tasks[CALLS];
    struct filch_task *first = spawn(pool, wait_elsewhere, &gate);
    wait_until_inside(&gate, 1);
    for (uint32_t i = 0; i < CALLS; i++) {
        numbers[i] = (struct numbered){&gate, i};
        tasks[i] = spawn(pool, note_order_elsewhere, &numbers[i]);
        wait_for_calls(pool, i + 2);
    }
    __atomic_store_n(&gate.is_open, 1, __ATOMIC_RELEASE);
    assert_int_equal(filch_task_join(first), 0);
    for (uint32_t i = 0; i < CALLS; i++) {
        assert_int_equal(filch_task_join(tasks[i]), 0);
        assert_int_equal(gate.order[i], i);
    }
    destroy(pool);
}

/* --- deadlines --- */

struct late {
    struct gate *gate;
    int64_t wait_ns;
    int result;
    bool was_called;
};

static void *note_call(void *arg)
{
    ((struct late *)arg)->was_called = true;
    return arg;
}

static void call_in_time(void *arg)
{
    struct late *late = arg;
    void *result = &result;
    int64_t deadline = filch_deadline_in(late->wait_ns);
    late->result = filch_blocking_until(note_call, late, deadline, &result);
    xt_expect(result == (late->result == 0 ? (void *)late : (void *)&result));
    xt_expect(late->result == 0 || xt_now_ns() >= deadline);
}

xt_define(what_has_not_begun_in_time_never_does)
{
    struct filch_pool *pool = create(1, 1);
    struct gate gate = {0};
    struct late late[3] = {{&gate, 10 * FILCH_MS, -1, false},
                           {&gate, 3600 * FILCH_S, -1, false},
                           {&gate, 5 * FILCH_MS, -1, false}};
    struct filch_task *tasks[3];
    struct filch_task *first = spawn(pool, wait_elsewhere, &gate);
    wait_until_inside(&gate, 1);
    for (int i = 0; i < 3; i++)
        tasks[i] = spawn(pool, call_in_time, &late[i]);
    for (int i = 0; i < 3; i += 2) {
        assert_int_equal(filch_task_join(tasks[i]), 0);
        assert_int_equal(late[i].result, ETIMEDOUT);
    }
    __atomic_store_n(&gate.is_open, 1, __ATOMIC_RELEASE);
    assert_int_equal(filch_task_join(tasks[1]), 0);
    assert_int_equal(late[1].result, 0);
    assert_int_equal(filch_task_join(first), 0);
    assert_true(late[1].was_called && !late[0].was_called && !late[2].was_called);
    destroy(pool);
}

static void *nap(void *arg)
{
    xt_sleep_ns(20 * FILCH_MS);
    *(uint32_t *)arg = 1;
    return arg;
}

static void nap_beyond_deadline(void *arg)
{
    uint32_t has_ended = 0;
    (void)arg;
    xt_expect_equal(filch_blocking_until(nap, &has_ended, filch_deadline_in(FILCH_MS), NULL), 0);
    xt_expect_equal(has_ended, 1);
}

/* A thread is idle, so the call begins at once: its frame is borrowed, whatever the clock says. */
xt_define(what_has_begun_is_waited_for)
{
    struct filch_pool *pool = create(1, 1);
    struct late warm = {.wait_ns = 3600 * FILCH_S};
    install(pool, call_in_time, &warm);
    install(pool, nap_beyond_deadline, NULL);
    destroy(pool);
}

/* --- their lives --- */

static void call_often(void *arg)
{
    for (uintptr_t i = 0; i < 1000; i++) {
        void *result = NULL;
        xt_expect_equal(filch_blocking(give_back, (void *)i, &result), 0);
        xt_expect(result == (void *)i);
    }
    (void)arg;
}

xt_define(threads_are_used_again)
{
    struct filch_pool *pool = create(1, 0);
    install(pool, call_often, NULL);
    assert_int_equal(stats_of(pool).blocking_calls, 1000);
    assert_int_equal(stats_of(pool).blocking_threads, 1);
    int64_t before_ns = xt_cpu_ns();
    xt_sleep_ns(100 * FILCH_MS);
    assert_true(xt_cpu_ns() - before_ns < 50 * FILCH_MS);
    destroy(pool);
}

xt_define(idle_threads_end)
{
    struct filch_pool *pool = create(1, 0);
    size_t before = threads_of_process();
    int64_t idle_ns = filch__blocking_idle_ns;
    filch__blocking_idle_ns = 5 * FILCH_MS;
    for (int i = 0; i < 3; i++) {
        struct where where = {0};
        install(pool, look_around_elsewhere, &where);
        assert_string_equal(where.name, "blk-block-0");
        while (stats_of(pool).blocking_threads != 0 || threads_of_process() > before)
            xt_sleep_ns(FILCH_MS);
    }
    filch__blocking_idle_ns = idle_ns;
    destroy(pool);
}

static void call_elsewhere(void *arg)
{
    xt_expect_equal(filch_blocking(give_back, arg, NULL), 0);
}

/* Nobody will ever destroy the default pool, and join them: ThreadSanitizer counts those at the end. */
xt_define(idle_threads_of_the_default_pool_end_for_good)
{
    struct filch_pool *pool = NULL;
    int64_t idle_ns = filch__blocking_idle_ns;
    assert_int_equal(filch_pool_default(&pool), 0);
    filch__blocking_idle_ns = 5 * FILCH_MS;
    for (int i = 0; i < 3; i++) {
        install(pool, call_elsewhere, NULL);
        while (stats_of(pool).blocking_threads != 0)
            xt_sleep_ns(FILCH_MS);
        filch__lock(&pool->blocking.lock);
        assert_false(pool->blocking.spares[0].is_used);
        filch__unlock(&pool->blocking.lock);
    }
    filch__blocking_idle_ns = idle_ns;
}

xt_define(the_pool_ends_them)
{
    size_t before = threads_of_process();
    for (int i = 0; i < 20; i++) {
        struct filch_pool *pool = create(2, 0);
        struct gate gate = {.is_open = 1};
        for (int k = 0; k < 10; k++)
            filch_task_detach(spawn(pool, wait_elsewhere, &gate));
        if (i % 2 == 0)
            assert_int_equal(filch_pool_shutdown(pool, FILCH_DRAIN, FILCH_FOREVER), 0);
        destroy(pool);
    }
    /* Gone for us before the kernel has forgotten them; perhaps one of another test was there at first. */
    while (threads_of_process() > before)
        xt_sleep_ns(FILCH_MS);
}

static void call_and_nap(void *arg)
{
    for (int i = 0; i < 50; i++) {
        xt_expect_equal(filch_blocking(give_back, arg, NULL), 0);
        if (i % 5 == 0)
            filch_sleep_ns(20 * FILCH_US);
    }
    __atomic_add_fetch((uint64_t *)arg, 1, __ATOMIC_RELAXED);
}

/* Threads that end all the time, and others that are started in their places. */
xt_define(threads_come_and_go)
{
    enum { TASKS = 100 };
    int64_t idle_ns = filch__blocking_idle_ns;
    for (int64_t ns = 0; ns <= 20 * FILCH_US; ns += 10 * FILCH_US) {
        struct filch_pool *pool = create(3, 4);
        uint64_t count = 0;
        filch__blocking_idle_ns = ns;
        struct filch_task *tasks[TASKS];
        for (int i = 0; i < TASKS; i++)
            tasks[i] = spawn(pool, call_and_nap, &count);
        for (int i = 0; i < TASKS; i++)
            assert_int_equal(filch_task_join(tasks[i]), 0);
        assert_int_equal(count, TASKS);
        assert_int_equal(stats_of(pool).blocking_refused, 0);
        destroy(pool);
        filch__blocking_idle_ns = idle_ns;
    }
}

/* --- no thread to be had --- */

xt_define(without_a_thread_the_worker_waits)
{
    xt_faults_install();
    struct filch_pool *pool = create(1, 0);
    struct where where = {0};
    xt_faults_arm(XT_THREAD, 1, XT_FAULT_ONWARD);
    install(pool, look_around_elsewhere, &where);
    assert_int_equal(where.spare, where.worker);
    assert_int_equal(stats_of(pool).blocking_refused, 1);
    assert_int_equal(stats_of(pool).blocking_threads, 0);
    assert_true(xt_faults_disarm() > 0);
    install(pool, look_around_elsewhere, &where);
    assert_int_not_equal(where.spare, where.worker);
    destroy(pool);
    xt_faults_remove();
}

xt_define(where_there_is_one_the_others_wait_for_it)
{
    enum { CALLS = 10 };
    xt_faults_install();
    struct filch_pool *pool = create(1, 0);
    struct gate gate = {0};
    struct filch_task *tasks[CALLS];
    xt_faults_arm(XT_THREAD, 2, XT_FAULT_ONWARD);
    for (int i = 0; i < CALLS; i++)
        tasks[i] = spawn(pool, wait_elsewhere, &gate);
    wait_for_calls(pool, CALLS);
    __atomic_store_n(&gate.is_open, 1, __ATOMIC_RELEASE);
    for (int i = 0; i < CALLS; i++)
        assert_int_equal(filch_task_join(tasks[i]), 0);
    assert_int_equal(gate.inside_max, 1);
    assert_int_equal(stats_of(pool).blocking_threads, 1);
    assert_int_equal(stats_of(pool).blocking_refused, 0);
    assert_true(xt_faults_disarm() > 0);
    destroy(pool);
    xt_faults_remove();
}

/* The thread for a call cannot be started, which is found out after something else has happened. */
static struct {
    struct filch_pool *pool;
    struct gate *gate; /* of the first call, whose thread is started; NULL: none is */
    uint64_t calls;    /* so many are to have been made */
    uint32_t attempts;
} late_failure;

static int fail_late(pthread_t *thread, const pthread_attr_t *attributes, void *(*entry)(void *),
                     void *argument)
{
    if (late_failure.pool == NULL ||
        (late_failure.gate != NULL && late_failure.attempts++ == 0)) /* its workers; the first */
        return filch__os_linux.thread_create(thread, attributes, entry, argument);
    while (stats_of(late_failure.pool).blocking_calls < late_failure.calls)
        xt_sleep_ns(100 * FILCH_US);
    if (late_failure.gate == NULL)
        return EAGAIN;
    __atomic_store_n(&late_failure.gate->is_open, 1, __ATOMIC_RELEASE);
    struct blocking *b = &late_failure.pool->blocking;
    for (bool is_idle = false; !is_idle; xt_sleep_ns(100 * FILCH_US)) {
        filch__lock(&b->lock);
        is_idle = b->idle != NULL;
        filch__unlock(&b->lock);
    }
    return EAGAIN;
}

/* Makes a pool in whose spare threads that happens. */
static struct filch_pool *create_with_late_failure(size_t workers, size_t threads_max,
                                                   struct gate *gate, uint64_t calls)
{
    static struct os_table table;
    table = filch__os_linux;
    table.thread_create = fail_late;
    late_failure.pool = NULL;
    late_failure.gate = gate;
    late_failure.calls = calls;
    late_failure.attempts = 0;
    filch__os_replace(&table);
    late_failure.pool = create(workers, threads_max);
    return late_failure.pool;
}

static void add_one_elsewhere(void *count)
{
    void *result = NULL;
    xt_expect_equal(filch_blocking(give_back, count, &result), 0);
    xt_expect(result == count);
    __atomic_fetch_add((uint32_t *)count, 1, __ATOMIC_RELAXED);
}

/* Two calls wait for the thread of a third one. */
xt_define(calls_that_wait_for_a_thread_that_cannot_be_started)
{
    enum { CALLS = 3 };
    struct filch_pool *pool = create_with_late_failure(CALLS, 1, NULL, CALLS);
    struct filch_task *tasks[CALLS];
    uint32_t count = 0;
    for (int i = 0; i < CALLS; i++)
        tasks[i] = spawn(pool, add_one_elsewhere, &count);
    for (int i = 0; i < CALLS; i++)
        assert_int_equal(filch_task_join(tasks[i]), 0);
    assert_int_equal(count, CALLS);
    assert_int_equal(stats_of(pool).blocking_refused, CALLS);
    assert_int_equal(stats_of(pool).blocking_threads, 0);
    destroy(pool);
    filch__os_replace(NULL);
}

/* The thread of another call has become idle meanwhile. */
xt_define(a_call_whose_thread_cannot_be_started_finds_an_idle_one)
{
    struct gate gate = {0};
    struct filch_pool *pool = create_with_late_failure(2, 2, &gate, 0);
    uint32_t count = 0;
    struct filch_task *first = spawn(pool, wait_elsewhere, &gate);
    wait_until_inside(&gate, 1);
    struct filch_task *second = spawn(pool, add_one_elsewhere, &count);
    assert_int_equal(filch_task_join(first), 0);
    assert_int_equal(filch_task_join(second), 0);
    assert_int_equal(count, 1);
    assert_int_equal(stats_of(pool).blocking_refused, 0);
    assert_int_equal(stats_of(pool).blocking_threads, 1);
    destroy(pool);
    filch__os_replace(NULL);
}

/* --- fork(2) --- */

static void *fork_here(void *arg)
{
    pid_t child = fork();
    if (child == 0) {
        pid_t where = 0;
        bool is_here = filch_blocking(tid, &where, NULL) == 0 && where == gettid();
        _exit(is_here ? 42 : 1); /* as a process without a pool */
    }
    int status = 0;
    xt_expect(waitpid(child, &status, 0) == child);
    *(int *)arg = WEXITSTATUS(status);
    return arg;
}

static void fork_elsewhere(void *arg)
{
    xt_expect_equal(filch_blocking(fork_here, arg, NULL), 0);
    xt_expect_equal(*(int *)arg, 42);
    (void)fork_here(arg); /* and from the task */
}

xt_define(a_forked_child_calls_directly)
{
    xt_skip_if_emulated();
    if (XT_TSAN)
        skip();
    struct filch_pool *pool = create(1, 0);
    int status = 0;
    install(pool, fork_elsewhere, &status);
    assert_int_equal(status, 42);
    destroy(pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        xt_test(it_wants_a_function),
        xt_test(outside_of_every_pool_it_is_a_call),
        xt_test(in_a_task_it_runs_on_a_spare_thread),
        xt_test(in_a_loop_of_a_guest_as_well),
        xt_test(the_worker_goes_on),
        xt_test(errno_and_modes_go_there_and_come_back),
        xt_test(a_panic_comes_back),
        xt_test(no_more_threads_than_allowed),
        xt_test(limits_out_of_range),
        xt_test(the_oldest_call_is_next),
        xt_test(what_has_not_begun_in_time_never_does),
        xt_test(what_has_begun_is_waited_for),
        xt_test(threads_are_used_again),
        xt_test(idle_threads_end),
        xt_test(idle_threads_of_the_default_pool_end_for_good),
        xt_test(the_pool_ends_them),
        xt_test(threads_come_and_go),
        xt_test(without_a_thread_the_worker_waits),
        xt_test(where_there_is_one_the_others_wait_for_it),
        xt_test(calls_that_wait_for_a_thread_that_cannot_be_started),
        xt_test(a_call_whose_thread_cannot_be_started_finds_an_idle_one),
        xt_test(a_forked_child_calls_directly),
    };
    return xt_run(tests);
}
