/* SPDX-License-Identifier: Apache-2.0 */
/* Sleeping and waking: no task is left while a worker sleeps, a seat is free and nobody searches. A
 * worker that sleeps on beside a task never ends, and is reported. */
#if SCENARIO == 2 || SCENARIO == 3 || SCENARIO == 5 || SCENARIO == 6 || SCENARIO == 13 ||          \
    (SCENARIO >= 14 && SCENARIO <= 17)
#define WIDTH 2
#elif SCENARIO == 8
#define WIDTH 3
#else
#define WIDTH 1
#endif
#include "workers.h"

#include "halves.h"

#include "park/park.c"
#include "park/park_thread.c"

#include "pool/forks.c"
#include "pool/idle.c"
#include "pool/slot.c"
#include "pool/steal.c"

/* --- stand-ins for the rest of the pool --- */

static int done; /* tasks that have run */

static void run_task(void *unused);
static const struct task_item task = {.fn = run_task};

/* The injector without its lock and lists: who sees its size is what counts here. */
int filch__injector_put(struct injector *q, const struct task_item *item, void *const *args,
                        size_t count)
{
    (void)item;
    (void)args;
    (void)FILCH_FETCH_ADD(&q->size, count, IJ_put, seq_cst);
    return 0;
}

size_t filch__injector_take(struct injector *q, struct task_item *tasks, size_t max)
{
    (void)max;
    size_t seen = FILCH_LOAD(&q->size, IJ_look, seq_cst);
    if (seen == 0 || !FILCH_CAS(&q->size, &seen, seen - 1, IJ_put, seq_cst))
        return 0;
    tasks[0] = task;
    return 1;
}

/* What waits on the worker without a stack goes on when the task has been run. */
bool filch__strand_has_ready(struct worker *w)
{
    return SCENARIO >= 14 && w == &workers[SCENARIO == 20] &&
           FILCH_LOAD(&pool.state, TEST_ready, seq_cst) == POOL_STOPPED;
}

bool filch__strand_find_ready(struct worker *w)
{
    return SCENARIO == 18 ? filch__injector_has_any(&pool.injector) : filch__strand_has_ready(w);
}

void filch__strand_execute_exported(void *slot)
{
    (void)slot;
}

int64_t filch__timer_next(struct timer_list *list)
{
    (void)list;
    return FILCH_FOREVER;
}

void filch__pool_release_own_count(struct filch_pool *p)
{
    (void)p;
}

void filch__worker_set_region(struct worker *w, struct worker *region)
{
    (void)w;
    (void)region;
}

struct filch__fork_stack *filch__forks = &rooms[0].forks.owner;

void filch__run_call(struct filch__slot *slot)
{
    (void)slot;
}

/* What fork.c does of it; the checker cannot read that file. */
void filch__fork_answer(struct filch__fork_stack *q)
{
    FILCH_STORE_RELAXED(&q->asked, 0);
    (void)filch__forks_publish(filch__forks_of(q));
    FILCH_FENCE_LIGHT();
    filch__idle_wake_one(&pool);
}

/* --- what workers do --- */

static void run_task(void *unused)
{
    (void)unused;
    FILCH_STORE(&done, 1, TEST_done, release);
    FILCH_STORE(&pool.state, POOL_STOPPED, PL_state, seq_cst);
    for (size_t i = 0; i < pool.width; i++)
        filch__idle_wake(&workers[i]);
}

static void task_half(struct filch__slot *slot)
{
    (void)slot;
    run_task(NULL);
}

static void put_outside(void)
{
    void *arg = NULL;
    int error = filch__injector_put(&pool.injector, &task, &arg, 1);
    assert(error == 0);
    filch__idle_wake_server(&pool);
}

enum { ROUNDS_MAX = 4, SLEEPS_MAX = 2 };

/* Where taking is of no interest, or, with halves, not to be followed: whoever sees the task runs it. */
#define ONLY_LOOKS (SCENARIO == 6 || SCENARIO == 8)

/* With a half, who is going to sleep begins with that: it looks then. */
static bool looks(int round)
{
    return SCENARIO != 6 || round > 0;
}

/* As in worker.c. */
static void take_gift(struct worker *w)
{
    if (w->gift.fn == NULL)
        return;
    w->gift.fn = NULL;
    filch__idle_gift_arrived(w);
    run_task(NULL);
}

static void loop(struct worker *w)
{
    int sleeps = 0;
    if (SCENARIO == 12)
        filch__idle_nap(w, 1);
    for (int i = 0; i < ROUNDS_MAX; i++) {
        if (filch__pool_state(&pool) == POOL_STOPPED)
            return;
        struct found found;
        struct worker *hidden = NULL;
        filch__idle_search_begin(w);
        if (ONLY_LOOKS && looks(i) && filch__search_sees_work(&pool)) {
            run_task(NULL);
        } else if (!ONLY_LOOKS && filch__search_once(w, &found, &hidden)) {
            filch__idle_search_end(w);
            if (found.slot != NULL)
                filch__slot_execute(found.slot);
            else
                found.item.fn(found.item.arg);
        } else {
            __VERIFIER_assume(hidden == NULL && sleeps++ < SLEEPS_MAX);
            filch__idle_sleep(w, FILCH_FOREVER);
            take_gift(w);
        }
    }
    __VERIFIER_assume(0);
}

static void wait_until_done(void)
{
    while (__atomic_load_n(&done, __ATOMIC_ACQUIRE) == 0) {
    }
}

static void *worker_0(void *unused)
{
    (void)unused;
    filch__worker = &workers[0];
    loop(&workers[0]);
    return NULL;
}

static void *worker_1(void *unused)
{
    (void)unused;
    filch__worker = &workers[1];
    loop(&workers[1]);
    return NULL;
}

/* Runs a task that pushes another one and keeps its thread until that has been run. */
static void *pusher_0(void *unused)
{
    struct worker *w = filch__worker = &workers[0];
    (void)unused;
    filch__idle_search_end(w);
    int error = filch__worker_push(w, &task);
    assert(error == 0);
    wait_until_done();
    return NULL;
}

/* The same with a half. */
static void *forker_0(void *unused)
{
    struct worker *w = filch__worker = &workers[0];
    (void)unused;
    filch__idle_search_end(w);
    filch__fork_push(&rooms[0].forks.owner, slots[0], task_half);
    wait_until_done();
    return NULL;
}

/* The same with a task that goes to the injector. */
static void *putter_0(void *unused)
{
    (void)unused;
    filch__worker = &workers[0];
    filch__idle_search_end(&workers[0]);
    put_outside();
    wait_until_done();
    return NULL;
}

/* Has a strand that waits for that task, and no stack to go on with. It is woken for nothing else. */
static void *stackless_0(void *unused)
{
    filch__worker = &workers[0];
    if (!filch__strand_has_ready(&workers[0]))
        filch__idle_sleep_until_ready(&workers[0]);
    assert(filch__strand_has_ready(&workers[0]));
    return unused;
}

/* The same with a task in its deque, which came while all seats were taken. */
static void *pusher_without_stack_0(void *unused)
{
    int error = filch__deque_push(&workers[0].deque, &task);
    assert(error == 0);
    filch__worker_has_pushed(&workers[0]);
    return stackless_0(unused);
}

/* The same, and what is put outside may go on with it. */
static void *stackless_for_roamers(void *unused)
{
    filch__worker = &workers[0];
    filch__idle_sleep_until_ready(&workers[0]);
    assert(filch__injector_has_any(&pool.injector));
    run_task(unused);
    return NULL;
}

/* Puts a strand that any worker may go on with. */
static void *offers(void *unused)
{
    put_outside();
    filch__idle_wake_stackless(&pool);
    return unused;
}

/* Has pushed a task, and taken it back since: its wake-up is for nothing, and misleads others. */
static void *waker_2(void *unused)
{
    (void)unused;
    filch__worker = &workers[2];
    filch__idle_notify(&workers[2]);
    return NULL;
}

static void *stopper(void *unused)
{
    run_task(unused);
    return NULL;
}

static void *putter(void *unused)
{
    (void)unused;
    put_outside();
    return NULL;
}

/* Puts a task as filch_pool_spawn does. */
static void *giver(void *unused)
{
    (void)unused;
    if (!filch__idle_give(&pool, &task))
        put_outside();
    return NULL;
}

/* Wakes up with a task, which keeps its thread until the one that was put meanwhile has been run. */
static void *gifted_0(void *unused)
{
    (void)unused;
    filch__worker = &workers[0];
    filch__idle_gift_arrived(&workers[0]);
    wait_until_done();
    return NULL;
}

/* Sleeps, until it is woken for the task from outside. */
static void *sleeper_1(void *unused)
{
    (void)unused;
    filch__worker = &workers[1];
    park_worker(&workers[1], FILCH_FOREVER);
    assert(SCENARIO == 17 || filch__injector_has_any(&pool.injector));
    run_task(NULL);
    return NULL;
}

/* A guest that pushed while it held the only seat, and goes. */
static void *guest(void *unused)
{
    (void)unused;
    void *arg = NULL;
    int error = filch__injector_put(&pool.injector, &task, &arg, 1);
    assert(error == 0);
    filch__idle_wake_one(&pool);
    filch__idle_guest_leave(&pool);
    return NULL;
}

/* Has a task in its deque, and no stack to go on with. */
static void *guest_without_stack_1(void *unused)
{
    struct worker *w = filch__worker = &workers[1];
    int error = filch__deque_push(&w->deque, &task);
    assert(error == 0);
    filch__worker_has_pushed(w);
    if (!filch__strand_has_ready(w))
        filch__idle_sleep_until_ready(w);
    assert(filch__strand_has_ready(w));
    return unused;
}

/* Sleeps, until it is woken for the task in the guest's deque. */
static void *thief_0(void *unused)
{
    filch__worker = &workers[0];
    park_worker(&workers[0], FILCH_FOREVER);
    assert(filch__search_sees_work(&pool));
    run_task(NULL);
    filch__idle_wake(&workers[1]);
    return unused;
}

/* Has freed a seat, so it looks for somebody to wake. */
static void *guest_gone(void *unused)
{
    filch__idle_wake_one(&pool);
    return unused;
}

/* Puts a task, and has the seat then. */
static void *putting_guest(void *unused)
{
    put_outside();
    filch__idle_guest_enter(&pool);
    return unused;
}

/* Is counted as asleep, shows itself, and is to be there for that task. Where it was woken before is not
 * followed. */
static void *server_0(void *unused)
{
    struct worker *w = filch__worker = &workers[0];
    (void)FILCH_EXCHANGE(&w->sleeper, SLEEPER_SERVES, ID_sleeper_show, seq_cst);
    if (!has_reason(w) || !withdraw(w))
        park_worker(w, FILCH_FOREVER);
    __VERIFIER_assume(filch__injector_has_any(&pool.injector));
    run_task(NULL);
    return unused;
}

/* No count is ever below 0. */
static void *observer(void *unused)
{
    (void)unused;
    uint64_t word = __atomic_load_n(&pool.idle.word, __ATOMIC_RELAXED);
    assert(filch__idle_seats(word) <= 1 && filch__idle_searching(word) <= 1 + (SCENARIO == 11));
    assert(filch__idle_sleeping(word) <= 1 && filch__idle_guests(word) == 0);
    return NULL;
}

#if SCENARIO == 1 /* one worker, one task from outside */
#define BODIES putter, worker_0
#elif SCENARIO == 2 /* two workers, one task: one goes to sleep, and is told of the stop */
#define BODIES worker_0, worker_1
#elif SCENARIO == 3 /* a worker pushes and stays busy: the other one has to come */
#define BODIES pusher_0, worker_1
#elif SCENARIO == 4 /* the only seat becomes free */
#define BODIES guest, worker_0
#elif SCENARIO == 5 /* as 3, from outside */
#define BODIES putter_0, worker_1
#elif SCENARIO == 6 /* as 3, with a half */
#define BODIES forker_0, worker_1
#elif SCENARIO == 7 /* the pool stops */
#define BODIES stopper, worker_0
#elif SCENARIO == 8 /* a waker that finds no sleeper is taken for a searcher by one that pushes */
#define BODIES waker_2, pusher_0, worker_1
#elif SCENARIO == 9 /* counts stay counts */
#define BODIES stopper, observer, worker_0
#elif SCENARIO == 10 /* a task comes with the wake-up */
#define BODIES giver, worker_0
#elif SCENARIO == 11 /* the same, and counts stay counts */
#define BODIES giver, observer, worker_0
#elif SCENARIO == 12 /* a task from outside, while the worker naps */
#define BODIES putter, worker_0
#elif SCENARIO == 13 /* another task from outside, while one is on its way */
#define BODIES putter, gifted_0, sleeper_1
#elif SCENARIO == 14 /* a task from outside, while a worker without a stack goes to sleep */
#define BODIES putter, stackless_0, sleeper_1
#elif SCENARIO == 15 /* the same, and its seat is the last */
#define BODIES putter, stackless_0, sleeper_1
#elif SCENARIO == 16 /* and not even that is free, but no worker is awake */
#define BODIES putter, stackless_0, sleeper_1
#elif SCENARIO == 17 /* as 15, and the task is in the deque of that worker */
#define BODIES pusher_without_stack_0, sleeper_1
#elif SCENARIO == 18 /* a strand from outside that could go on with a worker without a stack */
#define BODIES offers, stackless_for_roamers
#elif SCENARIO ==                                                                                  \
    19 /* a task from outside, while a waker finds nobody; then a guest has all seats */
#define BODIES putting_guest, guest_gone, server_0
#elif SCENARIO == 20 /* a guest without a stack leaves tasks behind, and has the last seat */
#define BODIES guest_without_stack_1, thief_0
#endif

int main(void)
{
    if (SCENARIO == 7)
        pool.idle.word += IDLE_SEARCHING; /* somebody else, so that no barrier helps the sleeper */
    if (SCENARIO == 2) {
        void *arg = NULL;
        int error = filch__injector_put(&pool.injector, &task, &arg, 1);
        assert(error == 0);
    }
    if (SCENARIO == 4)
        pool.idle.word += IDLE_SEAT + IDLE_GUEST;
    if (SCENARIO == 13) {
        model_is_busy(&workers[0]);
        model_is_busy(&workers[1]);
        pool.idle.word += IDLE_GIFT + IDLE_SLEEPING - IDLE_SEAT;
        init_waiter(&workers[1]);
        workers[1].sleeper = SLEEPER_SERVES;
    }
    if (SCENARIO >= 14 && SCENARIO <= 18)
        model_is_busy(&workers[0]);
    if (SCENARIO == 19) {
        init_waiter(&workers[0]);
        (void)count(&pool, -change_of_waking(&workers[0], SLEEPER_SERVES));
    }
    if (SCENARIO == 20) {
        workers[1].is_guest = true;
        workers[1].is_searching = false;
        pool.places_used = 2;
        pool.idle.word += IDLE_SEAT + IDLE_GUEST;
        (void)announce(&workers[0], SLEEPER_SERVES);
    }
    if (SCENARIO >= 14 && SCENARIO <= 17) {
        (void)announce(&workers[1], SLEEPER_SERVES);
    }
    if (SCENARIO == 15 || SCENARIO == 17)
        pool.idle.word += IDLE_SEAT + IDLE_GUEST;
    if (SCENARIO == 16)
        pool.idle.word += 2 * (IDLE_SEAT + IDLE_GUEST);
    if (SCENARIO == 8) {
        pool.places_used = 2; /* nobody need look at the waker */
        model_is_busy(&workers[0]);
        model_is_busy(&workers[2]);
    }
    MODEL_RUN(BODIES);
    assert(done == 1);
    if (SCENARIO == 10) /* the worker is awake */
        assert(filch__idle_sleeping(pool.idle.word) == 0);
    return 0;
}
