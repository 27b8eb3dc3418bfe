/* SPDX-License-Identifier: Apache-2.0 */
/* The waiters of a lock, in order; they live in the frames of those that wait.
 *
 * A lock is a word and the head of such a queue. Whoever has set the bit FILCH__LOCK_QUEUE of the word
 * has the queue, for a few instructions. The bit is given back together with whatever else changes in
 * the word, by the same swap, so that this swap is the last touch of the lock. */
#ifndef FILCH_SYNC_QUEUE_H
#define FILCH_SYNC_QUEUE_H

#include "park/park.h"

#include <filch/inline/lock.h>
#include <stdbool.h>

struct lock_waiter {
    struct waiter waiter;
    struct lock_waiter *next; /* under the queue, as prev; a ring */
    struct lock_waiter *prev;
    FILCH_SHARED(uint64_t *) home; /* the word whose queue it is in; NULL: none; under the queue */
    uint64_t self;                 /* const while it waits: what the word gets with the lock */
    uint64_t more;                 /* own, but whoever wakes it: what the word gets as well, then */
    struct filch_mutex
        *mutex;        /* const: in the queue of a condvar, which mutex it comes from; else unset */
    int64_t first_ns;  /* under the queue: since when it is the first one; 0: unknown */
    unsigned attempts; /* how often it was woken in vain; own */
    bool is_writer;    /* const */
    bool resists;      /* own: the wait must not be abandoned */
    bool is_thread;    /* const: of an OS thread; its waiter is not read after a wait */
    bool is_handed;    /* whoever woke it has handed it what it waits for */
};

#define LOCK_OWNER (~(FILCH__LOCK_BITS | FILCH__SELF_PANICKING))
/* What an owner takes out of the word of a mutex, or a reader-writer lock, with itself. */
#define LOCK_HELD (LOCK_OWNER | FILCH__SELF_BITS)
/* What such a word says of the queue. */
#define LOCK_QUEUE_BITS (FILCH__LOCK_QUEUE | FILCH__LOCK_WAITERS | FILCH__LOCK_LEFT)

/* Woken in vain so often, it gets the lock handed over. A model may hand over at once. */
#ifndef ATTEMPTS_MAX
#define ATTEMPTS_MAX 4
#endif

static inline bool filch__wants_handing(const struct lock_waiter *w)
{
    return w->attempts >= ATTEMPTS_MAX;
}

/* Prepares for waiting once more; the rest of *w is kept. */
static inline void filch__lock_waiter_renew(struct lock_waiter *w)
{
    filch__waiter_init(&w->waiter);
    w->is_thread = w->waiter.ops == &filch__waiter_thread_ops;
    w->is_handed = false;
}

/* Prepares for the first wait, field by field: clearing *w as a whole takes longer than many a wait.
 *   self  what the word gets with the lock; 0 where there is none */
static inline void filch__lock_waiter_init(struct lock_waiter *w, uint64_t self)
{
    filch__lock_waiter_renew(w);
    w->home = NULL; /* nobody else knows it yet */
    w->self = self;
    w->more = 0;
    w->first_ns = 0;
    w->attempts = 0;
    w->is_writer = false;
    w->resists = false;
}

/* Waits until somebody has taken w out of its queue and wakes it, or as park does. */
static inline int filch__lock_waiter_park(struct lock_waiter *w, int64_t deadline)
{
    return FILCH_UNLIKELY(w->resists) ? filch__park_through(&w->waiter, deadline)
                                      : filch__park(&w->waiter, deadline);
}

/* filch__queue_is_free where somebody has the queue. */
uint64_t filch__queue_is_free_soon(uint64_t *word);

/* The word, as soon as nobody has the queue.
 * Blocks: the OS thread, briefly. Panics: never. */
static inline uint64_t filch__queue_is_free(uint64_t *word)
{
    uint64_t seen = FILCH_LOAD_RELAXED(word); /* a look */
    return FILCH_LIKELY((seen & FILCH__LOCK_QUEUE) == 0) ? seen : filch__queue_is_free_soon(word);
}

/* filch__queue_enter where somebody has the queue. */
uint64_t filch__queue_enter_slow(uint64_t *word);

/* Sets the bit FILCH__LOCK_QUEUE of the word. Returns the word, which nobody else changes from now on.
 * Blocks: the OS thread, briefly. Panics: never. Ordering: acquires what the last one that had the
 * queue released (SY_queue). */
static inline uint64_t filch__queue_enter(uint64_t *word)
{
    uint64_t seen = FILCH_LOAD_RELAXED(word); /* the swap decides */
    if (FILCH_UNLIKELY((seen & FILCH__LOCK_QUEUE) != 0 ||
                       !FILCH_CAS(word, &seen, seen | FILCH__LOCK_QUEUE, SY_queue, acquire)))
        return filch__queue_enter_slow(word);
    return seen | FILCH__LOCK_QUEUE;
}

/* Gives the queue back.
 *   word  as it is to be, but for the bits of the queue, since nobody else changes it meanwhile
 * Nothing of the object is touched afterwards. Ordering: releases (SY_leave). */
static inline void filch__queue_leave(uint64_t *at, void *const *queue, uint64_t word)
{
    word &= ~(FILCH__LOCK_QUEUE | FILCH__LOCK_WAITERS);
    FILCH_STORE(at, *queue != NULL ? word | FILCH__LOCK_WAITERS : word, SY_leave, release);
}

/* The same where somebody is in the queue, and the rest of the word as it is. */
static inline void filch__queue_leave_waiting(uint64_t *at)
{
    uint64_t word = FILCH_LOAD_RELAXED(at); /* nobody else changes it */
    FILCH_STORE(at, (word & ~FILCH__LOCK_QUEUE) | FILCH__LOCK_WAITERS, SY_leave, release);
}

/* Of a mutex or a reader-writer lock: whether the last that had it has left WAITERS behind, with nobody at
 * the queue. Then that one has lock and queue until it has woken somebody, and nobody else changes what the
 * word says of them. */
static inline bool filch__lock_is_left(uint64_t word)
{
    return (word & (LOCK_HELD | FILCH__LOCK_WAITERS | FILCH__LOCK_QUEUE)) == FILCH__LOCK_WAITERS;
}

/* Whether somebody has the queue of such a lock. */
static inline bool filch__lock_has_queue(uint64_t word)
{
    return (word & FILCH__LOCK_QUEUE) != 0 || filch__lock_is_left(word);
}

/* The word of such a lock, as soon as nobody has the queue.
 * Blocks: the OS thread, briefly. Panics: never. */
uint64_t filch__lock_queue_is_free(uint64_t *word);

/* Takes the queue of such a lock. Ordering: as filch__queue_enter. */
void filch__lock_queue_enter(uint64_t *word);

/* Appends the caller, with the queue, and gives that back. Then waits until somebody takes it out and wakes it.
 * The waiter is in the frame of this one, so that callers end in a jump: there is a return less to be predicted.
 * Returns 0; what park returns: it has been taken out, and `undo` (NULL: nothing) been called before that
 * with the word, whose new value it returns. */
int filch__queue_wait(uint64_t *at, int64_t deadline, void **queue,
                      uint64_t (*undo)(uint64_t word));

/* Takes all waiters out, with the queue. Returns them, the first one, as a list by `next` with NULL at its
 * end. */
struct lock_waiter *filch__queue_take_all(void **queue);

/* The same, and wakes those that go on on this thread: when the caller waits, long after it has given the
 * queue back. So each of many is touched once. Returns the others, for filch__queue_wake_all. */
struct lock_waiter *filch__queue_wake_here(void **queue);

/* Takes the first waiter out, with the queue. Returns NULL: there is none. */
struct lock_waiter *filch__queue_take_first(void **queue);

/* Wakes the waiters of such a list. */
void filch__queue_wake_all(struct lock_waiter *taken);

/* --- with the queue --- */

static inline bool filch__queue_has_more(struct lock_waiter *first)
{
    return first->next != first;
}

static inline void filch__queue_append(void **queue, struct lock_waiter *w)
{
    struct lock_waiter *first = *queue;
    if (first == NULL) {
        w->next = w;
        *queue = w;
        w->prev = w;
        return;
    }
    struct lock_waiter *last = first->prev;
    w->next = first;
    last->next = w;
    w->prev = last;
    first->prev = w;
}

static inline void filch__queue_prepend(void **queue, struct lock_waiter *w)
{
    filch__queue_append(queue, w);
    *queue = w;
}

static inline void filch__queue_remove(void **queue, struct lock_waiter *w)
{
    struct lock_waiter *next = w->next == w ? NULL : w->next;
    w->next->prev = w->prev;
    w->prev->next = w->next;
    if (*queue == w)
        *queue = next;
}

#endif
