/* SPDX-License-Identifier: Apache-2.0 */
/* Condition variables: wait, with a mutex given back meanwhile, until somebody notifies.
 *
 *     int error = filch_mutex_lock(&lock);
 *     while (error == 0 && queue_is_empty())
 *         error = filch_condvar_wait(&not_empty, &lock);
 *     ...                                             // held, whatever the error
 *     filch_mutex_unlock(&lock);
 *
 *     put_into_queue(item);                           // elsewhere, with the lock
 *     filch_condvar_notify_one(&not_empty);
 *
 * Notifications are not remembered, and a wait may end without one: the condition decides. Deadlines
 * are absolute, so the time of a wait that was in vain counts. Threads and tasks may wait for each other.
 * Whoever is notified queues for the mutex, and is woken when it can have it: nothing is gained by
 * notifying after the unlock. All functions may be called by several threads and tasks at once.
 * Not promised: an order among those that wait.
 */
#ifndef FILCH_CONDVAR_H
#define FILCH_CONDVAR_H

#include <filch/attr.h>
#include <filch/errors.h>
#include <filch/mutex.h>
#include <filch/time.h>

FILCH_EXTERN_C_BEGIN

/* May lie anywhere; not copied or moved while somebody waits. All zero is one that nobody waits for. Its
 * memory may be reused once every wait was notified, and those with a deadline, and of tasks that may be
 * cancelled, have returned. */
struct filch_condvar {
    uint64_t filch__word; /* private, as the next */
    void *filch__queue;
};

#ifdef __cplusplus
#define FILCH_CONDVAR_INIT                                                                         \
    {                                                                                              \
    }
#else
#define FILCH_CONDVAR_INIT                                                                         \
    {                                                                                              \
        0, NULL                                                                                    \
    }
#endif

/* Gives m back, waits for a notification, takes m again; between the first two nothing is missed.
 *   cv   initialised                                                                    [in,out]
 *   m    held by the caller; different waits may use different ones                     [in,out]
 * Returns 0; EOWNERDEAD (m is poisoned); EPERM (the caller does not hold m); EINVAL (cv or m NULL).
 * After 0 and EOWNERDEAD it is held. Ownership: borrows both until the return.
 * Blocks: yes; a task suspends, its worker goes on. Panics: never. Callable from: threads and tasks.
 * Ordering: that of the mutex. */
FILCH_API FILCH_NODISCARD int filch_condvar_wait(struct filch_condvar *cv, struct filch_mutex *m)
    FILCH__REQUIRES(*m);

/* The same, at most until a deadline.
 *   deadline  absolute ns on CLOCK_MONOTONIC; FILCH_FOREVER for none
 * Returns as filch_condvar_wait; ETIMEDOUT (no notification was taken; m is held, however long that
 * took); EOWNERDEAD instead of it where m is poisoned. Everything else as filch_condvar_wait. */
FILCH_API FILCH_NODISCARD int filch_condvar_wait_until(struct filch_condvar *cv,
                                                       struct filch_mutex *m, int64_t deadline)
    FILCH__REQUIRES(*m);

/* Waits while is_so(ctx), which is asked with m held, is not 0.
 *   is_so  called on this thread; borrowed, as ctx                          not NULL (EINVAL)
 * Returns as filch_condvar_wait_until: 0 only when the condition has ended; the others as soon as a wait
 * says so. Everything else as filch_condvar_wait_until. */
FILCH_API FILCH_NODISCARD int filch_condvar_wait_while(struct filch_condvar *cv,
                                                       struct filch_mutex *m, int (*is_so)(void *),
                                                       void *ctx, int64_t deadline)
    FILCH__REQUIRES(*m);

/* Wakes the one that has waited longest; nobody, where nobody waits.
 *   cv   NULL does nothing                                                              [in,out]
 * Blocks: never. Panics: never. Callable from: threads and tasks; with the mutex held or not. */
FILCH_API void filch_condvar_notify_one(struct filch_condvar *cv);

/* Wakes all that wait now. Everything else as filch_condvar_notify_one. */
FILCH_API void filch_condvar_notify_all(struct filch_condvar *cv);

FILCH_EXTERN_C_END

#endif
