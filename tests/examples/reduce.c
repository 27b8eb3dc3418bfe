/* SPDX-License-Identifier: Apache-2.0 */
/* A sum over a parallel loop: each place of the pool adds to an entry of its own, and the entries are
 * added up when the loop has ended.
 *
 * A thread that finds no place, or no pool, runs its loop alone and is no worker: it has the last entry.
 * A body that waits between reading and writing its entry would meet others of its worker there; this
 * one adds what it has found in one go. The sum of doubles depends on how the loop was cut; one of
 * integers does not. */
#include <filch/filch.h>
#include <stdio.h>
#include <stdlib.h>

enum { COUNT = 1000000, LINE_BYTES = 64 };

struct entry {
    _Alignas(LINE_BYTES) unsigned long sum; /* a cache line each */
};

struct sums {
    const unsigned *values;
    struct entry *entries;
    size_t places;
};

static void add_range(size_t begin, size_t end, void *ctx)
{
    struct sums *s = ctx;
    size_t place = filch_worker_index();
    unsigned long sum = 0;
    for (size_t i = begin; i < end; i++)
        sum += s->values[i];
    s->entries[place < s->places ? place : s->places].sum += sum;
}

static int add_up(const unsigned *values, size_t count, unsigned long *total)
{
    struct sums s = {.values = values, .places = filch_pool_places(NULL)};
    s.entries = aligned_alloc(LINE_BYTES, (s.places + 1) * sizeof *s.entries);
    if (s.entries == NULL)
        return ENOMEM;
    for (size_t i = 0; i <= s.places; i++)
        s.entries[i].sum = 0;
    int error = filch_for(0, count, add_range, &s);
    *total = 0;
    for (size_t i = 0; i <= s.places; i++)
        *total += s.entries[i].sum;
    free(s.entries);
    return error;
}

int main(void)
{
    static unsigned values[COUNT];
    for (unsigned i = 0; i < COUNT; i++)
        values[i] = i % 7;
    unsigned long expected = 0;
    for (unsigned i = 0; i < COUNT; i++)
        expected += values[i];
    unsigned long total = 0;
    if (add_up(values, COUNT, &total) != 0)
        return 1;
    printf("the sum is %lu\n", total);
    return total == expected ? 0 : 1;
}
