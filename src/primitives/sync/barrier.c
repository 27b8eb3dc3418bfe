/* SPDX-License-Identifier: Apache-2.0 */
/* The barrier. The word counts those that wait, in units of FILCH__LOCK_READER. */
#include "sync/queue.h"

#include <errno.h>
#include <filch/barrier.h>

static uint64_t one_less(uint64_t word)
{
    return word - FILCH__LOCK_READER;
}

int filch_barrier_wait_until(struct filch_barrier *b, int *is_leader, int64_t deadline)
{
    if (b == NULL)
        return EINVAL;
    uint64_t word = filch__queue_enter(&b->filch__word) + FILCH__LOCK_READER;
    bool is_last = word / FILCH__LOCK_READER >= b->filch__parties;
    int error = 0;
    if (is_last) {
        struct lock_waiter *waiters = filch__queue_wake_here(&b->filch__queue);
        filch__queue_leave(&b->filch__word, &b->filch__queue, 0);
        filch__queue_wake_all(waiters);
    } else {
        FILCH_STORE_RELAXED(&b->filch__word, word); /* under the queue */
        error = filch__queue_wait(&b->filch__word, deadline, &b->filch__queue, one_less);
    }
    if (error == 0 && is_leader != NULL)
        *is_leader = is_last;
    return error;
}

int filch_barrier_wait(struct filch_barrier *b, int *is_leader)
{
    return filch_barrier_wait_until(b, is_leader, FILCH_FOREVER);
}
