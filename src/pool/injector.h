/* SPDX-License-Identifier: Apache-2.0 */
/* The queue for tasks from outside the pool: first in, first out, for any number of threads on both
 * sides. Tasks lie in blocks that are freed as they are drained: those put one by one whole, a batch
 * packed, as its arguments and one model. A lock, held for a few stores, guards it; workers take many
 * tasks at once, so they seldom want it. */
#ifndef FILCH_POOL_INJECTOR_H
#define FILCH_POOL_INJECTOR_H

#include "deque.h"
#include "park/lock.h"

enum { INJECTOR_BLOCK_TASKS = 126 }; /* put one by one: a block is then about 4 KiB */

/* Followed by its tasks, or, where it is packed, by their arguments. */
struct injector_block {
    struct injector_block *next;
    size_t put;             /* tasks that have been put */
    size_t taken;           /* of these */
    bool is_packed;         /* const: full from the start */
    struct task_item model; /* const; of packed ones: all but their arguments */
};

struct injector {
    _Alignas(FILCH_CACHE_LINE) struct lock lock;
    struct injector_block *first;                /* under lock; NULL: empty */
    struct injector_block *last;                 /* under lock */
    FILCH_SHARED(size_t) size;                   /* written under lock, read by anybody as a hint */
    FILCH_SHARED(struct injector_block *) spare; /* a drained one that is not packed; NULL: none */
};

/* Prepares an empty queue; all zero is one too. */
void filch__injector_init(struct injector *q);

/* Frees the blocks; tasks that are still there are forgotten. */
void filch__injector_destroy(struct injector *q);

/* Appends `count` copies of *model, the i-th with the argument args[i]; all of them or none.
 * Returns 0; ENOMEM. Ordering: releases to the one that takes (by the lock). */
FILCH_NODISCARD int filch__injector_put(struct injector *q, const struct task_item *model,
                                        void *const *args, size_t count);

/* Takes up to `max` of the oldest tasks, at least one where there is any. Returns how many. */
size_t filch__injector_take(struct injector *q, struct task_item *tasks, size_t max);

/* Whether there is something: exact in the order of the lock, for the protocol of idle.h. */
static inline bool filch__injector_has_any(struct injector *q)
{
    return FILCH_LOAD(&q->size, IJ_look, seq_cst) != 0;
}

#endif
