/* SPDX-License-Identifier: Apache-2.0 */
#include "compare/openmp/openmp.h"

#include "numeric/components.h"
#include "numeric/mandelbrot.h"
#include "numeric/pagerank.h"
#include "numeric/spmv.h"
#include "numeric/stencil.h"
#include "numeric/vectors.h"

void openmp_dispatch(void *data)
{
    struct dispatch_data *dispatch = data;
    double *__restrict x = dispatch->x;
    /* The schedule is written down here, since asking for it at run time costs a call per loop. */
    for (size_t loop = 0; loop < dispatch->loops; loop++) {
#pragma omp parallel for schedule(static)
        for (size_t i = 0; i < DISPATCH_ELEMENTS; i++)
            x[i] = x[i] * 0.75 + 1;
        dispatch_next();
    }
}

void openmp_saxpy(void *data)
{
    struct saxpy_data *saxpy = data;
    const float a = saxpy->a;
    const float *__restrict x = saxpy->x;
    float *__restrict y = saxpy->y;
    const size_t count = saxpy->count;
#pragma omp parallel for schedule(runtime)
    for (size_t i = 0; i < count; i++)
        y[i] = a * x[i] + y[i];
}

void openmp_dot(void *data)
{
    struct dot_data *dot = data;
    const double *__restrict x = dot->x;
    const double *__restrict y = dot->y;
    const size_t count = dot->count;
    double sum = 0;
#pragma omp parallel for schedule(runtime) reduction(+ : sum)
    for (size_t i = 0; i < count; i++)
        sum += x[i] * y[i];
    dot->result = sum;
}

void openmp_stencil(void *data)
{
    struct stencil_data *stencil = data;
    const size_t last = stencil->side - 1;
    for (unsigned sweep = 0; sweep < stencil->sweeps; sweep++) {
#pragma omp parallel for schedule(runtime)
        for (size_t row = 1; row < last; row++)
            stencil_rows(stencil, sweep, row, row + 1);
    }
}

void openmp_mandelbrot(void *data)
{
    struct mandelbrot_data *mandelbrot = data;
    const size_t height = mandelbrot->height;
#pragma omp parallel for schedule(runtime)
    for (size_t row = 0; row < height; row++)
        mandelbrot_rows(mandelbrot, row, row + 1);
}

void openmp_spmv(void *data)
{
    struct spmv_data *spmv = data;
    const size_t rows = spmv->rows;
#pragma omp parallel for schedule(runtime)
    for (size_t row = 0; row < rows; row++)
        spmv_rows(spmv, row, row + 1);
}

void openmp_pagerank(void *data)
{
    struct pagerank_data *pagerank = data;
    const size_t vertices = pagerank->out.vertices;
    for (unsigned round = 0; round < pagerank->rounds; round++) {
        double dangling = 0;
#pragma omp parallel for schedule(runtime) reduction(+ : dangling)
        for (size_t v = 0; v < vertices; v++)
            dangling += pagerank_share(pagerank, v, v + 1);
        const double base = pagerank_base(pagerank, dangling);
#pragma omp parallel for schedule(runtime)
        for (size_t v = 0; v < vertices; v++)
            pagerank_gather(pagerank, base, v, v + 1);
    }
}

void openmp_components(void *data)
{
    struct components_data *components = data;
    const size_t vertices = components->graph.vertices;
    for (unsigned repeat = 0; repeat < components->repeats; repeat++) {
#pragma omp parallel
        {
#pragma omp for schedule(runtime)
            for (size_t v = 0; v < vertices; v++)
                components_start(components, v, v + 1);
#pragma omp for schedule(runtime)
            for (size_t v = 0; v < vertices; v++)
                components_hook(components, v, v + 1);
#pragma omp for schedule(runtime)
            for (size_t v = 0; v < vertices; v++)
                components_flatten(components, v, v + 1);
        }
    }
}
