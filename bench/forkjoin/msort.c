/* SPDX-License-Identifier: Apache-2.0 */
#include "forkjoin/msort.h"

#include "peer/peer.h"
#include "peer/random.h"
#include "peer/workloads.h"

#include <string.h>

void msort_leaf(const uint32_t *values, uint32_t *to, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const uint32_t value = values[i];
        size_t hole = i;
        while (hole > 0 && to[hole - 1] > value) {
            to[hole] = to[hole - 1];
            hole--;
        }
        to[hole] = value;
    }
}

void msort_merge(const struct msort_runs *runs)
{
    const uint32_t *left = runs->left;
    const uint32_t *right = runs->right;
    const uint32_t *const left_end = left + runs->left_count;
    const uint32_t *const right_end = right + runs->right_count;
    uint32_t *to = runs->to;
    while (left < left_end && right < right_end) {
        /* Without a branch: the order of random values cannot be predicted. */
        const uint32_t a = *left;
        const uint32_t b = *right;
        const size_t take_right = b < a;
        *to++ = take_right ? b : a;
        right += take_right;
        left += 1 - take_right;
    }
    const size_t left_rest = (size_t)(left_end - left);
    memcpy(to, left, left_rest * sizeof *to);
    memcpy(to + left_rest, right, (size_t)(right_end - right) * sizeof *to);
}

struct msort_runs msort_cut(struct msort_runs *runs)
{
    if (runs->left_count < runs->right_count)
        *runs = (struct msort_runs){runs->right, runs->right_count, runs->left, runs->left_count,
                                    runs->to};
    const size_t left_count = runs->left_count / 2;
    const uint32_t middle = runs->left[left_count];
    size_t right_count = 0; /* how many of the right run are below */
    size_t end = runs->right_count;
    while (right_count < end) {
        const size_t probe = right_count + (end - right_count) / 2;
        if (runs->right[probe] < middle)
            right_count = probe + 1;
        else
            end = probe;
    }
    const struct msort_runs upper = {runs->left + left_count, runs->left_count - left_count,
                                     runs->right + right_count, runs->right_count - right_count,
                                     runs->to + left_count + right_count};
    runs->left_count = left_count;
    runs->right_count = right_count;
    return upper;
}

void msort_serial(const uint32_t *values, uint32_t *to, uint32_t *other, size_t count)
{
    if (count <= MSORT_LEAF) {
        msort_leaf(values, to, count);
        return;
    }
    const size_t half = count / 2;
    msort_serial(values, other, to, half);
    msort_serial(values + half, other + half, to + half, count - half);
    const struct msort_runs halves = msort_halves(other, half, count, to);
    msort_merge(&halves);
}

/* A sum over mixed values, so that it notices any loss or doubling but not the order. */
static uint64_t checksum(const uint32_t *values, size_t count)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += bench_mix(values[i]);
    return sum;
}

static const char *prepare(const struct bench_setup *setup, void **data, uint64_t *operations)
{
    struct msort_data *msort = bench_alloc(sizeof *msort);
    msort->count = setup->quick ? 500000 : 8000000;
    const size_t bytes = msort->count * sizeof(uint32_t);
    uint32_t *original = bench_alloc(bytes);
    for (size_t i = 0; i < msort->count; i++)
        original[i] = (uint32_t)bench_mix(i);
    msort->original = original;
    msort->values = bench_alloc(bytes);
    msort->scratch = bench_alloc(bytes);
    msort->checksum = checksum(original, msort->count);
    *operations = 1;
    *data = msort;
    return NULL;
}

static void reset(void *data)
{
    struct msort_data *msort = data;
    memcpy(msort->values, msort->original, msort->count * sizeof(uint32_t));
}

static const char *check(const void *data)
{
    const struct msort_data *msort = data;
    for (size_t i = 1; i < msort->count; i++) {
        if (msort->values[i - 1] > msort->values[i])
            return "not sorted";
    }
    return checksum(msort->values, msort->count) == msort->checksum
               ? NULL
               : "sorted, but these are not the values that were given";
}

const struct bench_workload msort_workload = {"msort", prepare, reset, check, false, NULL};
