/* SPDX-License-Identifier: Apache-2.0 */
/* The inline part of locks: taking one that is free, giving one back that nobody waits for. Private,
 * although public headers include it. src/primitives/README.md has the protocols.
 *
 * The word of a lock holds the owner (filch/inline/self.h) and these bits. Where all of them are 0 one
 * swap does, and everything else, a poisoned lock included, is the slow path's, and so is an owner that
 * panics.
 */
#ifndef FILCH_INLINE_LOCK_H
#define FILCH_INLINE_LOCK_H

#include <filch/attr.h>
#include <filch/inline/atomic.h>
#include <filch/inline/self.h>
#include <filch/time.h>
#include <stddef.h>
#include <stdint.h>

FILCH_EXTERN_C_BEGIN

#define FILCH__LOCK_POISONED UINT64_C(4)
#define FILCH__LOCK_WAITERS UINT64_C(8)  /* the queue is not empty; see queue.h */
#define FILCH__LOCK_QUEUE UINT64_C(16)   /* somebody has the queue; may not be kept for long */
#define FILCH__LOCK_WAKING UINT64_C(32)  /* an rwlock's writer was woken, and is under way */
#define FILCH__LOCK_WRITING UINT64_C(64) /* of a reader-writer lock: it has an owner */
#define FILCH__LOCK_LEFT UINT64_C(128)   /* a lock is free, and its queue is not empty */
#define FILCH__LOCK_BITS UINT64_C(255)
/* What a reader adds to the word of a reader-writer lock. */
#define FILCH__LOCK_READER UINT64_C(256)

struct filch_mutex;
struct filch_rwlock;

/* What the inline functions of filch/mutex.h call where one swap does not do: filch_mutex_lock_until, */
FILCH_API int filch__mutex_lock_slow(struct filch_mutex *m, int64_t deadline);

/* filch_mutex_try_lock, */
FILCH_API int filch__mutex_try_lock_slow(struct filch_mutex *m);

/* and filch_mutex_unlock.
 *   seen  the word before the caller was taken out of it; of no meaning where m is NULL or the caller not
 *         usual: it still has to be                                                                */
FILCH_API void filch__mutex_unlock_slow(struct filch_mutex *m, uint64_t seen);

FILCH_EXTERN_C_END

#endif
