/* SPDX-License-Identifier: Apache-2.0 */
#include "peer/peer.h"
#include "filch/cases.h"
#include "latency/latency.h"

#include <filch/filch.h>
#include <stdio.h>
#include <stdlib.h>

/* Starts the default pool, which is what most programs use. */
static void start(unsigned workers, const char *case_name)
{
    (void)case_name;
    char text[16];
    snprintf(text, sizeof text, "%u", workers);
    setenv("FILCH_WORKERS", text, 1);
    struct filch_pool *pool;
    const int error = filch_pool_default(&pool);
    if (error) {
        fprintf(stderr, "peer-filch: the default pool does not start: error %d\n", error);
        exit(1);
    }
}

static const struct bench_impl impls[] = {
    {"fib", "", "", filch_case_fib, 0},
    {"fib-typed", "", "", filch_case_fib_typed, 0},
    {"nqueens", "", "", filch_case_nqueens, 0},
    {"uts-flat", "", "", filch_case_uts, 0},
    /* Thousands of frames on one stack, which may be a worker's: they have 1 MiB by default. */
    {"uts-deep", "", "FILCH_STACK_SIZE=67108864", filch_case_uts, 0},
    {"msort", "", "", filch_case_msort, 0},
    {"stuck", "", "", filch_case_stuck, 0},
    {"flat", "", "", filch_case_flat, 0},
    {"submit", "", "", filch_case_submit, 0},
    {"submit-batch", "", "", filch_case_submit_batch, 0},
    {"dispatch", "", "", filch_case_dispatch, 0},
    {"saxpy", "", "", filch_case_saxpy, 0},
    {"dot", "", "", filch_case_dot, 0},
    {"stencil", "", "", filch_case_stencil, 0},
    {"mandelbrot", "", "", filch_case_mandelbrot, 0},
    {"spmv", "", "", filch_case_spmv, 0},
    {"spmv-mesh", "", "", filch_case_spmv, 0},
    {"pagerank", "", "", filch_case_pagerank, 0},
    {"components", "", "", filch_case_components, 0},
#ifndef BENCH_COMPUTES_ONLY /* the cases above: where the compiler of the user's code may matter */
    {"wake", "", "", filch_case_wake, 0},
    {"wake", "install", "", filch_case_wake_install, 0},
    {"wake-result", "", "", filch_case_wake, 0},
    {"wake-result", "install", "", filch_case_wake_install, 0},
    {"wake-caller", "", "", filch_case_wake_caller, 0},
    {"idle", "", "", filch_case_idle, 0},
    {"catch", "", "", filch_case_catch, 0},
    {"panic-1", "", "", filch_case_panic, 0},
    {"panic-10", "", "", filch_case_panic, 0},
    {"panic-100", "", "", filch_case_panic, 0},
    {"thread-spawn", "", "", filch_case_thread_spawn, 0},
    {"park", "", "", filch_case_park, 0},
    {"park-pair", "", "", filch_case_park_pair, 0},
    {"arc", "", "", filch_case_arc, 0},
    {"arc-2", "", "", filch_case_arc_2, 0},
    {"mutex", "", "", filch_case_mutex, 0},
    {"mutex-*-*", "", "", filch_case_mutex_threads, 0},
    {"mutex-*-*", "tasks", "", filch_case_mutex_tasks, 0},
    {"mutex-handoff", "", "", filch_case_mutex_handoff, 0},
    {"rwlock-read", "", "", filch_case_rwlock_read, 0},
    {"rwlock-write", "", "", filch_case_rwlock_write, 0},
    {"rwlock-*-*", "", "", filch_case_rwlock_threads, 0},
    {"condvar-threads", "", "", filch_case_condvar_threads, 0},
    {"condvar-tasks", "", "", filch_case_condvar_tasks, 0},
    {"barrier-*", "", "", filch_case_barrier, 0},
    {"barrier-*", "tasks", "", filch_case_barrier_tasks, 0},
    {"chan-!(*-tasks)", "", "", filch_case_channels_threads, 0},
    {"chan-*-tasks", "", "", filch_case_channels_tasks, 0},
    {"select-*", "", "", filch_case_channels_threads, 0},
    {"select-4", "tasks", "", filch_case_channels_tasks, 0},
    {"task-yield", "", "", filch_case_task_yield, 0},
    {"task-run", "", "", filch_case_task_run, 0},
    {"task-wait", "", "", filch_case_task_wait, 0},
    {"task-wait-alone", "", "", filch_case_task_wait_alone, 0},
    {"task-pingpong", "", "", filch_case_pingpong, 0},
    {"task-pingpong", "roaming", "", filch_case_pingpong_roaming, 0},
    {"woken-20us", "", "", filch_case_woken, 0},
    {"woken-20us", "roaming", "", filch_case_woken_roaming, 0},
    {"switch", "", "", filch_case_switch, 0},
    /* What programs with so many tasks are told to ask for (fiber/stack.h): page tables for a sixteenth. */
    {"blocked-*", "", "FILCH_STACK_SIZE=65536", filch_case_blocked, 0},
    {"blocked-100k", "1MiB", "", filch_case_blocked, 0},
    {"timers", "", "FILCH_STACK_SIZE=65536", filch_case_timers, 0},
    {"cold-start", "", "", cold_start_measure, 0},
    {"grain", "", "", filch_case_grain, 0},
    {"grain", "loop", "", filch_case_grain_loop, 0},
    {"grain", "fork", "", filch_case_grain_fork, 0},
    {"depth", "", "FILCH_STACK_SIZE=268435456", filch_case_depth, 0},
    {"depth", "forked", "FILCH_STACK_SIZE=268435456", filch_case_depth_forked, 0},
    {"iterations", "", "", filch_case_iterations, 0},
#endif
};

#ifndef BENCH_PEER_NAME
#define BENCH_PEER_NAME "filch"
#endif

const struct bench_peer bench_peer = {
    BENCH_PEER_NAME, BENCH_COMPILER,        impls, sizeof impls / sizeof impls[0], 0,
    start,           filch_case_first_task,
};
