/* SPDX-License-Identifier: Apache-2.0 */
#include "peer/peer.h"
#include "compare/openmp/openmp.h"
#include "latency/latency.h"

#include <omp.h>

#ifndef BENCH_PEER_NAME
#define BENCH_PEER_NAME "libgomp"
#endif

/* The recommended settings: threads bound to cores and kept spinning between regions, which is
 * what is fastest as long as nobody else needs the CPU. The case `idle` shows what it costs. */
#define ACTIVE "OMP_PROC_BIND=true OMP_WAIT_POLICY=active"
#define PASSIVE "OMP_PROC_BIND=true OMP_WAIT_POLICY=passive"
#define STATIC ACTIVE " OMP_SCHEDULE=static"
#define DYNAMIC ACTIVE " OMP_SCHEDULE=dynamic"
#define DYNAMIC_64 ACTIVE " OMP_SCHEDULE=dynamic,64"
#define DYNAMIC_65536 ACTIVE " OMP_SCHEDULE=dynamic,65536"
#define STATIC_PASSIVE PASSIVE " OMP_SCHEDULE=static"
#define GUIDED ACTIVE " OMP_SCHEDULE=guided"

/* A thread that is not the submitter has to run the task: that is how long the pool takes to wake.
 * With one thread the submitter is all there is. */
static void round_trip(struct wake_data *wake)
{
    const int runner = bench_workers() > 1 ? 1 : 0;
#pragma omp parallel
    {
        if (omp_get_thread_num() == runner)
            wake_task(wake, bench_now_ns());
    }
}

static void wake(void *data)
{
    wake_measure(data, round_trip);
}

static void share_loop(struct wake_data *wake)
{
#pragma omp parallel for schedule(dynamic)
    for (int i = 0; i < WAKE_PIECES; i++)
        wake_piece(wake);
}

static void wake_caller(void *data)
{
    wake_measure(data, share_loop);
}

static void idle_work(struct idle_data *idle)
{
#pragma omp parallel for schedule(static)
    for (int i = 0; i < IDLE_PIECES; i++)
        idle_piece(idle);
}

static void idle(void *data)
{
    idle_measure(data, idle_work);
}

static void first_task(void)
{
#pragma omp parallel
#pragma omp single
#pragma omp task
    bench_first_task_ran();
}

static void start(unsigned workers, const char *case_name)
{
    (void)case_name;
    omp_set_dynamic(0);
    omp_set_num_threads((int)workers);
}

static const struct bench_impl impls[] = {
    /* Each spawn costs tens of times what it costs elsewhere: a smaller n, same time per spawn. */
    {"fib", "", ACTIVE, openmp_fib, 28},
    {"fib", "passive", PASSIVE, openmp_fib, 26},
    {"nqueens", "", ACTIVE, openmp_nqueens, 0},
    {"uts-flat", "", ACTIVE, openmp_uts, 0},
    {"uts-deep", "", ACTIVE, openmp_uts, 0},
    {"msort", "", ACTIVE, openmp_msort, 0},
    {"msort", "passive", PASSIVE, openmp_msort, 0},
    {"stuck", "", ACTIVE, openmp_stuck, 0},
    {"stuck", "passive", PASSIVE, openmp_stuck, 0},
    {"flat", "", ACTIVE, openmp_flat, 0},
    {"flat", "passive", PASSIVE, openmp_flat, 0},
    {"dispatch", "", ACTIVE, openmp_dispatch, 0},
    {"dispatch", "passive", PASSIVE, openmp_dispatch, 3000},
    {"saxpy", "", STATIC, openmp_saxpy, 0},
    {"saxpy", "guided", GUIDED, openmp_saxpy, 0},
    {"saxpy", "dynamic", DYNAMIC_65536, openmp_saxpy, 0},
    {"saxpy", "passive", STATIC_PASSIVE, openmp_saxpy, 0},
    {"dot", "", STATIC, openmp_dot, 0},
    {"dot", "guided", GUIDED, openmp_dot, 0},
    {"dot", "dynamic", DYNAMIC_65536, openmp_dot, 0},
    {"dot", "passive", STATIC_PASSIVE, openmp_dot, 0},
    {"stencil", "", STATIC, openmp_stencil, 0},
    {"stencil", "dynamic", DYNAMIC, openmp_stencil, 0},
    {"stencil", "guided", GUIDED, openmp_stencil, 0},
    {"stencil", "passive", STATIC_PASSIVE, openmp_stencil, 0},
    {"mandelbrot", "", STATIC, openmp_mandelbrot, 0},
    {"mandelbrot", "dynamic", DYNAMIC, openmp_mandelbrot, 0},
    {"mandelbrot", "guided", GUIDED, openmp_mandelbrot, 0},
    {"mandelbrot", "passive", STATIC_PASSIVE, openmp_mandelbrot, 0},
    {"spmv", "", STATIC, openmp_spmv, 0},
    {"spmv", "dynamic64", DYNAMIC_64, openmp_spmv, 0},
    {"spmv", "guided", GUIDED, openmp_spmv, 0},
    {"spmv", "passive", STATIC_PASSIVE, openmp_spmv, 0},
    {"spmv-mesh", "", STATIC, openmp_spmv, 0},
    {"spmv-mesh", "guided", GUIDED, openmp_spmv, 0},
    {"spmv-mesh", "dynamic64", DYNAMIC_64, openmp_spmv, 0},
    {"spmv-mesh", "passive", STATIC_PASSIVE, openmp_spmv, 0},
    {"pagerank", "", STATIC, openmp_pagerank, 0},
    {"pagerank", "dynamic64", DYNAMIC_64, openmp_pagerank, 0},
    {"pagerank", "guided", GUIDED, openmp_pagerank, 0},
    {"pagerank", "passive", STATIC_PASSIVE, openmp_pagerank, 0},
    {"components", "", STATIC, openmp_components, 0},
    {"components", "dynamic64", DYNAMIC_64, openmp_components, 0},
    {"components", "guided", GUIDED, openmp_components, 0},
    {"components", "passive", STATIC_PASSIVE, openmp_components, 0},
    {"wake", "", PASSIVE, wake, 0},
    {"wake", "active", ACTIVE, wake, 0},
    {"wake-result", "", PASSIVE, wake, 0},
    {"wake-result", "active", ACTIVE, wake, 0},
    {"wake-caller", "", PASSIVE, wake_caller, 0},
    {"wake-caller", "active", ACTIVE, wake_caller, 0},
    {"idle", "", "", idle, 0}, /* with the runtime's own default */
    {"idle", "passive", PASSIVE, idle, 0},
    {"cold-start", "", "", cold_start_measure, 0},
    {"grain", "", ACTIVE, openmp_grain, 0},
    {"iterations", "", ACTIVE, openmp_iterations, 0},
};

const struct bench_peer bench_peer = {
    BENCH_PEER_NAME, BENCH_COMPILER, impls, sizeof impls / sizeof impls[0], 0, start, first_task,
};
