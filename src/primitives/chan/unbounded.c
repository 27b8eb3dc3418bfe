/* SPDX-License-Identifier: Apache-2.0 */
#include "chan/unbounded.h"

#include "base/check.h"
#include "os/os.h"

#include <sys/mman.h>

_Static_assert(sizeof(struct block) <= BLOCK_HEADER_BYTES, "a block's header has its place");

#ifndef FILCH_MODEL
enum {
    BLOCK_SLOTS_MIN = 8,        /* however large the messages are */
    EXTENT_BLOCKS_FIRST = 4,    /* each extent has twice the blocks of the one before, */
    EXTENT_BYTES_MAX = 1 << 18, /* within this limit */
    IDLE_EXTENTS_MAX = 4,
};
#endif

/* --- extents; under the lock --- */

static void list_extent(struct list *l, struct extent *extent, bool first)
{
    struct extent **link = &l->available;
    while (!first && *link != NULL)
        link = &(*link)->next;
    extent->next = *link;
    extent->link = link;
    if (extent->next != NULL)
        extent->next->link = &extent->next;
    *link = extent;
    extent->is_listed = true;
}

static void unlist_extent(struct extent *extent)
{
    *extent->link = extent->next;
    if (extent->next != NULL)
        extent->next->link = extent->link;
    extent->is_listed = false;
}

static uint64_t all_of(const struct extent *extent)
{
    return extent->count == EXTENT_BLOCKS_MAX ? ~UINT64_C(0) : (UINT64_C(1) << extent->count) - 1;
}

/* An unused block, for positions from `first` on; NULL: there is none. */
static struct block *take_block(struct list *l, uint64_t first)
{
    struct extent *extent = l->available;
    if (extent == NULL)
        return NULL;
    if (extent->unused == all_of(extent) && !extent->is_cold)
        l->idle_extents--;
    extent->is_cold = false;
    size_t index = (size_t)__builtin_ctzll(extent->unused);
    extent->unused &= extent->unused - 1;
    if (extent->unused == 0)
        unlist_extent(extent);
    struct block *block = (struct block *)(void *)(extent->blocks + index * l->block_bytes);
    uint64_t life = block->life == 0 || block->life == LIFE_LAST ? 1 : block->life + 2;
    *block = (struct block){.life = life, .first = first, .extent = extent};
    return block;
}

/* Takes a block back. A few extents that are not used at all keep their memory, for the next blocks; any
 * other one returns it, which costs all processors an interrupt. */
static void give_back(struct list *l, struct block *block)
{
    struct extent *extent = block->extent;
    size_t index = (size_t)((char *)block - extent->blocks) / l->block_bytes;
    extent->unused |= UINT64_C(1) << index;
    if (!extent->is_listed)
        list_extent(l, extent, true);
    if (extent->unused != all_of(extent))
        return;
    if (l->idle_extents < IDLE_EXTENTS_MAX) {
        l->idle_extents++;
        return;
    }
    /* A failure leaves the memory where it is, to be used again. */
    (void)filch__os->advise(extent->blocks, extent->count * l->block_bytes, MADV_DONTNEED);
    extent->is_cold = true;
    unlist_extent(extent);
    list_extent(l, extent, false);
}

/* How many blocks the next extent has. */
static size_t next_count(const struct list *l)
{
    size_t count = l->extents == NULL ? EXTENT_BLOCKS_FIRST : 2 * l->extents->count;
    if (count > EXTENT_BLOCKS_MAX)
        count = EXTENT_BLOCKS_MAX;
    while (count > 1 && count * l->block_bytes > EXTENT_BYTES_MAX)
        count /= 2;
    return count;
}

/* Without the lock: it calls the system. */
static struct extent *extent_new(const struct list *l, size_t count)
{
    struct extent *extent = filch__os_alloc_zeroed(1, sizeof *extent, _Alignof(struct extent));
    if (extent == NULL)
        return NULL;
    extent->blocks = filch__os->map(count * l->block_bytes);
    if (extent->blocks == NULL) {
        filch__os->free(extent);
        return NULL;
    }
    extent->count = count;
    extent->unused = all_of(extent);
    extent->is_cold = true;
    return extent;
}

static void extent_add(struct list *l, struct extent *extent)
{
    extent->older = l->extents;
    l->extents = extent;
    list_extent(l, extent, true);
}

/* --- the list --- */

#ifndef FILCH_MODEL
/* How many slots a block has, where they lie in it, and its size in whole pages. */
static void shape_blocks(struct list *l, size_t size_bytes)
{
    const size_t page = filch__page_size_bytes();
    struct places *places = &l->places;
    size_t slot_bytes = sizeof(uint64_t) + size_bytes;
    *places =
        (struct places){.size_bytes = size_bytes, .is_packed = size_bytes <= sizeof(uint64_t)};
    if (places->is_packed)
        slot_bytes = FILCH_CACHE_LINE / LINE_MESSAGES;
    else if (size_bytes <= BESIDE_MAX)
        slot_bytes = filch__slot_bytes(size_bytes);
    l->block_bytes = filch__round_up(BLOCK_HEADER_BYTES + BLOCK_SLOTS_MIN * slot_bytes, page);
    const size_t room = l->block_bytes - BLOCK_HEADER_BYTES;
    l->block_slots = room / slot_bytes;
    if (places->is_packed) {
        l->block_slots = room / FILCH_CACHE_LINE * LINE_MESSAGES;
    } else if (size_bytes <= BESIDE_MAX) {
        places->value_offset = filch__align_for(size_bytes);
        places->value_stride = places->stamp_stride = slot_bytes;
    } else {
        places->value_stride = size_bytes;
        places->stamp_offset = l->block_slots * size_bytes;
        places->stamp_stride =
            sizeof(uint64_t); /* eight in a line, as they go to another processor */
    }
}
#endif

int filch__list_init(struct list *l, size_t size_bytes)
{
    l->has_barrier = filch__os->barrier_ready() == 0;
    if (!l->has_barrier)
        l->tail.alone.owner = l->head.alone.owner = ALONE_SHARED; /* nobody else knows it yet */
    shape_blocks(l, size_bytes);
    l->block_end = filch__place_index(&l->places, l->block_slots);
    l->step = 2;
    while (l->step <= l->block_end)
        l->step *= 2;
    struct extent *extent = extent_new(l, next_count(l));
    if (extent == NULL)
        return ENOMEM;
    extent_add(l, extent);
    struct block *block = take_block(l, 0);
    l->tail.block = l->head.block = block; /* nobody else knows it yet */
    l->tail.life = l->head.life = (place_stamp)block->life;
    return 0;
}

void filch__list_destroy(struct list *l)
{
    while (l->extents != NULL) {
        struct extent *extent = l->extents;
        l->extents = extent->older;
        (void)filch__os->unmap(extent->blocks, extent->count * l->block_bytes);
        filch__os->free(extent);
    }
}

int filch__list_grow(struct list *l, uint64_t position)
{
    struct block *block = NULL;
    filch__lock(&l->lock);
    /* Under the lock, since a block that is used up is left under the lock only. */
    while (FILCH_LOAD_RELAXED(&l->tail.alone.position) == position) {
        uint64_t first = (position & ~(l->step - 1)) + l->step;
        block = take_block(l, first);
        if (block != NULL) {
            FILCH_LOAD_RELAXED(&l->tail.block)->next = block;
            FILCH_STORE_RELAXED(&l->tail.block, block); /* published by the position */
            FILCH_STORE_RELAXED(&l->tail.life, (place_stamp)block->life); /* likewise */
            FILCH_STORE(&l->tail.alone.position, first, CU_grow, release);
            break;
        }
        size_t count = next_count(l);
        filch__unlock(&l->lock);
        struct extent *extent = extent_new(l, count);
        if (extent == NULL)
            return ENOMEM;
        filch__lock(&l->lock);
        extent_add(l, extent);
    }
    filch__unlock(&l->lock);
    return 0;
}

/* Whether all messages of a block that is used up have been copied. One that was alone has not stamped
 * what it has received; so a block in which that ended stays as it is until the list is
 * destroyed. */
static bool is_all_received(struct list *l, struct block *block)
{
    if (l->places.is_packed)
        return true;
    uintptr_t owner = FILCH_LOAD(&l->head.alone.owner, CA_owner, acquire);
    if (owner != ALONE_SHARED)
        return owner == filch__alone_self(); /* else it may be inside */
    for (size_t i = 0; i < l->block_slots; i++) {
        place_stamp stamp = FILCH_LOAD(filch__place_stamp(filch__list_slots(block), &l->places, i),
                                       CU_all_received, acquire);
        if (stamp != block->life + 1)
            return false;
    }
    return true;
}

bool filch__list_advance(struct list *l, uint64_t position)
{
    filch__lock(&l->lock);
    if (FILCH_LOAD_RELAXED(&l->head.alone.position) != position) { /* under the lock, as in grow */
        filch__unlock(&l->lock);
        return true;
    }
    struct block *block = FILCH_LOAD_RELAXED(&l->head.block);
    struct block *next = block->next;
    if (next != NULL) {
        FILCH_STORE_RELAXED(&l->head.block, next);                   /* published by the position */
        FILCH_STORE_RELAXED(&l->head.life, (place_stamp)next->life); /* likewise */
        FILCH_STORE(&l->head.alone.position, next->first, CU_advance, release);
        block->waiting = l->waiting;
        l->waiting = block;
        for (struct block **link = &l->waiting; *link != NULL;) {
            block = *link;
            if (is_all_received(l, block)) {
                *link = block->waiting;
                give_back(l, block);
            } else {
                link = &block->waiting;
            }
        }
    }
    filch__unlock(&l->lock);
    return next != NULL;
}

/* Where the next message is, seen from a position: the end of a block is the beginning of the next. */
static uint64_t onward(const struct list *l, uint64_t position)
{
    return filch__list_is_used_up(l, position) ? (position | (l->step - 1)) + 1 : position;
}

bool filch__list_has_message(struct list *l)
{
    while (true) {
        uint64_t head = FILCH_LOAD(&l->head.alone.position, CU_sleep_head, seq_cst);
        place_stamp good = FILCH_LOAD_RELAXED(&l->head.life); /* as in filch__list_claim */
        place_stamp *stamp = NULL;
        if (!filch__list_is_used_up(l, head)) {
            stamp = filch__place_stamp(filch__list_slots(FILCH_LOAD_RELAXED(&l->head.block)),
                                       &l->places, filch__list_index(l, head)); /* likewise */
            if (FILCH_LOAD(stamp, CU_sleep_stamp, seq_cst) == good)
                return true;
        }
        uint64_t tail = FILCH_LOAD(&l->tail.alone.position, CU_sleep_tail, seq_cst);
        if (onward(l, tail) == onward(l, head))
            return false;
        if (FILCH_LOAD(&l->head.alone.position, CU_sleep_head, seq_cst) != head)
            continue; /* it has moved on, and what we saw was not of one moment */
        if (stamp == NULL) {
            (void)filch__list_advance(l, head);
            continue;
        }
        if (l->has_barrier)
            filch__os_barrier();
        if (FILCH_LOAD(stamp, CU_sleep_stamp, seq_cst) == good)
            return true;
        if (FILCH_LOAD(&l->head.alone.position, CU_sleep_head, seq_cst) == head)
            return false; /* whoever has claimed it sees us when it has stamped it */
    }
}

/* How many slots lie before a position. */
static uint64_t count_before(const struct list *l, uint64_t position)
{
    return position / l->step * l->block_slots +
           filch__place_ordinal(&l->places, filch__list_index(l, position));
}

size_t filch__list_length(struct list *l)
{
    while (true) {
        uint64_t tail = FILCH_LOAD(&l->tail.alone.position, CU_sleep_tail, seq_cst);
        uint64_t head = FILCH_LOAD(&l->head.alone.position, CU_sleep_head, seq_cst);
        if (FILCH_LOAD(&l->tail.alone.position, CU_sleep_tail, seq_cst) == tail)
            return (size_t)(count_before(l, tail) - count_before(l, head));
    }
}

int filch__list_drop(struct list *l, void (*drop)(void *))
{
    const struct places *places = &l->places;
    uint64_t position;
    void *slots;
    place_stamp life;
    uint64_t word;
    while (filch__list_claim(l, places, false, 1, &position, &slots, &life, &word) == 0) {
        if (!filch__list_is_used_up(l, position) || !filch__list_advance(l, position))
            return EAGAIN;
    }
    uint64_t index = filch__list_index(l, position);
    if (places->is_packed) {
        drop(&word);
    } else {
        drop(filch__place_value(slots, places, index));
        filch__list_received(places, slots, life, index);
    }
    return 0;
}
