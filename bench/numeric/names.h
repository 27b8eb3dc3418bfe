/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers for names: a hash table that hands out 0, 1, 2, ... in the order of first sight. */
#ifndef FILCH_BENCH_NUMERIC_NAMES_H
#define FILCH_BENCH_NUMERIC_NAMES_H

#include <stddef.h>
#include <stdint.h>

struct names {
    uint32_t *slots; /* number + 1 of the name that hashes here; 0: free */
    size_t slot_count;
    char **strings; /* by number */
    size_t count;
    size_t capacity;
};

/* Returns the number of the name text[0, length). */
uint32_t names_number(struct names *names, const char *text, size_t length);

void names_free(struct names *names);

#endif
