/* SPDX-License-Identifier: Apache-2.0 */
#include "peer/workloads.h"

static const struct bench_workload *const workloads[] = {
    &fib_workload,          &fib_typed_workload,    &nqueens_workload,    &uts_flat_workload,
    &uts_deep_workload,     &msort_workload,        &stuck_workload,      &flat_workload,
    &submit_workload,       &submit_batch_workload, &dispatch_workload,   &saxpy_workload,
    &dot_workload,          &stencil_workload,      &mandelbrot_workload, &spmv_workload,
    &spmv_mesh_workload,    &pagerank_workload,     &components_workload, &wake_workload,
    &wake_result_workload,  &wake_caller_workload,  &idle_workload,       &cold_start_workload,
    &timers_workload,       &grain_workload,        &depth_workload,      &iterations_workload,
    &catch_workload,        &panic_1_workload,      &panic_10_workload,   &panic_100_workload,
    &thread_spawn_workload, &park_workload,         &park_pair_workload,  &arc_workload,
    &arc_2_workload,
};

static const struct bench_family *const families[] = {
    &blocked_family, &channels_family, &locks_family, &switching_family, &woken_family,
};

const struct bench_workload *bench_workload_at(size_t index)
{
    const size_t single = sizeof workloads / sizeof workloads[0];
    if (index < single)
        return workloads[index];
    index -= single;
    for (size_t i = 0; i < sizeof families / sizeof families[0]; i++) {
        if (index < families[i]->count)
            return &families[i]->workloads[index];
        index -= families[i]->count;
    }
    return NULL;
}
