/* SPDX-License-Identifier: Apache-2.0 */
/* How long until something happens. `wake`: a thread outside hands one task to a pool that has been
 * asleep for more than 10 ms; time until the task runs. `wake-result`: until its result is back with
 * the submitter. `wake-caller`: the thread outside may take part itself, as in a loop; time until any of it
 * runs. `idle`: CPU time that the process uses while there is nothing to do, from the end
 * of some work on. `cold-start`: from before a process is started until its first task runs. */
#ifndef FILCH_BENCH_LATENCY_LATENCY_H
#define FILCH_BENCH_LATENCY_LATENCY_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct wake_data {
    unsigned probes;
    bool result;         /* report when the result is back, not when the task began */
    int64_t started_ns;  /* out: written by the task, read once its result is back */
    unsigned probes_ran; /* out */
    unsigned pieces_ran; /* out, atomic: of `wake-caller` */
};

/* The task of `wake`. */
static inline void wake_task(struct wake_data *wake, int64_t now_ns)
{
    wake->started_ns = now_ns;
    wake->probes_ran++;
}

enum { WAKE_PIECES = 64 };

/* One piece of the loop of `wake-caller`, of WAKE_PIECES: 5 us, so that it is worth sharing. Any thread. */
void wake_piece(struct wake_data *wake);

/* Runs the probes. `round_trip` hands wake_task to the pool and returns when it has run. */
void wake_measure(struct wake_data *wake, void (*round_trip)(struct wake_data *wake));

struct idle_data {
    int64_t idle_ns;
    unsigned work_done; /* out: how many pieces of work have run, IDLE_PIECES in all */
};

enum { IDLE_PIECES = 64 };

/* One piece of the work before the pause: a millisecond. Any thread. */
void idle_piece(struct idle_data *idle);

/* Calls `work`, which has idle_piece called IDLE_PIECES times in parallel, then pauses and reports
 * the CPU time used meanwhile. */
void idle_measure(struct idle_data *idle, void (*work)(struct idle_data *idle));

/* `cold-start` is the same for all: starts this very program anew. */
void cold_start_measure(void *data);

#ifdef __cplusplus
}
#endif

#endif
