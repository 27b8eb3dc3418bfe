/* SPDX-License-Identifier: Apache-2.0 */
/* Where a message lies between send and receive: a slot has a stamp, which says what it is good for, and the
 * bytes of the message. */
#ifndef FILCH_CHAN_SLOT_H
#define FILCH_CHAN_SLOT_H

#include "base/atomic.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

enum {
    ELEMENT_SIZE_MAX = 65536,
    ELEMENT_ALIGN_MAX = 64,
};

/* How the slots of a ring lie in memory. Small messages have their stamps beside them, so that what
 * goes from one processor to another is one line; large ones lie on their own, with no gaps between. Const
 * after creation. */
struct layout {
    size_t size_bytes; /* of a message */
    size_t stamp_stride;
    size_t stamp_offset; /* from the beginning of the memory to the first stamp */
    size_t value_offset; /* the same of messages */
    size_t value_stride;
    size_t align_bytes; /* of the memory */
};

enum { BESIDE_MAX = 56 }; /* a stamp and such a message are a cache line */

/* The alignment of messages of a size, which is a multiple of it, as sizes in C are; that of a stamp at
 * least. */
static inline size_t filch__align_for(size_t size_bytes)
{
    size_t align = size_bytes & (~size_bytes + 1); /* the lowest bit */
    if (align < sizeof(uint64_t))
        align = sizeof(uint64_t);
    return align > ELEMENT_ALIGN_MAX ? ELEMENT_ALIGN_MAX : align;
}

static inline size_t filch__round_up(size_t bytes, size_t align)
{
    return (bytes + align - 1) / align * align;
}

/* How many bytes a slot takes. */
static inline size_t filch__slot_bytes(size_t size_bytes)
{
    if (size_bytes > BESIDE_MAX)
        return sizeof(uint64_t) + size_bytes;
    size_t align = filch__align_for(size_bytes);
    return filch__round_up(align + size_bytes, align);
}

/* That of `count` slots. */
static inline struct layout filch__layout_for(size_t size_bytes, size_t count)
{
    size_t align = filch__align_for(size_bytes);
    if (size_bytes <= BESIDE_MAX) {
        size_t stride = filch__slot_bytes(size_bytes);
        return (struct layout){.size_bytes = size_bytes,
                               .align_bytes = align,
                               .value_offset = align,
                               .value_stride = stride,
                               .stamp_stride = stride};
    }
    return (struct layout){.size_bytes = size_bytes,
                           .align_bytes = align,
                           .value_stride = size_bytes,
                           .stamp_offset = filch__round_up(count * size_bytes, sizeof(uint64_t)),
                           .stamp_stride = sizeof(uint64_t)};
}

/* That of messages of a word, for code that is compiled for them. */
static const struct layout filch__layout_word = {.size_bytes = sizeof(uint64_t),
                                                 .align_bytes = sizeof(uint64_t),
                                                 .value_offset = sizeof(uint64_t),
                                                 .value_stride = 2 * sizeof(uint64_t),
                                                 .stamp_offset = 0,
                                                 .stamp_stride = 2 * sizeof(uint64_t)};

/* The stamp of a slot, and its message. */
static FILCH_ALWAYS_INLINE uint64_t *filch__stamp_at(void *memory, const struct layout *layout,
                                                     uint64_t index)
{
    return (uint64_t *)(void *)((char *)memory + layout->stamp_offset +
                                index * layout->stamp_stride);
}

static FILCH_ALWAYS_INLINE void *filch__value_at(void *memory, const struct layout *layout,
                                                 uint64_t index)
{
    return (char *)memory + layout->value_offset + index * layout->value_stride;
}

/* Copies a message; the size of a word is by far the most frequent one. */
static FILCH_ALWAYS_INLINE void filch__copy(void *to, const void *from, size_t size_bytes)
{
    if (FILCH_LIKELY(size_bytes == sizeof(uint64_t)))
        memcpy(to, from, sizeof(uint64_t));
    else if (size_bytes != 0)
        memcpy(to, from, size_bytes);
}

#endif
