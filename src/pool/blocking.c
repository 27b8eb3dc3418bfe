/* SPDX-License-Identifier: Apache-2.0 */
#include "blocking.h"

#include "pool.h"
#include "process.h"
#include "strand.h"

#include "base/check.h"
#include "panic/panic.h"
#include "thread/start.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

int64_t filch__blocking_idle_ns = 10 * FILCH_S;

int filch__blocking_init(struct blocking *b, size_t max)
{
    b->spares = filch__os_alloc_zeroed(max, sizeof *b->spares, FILCH_CACHE_LINE);
    if (b->spares == NULL)
        return ENOMEM;
    b->max = max;
    b->end = &b->first;
    return 0;
}

void filch__pool_join_thread(struct filch_thread *thread)
{
    struct worker *w = filch__worker;
    struct level level;
    filch__level_init(&level, NULL, NULL); /* of nothing that could be cancelled */
    if (w != NULL)
        filch__level_enter(w, &level);
    int error = filch_thread_join(thread, NULL, NULL);
    if (w != NULL)
        filch__level_leave(filch__worker); /* it may have migrated */
    FILCH_CHECK(error == 0, "a thread of a pool could not be joined");
}

void filch__blocking_destroy(struct blocking *b)
{
    if (b->spares == NULL)
        return;
    FILCH_DCHECK(b->threads == 0 && b->first == NULL);
    for (size_t i = 0; i < b->max; i++) {
        if (b->spares[i].is_used)
            filch__pool_join_thread(b->spares[i].thread);
    }
    filch__os->free(b->spares);
}

/* --- the queue, under lock --- */

static void enqueue(struct blocking *b, struct blocking_call *call)
{
    call->next = NULL;
    call->link = b->end;
    call->is_queued = true;
    *b->end = call;
    b->end = &call->next;
}

static void unlink_call(struct blocking *b, struct blocking_call *call)
{
    *call->link = call->next;
    if (call->next != NULL)
        call->next->link = call->link;
    else
        b->end = call->link;
    call->is_queued = false;
}

static struct blocking_call *dequeue(struct blocking *b)
{
    struct blocking_call *call = b->first;
    if (call != NULL)
        unlink_call(b, call);
    return call;
}

/* Takes an idle thread, which gets the call; NULL: there is none. The caller unparks the result. */
static struct waiter *hand_over(struct blocking *b, struct blocking_call *call)
{
    struct spare *s = b->idle;
    if (s == NULL)
        return NULL;
    struct waiter *waiter = s->waiter;
    b->idle = s->next;
    s->waiter = NULL;
    s->call = call;
    return waiter;
}

/* --- in a spare thread --- */

static void call_body(void *argument)
{
    struct blocking_call *call = argument;
    call->result = call->fn(call->arg);
}

static void run_call(struct blocking_call *call, uint64_t process)
{
    filch__ambient_restore(&call->ambient, &errno);
    (void)filch__try_task(call_body, call, &call->panic, filch__forks->tail);
    FILCH_CHECK(process == filch__process_generation(),
                "a call of filch_blocking returned in a forked child; it has to exec or _exit");
    filch__ambient_save(&call->ambient, &errno);
}

static void remove_idle(struct blocking *b, struct spare *s)
{
    struct spare **link = &b->idle;
    while (*link != s)
        link = &(*link)->next;
    *link = s->next;
    s->waiter = NULL;
}

/* Waits for a call; NULL: the thread shall end. */
static struct blocking_call *wait_for_call(struct blocking *b, struct spare *s,
                                           struct waiter *waiter)
{
    if (filch__park(waiter, filch_deadline_in(filch__blocking_idle_ns)) != 0) {
        filch__lock(&b->lock);
        bool is_idle = s->waiter != NULL;
        if (is_idle)
            remove_idle(b, s);
        filch__unlock(&b->lock);
        if (is_idle)
            return NULL;
        (void)filch__park_through(waiter, FILCH_FOREVER); /* somebody has it: the touch is due */
    }
    return s->call; /* handed over by the unpark */
}

/* The next call; NULL: the thread shall end. The task of the one that is done is woken when the thread is
 * idle already: its next call finds it. */
static struct blocking_call *next_call(struct blocking *b, struct spare *s,
                                       struct blocking_call *done)
{
    struct waiter waiter;
    filch__waiter_init(&waiter);
    filch__lock(&b->lock);
    struct blocking_call *call = dequeue(b);
    bool waits = call == NULL && !b->is_over;
    if (waits) {
        s->waiter = &waiter;
        s->call = NULL;
        s->next = b->idle;
        b->idle = s;
    }
    filch__unlock(&b->lock);
    if (done != NULL)
        filch__unpark(done->waiter); /* the last touch */
    return waits ? wait_for_call(b, s, &waiter) : call;
}

/* Returns false where there is a call again; or where the one that started the thread does not know it
 * yet, so that nobody could join it. */
static bool end(struct blocking *b, struct spare *s)
{
    struct filch_thread *unwanted = NULL;
    filch__lock(&b->lock);
    bool may_end = b->first == NULL && s->thread != NULL;
    if (may_end) {
        b->threads--;
        s->has_ended = true;
        if (s->pool->is_default) { /* it is never destroyed: nobody would join us */
            unwanted = s->thread;
            s->is_used = false;
        }
    }
    filch__unlock(&b->lock);
    int error = unwanted == NULL ? 0 : filch_thread_detach(unwanted);
    FILCH_CHECK(error == 0, "a thread of a pool could not be detached");
    return may_end;
}

/* Not where the worker is bound that happened to start the thread. */
static void run_anywhere(struct filch_pool *pool)
{
    struct placement anywhere;
    if (!filch__machine_is_known(&pool->machine))
        return; /* neither is any worker */
    int error = filch__topology_place(pool->machine.topology, 1, FILCH_BIND_NONE, &anywhere);
    if (error == 0)
        error = filch__topology_bind_self(&anywhere);
    (void)error; /* then it stays there: slower at worst */
}

static void *spare_main(void *argument)
{
    struct spare *s = argument;
    struct filch_pool *pool = s->pool;
    struct blocking *b = &pool->blocking;
    struct blocking_call *call = s->call;
    run_anywhere(pool);
    for (;;) {
        if (call != NULL)
            run_call(call, pool->process);
        else if (end(b, s))
            break;
        call = next_call(b, s, call);
    }
    filch__pool_thread_ended(pool);
    return NULL;
}

/* --- in a task --- */

/* A place whose thread has ended, or that never had one; there is one, since fewer run than `max`. Under
 * lock. */
static struct spare *find_place(struct blocking *b)
{
    struct spare *s = b->spares;
    while (s->is_used && !s->has_ended)
        s++;
    FILCH_DCHECK(s < b->spares + b->max);
    return s;
}

static int start_thread(struct filch_pool *pool, struct spare *s, struct filch_thread **thread)
{
    /* Room for the name, "-block-", and the digits of a number below BLOCKING_THREADS_MAX. */
    size_t name_bytes = strlen(pool->name) + 12;
    char *name = filch__os->alloc(name_bytes, 1);
    if (name == NULL)
        return ENOMEM;
    snprintf(name, name_bytes, "%s-block-%u", pool->name,
             (unsigned)(s - pool->blocking.spares) % 10000u);
    struct filch_thread_attr attr = {.name = name, .stack_size_bytes = pool->stack_size_bytes};
    static const struct thread_start ours = {.is_internal = true};
    int error = filch__thread_start(thread, &attr, spare_main, s, &ours);
    filch__os->free(name);
    return error;
}

/* There is no thread, and none can be had: their tasks run the calls themselves. */
static void refuse(struct blocking_call *list)
{
    while (list != NULL) {
        struct blocking_call *next = list->next;
        list->is_refused = true;
        filch__unpark(list->waiter);
        list = next;
    }
}

/* The thread for a call could not be started: another one has it then. Returns whether there is any. */
static bool start_failed(struct blocking *b, struct spare *s, struct blocking_call *call)
{
    struct blocking_call *refused = NULL;
    filch__lock(&b->lock);
    s->is_used = false;
    b->threads--;
    bool is_there = b->threads > 0;
    struct waiter *waiter = is_there ? hand_over(b, call) : NULL;
    if (is_there && waiter == NULL)
        enqueue(b, call);
    while (!is_there && b->first != NULL) { /* they wait for threads that were not started either */
        struct blocking_call *other = dequeue(b);
        other->next = refused;
        refused = other;
        b->refused++;
    }
    if (!is_there)
        b->refused++;
    filch__unlock(&b->lock);
    if (waiter != NULL)
        filch__unpark(waiter);
    refuse(refused);
    return is_there;
}

/* Starts a thread at the place for the call. Returns false where there is none at all. */
static bool start(struct filch_pool *pool, struct spare *s, struct filch_thread *before,
                  struct blocking_call *call)
{
    struct blocking *b = &pool->blocking;
    struct filch_thread *thread;
    if (before != NULL)
        filch__pool_join_thread(before);
    s->pool = pool;
    s->call = call;
    /* The pool does not end before us. */
    (void)FILCH_FETCH_ADD_RELAXED(&pool->running, 1); /* the end is what is ordered */
    if (start_thread(pool, s, &thread) != 0) {
        filch__pool_thread_ended(pool);
        return start_failed(b, s, call);
    }
    filch__lock(&b->lock);
    s->thread = thread;
    filch__unlock(&b->lock);
    return true;
}

/* Gives the call to a thread, or puts it where one finds it. Returns false: there is none. */
static bool submit(struct filch_pool *pool, struct blocking_call *call)
{
    struct blocking *b = &pool->blocking;
    struct spare *s = NULL;
    struct filch_thread *before = NULL;
    filch__lock(&b->lock);
    b->calls++;
    struct waiter *waiter = hand_over(b, call);
    if (waiter == NULL && b->threads < b->max)
        s = find_place(b);
    if (s != NULL) {
        before = s->is_used ? s->thread : NULL;
        s->is_used = true;
        s->has_ended = false;
        s->thread = NULL;
        b->threads++;
    } else if (waiter == NULL) {
        enqueue(b, call);
    }
    filch__unlock(&b->lock);
    if (waiter != NULL)
        filch__unpark(waiter);
    return s == NULL || start(pool, s, before, call);
}

/* Takes the call back. Returns false where a thread has begun it. */
static bool take_back(struct blocking *b, struct blocking_call *call)
{
    filch__lock(&b->lock);
    bool was_queued = call->is_queued;
    if (was_queued)
        unlink_call(b, call);
    filch__unlock(&b->lock);
    return was_queued;
}

/* Waits until the call has ended. Returns 0; ETIMEDOUT, ECANCELED: it has not begun, and will not; EAGAIN: there is
 * no thread for it. */
static int run_elsewhere(struct filch_pool *pool, struct blocking_call *call, int64_t deadline)
{
    struct waiter waiter;
    filch__waiter_init(&waiter);
    call->waiter = &waiter;
    filch__ambient_save(&call->ambient, &errno);
    if (!submit(pool, call))
        return EAGAIN;
    int error = filch__park(&waiter, deadline);
    if (error != 0) {
        if (take_back(&pool->blocking, call))
            return error;
        (void)filch__park_through(&waiter,
                                  FILCH_FOREVER); /* its frame is ours: until it has ended */
    }
    if (call->is_refused)
        return EAGAIN;
    filch__ambient_restore(&call->ambient, filch__worker->error_number); /* wherever we are now */
    return 0;
}

int filch_blocking_until(void *(*fn)(void *), void *arg, int64_t deadline, void **result)
{
    if (fn == NULL)
        return EINVAL;
    struct blocking_call call = {.fn = fn, .arg = arg};
    struct worker *w = filch__worker;
    int error = w == NULL ? EAGAIN : run_elsewhere(w->pool, &call, deadline);
    if (error == EAGAIN)
        call.result = fn(arg);
    else if (error != 0)
        return error;
    if (call.panic != NULL)
        filch_resume_unwind(call.panic);
    if (result != NULL)
        *result = call.result;
    return 0;
}

int filch_blocking(void *(*fn)(void *), void *arg, void **result)
{
    return filch_blocking_until(fn, arg, FILCH_FOREVER, result);
}

void filch__blocking_stop(struct blocking *b)
{
    filch__lock(&b->lock);
    b->is_over = true;
    struct spare *list = b->idle;
    b->idle = NULL;
    struct waiter *waiters = NULL;
    for (struct spare *s = list; s != NULL; s = s->next) {
        s->waiter->next = waiters; /* it is ours now */
        waiters = s->waiter;
        s->waiter = NULL;
    }
    filch__unlock(&b->lock);
    while (waiters != NULL) {
        struct waiter *next = waiters->next; /* its frame is gone after the unpark */
        filch__unpark(waiters);
        waiters = next;
    }
}
