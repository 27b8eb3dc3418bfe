/* SPDX-License-Identifier: Apache-2.0 */
/* Strands: making them, leaving one for another, and the waiter that is a task. */
#include "idle.h"
#include "slot.h"
#include "task.h"
#include "worker.h"

#include "base/check.h"
#include "panic/panic.h"
#include "park/self.h"

enum {
    /* So many forks may be open at once before the innermost ones run one after the other, see
     * fork.c. A thread's own stack is where deep recursion starts; memory is touched as far as used. */
    BASE_SLOTS = 32768,
    STRAND_SLOTS = 1024,
    /* A worker's first strands have as many as its base: where few wait, it is on them that the work
     * goes on. */
    DEEP_STRANDS = 4,
};

static struct fiber *strand_main(void *argument)
{
    struct strand *s = argument;
    filch__ambient_restore(&s->worker->ambient);
    filch__work(s->worker);
    FILCH_CHECK(false, "a strand ended outside its loop");
    return NULL;
}

static int slots_new(struct strand *s, size_t count)
{
    size_t bytes = count * sizeof(struct filch__slot);
    s->slots = filch__os->map(bytes);
    if (s->slots == NULL)
        return ENOMEM;
    s->slots_bytes = bytes;
    filch__forks_init(&s->forks, s->slots, count);
    s->top = &s->forks.owner;
    return 0;
}

struct strand *filch__strand_new(struct worker *w, bool is_base)
{
    struct strand *s = filch__os_alloc_zeroed(1, sizeof *s, _Alignof(struct strand));
    if (s == NULL)
        return NULL;
    s->worker = w;
    bool is_deep = is_base || w->stats.strands < DEEP_STRANDS;
    if (slots_new(s, is_deep ? BASE_SLOTS : STRAND_SLOTS) != 0)
        goto undo_strand;
    s->region = w->is_guest ? w : NULL;
    if (is_base) {
        s->fiber = &s->own_stack;
        return s;
    }
    if (filch__fiber_create(&s->fiber, &w->stacks, strand_main, s) != 0)
        goto undo_slots;
    s->made = w->made;
    w->made = s;
    filch__count(&w->stats.strands);
    return s;
undo_slots:
    (void)filch__os->unmap(s->slots, s->slots_bytes);
undo_strand:
    filch__os->free(s);
    return NULL;
}

void filch__strand_destroy(struct strand *s)
{
    if (s->fiber != &s->own_stack)
        filch__fiber_destroy(s->fiber, &s->worker->stacks);
    (void)filch__os->unmap(s->slots, s->slots_bytes);
    filch__os->free(s);
}

void filch__strand_switch(struct worker *w, struct strand *next)
{
    struct strand *from = w->strand;
    FILCH_DCHECK(next != from && next->worker == w);
    struct ambient ambient = filch__ambient_save();
    struct panic_state panic = filch__panic_leave_stack();
    if (w->is_guest && from == w->base)
        w->ambient = ambient;          /* its helpers compute as its caller does */
    bool keeps_quiet = w->keeps_quiet; /* of the loop that runs here, not of what runs meanwhile */
    w->keeps_quiet = false;
    w->strand = next;
    from->top = filch__forks;
    filch__forks = next->top;
    from->self = filch__self;
    filch__self = next->self;
    filch__waiter_kind.sleeper = next;
    FILCH_STORE(&w->forks, &next->forks, WK_forks, release);
    /* Whoever has asked for work has asked the strand that we leave. */
    FILCH_STORE_RELAXED(&next->forks.owner.asked, 1); /* the answer looks at the idle word */
    FILCH_STORE_RELAXED(&w->region, FILCH_LOAD_RELAXED(&next->region)); /* a hint; owner */
    filch__fiber_switch(from->fiber, next->fiber);
    w->keeps_quiet = keeps_quiet;
    filch__panic_enter_stack(&panic);
    filch__ambient_restore(&ambient);
}

void filch__strand_renew_spares(struct worker *w)
{
    for (struct strand *s = w->spare; s != NULL; s = s->next) {
        filch__fiber_destroy(s->fiber, &w->stacks);
        int error = filch__fiber_create(&s->fiber, &w->stacks, strand_main, s);
        FILCH_CHECK(error == 0, "the stack that was just given back is gone");
    }
}

struct strand *filch__strand_other(struct worker *w)
{
    struct strand *s = w->spare;
    if (s == NULL)
        return filch__strand_new(w, false);
    w->spare = s->next;
    s->next = NULL;
    return s;
}

void filch__strand_execute_exported(void *slot)
{
    filch__slot_execute(slot);
}

/* Offers the forks of the running strand, which is about to be left, as tasks: whoever runs them
 * next, this worker included, must not be looking at the strand. Returns 0; ENOMEM: not all could be
 * offered, none was. */
static int export_forks(struct worker *w)
{
    struct forks *f = &w->strand->forks;
    struct filch__slot *slot;
    if (!filch__forks_have_any(f))
        return 0;
    int error = filch__deque_reserve(&w->deque, (size_t)(f->owner.tail - f->base));
    if (error != 0)
        return error;
    struct filch__slot *end = filch__forks_claim_all(f, &slot);
    for (; slot < end; slot++) {
        struct task_item item = {.fn = filch__strand_execute_exported, .arg = slot};
        error = filch__worker_push(w, &item);
        FILCH_CHECK(error == 0, "room that was reserved is gone");
    }
    return 0;
}

/* --- ready strands --- */

/* Moves what wakers have pushed to the end of the ready list. They push a stack; a list that is
 * turned round is in the order of the wake-ups. */
static void collect_woken(struct worker *w)
{
    if (FILCH_LOAD_RELAXED(&w->woken) == NULL) /* a look */
        return;
    struct waiter *stack = FILCH_EXCHANGE(&w->woken, NULL, RS_take, acquire);
    struct waiter *list = NULL;
    while (stack != NULL) {
        struct waiter *next = stack->next;
        stack->next = list;
        list = stack;
        stack = next;
    }
    struct waiter **end = &w->ready;
    while (*end != NULL)
        end = &(*end)->next;
    *end = list;
}

bool filch__strand_has_ready(struct worker *w)
{
    return w->ready != NULL || FILCH_LOAD(&w->woken, RS_look, seq_cst) != NULL;
}

struct strand *filch__strand_next_ready(struct worker *w)
{
    collect_woken(w);
    struct waiter *waiter = w->ready;
    if (waiter == NULL)
        return NULL;
    w->ready = waiter->next;
    return waiter->sleeper;
}

/* --- the waiter that is a task --- */

static void put_spare(struct worker *w, struct strand *s)
{
    if (s == NULL)
        return;
    s->next = w->spare;
    w->spare = s;
}

/* No stack is to be had: goes on with what stands here and has one. The thread itself sleeps only
 * where nothing can go on. Returns when the running strand is next. */
static void switch_to_ready(struct worker *w)
{
    struct strand *self = w->strand;
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
 * Where there are deadlines, or others have waited long enough, that is the loop's business. Returns
 * when the strand goes on. */
static void leave(struct worker *w)
{
    struct strand *next = NULL;
    if (w->timers.first == NULL && (w->tick + 1) % OTHERS_EVERY != 0)
        next = filch__strand_next_ready(w);
    if (next != NULL)
        w->tick++;
    if (next == w->strand)
        return; /* woken meanwhile */
    if (next == NULL)
        next = filch__strand_other(w);
    if (next == NULL) {
        switch_to_ready(w);
        return;
    }
    (void)export_forks(w); /* ENOMEM: they wait here, with the strand */
    filch__strand_switch(w, next);
}

static int task_suspend(struct waiter *waiter, int64_t deadline_ns)
{
    struct strand *s = waiter->sleeper;
    struct worker *w = s->worker;
    FILCH_DCHECK(w->strand == s);
    filch__tally_flush(&w->credits);
    uint32_t seen = WAITER_EMPTY;
    if (!FILCH_CAS(&waiter->state, &seen, WAITER_PARKED, PK_park, release) && seen == WAITER_WOKEN)
        return 0;
    struct timer timer = {.deadline_ns = deadline_ns, .waiter = waiter};
    if (deadline_ns != FILCH_FOREVER)
        filch__timer_add(&w->timers, &timer);
    filch__count(&w->stats.suspensions);
    w->suspended++;
    leave(w);
    w->suspended--;
    filch__timer_remove(&timer);
    return FILCH_LOAD(&waiter->state, PK_woken, acquire) == WAITER_WOKEN ? 0 : ETIMEDOUT;
}

/* Sets WOKEN, and makes the worker go on with it. */
static void wake_on(struct worker *w, struct waiter *waiter)
{
    if (FILCH_EXCHANGE(&waiter->state, WAITER_WOKEN, PK_wake, acq_rel) != WAITER_PARKED)
        return; /* it had not gone to sleep, and its memory may be gone now */
    /* It stays where it is until its worker takes it from this queue. */
    struct waiter *first = FILCH_LOAD_RELAXED(&w->woken); /* the swap decides */
    do
        waiter->next = first;
    while (!FILCH_CAS(&w->woken, &first, waiter, RS_push, seq_cst));
    if (w != filch__worker)
        filch__idle_wake(w);
}

static void task_wake(struct waiter *waiter)
{
    struct strand *s = waiter->sleeper;
    struct worker *w = s->worker;
    if (filch__worker != NULL && filch__worker->pool == w->pool) {
        wake_on(w, waiter); /* the pool outlives its workers and guests */
        return;
    }
    /* Once it is woken, the task may end, and its pool with it: that waits for us. */
    (void)FILCH_FETCH_ADD_RELAXED(&w->wakers,
                                  1); /* ordered before the end of the task by PK_wake */
    wake_on(w, waiter);
    (void)FILCH_FETCH_SUB(&w->wakers, 1, RS_waker, release); /* the last touch */
}

static const char *task_name(void)
{
    const struct filch_task *task = filch__worker->strand->task;
    return task == NULL ? NULL : filch__task_name(task);
}

static bool is_guard(const void *address)
{
    const struct strand *s = filch__worker->strand;
    const struct stack *stack = s->fiber->stack;
    return stack != NULL && filch__stack_is_guard(&s->worker->stacks, stack, address);
}

const struct waiter_ops filch__waiter_task_ops = {
    .suspend = task_suspend,
    .wake = task_wake,
    .task_name = task_name,
    .is_guard = is_guard,
};

void filch__strand_yield(struct worker *w)
{
    struct strand *other = filch__strand_other(w);
    if (other == NULL || export_forks(w) != 0) {
        put_spare(w, other);
        return;
    }
    struct strand *s = w->strand;
    s->next = w->yielded;
    w->yielded = s;
    filch__strand_switch(w, other);
}

void filch__strand_wait_for_others(struct worker *w)
{
    if (w->suspended == 0)
        return;
    struct strand *other = filch__strand_other(w);
    w->leaving = w->strand;
    if (other != NULL)
        filch__strand_switch(w, other);
    else
        switch_to_ready(w);
}
