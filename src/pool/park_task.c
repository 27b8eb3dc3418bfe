/* SPDX-License-Identifier: Apache-2.0 */
/* The waiter that is a task: leaving its strand for another one, and waking it. */
#include "idle.h"
#include "run.h"
#include "slot.h"
#include "steal.h"
#include "strand.h"
#include "switch.h"
#include "task.h"
#include "worker.h"

#include "base/check.h"
#include "base/section.h"

/* --- ready strands --- */

static void append_ready(struct worker *w, struct strand *s)
{
    if (w->ready == NULL)
        w->ready = s;
    else
        w->ready_last->next = s;
    w->ready_last = s;
    s->next = NULL;
}

void filch__strand_ready_first(struct worker *w, struct strand *s)
{
    if (w->ready == NULL)
        w->ready_last = s;
    s->next = w->ready;
    w->ready = s;
}

void filch__strand_ready_late(struct worker *w, struct strand *s)
{
    struct strand *before = w->late_last;
    w->late_last = s;
    if (before == NULL) {
        filch__strand_ready_first(w, s);
        return;
    }
    if (w->ready_last == before)
        w->ready_last = s;
    s->next = before->next;
    before->next = s;
}

/* Somebody wakes the waiter of one of our tasks, which goes on if it waits; else it has not gone to
 * sleep yet, or its deadline has passed. Its memory may be gone as soon as the task goes on. */
static void is_woken(struct worker *w, struct waiter *waiter)
{
    bool waits = FILCH_LOAD_RELAXED(&waiter->state) /* owner */ == WAITER_PARKED;
    FILCH_STORE_RELAXED(&waiter->state, WAITER_WOKEN); /* owner */
    if (waits)
        append_ready(w, waiter->sleeper);
}

/* Wakes those that wakers have pushed. They push a stack; one that is turned round is in the order of the
 * wake-ups. */
static FILCH_COLD void collect_pushed(struct worker *w)
{
    struct waiter *stack = FILCH_EXCHANGE(&w->woken, NULL, RS_take, acquire);
    struct waiter *list = NULL;
    while (stack != NULL) {
        struct waiter *next = stack->next;
        stack->next = list;
        list = stack;
        stack = next;
    }
    while (list != NULL) {
        struct waiter *next = list->next;
        if (FILCH_UNLIKELY(list == &w->look_again))
            filch__cancel_answer(w);
        else
            is_woken(w, list);
        list = next;
    }
}

static FILCH_ALWAYS_INLINE void collect_woken(struct worker *w)
{
    if (FILCH_UNLIKELY(FILCH_LOAD_RELAXED(&w->woken) /* a look */ != NULL))
        collect_pushed(w);
}

FILCH_WAKE_PATH bool filch__strand_has_ready(struct worker *w)
{
    return w->ready != NULL || FILCH_LOAD(&w->woken, RS_look, seq_cst) != NULL;
}

bool filch__strand_find_ready(struct worker *w)
{
    if (filch__strand_has_ready(w))
        return true;
    struct strand *s = w->has_roamers ? filch__roam_take(w) : NULL;
    if (s != NULL)
        filch__strand_ready_first(w, s);
    return s != NULL;
}

/* Where many wait, their stacks are in no cache: those of the next ones are fetched ahead, of the
 * second one the strand itself, of the first one the frames that it stopped with. */
static FILCH_ALWAYS_INLINE void fetch_ahead(const struct worker *w, const struct strand *first)
{
    enum { FRAME_LINES = 8 };
    if (FILCH_LIKELY(w->suspended < STRANDS_MANY || first == NULL || first->next == NULL))
        return;
    __builtin_prefetch(&first->next->next, 1);
    const char *frames = first->fiber.context;
    for (int i = 0; i < FRAME_LINES; i++)
        __builtin_prefetch(frames + i * FILCH_CACHE_LINE, 1);
}

static FILCH_ALWAYS_INLINE struct strand *next_ready(struct worker *w)
{
    collect_woken(w);
    struct strand *s = w->ready;
    if (s == NULL)
        return NULL;
    w->ready = s->next;
    if (FILCH_UNLIKELY(s == w->late_last))
        w->late_last = NULL;
    fetch_ahead(w, s->next);
    s->next = NULL;
    return s;
}

struct strand *filch__strand_next_ready(struct worker *w)
{
    return next_ready(w);
}

void filch__strand_execute_exported(void *slot)
{
    filch__slot_execute(slot);
}

static FILCH_COLD int export_open(struct worker *w)
{
    struct forks *f = &FILCH_LOAD_RELAXED(&w->room) /* owner */->forks;
    struct filch__slot *slot;
    if (!filch__forks_have_any(f))
        return 0;
    int error = filch__deque_reserve(&w->deque, (size_t)(f->owner.tail - f->base));
    if (error != 0)
        return error;
    struct filch__slot *end = filch__forks_claim_all(f, &slot);
    for (; slot < end; slot++) {
        struct task_item item = {
            .fn = filch__strand_execute_exported,
            .arg = slot,
            .within = filch__room_cancel_of(filch__room_of(f), slot),
        };
        error = filch__worker_push(w, &item);
        FILCH_CHECK(error == 0, "room that was reserved is gone");
    }
    return 0;
}

/* --- the waiter that is a task --- */

/* Offers the forks of the running strand, which is about to be left, as tasks: whoever runs them
 * next, this worker included, must not be looking at the strand. Returns 0; ENOMEM: not all could be
 * offered, none was. */
static FILCH_ALWAYS_INLINE int export_forks(struct worker *w)
{
    return FILCH_LIKELY(filch__strand_has_no_forks(w)) ? 0 : export_open(w);
}

/* No stack is to be had: goes on with what stands here and has one. The thread itself sleeps only
 * where nothing can go on. Returns when the running strand is next. */
static void switch_to_ready(struct worker *w)
{
    struct strand *self = w->strand;
    filch__count(&w->stats.stackless);
    filch__tally_flush(&w->credits);
    for (;;) {
        filch__worker_fire_timers(w);
        struct strand *next = filch__strand_next_ready(w);
        if (next == NULL && w->yielded != NULL) {
            next = w->yielded;
            w->yielded = next->next;
            next->next = NULL;
        }
        if (next == NULL && w->leaving != NULL && w->suspended == 0) {
            next = w->leaving;
            w->leaving = NULL;
        }
        if (next == self)
            return;
        if (next != NULL) {
            filch__strand_switch(w, next);
            return;
        }
        filch__idle_sleep_until_ready(w);
    }
}

/* Leaves the running strand, which waits, for one that is ready, else for the loop on another strand.
 * Where others have waited long enough, that is the loop's business. Returns when the strand goes on. */
static FILCH_ALWAYS_INLINE void leave(struct worker *w)
{
    struct strand *next = NULL;
    filch__worker_look_at_timers(w);
    if ((w->tick + 1) % OTHERS_EVERY != 0)
        next = next_ready(w);
    if (next == w->strand)
        return; /* woken meanwhile */
    if (next != NULL) {
        w->tick++;
        filch__worker_settle(w, NULL);
    } else {
        next = filch__strand_other(w); /* the loop gives them back in time */
    }
    if (next == NULL) {
        switch_to_ready(w);
        return;
    }
    (void)export_forks(w); /* ENOMEM: they wait here, with the strand */
    filch__strand_switch_here(w, next);
}

void filch__strand_leave(struct worker *w)
{
    leave(w);
}

static int task_suspend(struct waiter *waiter, int64_t deadline_ns)
{
    struct strand *s = waiter->sleeper;
    struct worker *w = s->worker;
    FILCH_DCHECK(w->strand == s);
    if (FILCH_UNLIKELY(s->may_migrate))
        return filch__roam_suspend(waiter, deadline_ns);
    collect_woken(w);
    if (FILCH_LOAD_RELAXED(&waiter->state) == WAITER_WOKEN) /* owner */
        return 0;
    struct wait wait; /* the rest is set where it is put into a list */
    wait.waiter = wait.timer.waiter = waiter;
    wait.cancel = waiter->resists ? NULL : filch__level_cancel(s->level);
    wait.deadline_ns = wait.timer.deadline_ns = deadline_ns;
    wait.timer.link = NULL;
    /* A question that comes after this is answered after the wait is in the list. */
    if (filch__cancel_before_wait(wait.cancel, w->index, &wait.timer.deadline_ns) != 0)
        return filch__cancel_after_wait(wait.cancel, deadline_ns);
    FILCH_STORE_RELAXED(&waiter->state, WAITER_PARKED); /* owner */
    if (wait.timer.deadline_ns != FILCH_FOREVER)
        filch__timer_add(&w->timers, &wait.timer);
    if (wait.cancel != NULL)
        filch__wait_enlist(&w->waits, &wait);
    filch__count(&w->stats.suspensions);
    w->suspended++;
    leave(w);
    w->suspended--;
    if (wait.cancel != NULL)
        filch__wait_delist(&wait);
    if (FILCH_UNLIKELY(wait.timer.link != NULL))
        filch__timer_remove(&wait.timer);
    if (FILCH_LOAD_RELAXED(&waiter->state) == WAITER_WOKEN) /* owner */
        return filch__back();
    return filch__cancel_after_wait(wait.cancel, deadline_ns);
}

/* Puts the waiter into the queue of its worker, after which its memory may be gone, and sees to it that the
 * worker takes it out. */
static void wake_on(struct worker *w, struct waiter *waiter)
{
    struct waiter *first = FILCH_LOAD_RELAXED(&w->woken); /* the swap decides */
    do
        waiter->next = first;
    while (!FILCH_CAS(&w->woken, &first, waiter, RS_push, seq_cst));
    filch__idle_wake(w);
}

void filch__strand_push_woken(struct worker *w, struct waiter *waiter)
{
    if (filch__worker == w)
        is_woken(w, waiter);
    else
        wake_on(w, waiter);
}

void filch__worker_ask_waiting(struct worker *w)
{
    if (FILCH_EXCHANGE(&w->is_asked, 1, CN_ask, acq_rel) == 0)
        wake_on(w, &w->look_again);
}

/* The state of a task's waiter is its worker's alone: what others have to say about it comes by way of
 * the queue. */
static void task_wake(struct waiter *waiter)
{
    struct strand *s = waiter->sleeper;
    if (FILCH_UNLIKELY(s->may_migrate)) {
        filch__roam_wake(waiter);
        return;
    }
    struct worker *w = s->worker;
    struct worker *here = filch__worker;
    if (here == w) {
        is_woken(w, waiter);
        return;
    }
    if (here != NULL && here->pool == w->pool) {
        wake_on(w, waiter); /* the pool outlives its workers and guests */
        return;
    }
    /* Once it is woken, the task may end, and its pool with it: that waits for us. */
    (void)FILCH_FETCH_ADD_RELAXED(&w->wakers,
                                  1); /* ordered before the end of the task by RS_push */
    wake_on(w, waiter);
    (void)FILCH_FETCH_SUB(&w->wakers, 1, RS_waker, release); /* the last touch */
}

/* Others may come first where a deadline has passed, or a waker's answer is due. */
static bool task_runs_next(const struct waiter *waiter)
{
    const struct strand *s = waiter->sleeper;
    const struct worker *w = filch__worker;
    return !s->may_migrate && s->worker == w && w->ready == NULL &&
           (w->tick + 1) % OTHERS_EVERY != 0;
}

/* Whom a task that yields lets run where none is ready, or now and then: tasks that begin, here or from
 * outside; every so often, other threads, and tasks that lie with other workers: that takes a call of the
 * system, and their cache lines. Returns the strand to go on with; NULL: nobody. */
static FILCH_COLD struct strand *others(struct worker *w)
{
    enum { LONELY_EVERY = 32 };
    filch__worker_look_at_timers(w);
    struct strand *next = NULL;
    bool begins = filch__deque_size(&w->deque) > 0 ||
                  (!w->is_guest && filch__injector_has_any(&w->pool->injector));
    if (!begins) {
        next = next_ready(w);
        if (next != NULL || ++w->lonely_yields % LONELY_EVERY != 0)
            return next;
        filch__os->yield();
        begins = filch__search_sees_work(w->pool);
    }
    if (begins)
        next = filch__strand_other(w);
    if (next != NULL)
        w->tick += OTHERS_EVERY - 1 - w->tick % OTHERS_EVERY; /* the loop counts one more */
    return next;
}

static void task_yield(void)
{
    struct worker *w = filch__worker;
    struct strand *next = NULL;
    if (FILCH_LIKELY(++w->tick % OTHERS_EVERY != 0))
        next = next_ready(w);
    if (next == NULL)
        next = others(w);
    if (next == NULL)
        return;
    filch__worker_settle(w, NULL);
    (void)export_forks(w); /* ENOMEM: they wait here, with the strand */
    append_ready(w, w->strand);
    w->suspended++;
    filch__strand_switch_here(w, next);
    w->suspended--;
    filch__back_void();
}

static void task_stay(int change)
{
    filch__worker->strand->stays += (unsigned)change;
}

static const char *task_name(void)
{
    const struct filch_task *task = filch__worker->strand->task;
    return task == NULL ? NULL : filch__task_name(task);
}

static bool is_guard(const void *address)
{
    const struct strand *s = filch__worker->strand;
    const struct stack *stack = s->fiber.stack;
    return stack != NULL && filch__stack_is_guard(&s->worker->stacks, stack, address);
}

const struct waiter_ops filch__waiter_task_ops = {
    .suspend = task_suspend,
    .wake = task_wake,
    .runs_next = task_runs_next,
    .wake_here = filch__strand_wake_here,
    .yield = task_yield,
    .stay = task_stay,
    .task_name = task_name,
    .is_guard = is_guard,
};

void filch__strand_yield(struct worker *w)
{
    struct strand *other = filch__strand_other(w);
    if (other == NULL)
        return;
    if (export_forks(w) != 0) {
        filch__strand_put_spare(w, other);
        return;
    }
    struct strand *s = w->strand;
    s->next = w->yielded;
    w->yielded = s;
    filch__strand_switch(w, other);
}

void filch__strand_wait_for_others(struct worker *w)
{
    if (w->suspended == 0 && w->yielded == NULL)
        return;
    struct strand *other = filch__strand_other(w);
    w->leaving = w->strand;
    if (other != NULL)
        filch__strand_switch(w, other);
    else
        switch_to_ready(w);
}
