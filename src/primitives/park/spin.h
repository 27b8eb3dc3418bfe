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
    bool is_short; /* at a lock: how one waits there */
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

static inline bool filch__spin_at_lock(struct spin *s, const void *lock)
{
    (void)lock;
    return filch__spin(s);
}

static inline void filch__spin_has_lock(const struct spin *s, const void *lock)
{
    (void)s;
    (void)lock;
}

static inline bool filch__spin_closely(struct spin *s)
{
    return filch__spin(s);
}

static inline void filch__spin_is_futile(void)
{
}

static inline void filch__turn_begins(void)
{
}

static inline void filch__give_way(void)
{
}
#else
bool filch__spin(struct spin *s);

/* The same with a look after each pause: where nobody is disturbed by it, as at a word that is written once, or
 * nobody but the one that is waited for, and soon is what counts. */
bool filch__spin_closely(struct spin *s);

/* The next wait of the calling thread is likely to be for one who waits for its processor: that wait
 * sleeps at once. */
void filch__spin_is_futile(void);

/* The same for a lock that others take in turn, 2.5 to 6.5 us. Each look takes the cache line from the owner, so
 * they become rarer the longer it takes; they are rare from the first one on where the work has turned out to be so
 * short that its owner will have the lock again before anybody else has seen it free. An owner that has not come to
 * the end of longer work by then may have lost its processor, perhaps to the caller: so two yields and looks
 * more. Then the caller queues up. A thread that waits like this over and over lets others run every half a
 * millisecond, so that all get their turn.
 *   lock  which one: it is compared only */
bool filch__spin_at_lock(struct spin *s, const void *lock);

/* The caller has got the lock that it has waited for like this. Panics: never. errno is preserved. */
void filch__spin_has_lock(const struct spin *s, const void *lock);

/* After a thread was woken by one that goes on: now and then that lets others run, since the system may have
 * put the woken one behind it. Not where that was woken itself, and wakes for the first time: it would give
 * up its share of the processor each time it has just got one, for a single section. Panics: never. errno
 * is preserved. */
void filch__give_way(void);

/* This thread was woken to take a lock. Panics: never. */
void filch__turn_begins(void);
#endif

/* Step `step` (0, 1, 2, ...) of the same for a bit that guards a few instructions and that nobody can be
 * woken by: never gives up. In the end it sleeps between looks, since the one that has the bit may have lost its processor to us. */
void filch__spin_on(int step);

#endif
