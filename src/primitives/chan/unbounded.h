/* SPDX-License-Identifier: Apache-2.0 */
/* The list of blocks of an unbounded channel.
 *
 * A position is block * `step` + index, with index from 0 to the slots of a block; the last value says
 * that the block is used up. Sending claims a slot by moving the tail's position, receiving looks at the
 * slot of the head's position and claims it by moving that. Stamps are
 *
 *     2 * position + 1     full: good for receiving at that position
 *     2 * position + 2     received
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
    FILCH_SHARED(uint64_t) position;
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

static FILCH_ALWAYS_INLINE struct slot *filch__list_slot(const struct list *l, struct block *block,
                                                         uint64_t index)
{
    return (struct slot *)(void *)((char *)block + BLOCK_HEADER_BYTES +
                                   index * l->layout.stride_bytes);
}

/* Returns 0; ENOMEM. */
static FILCH_ALWAYS_INLINE int filch__list_send(struct list *l, const void *value)
{
    uint64_t position;
    struct slot *slot;
    while (true) {
        position = FILCH_LOAD(&l->tail.position, CU_tail_look, acquire);
        uint64_t index = position & (l->step - 1);
        if (FILCH_UNLIKELY(index == l->block_slots)) {
            int error = filch__list_grow(l, position);
            if (error != 0)
                return error;
            continue;
        }
        /* Not older than the position; a newer one makes the swap fail. */
        slot = filch__list_slot(l, FILCH_LOAD_RELAXED(&l->tail.block), index);
        uint64_t seen = position;
        if (FILCH_LIKELY(FILCH_CAS(&l->tail.position, &seen, position + 1, CU_tail, seq_cst)))
            break;
        filch__cpu_relax();
    }
    filch__copy(filch__slot_value(slot, &l->layout), value, l->layout.size_bytes);
    if (FILCH_UNLIKELY(!l->has_barrier)) {
        (void)FILCH_EXCHANGE(&slot->stamp, 2 * position + 1, CU_stamp_dear, seq_cst);
        return 0;
    }
    FILCH_STORE(&slot->stamp, 2 * position + 1, CU_stamp, release);
    FILCH_FENCE_LIGHT(); /* the caller reads the word of the waits next */
    return 0;
}

/* Claims a message. Returns its slot and, in *position, its position; NULL: there is none. */
static FILCH_ALWAYS_INLINE struct slot *filch__list_claim(struct list *l, uint64_t *position)
{
    while (true) {
        *position = FILCH_LOAD(&l->head.position, CU_head_look, acquire);
        uint64_t index = *position & (l->step - 1);
        if (FILCH_UNLIKELY(index == l->block_slots)) {
            if (!filch__list_advance(l, *position))
                return NULL;
            continue;
        }
        struct slot *slot = filch__list_slot(l, FILCH_LOAD_RELAXED(&l->head.block), index);
        uint64_t stamp = FILCH_LOAD(&slot->stamp, CU_message, acquire);
        if (FILCH_LIKELY(stamp == 2 * *position + 1)) {
            uint64_t seen = *position;
            if (FILCH_LIKELY(FILCH_CAS(&l->head.position, &seen, seen + 1, CU_head, seq_cst)))
                return slot;
            filch__cpu_relax();
        } else if (FILCH_LOAD_RELAXED(&l->head.position) == *position) {
            return NULL; /* nothing is read from the slot, so a relaxed look will do */
        }
    }
}

static FILCH_ALWAYS_INLINE void filch__list_received(struct slot *slot, uint64_t position)
{
    FILCH_STORE(&slot->stamp, 2 * position + 2, CU_received, release);
}

/* Returns 0; EAGAIN: empty. */
static FILCH_ALWAYS_INLINE int filch__list_recv(struct list *l, void *value)
{
    uint64_t position;
    struct slot *slot = filch__list_claim(l, &position);
    if (slot == NULL)
        return EAGAIN;
    filch__copy(value, filch__slot_value(slot, &l->layout), l->layout.size_bytes);
    filch__list_received(slot, position);
    return 0;
}

/* Drops a message where it lies. Returns 0; EAGAIN: empty. */
FILCH_NODISCARD int filch__list_drop(struct list *l, void (*drop)(void *));

#endif
