/* SPDX-License-Identifier: Apache-2.0 */
/* All placements of n queens that do not attack each other: one task per legal placement, the board
 * copied by value into the task, and only the new queen checked against those before it. */
#ifndef FILCH_BENCH_FORKJOIN_NQUEENS_H
#define FILCH_BENCH_FORKJOIN_NQUEENS_H

#include <stdbool.h>
#include <stdint.h>

enum { NQUEENS_MAX = 16 };

struct nqueens_board {
    int8_t column[NQUEENS_MAX]; /* of the queen in each row so far */
};

struct nqueens_data {
    int n;
    uint64_t solutions; /* out */
};

static inline bool nqueens_legal(const struct nqueens_board *board, int row, int column)
{
    for (int other = 0; other < row; other++) {
        const int distance = board->column[other] - column;
        if (distance == 0 || distance == row - other || distance == other - row)
            return false;
    }
    return true;
}

static inline struct nqueens_board nqueens_place(const struct nqueens_board *board, int row,
                                                 int column)
{
    struct nqueens_board next = *board;
    next.column[row] = (int8_t)column;
    return next;
}

/* The reference: the number of solutions below `board`, whose first `row` rows are set. */
uint64_t nqueens_serial(int n, int row, struct nqueens_board board);

#endif
