/* SPDX-License-Identifier: Apache-2.0 */
#include "peer/workloads.h"

#include <string.h>

static const struct bench_workload *const workloads[] = {
    &fib_workload,         &fib_typed_workload,    &nqueens_workload,    &uts_flat_workload,
    &uts_deep_workload,    &msort_workload,        &stuck_workload,      &flat_workload,
    &submit_workload,      &submit_batch_workload, &dispatch_workload,   &saxpy_workload,
    &dot_workload,         &stencil_workload,      &mandelbrot_workload, &spmv_workload,
    &spmv_mesh_workload,   &pagerank_workload,     &components_workload, &wake_workload,
    &wake_result_workload, &idle_workload,         &cold_start_workload,
};

const struct bench_workload *bench_workload_find(const char *name)
{
    for (size_t i = 0; i < sizeof workloads / sizeof workloads[0]; i++) {
        if (strcmp(workloads[i]->name, name) == 0)
            return workloads[i];
    }
    return NULL;
}
