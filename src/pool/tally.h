/* SPDX-License-Identifier: Apache-2.0 */
/* Tallies: how many tasks of a scope (or of a pool) have not ended.
 *
 * A counter that every spawn and every end changed would travel between processors with each of
 * them. So a worker holds credits: it raises the counter by many at once, spends one for each task
 * that it spawns, gets one for each that ends on it, and gives the rest back when it turns to
 * something else. The counter is therefore never less than the number of tasks that have not ended,
 * and reaches 0 only when all have ended and every credit has been given back: nobody can take it
 * for 0 too early. (Weighted counting: Bevan 1987, Watson & Watson 1987; for termination: Mattern
 * 1989.)
 *
 * Whoever waits holds one count itself, until it waits.
 */
#ifndef FILCH_POOL_TALLY_H
#define FILCH_POOL_TALLY_H

#include "base/atomic.h"
#include "cancel.h"
#include "park/park.h"

#include <stdbool.h>
#include <stddef.h>

struct filch_panic;

struct tally {
    FILCH_SHARED(int64_t) count;
    struct waiter *waiter; /* owner writes, before it gives up its own count */
    bool keeps_panics;     /* const: somebody waits for the tasks, and wants to know */
    FILCH_SHARED(struct filch_panic *) panic; /* of the first task that panicked; NULL: none */
    FILCH_SHARED(size_t) other_panics;
    struct cancel cancel; /* of the tasks, all of them */
};

/* What a worker holds of one tally. Owner only. */
struct tally_credits {
    struct tally *tally; /* NULL: none */
    int64_t held;
};

/* So many are taken at once. */
enum { TALLY_BATCH = 1024 };

static inline void filch__tally_init(struct tally *t)
{
    t->count = 1; /* nobody else knows it yet */
    t->waiter = NULL;
    t->keeps_panics = false;
    t->panic = NULL;
    t->other_panics = 0;
}

/* Keeps the panic of a task that has not been counted as ended, if it is the first.
 * Returns false: it stays the caller's. Ordering: as the end of the task. */
bool filch__tally_keep(struct tally *t, struct filch_panic *panic);

/* Gives `count` counts back. Wakes the waiter where they were the last. The tally may be gone
 * afterwards. Ordering: releases to the end of filch__tally_wait (TL_release). */
void filch__tally_release(struct tally *t, int64_t count);

/* Adds counts, for tasks that are about to be spawned. The caller knows that the count is not 0.
 * Relaxed: what the tasks see, their queues hand over. */
static inline void filch__tally_add(struct tally *t, int64_t count)
{
    (void)FILCH_FETCH_ADD_RELAXED(&t->count, count); /* see above */
}

/* Gives the credits back, since somebody may be waiting for them: before a worker looks for work elsewhere or
 * sleeps, and, unless they are of its pool, before it runs something else (filch__worker_settle). */
static inline void filch__tally_flush(struct tally_credits *c)
{
    struct tally *t = c->tally;
    int64_t held = c->held;
    c->tally = NULL;
    c->held = 0;
    if (t != NULL && held != 0)
        filch__tally_release(t, held);
}

/* Whether filch__tally_spawned would only take one of the credits, which are of this tally. */
static FILCH_ALWAYS_INLINE bool filch__tally_has_credit(const struct tally_credits *c,
                                                        const struct tally *t)
{
    return c->tally == t && c->held != 0;
}

/* Counts a task that this worker is about to spawn. */
static inline void filch__tally_spawned(struct tally_credits *c, struct tally *t)
{
    if (FILCH_UNLIKELY(c->tally != t)) {
        filch__tally_flush(c);
        c->tally = t;
    }
    if (FILCH_UNLIKELY(c->held == 0)) {
        filch__tally_add(t, TALLY_BATCH);
        c->held = TALLY_BATCH;
    }
    c->held--;
}

/* Counts a task that has ended on this worker. */
static inline void filch__tally_ended(struct tally_credits *c, struct tally *t)
{
    if (FILCH_UNLIKELY(c->tally != t)) {
        filch__tally_flush(c);
        c->tally = t;
    }
    c->held++;
}

/* Waits until only the caller's own count is left, and gives that up; the caller holds no credits.
 * Returns 0; ETIMEDOUT: still counting, the caller has its count again. Ordering: acquires what all
 * tasks released (TL_release). */
int filch__tally_wait(struct tally *t, int64_t deadline_ns);

#endif
