/* SPDX-License-Identifier: Apache-2.0 */
/* Tasks that may migrate: whoever wakes one that has left its worker has its strand go on, once, on whatever
 * worker takes it, and the worker that it left touches nothing of it then. Beside the wake-up, deadlines and
 * cancellation end the wait. Where it had to stay, it goes on where it waits.
 *
 * Switching is not looked at here: the strand goes on in the thread that switches to it (went_on). */
#define WIDTH 2
#define MODEL_ROUNDS 6
#include "workers.h"

#include "pool/cancel.c"
#include "pool/roam.c"
#include "pool/timer.c"

struct filch__fork_stack *filch__forks = &rooms[0].forks.owner;

/* --- the scenarios --- */

#if SCENARIO == 1 /* woken by another worker, which goes on with it */
#define BODIES leaves, worker_1_wakes
#elif SCENARIO == 2 /* woken from outside */
#define BODIES leaves, outside_wakes, worker_1_takes
#elif SCENARIO == 3 /* a deadline that passes beside the wake-up; then without one */
#define HAS_DEADLINE 1
#define BODIES leaves, time_passes, worker_1_wakes
#elif SCENARIO == 4 /* cancelled */
#define BODIES leaves, cancels
#elif SCENARIO == 5 /* woken where it has to stay */
#define STAYS 1
#define BODIES leaves, worker_1_wakes
#elif SCENARIO == 6 /* the same, with a deadline */
#define STAYS 1
#define HAS_DEADLINE 1
#define BODIES leaves, time_passes, worker_1_wakes
#endif
#ifndef HAS_DEADLINE
#define HAS_DEADLINE 0
#endif
#ifndef STAYS
#define STAYS 0
#endif
#define IS_CANCELLED (SCENARIO == 4)

static struct waiter *waiter; /* gone when the wait has ended */
static int data;              /* plain, as all but what is said to be atomic */
static int reason;
static int frames; /* what lies on the stack that is left */
static int times;  /* that the strand has gone on for good */
static int gone;   /* atomic: it has done so elsewhere */
static int asked;  /* atomic */
static struct cancel around;
static struct waiter *pushed;    /* atomic: to the worker where it waits */
static struct task_item *put_in; /* atomic: the injector */

/* The wait has ended, on this worker. */
static void went_on(struct worker *w, struct strand *s)
{
    assert(frames == 1 && data == 1 && times == 0);
    times++;
    assert(s->worker == w);
    s->wait->is_away = false; /* as its frame may be written now */
    s->wait->wait.next = NULL;
    s->wait->wait.timer.next = NULL;
    free(waiter);
}

/* --- stand-ins for the rest of the pool --- */

void filch__visits_ask(struct cancel *c)
{
    (void)c;
}

void filch__strand_ready_first(struct worker *w, struct strand *s)
{
    assert(filch__worker == w && w->ready == NULL);
    w->ready = s;
}

struct strand *filch__strand_other_slow(struct worker *w)
{
    return &bases[w->index];
}

/* The worker goes on with its loop, and comes back where that finds the strand. */
void filch__strand_depart(struct worker *w, struct strand *next)
{
    (void)next;
    frames = 1;
    filch__roam_settle_slow(w);
    MODEL_BOUNDED(w->ready == NULL)
    {
        if (__atomic_load_n(&gone, __ATOMIC_ACQUIRE) != 0)
            pthread_exit(NULL);
        if (HAS_DEADLINE && w->roam.due.link != NULL &&
            filch__os->now_ns() >= w->roam.due.deadline_ns) {
            filch__timer_remove(&w->roam.due);
            filch__roam_fire(w);
        }
        if (IS_CANCELLED && __atomic_exchange_n(&asked, 0, __ATOMIC_ACQ_REL) != 0)
            filch__roam_answer(w);
    }
    w->ready = NULL;
}

void filch__strand_leave(struct worker *w)
{
    struct timer *timer;
    bool is_over = false;
    MODEL_BOUNDED(!is_over && __atomic_load_n(&pushed, __ATOMIC_ACQUIRE) == NULL)
    {
        if (HAS_DEADLINE && (timer = filch__timer_due(&w->timers, filch__os->now_ns())) != NULL)
            is_over = filch__roam_end(timer->waiter);
    }
}

void filch__strand_push_woken(struct worker *w, struct waiter *came)
{
    assert(w == &workers[0] && came->sleeper == &bases[2]);
    __atomic_store_n(&pushed, came, __ATOMIC_RELEASE);
}

void filch__strand_bound_spares(struct worker *w)
{
    (void)w;
}

/* The strand goes on in this thread. */
void filch__strand_switch(struct worker *w, struct strand *s)
{
    went_on(w, s);
    __atomic_store_n(&gone, 1, __ATOMIC_RELEASE);
}

void filch__idle_notify(struct worker *w)
{
    (void)w;
}

void filch__idle_wake_stackless(struct filch_pool *p)
{
    (void)p;
}

void filch__idle_wake_server(struct filch_pool *p)
{
    (void)p;
}

int filch__injector_put(struct injector *q, const struct task_item *item, void *const *args,
                        size_t count)
{
    struct task_item *put = malloc(sizeof *put);
    (void)q;
    (void)args;
    (void)count;
    *put = *item;
    __atomic_store_n(&put_in, put, __ATOMIC_RELEASE);
    return 0;
}

size_t filch__injector_take(struct injector *q, struct task_item *tasks, size_t max)
{
    (void)q;
    (void)tasks;
    (void)max;
    return 0;
}

void filch__worker_ask_waiting(struct worker *w)
{
    assert(w == &workers[0]);
    (void)__atomic_exchange_n(&asked, 1, __ATOMIC_ACQ_REL);
}

void filch__worker_end_wait(struct worker *w, struct waiter *ended)
{
    (void)w;
    (void)ended;
}

/* --- the threads --- */

static void *cancels(void *unused)
{
    (void)unused;
    reason = 1;
    filch__cancel(&around);
    return NULL;
}

/* The pool ends, and with it what a waker may have touched last. */
static void end_pool(void)
{
    while (FILCH_LOAD(&workers[0].wakers, RS_waker, acquire) != 0) {
    }
    workers[0].roam.waits = NULL;
}

static void *worker_1_wakes(void *unused)
{
    struct worker *w = &workers[1];
    struct task_item item;
    (void)unused;
    filch__worker = w;
    data = 1;
    filch__roam_wake(waiter);
    if (filch__deque_pop(&w->deque, &item))
        item.fn(item.arg);
    return NULL;
}

static void *outside_wakes(void *unused)
{
    (void)unused;
    filch__worker = NULL;
    data = 1;
    filch__roam_wake(waiter);
    return NULL;
}

static void *worker_1_takes(void *unused)
{
    struct worker *w = &workers[1];
    struct task_item *item;
    (void)unused;
    filch__worker = w;
    __VERIFIER_assume((item = __atomic_load_n(&put_in, __ATOMIC_ACQUIRE)) != NULL);
    item->fn(item->arg);
    free(item);
    end_pool();
    return NULL;
}

/* The task, on worker 0. */
static void *leaves(void *unused)
{
    struct worker *w = &workers[0];
    int error;
    (void)unused;
    filch__worker = w;
    if (HAS_DEADLINE && FILCH_LOAD(&waiter->state, RM_look, acquire) != WAITER_WOKEN) {
        error = filch__roam_suspend(waiter, 1);
        assert(error == 0 || error == ETIMEDOUT);
    }
    while (!IS_CANCELLED && FILCH_LOAD(&waiter->state, RM_look, acquire) != WAITER_WOKEN)
        (void)filch__roam_suspend(waiter, FILCH_FOREVER);
    if (IS_CANCELLED) {
        error = filch__roam_suspend(waiter, FILCH_FOREVER);
        assert(error == ECANCELED && reason == 1);
        assert(w->roam.waits == NULL);
        free(waiter);
        return NULL;
    }
    assert(w->roam.waits == NULL && w->roam.timers.first == NULL && w->waits == NULL);
    assert(data == 1 && times == 0);
    free(waiter);
    return NULL;
}

int main(void)
{
    static struct level outermost;
    struct strand *s = &bases[2];
    filch__cancel_init(&around, NULL, &pool);
    filch__level_init(&outermost, NULL, &around);
    s->worker = &workers[0];
    s->may_migrate = true;
    s->stays = STAYS;
    s->level = &outermost;
    pool.tasks_may_migrate = true;
    workers[0].strand = s;
    waiter = malloc(sizeof *waiter);
    waiter->state = WAITER_EMPTY;
    waiter->resists = false;
    waiter->sleeper = s;
    MODEL_RUN(BODIES);
    return 0;
}
