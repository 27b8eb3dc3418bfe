/* SPDX-License-Identifier: Apache-2.0 */
#include "lend.h"

#include "pool.h"
#include "topology.h"

#include "base/check.h"
#include "thread/start.h"

enum {
    LOOKED_AT_MAX = 8, /* the nearest */
    LOOK_NS = 5000,
    /* Who has run for less than this part of the look has lost its processor. */
    RAN_PART = 4,
    LOAN_NS = 10 * 1000 * 1000,
};

struct looked_at {
    struct worker *worker;
    int64_t ran_ns;
};

/* Whether this worker may have what the other one waits for. */
static bool may_have_half_of(const struct worker *other, const struct worker *w)
{
    return FILCH_LOAD_RELAXED(&other->sleeper) == SLEEPER_NONE /* a hint */ &&
           (!w->is_guest || FILCH_LOAD_RELAXED(&other->region) == w /* a hint */);
}

/* Fills `seen` with those that may be lent to; returns how many. */
static size_t list_candidates(const struct worker *w, const struct worker *local,
                              struct looked_at seen[LOOKED_AT_MAX])
{
    size_t count = 0;
    for (size_t i = 0; i < w->victim_count && count < LOOKED_AT_MAX; i++) {
        struct worker *other = w->pool->places[FILCH_LOAD_RELAXED(&w->victims[i])]; /* any order */
        if (other == local || !may_have_half_of(other, w))
            continue;
        seen[count].worker = other;
        seen[count].ran_ns = filch__thread_ran_ns(other->thread);
        count += seen[count].ran_ns > 0 &&
                 seen[count].ran_ns != FILCH_LOAD_RELAXED(&other->idle_ran_ns) /* a hint */;
    }
    return count;
}

/* Which of them has not run for a while; NULL: all have. */
static const struct looked_at *find_stopped(const struct looked_at seen[LOOKED_AT_MAX],
                                            size_t count)
{
    int64_t begin_ns = filch__os->now_ns();
    int64_t look_ns;
    do {
        filch__cpu_relax();
        look_ns = filch__os->now_ns() - begin_ns;
    } while (look_ns < LOOK_NS);
    for (size_t i = 0; i < count; i++) {
        int64_t ran_ns = filch__thread_ran_ns(seen[i].worker->thread) - seen[i].ran_ns;
        if (ran_ns < look_ns / RAN_PART)
            return &seen[i];
    }
    return NULL;
}

static const struct placement *place_of(const struct worker *w)
{
    return &w->pool->machine.placements[w->index];
}

struct loan filch__lend(struct worker *w)
{
    struct loan loan = {.to = NULL, .deadline_ns = FILCH_FOREVER};
    struct looked_at seen[LOOKED_AT_MAX];
    const struct worker *local = filch__machine_local(w->pool);
    size_t count = local != NULL ? list_candidates(w, local, seen) : 0;
    const struct looked_at *stopped = count > 0 ? find_stopped(seen, count) : NULL;
    if (stopped == NULL)
        return loan;
    const struct filch_thread *thread = stopped->worker->thread;
    /* Not where another waiter lends to it already, or the program has bound it itself. */
    if (filch__topology_is_bound(place_of(stopped->worker), thread) &&
        filch__topology_bind(place_of(local), thread) == 0) {
        loan.to = stopped->worker;
        loan.place = place_of(local);
        loan.ran_ns = stopped->ran_ns;
        loan.deadline_ns = filch__os->now_ns() + LOAN_NS;
    }
    return loan;
}

void filch__lend_end(const struct loan *loan)
{
    struct worker *w = loan->to;
    if (filch__topology_is_bound(loan->place, w->thread)) { /* else others have bound it since */
        int error = filch__topology_bind(place_of(w), w->thread);
        (void)error; /* its own processor has been taken from the process: it stays on this one */
    }
    if (filch__os->now_ns() >= loan->deadline_ns && filch__thread_ran_ns(w->thread) == loan->ran_ns)
        FILCH_STORE_RELAXED(&w->idle_ran_ns, loan->ran_ns); /* a hint */
}
