/* SPDX-License-Identifier: Apache-2.0 */
/* The deque of tasks: one owner pushes and pops at the bottom, any number of thieves steal at the
 * top. Unbounded: it grows by doubling.
 *
 * Chase & Lev, "Dynamic Circular Work-Stealing Deque" (SPAA 2005), with the C11 orders of Le, Pop,
 * Cohen & Zappa Nardelli (PPoPP 2013) and four changes: a task is stored by value, four words, so
 * that spawning allocates nothing; there are no fences but sequentially consistent accesses, which
 * cost a locked exchange in pop and which ThreadSanitizer understands; slots of a new array are
 * initialised, since a thief with a stale top reads them before its swap fails; indices are compared
 * by signed difference, so they may wrap.
 *
 * The header compiles alone, given an allocator, so that a model checker reads it as it is. The
 * ordering table is in src/pool/README.md.
 */
#ifndef FILCH_POOL_DEQUE_H
#define FILCH_POOL_DEQUE_H

#include "base/atomic.h"
#include "os/os.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifndef FILCH_DEQUE_CAPACITY_MIN
#define FILCH_DEQUE_CAPACITY_MIN 256 /* a power of two; 8 KiB */
#endif

struct cancel;
struct tally;

/* A task, as queues hold it. */
struct task_item {
    void (*fn)(void *);
    void *arg;
    struct tally *tally; /* counts it; NULL: nobody does, it is a half */
    union {
        void (*drop)(void *);  /* where it is cancelled, called in place of fn; NULL: nothing is */
        struct cancel *within; /* of a half, which always runs: what can cancel its waits */
    };
};

/* A slot. A thief may read one that the owner is overwriting, so the words are accessed atomically;
 * its swap then fails, and what it has read is thrown away. */
struct deque_slot {
    FILCH_SHARED(uintptr_t) words[4];
};

struct deque_array {
    uint64_t capacity; /* const; a power of two */
    struct deque_array
        *previous; /* const; the outgrown one, kept since thieves may still read it */
    struct deque_slot slots[];
};

struct deque {
    _Alignas(FILCH_CACHE_LINE) FILCH_SHARED(uint64_t) top;
    _Alignas(FILCH_CACHE_LINE) FILCH_SHARED(uint64_t) bottom; /* owner writes */
    FILCH_SHARED(struct deque_array *) array;                 /* owner writes */
    uint64_t
        top_seen; /* owner only: a top that was, so that a push need not look at thieves' line */
};

enum deque_steal { DEQUE_STOLEN, DEQUE_EMPTY, DEQUE_LOST };

static inline struct deque_array *filch__deque_array_new(uint64_t capacity,
                                                         struct deque_array *previous)
{
    size_t size_bytes = sizeof(struct deque_array) + (size_t)capacity * sizeof(struct deque_slot);
    struct deque_array *array =
        (struct deque_array *)filch__os_alloc_zeroed(1, size_bytes, FILCH_CACHE_LINE);
    if (array != NULL) {
        array->capacity = capacity;
        array->previous = previous;
    }
    return array;
}

/* Prepares an empty deque.
 *   first  the index of the first task; tests choose one that is about to wrap
 * Returns 0; ENOMEM. */
static inline int filch__deque_init(struct deque *q, uint64_t first)
{
    struct deque_array *array = filch__deque_array_new(FILCH_DEQUE_CAPACITY_MIN, NULL);
    if (array == NULL)
        return ENOMEM;
    q->top = first;
    q->bottom = first;
    q->top_seen = first;
    q->array = array;
    return 0;
}

/* Frees the arrays. No thief is left; tasks that are still there are forgotten. */
static inline void filch__deque_destroy(struct deque *q)
{
    struct deque_array *array = q->array;
    while (array != NULL) {
        struct deque_array *previous = array->previous;
        filch__os->free(array);
        array = previous;
    }
}

static inline void filch__deque_slot_write(struct deque_slot *slot, const struct task_item *item)
{
    /* Relaxed: published by DQ_bottom_push; a thief that comes too early fails in its swap. */
    FILCH_STORE_RELAXED(&slot->words[0], (uintptr_t)item->fn);
    FILCH_STORE_RELAXED(&slot->words[1], (uintptr_t)item->arg);
    FILCH_STORE_RELAXED(&slot->words[2], (uintptr_t)item->tally);
    FILCH_STORE_RELAXED(&slot->words[3], (uintptr_t)item->drop);
}

static inline void filch__deque_slot_read(struct deque_slot *slot, struct task_item *item)
{
    item->fn = (void (*)(void *))FILCH_LOAD_RELAXED(&slot->words[0]); /* relaxed: see above */
    item->arg = (void *)FILCH_LOAD_RELAXED(&slot->words[1]);
    item->tally = (struct tally *)FILCH_LOAD_RELAXED(&slot->words[2]);
    item->drop = (void (*)(void *))FILCH_LOAD_RELAXED(&slot->words[3]);
}

static inline struct deque_slot *filch__deque_slot(struct deque_array *array, uint64_t index)
{
    return &array->slots[index & (array->capacity - 1)];
}

/* Copies what is there into an array of twice the size. Returns it; NULL: no memory. */
static inline struct deque_array *filch__deque_grow(struct deque *q, struct deque_array *old,
                                                    uint64_t top, uint64_t bottom)
{
    struct deque_array *array = filch__deque_array_new(old->capacity * 2, old);
    if (array == NULL)
        return NULL;
    for (uint64_t i = top; i != bottom; i++) {
        struct task_item item;
        filch__deque_slot_read(filch__deque_slot(old, i), &item);
        filch__deque_slot_write(filch__deque_slot(array, i), &item);
    }
    FILCH_STORE(&q->array, array, DQ_array_grow, release);
    return array;
}

/* Makes room for `count` more tasks, so that as many pushes cannot fail. Returns 0; ENOMEM. Owner
 * only. */
static inline int filch__deque_reserve(struct deque *q, size_t count)
{
    for (;;) {
        uint64_t bottom = FILCH_LOAD_RELAXED(&q->bottom); /* owner only */
        uint64_t top = FILCH_LOAD(&q->top, DQ_top_push, acquire);
        q->top_seen = top;
        struct deque_array *array = FILCH_LOAD_RELAXED(&q->array); /* owner only */
        if ((int64_t)(bottom - top) + (int64_t)count <= (int64_t)array->capacity)
            return 0;
        if (filch__deque_grow(q, array, top, bottom) == NULL)
            return ENOMEM;
    }
}

/* The first half of a push, which nobody sees yet. Returns false: first, room has to be made. Owner only. */
static inline bool filch__deque_put(struct deque *q, const struct task_item *item)
{
    uint64_t bottom = FILCH_LOAD_RELAXED(&q->bottom);          /* owner only */
    struct deque_array *array = FILCH_LOAD_RELAXED(&q->array); /* owner only */
    if (FILCH_UNLIKELY((int64_t)(bottom - q->top_seen) >= (int64_t)array->capacity))
        return false;
    filch__deque_slot_write(filch__deque_slot(array, bottom), item);
    return true;
}

/* The second half: the task is there. Owner only. */
static inline void filch__deque_show(struct deque *q)
{
    uint64_t bottom = FILCH_LOAD_RELAXED(&q->bottom); /* owner only */
    FILCH_STORE(&q->bottom, bottom + 1, DQ_bottom_push, release);
}

/* Pushes a task at the bottom. Returns 0; ENOMEM (nothing has changed). Owner only. */
static inline int filch__deque_push(struct deque *q, const struct task_item *item)
{
    if (FILCH_UNLIKELY(!filch__deque_put(q, item))) {
        int error = filch__deque_reserve(q, 1);
        if (error != 0)
            return error;
        (void)filch__deque_put(q, item);
    }
    filch__deque_show(q);
    return 0;
}

/* Pushes tasks, the last of them first, so that the first one is the newest, and shows them all at once.
 * Owner only, who has reserved the room. */
static inline void filch__deque_push_reversed(struct deque *q, const struct task_item *items,
                                              size_t count)
{
    uint64_t bottom = FILCH_LOAD_RELAXED(&q->bottom);          /* owner only */
    struct deque_array *array = FILCH_LOAD_RELAXED(&q->array); /* owner only */
    for (size_t i = 0; i < count; i++)
        filch__deque_slot_write(filch__deque_slot(array, bottom + i), &items[count - 1 - i]);
    FILCH_STORE(&q->bottom, bottom + count, DQ_bottom_push, release);
}

/* The newest task, as a look at it has found it. */
struct deque_newest {
    struct deque_slot *slot; /* NULL: there is none. It stays as it is until the next push */
    uint64_t index;
    uint64_t top; /* that was */
};

/* Looks at the newest task without taking it; a thief may take it at any time. Owner only. */
static inline struct deque_newest filch__deque_newest(struct deque *q)
{
    struct deque_newest n;
    n.index = FILCH_LOAD_RELAXED(&q->bottom) - 1; /* owner only */
    n.top = FILCH_LOAD_RELAXED(&q->top);          /* a look */
    /* Cheap where it is empty: only thieves move the top, and only up to bottom. */
    n.slot = (int64_t)(n.index - n.top) < 0
                 ? NULL
                 : filch__deque_slot(FILCH_LOAD_RELAXED(&q->array) /* owner only */, n.index);
    return n;
}

/* Takes the newest task, unless a thief has. Owner only, who has just looked at it. */
static inline bool filch__deque_take(struct deque *q, const struct deque_newest *newest)
{
    uint64_t bottom = newest->index;
    uint64_t top = newest->top;
    /* The only one is taken as a thief does, so the bottom may stay. */
    if (bottom == top)
        return FILCH_CAS(&q->top, &top, top + 1, DQ_top_only, seq_cst);
    /* Store then load, as the thief loads then loads: all four are sequentially consistent, so
     * either we see its top or it sees our bottom. */
    (void)FILCH_EXCHANGE(&q->bottom, bottom, DQ_bottom_pop, seq_cst);
    top = FILCH_LOAD(&q->top, DQ_top_pop, seq_cst);
    int64_t left = (int64_t)(bottom - top);
    bool taken = left >= 0;
    if (left <= 0) {
        /* The last one: a thief may be after it as well. */
        if (left == 0)
            taken = FILCH_CAS(&q->top, &top, bottom + 1, DQ_top_last, seq_cst);
        FILCH_STORE(&q->bottom, bottom + 1, DQ_bottom_restore, release);
    }
    return taken;
}

/* Reads the newest task without taking it. Returns false: empty. Owner only. */
static inline bool filch__deque_peek(struct deque *q, struct task_item *item)
{
    struct deque_newest newest = filch__deque_newest(q);
    if (newest.slot != NULL)
        filch__deque_slot_read(newest.slot, item);
    return newest.slot != NULL;
}

/* Pops the newest task. Returns true with *item; false: empty. Owner only. */
static inline bool filch__deque_pop(struct deque *q, struct task_item *item)
{
    struct deque_newest newest = filch__deque_newest(q);
    if (newest.slot == NULL || !filch__deque_take(q, &newest))
        return false;
    filch__deque_slot_read(newest.slot, item);
    return true;
}

/* Steals the oldest task. Returns DEQUE_STOLEN with *item; DEQUE_EMPTY; DEQUE_LOST: another one was
 * faster. Any thread. */
static inline enum deque_steal filch__deque_steal(struct deque *q, struct task_item *item)
{
    uint64_t top = FILCH_LOAD(&q->top, DQ_top_steal, seq_cst);
    uint64_t bottom = FILCH_LOAD(&q->bottom, DQ_bottom_steal, seq_cst);
    if ((int64_t)(bottom - top) <= 0)
        return DEQUE_EMPTY;
    struct deque_array *array = FILCH_LOAD(&q->array, DQ_array_steal, acquire);
    struct task_item seen;
    filch__deque_slot_read(filch__deque_slot(array, top), &seen);
    if (!FILCH_CAS(&q->top, &top, top + 1, DQ_top_claim, seq_cst))
        return DEQUE_LOST;
    *item = seen;
    return DEQUE_STOLEN;
}

/* Whether there is a task, for the protocol of idle.h: a worker that goes to sleep looks after it has
 * shown its waiter, and both accesses are sequentially consistent, so that they stay in this order. */
static inline bool filch__deque_has_any(struct deque *q)
{
    uint64_t bottom = FILCH_LOAD(&q->bottom, DQ_look, seq_cst);
    return (int64_t)(bottom - FILCH_LOAD_RELAXED(&q->top)) > 0; /* a stale one only errs upwards */
}

/* How many tasks there are; exact for the owner when no thief is about, else a hint. */
static inline size_t filch__deque_size(struct deque *q)
{
    int64_t size =
        (int64_t)(FILCH_LOAD_RELAXED(&q->bottom) - FILCH_LOAD_RELAXED(&q->top)); /* a hint */
    return size > 0 ? (size_t)size : 0;
}

#endif
