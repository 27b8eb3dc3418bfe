/* SPDX-License-Identifier: Apache-2.0 */
/* What comes before and after each task that a worker runs, wherever it has it from. */
#ifndef FILCH_POOL_RUN_H
#define FILCH_POOL_RUN_H

#include "pool.h"
#include "process.h"

#include "panic/panic.h"

/* Something else than tasks of the tally that the worker has credits of may run for long now: they are given
 * back, since somebody may be waiting for them. Not those of the pool itself, for whose end whatever runs
 * on its workers is waited for anyway; a worker that has nothing to do gives them back.
 *   next  whose task it is; NULL: of several */
static FILCH_ALWAYS_INLINE void filch__worker_settle(struct worker *w, const struct tally *next)
{
    const struct tally *tally = w->credits.tally;
    if (FILCH_UNLIKELY(tally != next) && tally != &w->pool->tally)
        filch__tally_flush(&w->credits);
}

/* A task of this tally (NULL: of none) is about to be run. */
static FILCH_ALWAYS_INLINE void filch__worker_begins(struct worker *w, const struct tally *tally)
{
    filch__worker_settle(w, tally);
    /* A task is of no region. On top of the scope that ends here, the halves below lose theirs, too:
     * guests then leave them to the workers. */
    if (FILCH_UNLIKELY(FILCH_LOAD_RELAXED(&w->region) /* owner */ != NULL) && !w->is_guest)
        filch__worker_set_region(w, NULL);
    w->tick++;
    filch__count(&w->stats.tasks);
    FILCH_DCHECK(filch__panic_current == NULL); /* what unwinds below is set aside */
}

/* It has ended, on this worker. */
static FILCH_ALWAYS_INLINE void filch__worker_ends(struct worker *w, struct tally *tally)
{
    /* Its loop would run the parent's tasks a second time, then sleep for ever. */
    FILCH_CHECK(w->pool->process == filch__process_generation(),
                "a task returned in a forked child; it has to exec or _exit");
    /* A started task stays on its worker, or takes its strand along. */
    FILCH_DCHECK(filch__worker == w);
    FILCH_DCHECK(filch__panic_current == NULL); /* its panics have been contained */
    if (tally != NULL)
        filch__tally_ended(&w->credits, tally);
}

#endif
