/* SPDX-License-Identifier: Apache-2.0 */
/* Plain C, one thread: what all others are measured against. In `wake`: two, and nothing but a futex. */
#include "compare/serial/futex.h"
#include "forkjoin/fib.h"
#include "forkjoin/msort.h"
#include "forkjoin/nqueens.h"
#include "forkjoin/stuck.h"
#include "forkjoin/uts.h"
#include "growth/growth.h"
#include "latency/latency.h"
#include "numeric/components.h"
#include "numeric/mandelbrot.h"
#include "numeric/pagerank.h"
#include "numeric/spmv.h"
#include "numeric/stencil.h"
#include "numeric/vectors.h"
#include "panics/panics.h"
#include "peer/peer.h"
#include "tasks/flat.h"

#include <string.h>

static void fib(void *data)
{
    struct fib_data *fib = data;
    fib->result = fib_serial(fib->n);
}

static void nqueens(void *data)
{
    struct nqueens_data *nqueens = data;
    nqueens->solutions = nqueens_serial(nqueens->n, 0, (struct nqueens_board){{0}});
}

static void uts(void *data)
{
    struct uts_data *uts = data;
    uts->nodes = uts_serial(uts->root);
}

static void msort(void *data)
{
    struct msort_data *msort = data;
    msort_serial(msort->values, msort->values, msort->scratch, msort->count);
}

static void stuck(void *data)
{
    struct stuck_data *stuck = data;
    for (int i = 0; i < STUCK_TASKS; i++)
        stuck_task_run(&(struct stuck_task){stuck, i});
    stuck_compute(stuck->own_ns);
}

static void flat(void *data)
{
    /* Called through a pointer that the compiler cannot see through, as a task would be. */
    struct flat_data *flat = data;
    void (*volatile task)(void *) = flat_task;
    for (size_t i = 0; i < flat->count; i++)
        task(&flat->ran[i]);
}

static void dispatch(void *data)
{
    struct dispatch_data *dispatch = data;
    for (size_t loop = 0; loop < dispatch->loops; loop++) {
        dispatch_range(dispatch->x, 0, DISPATCH_ELEMENTS);
        dispatch_next();
    }
}

static void saxpy(void *data)
{
    saxpy_range(data, 0, ((struct saxpy_data *)data)->count);
}

static void dot(void *data)
{
    struct dot_data *dot = data;
    dot->result = dot_range(dot, 0, dot->count);
}

static void stencil(void *data)
{
    struct stencil_data *stencil = data;
    for (unsigned sweep = 0; sweep < stencil->sweeps; sweep++)
        stencil_rows(stencil, sweep, 1, stencil->side - 1);
}

static void mandelbrot(void *data)
{
    mandelbrot_rows(data, 0, ((struct mandelbrot_data *)data)->height);
}

static void spmv(void *data)
{
    spmv_rows(data, 0, ((struct spmv_data *)data)->rows);
}

static void pagerank(void *data)
{
    pagerank_serial(data);
}

static void components(void *data)
{
    struct components_data *components = data;
    for (unsigned repeat = 0; repeat < components->repeats; repeat++)
        components_serial(components);
}

static void grain(void *data)
{
    struct grain_data *grain_data = data;
    void (*volatile task)(void *) = grain_task;
    for (size_t i = 0; i < grain_data->count; i++)
        task(&grain_data->values[i]);
}

static __attribute__((noinline)) uint64_t deep(unsigned level)
{
    if (level == 0)
        return 0;
    const uint64_t below = deep(level - 1);
    __asm__ volatile(""); /* after the call, which is then none that could be left out */
    return below + 1;
}

static void depth(void *data)
{
    struct depth_data *depth_data = data;
    for (unsigned i = 0; i < depth_data->repeats; i++)
        depth_data->forks += deep(depth_data->depth);
}

static void iterations(void *data)
{
    struct iterations_data *loop = data;
    for (size_t i = 0; i < loop->repeats; i++)
        iterations_range(loop, 0, loop->iterations);
}

static void return_at_once(void *data)
{
    ++((struct panics_data *)data)->returned;
}

/* The calls without a boundary: what others take beyond this is theirs. */
static void catch (void *data)
{
    const struct panics_data *work = data;
    void (*volatile returns)(void *) = return_at_once;
    for (uint64_t i = 0; i < work->count; i++)
        returns(data);
}

static void plain_loop(struct wake_data *wake)
{
    void (*volatile piece)(struct wake_data *) = wake_piece;
    for (unsigned i = 0; i < WAKE_PIECES; i++)
        piece(wake);
}

/* A loop after a sleep, in cold caches: what others take beyond this is theirs. */
static void wake_caller(void *data)
{
    wake_measure(data, plain_loop);
}

static void start(unsigned workers, const char *case_name)
{
    (void)workers;
    if (strcmp(case_name, "wake") == 0 || strcmp(case_name, "wake-result") == 0)
        futex_start();
}

static const struct bench_impl impls[] = {
    {"fib", "", "", fib, 0},
    {"fib-typed", "", "", fib, 0},
    {"nqueens", "", "", nqueens, 0},
    {"uts-flat", "", "", uts, 0},
    {"uts-deep", "", "", uts, 0},
    {"msort", "", "", msort, 0},
    {"stuck", "", "", stuck, 0},
    {"flat", "", "", flat, 0},
    {"dispatch", "", "", dispatch, 0},
    {"catch", "", "", catch, 0},
    {"saxpy", "", "", saxpy, 0},
    {"dot", "", "", dot, 0},
    {"stencil", "", "", stencil, 0},
    {"mandelbrot", "", "", mandelbrot, 0},
    {"spmv", "", "", spmv, 0},
    {"spmv-mesh", "", "", spmv, 0},
    {"pagerank", "", "", pagerank, 0},
    {"components", "", "", components, 0},
    /* A process that runs its "task" at once: what starting a process costs here. */
    {"cold-start", "", "", cold_start_measure, 0},
    {"wake", "", "", futex_wake, 0},
    {"wake-result", "", "", futex_wake, 0},
    {"wake-caller", "", "", wake_caller, 0},
    {"grain", "", "", grain, 0},
    {"depth", "", "", depth, 0},
    {"iterations", "", "", iterations, 0},
};

#ifndef BENCH_PEER_NAME
#define BENCH_PEER_NAME "serial"
#endif

const struct bench_peer bench_peer = {
    BENCH_PEER_NAME, BENCH_COMPILER,       impls, sizeof impls / sizeof impls[0], 1,
    start,           bench_first_task_ran,
};
