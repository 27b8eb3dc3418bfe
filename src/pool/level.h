/* SPDX-License-Identifier: Apache-2.0 */
/* What the code that runs on a strand is within: its levels, each in a frame. A task, a scope and
 * whatever else can be cancelled is a level as long as it runs; a half that is forked belongs to the
 * level that is the innermost one then.
 *
 * The owner adds and takes away levels at the inner end. A thief that has claimed a half follows them
 * from the outer end, which for it is the level that was the innermost one when the strand had no forks:
 * its room says which. From there on each level says from which slot on halves belong to the next one, so
 * a thief reads only levels that are there until its half is done. So a fork keeps no note of its level.
 *
 * Forks and levels nest like brackets: while a level lasts, no fork from before it is synced. Where a panic
 * leaves the frames of both, it ends those forks when the level has ended (fork.c, filch__fork_settle).
 * (worker.h has what needs the room.) */
#ifndef FILCH_POOL_LEVEL_H
#define FILCH_POOL_LEVEL_H

#include "cancel.h"
#include "deque.h"
#include "tally.h"

#include <filch/inline/fork.h>

struct level {
    /* Of a loop of tasks: the one that runs; NULL while that has a handle, or for another level. Halves that are
     * open, for which others look here, have all come after the last change; as of the next one. */
    const struct task_item *item;
    struct cancel *cancel;          /* without an item; NULL: nothing */
    struct level *outer;            /* owner only */
    const struct filch__slot *mark; /* owner only: filch__strand_mark when it began */
    struct level *inner;            /* valid for those who have seen inner_from */
    FILCH_SHARED(struct filch__slot *) inner_from; /* owner writes */
};

#define LEVEL_IS_INNERMOST ((struct filch__slot *)UINTPTR_MAX)

/* What can cancel a level. */
static inline struct cancel *filch__level_cancel(const struct level *level)
{
    const struct task_item *item = level->item;
    if (item == NULL)
        return level->cancel;
    return item->tally != NULL ? &item->tally->cancel : item->within;
}

/* Before filch__level_enter, which sets the rest; the outermost one has nothing around it, and is zero. */
static inline void filch__level_init(struct level *level, const struct task_item *item,
                                     struct cancel *cancel)
{
    level->item = item;
    level->cancel = cancel;
    level->inner_from = LEVEL_IS_INNERMOST; /* nobody else knows it yet */
}

/* What can cancel a half that the caller has claimed, or owns.
 *   outermost  the level that its room names */
static inline struct cancel *filch__level_cancel_of(const struct level *outermost,
                                                    const struct filch__slot *slot)
{
    while (FILCH_LOAD_RELAXED(&outermost->inner_from) <= slot) /* see the top */
        outermost = outermost->inner;
    return filch__level_cancel(outermost);
}

#endif
