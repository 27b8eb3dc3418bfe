/* SPDX-License-Identifier: Apache-2.0 */
/* The internal lock of the fast paths: taken by one swap, given back by a store, so it costs half of what
 * park/lock.h does. The price: nobody can be woken for it. Who finds it held looks again and again, and in
 * the end sleeps between looks, since the holder may have lost its processor. So it guards a few
 * instructions only, as the queues of the users' locks do. */
#ifndef FILCH_PARK_BRIEF_H
#define FILCH_PARK_BRIEF_H

#include "base/atomic.h"

/* 0 free, 1 held. All zero is a valid free lock. */
struct brief {
    FILCH_SHARED(uint32_t) word;
};

/* filch__brief_enter where somebody has it. */
void filch__brief_enter_slow(struct brief *b);

/* Takes the lock.
 *   b   not held by the caller                                                          [in,out]
 * Blocks: the OS thread, briefly. Panics: never. Callable from: threads and tasks, not from signal
 * handlers. Ordering: acquires what the last one that had it released (LK_brief). */
static FILCH_ALWAYS_INLINE void filch__brief_enter(struct brief *b)
{
    uint32_t seen = 0;
    if (FILCH_UNLIKELY(!FILCH_CAS(&b->word, &seen, 1, LK_brief, acquire)))
        filch__brief_enter_slow(b);
}

/* Gives the lock back.
 *   b   held by the caller; its memory may be gone as soon as another one has taken it   [in,out]
 * Blocks: never. Panics: never. Ordering: releases to the next filch__brief_enter (LK_brief_leave). */
static FILCH_ALWAYS_INLINE void filch__brief_leave(struct brief *b)
{
    FILCH_STORE(&b->word, 0, LK_brief_leave, release);
}

#endif
