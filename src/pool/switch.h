/* SPDX-License-Identifier: Apache-2.0 */
/* Leaving one strand for another. In line where tasks wait: each frame in between is a return that a processor
 * predicts wrongly, since the one that goes on has stopped elsewhere. The loop leaves by the call by which it begins
 * tasks: see "No return from a wait is left to luck" in the README. */
#ifndef FILCH_POOL_SWITCH_H
#define FILCH_POOL_SWITCH_H

#include "pool.h"
#include "strand.h"

#include "panic/panic.h"
#include "park/self.h"

/* The strand that is left has open forks, or the next one has: each keeps its room. */
FILCH_COLD void filch__strand_change_rooms(struct worker *w, struct strand *from,
                                           struct strand *next);

/* What a strand keeps while others run. */
struct strand_kept {
    struct ambient ambient;
    struct panic_state panic;
};

/* From now on `next` is the one that runs, but for the stack. */
static FILCH_ALWAYS_INLINE void filch__strand_change(struct worker *w, struct strand *next)
{
    struct strand *from = w->strand;
    FILCH_DCHECK(next != from && next->worker == w);
    w->strand = next;
    from->self = filch__self;
    filch__self = next->self;
    filch__waiter_kind.sleeper = next;
    from->region = FILCH_LOAD_RELAXED(&w->region); /* owner */
    if (FILCH_UNLIKELY(!filch__strand_has_no_forks(w) || next->room != NULL))
        filch__strand_change_rooms(w, from, next);
    else
        FILCH_STORE_RELAXED(&FILCH_LOAD_RELAXED(&w->room) /* owner */->level,
                            next->level); /* handed over with each fork */
    if (FILCH_UNLIKELY(next->region != from->region))
        filch__worker_set_region(w, next->region);
}

static FILCH_ALWAYS_INLINE void filch__strand_leaves(struct worker *w, struct strand *next,
                                                     struct strand_kept *kept)
{
    filch__ambient_save(&kept->ambient, w->error_number);
    kept->panic = filch__panic_leave_stack();
    if (w->is_guest && w->strand == w->base)
        w->ambient = kept->ambient; /* its helpers compute as its caller does */
    filch__strand_change(w, next);
}

static FILCH_ALWAYS_INLINE void filch__strand_goes_on(struct worker *w,
                                                      const struct strand_kept *kept)
{
    filch__panic_enter_stack(&kept->panic);
    filch__ambient_restore(&kept->ambient, w->error_number);
}

/* Leaves the running strand and goes on with `next`; returns when somebody switches back. On this thread. */
static FILCH_ALWAYS_INLINE void filch__strand_switch_here(struct worker *w, struct strand *next)
{
    struct strand *from = w->strand;
    struct strand_kept kept;
    filch__strand_leaves(w, next, &kept);
    filch__fiber_switch(&from->fiber, &next->fiber);
    filch__strand_goes_on(w, &kept);
}

/* Whether a strand in the loop has anything to keep: what unwinds below the loop, which is a guest's; and where a stack
 * does not tell its boundaries, the loop's own. */
static FILCH_ALWAYS_INLINE bool filch__strand_keeps_in_loop(const struct worker *w)
{
    return FILCH_BOUNDARY_PORTABLE || w->is_guest;
}

/* The same for a strand that stands in the loop, in two parts, with the call in between. What it begins next, it begins
 * with the worker's own modes. */
static FILCH_ALWAYS_INLINE void filch__strand_leaves_loop(struct worker *w, struct strand *next,
                                                          struct panic_state *kept,
                                                          struct fiber_call *call)
{
    struct strand *from = w->strand;
    if (FILCH_UNLIKELY(filch__strand_keeps_in_loop(w)))
        *kept = filch__panic_leave_stack();
    filch__strand_change(w, next);
    filch__fiber_leaving(&from->fiber, &next->fiber, call);
}

static FILCH_ALWAYS_INLINE void filch__strand_is_back_in_loop(struct strand *s,
                                                              const struct panic_state *kept)
{
    struct worker *w = s->worker;
    filch__fiber_is_back(&s->fiber);
    if (FILCH_UNLIKELY(filch__strand_keeps_in_loop(w)))
        filch__panic_enter_stack(kept);
    filch__ambient_restore(&w->ambient, w->error_number);
    filch__roam_settle(w);
}

#endif
