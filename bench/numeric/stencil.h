/* SPDX-License-Identifier: Apache-2.0 */
/* Jacobi sweeps of the five-point stencil over a square grid; rows in parallel. */
#ifndef FILCH_BENCH_NUMERIC_STENCIL_H
#define FILCH_BENCH_NUMERIC_STENCIL_H

#include <stddef.h>
#include <stdint.h>

struct stencil_data {
    size_t side; /* points per row and column, the fixed border included */
    unsigned sweeps;
    double *grids[2];  /* sweep s reads grids[s % 2] and writes the other one */
    uint64_t expected; /* checksum of the serial result */
};

/* Rows [begin, end) of one sweep, which must lie inside the border: 1 <= begin, end <= side - 1. */
static inline void stencil_rows(const struct stencil_data *data, unsigned sweep, size_t begin,
                                size_t end)
{
    const size_t side = data->side;
    for (size_t row = begin; row < end; row++) {
        const double *__restrict from = data->grids[sweep % 2] + row * side;
        double *__restrict to = data->grids[(sweep + 1) % 2] + row * side;
        for (size_t i = 1; i < side - 1; i++) {
            const double across = from[i - 1] + from[i + 1];
            to[i] = 0.25 * (across + (from[i - side] + from[i + side]));
        }
    }
}

#endif
