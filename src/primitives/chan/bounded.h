/* SPDX-License-Identifier: Apache-2.0 */
/* The ring of a bounded channel: Dmitry Vyukov's bounded queue (2010), with positions that say their lap,
 * so that any capacity from 1 will do.
 *
 * A position is lap * `lap` + index. The slot of an index is good for
 *
 *     stamp == position            sending: empty, in the lap of that position
 *     stamp == position + 1        receiving: full
 *
 * and `lap` is larger than the capacity, so the two never coincide. Who wants to send looks at the slot
 * at the tail, claims it by moving the tail, copies, and stamps it; receiving is the same at the head.
 * Between claim and stamp nobody waits for the claimer: the slot is then good for nothing, and the
 * operation of another one says "full" or "empty".
 *
 * Who is about to sleep for want of a message has shown itself, and looks once more:
 *
 *     tail == head              nothing is claimed: who claims later sees the entry that is shown,
 *                               since it swaps the tail, then reads the word of the waits (CB_tail, CW_look)
 *     the slot is stamped       there is a message
 *     claimed, not stamped      the claimer stamps, then reads the word, with nothing but a compiler
 *                               barrier between. We have every processor order its accesses
 *                               (membarrier), and look again: either the stamp is there, or the claimer
 *                               reads the word after the barrier, and sees the entry
 *
 * and correspondingly for room. Where membarrier(2) is not to be had, stamps are exchanges. */
#ifndef FILCH_CHAN_BOUNDED_H
#define FILCH_CHAN_BOUNDED_H

#include "chan/alone.h"
#include "chan/slot.h"

#include <errno.h>

/* Where the next message is put, or taken. */
struct ring_end {
    struct alone alone;
} __attribute__((aligned(FILCH_CACHE_LINE)));

struct ring {
    char *slots;      /* const after creation, as all up to the layout */
    char *stamps;     /* the stamp of the first one */
    uint64_t indices; /* the bits of a position that are its index: `lap` - 1 */
    size_t capacity;  /* of slots; above 0 */
    bool has_barrier; /* filch__os->barrier() works */
    struct layout layout;
    struct ring_end tail;
    struct ring_end head;
};

/* The ring is all zero. Returns 0; ENOMEM. */
FILCH_NODISCARD int filch__ring_init(struct ring *r, size_t size_bytes, size_t capacity);
void filch__ring_destroy(struct ring *r);

/* Whether there is a message; false: there is none, and whoever sends one from now on sees the entry
 * that the caller has shown before. */
bool filch__ring_has_message(struct ring *r);

/* The same for room. */
bool filch__ring_has_room(struct ring *r);

/* How many messages there are, claimed ones included; at some moment during the call. */
size_t filch__ring_length(struct ring *r);

/* From a position to that of the same slot in the next lap. */
static FILCH_ALWAYS_INLINE uint64_t filch__ring_lap(const struct ring *r)
{
    return r->indices + 1;
}

static FILCH_ALWAYS_INLINE uint64_t filch__ring_index(const struct ring *r, uint64_t position)
{
    return position & r->indices;
}

/* Whether there are none: all that had been sent before the call have been received, or are being. */
static FILCH_ALWAYS_INLINE bool filch__ring_is_empty(struct ring *r)
{
    uint64_t tail = FILCH_LOAD(&r->tail.alone.position, CB_look, seq_cst);
    return FILCH_LOAD(&r->head.alone.position, CB_look, seq_cst) == tail;
}

/* Whether there is no room: the same of what has been received. */
static FILCH_ALWAYS_INLINE bool filch__ring_is_full(struct ring *r)
{
    uint64_t head = FILCH_LOAD(&r->head.alone.position, CB_look, seq_cst);
    return FILCH_LOAD(&r->tail.alone.position, CB_look, seq_cst) == head + filch__ring_lap(r);
}

static FILCH_ALWAYS_INLINE uint64_t *
filch__ring_stamp_at(const struct ring *r, const struct layout *layout, uint64_t position)
{
    return filch__stamp_at(r->slots, layout, filch__ring_index(r, position));
}

static FILCH_ALWAYS_INLINE void *
filch__ring_value_at(const struct ring *r, const struct layout *layout, uint64_t position)
{
    return filch__value_at(r->slots, layout, filch__ring_index(r, position));
}

static FILCH_ALWAYS_INLINE uint64_t filch__ring_after(const struct ring *r, uint64_t position)
{
    bool is_last = filch__ring_index(r, position) + 1 >= r->capacity;
    return (is_last ? position | r->indices : position) + 1;
}

/* How many slots were claimed before a position. */
static inline uint64_t filch__ring_before(const struct ring *r, uint64_t position)
{
    return position / filch__ring_lap(r) * r->capacity + filch__ring_index(r, position);
}

/* Claims up to `max` slots whose stamps are their positions plus `good`, at an end that moves on.
 *   position  receives that of the first one                                               [out]
 * Returns how many; 0: none is good. */
static FILCH_ALWAYS_INLINE size_t filch__ring_claim(struct ring *r, const struct layout *layout,
                                                    struct ring_end *end, uint64_t good,
                                                    bool is_alone, size_t max, uint64_t *position)
{
    uint64_t first =
        FILCH_LOAD_RELAXED(&end->alone.position); /* the swap decides, or nobody else moves it */
    while (true) {
        uint64_t next = first;
        size_t count = 0;
        int64_t ahead = 0;
        for (; count < max; count++) {
            uint64_t *stamp = filch__ring_stamp_at(r, layout, next);
            ahead = (int64_t)(FILCH_LOAD(stamp, CB_stamped, acquire) - next - good);
            if (FILCH_UNLIKELY(ahead != 0))
                break;
            next = filch__ring_after(r, next);
        }
        *position = first;
        if (FILCH_UNLIKELY(count == 0)) {
            if (is_alone || ahead < 0)
                return 0;
            first = FILCH_LOAD_RELAXED(&end->alone.position); /* it has moved on */
        } else if (is_alone) {
            FILCH_STORE_RELAXED(&end->alone.position, next); /* published by leaving */
            return count;
        } else if (FILCH_LIKELY(FILCH_CAS(&end->alone.position, &first, next, CB_claim, seq_cst))) {
            return count;
        } else {
            filch__cpu_relax();
        }
    }
}

/* Whether a claim there might succeed; false: it would not have, at that moment. */
static FILCH_ALWAYS_INLINE bool filch__ring_may_be_good(struct ring *r, struct ring_end *end,
                                                        uint64_t good)
{
    uint64_t position = FILCH_LOAD_RELAXED(&end->alone.position); /* an old one looks too good */
    uint64_t *stamp =
        (uint64_t *)(void *)(r->stamps + filch__ring_index(r, position) * r->layout.stamp_stride);
    /* Positions are small: their laps do not end. */
    return (int64_t)FILCH_LOAD(stamp, CB_stamped, acquire) >= (int64_t)(position + good);
}

/* What a slot was claimed for is done. The caller reads the word of the waits next. */
static FILCH_ALWAYS_INLINE void filch__ring_stamp(struct ring *r, bool is_alone, uint64_t *place,
                                                  uint64_t stamp)
{
    if (!is_alone && FILCH_UNLIKELY(!r->has_barrier)) {
        (void)FILCH_EXCHANGE(place, stamp, CB_stamp_dear, seq_cst);
        return;
    }
    FILCH_STORE(place, stamp, CB_stamp, release);
    FILCH_FENCE_LIGHT();
}

/* Sends up to `max` of the messages that lie one behind the other at `values`. Returns how many. */
static FILCH_ALWAYS_INLINE size_t filch__ring_send(struct ring *r, const struct layout *layout,
                                                   bool is_alone, const void *values, size_t max)
{
    uint64_t position;
    size_t count = filch__ring_claim(r, layout, &r->tail, 0, is_alone, max, &position);
    for (size_t i = 0; i < count; i++) {
        filch__copy(filch__ring_value_at(r, layout, position),
                    (const char *)values + i * layout->size_bytes, layout->size_bytes);
        filch__ring_stamp(r, is_alone, filch__ring_stamp_at(r, layout, position), position + 1);
        position = filch__ring_after(r, position);
    }
    return count;
}

/* Receives up to `max` messages, one behind the other. Returns how many. */
static FILCH_ALWAYS_INLINE size_t filch__ring_recv(struct ring *r, const struct layout *layout,
                                                   bool is_alone, void *values, size_t max)
{
    uint64_t position;
    size_t count = filch__ring_claim(r, layout, &r->head, 1, is_alone, max, &position);
    for (size_t i = 0; i < count; i++) {
        filch__copy((char *)values + i * layout->size_bytes,
                    filch__ring_value_at(r, layout, position), layout->size_bytes);
        filch__ring_stamp(r, is_alone, filch__ring_stamp_at(r, layout, position),
                          position + filch__ring_lap(r));
        position = filch__ring_after(r, position);
    }
    return count;
}

/* Drops a message where it lies; nobody receives any more. Returns 0; EAGAIN: empty. */
FILCH_NODISCARD int filch__ring_drop(struct ring *r, void (*drop)(void *));

#endif
