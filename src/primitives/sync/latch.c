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
    filch__queue_enter(&l->filch__word);
    uint64_t word = FILCH_LOAD_RELAXED(&l->filch__word); /* only we change it */
    filch__queue_leave(&l->filch__word, &l->filch__queue, word + count * FILCH__LOCK_READER);
}

/* Lowers the count without the queue, unless that would end a wait, or somebody has the queue. */
static bool count_down_quickly(struct filch_latch *l)
{
    uint64_t seen = FILCH_LOAD_RELAXED(&l->filch__word); /* the swap decides */
    while ((seen & FILCH__LOCK_QUEUE) == 0 && seen >= FILCH__LOCK_READER &&
           (seen >= 2 * FILCH__LOCK_READER || (seen & FILCH__LOCK_WAITERS) == 0)) {
        if (FILCH_CAS(&l->filch__word, &seen, seen - FILCH__LOCK_READER, LT_down, release))
            return true;
    }
    return false;
}

void filch_latch_count_down(struct filch_latch *l)
{
    FILCH_CHECK(l != NULL, "filch_latch_count_down: the latch is NULL");
    if (count_down_quickly(l))
        return;
    struct lock_waiter *waiters = NULL;
    filch__queue_enter(&l->filch__word);
    uint64_t word = FILCH_LOAD_RELAXED(&l->filch__word); /* only we change it */
    FILCH_CHECK(word >= FILCH__LOCK_READER, "filch_latch_count_down: the count is 0 already");
    word -= FILCH__LOCK_READER;
    if (word < FILCH__LOCK_READER)
        waiters = filch__queue_wake_here(&l->filch__queue);
    filch__queue_leave(&l->filch__word, &l->filch__queue, word);
    filch__queue_wake_all(waiters);
}

int filch_latch_wait_until(struct filch_latch *l, int64_t deadline)
{
    if (l == NULL)
        return EINVAL;
    if (FILCH_LOAD(&l->filch__word, LT_look, acquire) < FILCH__LOCK_READER)
        return 0;
    filch__queue_enter(&l->filch__word);
    uint64_t word = FILCH_LOAD_RELAXED(&l->filch__word); /* only we change it */
    if (word < FILCH__LOCK_READER) {
        filch__queue_leave(&l->filch__word, &l->filch__queue, word);
        return 0;
    }
    return filch__queue_wait(&l->filch__word, &l->filch__queue, deadline, NULL);
}

int filch_latch_wait(struct filch_latch *l)
{
    return filch_latch_wait_until(l, FILCH_FOREVER);
}
