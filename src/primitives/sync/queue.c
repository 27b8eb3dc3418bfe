/* SPDX-License-Identifier: Apache-2.0 */
#include "sync/queue.h"

#include "park/spin.h"

uint64_t filch__queue_is_free_soon(uint64_t *word)
{
    uint64_t seen;
    for (int step = 0; ((seen = FILCH_LOAD_RELAXED(word)) & FILCH__LOCK_QUEUE) != 0;) /* a look */
        filch__spin_on(step++);
    return seen;
}

void filch__queue_enter_slow(uint64_t *word, uint64_t more)
{
    uint64_t seen = filch__queue_is_free(word);
    while (!FILCH_CAS(word, &seen, seen | FILCH__LOCK_QUEUE | more, SY_queue, acquire))
        seen = filch__queue_is_free(word);
}

int filch__queue_wait(uint64_t *at, void **queue, struct lock_waiter *w, int64_t deadline,
                      uint64_t (*undo)(uint64_t word))
{
    filch__lock_waiter_renew(w);
    FILCH_STORE_RELAXED(&w->home, at); /* under the queue */
    filch__queue_append(queue, w);
    filch__queue_leave(at, queue, FILCH_LOAD_RELAXED(at)); /* nobody else changes it */
    int error = filch__park(&w->waiter, deadline);
    if (error == 0)
        return 0;
    if (FILCH_LOAD_RELAXED(&w->home) == NULL) /* it stays so, and *at may be gone */
        return filch__park_through(&w->waiter, FILCH_FOREVER); /* its wake-up is due */
    filch__queue_enter(at, 0);
    bool was_queued = FILCH_LOAD_RELAXED(&w->home) != NULL; /* under the queue */
    uint64_t word = FILCH_LOAD_RELAXED(at);                 /* nobody else changes it */
    if (was_queued) {
        filch__queue_remove(queue, w);
        if (undo != NULL)
            word = undo(word);
    }
    filch__queue_leave(at, queue, word);
    return was_queued ? error : filch__park_through(&w->waiter, FILCH_FOREVER);
}

struct lock_waiter *filch__queue_take_first(void **queue)
{
    struct lock_waiter *w = *queue;
    if (w != NULL) {
        filch__queue_remove(queue, w);
        FILCH_STORE_RELAXED(&w->home, NULL); /* under the queue */
    }
    return w;
}

void *filch__queue_take_all(void **queue)
{
    void *taken = NULL;
    for (struct lock_waiter *w; (w = filch__queue_take_first(queue)) != NULL;)
        filch__queue_append(&taken, w);
    return taken;
}

void filch__queue_wake_all(void *taken)
{
    for (struct lock_waiter *w; (w = taken) != NULL;) {
        filch__queue_remove(&taken, w);
        filch__unpark(&w->waiter); /* its frame may be gone */
    }
}
