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
    {"wake", "", "", filch_case_wake, 0},
    {"wake", "install", "", filch_case_wake_install, 0},
    {"wake-result", "", "", filch_case_wake, 0},
    {"wake-result", "install", "", filch_case_wake_install, 0},
    {"idle", "", "", filch_case_idle, 0},
    {"cold-start", "", "", cold_start_measure, 0},
};

const struct bench_peer bench_peer = {
    "filch", BENCH_COMPILER, impls, sizeof impls / sizeof impls[0], 0, start, filch_case_first_task,
};
