/* SPDX-License-Identifier: Apache-2.0 */
#include "numeric/spmv.h"

#include "peer/peer.h"
#include "peer/random.h"
#include "peer/workloads.h"

#include <math.h>
#include <string.h>

struct matrix {
    size_t rows;
    size_t *offsets;
    uint32_t *columns;
};

static struct matrix power_law(size_t rows)
{
    struct matrix matrix = {rows, bench_alloc((rows + 1) * sizeof(size_t)), NULL};
    const double longest = (double)rows / 50;
    for (size_t row = 0; row < rows; row++) {
        const double length = ceil(longest / pow((double)row + 1, 0.7));
        matrix.offsets[row + 1] = matrix.offsets[row] + (size_t)length;
    }
    matrix.columns = bench_alloc(matrix.offsets[rows] * sizeof(uint32_t));
    for (size_t k = 0; k < matrix.offsets[rows]; k++)
        matrix.columns[k] = (uint32_t)(bench_mix(k) % rows);
    return matrix;
}

static struct matrix mesh(size_t side)
{
    const size_t rows = side * side;
    struct matrix matrix = {rows, bench_alloc((rows + 1) * sizeof(size_t)), NULL};
    matrix.columns = bench_alloc(5 * rows * sizeof(uint32_t));
    size_t k = 0;
    for (size_t row = 0; row < rows; row++) {
        const size_t across = row % side;
        const size_t neighbours[5] = {row - side, row - 1, row, row + 1, row + side};
        const bool inside[5] = {row >= side, across > 0, true, across < side - 1,
                                row < rows - side};
        for (int n = 0; n < 5; n++) {
            if (inside[n])
                matrix.columns[k++] = (uint32_t)neighbours[n];
        }
        matrix.offsets[row + 1] = k;
    }
    return matrix;
}

static const char *prepare(struct matrix matrix, void **data, uint64_t *operations)
{
    const size_t entries = matrix.offsets[matrix.rows];
    double *values = bench_alloc(entries * sizeof(double));
    for (size_t k = 0; k < entries; k++)
        values[k] = bench_uniform(k);
    double *x = bench_alloc(matrix.rows * sizeof(double));
    for (size_t row = 0; row < matrix.rows; row++)
        x[row] = bench_uniform(row + entries);
    double *expected = bench_alloc(matrix.rows * sizeof(double));
    struct spmv_data *spmv = bench_alloc(sizeof *spmv);
    *spmv = (struct spmv_data){
        matrix.rows, matrix.offsets, matrix.columns, values, x, expected, NULL,
    };
    spmv_rows(spmv, 0, spmv->rows);
    spmv->expected = expected;
    spmv->y = bench_alloc(matrix.rows * sizeof(double));
    *operations = 1;
    *data = spmv;
    return NULL;
}

static const char *power_law_prepare(const struct bench_setup *setup, void **data,
                                     uint64_t *operations)
{
    return prepare(power_law(setup->quick ? 100000 : 1000000), data, operations);
}

static const char *mesh_prepare(const struct bench_setup *setup, void **data, uint64_t *operations)
{
    return prepare(mesh(setup->quick ? 300 : 1000), data, operations);
}

static void reset(void *data)
{
    struct spmv_data *spmv = data;
    memset(spmv->y, 0, spmv->rows * sizeof *spmv->y);
}

static const char *check(const void *data)
{
    const struct spmv_data *spmv = data;
    for (size_t row = 0; row < spmv->rows; row++) {
        if (!(fabs(spmv->y[row] - spmv->expected[row]) <= 1e-12 * fabs(spmv->expected[row])))
            return "a row differs from the serial product";
    }
    return NULL;
}

const struct bench_workload spmv_workload = {"spmv", power_law_prepare, reset, check, true, NULL};
const struct bench_workload spmv_mesh_workload = {"spmv-mesh", mesh_prepare, reset,
                                                  check,       true,         NULL};
