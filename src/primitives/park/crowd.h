/* SPDX-License-Identifier: Apache-2.0 */
/* Those that wait until something changes which is kept under a lock; all of them are woken, and look
 * again.
 *
 *     filch__lock(&x->lock);
 *     while (error == 0 && !is_there(x)) {
 *         error = filch__crowd_wait(&x->crowd, &x->lock, deadline);
 *         filch__lock(&x->lock);
 *     }
 *     filch__unlock(&x->lock);
 */
#ifndef FILCH_PARK_CROWD_H
#define FILCH_PARK_CROWD_H

#include "park/lock.h"
#include "park/park.h"

struct crowd_waiter;

/* All zero is an empty one. */
struct crowd {
    struct crowd_waiter *first; /* under the lock, as the waiters' links */
};

/* Gives the lock back, and waits for a filch__crowd_wake.
 *   lock         held; not held afterwards                                              [in,out]
 *   deadline_ns  absolute, CLOCK_MONOTONIC; FILCH_FOREVER for none
 * Returns 0: woken, and nothing of the crowd is touched any more; what park returns: nobody has taken
 * the caller out.
 * Blocks: yes; a task suspends, its worker goes on. Panics: never. Ordering: what the waker did under
 * the lock is seen under the lock. */
int filch__crowd_wait(struct crowd *c, struct lock *lock, int64_t deadline_ns);

/* Takes all out, under the lock. Returns them, for filch__crowd_wake. */
struct crowd_waiter *filch__crowd_take(struct crowd *c);

/* Wakes those that were taken out, without the lock, which may be gone by now. */
void filch__crowd_wake(struct crowd_waiter *taken);

#endif
