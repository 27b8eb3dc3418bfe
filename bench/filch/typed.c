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

static uint64_t uts_range(struct uts_node parent, unsigned begin, unsigned end);
FILCH_FORKABLE(uint64_t, uts_range, struct uts_node, unsigned, unsigned)

static uint64_t uts_node(struct uts_node node)
{
    const unsigned children = uts_children(&node);
    return children == 0 ? 1 : 1 + uts_range(node, 0, children);
}

/* The trees below the children [begin, end), of which there is at least one, by halves. */
static uint64_t uts_range(struct uts_node parent, unsigned begin, unsigned end)
{
    if (end - begin == 1)
        return uts_node(uts_child(&parent, begin));
    const unsigned middle = begin + (end - begin) / 2;
    FILCH_FORK(left, uts_range, parent, begin, middle);
    const uint64_t nodes = uts_range(parent, middle, end);
    return nodes + FILCH_SYNC(left, uts_range);
}

void filch_case_uts(void *data)
{
    struct uts_data *uts = data;
    uts->nodes = uts_node(uts->root);
}

static void msort(uint32_t *values, uint32_t *scratch, size_t count);
FILCH_FORKABLE_VOID(msort, uint32_t *, uint32_t *, size_t)

static void msort(uint32_t *values, uint32_t *scratch, size_t count)
{
    if (count <= MSORT_LEAF) {
        msort_leaf(values, count);
        return;
    }
    const size_t half = count / 2;
    FILCH_FORK(left, msort, values, scratch, half);
    msort(values + half, scratch + half, count - half);
    FILCH_SYNC(left, msort);
    msort_merge(values, scratch, half, count);
}

void filch_case_msort(void *data)
{
    struct msort_data *msort_data = data;
    msort(msort_data->values, msort_data->scratch, msort_data->count);
}
