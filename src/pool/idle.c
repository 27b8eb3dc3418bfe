/* SPDX-License-Identifier: Apache-2.0 */
#include "idle.h"

#include "pool.h"
#include "steal.h"
#include "strand.h"

#include "base/check.h"
#include "base/section.h"
#include "park/spin.h"

/* Changes the counters. Returns the word as it is then. */
static uint64_t count(struct filch_pool *pool, uint64_t change)
{
    uint64_t word = FILCH_FETCH_ADD(&pool->idle.word, change, ID_word, seq_cst) + change;
    FILCH_DCHECK((word & UINT64_C(0x0008004002001000)) == 0); /* none has gone below 0 */
    return word;
}

/* Takes the waiter of a worker that sleeps, which is to be woken then by the caller and nobody else.
 * SLEEPER_NONE: it does not sleep, or somebody else has it. */
static uint32_t take_sleeper(struct worker *w)
{
    if (FILCH_LOAD(&w->sleeper, ID_sleeper_look, seq_cst) == SLEEPER_NONE)
        return SLEEPER_NONE;
    return FILCH_EXCHANGE(&w->sleeper, SLEEPER_NONE, ID_sleeper_take, seq_cst);
}

/* The same of one that could run whatever there is. */
FILCH_WAKE_PATH static bool take_server(struct worker *w)
{
    uint32_t seen = FILCH_LOAD(&w->sleeper, ID_sleeper_look, seq_cst);
    return seen == SLEEPER_SERVES &&
           FILCH_CAS(&w->sleeper, &seen, SLEEPER_NONE, ID_sleeper_take, seq_cst);
}

/* What the end of such a sleep changes. */
static uint64_t change_of_waking(const struct worker *w, uint32_t sleeper)
{
    if (sleeper == SLEEPER_SERVES)
        return IDLE_SEAT + IDLE_SEARCHING - IDLE_SLEEPING;
    return w->is_guest ? IDLE_SEAT : IDLE_SEAT - IDLE_STACKLESS;
}

void filch__idle_wake(struct worker *w)
{
    uint32_t sleeper = take_sleeper(w);
    if (sleeper == SLEEPER_NONE)
        return;
    /* On behalf of the worker, so that nobody else is woken for the same reason meanwhile. */
    (void)count(w->pool, change_of_waking(w, sleeper));
    FILCH_STORE_RELAXED(&w->blocks_waker, false); /* handed over by the wake-up */
    filch__unpark(&w->asleep);
}

/* Takes a worker that sleeps, for the caller to wake it for work. NULL: none shows a waiter. Who is outside is
 * likely to wait for what it has put, and the worker tied to the core where it runs is by far the
 * quickest to come: that one, then. A guest is busy on its core, so that worker would only take turns with
 * it: any other one, then.
 *   is_local  whether it is tied to that core                                                [out] */
FILCH_WAKE_PATH static struct worker *take_any(struct filch_pool *pool, bool *is_local)
{
    struct worker *local = filch__machine_local(pool);
    bool is_outside = filch__worker == NULL;
    *is_local = true;
    if (is_outside && local != NULL && take_server(local))
        return local;
    for (size_t i = 0; i < pool->width; i++) {
        struct worker *w = pool->places[i];
        *is_local = w == local;
        if (w != local && take_server(w))
            return w;
    }
    *is_local = true;
    return !is_outside && local != NULL && take_server(local) ? local : NULL;
}

/* Wakes a worker that the caller has taken, and counted so. */
FILCH_WAKE_PATH static void wake_taken(struct worker *w, bool is_local)
{
    if (filch__worker != NULL)
        filch__count(&filch__worker->stats.wakes);
    FILCH_STORE_RELAXED(&w->blocks_waker, is_local); /* handed over by the wake-up */
    if (is_local)
        filch__spin_is_futile();
    filch__unpark(&w->asleep);
}

/* Wakes a worker that sleeps, and counts it so. Returns false where none shows a waiter. */
static bool wake_any(struct filch_pool *pool, uint64_t change)
{
    bool is_local;
    struct worker *w = take_any(pool, &is_local);
    if (w == NULL)
        return false;
    (void)count(pool, change);
    wake_taken(w, is_local);
    return true;
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

/* Whether a worker should be woken for something that has been put, from outside or not. */
static bool wants_any(uint64_t word, size_t width)
{
    return filch__idle_wants_waking(word, width) || filch__idle_wants_server(word, width);
}

/* Nobody was found to be woken by one that has counted as searching for it. Whoever was counted as
 * sleeping has been woken by another one, or looks for work by itself: it counts itself before it shows its
 * waiter, and looks after that. But others took us for a searcher meanwhile and woke nobody: what they have
 * put is ours to notice, whether from outside or not. This time we do not count as searching, so nobody is
 * misled again. */
static FILCH_COLD void look_for_misled(struct filch_pool *pool)
{
    uint64_t word = count(pool, -IDLE_SEARCHING);
    if (!wants_any(word, pool->width) || !is_work_left(pool, false))
        return;
    /* A push is too cheap to be ordered before the look at sleepers: now it is. Whoever shows itself
     * after this sees the work. */
    order_pushes(pool);
    (void)wake_any(pool, IDLE_SEAT + IDLE_SEARCHING - IDLE_SLEEPING);
}

static void wake_if(struct filch_pool *pool, idle_question *wanted)
{
    uint64_t word = FILCH_LOAD(&pool->idle.word, ID_look, seq_cst);
    do {
        if (!wanted(word, pool->width))
            return;
    } while (!FILCH_CAS(&pool->idle.word, &word, word + IDLE_SEARCHING, ID_word, seq_cst));
    /* We count as the one that searches; now find a worker to be that one. */
    if (!wake_any(pool, IDLE_SEAT - IDLE_SLEEPING))
        look_for_misled(pool);
}

void filch__idle_wake_one(struct filch_pool *pool)
{
    wake_if(pool, filch__idle_wants_waking);
}

/* Whoever naps is to look for what has just been put. */
static void rouse(struct filch_pool *pool)
{
    struct worker *w = FILCH_LOAD(&pool->idle.napper, ID_nap_look, seq_cst);
    if (FILCH_UNLIKELY(w != NULL) && FILCH_CAS(&pool->idle.napper, &w, NULL, ID_nap_take, acquire))
        filch__unpark(&w->asleep);
}

void filch__idle_wake_server(struct filch_pool *pool)
{
    rouse(pool);
    wake_if(pool, filch__idle_wants_server);
}

void filch__idle_wake_stackless(struct filch_pool *pool)
{
    if (filch__idle_stackless(FILCH_LOAD(&pool->idle.word, ID_look, seq_cst)) == 0)
        return;
    for (size_t i = 0; i < pool->width; i++) {
        if (FILCH_LOAD(&pool->places[i]->sleeper, ID_sleeper_look, seq_cst) == SLEEPER_WAITS)
            filch__idle_wake(pool->places[i]);
    }
}

/* Counts a worker that has been taken as one that has work, which is on its way, where such a one is wanted. */
static bool count_server(struct filch_pool *pool)
{
    const uint64_t change = IDLE_SEAT - IDLE_SLEEPING + IDLE_GIFT;
    uint64_t word = FILCH_LOAD(&pool->idle.word, ID_look, seq_cst);
    do {
        if (!filch__idle_wants_server(word, pool->width))
            return false;
    } while (!FILCH_CAS(&pool->idle.word, &word, word + change, ID_word, seq_cst));
    return true;
}

FILCH_WAKE_PATH bool filch__idle_give(struct filch_pool *pool, const struct task_item *task)
{
    bool is_local;
    struct worker *w = NULL;
    if (!filch__injector_has_any(&pool->injector))
        w = take_any(pool, &is_local);
    if (w == NULL)
        return false;
    /* It does not count as searching at any time, so it misleads none that push, and need not look for that. */
    bool is_given = count_server(pool);
    if (is_given)
        w->gift = *task;
    else
        (void)count(pool, IDLE_SEAT + IDLE_SEARCHING - IDLE_SLEEPING); /* woken in vain, perhaps */
    wake_taken(w, is_local);
    return is_given;
}

FILCH_WAKE_PATH void filch__idle_gift_arrived(struct worker *w)
{
    struct filch_pool *pool = w->pool;
    w->is_searching = false; /* whoever woke it has counted it so */
    (void)count(pool, -IDLE_GIFT);
    /* We do not hold others off any more, then look; whoever puts a task the other way round. */
    if (filch__injector_has_any(&pool->injector))
        filch__idle_wake_server(pool);
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

static void init_waiter(struct worker *w)
{
    filch__waiter_init(&w->asleep);
    w->asleep.ops = &filch__waiter_worker_ops;
}

/* Counts the worker as sleeping, and shows the waiter: in this order, so that the fields of the word
 * never go below 0. Returns the word as it was then. */
static uint64_t announce(struct worker *w, uint32_t sleeper)
{
    init_waiter(w);
    uint64_t word = count(w->pool, -change_of_waking(w, sleeper));
    (void)FILCH_EXCHANGE(&w->sleeper, sleeper, ID_sleeper_show, seq_cst);
    return word;
}

/* Takes the announcement back. Returns false where somebody is waking the worker already. */
static bool withdraw(struct worker *w)
{
    uint32_t sleeper = take_sleeper(w);
    if (sleeper == SLEEPER_NONE)
        return false;
    (void)count(w->pool, change_of_waking(w, sleeper));
    return true;
}

FILCH_WAKE_PATH static void park_worker(struct worker *w, int64_t deadline_ns)
{
    filch__count(&w->stats.sleeps);
    w->slept_since_ns = filch__os->now_ns();
    int error = filch__park(&w->asleep, deadline_ns);
    bool is_late = error == ETIMEDOUT && withdraw(w);
    if (error != 0 && !is_late) /* the waker has it: its touch is due */
        (void)filch__park_through(&w->asleep, FILCH_FOREVER);
    w->is_brief = is_late;
}

/* Whether a worker that has given up its seat could have one again. Where it could not, the one that
 * frees a seat looks for work. */
static bool has_seat(struct filch_pool *pool)
{
    uint64_t word = FILCH_LOAD_RELAXED(&pool->idle.word); /* as just changed */
    return filch__idle_seats(word) < pool->width ||
           (filch__idle_all_sleep(word, pool->width) && filch__injector_has_any(&pool->injector));
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

/* Whether nothing is left to run. Who sleeps without a stack may have left something, guests too. */
static bool is_deserted(struct filch_pool *pool, uint64_t word)
{
    return filch__idle_seats(word) == 0 && filch__idle_guests(word) == 0 &&
           filch__idle_stackless(word) == 0 && !filch__injector_has_any(&pool->injector);
}

/* A seat may be what a sleeping worker was missing: work that was pushed while all were taken has
 * woken nobody. */
static void seat_is_free(struct filch_pool *pool)
{
    uint64_t word = FILCH_LOAD(&pool->idle.word, ID_look, seq_cst);
    if (!filch__idle_wants_waking(word, pool->width) || is_deserted(pool, word))
        return;
    if (is_work_left(pool, false))
        filch__idle_wake_one(pool);
}

FILCH_WAKE_PATH void filch__idle_sleep(struct worker *w, int64_t latest_ns)
{
    struct filch_pool *pool = w->pool;
    FILCH_DCHECK(w->credits.tally == NULL);
    uint64_t word = announce(w, w->is_guest ? SLEEPER_WAITS : SLEEPER_SERVES);
    if (w->is_guest) {
        seat_is_free(pool);
    } else if (filch__idle_searching(word) == 0) {
        /* From here on owners are to answer at their next push; and whatever they pushed before
         * their processors had seen that is seen by the look that follows: by the barrier, or as it is
         * where no owner is awake, since each has changed the word after its last push. */
        filch__idle_ask_all(pool);
        if (filch__idle_seats(word) > 0)
            order_pushes(pool);
    }
    if (has_reason(w) && withdraw(w))
        return;
    int64_t deadline_ns = filch__timer_next(&w->timers);
    deadline_ns = w->trim_ns < deadline_ns ? w->trim_ns : deadline_ns;
    park_worker(w, latest_ns < deadline_ns ? latest_ns : deadline_ns);
}

void filch__idle_nap(struct worker *w, int64_t deadline_ns)
{
    struct filch_pool *pool = w->pool;
    struct worker *napper = NULL;
    init_waiter(w);
    if (!FILCH_CAS(&pool->idle.napper, &napper, w, ID_nap_show, seq_cst))
        return;
    /* We show ourselves, then look; whoever puts a task the other way round. */
    if (!filch__injector_has_any(&pool->injector) && filch__park(&w->asleep, deadline_ns) == 0)
        return;
    napper = w;
    if (!FILCH_CAS(&pool->idle.napper, &napper, NULL, ID_nap_take, acquire))
        (void)filch__park_through(&w->asleep, FILCH_FOREVER); /* roused: that touch is due */
}

void filch__idle_sleep_until_ready(struct worker *w)
{
    struct filch_pool *pool = w->pool;
    FILCH_DCHECK(!w->is_searching);
    (void)announce(w, SLEEPER_WAITS);
    seat_is_free(pool);
    /* That for which we seemed to be the one worker that is always awake is another one's. */
    if (filch__injector_has_any(&pool->injector))
        filch__idle_wake_server(pool);
    /* Whoever puts one that may go on here puts it, then looks for us: we look after we have been shown. */
    if (filch__strand_find_ready(w) && withdraw(w))
        return;
    park_worker(w, filch__timer_next(&w->timers));
}

FILCH_WAKE_PATH void filch__idle_guest_enter(struct filch_pool *pool)
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
