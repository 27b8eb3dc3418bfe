/* SPDX-License-Identifier: Apache-2.0 */
/* The list of blocks of an unbounded channel.
 *
 * A position is block * `step` + index, with index from 0 to `block_end`, which says that the block is used
 * up. Sending claims a place by moving the tail's position, receiving looks at the place of the head's position
 * and claims it by moving that.
 *
 * A block is used again and again; each *life* of it has another number than the one before. A stamp is
 *
 *     life         good for receiving
 *     life + 1     received, by one that was not alone; not of packed messages
 *
 * and what else it may be is left from the life before, or 0, in memory that was never used.
 *
 * Whoever finds a block used up goes on to the next one, under the lock: a sender puts a new block at the
 * tail, a receiver moves the head on, and gives the old block back, once all its messages are copied. Packed
 * ones are by then: they are copied before they are claimed. What was copied is the message if the claim
 * succeeds, since positions never come again, and the place is used for another one only when the head is past
 * it. So nobody but their senders writes into the lines of packed messages.
 *
 * A receiver may look at a place of a block that has been given back meanwhile. Whatever it finds there, its
 * swap of the head fails. So blocks stay where they are as long as the channel lives: what is returned to the
 * system is the memory in them, whole *extents* of blocks at a time, after which they read as zeros.
 *
 * Sleeping for want of a message is as in bounded.h. */
#ifndef FILCH_CHAN_UNBOUNDED_H
#define FILCH_CHAN_UNBOUNDED_H

#include "chan/alone.h"
#include "chan/place.h"
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
    uint64_t life;         /* odd; 0: its memory was never used */
    uint64_t first;        /* position of its first slot */
    struct block *next;    /* NULL: it is the last */
    struct block *waiting; /* the next of those whose last messages are being copied */
    struct extent *extent;
};

enum { BLOCK_HEADER_BYTES = 64, LIFE_LAST = 253 };

/* One end of the list. The block and its life belong to the position as long as that does not change. */
struct list_end {
    struct alone alone;
    FILCH_SHARED(struct block *) block;
    FILCH_SHARED(place_stamp) life;
} __attribute__((aligned(FILCH_CACHE_LINE)));

struct list {
    struct places places; /* const after creation, as those below */
    size_t block_slots;   /* how many messages a block has room for */
    uint64_t block_end;   /* the index behind the last one */
    size_t block_bytes;
    uint64_t step;    /* a power of two above block_end */
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
    return filch__list_index(l, position) == l->block_end;
}

/* How many of `max` places lie in the block of a position from there on. */
static FILCH_ALWAYS_INLINE size_t filch__list_most(const struct list *l,
                                                   const struct places *places, uint64_t position,
                                                   size_t max)
{
    uint64_t index = filch__list_index(l, position);
    if (max == 1)
        return index != l->block_end;
    uint64_t left = l->block_slots - filch__place_ordinal(places, index);
    return max < left ? max : (size_t)left;
}

/* The position `count` places on, in the same block. */
static FILCH_ALWAYS_INLINE uint64_t filch__list_after(const struct list *l,
                                                      const struct places *places,
                                                      uint64_t position, size_t count)
{
    if (count == 1)
        return filch__place_next(places, position);
    uint64_t index = filch__list_index(l, position);
    return position - index +
           filch__place_index(places, filch__place_ordinal(places, index) + count);
}

/* Moves an end from a position to one behind it. Returns false: somebody else has. */
static FILCH_ALWAYS_INLINE bool filch__list_move(struct list_end *end, bool is_alone,
                                                 uint64_t position, uint64_t after)
{
    if (is_alone) {
        /* Published by leaving; but another one that looks may go on from the end of a block at once, and
         * give that back: what was copied from it was read before. */
        FILCH_STORE(&end->alone.position, after, CU_alone, release);
        return true;
    }
    if (FILCH_LIKELY(FILCH_CAS(&end->alone.position, &position, after, CU_claim, seq_cst)))
        return true;
    filch__cpu_relax();
    return false;
}

/* Sends up to `max` of the messages that lie one behind the other at `values`.
 *   position  receives where the first one is                                              [out]
 * Returns how many; 0: the block is used up at *position. */
static FILCH_ALWAYS_INLINE size_t filch__list_send(struct list *l, const struct places *places,
                                                   bool is_alone, const void *values, size_t max,
                                                   uint64_t *position)
{
    void *slots;
    place_stamp life;
    size_t count;
    while (true) {
        *position = FILCH_LOAD(&l->tail.alone.position, CU_tail_look, acquire);
        count = filch__list_most(l, places, *position, max);
        if (FILCH_UNLIKELY(count == 0))
            return 0;
        /* Not older than the position; newer ones make the swap fail. */
        slots = filch__list_slots(FILCH_LOAD_RELAXED(&l->tail.block));
        life = FILCH_LOAD_RELAXED(&l->tail.life); /* likewise */
        if (filch__list_move(&l->tail, is_alone, *position,
                             filch__list_after(l, places, *position, count)))
            break;
    }
    uint64_t index = filch__list_index(l, *position);
    for (size_t i = 0; i < count; i++) {
        place_stamp *stamp = filch__place_stamp(slots, places, index);
        filch__place_put(filch__place_value(slots, places, index), places,
                         (const char *)values + i * places->size_bytes);
        if (!is_alone && FILCH_UNLIKELY(!l->has_barrier))
            (void)FILCH_EXCHANGE(stamp, life, CU_stamp_dear, seq_cst);
        else
            FILCH_STORE(stamp, life, CU_stamp, release);
        index = filch__place_next(places, index);
    }
    FILCH_FENCE_LIGHT(); /* the caller reads the word of the waits next */
    return count;
}

enum { COPY_MAX = 64 }; /* packed messages that are claimed at once */

/* Claims up to `max` messages of one block.
 *   position  receives where the first one is                                              [out]
 *   slots     receives the slots of its block                                              [out]
 *   life      receives the life of that                                                    [out]
 *   copy      receives packed messages; room for `max`                                     [out]
 * Returns how many; 0: there is none, or the block is used up at *position. */
static FILCH_ALWAYS_INLINE size_t filch__list_claim(struct list *l, const struct places *places,
                                                    bool is_alone, size_t max, uint64_t *position,
                                                    void **slots, place_stamp *life, uint64_t *copy)
{
    while (true) {
        *position = FILCH_LOAD(&l->head.alone.position, CU_head_look, acquire);
        size_t most = filch__list_most(l, places, *position, max);
        if (FILCH_UNLIKELY(most == 0))
            return 0;
        *slots = filch__list_slots(FILCH_LOAD_RELAXED(&l->head.block)); /* as in send */
        *life = FILCH_LOAD_RELAXED(&l->head.life);                      /* likewise */
        uint64_t after = *position;
        size_t count = 0;
        for (; count < most; count++) {
            uint64_t index = filch__list_index(l, after);
            place_stamp stamp =
                FILCH_LOAD(filch__place_stamp(*slots, places, index), CU_message, acquire);
            if (FILCH_UNLIKELY(stamp != *life))
                break;
            if (places->is_packed)
                copy[count] = filch__place_word(filch__place_value(*slots, places, index));
            after = filch__place_next(places, after);
        }
        if (FILCH_UNLIKELY(count == 0)) {
            /* Nothing is read from the place, so a relaxed look will do. */
            if (is_alone || FILCH_LOAD_RELAXED(&l->head.alone.position) == *position)
                return 0;
        } else if (filch__list_move(&l->head, is_alone, *position, after)) {
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
    place_stamp *stamp = filch__place_stamp(filch__list_slots(FILCH_LOAD_RELAXED(&l->head.block)),
                                            &l->places, filch__list_index(l, position));
    place_stamp life = FILCH_LOAD_RELAXED(&l->head.life); /* as in filch__list_claim, all of it */
    return FILCH_LOAD(stamp, CU_message, acquire) == life ||
           FILCH_LOAD_RELAXED(&l->head.alone.position) != position;
}

/* A message that was claimed, and is not packed, has been copied, or dropped. */
static FILCH_ALWAYS_INLINE void filch__list_received(const struct places *places, void *slots,
                                                     place_stamp life, uint64_t index)
{
    FILCH_STORE(filch__place_stamp(slots, places, index), (place_stamp)(life + 1), CU_received,
                release);
}

/* Receives up to `max` messages, one behind the other.
 *   position  as in filch__list_claim                                                      [out]
 * Returns how many; 0: as filch__list_claim. */
static FILCH_ALWAYS_INLINE size_t filch__list_recv(struct list *l, const struct places *places,
                                                   bool is_alone, void *values, size_t max,
                                                   uint64_t *position)
{
    uint64_t copy[COPY_MAX];
    void *slots = NULL; /* as far as a compiler can tell */
    place_stamp life = 0;
    if (places->is_packed && max > COPY_MAX)
        max = COPY_MAX;
    size_t count = filch__list_claim(l, places, is_alone, max, position, &slots, &life, copy);
    uint64_t index = filch__list_index(l, *position);
    for (size_t i = 0; i < count; i++) {
        void *value = (char *)values + i * places->size_bytes;
        if (places->is_packed) {
            filch__copy(value, &copy[i], places->size_bytes);
            continue;
        }
        memcpy(value, filch__place_value(slots, places, index), places->size_bytes);
        if (!is_alone)
            filch__list_received(places, slots, life, index);
        index++;
    }
    return count;
}

/* Drops a message; nobody receives any more. Returns 0; EAGAIN: empty. */
FILCH_NODISCARD int filch__list_drop(struct list *l, void (*drop)(void *));

#endif
