/* SPDX-License-Identifier: Apache-2.0 */
/* Loops over plain arrays: `dispatch` (too short to be worth splitting, called over and over: what
 * does a loop cost as such?), `saxpy` and `dot` (bound by memory). Each kernel works on a range
 * [begin, end) of the index space and is the same code for all implementations. */
#ifndef FILCH_BENCH_NUMERIC_VECTORS_H
#define FILCH_BENCH_NUMERIC_VECTORS_H

#include <stddef.h>
#include <stdint.h>

enum { DISPATCH_ELEMENTS = 1000 };

struct dispatch_data {
    size_t loops; /* how often the loop is called in one run */
    double *x;    /* DISPATCH_ELEMENTS; in and out */
    const double *expected;
};

static inline void dispatch_range(double *__restrict x, size_t begin, size_t end)
{
    for (size_t i = begin; i < end; i++)
        x[i] = x[i] * 0.75 + 1;
}

/* Between two loops: keeps a compiler from merging them into one. */
static inline void dispatch_next(void)
{
    __asm__ volatile("" ::: "memory");
}

struct saxpy_data {
    size_t count;
    float a;
    const float *x;
    float *y; /* in and out */
};

static inline void saxpy_range(const struct saxpy_data *data, size_t begin, size_t end)
{
    const float a = data->a;
    const float *__restrict x = data->x;
    float *__restrict y = data->y;
    for (size_t i = begin; i < end; i++)
        y[i] = a * x[i] + y[i];
}

struct dot_data {
    size_t count;
    const double *x;
    const double *y;
    double result; /* out */
    double expected;
};

static inline double dot_range(const struct dot_data *data, size_t begin, size_t end)
{
    const double *__restrict x = data->x;
    const double *__restrict y = data->y;
    double sum = 0;
    for (size_t i = begin; i < end; i++)
        sum += x[i] * y[i];
    return sum;
}

#endif
