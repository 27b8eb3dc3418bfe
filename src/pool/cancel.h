/* SPDX-License-Identifier: Apache-2.0 */
/* What can be cancelled: pools, scopes, tasks with a handle. They form a tree, and each knows only what
 * it is within; src/pool/README.md has the whole story.
 *
 * Nothing is registered, and nothing is told to those inside. Whoever waits, starts a task or hands out
 * a piece of a loop looks upwards; and whoever cancels asks the places where something inside has ever
 * waited to look again at those that wait there now. */
#ifndef FILCH_POOL_CANCEL_H
#define FILCH_POOL_CANCEL_H

#include "base/atomic.h"

#include <filch/attr.h>
#include <filch/time.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct filch_pool;
struct worker;

struct cancel {
    struct cancel *parent;   /* const; NULL: nothing is around it */
    struct cancel *also;     /* const: another one around it; NULL: none. Has no parent */
    struct filch_pool *pool; /* const: where what is inside runs */
    FILCH_SHARED(int64_t) deadline_ns;
    FILCH_SHARED(uint64_t)
    waited_at; /* bit i: at a place whose number modulo 64 is i; only gains bits */
    FILCH_SHARED(uint64_t)
    walked_from; /* the same bits, where all around it have got theirs, too */
    FILCH_SHARED(uint32_t) is_cancelled; /* 0, 1 */
    FILCH_SHARED(uint32_t) cut; /* why something inside was not done, an errno value; 0: all was */
};

/* Whether this process has ever cancelled anything or set a deadline for more than one wait: else
 * nobody need look. Never 0 again. */
extern FILCH_SHARED(uint32_t) filch__cancel_is_used;

/* Begins a new life of one that has neither another one around it nor a deadline.
 *   waited_at, walked_from  what these begin with */
static FILCH_ALWAYS_INLINE void filch__cancel_renew(struct cancel *c, struct cancel *parent,
                                                    struct filch_pool *pool, uint64_t waited_at,
                                                    uint64_t walked_from)
{
    c->parent = parent; /* nobody else knows it yet */
    c->pool = pool;
    c->waited_at = waited_at;
    c->walked_from = walked_from;
    c->is_cancelled = 0;
    c->cut = 0;
}

static inline void filch__cancel_init(struct cancel *c, struct cancel *parent,
                                      struct filch_pool *pool)
{
    c->also = NULL;
    c->deadline_ns = FILCH_FOREVER;
    filch__cancel_renew(c, parent, pool, 0, 0);
}

/* The same where what is inside begins at this place, which whoever cancels it is to ask from the start: a wait there
 * then has nothing to set, if something else around has waited there before. */
static FILCH_ALWAYS_INLINE void filch__cancel_renew_at(struct cancel *c, struct cancel *parent,
                                                       struct filch_pool *pool, size_t place)
{
    uint64_t bit = UINT64_C(1) << place % 64;
    filch__cancel_renew(c, parent, pool, bit,
                        FILCH_LOAD(&parent->walked_from, CN_walk, seq_cst) & bit);
}

/* Whether to stop what is inside. If so, that is noted as the reason why something was not done.
 *   c  NULL: nothing is around the caller
 * Returns 0; ECANCELED; ETIMEDOUT. Reads the clock only where there is a deadline. */
int filch__cancel_find(struct cancel *c);

/* The same, for what has to be cheap. */
static FILCH_ALWAYS_INLINE int filch__cancel_look(struct cancel *c)
{
    /* Relaxed: whoever cancels does not wait until all have seen it. */
    return FILCH_LIKELY(FILCH_LOAD_RELAXED(&filch__cancel_is_used) == 0) ? 0
                                                                         : filch__cancel_find(c);
}

/* Before a wait at a place: from now on, whoever cancels asks that place.
 *   deadline_ns  of the wait; lowered to the earliest one around it                     [in,out]
 * Returns 0; ECANCELED: not to be waited for (filch__cancel_after_wait then says why). */
int filch__cancel_before_first_wait(struct cancel *c, size_t place, int64_t *deadline_ns);

/* The same, for what has to be cheap. Where a wait at such a place has walked from the innermost one before,
 * all around it have the bit of the place; whoever cancels one of them now asks the place, or is seen here. */
static FILCH_ALWAYS_INLINE int filch__cancel_before_wait(struct cancel *c, size_t place,
                                                         int64_t *deadline_ns)
{
    if (c == NULL)
        return 0;
    bool has_bit = (FILCH_LOAD(&c->walked_from, CN_walk, seq_cst) >> place % 64 & 1) != 0;
    if (FILCH_LIKELY(has_bit) &&
        FILCH_LIKELY(FILCH_LOAD(&filch__cancel_is_used, CN_used, seq_cst) == 0))
        return 0;
    return filch__cancel_before_first_wait(c, place, deadline_ns);
}

/* What a wait whose end was not a wake-up returns: ECANCELED; ETIMEDOUT; 0: it goes on.
 *   deadline_ns  its own                                                                        */
int filch__cancel_after_wait(struct cancel *c, int64_t deadline_ns);

/* Cancels what is inside. Callable from: any thread. Ordering: releases to those that see it. */
void filch__cancel(struct cancel *c);

/* Sets the deadline of what is inside, in place of the one before. Callable from: any thread. */
void filch__cancel_set_deadline(struct cancel *c, int64_t deadline_ns);

/* Asks the places of this pool where something inside has waited. */
void filch__cancel_ask(struct filch_pool *pool, struct cancel *c);

/* The worker looks again at those that wait on it: called by itself, when it has been asked. */
void filch__cancel_answer(struct worker *w);

#endif
