/* SPDX-License-Identifier: Apache-2.0 */
#include "numeric/stencil.h"

#include "peer/peer.h"
#include "peer/workloads.h"

#include <string.h>

static void reset(void *data)
{
    struct stencil_data *stencil = data;
    const size_t side = stencil->side;
    for (int g = 0; g < 2; g++) {
        double *grid = stencil->grids[g];
        for (size_t row = 0; row < side; row++) {
            for (size_t i = 0; i < side; i++)
                grid[row * side + i] = (double)((row * 31 + i * 17) % 1009);
        }
    }
}

/* Every point is computed from the same numbers in the same way, whoever computes it, so the result
 * is compared to the last bit. */
static uint64_t checksum(const struct stencil_data *stencil)
{
    const double *grid = stencil->grids[stencil->sweeps % 2];
    uint64_t sum = 0;
    for (size_t i = 0; i < stencil->side * stencil->side; i++) {
        uint64_t bits;
        memcpy(&bits, &grid[i], sizeof bits);
        sum += (bits ^ i) * UINT64_C(0x9e3779b97f4a7c15);
    }
    return sum;
}

static const char *prepare(const struct bench_setup *setup, void **data, uint64_t *operations)
{
    struct stencil_data *stencil = bench_alloc(sizeof *stencil);
    stencil->side = setup->quick ? 512 : 2048;
    stencil->sweeps = 5;
    for (int g = 0; g < 2; g++)
        stencil->grids[g] = bench_alloc(stencil->side * stencil->side * sizeof(double));
    reset(stencil);
    for (unsigned sweep = 0; sweep < stencil->sweeps; sweep++)
        stencil_rows(stencil, sweep, 1, stencil->side - 1);
    stencil->expected = checksum(stencil);
    *operations = 1;
    *data = stencil;
    return NULL;
}

static const char *check(const void *data)
{
    const struct stencil_data *stencil = data;
    return checksum(stencil) == stencil->expected ? NULL : "the grid differs from the serial one";
}

const struct bench_workload stencil_workload = {"stencil", prepare, reset, check, true, NULL};
