/* SPDX-License-Identifier: Apache-2.0 */
/* Condition variables. Who is notified moves to the queue of its mutex, as in nsync, and is woken from
 * there: notifying many wakes one. */
#include "sync/mutex.h"

#include "park/self.h"

#include <errno.h>
#include <filch/condvar.h>

/* Gives the queue back. Nothing of *cv is touched afterwards. */
static void leave(struct filch_condvar *cv)
{
    filch__queue_leave(&cv->filch__word, &cv->filch__queue, 0);
}

/* A wait that gives m back shows its waiter before, so a look at the word is enough for whoever has seen
 * what it was notified of. */
static bool nobody_waits(struct filch_condvar *cv)
{
    return cv == NULL || FILCH_LOAD_RELAXED(&cv->filch__word) == 0; /* see above */
}

void filch_condvar_notify_one(struct filch_condvar *cv)
{
    if (nobody_waits(cv))
        return;
    (void)filch__queue_enter(&cv->filch__word);
    struct lock_waiter *w = filch__queue_take_first(&cv->filch__queue);
    leave(cv);
    if (w != NULL)
        filch__mutex_enqueue(w->mutex, w);
}

void filch_condvar_notify_all(struct filch_condvar *cv)
{
    if (nobody_waits(cv))
        return;
    (void)filch__queue_enter(&cv->filch__word);
    struct lock_waiter *taken = filch__queue_take_all(&cv->filch__queue);
    leave(cv); /* *cv may be gone as soon as the first of them has its mutex */
    while (taken != NULL) {
        struct lock_waiter *w = taken;
        taken = w->next;
        filch__mutex_enqueue(w->mutex, w);
    }
}

/* Takes a waiter whose deadline has passed out again. Returns false where it was notified. */
static bool take_out(struct filch_condvar *cv, struct lock_waiter *w)
{
    /* Once it has moved it stays away, and *cv may be gone. */
    if (FILCH_LOAD_RELAXED(&w->home) != &cv->filch__word) /* looked at again under the queue */
        return false;
    (void)filch__queue_enter(&cv->filch__word);
    bool was_queued = FILCH_LOAD_RELAXED(&w->home) == &cv->filch__word; /* under the queue */
    if (was_queued)
        filch__queue_remove(&cv->filch__queue, w);
    leave(cv);
    return was_queued;
}

int filch_condvar_wait_until(struct filch_condvar *cv, struct filch_mutex *m, int64_t deadline)
{
    if (cv == NULL || m == NULL)
        return EINVAL;
    uint64_t self = filch__mutex_owner_word(m);
    if (self == 0)
        return EPERM;
    struct lock_waiter w;
    filch__lock_waiter_init(&w, self);
    w.mutex = m;
    (void)filch__queue_enter(&cv->filch__word);
    FILCH_STORE_RELAXED(&w.home, &cv->filch__word); /* under the queue */
    filch__queue_append(&cv->filch__queue, &w);
    leave(cv);
    filch__mutex_release(m, self);
    int error = filch__park(&w.waiter, deadline);
    bool was_notified = error == 0 || !take_out(cv, &w);
    if (error != 0 && was_notified)
        error = filch__park_through(&w.waiter,
                                    FILCH_FOREVER); /* the mutex is due, as after any unlock */
    int lock_error = filch__mutex_lock_again(m, &w, was_notified);
    if (FILCH_UNLIKELY(lock_error != 0))
        return lock_error;
    return FILCH_LIKELY(error == 0) ? filch__back() : error;
}

int filch_condvar_wait(struct filch_condvar *cv, struct filch_mutex *m)
{
    return filch_condvar_wait_until(cv, m, FILCH_FOREVER);
}

int filch_condvar_wait_while(struct filch_condvar *cv, struct filch_mutex *m, int (*is_so)(void *),
                             void *ctx, int64_t deadline)
{
    if (cv == NULL || m == NULL || is_so == NULL)
        return EINVAL;
    if (filch__mutex_owner_word(m) == 0)
        return EPERM;
    int error = 0;
    while (error == 0 && is_so(ctx))
        error = filch_condvar_wait_until(cv, m, deadline);
    return error;
}
