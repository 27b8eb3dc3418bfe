/* SPDX-License-Identifier: Apache-2.0 */
/* A barrier: a number of parties wait until all of them have come; one of them is the leader.
 *
 *     static struct filch_barrier barrier = FILCH_BARRIER_INIT(4);
 *     ...                                          // in each of four threads or tasks
 *     int is_leader;
 *     int error = filch_barrier_wait(&barrier, &is_leader);
 *
 * It may be used again at once, for the next round. A party that panics does not poison it. Parties that
 * are tasks need not run at the same time: each is set aside while it waits. Not promised: who leads.
 */
#ifndef FILCH_BARRIER_H
#define FILCH_BARRIER_H

#include <filch/attr.h>
#include <filch/errors.h>
#include <filch/inline/lock.h>
#include <filch/time.h>

FILCH_EXTERN_C_BEGIN

/* May lie anywhere; not copied or moved while it is in use. */
struct filch_barrier {
    uint64_t filch__word; /* private, as all that follows */
    void *filch__queue;
    uint64_t filch__parties;
};

/* For that many parties; 0 counts as 1. */
#define FILCH_BARRIER_INIT(parties)                                                                \
    {                                                                                              \
        0, NULL, parties                                                                           \
    }

/* Waits until as many have come as there are parties.
 *   b          initialised                                                              [in,out]
 *   is_leader  receives 1 in one of them, in all others 0; NULL: not wanted                [out]
 * Returns 0; EINVAL (b NULL). Blocks: yes; a task suspends, its worker goes on. Panics: never.
 * Callable from: threads and tasks. Ordering: what each did before happens before every return. */
FILCH_API FILCH_NODISCARD int filch_barrier_wait(struct filch_barrier *b, int *is_leader);

/* The same, at most until a deadline; then the caller has not come, and one more is missing.
 *   deadline  absolute ns on CLOCK_MONOTONIC; FILCH_FOREVER for none
 * Returns as filch_barrier_wait; ETIMEDOUT. Everything else as filch_barrier_wait. */
FILCH_API FILCH_NODISCARD int filch_barrier_wait_until(struct filch_barrier *b, int *is_leader,
                                                       int64_t deadline);

FILCH_EXTERN_C_END

#endif
