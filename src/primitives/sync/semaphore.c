/* SPDX-License-Identifier: Apache-2.0 */
/* The semaphore. The word counts free permits, in units of FILCH__LOCK_READER; there are none while
 * somebody waits. */
#include "sync/queue.h"

#include <errno.h>
#include <filch/semaphore.h>

int filch_semaphore_try_acquire(struct filch_semaphore *s)
{
    if (s == NULL)
        return EINVAL;
    uint64_t seen = FILCH_LOAD_RELAXED(&s->filch__word); /* the swap decides */
    while (seen >= FILCH__LOCK_READER && (seen & FILCH__LOCK_QUEUE) == 0) {
        if (FILCH_CAS(&s->filch__word, &seen, seen - FILCH__LOCK_READER, SM_take, acquire))
            return 0;
    }
    return EBUSY;
}

int filch_semaphore_acquire_until(struct filch_semaphore *s, int64_t deadline)
{
    int error = filch_semaphore_try_acquire(s);
    if (error != EBUSY)
        return error;
    uint64_t word = filch__queue_enter(&s->filch__word);
    if (word >= FILCH__LOCK_READER) {
        filch__queue_leave(&s->filch__word, &s->filch__queue, word - FILCH__LOCK_READER);
        return 0;
    }
    return filch__queue_wait(&s->filch__word, deadline, &s->filch__queue, NULL);
}

int filch_semaphore_acquire(struct filch_semaphore *s)
{
    return filch_semaphore_acquire_until(s, FILCH_FOREVER);
}

void filch_semaphore_release(struct filch_semaphore *s, uint32_t count)
{
    if (s == NULL)
        return;
    uint64_t seen = FILCH_LOAD_RELAXED(&s->filch__word); /* the swap decides */
    while ((seen & FILCH__LOCK_BITS) == 0) {
        if (FILCH_CAS(&s->filch__word, &seen, seen + count * FILCH__LOCK_READER, SM_give, release))
            return;
    }
    struct lock_waiter *taken = NULL;
    struct lock_waiter **last = &taken;
    uint64_t word = filch__queue_enter(&s->filch__word);
    for (struct lock_waiter *w;
         count > 0 && (w = filch__queue_take_first(&s->filch__queue)) != NULL; count--) {
        w->next = NULL; /* as filch__queue_take_all makes a list */
        *last = w;
        last = &w->next;
    }
    filch__queue_leave(&s->filch__word, &s->filch__queue, word + count * FILCH__LOCK_READER);
    filch__queue_wake_all(taken);
}

uint64_t filch_semaphore_permits(const struct filch_semaphore *s)
{
    return s == NULL ? 0 : FILCH_LOAD_RELAXED(&s->filch__word) / FILCH__LOCK_READER; /* a number */
}
