/* SPDX-License-Identifier: Apache-2.0 */
/* The list of all workloads. Each is defined in the file that is named after it. */
#ifndef FILCH_BENCH_PEER_WORKLOADS_H
#define FILCH_BENCH_PEER_WORKLOADS_H

#include "peer/peer.h"

extern const struct bench_workload fib_workload, fib_typed_workload, nqueens_workload;
extern const struct bench_workload grain_workload, depth_workload, iterations_workload;
extern const struct bench_workload uts_flat_workload, uts_deep_workload, msort_workload;
extern const struct bench_workload stuck_workload;
extern const struct bench_workload flat_workload, submit_workload, submit_batch_workload;
extern const struct bench_workload dispatch_workload, saxpy_workload, dot_workload;
extern const struct bench_workload stencil_workload, mandelbrot_workload;
extern const struct bench_workload spmv_workload, spmv_mesh_workload;
extern const struct bench_workload pagerank_workload, components_workload;
extern const struct bench_workload wake_workload, wake_result_workload, idle_workload;
extern const struct bench_workload mutex_workload, mutex_2_short_workload, mutex_4_short_workload,
    mutex_16_short_workload, mutex_2_long_workload, mutex_4_long_workload, mutex_16_long_workload,
    mutex_16_short_fair_workload, mutex_16_long_fair_workload, rwlock_read_workload,
    rwlock_write_workload, rwlock_90_short_workload, rwlock_90_long_workload,
    rwlock_99_short_workload, rwlock_99_long_workload, condvar_threads_workload,
    condvar_tasks_workload, barrier_2_workload, barrier_8_workload;
extern const struct bench_workload cold_start_workload;
extern const struct bench_workload catch_workload;
extern const struct bench_workload panic_1_workload, panic_10_workload, panic_100_workload;
extern const struct bench_workload thread_spawn_workload, park_workload, park_pair_workload;
extern const struct bench_workload arc_workload, arc_2_workload;

/* Returns the workload of that name, or NULL. */
const struct bench_workload *bench_workload_find(const char *name);

#endif
