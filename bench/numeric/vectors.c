/* SPDX-License-Identifier: Apache-2.0 */
#include "numeric/vectors.h"

#include "peer/peer.h"
#include "peer/random.h"
#include "peer/workloads.h"

#include <math.h>
#include <string.h>

static void dispatch_reset(void *data)
{
    struct dispatch_data *dispatch = data;
    for (size_t i = 0; i < DISPATCH_ELEMENTS; i++)
        dispatch->x[i] = (double)i;
}

static const char *dispatch_prepare(const struct bench_setup *setup, void **data,
                                    uint64_t *operations)
{
    struct dispatch_data *dispatch = bench_alloc(sizeof *dispatch);
    dispatch->loops = setup->size ? (size_t)setup->size : 100000;
    if (setup->quick)
        dispatch->loops /= 10;
    dispatch->x = bench_alloc(DISPATCH_ELEMENTS * sizeof(double));
    dispatch_reset(dispatch);
    double *expected = bench_alloc(DISPATCH_ELEMENTS * sizeof(double));
    for (size_t i = 0; i < DISPATCH_ELEMENTS; i++)
        expected[i] = dispatch->x[i];
    for (size_t loop = 0; loop < dispatch->loops; loop++)
        dispatch_range(expected, 0, DISPATCH_ELEMENTS);
    dispatch->expected = expected;
    *operations = dispatch->loops;
    *data = dispatch;
    return NULL;
}

static const char *dispatch_check(const void *data)
{
    const struct dispatch_data *dispatch = data;
    for (size_t i = 0; i < DISPATCH_ELEMENTS; i++) {
        if (!(fabs(dispatch->x[i] - dispatch->expected[i]) <= 1e-12))
            return "an element differs from the serial loop's";
    }
    return NULL;
}

/* What y begins with repeats after so many elements, which a block of them is. */
enum { SAXPY_BLOCK = 1021 };

static float saxpy_block[SAXPY_BLOCK];

static size_t saxpy_block_size(const struct saxpy_data *saxpy, size_t begin)
{
    return saxpy->count - begin < SAXPY_BLOCK ? saxpy->count - begin : SAXPY_BLOCK;
}

static void saxpy_reset(void *data)
{
    struct saxpy_data *saxpy = data;
    for (size_t begin = 0; begin < saxpy->count; begin += SAXPY_BLOCK)
        memcpy(saxpy->y + begin, saxpy_block, saxpy_block_size(saxpy, begin) * sizeof(float));
}

static const char *saxpy_prepare(const struct bench_setup *setup, void **data, uint64_t *operations)
{
    struct saxpy_data *saxpy = bench_alloc(sizeof *saxpy);
    saxpy->count = setup->quick ? 1000000 : 10000000;
    saxpy->a = 0.5f;
    for (size_t i = 0; i < SAXPY_BLOCK; i++)
        saxpy_block[i] = (float)i;
    float *x = bench_alloc(saxpy->count * sizeof(float));
    for (size_t i = 0; i < saxpy->count; i++)
        x[i] = (float)(i % 4099);
    saxpy->x = x;
    saxpy->y = bench_alloc(saxpy->count * sizeof(float));
    *operations = 1;
    *data = saxpy;
    return NULL;
}

static const char *saxpy_check(const void *data)
{
    const struct saxpy_data *saxpy = data;
    for (size_t begin = 0; begin < saxpy->count; begin += SAXPY_BLOCK) {
        const float *x = saxpy->x + begin;
        const float *y = saxpy->y + begin;
        const size_t size = saxpy_block_size(saxpy, begin);
        bool is_right = true;
        /* Small halves: exact in binary, with or without a fused multiply-add. */
        for (size_t i = 0; i < size; i++)
            is_right &= fabsf(y[i] - (saxpy->a * x[i] + saxpy_block[i])) <= 0;
        if (!is_right)
            return "an element was not updated exactly once";
    }
    return NULL;
}

static const char *dot_prepare(const struct bench_setup *setup, void **data, uint64_t *operations)
{
    struct dot_data *dot = bench_alloc(sizeof *dot);
    dot->count = setup->quick ? 800000 : 8000000;
    double *x = bench_alloc(dot->count * sizeof(double));
    double *y = bench_alloc(dot->count * sizeof(double));
    for (size_t i = 0; i < dot->count; i++) {
        x[i] = bench_uniform(i);
        y[i] = bench_uniform(i + dot->count);
    }
    dot->x = x;
    dot->y = y;
    dot->expected = dot_range(dot, 0, dot->count);
    *operations = 1;
    *data = dot;
    return NULL;
}

static void dot_reset(void *data)
{
    ((struct dot_data *)data)->result = 0;
}

static const char *dot_check(const void *data)
{
    const struct dot_data *dot = data;
    /* Another order of summation rounds differently. */
    const bool close = fabs(dot->result - dot->expected) <= 1e-10 * fabs(dot->expected);
    return close ? NULL : "the sum differs from the serial one by more than rounding";
}

const struct bench_workload dispatch_workload = {
    "dispatch", dispatch_prepare, dispatch_reset, dispatch_check, true, NULL};
const struct bench_workload saxpy_workload = {"saxpy",     saxpy_prepare, saxpy_reset,
                                              saxpy_check, true,          NULL};
const struct bench_workload dot_workload = {"dot", dot_prepare, dot_reset, dot_check, true, NULL};
