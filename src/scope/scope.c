/* SPDX-License-Identifier: Apache-2.0 */
#include <filch/scope.h>

#include "scope.h"

#include "process.h"
#include "strand.h"
#include "task.h"

#include "base/check.h"
#include "panic/panic.h"

struct filch_scope {
    struct tally tally; /* its tasks, and one for its body */
    struct filch_pool *pool;
    struct worker
        *guest;       /* the place that the body's thread took for it; NULL: had one, or got none */
    uint64_t process; /* that opened it */
    struct filch_panic *opened_in; /* the panic that was under way when it was opened */
    struct level level;            /* of its body, where a worker or guest runs it */
};

_Static_assert(sizeof(struct filch_scope) <= sizeof(((struct filch__scope_frame *)0)->room),
               "struct filch__scope_frame has room for a scope");

struct filch_scope *filch__scope_of(struct filch__scope_frame *frame)
{
    return (struct filch_scope *)(void *)&frame->room;
}

int filch__scope_open(struct filch_scope *s, struct filch_pool *pool)
{
    struct worker *w = filch__worker;
    struct worker *guest = NULL;
    if (w != NULL) {
        pool = w->pool;
    } else {
        int error = filch__pool_resolve(&pool);
        if (error != 0)
            return error;
        guest = filch__guest_enter(pool); /* NULL: all places taken; then it only waits */
    }
    filch__tally_init(&s->tally);
    s->pool = pool;
    s->guest = guest;
    s->process = filch__process_generation();
    s->tally.keeps_panics = true;
    s->opened_in = filch__panic_current;
    struct cancel *around = filch__cancel_here();
    filch__cancel_init(&s->tally.cancel, around != NULL ? around : &pool->tally.cancel, pool);
    filch__level_init(&s->level, NULL, &s->tally.cancel);
    s->level.outer = NULL; /* where it is not entered: see filch__scope_close */
    if (filch__worker != NULL)
        filch__level_enter(filch__worker, &s->level);
    return 0;
}

struct own_run {
    struct task_run run; /* first */
    const struct tally *tally;
};

/* Runs the tasks of the scope that lie newest in our own deque, here: the frames below are those of
 * the scope that waits for them. */
static void run_own_tasks(void *argument)
{
    struct own_run *own = argument;
    struct worker *w = own->run.w;
    while (filch__worker_run_of(w, own->tally, &own->run)) {
        w = filch__worker; /* it may have migrated */
        if (FILCH_UNLIKELY(w->tick % OTHERS_EVERY == 0) && filch__worker_is_due(w))
            return; /* they may breed for ever; and what waits here could go on */
    }
}

/* They are not unwound, even if the frames below are, and what they leave in errno is theirs. */
static void run_own(struct filch_scope *s, struct worker *w)
{
    struct own_run own = {.run.w = w, .tally = &s->tally};
    int error_number = *w->error_number;
    struct filch_panic *panic = filch__panic_set_aside();
    filch__worker_run_loop(run_own_tasks, &own.run);
    filch__panic_give_back(panic);
    *filch__worker->error_number = error_number; /* another one than w if they have migrated */
}

/* Goes on with what the tasks have panicked with; behind the panic that leaves the scope, if there is
 * one. */
static void pass_on(struct filch_scope *s)
{
    struct filch_panic *first = FILCH_LOAD_RELAXED(&s->tally.panic); /* all tasks have ended */
    if (FILCH_LIKELY(first == NULL))
        return;
    first->others += FILCH_LOAD_RELAXED(&s->tally.other_panics); /* the same */
    struct filch_panic *leaving = filch__panic_current;
    if (leaving == s->opened_in)
        filch_resume_unwind(first);
    filch__panic_join(leaving, first);
}

void filch__scope_close(struct filch_scope *s)
{
    if (s->process != filch__process_generation())
        return; /* forked inside: tasks that others had are not in this process */
    struct worker *w = filch__worker;
    FILCH_CHECK(s->level.outer == NULL || (w != NULL && filch__strand_mark(w) == s->level.mark),
                "a fork was synced inside a scope that was opened after it, or never");
    if (w != NULL) {
        run_own(s, w);
        filch__tally_flush(&filch__worker->credits); /* another one where they have migrated */
    }
    int error = filch__tally_wait(&s->tally, FILCH_FOREVER);
    FILCH_CHECK(error == 0, "a scope without a deadline ran out of time");
    if (s->level.outer != NULL)
        filch__level_leave(filch__worker);
    if (s->guest != NULL)
        filch__guest_leave(s->guest);
    if (FILCH_UNLIKELY(filch__panic_current != s->opened_in))
        filch__fork_settle(filch__panic_current); /* the forks that are older than the scope */
    pass_on(s);
}

struct filch_scope *filch__scope_enter(struct filch__scope_frame *frame)
{
    struct filch_scope *s = filch__scope_of(frame);
    int error = filch__scope_open(s, NULL);
    FILCH_CHECK(error == 0, "FILCH_SCOPE: no pool can be had (see filch_scope_run)");
    frame->is_open = 1;
    return s;
}

void filch__scope_leave(struct filch__scope_frame *frame)
{
    if (frame->is_open)
        filch__scope_close(filch__scope_of(frame));
}

static void close_body(struct filch_scope **s)
{
    filch__scope_close(*s);
}

static void run_body(struct filch_scope *s, void (*body)(struct filch_scope *s, void *ctx),
                     void *ctx)
{
    struct filch_scope *open __attribute__((cleanup(close_body))) = s;
    body(open, ctx);
}

int filch_scope_run(void (*body)(struct filch_scope *s, void *ctx), void *ctx)
{
    if (body == NULL)
        return EINVAL;
    struct filch__scope_frame frame = {.is_open = 0};
    struct filch_scope *s = filch__scope_of(&frame);
    int error = filch__scope_open(s, NULL);
    if (error != 0)
        return error;
    run_body(s, body, ctx);
    return (int)FILCH_LOAD_RELAXED(&s->tally.cancel.cut); /* all that was inside has ended */
}

int filch_scope_cancel(struct filch_scope *s)
{
    if (s == NULL)
        return EINVAL;
    if (s->process != filch__process_generation())
        return EPERM;
    filch__cancel(&s->tally.cancel);
    return 0;
}

int filch_scope_set_deadline(struct filch_scope *s, int64_t deadline)
{
    if (s == NULL)
        return EINVAL;
    if (s->process != filch__process_generation())
        return EPERM;
    filch__cancel_set_deadline(&s->tally.cancel, deadline);
    return 0;
}

/* From a thread that is no worker of the scope's pool. */
static int spawn_from_outside(struct filch_scope *s, const struct task_item *item)
{
    if (s->process != filch__process_generation())
        return EPERM; /* in a forked child: nobody is here to run it, and locks may be held */
    filch__tally_add(&s->tally, 1);
    int error = filch__injector_put(&s->pool->injector, item, &item->arg, 1);
    if (error != 0)
        filch__tally_release(&s->tally, 1);
    else
        filch__idle_wake_server(s->pool);
    return error;
}

static FILCH_ALWAYS_INLINE int spawn(struct filch_scope *s, const struct task_item *item)
{
    struct worker *w = filch__worker;
    if (FILCH_UNLIKELY(w == NULL || w->pool != s->pool)) {
        /* A copy, or the item would lie in memory where a worker spawns it, too. */
        const struct task_item outside = *item;
        return spawn_from_outside(s, &outside);
    }
    filch__tally_spawned(&w->credits, &s->tally);
    int error = filch__worker_push(w, item);
    if (FILCH_UNLIKELY(error != 0)) {
        filch__tally_ended(&w->credits, &s->tally);
        return error;
    }
    filch__strand_bound_spawns(w);
    return 0;
}

/* A function of its own, since this saves registers. */
static __attribute__((noinline)) int spawn_slowly(struct filch_scope *s, void (*fn)(void *),
                                                  void *arg)
{
    if (s == NULL || fn == NULL)
        return EINVAL;
    return spawn(s, &(struct task_item){.fn = fn, .arg = arg, .tally = &s->tally});
}

int filch_scope_spawn(struct filch_scope *s, void (*fn)(void *), void *arg)
{
    struct worker *w = filch__worker;
    if (FILCH_LIKELY(s != NULL && fn != NULL && w != NULL) && FILCH_LIKELY(w->pool == s->pool) &&
        FILCH_LIKELY(filch__tally_has_credit(&w->credits, &s->tally))) {
        struct task_item item = {.fn = fn, .arg = arg, .tally = &s->tally};
        if (FILCH_LIKELY(filch__deque_put(&w->deque, &item))) {
            w->credits.held--;
            filch__deque_show(&w->deque);
            return filch__strand_has_spawned(w);
        }
    }
    return spawn_slowly(s, fn, arg);
}

static int spawn_task(struct filch_scope *s, struct filch_task **task,
                      const struct filch_task_attr *attr, void (*fn)(void *), void *arg)
{
    if (s == NULL || fn == NULL || task == NULL)
        return EINVAL;
    struct filch_task *made = filch__task_new(attr, fn, arg, &s->tally.cancel);
    if (made == NULL)
        return ENOMEM;
    struct filch_task *handle =
        filch__task_handle_begin(made); /* it may end before the spawn does */
    struct task_item item = filch__task_item(made, &s->tally);
    int error = spawn(s, &item);
    if (error != 0)
        filch__task_free_unspawned(made);
    else
        *task = handle;
    return error;
}

int filch_scope_spawn_task(struct filch_scope *s, struct filch_task **task,
                           const struct filch_task_attr *attr, void (*fn)(void *), void *arg)
{
    static const struct filch_task_attr defaults;
    if (attr == NULL)
        attr = &defaults;
    int error = spawn_task(s, task, attr, fn, arg);
    if (error != 0 && attr->arg_drop != NULL)
        filch__worker_drop(attr->arg_drop, arg); /* once, in any case */
    return error;
}
