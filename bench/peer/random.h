/* SPDX-License-Identifier: Apache-2.0 */
/* The same pseudo-random data for every implementation. */
#ifndef FILCH_BENCH_PEER_RANDOM_H
#define FILCH_BENCH_PEER_RANDOM_H

#include <stdint.h>

/* A number that looks unrelated to `index` (splitmix64). */
static inline uint64_t bench_mix(uint64_t index)
{
    uint64_t z = (index + 1) * UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

/* Evenly spread in [0, 1). */
static inline double bench_uniform(uint64_t index)
{
    return (double)(bench_mix(index) >> 11) * 0x1p-53;
}

#endif
