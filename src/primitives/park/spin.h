/* SPDX-License-Identifier: Apache-2.0 */
/* Waiting a moment before sleeping: for what a thread that runs now will do within microseconds. */
#ifndef FILCH_PARK_SPIN_H
#define FILCH_PARK_SPIN_H

#include "base/atomic.h"

#include <stdbool.h>
#include <stdint.h>

/* How far a loop that looks again and again has come; all zero at its beginning. */
struct spin {
    int step;
    int64_t end_ns;
};

/* Between two looks: first pauses, each twice as long as the one before, then lets other threads run.
 * Returns false once that has lasted long enough: the caller sleeps. Where many threads want to run, the
 * first that are let run are the last.
 * Blocks: the OS thread, for about 10 us. Panics: never. errno is preserved. */
#ifdef FILCH_MODEL /* where a look more shows nothing new */
static inline bool filch__spin(struct spin *s)
{
    (void)s;
    return false;
}

static inline bool filch__spin_in_crowd(struct spin *s)
{
    return filch__spin(s);
}

static inline bool filch__spin_closely(struct spin *s)
{
    return filch__spin(s);
}
#else
bool filch__spin(struct spin *s);

/* The same with a look after each pause: where nobody is disturbed by it, as at a word that is written once, or
 * nobody but the one that is waited for, and soon is what counts. */
bool filch__spin_closely(struct spin *s);

/* The same for a lock that many want: it lets others run sooner, since each look takes the cache line from
 * the owner, and an owner that is let alone gets more done. */
bool filch__spin_in_crowd(struct spin *s);
#endif

/* Step `step` (0, 1, 2, ...) of the same for a bit that guards a few instructions and that nobody can be
 * woken by: never gives up. In the end it sleeps between looks, since the one that has the bit may have lost its processor to us. */
void filch__spin_on(int step);

#endif
