/* SPDX-License-Identifier: Apache-2.0 */
/* The latch. The word holds the count, in units of FILCH__LOCK_READER. */
#include "sync/queue.h"

#include "base/check.h"

#include <errno.h>
#include <filch/latch.h>

void filch_latch_add(struct filch_latch *l, uint32_t count)
{
    if (l == NULL)
        return;
    uint64_t word = filch__queue_enter(&l->filch__word);
    filch__queue_leave(&l->filch__word, &l->filch__queue, word + count * FILCH__LOCK_READER);
}

/* Lowers the count to one that is above 0, unless somebody has the queue. */
static FILCH_ALWAYS_INLINE bool count_down_quickly(struct filch_latch *l)
{
    uint64_t seen = FILCH_LOAD_RELAXED(&l->filch__word); /* the swap decides */
    while (seen >= 2 * FILCH__LOCK_READER && (seen & FILCH__LOCK_QUEUE) == 0) {
        if (FILCH_CAS(&l->filch__word, &seen, seen - FILCH__LOCK_READER, LT_down, release))
            return true;
    }
    return false;
}

/* A function of its own, since this saves registers. */
static __attribute__((noinline)) void count_down_slowly(struct filch_latch *l)
{
    FILCH_CHECK(l != NULL, "filch_latch_count_down: the latch is NULL");
    struct lock_waiter *waiters = NULL;
    uint64_t word = filch__queue_enter(&l->filch__word);
    FILCH_CHECK(word >= FILCH__LOCK_READER, "filch_latch_count_down: the count is 0 already");
    word -= FILCH__LOCK_READER;
    if (word < FILCH__LOCK_READER)
        waiters = filch__queue_wake_here(&l->filch__queue);
    filch__queue_leave(&l->filch__word, &l->filch__queue, word);
    filch__queue_wake_all(waiters);
}

void filch_latch_count_down(struct filch_latch *l)
{
    if (FILCH_UNLIKELY(l == NULL) || !count_down_quickly(l))
        count_down_slowly(l);
}

int filch_latch_wait_until(struct filch_latch *l, int64_t deadline)
{
    if (l == NULL)
        return EINVAL;
    if (FILCH_LOAD(&l->filch__word, LT_look, acquire) < FILCH__LOCK_READER)
        return 0;
    uint64_t word = filch__queue_enter(&l->filch__word);
    if (word < FILCH__LOCK_READER) {
        filch__queue_leave(&l->filch__word, &l->filch__queue, word);
        return 0;
    }
    return filch__queue_wait(&l->filch__word, deadline, &l->filch__queue, NULL);
}

int filch_latch_wait(struct filch_latch *l)
{
    return filch_latch_wait_until(l, FILCH_FOREVER);
}
