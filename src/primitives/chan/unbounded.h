/* SPDX-License-Identifier: Apache-2.0 */
/* The list of blocks of an unbounded channel.
 *
 * A position is block * `step` + index, with index from 0 to the slots of a block; the last value says
 * that the block is used up. Sending claims a slot by moving the tail's position, receiving looks at the
 * slot of the head's position and claims it by moving that. Stamps are
 *
 *     2 * position + 1     full: good for receiving at that position
 *     2 * position + 2     received; by one that was not alone
 *
 * Whoever finds a block used up goes on to the next one, under the lock: a sender puts a new block at the
 * tail, a receiver moves the head on, and gives the old block back once all its messages are copied.
 *
 * A receiver may look at a slot of a block that has been given back meanwhile. It finds no stamp that is
 * good for its position there, or its swap of the head fails, since positions never come again. So blocks
 * stay where they are as long as the channel lives: what is returned to the system is the memory in them,
 * whole *extents* of blocks at a time, after which they read as zeros.
 *
 * Sleeping for want of a message is as in bounded.h. */
#ifndef FILCH_CHAN_UNBOUNDED_H
#define FILCH_CHAN_UNBOUNDED_H

#include "chan/alone.h"
#include "chan/slot.h"
#include "park/lock.h"

#include <errno.h>

enum { EXTENT_BLOCKS_MAX = 64 };

/* Mapped at once. */
struct extent {
    char *blocks;         /* const after creation */
    size_t count;         /* const after creation: of blocks */
    struct extent *older; /* const after creation: the one made before */
    uint64_t unused;      /* a bit for each block; under the list's lock, as all below */
    bool is_cold;         /* has given its memory back, or never had any */
    bool is_listed;       /* among those that have unused blocks */
    struct extent *next;  /* there */
    struct extent **link;
};

/* At the beginning of its own memory. Under the list's lock: what others do with a block needs none of
 * it. */
struct block {
    uint64_t first;        /* position of its first slot */
    struct block *next;    /* NULL: it is the last */
    struct block *waiting; /* the next of those whose last messages are being copied */
    struct extent *extent;
};

enum { BLOCK_HEADER_BYTES = 64 };

/* One end of the list. The block belongs to the position as long as that does not change. */
struct list_end {
    struct alone alone;
    FILCH_SHARED(struct block *) block;
} __attribute__((aligned(FILCH_CACHE_LINE)));

struct list {
    struct layout layout; /* const after creation, as those below */
    size_t block_slots;
    size_t block_bytes;
    uint64_t step;    /* a power of two above block_slots */
    bool has_barrier; /* filch__os->barrier() works */
    struct list_end tail;
    struct list_end head;
    struct lock lock;
    struct extent *extents;   /* the newest; under the lock, as all below */
    struct extent *available; /* those with unused blocks; those with memory first */
    struct block *waiting;    /* used up, but some messages are being copied */
    size_t idle_extents;      /* wholly unused, and not cold */
};

/* The list is all zero. Returns 0; ENOMEM. */
FILCH_NODISCARD int filch__list_init(struct list *l, size_t size_bytes);

/* Frees all blocks; nobody else knows the list. */
void filch__list_destroy(struct list *l);

/* As for rings. */
bool filch__list_has_message(struct list *l);
size_t filch__list_length(struct list *l);

/* Puts a block behind the one that is used up at `position`, if nobody has. Returns 0; ENOMEM. */
FILCH_NODISCARD int filch__list_grow(struct list *l, uint64_t position);

/* Moves the head on from `position`, where a block is used up, if nobody has. Returns false: there is no
 * block behind it. */
bool filch__list_advance(struct list *l, uint64_t position);

/* The slots of a block. */
static FILCH_ALWAYS_INLINE void *filch__list_slots(struct block *block)
{
    return (char *)block + BLOCK_HEADER_BYTES;
}

static FILCH_ALWAYS_INLINE uint64_t filch__list_index(const struct list *l, uint64_t position)
{
    return position & (l->step - 1);
}

static FILCH_ALWAYS_INLINE bool filch__list_is_used_up(const struct list *l, uint64_t position)
{
    return filch__list_index(l, position) == l->block_slots;
}

/* How many of `max` slots lie in the block of a position from there on. */
static FILCH_ALWAYS_INLINE size_t filch__list_most(const struct list *l, uint64_t position,
                                                   size_t max)
{
    uint64_t left = l->block_slots - filch__list_index(l, position);
    return max < left ? max : (size_t)left;
}

/* Moves an end on by `count` slots from `position`. Returns false: somebody else has. */
static FILCH_ALWAYS_INLINE bool filch__list_move(struct list_end *end, bool is_alone,
                                                 uint64_t position, uint64_t count)
{
    if (is_alone) {
        FILCH_STORE_RELAXED(&end->alone.position, position + count); /* published by leaving */
        return true;
    }
    if (FILCH_LIKELY(
            FILCH_CAS(&end->alone.position, &position, position + count, CU_claim, seq_cst)))
        return true;
    filch__cpu_relax();
    return false;
}

/* Sends up to `max` of the messages that lie one behind the other at `values`.
 *   position  receives where the first one is                                              [out]
 * Returns how many; 0: the block is used up at *position. */
static FILCH_ALWAYS_INLINE size_t filch__list_send(struct list *l, const struct layout *layout,
                                                   bool is_alone, const void *values, size_t max,
                                                   uint64_t *position)
{
    void *slots;
    size_t count;
    while (true) {
        *position = FILCH_LOAD(&l->tail.alone.position, CU_tail_look, acquire);
        count = filch__list_most(l, *position, max);
        if (FILCH_UNLIKELY(count == 0))
            return 0;
        /* Not older than the position; a newer one makes the swap fail. */
        slots = filch__list_slots(FILCH_LOAD_RELAXED(&l->tail.block));
        if (filch__list_move(&l->tail, is_alone, *position, count))
            break;
    }
    uint64_t index = filch__list_index(l, *position);
    for (size_t i = 0; i < count; i++, index++) {
        uint64_t full = 2 * (*position + i) + 1;
        uint64_t *stamp = filch__stamp_at(slots, layout, index);
        filch__copy(filch__value_at(slots, layout, index),
                    (const char *)values + i * layout->size_bytes, layout->size_bytes);
        if (!is_alone && FILCH_UNLIKELY(!l->has_barrier))
            (void)FILCH_EXCHANGE(stamp, full, CU_stamp_dear, seq_cst);
        else
            FILCH_STORE(stamp, full, CU_stamp, release);
    }
    FILCH_FENCE_LIGHT(); /* the caller reads the word of the waits next */
    return count;
}

/* Claims up to `max` messages of one block.
 *   position  receives where the first one is                                              [out]
 *   slots     receives the slots of its block                                              [out]
 * Returns how many; 0: there is none, or the block is used up at *position. */
static FILCH_ALWAYS_INLINE size_t filch__list_claim(struct list *l, const struct layout *layout,
                                                    bool is_alone, size_t max, uint64_t *position,
                                                    void **slots)
{
    while (true) {
        *position = FILCH_LOAD(&l->head.alone.position, CU_head_look, acquire);
        size_t most = filch__list_most(l, *position, max);
        if (FILCH_UNLIKELY(most == 0))
            return 0;
        *slots = filch__list_slots(FILCH_LOAD_RELAXED(&l->head.block));
        uint64_t index = filch__list_index(l, *position);
        size_t count = 0;
        for (; count < most; count++) {
            uint64_t stamp =
                FILCH_LOAD(filch__stamp_at(*slots, layout, index + count), CU_message, acquire);
            if (FILCH_UNLIKELY(stamp != 2 * (*position + count) + 1))
                break;
        }
        if (FILCH_UNLIKELY(count == 0)) {
            /* Nothing is read from the slot, so a relaxed look will do. */
            if (is_alone || FILCH_LOAD_RELAXED(&l->head.alone.position) == *position)
                return 0;
        } else if (filch__list_move(&l->head, is_alone, *position, count)) {
            return count;
        }
    }
}

/* Whether a claim might succeed; false: it would not have, at that moment. */
static FILCH_ALWAYS_INLINE bool filch__list_may_have_message(struct list *l)
{
    uint64_t position = FILCH_LOAD(&l->head.alone.position, CU_head_look, acquire);
    if (filch__list_is_used_up(l, position))
        return true; /* the next block may have one */
    uint64_t *stamp = filch__stamp_at(filch__list_slots(FILCH_LOAD_RELAXED(&l->head.block)),
                                      &l->layout, filch__list_index(l, position));
    return FILCH_LOAD(stamp, CU_message, acquire) == 2 * position + 1 ||
           FILCH_LOAD_RELAXED(&l->head.alone.position) != position; /* as in filch__list_claim */
}

/* The message at a position has been copied, or dropped. */
static FILCH_ALWAYS_INLINE void filch__list_received(struct list *l, const struct layout *layout,
                                                     void *slots, uint64_t position)
{
    FILCH_STORE(filch__stamp_at(slots, layout, filch__list_index(l, position)), 2 * position + 2,
                CU_received, release);
}

/* Receives up to `max` messages, one behind the other.
 *   position  as in filch__list_claim                                                      [out]
 * Returns how many; 0: as filch__list_claim. */
static FILCH_ALWAYS_INLINE size_t filch__list_recv(struct list *l, const struct layout *layout,
                                                   bool is_alone, void *values, size_t max,
                                                   uint64_t *position)
{
    void *slots = NULL; /* as far as a compiler can tell */
    size_t count = filch__list_claim(l, layout, is_alone, max, position, &slots);
    uint64_t index = filch__list_index(l, *position);
    for (size_t i = 0; i < count; i++, index++) {
        filch__copy((char *)values + i * layout->size_bytes, filch__value_at(slots, layout, index),
                    layout->size_bytes);
        if (!is_alone)
            filch__list_received(l, layout, slots, *position + i);
    }
    return count;
}

/* Drops a message where it lies; nobody receives any more. Returns 0; EAGAIN: empty. */
FILCH_NODISCARD int filch__list_drop(struct list *l, void (*drop)(void *));

#endif
