/* SPDX-License-Identifier: Apache-2.0 */
/* Sleeping and waking: no task is left while a worker sleeps, a seat is free and nobody searches. A
 * worker that sleeps on beside a task never ends, and is reported. */
#include "model.h"

#include "base/atomic.h"

#include "../../src/primitives/park/park.c"
#include "../../src/primitives/park/park_thread.c"

#include "../../src/pool/idle.c"

struct worker *filch__worker;

/* --- stand-ins for the rest of the pool: a counter for the injector, a flag for each deque --- */

#if SCENARIO == 2 || SCENARIO == 3 || SCENARIO == 5
enum { WIDTH = 2 };
#else
enum { WIDTH = 1 };
#endif
enum { ROUNDS_MAX = 4, SLEEPS_MAX = 2, TASKS = 1 };

static struct filch_pool pool;
static struct worker workers[WIDTH];
static struct worker *places[WIDTH];
static int done; /* tasks that have run */

bool filch__search_sees_work(struct filch_pool *p)
{
    if (filch__injector_has_any(&p->injector))
        return true;
    for (size_t i = 0; i < p->width; i++) {
        if (FILCH_LOAD(&p->places[i]->deque.bottom, DQ_look, seq_cst) > 0)
            return true;
    }
    return false;
}

bool filch__strand_has_ready(struct worker *w)
{
    return FILCH_LOAD(&w->woken, RS_look, seq_cst) != NULL;
}

int64_t filch__timer_next(const struct timer_list *list)
{
    (void)list;
    return FILCH_FOREVER;
}

void filch__pool_release_own_count(struct filch_pool *p)
{
    (void)p;
}

bool filch__topology_is_here(const struct placement *placement)
{
    (void)placement;
    return false;
}

void filch__forks_ask(struct forks *f)
{
    (void)f;
}

/* --- what workers do --- */

static void put_outside(void)
{
    (void)FILCH_FETCH_ADD(&pool.injector.size, 1, IJ_put, seq_cst);
    filch__idle_wake_server(&pool);
}

/* A deque of one task: its thief lowers the bottom, which no real thief does; what counts here is
 * who sees it. */
static bool take(void)
{
    size_t seen = FILCH_LOAD(&pool.injector.size, IJ_look, seq_cst);
    if (seen != 0 && FILCH_CAS(&pool.injector.size, &seen, seen - 1, IJ_put, seq_cst))
        return true;
    for (size_t i = 0; i < WIDTH; i++) {
        uint64_t bottom = 1;
        if (FILCH_LOAD_RELAXED(&workers[i].deque.bottom) > 0 &&
            FILCH_CAS(&workers[i].deque.bottom, &bottom, 0, TEST_take, acq_rel))
            return true;
    }
    return false;
}

static void run_task(void)
{
    if (FILCH_FETCH_ADD(&done, 1, TEST_done, acq_rel) + 1 < TASKS)
        return;
    FILCH_STORE(&pool.state, POOL_STOPPED, PL_state, seq_cst);
    for (size_t i = 0; i < WIDTH; i++)
        filch__idle_wake(&workers[i]);
}

static void loop(struct worker *w)
{
    int sleeps = 0;
    for (int i = 0; i < ROUNDS_MAX; i++) {
        if (filch__strand_has_ready(w)) {
            FILCH_STORE_RELAXED(&w->woken, NULL);
            filch__idle_search_end(w);
            if (SCENARIO == 6)
                run_task();
        }
        if (filch__pool_state(&pool) == POOL_STOPPED)
            return;
        filch__idle_search_begin(w);
        if (take()) {
            filch__idle_search_end(w);
            run_task();
        } else if (!filch__strand_has_ready(w)) {
            __VERIFIER_assume(sleeps++ < SLEEPS_MAX);
            filch__idle_sleep(w);
        }
    }
    __VERIFIER_assume(0);
}

static void *worker_0(void *unused)
{
    (void)unused;
    loop(&workers[0]);
    return NULL;
}

static void *worker_1(void *unused)
{
    (void)unused;
    loop(&workers[WIDTH - 1]);
    return NULL;
}

/* Runs a task that pushes another one and keeps its thread until that has been run. */
static void *pusher_0(void *unused)
{
    struct worker *w = &workers[0];
    (void)unused;
    filch__idle_search_end(w);
    FILCH_STORE(&w->deque.bottom, 1, DQ_bottom_push, release);
    FILCH_FENCE_LIGHT();
    filch__idle_notify(w);
    while (__atomic_load_n(&done, __ATOMIC_ACQUIRE) == 0) {
    }
    return NULL;
}

/* The same with a task that goes to the injector. */
static void *putter_0(void *unused)
{
    (void)unused;
    filch__idle_search_end(&workers[0]);
    put_outside();
    while (__atomic_load_n(&done, __ATOMIC_ACQUIRE) == 0) {
    }
    return NULL;
}

static void *stopper(void *unused)
{
    (void)unused;
    run_task();
    return NULL;
}

static void *putter(void *unused)
{
    (void)unused;
    put_outside();
    return NULL;
}

/* Wakes worker 0 by name: something is to be resumed there. */
static void *resumer(void *unused)
{
    static struct waiter waiter;
    struct waiter *none = NULL;
    (void)unused;
    if (FILCH_CAS(&workers[0].woken, &none, &waiter, RS_push, seq_cst))
        filch__idle_wake(&workers[0]);
    return NULL;
}

/* A guest that pushed while it held the only seat, and goes. */
static void *guest(void *unused)
{
    (void)unused;
    (void)FILCH_FETCH_ADD(&pool.injector.size, 1, IJ_put, seq_cst);
    filch__idle_wake_one(&pool);
    filch__idle_guest_leave(&pool);
    return NULL;
}

#if SCENARIO == 1 /* one worker, one task from outside */
#define BODIES putter, worker_0
#elif SCENARIO ==                                                                                  \
    2 /* two workers, one task: the other one goes to sleep, and is told of the stop */
#define BODIES worker_0, worker_1
#elif SCENARIO == 3 /* a worker pushes and stays busy: the other one has to come */
#define BODIES pusher_0, worker_1
#elif SCENARIO == 4 /* the only seat becomes free */
#define BODIES guest, worker_0
#elif SCENARIO == 5 /* as 3, from outside */
#define BODIES putter_0, worker_1
#elif SCENARIO == 6 /* a wake-up by name */
#define BODIES resumer, worker_0
#elif SCENARIO == 7 /* the pool stops */
#define BODIES stopper, worker_0
#endif

int main(void)
{
    pool.width = WIDTH;
    pool.places = places;
    pool.places_used = WIDTH;
    pool.state = POOL_OPEN;
    pool.idle.word = WIDTH * (IDLE_SEAT + IDLE_SEARCHING);
    if (SCENARIO == 6 || SCENARIO == 7)
        pool.idle.word += IDLE_SEARCHING; /* somebody else, so that no barrier helps the sleeper */
    if (SCENARIO == 2)
        pool.injector.size = 1;
    if (SCENARIO == 4)
        pool.idle.word += IDLE_SEAT + IDLE_GUEST;
    for (size_t i = 0; i < WIDTH; i++) {
        places[i] = &workers[i];
        workers[i].pool = &pool;
        workers[i].index = i;
        workers[i].is_searching = true;
    }
    MODEL_RUN(BODIES);
    assert(done == TASKS);
    return 0;
}
