/* SPDX-License-Identifier: Apache-2.0 */
/* Tasks that were all begun on one worker, while the others were busy, and wait for the same thing. When
 * the others are free, all are woken, and each has 20 us of work to do. Time per task from there until all
 * have ended; with two workers that share them, half of the work. */
#ifndef FILCH_BENCH_TASKS_WOKEN_H
#define FILCH_BENCH_TASKS_WOKEN_H

#include <stddef.h>
#include <stdint.h>

struct woken_data {
    size_t count;
    size_t ended;     /* out, atomic */
    int64_t begin_ns; /* out: when they were woken */
};

/* What each does. */
void woken_work(struct woken_data *d);

/* Runs it, and reports. */
void woken_measure(struct woken_data *d, void (*run)(struct woken_data *d));

#endif
