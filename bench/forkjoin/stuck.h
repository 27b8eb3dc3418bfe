/* SPDX-License-Identifier: Apache-2.0 */
/* Is spawned work stuck while its spawner computes? A task spawns 8 tasks of 20 ms, then computes
 * for 160 ms itself without touching the runtime, then waits. With two workers 160 ms is ideal: the
 * second worker must be able to take every one of the eight while the first computes. */
#ifndef FILCH_BENCH_FORKJOIN_STUCK_H
#define FILCH_BENCH_FORKJOIN_STUCK_H

#include <stdint.h>

enum { STUCK_TASKS = 8 };

struct stuck_data {
    int64_t task_ns;
    int64_t own_ns;
    uint8_t done[STUCK_TASKS]; /* out: how often each task ran */
};

struct stuck_task {
    struct stuck_data *data;
    int index;
};

/* Keeps the CPU busy for that long. */
void stuck_compute(int64_t duration_ns);

/* The body of one of the eight; `argument` is a struct stuck_task. */
void stuck_task_run(void *argument);

#endif
