/* SPDX-License-Identifier: Apache-2.0 */
/* The queue for tasks from outside the pool: first in, first out, for any number of threads on both
 * sides. Tasks lie in blocks that are freed as they are drained. A lock, held for a few stores,
 * guards it; workers take many tasks at once, so they seldom want it. */
#ifndef FILCH_POOL_INJECTOR_H
#define FILCH_POOL_INJECTOR_H

#include "deque.h"
#include "park/lock.h"

enum { INJECTOR_BLOCK_TASKS = 126 }; /* a block is then a little less than 4 KiB */

struct injector_block {
    struct injector_block *next;
    struct task_item tasks[INJECTOR_BLOCK_TASKS];
};

struct injector {
    _Alignas(FILCH_CACHE_LINE) struct lock lock;
    struct injector_block *first; /* under lock; NULL: empty */
    struct injector_block *last;  /* under lock */
    struct injector_block *spare; /* under lock: one drained block, to be used again */
    size_t first_used;            /* under lock: tasks of *first that have been taken */
    size_t last_used;             /* under lock: tasks of *last that have been put */
    FILCH_SHARED(size_t) size;    /* written under lock, read by anybody as a hint */
};

/* Prepares an empty queue; all zero is one too. */
void filch__injector_init(struct injector *q);

/* Frees the blocks; tasks that are still there are forgotten. */
void filch__injector_destroy(struct injector *q);

/* Appends `count` copies of *model, the i-th with the argument args[i]; all of them or none.
 * Returns 0; ENOMEM. Ordering: releases to the one that takes (by the lock). */
FILCH_NODISCARD int filch__injector_put(struct injector *q, const struct task_item *model,
                                        void *const *args, size_t count);

/* Takes up to `max` of the oldest tasks. Returns how many. */
size_t filch__injector_take(struct injector *q, struct task_item *tasks, size_t max);

/* Whether there is something: exact in the order of the lock, for the protocol of idle.h. */
static inline bool filch__injector_has_any(struct injector *q)
{
    return FILCH_LOAD(&q->size, IJ_look, seq_cst) != 0;
}

#endif
