/* SPDX-License-Identifier: Apache-2.0 */
/* A claimed half: whoever claimed it runs it, and its owner waits until that has been done.
 *
 * The owner puts what it waits with where the function of the slot was, and keeps that function with
 * it, since the claimer may not have read it yet. */
#ifndef FILCH_POOL_SLOT_H
#define FILCH_POOL_SLOT_H

#include <filch/inline/fork.h>
#include <stdbool.h>

/* FILCH__SLOT_GUARDED where the frame of a half, of which this is the function or the end, has a cleanup
 * handler for it; else 0. */
static inline uintptr_t filch__slot_guarded(uintptr_t run)
{
    return run == (uintptr_t)filch__run_call ? FILCH__SLOT_GUARDED : run & FILCH__SLOT_GUARDED;
}

/* Whether a half has ended, by a panic or not. */
static inline bool filch__slot_is_done(uintptr_t run)
{
    return (run & FILCH__SLOT_DONE) != 0;
}

/* Runs a slot that the caller has claimed, and tells its owner. The slot may be gone afterwards.
 * Ordering: releases to the wait (FK_done). Callable from: a worker. */
void filch__slot_execute(struct filch__slot *slot);

/* Waits until somebody has run the claimed slot. Ordering: acquires what that one released.
 * Callable from: the owner. */
void filch__slot_wait(struct filch__slot *slot);

#endif
