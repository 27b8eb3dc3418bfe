/* SPDX-License-Identifier: Apache-2.0 */
/* Where the messages of an unbounded channel lie in a block.
 *
 * Messages of up to a word are *packed*: a cache line is a word of seven stamps, then seven messages. They are
 * copied by relaxed accesses to the word, so that one may copy a message that it may not have: whether it was
 * the message is known when its place has been claimed. Others have their stamp beside them, or, where they are
 * large, behind all messages. */
#ifndef FILCH_CHAN_PLACE_H
#define FILCH_CHAN_PLACE_H

#include "chan/slot.h"

enum {
    LINE_MESSAGES = 7,
    LINE_PLACES = 8, /* an index has as many values for a line: the last one is skipped */
};

/* What says that a message is there; the checker knows no accesses of different sizes to one word. */
#ifdef FILCH_MODEL
typedef uint64_t place_stamp;
#else
typedef uint8_t place_stamp;
#endif

/* Const after creation. */
struct places {
    size_t size_bytes; /* of a message */
    bool is_packed;
    /* Of others: */
    size_t value_offset; /* from the beginning of the slots to the first message */
    size_t value_stride; /* from message to message */
    size_t stamp_offset; /* the same of stamps */
    size_t stamp_stride;
};

/* Those of messages of a word, for code that is compiled for them. */
static const struct places filch__places_word = {.size_bytes = sizeof(uint64_t), .is_packed = true};

/* Those of messages that are not packed, for code that is compiled for them.
 *   copy   has room for them                                                               [out] */
static FILCH_ALWAYS_INLINE const struct places *filch__places_apart(const struct places *places,
                                                                    struct places *copy)
{
#ifdef FILCH_MODEL /* the checker does not get copies of structs right */
    (void)copy;
    return places;
#else
    *copy = *places;
    copy->is_packed = false;
    return copy;
#endif
}

/* The stamp of a place, and its message. */
static FILCH_ALWAYS_INLINE place_stamp *filch__place_stamp(void *slots, const struct places *places,
                                                           uint64_t index)
{
#ifdef FILCH_MODEL
    return (uint64_t *)slots + 2 * index;
#endif
    if (places->is_packed)
        return (place_stamp *)slots + index / LINE_PLACES * FILCH_CACHE_LINE + index % LINE_PLACES;
    return (place_stamp *)(void *)((char *)slots + places->stamp_offset +
                                   index * places->stamp_stride);
}

static FILCH_ALWAYS_INLINE void *filch__place_value(void *slots, const struct places *places,
                                                    uint64_t index)
{
#ifdef FILCH_MODEL
    return (uint64_t *)slots + 2 * index + 1;
#endif
    if (places->is_packed) /* eight words for each line: one of stamps, then the messages */
        return (uint64_t *)slots + 1 + index;
    return (char *)slots + places->value_offset + index * places->value_stride;
}

/* How many messages of a block come before an index, and the index behind so many. */
static FILCH_ALWAYS_INLINE uint64_t filch__place_ordinal(const struct places *places,
                                                         uint64_t index)
{
    if (!places->is_packed)
        return index;
    return index / LINE_PLACES * LINE_MESSAGES + index % LINE_PLACES;
}

static FILCH_ALWAYS_INLINE uint64_t filch__place_index(const struct places *places,
                                                       uint64_t ordinal)
{
    if (!places->is_packed)
        return ordinal;
    return ordinal / LINE_MESSAGES * LINE_PLACES + ordinal % LINE_MESSAGES;
}

/* The index, or position, behind one. */
static FILCH_ALWAYS_INLINE uint64_t filch__place_next(const struct places *places, uint64_t index)
{
    bool ends_line = places->is_packed && index % LINE_PLACES == LINE_MESSAGES - 1;
    return index + 1 + ends_line;
}

/* Puts a message into its place. */
static FILCH_ALWAYS_INLINE void filch__place_put(void *place, const struct places *places,
                                                 const void *value)
{
    uint64_t word = 0;
    if (!places->is_packed) {
        memcpy(place, value, places->size_bytes);
        return;
    }
    filch__copy(&word, value, places->size_bytes);
    FILCH_STORE_RELAXED((uint64_t *)place, word); /* published by the stamp */
}

/* The word of a packed message. */
static FILCH_ALWAYS_INLINE uint64_t filch__place_word(const void *place)
{
    return FILCH_LOAD_RELAXED((const uint64_t *)place); /* ordered by the stamp, read before */
}

#endif
