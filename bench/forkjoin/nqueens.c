/* SPDX-License-Identifier: Apache-2.0 */
#include "forkjoin/nqueens.h"

#include "peer/peer.h"
#include "peer/workloads.h"

uint64_t nqueens_serial(int n, int row, struct nqueens_board board)
{
    if (row == n)
        return 1;
    uint64_t solutions = 0;
    for (int column = 0; column < n; column++) {
        if (nqueens_legal(&board, row, column))
            solutions += nqueens_serial(n, row + 1, nqueens_place(&board, row, column));
    }
    return solutions;
}

static const char *prepare(const struct bench_setup *setup, void **data, uint64_t *operations)
{
    struct nqueens_data *nqueens = bench_alloc(sizeof *nqueens);
    nqueens->n = setup->quick ? 10 : 13;
    *operations = 1;
    *data = nqueens;
    return NULL;
}

static void reset(void *data)
{
    ((struct nqueens_data *)data)->solutions = 0;
}

static const char *check(const void *data)
{
    /* The known numbers of solutions (OEIS A000170). */
    const struct nqueens_data *nqueens = data;
    const uint64_t expected = nqueens->n == 13 ? 73712 : 724;
    return nqueens->solutions == expected ? NULL : "not the known number of solutions";
}

const struct bench_workload nqueens_workload = {"nqueens", prepare, reset, check, false, NULL};
