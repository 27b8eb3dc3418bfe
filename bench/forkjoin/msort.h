/* SPDX-License-Identifier: Apache-2.0 */
/* Merge sort of 8 million 32-bit numbers. Both halves are sorted in parallel, down to 32 numbers, which are
 * sorted by insertion. So are they merged: the longer run is cut at its middle, the other one where that
 * number belongs, and the two lower parts are merged beside the two upper ones, down to 4096 numbers
 * (Cormen and others, "Introduction to Algorithms", multithreaded merging).
 */
#ifndef FILCH_BENCH_FORKJOIN_MSORT_H
#define FILCH_BENCH_FORKJOIN_MSORT_H

#include <stddef.h>
#include <stdint.h>

enum {
    MSORT_LEAF = 32,
    MSORT_MERGE = 4096, /* so many are merged without a cut */
};

struct msort_data {
    uint32_t *values;
    uint32_t *scratch;
    size_t count;
    const uint32_t *original; /* unsorted */
    uint64_t checksum;        /* of the original: sum of mixed values, whatever the order */
};

/* Two sorted runs, and where they go when they are merged. */
struct msort_runs {
    const uint32_t *left;
    size_t left_count;
    const uint32_t *right;
    size_t right_count;
    uint32_t *to;
};

/* Two that lie side by side. */
static inline struct msort_runs msort_halves(const uint32_t *values, size_t half, size_t count,
                                             uint32_t *to)
{
    const struct msort_runs halves = {values, half, values + half, count - half, to};
    return halves;
}

static inline size_t msort_length(const struct msort_runs *runs)
{
    return runs->left_count + runs->right_count;
}

/* Sorts at most a few dozen values; `to` may be `values`. */
void msort_leaf(const uint32_t *values, uint32_t *to, size_t count);

/* Merges, serially. */
void msort_merge(const struct msort_runs *runs);

/* Cuts runs of at least MSORT_MERGE in two: the lower ones stay, those above them are returned. */
struct msort_runs msort_cut(struct msort_runs *runs);

/* The reference, where each merge is in one piece: sorts `values`, which is `to` or `other`, into `to` by way of `other`. */
void msort_serial(const uint32_t *values, uint32_t *to, uint32_t *other, size_t count);

#endif
