/* SPDX-License-Identifier: Apache-2.0 */
/* The internal lock: for the short lists that the blocking point itself and the pool are built on.
 *
 * It is held for a few instructions, never across a call that can wait, so a contender spins
 * briefly first; then it sleeps on the word like any other waiter, since the holder may have lost
 * its processor. Not for users: it knows no poisoning, no deadline and no task.
 */
#ifndef FILCH_PARK_LOCK_H
#define FILCH_PARK_LOCK_H

#include "base/atomic.h"

/* 0 free, 1 held, 2 held and somebody may sleep. All zero is a valid free lock. */
struct lock {
    FILCH_SHARED(uint32_t) word;
};

/* Takes the lock.
 *   l   not held by the caller                                                          [in,out]
 * Blocks: the OS thread, briefly. Panics: never. Callable from: threads and tasks, not from signal
 * handlers. Ordering: acquires what the last unlock released (LK_lock, LK_lock_slow). */
void filch__lock(struct lock *l);

/* Gives the lock back.
 *   l   held by the caller; its memory may be gone as soon as another one has taken it   [in,out]
 * Blocks: never. Panics: never. Ordering: releases to the next filch__lock (LK_unlock). */
void filch__unlock(struct lock *l);

#endif
