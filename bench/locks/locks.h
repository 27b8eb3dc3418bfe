/* SPDX-License-Identifier: Apache-2.0 */
/* Locks. Uncontended: so many pairs of lock and unlock by one thread. Contended: a number of parties, for
 * a fixed time, each of which locks, works inside, unlocks, works as long outside; time per acquisition,
 * or how much more often the luckiest party got the lock than the unluckiest. Ping-pong: two parties take
 * turns, or all meet at a barrier, so many times. */
#ifndef FILCH_BENCH_LOCKS_LOCKS_H
#define FILCH_BENCH_LOCKS_LOCKS_H

#include <stdbool.h>
#include <stdint.h>

enum { LOCKS_PARTIES_MAX = 16 };

struct locks_data {
    unsigned parties;
    unsigned read_percent;
    bool reports_fairness;
    int64_t run_ns;
    uint64_t rounds;                    /* of what is done so many times */
    uint32_t inside;                    /* of locks_work, with the lock; and as much without */
    uint32_t stop;                      /* atomic: the time is over */
    unsigned joined;                    /* atomic: parties that have their number */
    uint64_t shared;                    /* out: plain, written with the lock */
    uint64_t counts[LOCKS_PARTIES_MAX]; /* out: acquisitions for writing */
    uint64_t reads[LOCKS_PARTIES_MAX];  /* out: acquisitions for reading */
};

/* Computes for a while: 0.3 ns or so for each unit. */
static inline void locks_work(uint32_t units)
{
    for (uint32_t i = 0; i < units; i++)
        __asm__ volatile("" ::: "memory");
}

static inline bool locks_stop(const struct locks_data *d)
{
    return __atomic_load_n(&d->stop, __ATOMIC_RELAXED) != 0;
}

/* Whether the next access of a party reads; *random is its own, not 0. */
static inline bool locks_reads(const struct locks_data *d, uint32_t *random)
{
    *random ^= *random << 13;
    *random ^= *random >> 17;
    *random ^= *random << 5;
    return *random % 100 < d->read_percent;
}

/* What each party of a contended case does. */
typedef void locks_party(struct locks_data *d, unsigned number);

/* Runs the contended case: `run` has all parties run, until locks_stop(), and returns. */
void locks_contend(struct locks_data *d, locks_party *party,
                   void (*run)(struct locks_data *d, locks_party *party));

/* Runs all parties on threads. */
void locks_on_threads(struct locks_data *d, locks_party *party);

#endif
