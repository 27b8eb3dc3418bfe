/* SPDX-License-Identifier: Apache-2.0 */
/* THE blocking point: every wait of the library is a park, every wake-up an unpark.
 *
 *     struct waiter w;
 *     filch__waiter_init(&w);
 *     show_it_to_the_waker(&w);
 *     int error = filch__park(&w, deadline);      // 0, ETIMEDOUT or ECANCELED
 *     if (error != 0 && !take_it_back(&w))
 *         error = filch__park_through(&w, FILCH_FOREVER); // the waker has it already: its touch is due
 */
#ifndef FILCH_PARK_PARK_H
#define FILCH_PARK_PARK_H

#include "base/check.h"
#include "park/back.h"
#include "park/waiter.h"

#include <filch/time.h>
#include <stddef.h>

/* Prepares a waiter of the kind that the caller is.
 *   w   uninitialised                                                                      [out]
 * Blocks: never. Panics: never. Callable from: threads and tasks. */
static FILCH_ALWAYS_INLINE void filch__waiter_init(struct waiter *w)
{
    w->state = WAITER_EMPTY; /* nobody else knows it yet */
    w->resists = false;
    w->ops = filch__waiter_kind.ops;
    /* Not both by one load: a switch has just stored this alone, and such a load would wait until that has
     * come to memory, 2 ns. */
    w->sleeper = FILCH_LOAD_RELAXED(&filch__waiter_kind.sleeper); /* own */
    w->next = NULL;
}

/* What filch__park does where a suspend has ended with `error`, and the waiter was not woken then. */
int filch__park_on(struct waiter *w, int64_t deadline_ns, int error);

/* The waiter has been woken: in debug builds, one that comes again, or touches it late, is to be noticed. */
static FILCH_ALWAYS_INLINE void filch__waiter_done(struct waiter *w)
{
#if FILCH_DEBUG
    w->ops = NULL;
#else
    (void)w;
#endif
}

/* The first part of filch__park. Returns whether the waiter has been woken; else the rest is done by
 * filch__park_on(w, deadline_ns, *error). */
static FILCH_ALWAYS_INLINE bool filch__park_once(struct waiter *w, int64_t deadline_ns, int *error)
{
    FILCH_DCHECK(w->sleeper == NULL ||
                 w->sleeper == filch__waiter_kind.sleeper); /* its own waiter */
    if (FILCH_LIKELY(FILCH_LOAD(&w->state, PK_woken, acquire) != WAITER_WOKEN)) {
        *error = w->ops->suspend(w, deadline_ns);
        if (FILCH_UNLIKELY(FILCH_LOAD(&w->state, PK_woken, acquire) != WAITER_WOKEN))
            return false;
    }
    filch__waiter_done(w);
    return true;
}

/* Waits until somebody has unparked the waiter. A waiter waits for one event only.
 *   w            initialised; shown to the one that will wake it                        [in,out]
 *   deadline_ns  absolute, CLOCK_MONOTONIC; FILCH_FOREVER for none
 * Returns 0: woken; ETIMEDOUT, ECANCELED (a task: what it runs within is cancelled, or its deadline has
 * passed): not woken yet, the waker may still come.
 * Blocks: yes; a task suspends, its worker goes on. Panics: never. errno is preserved. In line, since each
 * frame between a wait and its task is a return that a processor predicts wrongly when another task goes on; a function
 * that has nothing to do behind it ends in filch__back.
 * Ordering: acquires what the unpark released (PK_woken). */
static FILCH_ALWAYS_INLINE int filch__park(struct waiter *w, int64_t deadline_ns)
{
    int error = 0; /* for gcc at -Og, which does not see that it is set where it is used */
    return FILCH_LIKELY(filch__park_once(w, deadline_ns, &error))
               ? 0
               : filch__park_on(w, deadline_ns, error);
}

/* The same for a wait that must not be abandoned: whoever is waited for has the caller's frame, or is
 * about to wake it. Nothing that is cancelled ends it. */
int filch__park_through(struct waiter *w, int64_t deadline_ns);

/* Wakes the waiter, now or in its coming park. At most once per waiter.
 *   w   initialised; its memory may be gone before this returns                          [in,out]
 * Blocks: never. Panics: never. errno is preserved. Callable from: threads and tasks.
 * Ordering: releases to the park that returns (PK_wake). */
void filch__unpark(struct waiter *w);

/* Whether a waiter that the caller wakes is the next to run where the caller waits then.
 *   w   initialised, not woken                                                              [in]
 * Blocks: never. Panics: never. Callable from: threads and tasks. */
static inline bool filch__runs_next(const struct waiter *w)
{
    return w->ops->runs_next != NULL && w->ops->runs_next(w);
}

/* Wakes a waiter as filch__unpark does, where that is a matter of the calling thread alone: nothing of it goes
 * on before the caller waits, so until then its memory stays.
 *   w         initialised, not woken                                                     [in,out]
 *   row       all zero before the first one of those that are woken in one go           [in,out]
 *   is_front  it comes behind all of the row that came from the front; else before those from the end
 * Returns false: nothing was done. Blocks: never. Panics: never. */
static inline bool filch__wake_here(struct waiter *w, struct waiter_row *row, bool is_front)
{
    return !row->is_over && w->ops->wake_here != NULL && w->ops->wake_here(w, row, is_front);
}

/* What follows needs its thread, where `change` is 1: see struct waiter_ops. No more, where it is -1.
 * Blocks: never. Panics: never. Callable from: threads and tasks. */
void filch__stay(int change);

#endif
