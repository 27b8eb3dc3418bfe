/* SPDX-License-Identifier: Apache-2.0 */
/* Numeric loops: always the plain filch_for, without a grain from the user. */
#include "filch/cases.h"

#include "numeric/components.h"
#include "numeric/mandelbrot.h"
#include "numeric/pagerank.h"
#include "numeric/spmv.h"
#include "numeric/stencil.h"
#include "numeric/vectors.h"
#include "peer/peer.h"

#include <filch/filch.h>

/* A sum per place of the pool, a cache line each. */
struct partial_sum {
    double value;
    char other_lines[64 - sizeof(double)];
};

static struct partial_sum *partial_sums(void)
{
    static struct partial_sum *sums;
    const size_t places = filch_pool_places(NULL);
    if (!sums)
        sums = bench_alloc(places * sizeof *sums);
    for (size_t i = 0; i < places; i++)
        sums[i].value = 0;
    return sums;
}

static double partial_sums_total(const struct partial_sum *sums)
{
    double total = 0;
    for (size_t i = 0; i < filch_pool_places(NULL); i++)
        total += sums[i].value;
    return total;
}

static void dispatch_body(size_t begin, size_t end, void *context)
{
    dispatch_range(context, begin, end);
}

void filch_case_dispatch(void *data)
{
    struct dispatch_data *dispatch = data;
    for (size_t loop = 0; loop < dispatch->loops; loop++) {
        filch_for(0, DISPATCH_ELEMENTS, dispatch_body, dispatch->x);
        dispatch_next();
    }
}

static void saxpy_body(size_t begin, size_t end, void *context)
{
    saxpy_range(context, begin, end);
}

void filch_case_saxpy(void *data)
{
    filch_for(0, ((struct saxpy_data *)data)->count, saxpy_body, data);
}

struct dot_loop {
    const struct dot_data *dot;
    struct partial_sum *sums;
};

static void dot_body(size_t begin, size_t end, void *context)
{
    const struct dot_loop *loop = context;
    loop->sums[filch_worker_index()].value += dot_range(loop->dot, begin, end);
}

void filch_case_dot(void *data)
{
    struct dot_data *dot = data;
    struct dot_loop loop = {dot, partial_sums()};
    filch_for(0, dot->count, dot_body, &loop);
    dot->result = partial_sums_total(loop.sums);
}

struct stencil_loop {
    const struct stencil_data *stencil;
    unsigned sweep;
};

static void stencil_body(size_t begin, size_t end, void *context)
{
    const struct stencil_loop *loop = context;
    stencil_rows(loop->stencil, loop->sweep, begin, end);
}

void filch_case_stencil(void *data)
{
    struct stencil_data *stencil = data;
    for (unsigned sweep = 0; sweep < stencil->sweeps; sweep++) {
        struct stencil_loop loop = {stencil, sweep};
        filch_for(1, stencil->side - 1, stencil_body, &loop);
    }
}

static void mandelbrot_body(size_t begin, size_t end, void *context)
{
    mandelbrot_rows(context, begin, end);
}

void filch_case_mandelbrot(void *data)
{
    filch_for(0, ((struct mandelbrot_data *)data)->height, mandelbrot_body, data);
}

static void spmv_body(size_t begin, size_t end, void *context)
{
    spmv_rows(context, begin, end);
}

void filch_case_spmv(void *data)
{
    filch_for(0, ((struct spmv_data *)data)->rows, spmv_body, data);
}

struct pagerank_loop {
    const struct pagerank_data *pagerank;
    struct partial_sum *dangling;
    double base;
};

static void share_body(size_t begin, size_t end, void *context)
{
    const struct pagerank_loop *loop = context;
    const double dangling = pagerank_share(loop->pagerank, begin, end);
    loop->dangling[filch_worker_index()].value += dangling;
}

static void gather_body(size_t begin, size_t end, void *context)
{
    const struct pagerank_loop *loop = context;
    pagerank_gather(loop->pagerank, loop->base, begin, end);
}

void filch_case_pagerank(void *data)
{
    struct pagerank_data *pagerank = data;
    const size_t vertices = pagerank->out.vertices;
    for (unsigned round = 0; round < pagerank->rounds; round++) {
        struct pagerank_loop loop = {pagerank, partial_sums(), 0};
        filch_for(0, vertices, share_body, &loop);
        loop.base = pagerank_base(pagerank, partial_sums_total(loop.dangling));
        filch_for(0, vertices, gather_body, &loop);
    }
}

static void start_body(size_t begin, size_t end, void *context)
{
    components_start(context, begin, end);
}

static void hook_body(size_t begin, size_t end, void *context)
{
    components_hook(context, begin, end);
}

static void flatten_body(size_t begin, size_t end, void *context)
{
    components_flatten(context, begin, end);
}

void filch_case_components(void *data)
{
    struct components_data *components = data;
    const size_t vertices = components->graph.vertices;
    for (unsigned repeat = 0; repeat < components->repeats; repeat++) {
        filch_for(0, vertices, start_body, components);
        filch_for(0, vertices, hook_body, components);
        filch_for(0, vertices, flatten_body, components);
    }
}
