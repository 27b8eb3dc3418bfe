/* SPDX-License-Identifier: Apache-2.0 */
/* One thread alone at one end of a queue: it moves the end on with plain loads and stores.
 *
 * An end belongs to the first thread that uses it, until another one wants to. Then it is everybody's for
 * ever, and is moved on by swaps. In a mutual exclusion of two with one impatient side (Dice, Moir and
 * Scherer, "Quickly Reacquirable Locks", 2003):
 *
 *     the one alone                         one that ends it
 *     (a) busy = 1                          (A) owner = ENDING
 *     (b) nothing but a compiler barrier    (B) membarrier
 *     (c) is it the owner still?            (C) waits while busy
 *     (d) does it                           (D) owner = SHARED
 *     (e) busy = 0
 *
 * At (B) the processor of the one alone is either past (a), and (C) waits for (e); or before it, and (c)
 * sees (A). So whoever reads SHARED sees all that was done alone, and nobody is alone any more. Between
 * (a) and (e) lie a few instructions and the copy of a message; (C) waits for a moment, and for longer
 * only where they were interrupted. Where membarrier(2) is not to be had, an end is everybody's from the
 * beginning. */
#ifndef FILCH_CHAN_ALONE_H
#define FILCH_CHAN_ALONE_H

#include "base/atomic.h"
#include "park/waiter.h"

#include <stdbool.h>

/* Values of `owner` that are no thread's. */
enum { ALONE_NOBODY = 0, ALONE_ENDING = 1, ALONE_SHARED = 2 };

/* All zero at the beginning, or at another position. */
struct alone {
    FILCH_SHARED(uint64_t) position; /* of the end */
    FILCH_SHARED(uintptr_t) owner;   /* filch__alone_self of a thread; or one of the above */
    FILCH_SHARED(uint32_t) busy;     /* written by the owner only: it is inside */
    /* Where it was when somebody waited last, and with how many pauses such a wait begins: see choice.c. */
    FILCH_SHARED(uint64_t) waited_at;
    FILCH_SHARED(uint32_t) patience;
};

/* The calling thread: the address of something of its own. A thread that has the address of one that has
 * ended is as good as that: it began after the other's end. A task may migrate while it waits, so no
 * compiler may keep the address for longer; elsewhere than here tasks stay. */
static FILCH_ALWAYS_INLINE uintptr_t filch__alone_self(void)
{
#ifdef FILCH_MODEL
    return (uintptr_t)model_self + ALONE_SHARED + 1;
#elif defined(__x86_64__)
    uintptr_t thread;
    __asm__ volatile("mov %%fs:0, %0" : "=r"(thread));
    return thread;
#else
    return (uintptr_t)&filch__waiter_kind;
#endif
}

/* One that has found another owner than itself: becomes it where there was none.
 * Returns whether it is alone now, and inside; else the end is everybody's. */
bool filch__alone_enter_slow(struct alone *a);

/* From now on the end is everybody's.
 * Blocks: while somebody is inside. */
void filch__alone_end(struct alone *a);

/* The same where another thread than the calling one may be alone: what that one does from now on comes
 * after what the caller has done. */
static FILCH_ALWAYS_INLINE void filch__alone_end_other(struct alone *a)
{
    uintptr_t owner = FILCH_LOAD(&a->owner, CA_owner, acquire);
    if (owner != ALONE_SHARED && owner != filch__alone_self())
        filch__alone_end(a);
}

/* One that has shown that it waits for a move of an end that nobody has moved yet: becomes the one alone there,
 * on behalf of its thread. Returns whether it has. */
bool filch__alone_adopt(struct alone *a);

/* Whether the calling thread is alone at the end, so that nobody else has moved it. Another one that moves it
 * from now on ends that first, and its barrier comes after what the caller has done.
 *   adopts  it may become so: others have not been seen at this channel                          */
static FILCH_ALWAYS_INLINE bool filch__alone_is_here(struct alone *a, bool adopts)
{
    FILCH_FENCE_LIGHT();
    uintptr_t owner = FILCH_LOAD(&a->owner, CA_owner, acquire);
    if (FILCH_LIKELY(owner == filch__alone_self()))
        return true;
    return FILCH_UNLIKELY(owner == ALONE_NOBODY) && adopts && filch__alone_adopt(a);
}

/* As filch__alone_end_other, but leaves an end alone that nobody has moved yet: who is the first to do so sees
 * what the caller has shown by a swap before. */
static FILCH_ALWAYS_INLINE void filch__alone_end_foreign(struct alone *a)
{
    uintptr_t owner = FILCH_LOAD(&a->owner, CA_first, seq_cst);
    if (owner != ALONE_SHARED && owner != ALONE_NOBODY && owner != filch__alone_self())
        filch__alone_end(a);
}

static FILCH_ALWAYS_INLINE void filch__alone_leave(struct alone *a)
{
    FILCH_STORE(&a->busy, 0, CA_leave, release);
}

/* How a thread is at an end. */
enum alone_how {
    ALONE_INSIDE, /* it may do as if it were alone, until filch__alone_leave */
    ALONE_AMONG,  /* it swaps: others may be there */
    ALONE_UNSETTLED,
};

/* Calls nobody. ALONE_UNSETTLED: filch__alone_enter settles it. */
static FILCH_ALWAYS_INLINE enum alone_how filch__alone_try_enter(struct alone *a)
{
    uintptr_t owner = FILCH_LOAD(&a->owner, CA_owner, acquire);
    if (owner == ALONE_SHARED)
        return ALONE_AMONG;
    if (FILCH_UNLIKELY(owner != filch__alone_self()))
        return ALONE_UNSETTLED;
    FILCH_STORE_RELAXED(&a->busy, 1); /* the other side's barrier orders it */
    FILCH_FENCE_LIGHT();
    if (FILCH_LIKELY(FILCH_LOAD_RELAXED(&a->owner) == owner)) /* as above */
        return ALONE_INSIDE;
    filch__alone_leave(a);
    return ALONE_UNSETTLED;
}

/* Settles it. Returns whether the caller is inside, and has to leave. */
static FILCH_ALWAYS_INLINE bool filch__alone_enter(struct alone *a)
{
    enum alone_how how = filch__alone_try_enter(a);
    return how == ALONE_UNSETTLED ? filch__alone_enter_slow(a) : how == ALONE_INSIDE;
}

#endif
