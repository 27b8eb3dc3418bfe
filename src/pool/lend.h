/* SPDX-License-Identifier: Apache-2.0 */
/* A processor for a worker that has lost its own.
 *
 * Workers are tied to their processors, so where another program takes one, its worker waits for its turn there,
 * for 2 to 12 ms, whoever else is idle. If that worker has a half that somebody waits for, and who waits has found
 * nothing else to do, he lends it the processor that he is about to leave: for as long as he sleeps, and no
 * longer than 10 ms at a time, since another worker may belong there too. */
#ifndef FILCH_POOL_LEND_H
#define FILCH_POOL_LEND_H

#include <stdbool.h>
#include <stdint.h>

struct worker;

/* In the frame of who sleeps. */
struct loan {
    struct worker *to;   /* NULL: none */
    int64_t deadline_ns; /* FILCH_FOREVER, where there is none */
};

/* The worker, or guest, is about to sleep, and waits for halves that others have: lends its processor where one of
 * them has lost its own. That takes 5 us of looking. Blocks: never. Panics: never. */
struct loan filch__lend(struct worker *w);

/* It has slept: takes back what it has lent, which is something. */
void filch__lend_end(const struct loan *loan);

#endif
