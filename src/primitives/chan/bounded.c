/* SPDX-License-Identifier: Apache-2.0 */
#include "chan/bounded.h"

#include "os/os.h"

int filch__ring_init(struct ring *r, size_t size_bytes, size_t capacity)
{
    size_t slot_bytes = filch__slot_bytes(size_bytes);
    if (capacity > (SIZE_MAX / 4) / slot_bytes)
        return ENOMEM;
    struct layout layout = filch__layout_for(size_bytes, capacity);
    char *slots =
        filch__os->alloc(layout.stamp_offset + capacity * layout.stamp_stride, layout.align_bytes);
    if (slots == NULL)
        return ENOMEM;
    uint64_t lap = 2;
    while (lap <= capacity)
        lap *= 2;
    r->slots = slots;
    r->capacity = capacity;
    r->stamps = slots + layout.stamp_offset;
    r->indices = lap - 1;
    r->has_barrier = filch__os->barrier_ready() == 0;
    r->layout = layout;
    if (!r->has_barrier)
        r->tail.alone.owner = r->head.alone.owner = ALONE_SHARED; /* nobody else knows it yet */
    for (uint64_t i = 0; i < capacity; i++)
        *filch__ring_stamp_at(r, &r->layout, i) = i; /* nobody else knows it yet */
    return 0;
}

void filch__ring_destroy(struct ring *r)
{
    filch__os->free(r->slots);
}

/* Whether the slot at *place has a stamp that makes it `good` for what is done at that place: the
 * position there, plus `good`. `other` is the opposite end, which is `distance` away where nothing is
 * claimed that might soon become good. */
static bool is_good(struct ring *r, uint64_t *place, uint64_t good, uint64_t *other,
                    uint64_t distance)
{
    while (true) {
        uint64_t position = FILCH_LOAD(place, CB_look, seq_cst);
        uint64_t *stamp = filch__ring_stamp_at(r, &r->layout, position);
        if (FILCH_LOAD(stamp, CB_look_stamp, seq_cst) == position + good)
            return true;
        if (FILCH_LOAD(other, CB_look_other, seq_cst) + distance == position)
            return false;
        if (FILCH_LOAD(place, CB_look, seq_cst) != position)
            continue; /* it has moved on, and what we saw was not of one moment */
        if (r->has_barrier)
            filch__os_barrier();
        if (FILCH_LOAD(stamp, CB_look_stamp, seq_cst) == position + good)
            return true;
        if (FILCH_LOAD(place, CB_look, seq_cst) == position)
            return false; /* whoever has claimed it sees us when it has stamped it */
    }
}

bool filch__ring_has_message(struct ring *r)
{
    return is_good(r, &r->head.alone.position, 1, &r->tail.alone.position, 0);
}

bool filch__ring_has_room(struct ring *r)
{
    return is_good(r, &r->tail.alone.position, 0, &r->head.alone.position, filch__ring_lap(r));
}

size_t filch__ring_length(struct ring *r)
{
    while (true) {
        uint64_t tail = FILCH_LOAD(&r->tail.alone.position, CB_look, seq_cst);
        uint64_t head = FILCH_LOAD(&r->head.alone.position, CB_look, seq_cst);
        if (FILCH_LOAD(&r->tail.alone.position, CB_look, seq_cst) != tail)
            continue;
        size_t length = (size_t)(filch__ring_index(r, tail) - filch__ring_index(r, head));
        return (tail | r->indices) == (head | r->indices) ? length : length + r->capacity;
    }
}

int filch__ring_drop(struct ring *r, void (*drop)(void *))
{
    uint64_t position;
    if (filch__ring_claim(r, &r->layout, &r->head, 1, false, 1, &position) == 0)
        return EAGAIN;
    drop(filch__ring_value_at(r, &r->layout, position));
    filch__ring_stamp(r, false, filch__ring_stamp_at(r, &r->layout, position),
                      position + filch__ring_lap(r));
    return 0;
}
