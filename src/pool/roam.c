/* SPDX-License-Identifier: Apache-2.0 */
#include "roam.h"

#include "pool.h"
#include "strand.h"
#include "task.h"

#include "base/check.h"
#include "fiber/annotate.h"

/* Elsewhere, and where each access is instrumented, a compiler may keep the address of a thread-local
 * variable across a switch, in the user's functions and in ours. */
#if defined(__x86_64__) && !FILCH_TSAN
enum { IS_POSSIBLE = true };
#else
enum { IS_POSSIBLE = false };
#endif

/* A wait of a strand that may migrate; in its frame. */
struct roam_wait {
    struct wait wait;
    struct waiter came; /* stands for the waiter where that goes to the worker on which it waits */
    bool is_away;       /* it may end on another worker */
};

/* --- whether --- */

/* Whether what runs here is the task that has been allowed to, and not one that runs on top of it. */
static bool is_own(const struct strand *s)
{
    if (s->roamer == NULL || s->task != s->roamer)
        return false;
    for (const struct level *level = s->level; level->cancel != &s->roamer->cancel;
         level = level->outer) {
        if (level->item != NULL)
            return false; /* a task of a scope that ends */
    }
    return true;
}

/* Whether the wait that begins may end on another worker: not on a thread's own stack, nor while there are
 * open forks, for which others look here, or a call that needs its thread. */
static bool may_go(struct worker *w, const struct strand *s)
{
    return IS_POSSIBLE && s->stays == 0 && s != w->base && !w->is_guest &&
           filch__strand_has_no_forks(w) && (w->pool->tasks_may_migrate || is_own(s));
}

/* --- going on --- */

/* The strand is the worker's from now on. */
static void adopt(struct worker *w, struct strand *s)
{
    w->has_roamers = true;
    if (s->worker == w)
        return;
    filch__count(&w->stats.migrations);
    s->worker = w;
}

/* The task that a waker makes. At the base of another strand, which stays in the loop. */
static void go_on(void *argument)
{
    struct strand *s = argument;
    struct worker *w = filch__worker;
    FILCH_STORE_RELAXED(&w->stats.tasks, w->stats.tasks - 1); /* statistic: it has begun before */
    adopt(w, s);
    filch__tally_flush(&w->credits); /* it may run for long: see filch__worker_settle */
    filch__strand_bound_spares(w);   /* tasks that begin elsewhere and end here leave theirs here */
    filch__strand_put_spare(w, w->strand);
    filch__strand_switch(w, s);
    filch__roam_settle(w);
}

/* Puts the strand where others find it. Returns 0; ENOMEM. */
static int offer(struct filch_pool *pool, struct strand *s)
{
    struct worker *here = filch__worker;
    struct task_item item = {.fn = go_on, .arg = s};
    if (here != NULL && here->pool == pool && !here->is_guest)
        return filch__worker_push(here, &item);
    int error = filch__injector_put(&pool->injector, &item, &item.arg, 1);
    if (error == 0) {
        filch__idle_wake_server(pool);
        filch__idle_wake_stackless(pool);
    }
    return error;
}

/* The task becomes everybody's. Returns false: no memory, it lies in the own deque. */
static bool give_away(struct worker *w, struct task_item *item)
{
    if (filch__injector_put(&w->pool->injector, item, &item->arg, 1) == 0)
        return true;
    int error = filch__deque_push(&w->deque, item);
    FILCH_CHECK(error == 0, "room that was there is gone");
    return false;
}

/* The oldest of them in the own deque. The rest is turned round once and stays in its order: a sync looks for
 * a half that its strand has offered where it was put (fork.c, take_offered). */
static struct strand *take_own(struct worker *w)
{
    struct strand *found = NULL;
    struct task_item item;
    size_t count = filch__deque_size(&w->deque);
    for (; count > 0 && filch__deque_steal(&w->deque, &item) == DEQUE_STOLEN; count--) {
        if (found == NULL && item.fn == go_on) {
            found = item.arg;
            continue;
        }
        int error = filch__deque_push(&w->deque, &item);
        FILCH_CHECK(error == 0, "room that was there is gone");
    }
    return found;
}

static struct strand *take(struct worker *w)
{
    struct injector *outside = &w->pool->injector;
    struct task_item item;
    size_t count = FILCH_LOAD_RELAXED(&outside->size); /* a hint */
    struct strand *own = take_own(w);
    if (own != NULL)
        return own;
    for (; count > 0 && filch__injector_take(outside, &item, 1) == 1; count--) {
        if (item.fn == go_on)
            return item.arg;
        if (!give_away(w, &item))
            return NULL;
    }
    return NULL;
}

struct strand *filch__roam_take(struct worker *w)
{
    struct strand *s = take(w);
    /* What was taken and put back has been missed by whoever looked meanwhile. */
    filch__worker_has_pushed(w);
    if (filch__injector_has_any(&w->pool->injector))
        filch__idle_wake_server(w->pool);
    if (s != NULL)
        adopt(w, s);
    return s;
}

/* --- the lists of the worker that is left --- */

static void enlist(struct roam *r, struct wait *wait)
{
    filch__lock(&r->lock);
    if (wait->timer.deadline_ns != FILCH_FOREVER)
        filch__timer_add(&r->timers, &wait->timer);
    if (wait->cancel != NULL)
        filch__wait_enlist(&r->waits, wait);
    filch__unlock(&r->lock);
}

/* Under the lock. */
static void take_out(struct wait *wait)
{
    filch__timer_remove(&wait->timer);
    if (wait->cancel != NULL)
        filch__wait_delist(wait);
}

static void delist(struct roam *r, struct wait *wait)
{
    filch__lock(&r->lock);
    take_out(wait);
    filch__unlock(&r->lock);
}

/* The worker is to look at the timers no later than that. */
static void look_at(struct worker *w, int64_t deadline_ns)
{
    struct timer *due = &w->roam.due;
    if (deadline_ns == FILCH_FOREVER || (due->link != NULL && due->deadline_ns <= deadline_ns))
        return;
    filch__timer_remove(due);
    due->deadline_ns = deadline_ns;
    due->waiter = &w->roam.due_waiter;
    filch__timer_add(&w->timers, due);
}

bool filch__roam_end(struct waiter *waiter)
{
    uint32_t seen = WAITER_PARKED;
    return FILCH_CAS(&waiter->state, &seen, WAITER_EMPTY, RM_end, relaxed);
}

/* Strands whose waits have ended without a wake-up, oldest first. */
struct ended {
    struct strand *first;
    struct strand **end;
};

/* The wait is to end without a wake-up; where it has been woken, the waker takes it out. Under the lock. */
static void end(struct ended *ended, struct wait *wait)
{
    struct strand *s = wait->waiter->sleeper;
    if (!filch__roam_end(wait->waiter))
        return;
    take_out(wait);
    s->next = NULL;
    *ended->end = s;
    ended->end = &s->next;
}

/* The worker goes on with the first of them itself, since they are late already; the others may, too. */
static void go_on_with(struct worker *w, const struct ended *ended)
{
    struct strand *next;
    for (struct strand *s = ended->first; s != NULL; s = next) {
        next = s->next;
        s->next = NULL;
        if (s == ended->first || offer(w->pool, s) != 0)
            filch__strand_ready_first(w, s);
    }
}

void filch__roam_fire(struct worker *w)
{
    struct roam *r = &w->roam;
    struct ended ended = {.end = &ended.first};
    struct timer *timer;
    int64_t now_ns = filch__os->now_ns();
    filch__lock(&r->lock);
    while ((timer = filch__timer_due(&r->timers, now_ns)) != NULL)
        end(&ended, FILCH_CONTAINER_OF(timer, struct wait, timer));
    int64_t next_ns = filch__timer_next(&r->timers);
    filch__unlock(&r->lock);
    look_at(w, next_ns);
    go_on_with(w, &ended);
}

/* Looks again at a wait. Under the lock. */
static void look_at_wait(struct worker *w, struct wait *wait, struct ended *ended)
{
    int64_t deadline_ns = wait->deadline_ns;
    if (filch__cancel_before_wait(wait->cancel, w->index, &deadline_ns) != 0) {
        end(ended, wait);
    } else if (deadline_ns < wait->timer.deadline_ns) {
        filch__timer_remove(&wait->timer);
        wait->timer.deadline_ns = deadline_ns;
        filch__timer_add(&w->roam.timers, &wait->timer);
    }
}

void filch__roam_answer(struct worker *w)
{
    struct roam *r = &w->roam;
    struct ended ended = {.end = &ended.first};
    struct wait *next;
    filch__lock(&r->lock);
    for (struct wait *wait = r->waits; wait != NULL; wait = next) {
        next = wait->next;
        look_at_wait(w, wait, &ended);
    }
    int64_t next_ns = filch__timer_next(&r->timers);
    filch__unlock(&r->lock);
    look_at(w, next_ns);
    go_on_with(w, &ended);
}

void filch__roam_end_worker(struct worker *w)
{
    FILCH_DCHECK(w->roam.waits == NULL && w->roam.departing == NULL);
    FILCH_DCHECK(filch__timer_next(&w->roam.timers) == FILCH_FOREVER);
    filch__timer_remove(&w->roam.due);
    filch__timer_destroy(&w->roam.timers);
}

/* --- waiting --- */

/* Leaves the strand for one in the loop, and returns on the worker that goes on with it. */
static void go_away(struct worker *w, struct roam_wait *rw, struct strand *other)
{
    rw->is_away = true;
    filch__tally_flush(&w->credits);
    filch__count(&w->stats.suspensions);
    w->roam.departing = rw;
    filch__strand_depart(w, other);
}

void filch__roam_settle_slow(struct worker *w)
{
    struct roam_wait *rw = w->roam.departing;
    struct waiter *waiter = rw->wait.waiter;
    struct strand *s = waiter->sleeper;
    int64_t deadline_ns = rw->wait.timer.deadline_ns;
    uint32_t seen = WAITER_EMPTY;
    w->roam.departing = NULL;
    w->strand_count--; /* nobody's */
    enlist(&w->roam, &rw->wait);
    look_at(w, deadline_ns);
    if (FILCH_CAS(&waiter->state, &seen, WAITER_PARKED, RM_park, release))
        return; /* another worker may have it by now */
    delist(&w->roam, &rw->wait);
    filch__strand_ready_first(w, s); /* woken meanwhile */
}

/* Waits like a task that may not migrate. */
static void wait_here(struct worker *w, struct roam_wait *rw)
{
    struct wait *wait = &rw->wait;
    uint32_t seen = WAITER_EMPTY;
    if (wait->timer.deadline_ns != FILCH_FOREVER)
        filch__timer_add(&w->timers, &wait->timer);
    if (wait->cancel != NULL)
        filch__wait_enlist(&w->waits, wait);
    if (FILCH_CAS(&wait->waiter->state, &seen, WAITER_PARKED, RM_park, release)) {
        filch__count(&w->stats.suspensions);
        w->suspended++;
        filch__strand_leave(w);
        w->suspended--;
    }
    if (wait->cancel != NULL)
        filch__wait_delist(wait);
    filch__timer_remove(&wait->timer);
}

int filch__roam_suspend(struct waiter *waiter, int64_t deadline_ns)
{
    struct strand *s = waiter->sleeper;
    struct worker *w = s->worker;
    struct roam_wait rw = {
        .wait = {.waiter = waiter,
                 .cancel = waiter->resists ? NULL : filch__level_cancel(s->level),
                 .deadline_ns = deadline_ns,
                 .timer = {.deadline_ns = deadline_ns, .waiter = waiter}},
        .came = {.state = WAITER_PARKED, .sleeper = s},
    };
    struct wait *wait = &rw.wait;
    if (filch__cancel_before_wait(wait->cancel, w->index, &wait->timer.deadline_ns) != 0)
        return filch__cancel_after_wait(wait->cancel, deadline_ns);
    s->wait = &rw;
    struct strand *other = may_go(w, s) ? filch__strand_other(w) : NULL;
    if (other != NULL)
        go_away(w, &rw, other);
    else
        wait_here(w, &rw);
    if (FILCH_LOAD(&waiter->state, RM_look, acquire) == WAITER_WOKEN)
        return 0;
    return filch__cancel_after_wait(wait->cancel, deadline_ns);
}

/* --- waking --- */

/* The strand of a wait that has been woken goes on; here or elsewhere, and perhaps at once. */
static void let_go_on(struct worker *home, struct strand *s)
{
    struct roam_wait *rw = s->wait;
    if (rw->is_away) {
        delist(&home->roam, &rw->wait);
        if (offer(home->pool, s) == 0)
            return;
    }
    filch__strand_push_woken(home, &rw->came);
}

void filch__roam_wake(struct waiter *waiter)
{
    struct strand *s = waiter->sleeper;
    if (FILCH_EXCHANGE(&waiter->state, WAITER_WOKEN, RM_wake, acq_rel) != WAITER_PARKED)
        return; /* it has not gone to sleep, and its memory may be gone */
    struct worker *home = s->worker;
    const struct worker *here = filch__worker;
    if (here != NULL && here->pool == home->pool) {
        let_go_on(home, s); /* the pool outlives its workers and guests */
        return;
    }
    /* The task may end, and its pool with it: that waits for us. */
    (void)FILCH_FETCH_ADD_RELAXED(&home->wakers, 1); /* ordered before the end by what follows */
    let_go_on(home, s);
    (void)FILCH_FETCH_SUB(&home->wakers, 1, RS_waker, release); /* the last touch */
}

/* --- who may --- */

void filch__roam_run(struct filch_task *task, void (*run)(struct filch_task *task))
{
    struct worker *w = filch__worker;
    struct strand *s = w->strand;
    const struct task_item *item = s->level->item;
    /* The loop's level, and around that the outermost one: nothing else is below. */
    bool is_lowest = item != NULL && item->arg == task && s->level->outer->outer == NULL;
    if (!is_lowest || s->may_migrate || w->is_guest) {
        run(task); /* what is below has not been allowed to; or all may */
        return;
    }
    w->has_roamers = true;
    s->may_migrate = true;
    s->roamer = task;
    run(task);
    s->roamer = NULL;
    s->may_migrate = false;
}

void filch__roam_leave_base(struct worker *w)
{
    w->has_roamers = true;
    struct strand *other = filch__strand_other(w);
    if (other == NULL)
        return; /* tasks that begin on it stay */
    filch__strand_put_spare(w, w->base);
    filch__strand_switch(w, other);
    filch__roam_settle(
        w); /* where no other stack is to be had, one that departs is left for this one */
}
