/* SPDX-License-Identifier: Apache-2.0 */
/* Very many tasks that sleep at the same time, each for 200 to 300 ms: CPU time per task, from its creation
 * to its end, and by how much the latest percent of them woke too late. None may wake too early. */
#ifndef FILCH_BENCH_TASKS_TIMERS_H
#define FILCH_BENCH_TASKS_TIMERS_H

#include "peer/random.h"

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct timers_data {
    size_t count;
    int64_t *late_ns; /* out: of each task; negative: it woke too early */
};

/* How long task number `index` sleeps. */
static inline int64_t timers_duration_ns(size_t index)
{
    return 200000000 + (int64_t)(bench_mix(index) % 100000000);
}

/* Runs it, which returns when all have ended, and reports. */
void timers_measure(struct timers_data *d, void (*run)(struct timers_data *d));

#ifdef __cplusplus
}
#endif

#endif
