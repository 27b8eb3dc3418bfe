/* SPDX-License-Identifier: Apache-2.0 */
#include "worker.h"

#include "idle.h"
#include "lend.h"
#include "run.h"
#include "slot.h"
#include "steal.h"
#include "strand.h"
#include "switch.h"
#include "task.h"

#include "base/check.h"
#include "base/section.h"
#include "panic/panic.h"

enum { YIELD_RESUME_BELOW = 64 };

__thread struct worker *filch__worker __attribute__((tls_model("initial-exec")));

/* What a thread outside of every pool has: its end is NULL, so every fork is slow, and its guard is
 * above everything, so every sync is slow too, which then names the misuse. */
static struct filch__fork_stack no_forks = {.split = (struct filch__slot *)UINTPTR_MAX};
__thread struct filch__fork_stack *filch__forks __attribute__((tls_model("initial-exec"))) =
    &no_forks;

int filch__worker_init(struct worker *w, struct filch_pool *pool, size_t index, bool is_guest)
{
    w->pool = pool;
    w->idle_word = &pool->idle.word;
    w->width = pool->width;
    w->fences = pool->fences;
    w->index = index;
    w->is_guest = is_guest;
    w->serves_default = pool->is_default && !is_guest;
    filch__level_init(&w->outermost, NULL, &pool->tally.cancel); /* around what a guest does */
    filch__stack_cache_init(&w->stacks, &pool->stacks);
    int error = filch__deque_init(&w->deque, 0);
    if (error != 0)
        return error;
    error = filch__strand_init(w);
    if (error != 0)
        filch__deque_destroy(&w->deque);
    return error;
}

/* Whether a list of the woken holds more than a question, which nobody need answer any more. */
__attribute__((unused)) static bool has_task(const struct worker *w, const struct waiter *first)
{
    return first != NULL && (first != &w->look_again || first->next != NULL);
}

void filch__worker_destroy(struct worker *w)
{
    /* No task is lost, and nothing is due to anybody. */
    FILCH_DCHECK(w->suspended == 0 && w->yielded == NULL && w->leaving == NULL);
    FILCH_DCHECK(w->ready == NULL && w->waits == NULL);
    filch__roam_end_worker(w);
    FILCH_DCHECK(!has_task(w, FILCH_LOAD_RELAXED(&w->woken))); /* it has ended */
    FILCH_DCHECK(filch__deque_size(&w->deque) == 0 && w->credits.held == 0);
    FILCH_DCHECK(filch__timer_next(&w->timers) == FILCH_FOREVER);
    FILCH_DCHECK(!filch__forks_have_any(&w->room->forks));
    filch__timer_destroy(&w->timers);
    filch__strand_end(w);
    filch__task_places_drain(&w->task_places);
    filch__deque_destroy(&w->deque);
}

FILCH_WAKE_PATH void filch__worker_enter(struct worker *w)
{
    filch__fiber_adopt_thread(&w->base->fiber);
    filch__worker = w;
    w->outside_forks = filch__forks;
    filch__forks = &FILCH_LOAD_RELAXED(&w->room) /* owner */->forks.owner;
    filch__waiter_kind = (struct waiter_kind){&filch__waiter_task_ops, w->base};
}

void filch__worker_exit(struct worker *w)
{
    FILCH_DCHECK(filch__worker == w && w->strand == w->base);
    filch__worker_forget();
    filch__forks = w->outside_forks;
}

void filch__worker_forget(void)
{
    filch__worker = NULL;
    filch__forks = &no_forks;
    filch__waiter_kind = (struct waiter_kind){&filch__waiter_thread_ops, NULL};
}

void filch__worker_set_region(struct worker *w, struct worker *region)
{
    struct fork_room *room = FILCH_LOAD_RELAXED(&w->room); /* owner */
    FILCH_STORE_RELAXED(&room->region, region);            /* handed over with each fork */
    FILCH_STORE_RELAXED(&w->region, region);               /* a hint */
}

static FILCH_COLD void drop_task(const struct task_item *item)
{
    if (item->drop != NULL)
        filch__worker_drop(item->drop, item->arg);
}

/* What can cancel a task before it begins; NULL: nothing. One with a handle is within its tally. */
static FILCH_ALWAYS_INLINE struct cancel *cancel_of(const struct task_item *item)
{
    if (item->fn == filch__task_run)
        return &((struct filch_task *)item->arg)->cancel;
    return item->tally != NULL ? &item->tally->cancel : NULL;
}

/* A task has been taken, from wherever.
 *   call  what to call for it                                                               [out]
 * Returns false: it has been cancelled, and is over but for its count. */
static FILCH_ALWAYS_INLINE bool item_begins(struct worker *w, struct task_run *run,
                                            struct fiber_call *call)
{
    const struct task_item *item = &run->item;
    struct strand *s = w->strand;
    FILCH_DCHECK(s->level == &run->loop->level && s->level->item == item);
    filch__worker_begins(w, item->tally);
    if (FILCH_UNLIKELY(FILCH_LOAD_RELAXED(&filch__cancel_is_used) != 0) /* a hint */ &&
        filch__cancel_find(cancel_of(item)) != 0) {
        drop_task(item);
        return false;
    }
    if (item->fn == filch__task_run)
        *call = filch__task_begins_in_loop(run, s);
    else
        *call = (struct fiber_call){item->fn, item->arg};
    return true;
}

/* What was called for it has returned.
 *   forked  what was open before */
static FILCH_ALWAYS_INLINE void item_returned(struct task_run *run, struct strand *s,
                                              const struct filch__slot *forked)
{
    filch__forks_check(forked); /* before anybody knows that the task has ended */
    if (run->item.fn == filch__task_run)
        filch__task_ends_in_loop(run, s);
    filch__worker_ends(s->worker, run->item.tally); /* it may have migrated */
}

static FILCH_ALWAYS_INLINE void run_item(struct worker *w, struct task_run *run)
{
    struct strand *s = w->strand;
    const struct filch__slot *forked = filch__forks_level();
    struct fiber_call call;
    if (!item_begins(w, run, &call)) {
        filch__worker_ends(s->worker, run->item.tally); /* its drop function may have waited */
        return;
    }
    call.fn(call.arg);
    item_returned(run, s, forked);
}

void filch__worker_run(struct worker *w, struct task_run *run)
{
    run_item(w, run);
}

/* A task has panicked. Whoever waits for it is told; where nobody does, the report has been all. */
static void task_panicked(struct task_run *run, const struct strand *s, struct filch_panic *panic)
{
    struct tally *tally = run->item.tally;
    if (run->item.fn == filch__task_run)
        filch__task_panicked(run->item.arg, panic);
    else if (tally == NULL || !filch__tally_keep(tally, panic))
        filch_panic_free(panic);
    /* Its drop function may have waited, and migrated; in a forked child there is no filch__worker. */
    filch__worker_ends(s->worker, tally);
}

void filch__worker_run_loop(void (*loop)(void *run), struct task_run *run)
{
    struct strand *s = run->w->strand;
    struct task_loop here;
    struct filch_panic *panic;
    here.below = s->task;
    filch__level_init(&here.level, &run->item, NULL);
    filch__level_enter(run->w, &here.level);
    run->loop = &here;
    while (filch__try_task(loop, run, &panic, filch__forks->tail) != 0) {
        filch__task_leaves_loop(run, s);
        task_panicked(run, s, panic);
        run->w = s->worker; /* it may have migrated */
    }
    filch__level_leave(s->worker);
}

void filch__worker_drop(void (*drop)(void *), void *arg)
{
    filch__try_nothing(drop, arg, "a drop function panicked");
}

/* Looks before it takes: a task that is taken and put back is missed by a worker that goes to sleep
 * meanwhile. */
bool filch__worker_run_of(struct worker *w, const struct tally *tally, struct task_run *run)
{
    struct deque_newest newest = filch__deque_newest(&w->deque);
    if (newest.slot == NULL)
        return false;
    filch__deque_slot_read(newest.slot, &run->item);
    if (run->item.tally != tally || !filch__deque_take(&w->deque, &newest))
        return false;
    run_item(w, run);
    return true;
}

bool filch__worker_pop_slot(struct worker *w, const struct filch__slot *slot)
{
    struct task_item item;
    return filch__deque_peek(&w->deque, &item) && item.fn == filch__strand_execute_exported &&
           item.arg == slot && filch__deque_pop(&w->deque, &item);
}

/* --- the loop --- */

/* A strand that can go on; NULL: none. */
static struct strand *next_strand(struct worker *w)
{
    struct strand *s = filch__strand_next_ready(w);
    if (s == NULL && w->leaving != NULL && w->suspended == 0 && w->yielded == NULL) {
        s = w->leaving;
        w->leaving = NULL;
    }
    if (s == NULL && w->yielded != NULL && filch__deque_size(&w->deque) < YIELD_RESUME_BELOW) {
        s = w->yielded;
        w->yielded = s->next;
        s->next = NULL;
    }
    return s;
}

/* Whether next_strand is worth a call. Looked at before every task. */
static FILCH_ALWAYS_INLINE bool may_resume(struct worker *w)
{
    return FILCH_LOAD_RELAXED(&w->woken) != NULL /* a look */ || w->ready != NULL ||
           w->leaving != NULL ||
           (w->yielded != NULL && filch__deque_size(&w->deque) < YIELD_RESUME_BELOW);
}

/* Looks for a strand that waits no longer, to go on with it. Returns NULL: none is to go on now. */
static FILCH_ALWAYS_INLINE struct strand *take_strand(struct worker *w)
{
    filch__worker_look_at_timers(w);
    if (FILCH_LIKELY(!may_resume(w)))
        return NULL;
    if (++w->tick % OTHERS_EVERY == 0 && filch__strand_has_ready(w))
        return NULL; /* tasks that wake each other all the time let others begin */
    struct strand *s = next_strand(w);
    if (s == NULL)
        return NULL;
    if (FILCH_UNLIKELY(w->is_searching))
        filch__idle_search_end(w);
    filch__worker_settle(w, NULL);
    filch__strand_put_spare(w, w->strand);
    return s;
}

/* No frame may be buried: the loop starts work only where nothing is below it. */
__attribute__((unused)) static bool is_at_base(struct worker *w)
{
    const struct strand *s = w->strand;
    return filch__worker == w && s->worker == w && s->task == NULL && s->next == NULL &&
           filch__strand_has_no_forks(w);
}

/* A task that has its turn now and then: one from outside; else, where tasks that have been woken lie in
 * the deque, and the newest may wake each other for ever, the oldest one there. */
static FILCH_COLD bool take_other(struct worker *w, struct task_item *item)
{
    return (w->tick > w->outside_until && filch__search_injector(w, 1, item)) ||
           (w->has_roamers && filch__deque_steal(&w->deque, item) == DEQUE_STOLEN);
}

static FILCH_ALWAYS_INLINE bool take_own(struct worker *w, struct task_run *run)
{
    struct task_item *item = &run->item;
    bool is_other = FILCH_UNLIKELY(w->tick % OTHERS_EVERY == 0) && take_other(w, item);
    if (!is_other && !filch__deque_pop(&w->deque, item))
        return false;
    if (FILCH_UNLIKELY(w->is_searching))
        filch__idle_search_end(w); /* woken, it has counted as searching until now */
    FILCH_DCHECK(is_at_base(w));
    return true;
}

/* The pool stops: only the base strand may return from the loop. */
static void go_to_base(struct worker *w)
{
    if (w->strand == w->base)
        return;
    FILCH_CHECK(w->is_base_spare, "a pool stopped while a task of it was waiting");
    w->is_base_spare = false;
    filch__strand_put_spare(w, w->strand);
    filch__strand_switch(w, w->base);
    FILCH_CHECK(false, "a worker that had stopped was resumed");
}

/* The worker was woken with a task. That is done first, unless something can go on. */
static FILCH_ALWAYS_INLINE void take_gift(struct worker *w, struct task_run *run)
{
    run->item = w->gift;
    w->gift.fn = NULL;
    filch__idle_gift_arrived(w);
    if (FILCH_UNLIKELY(filch__strand_has_ready(w)) && filch__worker_push(w, &run->item) == 0)
        return;
    FILCH_DCHECK(is_at_base(w));
    run_item(w, run);
}

FILCH_WAKE_PATH static __attribute__((noinline)) void look_for_work(struct worker *w,
                                                                    struct task_run *run)
{
    struct found found;
    filch__tally_flush(&w->credits);
    filch__idle_search_begin(w);
    if (filch__search(w, &found)) {
        filch__idle_search_end(w);
        FILCH_DCHECK(is_at_base(w));
        if (found.slot != NULL) {
            w->tick++; /* halves count too, or the injector would wait as long as there are any */
            run->item = (struct task_item){.within = found.within};
            filch__slot_execute(found.slot);
        } else {
            run->item = found.item;
            filch__worker_run(w, run);
        }
        return;
    }
    filch__worker_fire_timers(w);
    if (filch__strand_has_ready(w))
        return;
    if (FILCH_UNLIKELY(w->trim_ns != FILCH_FOREVER || w->spare_count > 0)) {
        filch__idle_search_end(w); /* this takes its time: others are to be woken for new work */
        if (filch__strand_trim(w))
            return;
        filch__idle_search_begin(w);
    }
    struct loan loan = {.to = NULL, .deadline_ns = FILCH_FOREVER};
    if (w->awaited_halves > 0)
        loan = filch__lend(w);
    filch__idle_sleep(w, loan.deadline_ns);
    if (loan.to != NULL) /* asked here: its code lies on another page than that of a wake-up */
        filch__lend_end(&loan);
    filch__worker_fire_timers(w); /* one of them may have ended the sleep, or is late */
    if (w->gift.fn != NULL)
        take_gift(w, run);
}

/* Nothing is at hand. Returns false: the loop is over. */
static bool find_work(struct worker *w, struct task_run *run)
{
    if (w->yielded != NULL)
        return true; /* thieves emptied the deque between the two looks: the spawner goes on */
    if (filch__pool_state(w->pool) == POOL_STOPPED && !w->is_guest)
        return false;
    look_for_work(w, run);
    return true;
}

/* Begins tasks and goes on with strands, both by one call, so that a strand's return from the function of its task is
 * predicted wherever it has waited: see filch__context_call, and filch__back. */
static void work(void *argument)
{
    struct task_run *run = argument;
    struct strand *s = run->w->strand;
    struct panic_state kept;
    for (;;) {
        struct worker *w = s->worker; /* another one, where a task has migrated */
        const struct filch__slot *forked = filch__forks_level();
        struct fiber_call call;
        struct strand *next = take_strand(w);
        if (next != NULL) {
            run->item.fn = NULL; /* what returns then is no task */
            filch__strand_leaves_loop(w, next, &kept, &call);
        } else if (take_own(w, run)) {
            if (!item_begins(w, run, &call)) {
                filch__worker_ends(s->worker, run->item.tally); /* as in filch__worker_run */
                continue;
            }
        } else if (find_work(w, run)) {
            continue;
        } else {
            break;
        }
        filch__fiber_call(&s->fiber, call);
        if (run->item.fn != NULL)
            item_returned(run, s, forked);
        else
            filch__strand_is_back_in_loop(s, &kept);
    }
}

void filch__work(struct worker *w)
{
    struct task_run run = {.w = w};
    const struct strand *s = w->strand;
    filch__worker_run_loop(work, &run);
    go_to_base(s->worker);
}
