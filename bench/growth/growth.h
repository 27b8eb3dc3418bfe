/* SPDX-License-Identifier: Apache-2.0 */
/* Work whose size is swept by `filch-bench grow`. `grain`: tasks of one scope whose bodies take so
 * many steps, of about a nanosecond each. `depth`: a recursion so many levels deep with a fork at
 * each. `iterations`: a loop of so many iterations, of less than a nanosecond each, over and over. */
#ifndef FILCH_BENCH_GROWTH_GROWTH_H
#define FILCH_BENCH_GROWTH_GROWTH_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct grain_data {
    size_t count;
    uint32_t *values; /* one per task: its index before, what its steps made of it after */
};

/* Steps of each task; written before the first one exists. */
extern unsigned grain_steps;

static inline uint32_t grain_work(uint32_t value, unsigned steps)
{
    for (unsigned i = 0; i < steps; i++) {
        value = value * UINT32_C(1664525) + UINT32_C(1013904223);
        /* One after the other: a compiler would otherwise take many at once. */
        __asm__ volatile("" : "+r"(value));
    }
    return value;
}

/* The body of a task; `argument` is the address of its value. */
static inline void grain_task(void *argument)
{
    uint32_t *value = (uint32_t *)argument;
    *value = grain_work(*value, grain_steps);
}

struct depth_data {
    unsigned depth;
    unsigned repeats;
    uint64_t forks; /* out: how many halves have run */
};

struct iterations_data {
    size_t iterations;
    size_t repeats;
    uint64_t sum; /* out: of all indices, over all repeats; shared by all pieces */
};

/* One iteration: an addition that a compiler can neither foresee nor do many of at once. */
static inline uint64_t iterations_next(uint64_t sum, size_t i)
{
    sum += i;
    __asm__ volatile("" : "+r"(sum));
    return sum;
}

/* One piece of the loop. Any thread. */
static inline void iterations_range(struct iterations_data *data, size_t begin, size_t end)
{
    uint64_t sum = 0;
    for (size_t i = begin; i < end; i++)
        sum = iterations_next(sum, i);
    __atomic_fetch_add(&data->sum, sum, __ATOMIC_RELAXED); /* read when all pieces have ended */
}

#ifdef __cplusplus
}
#endif

#endif
