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

uint64_t filch__lock_queue_is_free(uint64_t *word)
{
    uint64_t seen;
    for (int step = 0; filch__lock_has_queue(seen = FILCH_LOAD_RELAXED(word));) /* a look */
        filch__spin_on(step++);
    return seen;
}

void filch__lock_queue_enter(uint64_t *word)
{
    uint64_t seen = filch__lock_queue_is_free(word);
    while (!FILCH_CAS(word, &seen, seen | FILCH__LOCK_QUEUE, SY_queue, acquire))
        seen = filch__lock_queue_is_free(word);
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
        return filch__back();
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

/* Takes w out, and wakes it if that may be. Returns whether it has been woken. */
static inline bool take_and_wake(struct lock_waiter *w, bool wakes_here, struct waiter_row *row,
                                 bool is_front)
{
    FILCH_STORE_RELAXED(&w->home, NULL); /* under the queue */
    return wakes_here && filch__wake_here(&w->waiter, row, is_front);
}

/* Many that wait lie in as many frames, in no cache, and each tells where the next one is. So this walks
 * from both ends at once, and does there what can be done at once. */
static FILCH_ALWAYS_INLINE struct lock_waiter *take_all(void **queue, bool wakes_here)
{
    struct lock_waiter *front = *queue;
    if (front == NULL)
        return NULL;
    struct lock_waiter *end = front->prev;
    struct lock_waiter *left = NULL; /* those that are left, from the front */
    struct lock_waiter **last = &left;
    struct lock_waiter *from_end = NULL; /* the same, from the end */
    struct waiter_row row = {.middle = NULL};
    *queue = NULL;
    while (true) {
        struct lock_waiter *next = front->next;
        if (!take_and_wake(front, wakes_here, &row, true)) {
            *last = front;
            last = &front->next;
        }
        if (front == end)
            break;
        front = next;
        struct lock_waiter *before = end->prev;
        if (!take_and_wake(end, wakes_here, &row, false)) {
            end->next = from_end;
            from_end = end;
        }
        if (front == end)
            break;
        end = before;
    }
    *last = from_end;
    return left;
}

struct lock_waiter *filch__queue_take_all(void **queue)
{
    return take_all(queue, false);
}

struct lock_waiter *filch__queue_wake_here(void **queue)
{
    return take_all(queue, true);
}

void filch__queue_wake_all(struct lock_waiter *taken)
{
    while (taken != NULL) {
        struct lock_waiter *next = taken->next;
        filch__unpark(&taken->waiter); /* its frame may be gone */
        taken = next;
    }
}
