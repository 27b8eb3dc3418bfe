/* SPDX-License-Identifier: Apache-2.0 */
/* The end of a task, who waits for it, and who may still ask: one word, so that the task's end, the end of
 * its handle, and where both are the same, that too, are one swap each.
 *
 *     0, or HAS_ENDED     the place is free, or will be when the task has ended
 *     HELD                somebody has the handle; the task has not ended
 *     HELD HAS_ENDED      it has: whoever has the handle gives the place back
 *     + WAITED            waiters are in the list; only without HAS_ENDED
 *     + LOCKED            somebody changes the list, or keeps the task from ending, for a moment
 *
 * Above these bits stands the use of the place, one of many (task_place.h): whoever comes with a handle
 * that is over finds another number, or finds that it is held no longer. The last touch of the one that ends
 * the task, and of the one that gives the handle up, is the swap by which they do so; the later one of the two
 * has the place. */
#ifndef FILCH_POOL_ENDING_H
#define FILCH_POOL_ENDING_H

#include "base/atomic.h"

#include <stdbool.h>
#include <stdint.h>

enum { ENDING_HELD = 1, ENDING_HAS_ENDED = 2, ENDING_WAITED = 4, ENDING_LOCKED = 8 };

/* Uses are multiples of this. */
#define ENDING_USE ((uintptr_t)16)

struct ending_waiter;

/* All zero is one that has never been used. */
struct ending {
    FILCH_SHARED(uintptr_t) word;
    struct ending_waiter *waiters; /* with ENDING_LOCKED */
};

/* A use begins: the handle is held. Nobody else knows it yet. */
static FILCH_ALWAYS_INLINE void filch__ending_begin(struct ending *e, uintptr_t use)
{
    FILCH_STORE_RELAXED(&e->word, use | ENDING_HELD); /* shown with the handle */
}

/* Whether the handle of this use is held. What is read of the task has come with that handle. */
static FILCH_ALWAYS_INLINE bool filch__ending_is_held(struct ending *e, uintptr_t use)
{
    uintptr_t word = FILCH_LOAD_RELAXED(&e->word); /* see above */
    return (word & ~(ENDING_USE - 1)) == use && (word & ENDING_HELD) != 0;
}

/* Whether the task has ended. Ordering: acquires what it did (EN_set, EN_both). */
static FILCH_ALWAYS_INLINE bool filch__ending_has_ended(struct ending *e)
{
    return (FILCH_LOAD(&e->word, EN_look, acquire) & ENDING_HAS_ENDED) != 0;
}

/* The task has ended, as filch__ending_set, where its handle is held and nobody waits or looks just now. Returns
 * whether that was so; else nothing is done. */
static FILCH_ALWAYS_INLINE bool filch__ending_set_held(struct ending *e)
{
    uintptr_t seen = FILCH_LOAD_RELAXED(&e->word); /* the swap decides */
    return FILCH_LIKELY((seen & (ENDING_USE - 1)) == ENDING_HELD) &&
           FILCH_LIKELY(FILCH_CAS(&e->word, &seen, seen | ENDING_HAS_ENDED, EN_set, acq_rel));
}

/* The task has ended: wakes all that wait for it.
 * Returns whether its handle was given up before: then the place is the caller's, else not to be touched.
 * Blocks: briefly. Panics: never. Ordering: releases to every wait that returns 0. */
bool filch__ending_set(struct ending *e);

/* Waits for the end of a use that is held. Returns 0; ETIMEDOUT; ECANCELED; EINVAL: it is not held.
 *   deadline_ns  absolute, CLOCK_MONOTONIC; FILCH_FOREVER for none
 * Blocks: yes; a task suspends, its worker goes on. Panics: never. */
int filch__ending_wait(struct ending *e, uintptr_t use, int64_t deadline_ns);

enum ending_given_up { ENDING_NOT_HELD, ENDING_WILL_END, ENDING_IS_OVER };

/* The handle is given up. Returns ENDING_IS_OVER: the task has ended, and the place is the caller's;
 * ENDING_WILL_END: it is not to be touched any more; ENDING_NOT_HELD: somebody has given it up before.
 * Blocks: briefly. Panics: never. Ordering: acquires what the task did; releases to its end. */
enum ending_given_up filch__ending_give_up(struct ending *e, uintptr_t use);

/* The same of a task of the parent, in a forked child: whoever has the word locked is not there. */
static inline void filch__ending_forget(struct ending *e, uintptr_t use)
{
    FILCH_STORE_RELAXED(&e->word, use); /* nobody ends the task, and nobody has the place */
}

/* The handle of a task is given up if that has ended, and nobody looks at it just now. Returns whether it was;
 * then the place is the caller's. Ordering: acquires what the task did. */
static FILCH_ALWAYS_INLINE bool filch__ending_take(struct ending *e, uintptr_t use)
{
    uintptr_t seen = use | ENDING_HELD | ENDING_HAS_ENDED;
    return FILCH_LOAD_RELAXED(&e->word) == seen /* the swap decides */ &&
           FILCH_CAS(&e->word, &seen, seen & ~(uintptr_t)ENDING_HELD, EN_take, acquire);
}

/* filch__ending_both where somebody looks at the task, or has given the handle up. */
bool filch__ending_both_slowly(struct ending *e, uintptr_t use);

/* The task has ended, and whoever has run it has its handle and gives that up. Returns whether it was held;
 * then the place is the caller's. Blocks: briefly. Panics: never. */
static FILCH_ALWAYS_INLINE bool filch__ending_both(struct ending *e, uintptr_t use)
{
    uintptr_t seen = use | ENDING_HELD;
    if (FILCH_LIKELY(FILCH_CAS(&e->word, &seen, use | ENDING_HAS_ENDED, EN_both, acq_rel)))
        return true;
    return filch__ending_both_slowly(e, use);
}

/* Calls fn(arg) unless the task has ended or the use is held no longer, and keeps it from ending meanwhile.
 * Whoever ends the task or gives its handle up then spins for so long, and naps. So fn neither comes back to
 * this word nor waits for anybody who might: to cancel a task is a few stores, and a wake-up of the workers on
 * which it has waited. It cannot be shorter, since with its last task the pool of these workers may go.
 * Blocks: briefly. Panics: never; nor does fn. */
void filch__ending_precede(struct ending *e, uintptr_t use, void (*fn)(void *), void *arg);

#endif
