/* SPDX-License-Identifier: Apache-2.0 */
#include "numeric/names.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *need(void *memory)
{
    if (!memory) {
        fputs("no memory for the package graph\n", stderr);
        exit(1);
    }
    return memory;
}

/* FNV-1a. */
static size_t hash(const char *text, size_t length)
{
    uint64_t h = UINT64_C(14695981039346656037);
    for (size_t i = 0; i < length; i++)
        h = (h ^ (unsigned char)text[i]) * UINT64_C(1099511628211);
    return (size_t)h;
}

/* The slot that holds the name, or the free one where it belongs. */
static size_t slot_of(const struct names *names, const char *text, size_t length)
{
    size_t slot = hash(text, length) & (names->slot_count - 1);
    while (names->slots[slot]) {
        const char *other = names->strings[names->slots[slot] - 1];
        if (strncmp(other, text, length) == 0 && other[length] == '\0')
            break;
        slot = (slot + 1) & (names->slot_count - 1);
    }
    return slot;
}

static void grow(struct names *names)
{
    names->capacity = names->capacity ? 2 * names->capacity : 1024;
    names->strings = need(realloc(names->strings, names->capacity * sizeof *names->strings));
    /* At most half full, so that probes stay short. */
    names->slot_count = 2 * names->capacity;
    free(names->slots);
    names->slots = need(calloc(names->slot_count, sizeof *names->slots));
    for (size_t i = 0; i < names->count; i++) {
        const char *text = names->strings[i];
        names->slots[slot_of(names, text, strlen(text))] = (uint32_t)i + 1;
    }
}

uint32_t names_number(struct names *names, const char *text, size_t length)
{
    if (names->count == names->capacity)
        grow(names);
    const size_t slot = slot_of(names, text, length);
    if (names->slots[slot] == 0) {
        names->strings[names->count] = need(strndup(text, length));
        names->slots[slot] = (uint32_t)++names->count;
    }
    return names->slots[slot] - 1;
}

void names_free(struct names *names)
{
    for (size_t i = 0; i < names->count; i++)
        free(names->strings[i]);
    free(names->strings);
    free(names->slots);
    *names = (struct names){0};
}
