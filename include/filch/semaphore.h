/* SPDX-License-Identifier: Apache-2.0 */
/* A counting semaphore: so many permits, taken one at a time.
 *
 *     static struct filch_semaphore slots = FILCH_SEMAPHORE_INIT(8);
 *     int error = filch_semaphore_acquire(&slots);
 *     ...
 *     filch_semaphore_release(&slots, 1);
 *
 * Permits have no owner: anybody may give one back, or more than there were. Those that wait get permits
 * in the order in which they came. All functions may be called by several threads and tasks at once.
 */
#ifndef FILCH_SEMAPHORE_H
#define FILCH_SEMAPHORE_H

#include <filch/attr.h>
#include <filch/errors.h>
#include <filch/inline/lock.h>
#include <filch/time.h>

FILCH_EXTERN_C_BEGIN

/* May lie anywhere; not copied or moved while it is in use. All zero has no permit. */
struct filch_semaphore {
    uint64_t filch__word; /* private, as the next */
    void *filch__queue;
};

/* With that many permits, at most 2^32. */
#define FILCH_SEMAPHORE_INIT(permits)                                                              \
    {                                                                                              \
        (uint64_t)(permits) * FILCH__LOCK_READER, NULL                                             \
    }

/* Takes a permit.
 *   s   initialised                                                                     [in,out]
 * Returns 0; EINVAL (s NULL). Blocks: yes; a task suspends, its worker goes on. Panics: never.
 * Callable from: threads and tasks. Ordering: acquires what the release of the permit released. */
FILCH_API FILCH_NODISCARD int filch_semaphore_acquire(struct filch_semaphore *s);

/* The same, at most until a deadline (absolute ns on CLOCK_MONOTONIC).
 * Returns as filch_semaphore_acquire; ETIMEDOUT (no permit was taken). Everything else as there. */
FILCH_API FILCH_NODISCARD int filch_semaphore_acquire_until(struct filch_semaphore *s,
                                                            int64_t deadline);

/* The same, if there is one.
 * Returns as filch_semaphore_acquire; EBUSY. Blocks: never. Everything else as there. */
FILCH_API FILCH_NODISCARD int filch_semaphore_try_acquire(struct filch_semaphore *s);

/* Gives `count` permits back, first to those that wait.
 *   s   its memory may be gone as soon as whoever waits has got what it waits for, and waits with a
 *       deadline, and of tasks that may be cancelled, have returned; NULL does nothing
 * Blocks: never. Panics: never. Callable from: threads and tasks. Ordering: releases to those that take
 * them. */
FILCH_API void filch_semaphore_release(struct filch_semaphore *s, uint32_t count);

/* How many permits there are, at some moment during the call; 0 for NULL.
 * Blocks: never. Panics: never. Callable from: threads and tasks. */
FILCH_API uint64_t filch_semaphore_permits(const struct filch_semaphore *s);

FILCH_EXTERN_C_END

#endif
