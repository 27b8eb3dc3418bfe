/* SPDX-License-Identifier: Apache-2.0 */
/* Guests and the end of a pool: a shutdown misses no guest that is inside, a guest that comes too late
 * stays outside, and when destroy frees the pool nobody touches it any more. */
#define MODEL_POLLS 1
#include "stand_ins.h"

#include "halves.h"

#include "park/event.c"
#include "park/park.c"
#include "park/park_thread.c"

#include "pool/pool.h"

static struct worker *model_workers[MODEL_THREADS_MAX];
#define filch__worker (model_workers[model_self])

int snprintf(char *text, size_t size_bytes, const char *format, ...);

#include "pool/guest.c"
#include "pool/idle.c"
#include "pool/pool.c"
#include "pool/tally.c"

enum { PLACES = 2 }; /* a worker, and a guest's */

static struct filch_pool *pool;
static struct strand bases[PLACES];
static struct fork_room rooms[PLACES];

/* --- stand-ins for the rest of the pool --- */

__thread uint64_t filch__self __attribute__((tls_model("initial-exec")));

uint64_t filch__self_get(void)
{
    return filch__self;
}

static uint32_t worker_has_ended;

void filch__pool_join_thread(struct filch_thread *thread)
{
    (void)thread;
    while (__atomic_load_n(&worker_has_ended, __ATOMIC_ACQUIRE) == 0) {
    }
}

size_t filch__machine_settle(struct worker *w)
{
    (void)w;
    return 0;
}

/* A worker without work; how it sleeps, and is told of the end, has a model of its own (idle). */
void filch__work(struct worker *w)
{
    while (filch__pool_state(w->pool) != POOL_STOPPED) {
    }
}

/* Nobody waits as a task in this model. */
void filch__worker_enter(struct worker *w)
{
    filch__worker = w;
}

void filch__worker_exit(struct worker *w)
{
    assert(filch__worker == w && w->strand == w->base);
    filch__worker = NULL;
}

void filch__worker_run(struct worker *w, struct task_run *run)
{
    (void)w;
    (void)run;
    assert(0);
}

bool filch__search_sees_work(struct filch_pool *p)
{
    (void)p;
    return false;
}

bool filch__strand_find_ready(struct worker *w)
{
    (void)w;
    return false;
}

bool filch__strand_has_ready(struct worker *w)
{
    (void)w;
    return false;
}

void filch__strand_wait_for_others(struct worker *w)
{
    assert(w->suspended == 0);
}

void filch__strand_give_up_spares(struct worker *w)
{
    (void)w;
}

void filch__strand_trim_guest(struct worker *w)
{
    (void)w;
}

void filch__worker_destroy(struct worker *w)
{
    (void)w;
}

int64_t filch__timer_next(struct timer_list *list)
{
    (void)list;
    return FILCH_FOREVER;
}

void filch__forks_ask(struct forks *f)
{
    (void)f;
}

/* Nobody has called anything that blocks. */
void filch__blocking_stop(struct blocking *b)
{
    (void)b;
}

void filch__blocking_destroy(struct blocking *b)
{
    (void)b;
}

void filch__stack_store_destroy(struct stack_store *store)
{
    (void)store;
}

void filch__machine_destroy(struct machine *m)
{
    free(m->placements);
}

void filch__injector_destroy(struct injector *q)
{
    (void)q;
}

/* --- the scenarios --- */

static int inside; /* plain: the guest's while it is inside */
static uint32_t has_been_inside;

static void *worker(void *unused)
{
    (void)unused;
    (void)worker_main(pool->places[0]);
    __atomic_store_n(&worker_has_ended, 1, __ATOMIC_RELEASE);
    return NULL;
}

static void *guest(void *unused)
{
    (void)unused;
    struct worker *w = filch__guest_enter(pool);
    if (w != NULL) {
        assert(filch__worker == w);
        inside++;
        __atomic_store_n(&has_been_inside, 1, __ATOMIC_RELEASE);
        inside--;
        filch__guest_leave(w);
    }
    return NULL;
}

/* Shuts the pool down at any time. */
static void *shuts_down(void *unused)
{
    (void)unused;
    int error = filch_pool_shutdown(pool, FILCH_DRAIN, FILCH_FOREVER);
    assert(error == 0);
    assert(inside == 0); /* nobody is, and nobody comes: there is no race */
    return NULL;
}

/* Destroys the pool when it knows that the guest has done its work, which may still be on its way out. */
static void *destroys(void *unused)
{
    (void)unused;
    while (__atomic_load_n(&has_been_inside, __ATOMIC_ACQUIRE) == 0) {
    }
    while (filch__idle_guests(__atomic_load_n(&pool->idle.word, __ATOMIC_RELAXED)) != 0) {
    } /* until then it is EBUSY */
    int error = filch_pool_destroy(pool);
    assert(error == 0);
    return NULL;
}

#if SCENARIO == 1 /* a guest comes and goes while the pool is shut down */
#define BODIES worker, guest, shuts_down
#elif SCENARIO == 2 /* the pool is destroyed while a guest goes */
#define BODIES worker, guest, destroys
#elif SCENARIO == 3 /* two shut it down */
#define BODIES worker, shuts_down, shuts_down
#endif

/* Only what is used: what is not initialised here, the checker lets nobody read. */
static void make_place(size_t index)
{
    struct worker *w = malloc(sizeof *w);
    pool->places[index] = w;
    w->pool = pool;
    w->index = index;
    w->thread = NULL;
    w->is_guest = index != 0;
    w->is_taken = 0;
    w->has_started = true;
    w->deque.top = w->deque.bottom = 0;
    w->deque.array = NULL;
    w->woken = NULL;
    w->sleeper = SLEEPER_NONE;
    w->wakers = 0;
    w->ready = NULL;
    w->leaving = w->yielded = NULL;
    w->spare_count = 0;
    w->base = w->strand = &bases[index];
    w->room = &rooms[index];
    w->trim_ns = FILCH_FOREVER;
    w->credits.tally = NULL;
    w->credits.held = 0;
    w->timers.first = NULL;
    w->tick = 1;
    w->suspended = 0;
    w->victims = NULL;
    w->visitor = NULL;
    w->is_searching = false;
    w->stats.sleeps = 0;
    bases[index].worker = w;
}

static void make_pool(void)
{
    pool = malloc(sizeof *pool);
    pool->idle.word = IDLE_SEAT;
    pool->injector.size = 0;
    filch__tally_init(&pool->tally);
    pool->tally.waiter = &pool->all_done;
    pool->all_done.ops = &all_done_ops;
    pool->state = POOL_OPEN;
    pool->width = 1;
    pool->guest_count = PLACES - 1;
    pool->places_used = PLACES;
    pool->places = malloc(PLACES * sizeof *pool->places);
    pool->machine.topology = NULL;
    pool->machine.placements = malloc(1);
    pool->name = NULL;
    pool->process = 0;
    pool->is_default = false;
    pool->tasks_may_migrate = false;
    pool->own_count_released = false;
    pool->running = 1;
    pool->ended.has_happened = false;
    pool->ended.waiters = NULL;
    for (size_t i = 0; i < PLACES; i++)
        make_place(i);
}

int main(void)
{
    make_pool();
    MODEL_RUN(BODIES);
    return 0;
}
