/* SPDX-License-Identifier: Apache-2.0 */
/* Scopes of raw threads: none of them has its body left when the scope is left. */
#include "base/check.h"
#include "park/park.h"
#include "thread/start.h"
#include "thread/thread.h"

#include <stddef.h>

struct filch_thread_scope {
    FILCH_SHARED(uint64_t) count;  /* of threads, and one for the body of the scope */
    struct waiter closer;          /* written before the body's count is given up */
    uint64_t process;              /* const: that opened it */
    struct filch_panic *opened_in; /* const: that was under way then */
    FILCH_SHARED(struct filch_panic *)
    panic; /* of the first thread that nobody joins; NULL: none */
    FILCH_SHARED(size_t) other_panics;
};

_Static_assert(sizeof(struct filch_thread_scope) <=
                   sizeof(((struct filch__thread_scope_frame *)0)->room),
               "struct filch__thread_scope_frame has room for a scope");

static void open_scope(struct filch_thread_scope *s)
{
    s->count = 1; /* nobody else knows it yet */
    s->process = filch__thread_process();
    s->opened_in = filch__panic_current;
    s->panic = NULL;
    s->other_panics = 0;
}

void filch__thread_scope_keep(struct filch_thread_scope *s, struct filch_panic *panic)
{
    struct filch_panic *none = NULL;
    if (FILCH_CAS(&s->panic, &none, panic, TS_panic, relaxed))
        return;
    (void)FILCH_FETCH_ADD_RELAXED(&s->other_panics, 1); /* read when all threads have left */
    filch_panic_free(panic);
}

void filch__thread_scope_release(struct filch_thread_scope *s)
{
    /* Only the last one may touch the scope afterwards: the closer waits for its wake-up. */
    if (FILCH_FETCH_SUB(&s->count, 1, TS_count, acq_rel) == 1)
        filch__unpark(&s->closer);
}

static void wait_for_threads(struct filch_thread_scope *s)
{
    if (s->process != filch__thread_process())
        return; /* forked inside: the threads are not in this process */
    filch__waiter_init(&s->closer);
    if (FILCH_FETCH_SUB(&s->count, 1, TS_count, acq_rel) == 1)
        return;
    int error = filch__park_through(&s->closer, FILCH_FOREVER);
    FILCH_CHECK(error == 0, "a scope without a deadline ran out of time");
}

/* Goes on with what the threads have panicked with; behind the panic that leaves the scope, if there is
 * one. */
static void close_scope(struct filch_thread_scope *s)
{
    wait_for_threads(s);
    struct filch_panic *first = FILCH_LOAD_RELAXED(&s->panic); /* all threads have left */
    if (first == NULL)
        return;
    first->others += FILCH_LOAD_RELAXED(&s->other_panics); /* the same */
    struct filch_panic *leaving = filch__panic_current;
    if (leaving == s->opened_in)
        filch_resume_unwind(first);
    filch__panic_join(leaving, first);
}

static struct filch_thread_scope *scope_of(struct filch__thread_scope_frame *frame)
{
    return (struct filch_thread_scope *)(void *)&frame->room;
}

struct filch_thread_scope *filch__thread_scope_enter(struct filch__thread_scope_frame *frame)
{
    open_scope(scope_of(frame));
    frame->is_open = 1;
    return scope_of(frame);
}

void filch__thread_scope_leave(struct filch__thread_scope_frame *frame)
{
    if (frame->is_open)
        close_scope(scope_of(frame));
}

int filch_thread_scope_run(void (*body)(struct filch_thread_scope *s, void *ctx), void *ctx)
{
    if (body == NULL)
        return EINVAL;
    struct filch__thread_scope_frame frame __attribute__((cleanup(filch__thread_scope_leave)));
    body(filch__thread_scope_enter(&frame), ctx);
    return 0;
}

int filch_thread_scope_spawn(struct filch_thread_scope *s, struct filch_thread **thread,
                             const struct filch_thread_attr *attr, void *(*fn)(void *), void *arg)
{
    if (s != NULL && s->process != filch__thread_process()) {
        if (attr != NULL && attr->arg_drop != NULL)
            filch__thread_drop(attr->arg_drop, arg);
        return EPERM;
    }
    struct thread_start start = {.scope = s};
    if (s != NULL)
        (void)FILCH_FETCH_ADD_RELAXED(&s->count, 1); /* the caller's count keeps it above 0 */
    /* A NULL function is refused below, where the argument is dropped. */
    int error = filch__thread_start(thread, attr, s == NULL ? NULL : fn, arg, &start);
    if (error != 0 && s != NULL)
        filch__thread_scope_release(s);
    return error;
}
