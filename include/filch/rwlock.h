/* SPDX-License-Identifier: Apache-2.0 */
/* A lock for many readers or one writer, poisoned by a writer that panics.
 *
 *     static struct filch_rwlock lock = FILCH_RWLOCK_INIT;
 *
 *     int error = filch_rwlock_read(&lock);
 *     if (error == EOWNERDEAD)                  // it IS held; a writer has panicked
 *         ...
 *     entry = find(&table, key);
 *     filch_rwlock_unlock_read(&lock);
 *
 * The owner is the thread, or the task, wherever it waits meanwhile. Once a writer is the next to get the
 * lock, new readers wait behind it, and readers that wait are let in together when a writer leaves, so
 * neither side starves. So a reader that reads again may wait for itself: behind a writer that waits for
 * it. All functions may be called by several threads and tasks at once. Not promised: an order.
 */
#ifndef FILCH_RWLOCK_H
#define FILCH_RWLOCK_H

#include <filch/attr.h>
#include <filch/errors.h>
#include <filch/inline/lock.h>
#include <filch/time.h>

FILCH_EXTERN_C_BEGIN

/* May lie anywhere; not copied or moved while it is in use. All zero is a free lock. */
struct FILCH__CAPABILITY("rwlock") filch_rwlock {
    uint64_t filch__word; /* private, as the next */
    void *filch__queue;
};

#ifdef __cplusplus
#define FILCH_RWLOCK_INIT                                                                          \
    {                                                                                              \
    }
#else
#define FILCH_RWLOCK_INIT                                                                          \
    {                                                                                              \
        0, NULL                                                                                    \
    }
#endif

/* Takes the lock for reading.
 *   l   initialised                                                                     [in,out]
 * Returns 0; EOWNERDEAD (it IS held, its data is poisoned); EDEADLK (the caller is its writer); EINVAL
 * (l NULL). Ownership: borrows l until it is given back.
 * Blocks: yes; a task suspends, its worker goes on. Panics: never. Callable from: threads and tasks.
 * Ordering: acquires what the last writer released. */
FILCH_API FILCH_NODISCARD int filch_rwlock_read(struct filch_rwlock *l) FILCH__ACQUIRES_SHARED(*l);

/* The same, at most until a deadline.
 *   deadline  absolute ns on CLOCK_MONOTONIC; FILCH_FOREVER for none
 * Returns as filch_rwlock_read; ETIMEDOUT (it is not held). Everything else as filch_rwlock_read. */
FILCH_API FILCH_NODISCARD int filch_rwlock_read_until(struct filch_rwlock *l, int64_t deadline)
    FILCH__TRY_ACQUIRES_SHARED(0, *l);

/* The same, if that is possible at once.
 * Returns as filch_rwlock_read; EBUSY (a writer has it, perhaps the caller, or waits). Blocks: never.
 * Everything else as filch_rwlock_read. */
FILCH_API FILCH_NODISCARD int filch_rwlock_try_read(struct filch_rwlock *l)
    FILCH__TRY_ACQUIRES_SHARED(0, *l);

/* Takes the lock for writing. Returns EDEADLK where the caller is its writer already; that it is one of
 * its readers is not known, and it waits for ever. Everything else as filch_rwlock_read. Ordering:
 * acquires what the last readers and the last writer released. */
FILCH_API FILCH_NODISCARD int filch_rwlock_write(struct filch_rwlock *l) FILCH__ACQUIRES(*l);

/* The same, at most until a deadline.
 *   deadline  absolute ns on CLOCK_MONOTONIC; FILCH_FOREVER for none
 * Returns as filch_rwlock_write; ETIMEDOUT (it is not held). Everything else as filch_rwlock_write. */
FILCH_API FILCH_NODISCARD int filch_rwlock_write_until(struct filch_rwlock *l, int64_t deadline)
    FILCH__TRY_ACQUIRES(0, *l);

/* The same, if that is possible at once.
 * Returns as filch_rwlock_write; EBUSY (somebody, perhaps the caller, has it). Blocks: never.
 * Everything else as filch_rwlock_write. */
FILCH_API FILCH_NODISCARD int filch_rwlock_try_write(struct filch_rwlock *l)
    FILCH__TRY_ACQUIRES(0, *l);

/* Gives the lock back.
 *   l   held by the caller for reading; aborts with a message where nobody reads. Its memory may be gone
 *       as soon as somebody else has taken it                                             [in,out]
 * Blocks: never. Panics: never. Callable from: threads and tasks. Ordering: releases to the next
 * writer. */
FILCH_API void filch_rwlock_unlock_read(struct filch_rwlock *l) FILCH__RELEASES_SHARED(*l);

/* The same for a writer. A caller that panics, and was not yet panicking when it took the lock, poisons
 * it.
 *   l   held by the caller for writing; aborts with a message where it is not           [in,out]
 * Everything else as filch_rwlock_unlock_read. Ordering: releases to whoever takes it next. */
FILCH_API void filch_rwlock_unlock_write(struct filch_rwlock *l) FILCH__RELEASES(*l);

/* Makes the caller, the writer, a reader, with no other writer in between; other readers are let in.
 *   l   held by the caller for writing; aborts with a message where it is not           [in,out]
 * Blocks: never. Panics: never. Callable from: threads and tasks. Ordering: releases to readers. */
FILCH_API void filch_rwlock_downgrade(struct filch_rwlock *l) FILCH__UNCHECKED;

/* Whether a panic has poisoned the lock; may be asked by anybody.
 *   l   NULL counts as not poisoned                                                          [in]
 * Returns 1 or 0. Blocks: never. Panics: never. Callable from: threads and tasks. */
FILCH_API int filch_rwlock_is_poisoned(const struct filch_rwlock *l);

/* The data is in order again: later locks return 0.
 *   l   held or not; NULL does nothing                                                  [in,out]
 * Blocks: never. Panics: never. Callable from: threads and tasks. */
FILCH_API void filch_rwlock_clear_poison(struct filch_rwlock *l);

/* Checks that the lock is out of use, for those who want to know before they free its memory; nothing
 * needs to be given back.
 *   l   NULL does nothing                                                               [in,out]
 * Returns 0: it is a fresh lock, not poisoned; EBUSY: held or waited for, nothing was changed.
 * Blocks: never. Panics: never. Callable from: threads and tasks. */
FILCH_API FILCH_NODISCARD int filch_rwlock_destroy(struct filch_rwlock *l);

/* --- inline: the functions above, for locks that nobody contends --- */

/* filch_rwlock_read_until where one swap does not do: with a writer, waiters, poison, or a bad argument. */
FILCH_API int filch__rwlock_read_slow(struct filch_rwlock *l, int64_t deadline);

/* filch_rwlock_write_until, likewise. */
FILCH_API int filch__rwlock_write_slow(struct filch_rwlock *l, int64_t deadline);

/* filch_rwlock_unlock_read where somebody may have to be woken, or the caller holds nothing.
 *   seen  the word before the caller was taken out of it; of no meaning where l is NULL */
FILCH_API void filch__rwlock_unlock_read_slow(struct filch_rwlock *l, uint64_t seen);

/* filch_rwlock_unlock_write where somebody may have to be woken, a panic poisons, or the caller holds nothing.
 *   seen  the word before the caller was taken out of it; of no meaning where l is NULL or the caller not
 *         usual: it still has to be */
FILCH_API void filch__rwlock_unlock_write_slow(struct filch_rwlock *l, uint64_t seen);

static FILCH_ALWAYS_INLINE FILCH_NODISCARD int filch__rwlock_read(struct filch_rwlock *l)
    FILCH__ACQUIRES_SHARED(*l) FILCH__UNCHECKED
{
    uint64_t seen = 0; /* a guess saves the look, where there is no reader */
    if (FILCH_LIKELY(l != NULL &&
                     FILCH_CAS(&l->filch__word, &seen, FILCH__LOCK_READER, RW_read, acquire)))
        return 0;
    if (FILCH_LIKELY(
            l != NULL && (seen & (FILCH__LOCK_BITS | FILCH__SELF_PANICKING)) == 0 &&
            FILCH_CAS(&l->filch__word, &seen, seen + FILCH__LOCK_READER, RW_read, acquire)))
        return 0;
    return filch__rwlock_read_slow(l, FILCH_FOREVER);
}

static FILCH_ALWAYS_INLINE void filch__rwlock_unlock_read(struct filch_rwlock *l)
    FILCH__RELEASES_SHARED(*l) FILCH__UNCHECKED
{
    uint64_t seen = 0;
    if (FILCH_UNLIKELY(l == NULL) ||
        FILCH_UNLIKELY((seen = FILCH_FETCH_SUB(&l->filch__word, FILCH__LOCK_READER, RW_unlock_read,
                                               release)) == 0 ||
                       (seen & FILCH__LOCK_BITS) != 0))
        filch__rwlock_unlock_read_slow(l, seen);
}

static FILCH_ALWAYS_INLINE FILCH_NODISCARD int filch__rwlock_write(struct filch_rwlock *l)
    FILCH__ACQUIRES(*l) FILCH__UNCHECKED
{
    uint64_t self = filch__self, seen = 0;
    if (FILCH_LIKELY(
            l != NULL && self != 0 &&
            FILCH_CAS(&l->filch__word, &seen, self | FILCH__LOCK_WRITING, RW_write, acquire)))
        return 0;
    return filch__rwlock_write_slow(l, FILCH_FOREVER);
}

static FILCH_ALWAYS_INLINE void filch__rwlock_unlock_write(struct filch_rwlock *l)
    FILCH__RELEASES(*l) FILCH__UNCHECKED
{
    uint64_t self = filch__self, held = self | FILCH__LOCK_WRITING, seen = 0;
    if (FILCH_UNLIKELY(l == NULL || !filch__self_is_usual(self) ||
                       (seen = FILCH_FETCH_SUB(&l->filch__word, held, RW_unlock_write, release)) !=
                           held))
        filch__rwlock_unlock_write_slow(l, seen);
}

#define filch_rwlock_read(l) filch__rwlock_read(l)
#define filch_rwlock_unlock_read(l) filch__rwlock_unlock_read(l)
#define filch_rwlock_write(l) filch__rwlock_write(l)
#define filch_rwlock_unlock_write(l) filch__rwlock_unlock_write(l)

FILCH_EXTERN_C_END

#endif
