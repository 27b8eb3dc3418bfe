/* SPDX-License-Identifier: Apache-2.0 */
/* A lock for one owner at a time, poisoned by a panic.
 *
 *     static struct filch_mutex lock = FILCH_MUTEX_INIT;
 *     static long balance;
 *
 *     void deposit(long amount)
 *     {
 *         int error = filch_mutex_lock(&lock);
 *         if (error == EOWNERDEAD)              // it IS held; somebody has panicked while holding it
 *             repair(&balance), filch_mutex_clear_poison(&lock);
 *         balance += amount;
 *         filch_mutex_unlock(&lock);
 *     }
 *
 * The owner is the thread, or the task, wherever it waits meanwhile: it may hold the lock across a
 * join, a scope, a loop or a sleep. A task that waits for the lock is set aside, and its worker goes
 * on. With guard.h the lock is given back however the block is left.
 *
 * All functions may be called by several threads and tasks at once. Eventually fair: whoever waits is
 * overtaken by others that find the lock free, but only a few times. Not promised: an order, and that
 * a lock is inherited by a forked child from anybody but the thread that forks.
 */
#ifndef FILCH_MUTEX_H
#define FILCH_MUTEX_H

#include <filch/attr.h>
#include <filch/errors.h>
#include <filch/inline/lock.h>
#include <filch/time.h>

FILCH_EXTERN_C_BEGIN

/* May lie anywhere; not copied or moved while it is in use. All zero is a free lock. */
struct FILCH__CAPABILITY("mutex") filch_mutex {
    uint64_t filch__word; /* private, as the next */
    void *filch__queue;
};

#ifdef __cplusplus
#define FILCH_MUTEX_INIT                                                                           \
    {                                                                                              \
    }
#else
#define FILCH_MUTEX_INIT                                                                           \
    {                                                                                              \
        0, NULL                                                                                    \
    }
#endif

/* Takes the lock.
 *   m   initialised                                                                     [in,out]
 * Returns 0; EOWNERDEAD (it IS held, its data is poisoned); EDEADLK (the caller holds it already);
 * EINVAL (m NULL). Ownership: borrows m until it is given back.
 * Blocks: yes; a task suspends, its worker goes on. Panics: never.
 * Callable from: threads and tasks. Ordering: acquires what the last unlock released. */
FILCH_API FILCH_NODISCARD int filch_mutex_lock(struct filch_mutex *m) FILCH__ACQUIRES(*m);

/* Takes the lock, waiting at most until a deadline.
 *   m         initialised                                                               [in,out]
 *   deadline  absolute ns on CLOCK_MONOTONIC; FILCH_FOREVER for none; a free lock is taken even when
 *             it has passed
 * Returns as filch_mutex_lock; ETIMEDOUT (it is not held). Everything else as filch_mutex_lock. */
FILCH_API FILCH_NODISCARD int filch_mutex_lock_until(struct filch_mutex *m, int64_t deadline)
    FILCH__TRY_ACQUIRES(0, *m);

/* Takes the lock if it is free.
 *   m   initialised                                                                     [in,out]
 * Returns as filch_mutex_lock; EBUSY (somebody, perhaps the caller, holds it). Blocks: never.
 * Everything else as filch_mutex_lock. */
FILCH_API FILCH_NODISCARD int filch_mutex_try_lock(struct filch_mutex *m)
    FILCH__TRY_ACQUIRES(0, *m);

/* Gives the lock back, and wakes somebody who waits for it. A caller that panics, and was not yet
 * panicking when it took the lock, poisons it.
 *   m   held by the caller; aborts with a message where it is not. Its memory may be gone as soon as
 *       somebody else has taken it                                                        [in,out]
 * Blocks: never. Panics: never. Callable from: threads and tasks.
 * Ordering: releases to the next lock. */
FILCH_API void filch_mutex_unlock(struct filch_mutex *m) FILCH__RELEASES(*m);

/* Whether a panic has poisoned the lock; may be asked by anybody.
 *   m   NULL counts as not poisoned                                                          [in]
 * Returns 1 or 0. Blocks: never. Panics: never. Callable from: threads and tasks. */
FILCH_API int filch_mutex_is_poisoned(const struct filch_mutex *m);

/* The data is in order again: later locks return 0.
 *   m   held or not; NULL does nothing                                                  [in,out]
 * Blocks: the OS thread, briefly. Panics: never. Callable from: threads and tasks. */
FILCH_API void filch_mutex_clear_poison(struct filch_mutex *m);

/* Checks that the lock is out of use, for those who want to know before they free its memory; nothing
 * needs to be given back.
 *   m   NULL does nothing                                                               [in,out]
 * Returns 0: it is a fresh lock, not poisoned; EBUSY: held or waited for, nothing was changed. One that
 * has been woken to take it, and has yet to run, is not seen.
 * Blocks: never. Panics: never. Callable from: threads and tasks. */
FILCH_API FILCH_NODISCARD int filch_mutex_destroy(struct filch_mutex *m);

/* --- inline: the functions above, for locks that nobody contends --- */

static FILCH_ALWAYS_INLINE FILCH_NODISCARD int filch__mutex_lock(struct filch_mutex *m)
    FILCH__ACQUIRES(*m) FILCH__UNCHECKED
{
    uint64_t self = filch__self, seen = 0;
    if (FILCH_LIKELY(m != NULL && self != 0 &&
                     FILCH_CAS(&m->filch__word, &seen, self, MX_lock, acquire)))
        return 0;
    return filch__mutex_lock_slow(m, FILCH_FOREVER);
}

static FILCH_ALWAYS_INLINE FILCH_NODISCARD int filch__mutex_try_lock(struct filch_mutex *m)
    FILCH__TRY_ACQUIRES(0, *m) FILCH__UNCHECKED
{
    uint64_t self = filch__self, seen = 0;
    if (FILCH_LIKELY(m != NULL && self != 0 &&
                     FILCH_CAS(&m->filch__word, &seen, self, MX_lock, acquire)))
        return 0;
    return filch__mutex_try_lock_slow(m);
}

static FILCH_ALWAYS_INLINE void filch__mutex_unlock(struct filch_mutex *m)
    FILCH__RELEASES(*m) FILCH__UNCHECKED
{
    uint64_t self = filch__self, seen = 0;
    if (FILCH_UNLIKELY(m == NULL || !filch__self_is_usual(self) ||
                       (seen = FILCH_FETCH_SUB(&m->filch__word, self, MX_unlock, release)) != self))
        filch__mutex_unlock_slow(m, seen);
}

#define filch_mutex_lock(m) filch__mutex_lock(m)
#define filch_mutex_try_lock(m) filch__mutex_try_lock(m)
#define filch_mutex_unlock(m) filch__mutex_unlock(m)

FILCH_EXTERN_C_END

#endif
