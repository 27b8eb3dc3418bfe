/* SPDX-License-Identifier: Apache-2.0 */
#include "forkjoin/msort.h"

#include "peer/peer.h"
#include "peer/random.h"
#include "peer/workloads.h"

#include <string.h>

void msort_leaf(uint32_t *values, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        const uint32_t value = values[i];
        size_t hole = i;
        while (hole > 0 && values[hole - 1] > value) {
            values[hole] = values[hole - 1];
            hole--;
        }
        values[hole] = value;
    }
}

void msort_merge(uint32_t *values, uint32_t *scratch, size_t half, size_t count)
{
    memcpy(scratch, values, half * sizeof *values);
    size_t left = 0;
    size_t right = half;
    size_t out = 0;
    while (left < half && right < count) {
        /* Without a branch: the order of random values cannot be predicted. */
        const uint32_t a = scratch[left];
        const uint32_t b = values[right];
        const size_t take_right = b < a;
        values[out++] = take_right ? b : a;
        right += take_right;
        left += 1 - take_right;
    }
    memcpy(values + out, scratch + left, (half - left) * sizeof *values);
}

void msort_serial(uint32_t *values, uint32_t *scratch, size_t count)
{
    if (count <= MSORT_LEAF) {
        msort_leaf(values, count);
        return;
    }
    const size_t half = count / 2;
    msort_serial(values, scratch, half);
    msort_serial(values + half, scratch + half, count - half);
    msort_merge(values, scratch, half, count);
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
