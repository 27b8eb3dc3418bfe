/* SPDX-License-Identifier: Apache-2.0 */
/* Very many tasks that wait for the same thing: a task creates them all, each tells that it is there and
 * waits; when all are there, they are let go, and have to end. Time to create a task until it waits, memory
 * per task that waits, time per task from the release until all have ended, memory that is kept. */
#ifndef FILCH_BENCH_TASKS_BLOCKED_H
#define FILCH_BENCH_TASKS_BLOCKED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct blocked_data {
    size_t count;
    size_t arrived;      /* out, atomic: tasks that are there */
    size_t ended;        /* out, atomic */
    int64_t complete_ns; /* out: when all were there */
    int64_t release_ns;  /* out: when they were let go */
    double full_bytes;   /* out: held when all were there */
    int error;           /* out: why not all could be created; else 0 */
};

/* Called by each task when it is there. Returns whether it is the last one. */
static inline bool blocked_arrive(struct blocked_data *d)
{
    return __atomic_add_fetch(&d->arrived, 1, __ATOMIC_RELAXED) == d->count;
}

/* Called by each task at its end. */
static inline void blocked_end(struct blocked_data *d)
{
    __atomic_add_fetch(&d->ended, 1, __ATOMIC_RELAXED);
}

/* Called when all are there, just before they are let go. */
void blocked_complete(struct blocked_data *d);

/* Runs it, which returns when all have ended, and reports. */
void blocked_measure(struct blocked_data *d, void (*run)(struct blocked_data *d));

#ifdef __cplusplus
}
#endif

#endif
