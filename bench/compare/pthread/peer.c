/* SPDX-License-Identifier: Apache-2.0 */
#include "peer/peer.h"
#include "compare/pthread/channels.h"
#include "compare/pthread/locks.h"
#include "compare/pthread/pool.h"
#include "compare/pthread/threads.h"
#include "forkjoin/stuck.h"
#include "growth/growth.h"
#include "latency/latency.h"
#include "tasks/flat.h"

static void submit_one_by_one(void *data)
{
    struct flat_data *flat = data;
    for (size_t i = 0; i < flat->count; i++) {
        void *argument = &flat->ran[i];
        pool_submit(flat_task, &argument, 1);
    }
    pool_wait();
}

static void submit_batches(void *data)
{
    enum { BATCH = 256 };
    struct flat_data *flat = data;
    void *arguments[BATCH];
    for (size_t begin = 0; begin < flat->count; begin += BATCH) {
        const size_t left = flat->count - begin;
        const size_t count = left < BATCH ? left : BATCH;
        for (size_t i = 0; i < count; i++)
            arguments[i] = &flat->ran[begin + i];
        pool_submit(flat_task, arguments, count);
    }
    pool_wait();
}

/* `flat`: the spawner is itself a job of the pool. */
static void flat_job(void *data)
{
    struct flat_data *flat = data;
    for (size_t i = 0; i < flat->count; i++) {
        void *argument = &flat->ran[i];
        pool_submit(flat_task, &argument, 1);
    }
}

static void flat(void *data)
{
    pool_submit(flat_job, &data, 1);
    pool_wait();
}

static void grain_job(void *data)
{
    struct grain_data *grain = data;
    for (size_t i = 0; i < grain->count; i++) {
        void *argument = &grain->values[i];
        pool_submit(grain_task, &argument, 1);
    }
}

static void grain(void *data)
{
    pool_submit(grain_job, &data, 1);
    pool_wait();
}

static void stuck_job(void *data)
{
    struct stuck_data *stuck = data;
    static struct stuck_task tasks[STUCK_TASKS];
    for (int i = 0; i < STUCK_TASKS; i++) {
        tasks[i] = (struct stuck_task){stuck, i};
        void *argument = &tasks[i];
        pool_submit(stuck_task_run, &argument, 1);
    }
    stuck_compute(stuck->own_ns);
}

static void stuck(void *data)
{
    pool_submit(stuck_job, &data, 1);
    pool_wait();
}

static void wake_job(void *data)
{
    wake_task(data, bench_now_ns());
}

static void round_trip(struct wake_data *wake)
{
    void *argument = wake;
    pool_submit(wake_job, &argument, 1);
    pool_wait();
}

static void wake(void *data)
{
    wake_measure(data, round_trip);
}

static void idle_job(void *data)
{
    idle_piece(data);
}

static void idle_work(struct idle_data *idle)
{
    void *arguments[IDLE_PIECES];
    for (int i = 0; i < IDLE_PIECES; i++)
        arguments[i] = idle;
    pool_submit(idle_job, arguments, IDLE_PIECES);
    pool_wait();
}

static void idle(void *data)
{
    idle_measure(data, idle_work);
}

static void first_task_job(void *unused)
{
    (void)unused;
    bench_first_task_ran();
}

static void first_task(void)
{
    void *none = NULL;
    pool_submit(first_task_job, &none, 1);
    pool_wait();
}

static void start(unsigned workers, const char *case_name)
{
    (void)case_name;
    pool_start(workers);
}

static const struct bench_impl impls[] = {
    {"stuck", "", "", stuck, 0},
    {"flat", "", "", flat, 0},
    {"submit", "", "", submit_one_by_one, 0},
    {"submit-batch", "", "", submit_batches, 0},
    {"wake", "", "", wake, 0},
    {"wake-result", "", "", wake, 0},
    {"idle", "", "", idle, 0},
    {"thread-spawn", "", "", pthread_case_thread_spawn, 0},
    {"mutex", "", "", pthread_case_mutex, 0},
    {"mutex-*-*", "", "", pthread_case_mutex_threads, 0},
    {"rwlock-read", "", "", pthread_case_rwlock_read, 0},
    {"rwlock-write", "", "", pthread_case_rwlock_write, 0},
    {"rwlock-*-*", "", "", pthread_case_rwlock_threads, 0},
    {"condvar-threads", "", "", pthread_case_condvar, 0},
    {"barrier-*", "", "", pthread_case_barrier, 0},
    {"chan-!(*-tasks)", "", "", pthread_case_channels, 0},
    {"switch", "ucontext", "", pthread_case_switch, 0},
    {"cold-start", "", "", cold_start_measure, 0},
    {"grain", "", "", grain, 0},
};

const struct bench_peer bench_peer = {
    "pthread", BENCH_COMPILER, impls, sizeof impls / sizeof impls[0], 0, start, first_task,
};
