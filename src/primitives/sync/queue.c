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

void filch__queue_enter_slow(uint64_t *word)
{
    uint64_t seen = filch__queue_is_free(word);
    while (!FILCH_CAS(word, &seen, seen | FILCH__LOCK_QUEUE, SY_queue, acquire))
        seen = filch__queue_is_free(word);
}

int filch__queue_wait(uint64_t *at, void **queue, int64_t deadline, uint64_t (*undo)(uint64_t word))
{
    struct lock_waiter waiter;
    struct lock_waiter *w = &waiter;
    filch__lock_waiter_init(w, 0);
    FILCH_STORE_RELAXED(&w->home, at); /* under the queue */
    filch__queue_append(queue, w);
    filch__queue_leave(at, queue, FILCH_LOAD_RELAXED(at)); /* nobody else changes it */
    int error = filch__park(&w->waiter, deadline);
    if (error == 0)
        return 0;
    if (FILCH_LOAD_RELAXED(&w->home) == NULL) /* it stays so, and *at may be gone */
        return filch__park_through(&w->waiter, FILCH_FOREVER); /* its wake-up is due */
    filch__queue_enter(at);
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

/* Many that wait lie in as many frames, in no cache, and each tells where the next one is. So this walks
 * from both ends at once, and leaves in `prev` who comes some steps later, to be fetched ahead. */
struct lock_waiter *filch__queue_take_all(void **queue)
{
    enum { AHEAD = 8 };
    struct lock_waiter *first = *queue;
    if (first == NULL)
        return NULL;
    struct lock_waiter *passed[AHEAD] = {NULL}; /* from the front */
    struct lock_waiter *later[AHEAD] = {NULL};  /* from the end */
    struct lock_waiter *front = first;
    struct lock_waiter *end = first->prev;
    end->next = NULL;
    for (size_t i = 0;; i = (i + 1) % AHEAD) {
        if (passed[i] != NULL)
            passed[i]->prev = front;
        passed[i] = front;
        FILCH_STORE_RELAXED(&front->home, NULL); /* under the queue */
        if (front == end)
            break;
        front = front->next;
        struct lock_waiter *before = end->prev;
        end->prev = later[i];
        later[i] = end;
        FILCH_STORE_RELAXED(&end->home, NULL); /* the same */
        if (front == end)
            break;
        end = before;
    }
    *queue = NULL;
    return first;
}

void filch__queue_wake_all(struct lock_waiter *taken)
{
    while (taken != NULL) {
        struct lock_waiter *next = taken->next;
        __builtin_prefetch(taken->prev, 1);
        filch__unpark(&taken->waiter); /* its frame may be gone */
        taken = next;
    }
}
