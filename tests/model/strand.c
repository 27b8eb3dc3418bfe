/* SPDX-License-Identifier: Apache-2.0 */
/* Tasks as waiters: a task that waits leaves its strand, its worker goes on with another one and
 * sleeps; whoever wakes the task makes that worker go on with it. No wake-up is lost, none comes twice,
 * and the waker touches nothing that may be gone. Whoever cancels what the task runs within ends its
 * wait.
 *
 * A fiber is a thread of the checker here, one at a time of those that are one worker: what is handed
 * over with the turn is what comes before it in the one thread that they are. */
#define WIDTH 1
#define MODEL_ROUNDS 6
#include "workers.h"

#include "halves.h"

/* The loop of a worker is followed only so far. */
#undef filch__worker
/* clang-format off */
#define for(forever) MODEL_BOUNDED(true)
/* clang-format on */
#include "pool/worker.c"
#undef for
#define filch__worker (model_workers[model_self])

#include "park/park.c"
#include "park/park_thread.c"
#include "pool/cancel.c"
#include "pool/forks.c"
#include "pool/idle.c"
#include "pool/park_task.c"
#include "pool/slot.c"
#include "pool/strand.c"
#include "pool/tally.c"
#include "pool/timer.c"
#include "pool/wait.c"

/* --- fibers --- */

enum turn { WAITS, RUNS, ENDS };

struct model_fiber {
    uint32_t turn;
    pthread_t thread;
};

static void wait_for_turn(struct model_fiber *mine)
{
    while (__atomic_load_n(&mine->turn, __ATOMIC_ACQUIRE) == WAITS) {
    }
    if (__atomic_load_n(&mine->turn, __ATOMIC_ACQUIRE) == ENDS)
        pthread_exit(NULL);
    __atomic_store_n(&mine->turn, WAITS, __ATOMIC_RELAXED);
}

void filch__context_switch(void **from, void *to)
{
    struct model_fiber *mine = *from;
    struct model_fiber *other = to;
    __atomic_store_n(&other->turn, RUNS, __ATOMIC_RELEASE);
    wait_for_turn(mine);
}

static void *fiber_thread(void *argument)
{
    struct model_fiber *mine = argument;
    model_self = 0;
    wait_for_turn(mine);
    (void)strand_main(NULL);
    return NULL;
}

/* --- stand-ins for the rest of the pool --- */

void filch__visits_ask(struct cancel *c)
{
    (void)c; /* there are none */
}

struct strand *filch__roam_take(struct worker *w)
{
    (void)w;
    return NULL;
}

void filch__roam_answer(struct worker *w)
{
    (void)w; /* none migrates: that is the model roam */
}

__thread uint64_t filch__self __attribute__((tls_model("initial-exec")));

uint64_t filch__self_get(void)
{
    return filch__self;
}

int filch__fiber_create(struct fiber **fiber, size_t size_bytes, struct stack_cache *cache,
                        fiber_entry *entry, void *argument)
{
    (void)fiber;
    (void)size_bytes;
    (void)cache;
    (void)entry;
    (void)argument;
    return ENOMEM;
}

void filch__fiber_destroy(struct fiber *fiber, struct stack_cache *cache)
{
    (void)fiber;
    (void)cache;
}

bool filch__stack_store_trim(struct stack_store *store)
{
    (void)store;
    return false;
}

void filch__fiber_adopt_thread(struct fiber *fiber)
{
    (void)fiber;
}

void filch__pool_release_own_count(struct filch_pool *p)
{
    (void)p;
}

enum { SEARCHES_MAX = 3 };
static int searches;

bool filch__search(struct worker *w, struct found *found)
{
    (void)w;
    (void)found;
    __VERIFIER_assume(searches++ < SEARCHES_MAX);
    return false;
}

bool filch__search_injector(struct worker *w, size_t most, struct task_item *item)
{
    (void)most;
    (void)w;
    (void)item;
    return false;
}

bool filch__search_sees_work(struct filch_pool *p)
{
    (void)p;
    return false;
}

/* --- the scenarios --- */

#if SCENARIO == 1 /* woken from outside */
#define BODIES waits, wakes
#elif SCENARIO == 2 /* woken by another worker */
#define BODIES waits, worker_1_wakes
#elif SCENARIO == 3 /* a deadline that passes beside the wake-up; then without one */
#define HAS_DEADLINE 1
#define BODIES waits, time_passes, wakes
#elif SCENARIO == 4 /* as 1, but there is no other stack to go on with */
#define HAS_STACK 0
#define BODIES waits, wakes
#elif SCENARIO == 5 /* as 3 and 4 */
#define HAS_STACK 0
#define HAS_DEADLINE 1
#define BODIES waits, time_passes, wakes
#elif SCENARIO == 6 /* only cancelled; how that ends a wait beside a wake-up, 3 and 5 show */
#define BODIES waits, cancels
#elif SCENARIO == 7 /* likewise, where there is no other stack */
#define HAS_STACK 0
#define BODIES waits, cancels
#endif
#define IS_CANCELLED (SCENARIO >= 6)
#ifndef HAS_STACK
#define HAS_STACK 1
#endif
#ifndef HAS_DEADLINE
#define HAS_DEADLINE 0
#endif

static struct waiter *waiter; /* gone when the wait has ended */
static int data;              /* plain */
static int reason;            /* plain; written before it is cancelled */
static struct cancel around;
static int callers; /* inside filch__cancel, or yet to come: what they cancel stays */

/* Somebody outside. */
static void *wakes(void *unused)
{
    (void)unused;
    data = 1;
    filch__unpark(waiter);
    return NULL;
}

static void *cancels(void *unused)
{
    (void)unused;
    reason = 1;
    filch__cancel(&around);
    (void)__atomic_fetch_sub(&callers, 1, __ATOMIC_RELEASE);
    return NULL;
}

/* Another worker of the pool, which outlives this. */
static void *worker_1_wakes(void *unused)
{
    filch__worker = &workers[1];
    return wakes(unused);
}

/* A task of worker 0 waits, on the strand at the base. */
static void *waits(void *unused)
{
    static struct model_fiber base = {.turn = WAITS};
    static struct model_fiber other = {.turn = WAITS};
    struct worker *w = &workers[0];
    (void)unused;
    filch__worker = w;
    filch__idle_search_end(w);
    bases[2].worker = w;
    bases[0].fiber.context = &base;
    bases[2].fiber.context = &other;
    w->spare = HAS_STACK ? &bases[2] : NULL;
    w->spare_count = HAS_STACK;
    filch__level_init(&w->outermost, NULL, IS_CANCELLED ? &around : NULL);
    bases[0].level = bases[2].level = &w->outermost;
    if (HAS_STACK)
        pthread_create(&other.thread, NULL, fiber_thread, &other);

    int error = ETIMEDOUT;
    if (HAS_DEADLINE)
        error = filch__park(waiter, 1);
    if (error == ETIMEDOUT)
        error = filch__park(waiter, FILCH_FOREVER);
    if (IS_CANCELLED)
        assert(error == ECANCELED && reason == 1 && (int)around.cut == error);
    else
        assert(error == 0 && data == 1);
    while (__atomic_load_n(&callers, __ATOMIC_ACQUIRE) != 0) {
    }
    assert(w->strand == &bases[0] && w->suspended == 0 && w->timers.first == NULL);
    free(waiter);

    /* The pool ends. */
    while (FILCH_LOAD(&w->wakers, RS_waker, acquire) != 0) {
    }
    if (SCENARIO != 2) { /* plain stores, as free(3) might do: nobody may be looking */
        w->woken = NULL;
        w->sleeper = SLEEPER_NONE;
        pool.idle.word = 0;
    }
    __atomic_store_n(&other.turn, ENDS, __ATOMIC_RELEASE);
    if (HAS_STACK)
        pthread_join(other.thread, NULL);
    return NULL;
}

int main(void)
{
    if (IS_CANCELLED) {
        filch__cancel_init(&around, NULL, &pool);
        callers = 1;
    }
    if (SCENARIO == 2)
        pool.idle.word += IDLE_SEARCHING; /* somebody else, so that no barrier helps the sleeper */
    waiter = malloc(sizeof *waiter);
    filch__worker_enter(&workers[0]);
    filch__waiter_init(waiter);
    MODEL_RUN(BODIES);
    return 0;
}
