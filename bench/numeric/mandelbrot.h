/* SPDX-License-Identifier: Apache-2.0 */
/* The Mandelbrot set: rows in parallel, all computing and no memory, with rows of very unequal
 * cost. */
#ifndef FILCH_BENCH_NUMERIC_MANDELBROT_H
#define FILCH_BENCH_NUMERIC_MANDELBROT_H

#include <stddef.h>
#include <stdint.h>

struct mandelbrot_data {
    size_t width;
    size_t height;
    unsigned limit;   /* iterations */
    uint16_t *counts; /* out; width * height */
    const uint16_t *expected;
};

void mandelbrot_rows(const struct mandelbrot_data *data, size_t begin, size_t end);

#endif
