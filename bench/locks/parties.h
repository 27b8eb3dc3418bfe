/* SPDX-License-Identifier: Apache-2.0 */
/* What the parties do, for locks of C, and what these are is said by macros: so the compiler sees each lock
 * where it is used, and all are used alike. Whoever includes this defines
 *
 *     LOCKS_MUTEX                          the type
 *     LOCKS_MUTEX_INIT                     its initialiser
 *     LOCKS_LOCK(mutex), LOCKS_UNLOCK(mutex)
 *     LOCKS_READ(), LOCKS_READ_END(), LOCKS_WRITE(), LOCKS_WRITE_END()     the one rwlock
 *     LOCKS_WAIT(mutex), LOCKS_NOTIFY()    the one condition variable
 *
 * and uses what it needs of the functions.
 */
#ifndef FILCH_BENCH_LOCKS_PARTIES_H
#define FILCH_BENCH_LOCKS_PARTIES_H

#include "locks/locks.h"

#define LOCKS_FUNCTION static __attribute__((unused)) void

static LOCKS_MUTEX locks_mutex = LOCKS_MUTEX_INIT;

LOCKS_FUNCTION locks_lock(struct locks_data *d)
{
    for (uint64_t i = 0; i < d->rounds; i++) {
        LOCKS_LOCK(&locks_mutex);
        LOCKS_UNLOCK(&locks_mutex);
    }
    d->counts[0] = d->rounds;
}

LOCKS_FUNCTION locks_read(struct locks_data *d)
{
    for (uint64_t i = 0; i < d->rounds; i++) {
        LOCKS_READ();
        LOCKS_READ_END();
    }
    d->counts[0] = d->rounds;
}

LOCKS_FUNCTION locks_write(struct locks_data *d)
{
    for (uint64_t i = 0; i < d->rounds; i++) {
        LOCKS_WRITE();
        LOCKS_WRITE_END();
    }
    d->counts[0] = d->rounds;
}

LOCKS_FUNCTION locks_mutex_party(struct locks_data *d, unsigned number)
{
    uint64_t count = 0;
    for (; !parties_stop(&d->time); count++) {
        LOCKS_LOCK(&locks_mutex);
        d->shared++;
        locks_work(d->inside);
        LOCKS_UNLOCK(&locks_mutex);
        locks_work(d->inside);
    }
    d->counts[number] = count;
}

LOCKS_FUNCTION locks_rwlock_party(struct locks_data *d, unsigned number)
{
    uint64_t counts[2] = {0, 0};
    uint32_t random = number + 1;
    while (!parties_stop(&d->time)) {
        const bool reads = locks_reads(d, &random);
        if (reads) {
            LOCKS_READ();
            locks_work(d->inside);
            LOCKS_READ_END();
        } else {
            LOCKS_WRITE();
            d->shared++;
            locks_work(d->inside);
            LOCKS_WRITE_END();
        }
        locks_work(d->inside);
        counts[reads]++;
    }
    d->counts[number] = counts[0];
    d->reads[number] = counts[1];
}

static unsigned locks_turn; /* under locks_mutex */

LOCKS_FUNCTION locks_condvar_party(struct locks_data *d, unsigned number)
{
    LOCKS_LOCK(&locks_mutex);
    for (uint64_t i = 0; i < d->rounds; i++) {
        while (locks_turn != number)
            LOCKS_WAIT(&locks_mutex);
        locks_turn = 1 - number;
        d->counts[number]++;
        LOCKS_NOTIFY();
    }
    LOCKS_UNLOCK(&locks_mutex);
}

/* Three locks go round: each party holds one, asks for the next one, which the other party holds, and
 * only then lets its own go. LOCKS_MEET() returns when both hold their first. */
#ifdef LOCKS_MEET
static LOCKS_MUTEX locks_ring[3] = {LOCKS_MUTEX_INIT, LOCKS_MUTEX_INIT, LOCKS_MUTEX_INIT};

LOCKS_FUNCTION locks_handoff_party(struct locks_data *d, unsigned number)
{
    unsigned mine = number;
    LOCKS_LOCK(&locks_ring[mine]);
    LOCKS_MEET();
    for (uint64_t i = 0; i < d->rounds; i++) {
        const unsigned next = mine == 2 ? 0 : mine + 1;
        LOCKS_LOCK(&locks_ring[next]);
        LOCKS_UNLOCK(&locks_ring[mine]);
        mine = next;
        d->counts[number]++;
    }
    LOCKS_UNLOCK(&locks_ring[mine]);
}
#endif

#endif
