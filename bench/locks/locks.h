/* SPDX-License-Identifier: Apache-2.0 */
/* Locks. Uncontended: so many pairs of lock and unlock by one thread. Contended: a number of parties, for a
 * fixed time, each of which locks, works inside, unlocks, works as long outside; time per acquisition, and
 * how much more often the luckiest party got the lock than the unluckiest. `mutex-handoff`: every
 * acquisition waits for the other party. Turns: two parties by a condition variable, or all at a barrier. */
#ifndef FILCH_BENCH_LOCKS_LOCKS_H
#define FILCH_BENCH_LOCKS_LOCKS_H

#include "peer/parties.h"

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct locks_data {
    unsigned parties;
    unsigned read_percent;
    uint64_t rounds; /* of what is done so many times */
    uint32_t inside; /* of locks_work, with the lock; and as much without */
    struct parties_time time;
    uint64_t shared;              /* out: plain, written with the lock */
    uint64_t counts[PARTIES_MAX]; /* out: acquisitions for writing, or turns */
    uint64_t reads[PARTIES_MAX];  /* out: acquisitions for reading */
};

/* Computes for a while: 0.3 ns or so for each unit; in all processes the same number of them. */
static inline void locks_work(uint32_t units)
{
    for (uint32_t i = 0; i < units; i++)
        __asm__ volatile("" ::: "memory");
}

/* Whether the next access of a party reads; *random is its own, not 0. */
static inline bool locks_reads(const struct locks_data *d, uint32_t *random)
{
    *random ^= *random << 13;
    *random ^= *random >> 17;
    *random ^= *random << 5;
    return *random % 100 < d->read_percent;
}

/* What each party does. */
typedef void locks_party(struct locks_data *d, unsigned number);

/* Has all parties do it, and returns when they have: on threads, or as the runtime does. */
typedef void locks_runner(struct locks_data *d, locks_party *party);

void locks_on_threads(struct locks_data *d, locks_party *party);

/* Runs a contended case and reports. */
void locks_contend(struct locks_data *d, locks_party *party, locks_runner *run);

#ifdef __cplusplus
}
#endif

#endif
