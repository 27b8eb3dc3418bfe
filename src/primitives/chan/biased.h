/* SPDX-License-Identifier: Apache-2.0 */
/* A brief lock with a favourite: the thread of which nobody but its tasks has taken it for a while. That one
 * takes it by plain loads and stores, until another one comes; from then on it is everybody's for ever, and
 * taken by swaps. (Kawachiya, Koseki and Onodera, "Lock Reservation", 2002; the exclusion is that of alone.h.)
 *
 *     the favourite                         another one
 *     (a) busy = 1                          (A) takes the lock
 *     (b) nothing but a compiler barrier    (B) favourite = SHARED; membarrier
 *     (c) is it the favourite still?        (C) waits while busy
 *     (d) does what it wants                (D) does what it wants
 *     (e) busy = 0                          (E) gives the lock back
 *
 * At (B) the processor of the favourite is either past (a), and (C) waits for (e); or before it, and (c)
 * sees (B): then it takes the lock as others do. Where membarrier(2) is not to be had, nobody is the
 * favourite; nor is a thread that waits itself, which takes so long that a swap is nothing. */
#ifndef FILCH_CHAN_BIASED_H
#define FILCH_CHAN_BIASED_H

#include "chan/alone.h"
#include "park/brief.h"

/* All zero is free, and has no favourite yet. */
struct biased {
    struct brief lock;
    /* Of one with a favourite: whether that is inside. Before that: how often the same thread has come, and
     * which one it was; under the lock. */
    FILCH_SHARED(uint32_t) busy;
    /* filch__alone_self of the favourite; ALONE_NOBODY: none yet; ALONE_SHARED: never again. Written under
     * the lock. */
    FILCH_SHARED(uintptr_t) favourite;
};

/* One that has the lock, and has found that others need not: chooses the favourite, or ends that there is one.
 * Blocks: as filch__alone_end. */
void filch__biased_settle(struct biased *b);

/* Takes the lock.
 *   b   not held by the caller                                                          [in,out]
 * Returns whether as the favourite; filch__biased_leave wants to know.
 * Blocks: the OS thread, briefly. Panics: never. Callable from: threads and tasks, not from signal
 * handlers. Ordering: acquires what the last one that had it released (LK_brief, BL_busy). */
static FILCH_ALWAYS_INLINE bool filch__biased_enter(struct biased *b)
{
    /* Relaxed: only the caller makes itself the favourite, and the other one's barrier orders the rest. */
    const uintptr_t self = filch__alone_self();
    if (FILCH_LOAD_RELAXED(&b->favourite) == self) {
        FILCH_STORE_RELAXED(&b->busy, 1); /* as above */
        FILCH_FENCE_LIGHT();
        if (FILCH_LIKELY(FILCH_LOAD_RELAXED(&b->favourite) == self)) /* as above */
            return true;
        FILCH_STORE(&b->busy, 0, BL_leave, release);
    }
    filch__brief_enter(&b->lock);
    if (FILCH_LOAD_RELAXED(&b->favourite) /* under the lock */ != ALONE_SHARED)
        filch__biased_settle(b);
    return false;
}

/* Gives it back.
 *   is_favourite  what filch__biased_enter has returned
 * Blocks: never. Panics: never. Ordering: releases to the next filch__biased_enter (LK_brief_leave, BL_leave). */
static FILCH_ALWAYS_INLINE void filch__biased_leave(struct biased *b, bool is_favourite)
{
    if (is_favourite)
        FILCH_STORE(&b->busy, 0, BL_leave, release);
    else
        filch__brief_leave(&b->lock);
}

#endif
