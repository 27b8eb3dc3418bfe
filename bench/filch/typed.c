/* SPDX-License-Identifier: Apache-2.0 */
/* The typed form of join: fork and sync of plain C functions. */
#include "filch/cases.h"

#include "forkjoin/fib.h"
#include "forkjoin/msort.h"
#include "forkjoin/nqueens.h"
#include "forkjoin/uts.h"

#include <filch/filch.h>

static uint64_t fib(unsigned n);
FILCH_FORKABLE(uint64_t, fib, unsigned)

static uint64_t fib(unsigned n)
{
    if (n < 2)
        return n;
    FILCH_FORK(right, fib, n - 1);
    const uint64_t left = fib(n - 2);
    return left + FILCH_SYNC(right, fib);
}

void filch_case_fib_typed(void *data)
{
    struct fib_data *fib_data = data;
    fib_data->result = fib(fib_data->n);
}

static uint64_t nqueens(int n, int row, struct nqueens_board board);
FILCH_FORKABLE(uint64_t, nqueens, int, int, struct nqueens_board)

/* One fork for each legal column of this row from `column` on. */
static uint64_t nqueens_columns(int n, int row, const struct nqueens_board *board, int column)
{
    while (column < n && !nqueens_legal(board, row, column))
        column++;
    if (column == n)
        return 0;
    FILCH_FORK(here, nqueens, n, row + 1, nqueens_place(board, row, column));
    const uint64_t solutions = nqueens_columns(n, row, board, column + 1);
    return solutions + FILCH_SYNC(here, nqueens);
}

static uint64_t nqueens(int n, int row, struct nqueens_board board)
{
    return row == n ? 1 : nqueens_columns(n, row, &board, 0);
}

void filch_case_nqueens(void *data)
{
    struct nqueens_data *nqueens_data = data;
    nqueens_data->solutions = nqueens(nqueens_data->n, 0, (struct nqueens_board){{0}});
}

static uint64_t uts(struct uts_node node);
FILCH_FORKABLE(uint64_t, uts, struct uts_node)

/* One fork for each child from `index` on, of which there is at least one. */
static uint64_t uts_children_from(struct uts_node parent, unsigned index, unsigned children)
{
    const struct uts_node child = uts_child(&parent, index);
    if (index + 1 == children)
        return uts(child);
    FILCH_FORK(here, uts, child);
    const uint64_t nodes = uts_children_from(parent, index + 1, children);
    return nodes + FILCH_SYNC(here, uts);
}

static uint64_t uts(struct uts_node node)
{
    const unsigned children = uts_children(&node);
    return children == 0 ? 1 : 1 + uts_children_from(node, 0, children);
}

void filch_case_uts(void *data)
{
    struct uts_data *uts_data = data;
    uts_data->nodes = uts(uts_data->root);
}

static void merge(struct msort_runs runs);
FILCH_FORKABLE_VOID(merge, struct msort_runs)

static void merge(struct msort_runs runs)
{
    if (msort_length(&runs) <= MSORT_MERGE) {
        msort_merge(&runs);
        return;
    }
    FILCH_FORK(upper, merge, msort_cut(&runs));
    merge(runs);
    FILCH_SYNC(upper, merge);
}

static void msort(const uint32_t *values, uint32_t *to, uint32_t *other, size_t count);
FILCH_FORKABLE_VOID(msort, const uint32_t *, uint32_t *, uint32_t *, size_t)

static void msort(const uint32_t *values, uint32_t *to, uint32_t *other, size_t count)
{
    if (count <= MSORT_LEAF) {
        msort_leaf(values, to, count);
        return;
    }
    const size_t half = count / 2;
    FILCH_FORK(right, msort, values + half, other + half, to + half, count - half);
    msort(values, other, to, half);
    FILCH_SYNC(right, msort);
    merge(msort_halves(other, half, count, to));
}

void filch_case_msort(void *data)
{
    struct msort_data *sort = data;
    msort(sort->values, sort->values, sort->scratch, sort->count);
}
