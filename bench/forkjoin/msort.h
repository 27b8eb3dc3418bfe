/* SPDX-License-Identifier: Apache-2.0 */
/* Merge sort of 8 million 32-bit numbers: both halves in parallel down to 32 elements, which are
 * sorted by insertion; the merge is serial, so the critical path is not short. */
#ifndef FILCH_BENCH_FORKJOIN_MSORT_H
#define FILCH_BENCH_FORKJOIN_MSORT_H

#include <stddef.h>
#include <stdint.h>

enum { MSORT_LEAF = 32 };

struct msort_data {
    uint32_t *values;
    uint32_t *scratch;
    size_t count;
    const uint32_t *original; /* unsorted */
    uint64_t checksum;        /* of the original: sum of mixed values, whatever the order */
};

/* Sorts at most a few dozen values. */
void msort_leaf(uint32_t *values, size_t count);

/* Merges the sorted halves [0, half) and [half, count) of `values` by way of `scratch`. */
void msort_merge(uint32_t *values, uint32_t *scratch, size_t half, size_t count);

/* The reference. */
void msort_serial(uint32_t *values, uint32_t *scratch, size_t count);

#endif
