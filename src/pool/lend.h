/* SPDX-License-Identifier: Apache-2.0 */
/* A processor for a worker that has lost its own.
 *
 * Workers are tied to their processors, so where another program takes one, its worker waits for its turn there,
 * for 2 to 12 ms, whoever else is idle. If that worker has a half that somebody waits for, and who waits has found
 * nothing else to do, he lends it the processor that he is about to leave: for as long as he sleeps, and no
 * longer than 10 ms at a time, since another worker may belong there too. One that has not run for so long, although
 * it could have, waits for something else, in a system call perhaps: nobody lends to it until it has run again.
 *
 * Only between places of the pool: a worker that the program has bound elsewhere, in whatever way, stays there, and
 * one that is not tied, or not yet, is left alone. The loan is in nobody's way who binds the worker meanwhile.
 * Whoever waits for a half, as a guest or in a task, keeps the pool from ending, so the threads that are looked at
 * have not ended. */
#ifndef FILCH_POOL_LEND_H
#define FILCH_POOL_LEND_H

#include <stdbool.h>
#include <stdint.h>

struct placement;
struct worker;

/* In the frame of who sleeps. */
struct loan {
    struct worker *to;             /* NULL: none */
    const struct placement *place; /* that was lent */
    int64_t ran_ns;                /* processor time that the other one had used before */
    int64_t deadline_ns;           /* FILCH_FOREVER, where there is none */
};

/* The worker, or guest, is about to sleep, and waits for halves that others have: lends its processor where one of
 * them has lost its own. That takes 5 us of looking. Blocks: never. Panics: never. */
struct loan filch__lend(struct worker *w);

/* It has slept: takes back what it has lent, which is something. */
void filch__lend_end(const struct loan *loan);

#endif
