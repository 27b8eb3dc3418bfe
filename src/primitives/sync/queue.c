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

uint64_t filch__queue_enter_slow(uint64_t *word)
{
    uint64_t seen = filch__queue_is_free(word);
    while (!FILCH_CAS(word, &seen, seen | FILCH__LOCK_QUEUE, SY_queue, acquire))
        seen = filch__queue_is_free(word);
    return seen | FILCH__LOCK_QUEUE;
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

/* A wait, in its frame: what is needed after it is not kept in registers, which would have to be saved first. */
struct queue_wait {
    struct lock_waiter waiter; /* of which only what a queue needs is set */
    uint64_t *at;
    void **queue;
    int64_t deadline;
    uint64_t (*undo)(uint64_t word);
};

/* The wait has not ended with its first suspend, which has returned `error`. */
static FILCH_COLD int wait_on(struct queue_wait *wait, int error)
{
    struct lock_waiter *w = &wait->waiter;
    error = filch__park_on(&w->waiter, wait->deadline, error);
    if (error == 0)
        return 0;
    if (FILCH_LOAD_RELAXED(&w->home) == NULL) /* it stays so, and *at may be gone */
        return filch__park_through(&w->waiter, FILCH_FOREVER); /* its wake-up is due */
    uint64_t word = filch__queue_enter(wait->at);
    bool was_queued = FILCH_LOAD_RELAXED(&w->home) != NULL; /* under the queue */
    if (was_queued) {
        filch__queue_remove(wait->queue, w);
        if (wait->undo != NULL)
            word = wait->undo(word);
    }
    filch__queue_leave(wait->at, wait->queue, word);
    return was_queued ? error : filch__park_through(&w->waiter, FILCH_FOREVER);
}

int filch__queue_wait(uint64_t *at, int64_t deadline, void **queue, uint64_t (*undo)(uint64_t word))
{
    struct queue_wait wait;
    struct lock_waiter *w = &wait.waiter;
    wait.at = at;
    wait.queue = queue;
    wait.deadline = deadline;
    wait.undo = undo;
    filch__waiter_init(&w->waiter);
    FILCH_STORE_RELAXED(&w->home, at); /* under the queue */
    filch__queue_append(queue, w);
    filch__queue_leave_waiting(at);
    int error = 0; /* as in filch__park */
    if (FILCH_UNLIKELY(!filch__park_once(&w->waiter, deadline, &error)))
        return wait_on(&wait, error);
    return filch__back();
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

/* Many that wait lie in as many frames, in no cache, and each tells where the next one is. So these two walk
 * from both ends at once, and do there what can be done at once. */

struct lock_waiter *filch__queue_take_all(void **queue)
{
    struct lock_waiter *first = *queue;
    if (first == NULL)
        return NULL;
    struct lock_waiter *front = first;
    struct lock_waiter *end = first->prev;
    *queue = NULL;
    end->next = NULL;
    FILCH_STORE_RELAXED(&front->home, NULL); /* under the queue */
    while (front != end) {
        FILCH_STORE_RELAXED(&end->home, NULL); /* under the queue */
        front = front->next;
        if (front == end)
            break;
        FILCH_STORE_RELAXED(&front->home, NULL); /* under the queue */
        end = end->prev;
    }
    return first;
}

/* Takes w out, and wakes it if that may be. Returns whether it has been woken. */
static inline bool take_and_wake(struct lock_waiter *w, struct waiter_row *row, bool is_front)
{
    FILCH_STORE_RELAXED(&w->home, NULL); /* under the queue */
    return filch__wake_here(&w->waiter, row, is_front);
}

struct lock_waiter *filch__queue_wake_here(void **queue)
{
    struct lock_waiter *front = *queue;
    if (front == NULL)
        return NULL;
    struct lock_waiter *end = front->prev;
    struct lock_waiter *left = NULL; /* those that are left, from the front */
    struct lock_waiter **last = &left;
    struct lock_waiter *from_end = NULL; /* the same, from the end */
    struct waiter_row row = {.middle = NULL};
    while (true) {
        struct lock_waiter *next = front->next;
        if (!take_and_wake(front, &row, true)) {
            if (row.is_over)
                return filch__queue_take_all(queue);
            *last = front;
            last = &front->next;
        }
        if (front == end)
            break;
        front = next;
        struct lock_waiter *before = end->prev;
        if (!take_and_wake(end, &row, false)) {
            end->next = from_end;
            from_end = end;
        }
        if (front == end)
            break;
        end = before;
    }
    *queue = NULL;
    *last = from_end;
    return left;
}

void filch__queue_wake_all(struct lock_waiter *taken)
{
    while (taken != NULL) {
        struct lock_waiter *next = taken->next;
        filch__unpark(&taken->waiter); /* its frame may be gone */
        taken = next;
    }
}
