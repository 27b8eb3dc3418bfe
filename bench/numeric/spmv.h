/* SPDX-License-Identifier: Apache-2.0 */
/* A sparse matrix times a vector. `spmv`: a million rows whose lengths follow a power law, the long
 * ones first, so that the first half of the rows holds most of the work; `spmv-mesh`: the even rows
 * of a five-point mesh. */
#ifndef FILCH_BENCH_NUMERIC_SPMV_H
#define FILCH_BENCH_NUMERIC_SPMV_H

#include <stddef.h>
#include <stdint.h>

struct spmv_data {
    size_t rows;
    const size_t *offsets; /* rows + 1 */
    const uint32_t *columns;
    const double *values;
    const double *x;
    double *y; /* out */
    const double *expected;
};

static inline void spmv_rows(const struct spmv_data *data, size_t begin, size_t end)
{
    const uint32_t *__restrict columns = data->columns;
    const double *__restrict values = data->values;
    const double *__restrict x = data->x;
    double *__restrict y = data->y;
    for (size_t row = begin; row < end; row++) {
        double sum = 0;
        for (size_t k = data->offsets[row]; k < data->offsets[row + 1]; k++)
            sum += values[k] * x[columns[k]];
        y[row] = sum;
    }
}

#endif
