/* SPDX-License-Identifier: Apache-2.0 */
/* The list of all workloads. Each is defined in the file that is named after it, and so is each family of
 * workloads that differ in their parameters only. */
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
extern const struct bench_workload wake_workload, wake_result_workload, wake_caller_workload;
extern const struct bench_workload idle_workload;
extern const struct bench_workload cold_start_workload, timers_workload;
extern const struct bench_workload catch_workload;
extern const struct bench_workload panic_1_workload, panic_10_workload, panic_100_workload;
extern const struct bench_workload thread_spawn_workload, park_workload, park_pair_workload;
extern const struct bench_workload arc_workload, arc_2_workload;

struct bench_family {
    const struct bench_workload *workloads;
    size_t count;
};

extern const struct bench_family blocked_family, channels_family, locks_family, switching_family,
    woken_family;

/* Returns the workload number `index`, or NULL beyond the last. */
const struct bench_workload *bench_workload_at(size_t index);

#endif
