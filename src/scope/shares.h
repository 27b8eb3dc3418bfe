/* SPDX-License-Identifier: Apache-2.0 */
/* The iterations of a loop that nobody has begun. They lie in shares, one for each member (a thread that
 * works on the loop), as ranges of 32-bit numbers:
 *
 *     share 0: [next, end)    share 1: [next, end)    ...
 *
 * A member takes pieces from the front of its own share. When that is empty it takes the upper half of
 * another one's rest, and puts that into its own. Each share is one word, and each change of it one
 * compare-and-swap. A number is never put back once it has been taken, so a word that is not empty does
 * not come again. Who puts something into a share looks at it again before it leaves: what nobody has taken
 * then, it takes. So when all members have left, all has been done.
 *
 * Compiles alone, so that a model checker reads it as it is. */
#ifndef FILCH_SCOPE_SHARES_H
#define FILCH_SCOPE_SHARES_H

#include "base/atomic.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A range [next, end); next >= end: empty. */
struct share {
    _Alignas(FILCH_CACHE_LINE) FILCH_SHARED(uint64_t) range;
    FILCH_SHARED(size_t) grain; /* iterations of a leaf of its member, at least 1 */
};

static inline uint64_t filch__share_word(uint32_t next, uint32_t end)
{
    return next | (uint64_t)end << 32;
}

static inline uint32_t filch__share_next(uint64_t range)
{
    return (uint32_t)range;
}

static inline uint32_t filch__share_end(uint64_t range)
{
    return (uint32_t)(range >> 32);
}

/* How many numbers there are. */
static inline uint32_t filch__share_left(uint64_t range)
{
    uint32_t next = filch__share_next(range);
    uint32_t end = filch__share_end(range);
    return next < end ? end - next : 0;
}

/* Takes up to `count` from the front, where the share is as it was `seen`. Returns false, with *seen
 * renewed, where it is not. */
static inline bool filch__share_take(struct share *share, uint64_t *seen, uint32_t count)
{
    return FILCH_CAS(&share->range, seen, *seen + count, FR_take, relaxed);
}

/* The same from the back. */
static inline bool filch__share_steal(struct share *share, uint64_t *seen, uint32_t count)
{
    return FILCH_CAS(&share->range, seen, *seen - ((uint64_t)count << 32), FR_steal, relaxed);
}

/* Puts a range into a share that is empty. Returns false where it is not. */
static inline bool filch__share_put(struct share *share, uint64_t range)
{
    uint64_t seen = FILCH_LOAD_RELAXED(&share->range); /* the swap decides */
    return filch__share_left(seen) == 0 && FILCH_CAS(&share->range, &seen, range, FR_put, relaxed);
}

#endif
