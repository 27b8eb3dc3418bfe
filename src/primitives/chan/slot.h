/* SPDX-License-Identifier: Apache-2.0 */
/* Where a message lies between send and receive: a stamp, which says what the slot is good for, and the
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

struct slot {
    FILCH_SHARED(uint64_t) stamp;
};

/* How the messages of a channel lie in memory. Const after creation. */
struct layout {
    size_t size_bytes;   /* of a message */
    size_t value_offset; /* from the beginning of a slot */
    size_t stride_bytes; /* from slot to slot */
    size_t align_bytes;  /* of a slot */
};

/* The layout for messages of a size, which is a multiple of their alignment, as sizes in C are. */
static inline struct layout filch__layout_for(size_t size_bytes)
{
    size_t align = size_bytes & (~size_bytes + 1); /* the lowest bit */
    if (align < sizeof(struct slot))
        align = sizeof(struct slot);
    if (align > ELEMENT_ALIGN_MAX)
        align = ELEMENT_ALIGN_MAX;
    size_t end = align + size_bytes;
    return (struct layout){.size_bytes = size_bytes,
                           .value_offset = align,
                           .stride_bytes = (end + align - 1) / align * align,
                           .align_bytes = align};
}

/* That of messages of a word, for code that is compiled for them. */
static const struct layout filch__layout_word = {.size_bytes = sizeof(uint64_t),
                                                 .value_offset = sizeof(struct slot),
                                                 .stride_bytes = 2 * sizeof(uint64_t),
                                                 .align_bytes = sizeof(struct slot)};

static FILCH_ALWAYS_INLINE void *filch__slot_value(struct slot *slot, const struct layout *layout)
{
    return (char *)slot + layout->value_offset;
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
