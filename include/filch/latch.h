/* SPDX-License-Identifier: Apache-2.0 */
/* A latch, or wait group: counts what has yet to be done, and lets wait until nothing is left.
 *
 *     struct filch_latch left = FILCH_LATCH_INIT(3);
 *     ...                                    // three times, in threads or tasks
 *     filch_latch_count_down(&left);
 *     ...
 *     int error = filch_latch_wait(&left);
 *
 * The count may be raised again with filch_latch_add, before it is 0 or for another round. All functions
 * may be called by several threads and tasks at once.
 */
#ifndef FILCH_LATCH_H
#define FILCH_LATCH_H

#include <filch/attr.h>
#include <filch/errors.h>
#include <filch/inline/lock.h>
#include <filch/time.h>

FILCH_EXTERN_C_BEGIN

/* May lie anywhere; not copied or moved while it is in use. All zero: nothing is left to do. */
struct filch_latch {
    uint64_t filch__word; /* private, as the next */
    void *filch__queue;
};

/* For that many, at most 2^32. */
#define FILCH_LATCH_INIT(count)                                                                    \
    {                                                                                              \
        (uint64_t)(count) * FILCH__LOCK_READER, NULL                                               \
    }

/* Raises the count.
 *   l   NULL does nothing                                                               [in,out]
 * Blocks: never. Panics: never. Callable from: threads and tasks. */
FILCH_API void filch_latch_add(struct filch_latch *l, uint32_t count);

/* Lowers the count by 1; where it becomes 0, all that wait go on.
 *   l   with a count above 0, or it aborts with a message; its memory may be gone once it is at 0 and
 *       waits with a deadline, and of tasks that may be cancelled, have returned          [in,out]
 * Blocks: never. Panics: never. Callable from: threads and tasks. Ordering: happens before the end of
 * every wait. */
FILCH_API void filch_latch_count_down(struct filch_latch *l);

/* Waits until the count is 0.
 *   l   initialised                                                                     [in,out]
 * Returns 0; EINVAL (l NULL). Blocks: yes; a task suspends, its worker goes on. Panics: never.
 * Callable from: threads and tasks. Ordering: acquires what those that counted down did. */
FILCH_API FILCH_NODISCARD int filch_latch_wait(struct filch_latch *l);

/* The same, at most until a deadline (absolute ns on CLOCK_MONOTONIC); one that has passed only looks.
 * Returns as filch_latch_wait; ETIMEDOUT. Everything else as filch_latch_wait. */
FILCH_API FILCH_NODISCARD int filch_latch_wait_until(struct filch_latch *l, int64_t deadline);

FILCH_EXTERN_C_END

#endif
