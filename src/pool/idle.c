/* SPDX-License-Identifier: Apache-2.0 */
#include "idle.h"

#include "pool.h"
#include "steal.h"

#include "base/check.h"
#include "park/spin.h"

enum {
    /* A worker that is woken again sooner is in the middle of a stream of tasks. */
    STREAM_GAP_NS = 100000,
};

/* Changes the counters. Returns the word as it is then. */
static uint64_t count(struct filch_pool *pool, uint64_t change)
{
    uint64_t word = FILCH_FETCH_ADD(&pool->idle.word, change, ID_word, seq_cst) + change;
    FILCH_DCHECK((word & UINT64_C(0x8000800080008000)) == 0); /* none has gone below 0 */
    return word;
}

/* Takes the sleeping worker's waiter, which is to be woken then by the caller and nobody else. */
static struct waiter *take_sleeper(struct worker *w)
{
    if (FILCH_LOAD(&w->sleeper, ID_sleeper_look, seq_cst) == NULL)
        return NULL;
    return FILCH_EXCHANGE(&w->sleeper, NULL, ID_sleeper_take, seq_cst);
}

void filch__idle_wake(struct worker *w)
{
    struct waiter *sleeper = take_sleeper(w);
    if (sleeper == NULL)
        return;
    /* On behalf of the worker, so that nobody else is woken for the same reason meanwhile. */
    uint64_t change = w->is_guest ? IDLE_SEAT : IDLE_SEAT + IDLE_SEARCHING - IDLE_SLEEPING;
    (void)count(w->pool, change);
    FILCH_STORE_RELAXED(&w->blocks_waker, false); /* handed over by the wake-up */
    filch__unpark(sleeper);
}

static bool wake_if_asleep(struct worker *w, bool here, uint64_t change)
{
    struct waiter *sleeper = take_sleeper(w);
    if (sleeper == NULL)
        return false;
    (void)count(w->pool, change);
    if (filch__worker != NULL)
        filch__count(&filch__worker->stats.wakes);
    FILCH_STORE_RELAXED(&w->blocks_waker, here); /* handed over by the wake-up */
    if (here)
        filch__spin_is_futile();
    filch__unpark(sleeper);
    return true;
}

/* Wakes a worker that sleeps, of those tied to the core where we run (`here`) or of the others. */
static bool wake_of(struct filch_pool *pool, bool here, uint64_t change)
{
    bool is_known = filch__machine_is_known(&pool->machine);
    for (size_t i = 0; i < pool->width; i++) {
        if ((is_known && filch__topology_is_here(&pool->machine.placements[i])) == here &&
            wake_if_asleep(pool->places[i], here, change))
            return true;
    }
    return false;
}

/* Wakes a worker that sleeps, and counts it so. Returns false where none shows a waiter. A guest is
 * busy on its core, so a worker that is tied to that core would only take turns with it. Who is
 * outside is likely to wait for what it has put, and there the wake-up is by far the quickest. */
static bool wake_any(struct filch_pool *pool, uint64_t change)
{
    bool prefers_here = filch__worker == NULL;
    return wake_of(pool, prefers_here, change) || wake_of(pool, !prefers_here, change);
}

/* What was pushed before is seen by whoever looks after this; or whoever pushed it sees what was changed
 * before. Without a barrier to be had, each push sees to that by itself. */
static void order_pushes(struct filch_pool *pool)
{
    if (!pool->fences)
        filch__os_barrier();
}

/* Whether there is work, for one whose change of the word has just made it the business of whoever
 * pushes from now on: what was pushed before is seen here, or its owner has seen the change.
 *   is_alone  that change was made by the only one who is awake: all the others have changed the word after
 *             they pushed, so what they pushed is seen without a barrier */
static bool is_work_left(struct filch_pool *pool, bool is_alone)
{
    filch__idle_ask_all(pool);
    if (filch__search_sees_work(pool))
        return true;
    if (is_alone)
        return false;
    order_pushes(pool);
    return filch__search_sees_work(pool);
}

typedef bool idle_question(uint64_t word, size_t width);

static void wake_if(struct filch_pool *pool, idle_question *wanted)
{
    uint64_t word = FILCH_LOAD(&pool->idle.word, ID_look, seq_cst);
    do {
        if (!wanted(word, pool->width))
            return;
    } while (!FILCH_CAS(&pool->idle.word, &word, word + IDLE_SEARCHING, ID_word, seq_cst));
    /* We count as the one that searches; now find a worker to be that one. */
    if (wake_any(pool, IDLE_SEAT - IDLE_SLEEPING))
        return;
    /* Whoever was counted as sleeping has been woken by another one, or looks for work by itself: it
     * counts itself before it shows its waiter, and looks after that. But others took us for a
     * searcher meanwhile and woke nobody: what they have put is ours to notice. This time we do not
     * count as searching, so nobody is misled again. */
    word = count(pool, -IDLE_SEARCHING);
    if (!wanted(word, pool->width) || !is_work_left(pool, false))
        return;
    /* A push is too cheap to be ordered before the look at sleepers: now it is. Whoever shows itself
     * after this sees the work. */
    order_pushes(pool);
    (void)wake_any(pool, IDLE_SEAT + IDLE_SEARCHING - IDLE_SLEEPING);
}

void filch__idle_wake_one(struct filch_pool *pool)
{
    wake_if(pool, filch__idle_wants_waking);
}

void filch__idle_wake_server(struct filch_pool *pool)
{
    wake_if(pool, filch__idle_wants_server);
}

void filch__idle_notify(struct worker *w)
{
    struct filch_pool *pool = w->pool;
    uint64_t word = FILCH_LOAD_RELAXED(&pool->idle.word); /* behind the light fence of the push */
    if (FILCH_UNLIKELY(pool->fences)) {
        /* Nobody makes that fence a real one. A swap that changes nothing orders our own accesses. */
        while (!FILCH_CAS(&pool->idle.word, &word, word, ID_word, seq_cst)) {
        }
    }
    if (filch__idle_wants_waking(word, pool->width))
        filch__idle_wake_one(pool);
}

bool filch__idle_is_crowded(struct filch_pool *pool)
{
    return filch__idle_seats(FILCH_LOAD_RELAXED(&pool->idle.word)) > pool->width; /* a hint */
}

void filch__idle_search_begin(struct worker *w)
{
    if (w->is_searching || w->is_guest)
        return;
    w->is_searching = true;
    (void)count(w->pool, IDLE_SEARCHING);
}

void filch__idle_ask_all(struct filch_pool *pool)
{
    size_t used = FILCH_LOAD(&pool->places_used, PL_places, acquire);
    for (size_t i = 0; i < used; i++) {
        struct worker *w = pool->places[i];
        if (FILCH_LOAD(&w->has_started, WK_started, acquire))
            filch__forks_ask(filch__worker_forks(w));
    }
}

void filch__idle_search_end(struct worker *w)
{
    struct filch_pool *pool = w->pool;
    if (!w->is_searching)
        return;
    w->is_searching = false;
    uint64_t word = count(pool, -IDLE_SEARCHING);
    if (!filch__idle_wants_waking(word, pool->width))
        return;
    /* The last that searched has found work, and others sleep. Pushes that came while it searched
     * woke nobody: look for what they left, and be told of those to come. */
    if (is_work_left(pool, filch__idle_seats(word) == 1))
        filch__idle_wake_one(pool);
}

/* Counts the worker as sleeping, and shows the waiter: in this order, so that the fields of the word
 * never go below 0. Returns whether it was the last to search. */
static bool announce(struct worker *w, struct waiter *waiter)
{
    filch__waiter_init(waiter);
    waiter->ops = &filch__waiter_worker_ops;
    uint64_t change = w->is_guest ? -IDLE_SEAT : IDLE_SLEEPING - IDLE_SEARCHING - IDLE_SEAT;
    uint64_t word = count(w->pool, change);
    (void)FILCH_EXCHANGE(&w->sleeper, waiter, ID_sleeper_show, seq_cst);
    return filch__idle_searching(word) == 0;
}

/* Takes the announcement back. Returns false where somebody is waking the worker already. */
static bool withdraw(struct worker *w)
{
    if (take_sleeper(w) == NULL)
        return false;
    uint64_t change = w->is_guest ? IDLE_SEAT : IDLE_SEAT + IDLE_SEARCHING - IDLE_SLEEPING;
    (void)count(w->pool, change);
    return true;
}

static void park_worker(struct worker *w, struct waiter *waiter)
{
    int64_t deadline_ns = filch__timer_next(&w->timers);
    if (w->trim_ns < deadline_ns)
        deadline_ns = w->trim_ns;
    filch__count(&w->stats.sleeps);
    int64_t begin_ns = filch__os->now_ns();
    int error = filch__park(waiter, deadline_ns);
    bool is_by_itself = error == ETIMEDOUT && withdraw(w);
    if (error != 0 && !is_by_itself)
        (void)filch__park_through(waiter, FILCH_FOREVER); /* the waker has it: its touch is due */
    w->is_brief = is_by_itself || (FILCH_LOAD_RELAXED(&w->blocks_waker) /* by the wake-up */ &&
                                   filch__os->now_ns() - begin_ns > STREAM_GAP_NS);
}

/* Whether a worker that has given up its seat could have one again. Where it could not, the one that
 * frees a seat looks for work. */
static bool has_seat(struct filch_pool *pool)
{
    uint64_t word = FILCH_LOAD_RELAXED(&pool->idle.word); /* as just changed */
    return filch__idle_seats(word) < pool->width ||
           (filch__idle_sleeping(word) >= pool->width && filch__injector_has_any(&pool->injector));
}

/* Whether there is a reason to stay awake. A guest sleeps until it is resumed: what it could do
 * meanwhile, it has looked for. */
static bool has_reason(struct worker *w)
{
    if (filch__strand_has_ready(w))
        return true;
    if (w->is_guest)
        return false;
    /* Sequentially consistent: we have shown the waiter, then look; stop_workers the other way round. */
    return FILCH_LOAD(&w->pool->state, PL_state_idle, seq_cst) == POOL_STOPPED ||
           (has_seat(w->pool) && filch__search_sees_work(w->pool));
}

/* A seat may be what a sleeping worker was missing: work that was pushed while all were taken has
 * woken nobody. */
static void seat_is_free(struct filch_pool *pool)
{
    uint64_t word = FILCH_LOAD(&pool->idle.word, ID_look, seq_cst);
    bool nobody_works = filch__idle_seats(word) == 0 && !filch__injector_has_any(&pool->injector);
    if (!filch__idle_wants_waking(word, pool->width) || nobody_works)
        return;
    if (is_work_left(pool, false))
        filch__idle_wake_one(pool);
}

void filch__idle_sleep(struct worker *w)
{
    struct filch_pool *pool = w->pool;
    struct waiter waiter;
    FILCH_DCHECK(w->credits.tally == NULL);
    bool was_last = announce(w, &waiter);
    if (w->is_guest) {
        seat_is_free(pool);
    } else if (was_last) {
        /* From here on owners are to answer at their next push; and whatever they pushed before
         * their processors had seen that is seen by the look that follows. */
        filch__idle_ask_all(pool);
        order_pushes(pool);
    }
    if (has_reason(w) && withdraw(w))
        return;
    park_worker(w, &waiter);
}

void filch__idle_sleep_until_ready(struct worker *w)
{
    struct waiter waiter;
    bool was_searching = w->is_searching;
    filch__idle_search_begin(w); /* the state that sleeping starts from and ends in */
    /* Who pushed while we seemed to search has woken nobody. */
    if (announce(w, &waiter) && is_work_left(w->pool, false))
        filch__idle_wake_one(w->pool);
    if (!filch__strand_has_ready(w) || !withdraw(w))
        park_worker(w, &waiter);
    if (!was_searching)
        filch__idle_search_end(w);
}

void filch__idle_guest_enter(struct filch_pool *pool)
{
    (void)count(pool, IDLE_SEAT + IDLE_GUEST);
}

void filch__idle_guest_leave(struct filch_pool *pool)
{
    uint64_t word = count(pool, -(IDLE_SEAT + IDLE_GUEST));
    if (FILCH_UNLIKELY(filch__idle_wants_waking(word, pool->width)))
        seat_is_free(pool);
    /* A shutdown waits for the guests: see filch_pool_shutdown. */
    if (filch__idle_guests(word) == 0 &&
        FILCH_UNLIKELY(FILCH_LOAD(&pool->state, PL_state_guest, seq_cst) != POOL_OPEN))
        filch__pool_release_own_count(pool);
}
