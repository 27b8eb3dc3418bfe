/* SPDX-License-Identifier: Apache-2.0 */
#include "steal.h"

#include "pool.h"
#include "strand.h"

enum {
    /* A worker without work looks on for this long before it sleeps: about what a wake-up costs. */
    SEARCH_NS = 20000,
    /* Where a sync waits for a half that somebody runs, its end is likely to be near: going on then, from
     * sleep, takes longer on a virtual machine than what was left to do. */
    SEARCH_AWAITING_NS = 60000,
    /* An owner that has been asked this long ago, and has not come by, is in a long computation. */
    EXPOSE_NS = 5000,
    /* Rounds between two looks at the clock. */
    ROUNDS_PER_LOOK = 8,
    /* Tasks that are stolen at once at most: the first costs two cache misses, the next ones none. */
    STEAL_BATCH = 16,
    /* Tasks that were done faster than this each, or than they were stolen, were not worth it: that has cost
     * their owner as much. Looking for others again takes LOOT_NS in all. The thief leaves deques alone for
     * REST_NS, less than a search lasts. */
    WORTH_NS = 40,
    LOOT_NS = 200,
    REST_NS = 15000,
    /* All that came from outside has been taken, and done within this: whoever puts it is at it now.
     * To look again at once would only take the queue from under its hands. */
    STREAM_NS = 2000,
    /* So long a task that lies alone belongs to the worker that put it there; and pauses between two looks
     * where there was nothing else, about a microsecond: each look costs that worker two cache misses. */
    FRESH_NS = 3000,
    FRESH_PAUSES = 24,
    /* So many that were gone at the next look, and nothing else: these tasks are not for others. */
    GONE_MANY = 8,
    /* So many thefts in a row that were not worth it, and nothing else: the same. */
    VAIN_MANY = 4,
    NAP_NS = 50000,
    STREAM_REST_NS = 4000,
    /* A worker that is woken again sooner is in the middle of a stream of tasks. */
    STREAM_GAP_NS = 100000,
};

bool filch__search_injector(struct worker *w, size_t most, struct task_item *item)
{
    struct task_item tasks[INJECTOR_BATCH];
    struct injector *injector = &w->pool->injector;
    if (w->is_guest || !filch__injector_has_any(injector))
        return false;
    /* A fair share, so that the other workers find some too. */
    size_t size = FILCH_LOAD_RELAXED(&injector->size); /* a hint */
    size_t share = size / w->pool->width + 1;
    if (share < most)
        most = share;
    if (filch__deque_reserve(&w->deque, most) != 0)
        most = 1; /* the others could only be run here, on top of the first */
    size_t count = filch__injector_take(injector, tasks, most);
    if (count == 0)
        return false;
    w->loot.tasks += (uint32_t)count;
    w->loot.vain = 0;
    w->loot.is_all = FILCH_LOAD_RELAXED(&injector->size) == 0; /* a hint */
    w->outside_until = w->tick + count;
    *item = tasks[0];
    if (count > 1) {
        filch__deque_push_reversed(&w->deque, tasks + 1,
                                   count - 1); /* the oldest is popped first */
        filch__worker_has_pushed(w);
    }
    return true;
}

/* Whether the tasks of a deque may be taken. One that lies alone is left to its owner for now: it was put there
 * a moment ago, and whoever put it is likely to wait for it next. One such task at a time is watched; when
 * it is gone, the one in the next place is, so that none is passed over for ever. */
#ifdef FILCH_MODEL /* where no time passes */
static bool may_take_from(struct worker *w, struct worker *victim)
{
    (void)w;
    (void)victim;
    return true;
}
#else
static bool may_take_from(struct worker *w, struct worker *victim)
{
    struct lone *lone = &w->lone;
    /* Hints, in this order: what is put and taken in between only makes fewer of them. */
    uint64_t bottom = FILCH_LOAD_RELAXED(&victim->deque.bottom); /* see above */
    uint64_t top = FILCH_LOAD_RELAXED(&victim->deque.top);       /* see above */
    int64_t size = (int64_t)(bottom - top);
    if (size != 1)
        return size > 1;
    int64_t age_ns = w->loot.now_ns - lone->since_ns;
    if (lone->victim == victim && lone->index == top)
        return age_ns >= FRESH_NS;
    if (lone->victim == victim) {
        lone->victim = NULL;
        lone->gone++;
    } else if (lone->victim == NULL || age_ns > 2 * FRESH_NS) {
        lone->victim = victim;
        lone->index = top;
        lone->since_ns = w->loot.now_ns;
    }
    lone->seen = true;
    return false;
}
#endif

/* Steals from one place. The first task is the result; further ones go to the own deque. */
static bool steal_tasks(struct worker *w, struct worker *victim, struct found *found)
{
    if (w->is_guest || w->loot.rests || !may_take_from(w, victim))
        return false; /* a task says nothing of its region */
    int64_t begin_ns = filch__os->now_ns();
    if (filch__deque_steal(&victim->deque, &found->item) != DEQUE_STOLEN)
        return false;
    w->loot.tasks++;
    size_t more = filch__deque_size(&victim->deque) / 2;
    if (more > STEAL_BATCH)
        more = STEAL_BATCH;
    if (filch__deque_reserve(&w->deque, more) != 0)
        more = 0;
    struct task_item item;
    while (more > 0 && filch__deque_steal(&victim->deque, &item) == DEQUE_STOLEN) {
        (void)filch__deque_push(&w->deque, &item); /* cannot fail: reserved */
        w->loot.tasks++;
        more--;
    }
    w->loot.begin_ns = filch__os->now_ns();
    w->loot.theft_ns = w->loot.begin_ns - begin_ns;
    found->slot = NULL;
    return true;
}

/* A guest has claimed a half that is not of its own call: some worker's, then. */
static bool hand_over(struct worker *w, const struct found *found)
{
    struct task_item item = {
        .fn = filch__strand_execute_exported, .arg = found->slot, .within = found->within};
    if (filch__injector_put(&w->pool->injector, &item, &item.arg, 1) != 0)
        return false; /* no memory: it has to be done here */
    filch__idle_wake_server(w->pool);
    return true;
}

static bool claim_slot(struct worker *w, struct forks *forks, struct found *found)
{
    found->slot = filch__forks_claim(forks);
    if (found->slot == NULL)
        return false;
    /* The claim has acquired what the room says, and it stays, or becomes NULL, until the slot is done. */
    const struct fork_room *room = filch__room_of(forks);
    struct worker *region = FILCH_LOAD_RELAXED(&room->region); /* see above */
    found->within = filch__room_cancel_of(room, found->slot);
    if (!w->is_guest)
        filch__worker_set_region(w, region);
    else if (region != w && hand_over(w, found))
        return false;
    return true;
}

static bool steal_from(struct worker *w, struct worker *victim, struct found *found,
                       struct worker **hidden)
{
    if (!FILCH_LOAD(&victim->has_started, WK_started, acquire))
        return false;
    if (w->is_guest && FILCH_LOAD_RELAXED(&victim->region) != w) /* a hint; the claim looks again */
        return false;
    struct forks *forks = filch__worker_forks(victim);
    if (!claim_slot(w, forks, found) && !steal_tasks(w, victim, found)) {
        if (filch__forks_are_hidden(forks)) {
            filch__forks_ask(forks);
            *hidden = victim;
        }
        return false;
    }
    filch__count(&w->stats.steals);
    w->lone.gone = 0;
    w->loot.vain = found->slot == NULL ? w->loot.vain + 1 : 0;
    return true;
}

bool filch__search_once(struct worker *w, struct found *found, struct worker **hidden)
{
    struct filch_pool *pool = w->pool;
    if (!w->loot.rests_outside && filch__search_injector(w, INJECTOR_BATCH, &found->item)) {
        found->slot = NULL;
        return true;
    }
    for (size_t i = 0; i < w->victim_count; i++) {
        if (steal_from(w, pool->places[FILCH_LOAD_RELAXED(&w->victims[i])], found, hidden))
            return true;
    }
    /* Guests come and go; they are nobody's neighbours. */
    size_t used = FILCH_LOAD(&pool->places_used, PL_places, acquire);
    for (size_t i = pool->width; i < used; i++) {
        if (pool->places[i] != w && steal_from(w, pool->places[i], found, hidden))
            return true;
    }
    return false;
}

static void expose(struct worker *w, struct worker *victim)
{
    struct forks *forks = filch__worker_forks(victim);
    if (!w->pool->fences && filch__forks_expose(forks, (unsigned)w->index))
        filch__count(&w->stats.exposures);
}

/* Whether it is worth the while to stay for what this worker hides. Without a barrier nobody can expose
 * it, and whoever is changing its stack may have lost its processor: nobody spins for that. The owner
 * wakes somebody when it publishes, or when it has done what it was at (see filch__sync_slow); another
 * one that exposes takes what it finds, and looks for more. */
static bool may_be_exposed(struct worker *victim)
{
    return victim != NULL && !victim->pool->fences &&
           !filch__forks_are_changing(filch__worker_forks(victim));
}

/* Looks back at what was taken since the last search began, now that it is done. */
static void judge_loot(struct worker *w, int64_t now_ns)
{
    struct loot *loot = &w->loot;
    int64_t took_ns = now_ns - loot->begin_ns;
    int64_t least_ns = (int64_t)loot->tasks * WORTH_NS;
    if (least_ns < loot->theft_ns)
        least_ns = loot->theft_ns;
    if (loot->tasks > 0 && took_ns < LOOT_NS + least_ns)
        loot->rest_until_ns = now_ns + REST_NS;
    else
        loot->vain = 0;
    if (loot->is_all && took_ns < STREAM_NS)
        loot->rest_outside_until_ns = now_ns + STREAM_REST_NS;
    loot->tasks = 0;
    loot->theft_ns = 0;
    loot->is_all = false;
}

/* Takes note of the time, before work is taken. */
static void loot_begin(struct worker *w, int64_t now_ns)
{
    struct loot *loot = &w->loot;
    loot->begin_ns = loot->now_ns = now_ns;
    loot->rests = now_ns < loot->rest_until_ns;
    loot->rests_outside = now_ns < loot->rest_outside_until_ns;
}

static void nap(struct worker *w)
{
    w->lone.gone = 0;
    if (w->suspended > 0 || w->is_guest || filch__timer_may_have(&w->timers))
        return;
    filch__idle_nap(w, filch__os->now_ns() + NAP_NS);
    loot_begin(w, filch__os->now_ns());
}

/* Between two rounds of a search.
 *   may_nap  nothing else was seen in the last one */
static void pause_search(struct worker *w, bool may_nap)
{
    int pauses = 1;
    if (w->loot.rests && w->loot.vain >= VAIN_MANY && may_nap) {
        nap(w);
    } else if (w->lone.seen) {
        w->lone.seen = false;
        pauses = FRESH_PAUSES;
        if (may_nap && w->lone.gone >= GONE_MANY)
            nap(w);
    }
    while (pauses-- > 0)
        filch__cpu_relax();
}

/* The first search after a wake-up: whoever woke the worker may wait for the core. */
static void judge_waker(struct worker *w, int64_t now_ns)
{
    if (!FILCH_LOAD_RELAXED(&w->blocks_waker)) /* by the wake-up */
        return;
    FILCH_STORE_RELAXED(&w->blocks_waker, false); /* handed over by the next sleep */
    w->is_brief = now_ns - w->slept_since_ns > STREAM_GAP_NS;
}

bool filch__search(struct worker *w, struct found *found)
{
    int64_t most_ns = w->awaited_halves > 0 ? SEARCH_AWAITING_NS : SEARCH_NS;
    int64_t begin_ns = filch__os->now_ns();
    judge_waker(w, begin_ns);
    int64_t ask_ns = begin_ns;
    judge_loot(w, begin_ns);
    loot_begin(w, begin_ns);
    struct worker *asked = NULL;
    for (unsigned round = 0;; round++) {
        struct worker *hidden = NULL;
        if (round > 0 && filch__strand_has_ready(w))
            return false;
        if (!w->is_guest && filch__idle_is_crowded(w->pool)) {
            found->slot = NULL;
            return filch__search_injector(w, INJECTOR_BATCH,
                                          &found->item); /* guests leave those to us */
        }
        if (filch__search_once(w, found, &hidden))
            return true;
        if (round % ROUNDS_PER_LOOK == 0) {
            int64_t now_ns = filch__os->now_ns();
            loot_begin(w, now_ns);
            if (hidden != asked || hidden == NULL)
                ask_ns = now_ns;
            else if (now_ns - ask_ns > EXPOSE_NS)
                expose(w, hidden);
            asked = hidden;
            if ((w->is_brief || now_ns - begin_ns > most_ns) && !may_be_exposed(hidden))
                return false;
            if (filch__pool_state(w->pool) == POOL_STOPPED)
                return false;
        }
        pause_search(w, hidden == NULL);
    }
}

bool filch__search_sees_work(struct filch_pool *pool)
{
    if (filch__injector_has_any(&pool->injector))
        return true;
    size_t used = FILCH_LOAD(&pool->places_used, PL_places, acquire);
    for (size_t i = 0; i < used; i++) {
        struct worker *w = pool->places[i];
        if (!FILCH_LOAD(&w->has_started, WK_started, acquire))
            continue;
        struct forks *forks = filch__worker_forks(w);
        if (filch__deque_has_any(&w->deque) || filch__forks_have_public(forks) ||
            (filch__forks_have_any(forks) && may_be_exposed(w)))
            return true;
    }
    return false;
}
