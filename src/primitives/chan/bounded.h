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

#include "chan/slot.h"

#include <errno.h>

struct ring {
    char *slots;      /* const after creation, as the three below */
    size_t capacity;  /* of slots; above 0 */
    uint64_t lap;     /* a power of two above capacity */
    bool has_barrier; /* filch__os->barrier() works */
    struct layout layout;
    FILCH_SHARED(uint64_t) tail __attribute__((aligned(FILCH_CACHE_LINE)));
    FILCH_SHARED(uint64_t) head __attribute__((aligned(FILCH_CACHE_LINE)));
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

static FILCH_ALWAYS_INLINE struct slot *filch__ring_slot(const struct ring *r, uint64_t position)
{
    return (struct slot *)(void *)(r->slots + (position & (r->lap - 1)) * r->layout.stride_bytes);
}

static FILCH_ALWAYS_INLINE uint64_t filch__ring_after(const struct ring *r, uint64_t position)
{
    uint64_t index = position & (r->lap - 1);
    return index + 1 < r->capacity ? position + 1 : position - index + r->lap;
}

/* Claims a slot to send by. Returns its position in *position; false: there is no room. */
static FILCH_ALWAYS_INLINE bool filch__ring_claim_room(struct ring *r, uint64_t *position)
{
    uint64_t tail = FILCH_LOAD_RELAXED(&r->tail); /* the swap decides */
    while (true) {
        struct slot *slot = filch__ring_slot(r, tail);
        uint64_t stamp = FILCH_LOAD(&slot->stamp, CB_room, acquire);
        if (FILCH_LIKELY(stamp == tail)) {
            if (FILCH_CAS(&r->tail, &tail, filch__ring_after(r, tail), CB_tail, seq_cst))
                break;
            filch__cpu_relax();
        } else if ((int64_t)(stamp - tail) < 0) {
            return false;
        } else {
            tail = FILCH_LOAD_RELAXED(&r->tail); /* it has moved on */
        }
    }
    *position = tail;
    return true;
}

/* Claims a message. Returns its position in *position; false: there is none. */
static FILCH_ALWAYS_INLINE bool filch__ring_claim_message(struct ring *r, uint64_t *position)
{
    uint64_t head = FILCH_LOAD_RELAXED(&r->head); /* the swap decides */
    while (true) {
        struct slot *slot = filch__ring_slot(r, head);
        uint64_t stamp = FILCH_LOAD(&slot->stamp, CB_message, acquire);
        if (FILCH_LIKELY(stamp == head + 1)) {
            if (FILCH_CAS(&r->head, &head, filch__ring_after(r, head), CB_head, seq_cst))
                break;
            filch__cpu_relax();
        } else if ((int64_t)(stamp - head - 1) < 0) {
            return false;
        } else {
            head = FILCH_LOAD_RELAXED(&r->head); /* it has moved on */
        }
    }
    *position = head;
    return true;
}

/* What a slot was claimed for is done. The caller reads the word of the waits next. */
static FILCH_ALWAYS_INLINE void filch__ring_stamp(struct ring *r, struct slot *slot, uint64_t stamp)
{
    if (FILCH_UNLIKELY(!r->has_barrier)) {
        (void)FILCH_EXCHANGE(&slot->stamp, stamp, CB_stamp_dear, seq_cst);
        return;
    }
    FILCH_STORE(&slot->stamp, stamp, CB_stamp, release);
    FILCH_FENCE_LIGHT();
}

/* Returns 0; EAGAIN: full. */
static FILCH_ALWAYS_INLINE int filch__ring_send(struct ring *r, const void *value)
{
    uint64_t position;
    if (!filch__ring_claim_room(r, &position))
        return EAGAIN;
    struct slot *slot = filch__ring_slot(r, position);
    filch__copy(filch__slot_value(slot, &r->layout), value, r->layout.size_bytes);
    filch__ring_stamp(r, slot, position + 1);
    return 0;
}

/* Returns 0; EAGAIN: empty. */
static FILCH_ALWAYS_INLINE int filch__ring_recv(struct ring *r, void *value)
{
    uint64_t position;
    if (!filch__ring_claim_message(r, &position))
        return EAGAIN;
    struct slot *slot = filch__ring_slot(r, position);
    filch__copy(value, filch__slot_value(slot, &r->layout), r->layout.size_bytes);
    filch__ring_stamp(r, slot, position + r->lap);
    return 0;
}

/* Drops a message where it lies. Returns 0; EAGAIN: empty. */
FILCH_NODISCARD int filch__ring_drop(struct ring *r, void (*drop)(void *));

#endif
