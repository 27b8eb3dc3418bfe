/* SPDX-License-Identifier: Apache-2.0 */
/* Locks that are given back however the block is left: at its end, by return, break, goto or a panic,
 * which poisons the lock.
 *
 *     void deposit(struct account *a, long amount)
 *     {
 *         FILCH_LOCK_GUARD(&a->lock);
 *         if (filch_mutex_is_poisoned(&a->lock))
 *             repair(a), filch_mutex_clear_poison(&a->lock);
 *         a->balance += amount;
 *     }
 *
 * Each stands where a declaration may, and holds until the end of the block around it. A poisoned lock is
 * taken like any other. A guard waits for the lock although what the caller runs in has been cancelled: what
 * follows counts on holding it. Where the lock cannot be had, because the caller holds it already or it is NULL,
 * the process ends with a message; use filch_mutex_lock and its like to handle that. Needs -fexceptions
 * in the file that uses it. Callable from: threads and tasks. Not promised: anything about longjmp.
 * clang's -Wthread-safety takes the lock for held until the end of the function.
 */
#ifndef FILCH_GUARD_H
#define FILCH_GUARD_H

#include <filch/attr.h>
#include <filch/errors.h>
#include <filch/mutex.h>
#include <filch/rwlock.h>

FILCH_EXTERN_C_BEGIN

#ifndef __EXCEPTIONS
#define FILCH__GUARD(take, give, lock)                                                             \
    FILCH__STATIC_ASSERT(                                                                          \
        0, "guards need -fexceptions: without it, a panic would leave the lock held")
#else
#define FILCH__GUARD(take, give, lock) FILCH__GUARD2(take, give, lock, __COUNTER__)
#define FILCH__GUARD2(take, give, lock, number) FILCH__GUARD3(take, give, lock, number)
#define FILCH__GUARD3(take, give, lock, number)                                                    \
    __attribute__((cleanup(give), unused)) void *const filch__guard_##number = (take)(lock)
#endif

/* FILCH_LOCK_GUARD(m): takes the mutex `m` points to. Blocks and orders as filch_mutex_lock. */
#define FILCH_LOCK_GUARD(m) FILCH__GUARD(filch__guard_lock, filch__guard_unlock, m)

/* FILCH_READ_GUARD(l), FILCH_WRITE_GUARD(l): take the reader-writer lock that `l` points to, as
 * filch_rwlock_read and filch_rwlock_write do. */
#define FILCH_READ_GUARD(l) FILCH__GUARD(filch__guard_read, filch__guard_unlock_read, l)
#define FILCH_WRITE_GUARD(l) FILCH__GUARD(filch__guard_write, filch__guard_unlock_write, l)

/* Wait for the lock although what the caller runs in is cancelled. */
FILCH_API FILCH_COLD int filch__guard_lock_through(struct filch_mutex *m) FILCH__UNCHECKED;

/* The same, for a reader. */
FILCH_API FILCH_COLD int filch__guard_read_through(struct filch_rwlock *l) FILCH__UNCHECKED;

/* The same, for a writer. */
FILCH_API FILCH_COLD int filch__guard_write_through(struct filch_rwlock *l) FILCH__UNCHECKED;

/* The lock cannot be had: ends the process with a message. */
FILCH_API FILCH_COLD FILCH_NORETURN void filch__guard_misuse(int error);

static FILCH_ALWAYS_INLINE int filch__guard_is_cancelled(int error)
{
    return error == ECANCELED || error == ETIMEDOUT;
}

static FILCH_ALWAYS_INLINE void *filch__guard_lock(struct filch_mutex *m)
    FILCH__ASSERTS(*m) FILCH__UNCHECKED
{
    int error = filch_mutex_lock(m);
    if (FILCH_UNLIKELY(filch__guard_is_cancelled(error)))
        error = filch__guard_lock_through(m);
    if (FILCH_UNLIKELY(error != 0 && error != EOWNERDEAD))
        filch__guard_misuse(error);
    return m;
}

static FILCH_ALWAYS_INLINE void filch__guard_unlock(void *const *guard) FILCH__UNCHECKED
{
    filch_mutex_unlock((struct filch_mutex *)*guard);
}

static FILCH_ALWAYS_INLINE void *filch__guard_read(struct filch_rwlock *l)
    FILCH__ASSERTS_SHARED(*l) FILCH__UNCHECKED
{
    int error = filch_rwlock_read(l);
    if (FILCH_UNLIKELY(filch__guard_is_cancelled(error)))
        error = filch__guard_read_through(l);
    if (FILCH_UNLIKELY(error != 0 && error != EOWNERDEAD))
        filch__guard_misuse(error);
    return l;
}

static FILCH_ALWAYS_INLINE void filch__guard_unlock_read(void *const *guard) FILCH__UNCHECKED
{
    filch_rwlock_unlock_read((struct filch_rwlock *)*guard);
}

static FILCH_ALWAYS_INLINE void *filch__guard_write(struct filch_rwlock *l)
    FILCH__ASSERTS(*l) FILCH__UNCHECKED
{
    int error = filch_rwlock_write(l);
    if (FILCH_UNLIKELY(filch__guard_is_cancelled(error)))
        error = filch__guard_write_through(l);
    if (FILCH_UNLIKELY(error != 0 && error != EOWNERDEAD))
        filch__guard_misuse(error);
    return l;
}

static FILCH_ALWAYS_INLINE void filch__guard_unlock_write(void *const *guard) FILCH__UNCHECKED
{
    filch_rwlock_unlock_write((struct filch_rwlock *)*guard);
}

FILCH_EXTERN_C_END

#endif
