/* SPDX-License-Identifier: Apache-2.0 */
/* The shared side of a fork stack (the owner's fast side is filch/inline/fork.h).
 *
 *      base        top            split             tail            end
 *       |  claimed  |   public     |    private      |   free        |
 *
 * Slots [top, split) may be claimed by anybody, oldest first; [split, tail) are the owner's alone.
 * `top` and `split` are indices in one word, `shared`, and every change of theirs is one
 * compare-and-swap of that word. A claimed slot stays where it is until its owner has collected it,
 * so a thief claims first and reads afterwards; that the word may have been elsewhere in between
 * (ABA) does no harm: what it claims is, at that moment, a public slot.
 *
 * The owner's fast path never looks at `shared`; it compares with owner.split, which is never below
 * the split in `shared`. When a thief finds slots but no public ones, it asks (filch__forks_ask) and
 * the owner publishes half at its next push; where the owner does not come by, the thief raises
 * owner.split itself, makes every processor order its accesses, and then publishes
 * (filch__forks_expose). src/pool/README.md has the argument, tests/model the models.
 */
#ifndef FILCH_POOL_FORKS_H
#define FILCH_POOL_FORKS_H

#include "base/atomic.h"
#include "base/check.h"

#include <filch/inline/fork.h>
#include <stdbool.h>
#include <stddef.h>

/* The word `shared`: who exposes (12 bits), split (26), top (26). */
enum { FORKS_INDEX_BITS = 26, FORKS_EXPOSER_SHIFT = 52 };
enum { FORKS_SLOTS_MAX = (1 << FORKS_INDEX_BITS) - 1 };
#define FORKS_INDEX_MASK ((UINT64_C(1) << FORKS_INDEX_BITS) - 1)

/* Value of the exposer field while the owner changes split; thieves have 1 + their place. */
enum { FORKS_EXPOSER_NONE = 0, FORKS_EXPOSER_OWNER = 4095 };

struct forks {
    struct filch__fork_stack owner; /* first: the inline code knows only this */
    struct filch__slot *base;       /* const after init */
    struct filch__slot *floor;      /* owner only: slots below it always take the slow path */
    _Alignas(FILCH_CACHE_LINE) FILCH_SHARED(uint64_t) shared;
};

static FILCH_ALWAYS_INLINE uint64_t filch__forks_word(uint64_t top, uint64_t split,
                                                      uint64_t exposer)
{
    return top | split << FORKS_INDEX_BITS | exposer << FORKS_EXPOSER_SHIFT;
}

static FILCH_ALWAYS_INLINE uint64_t filch__forks_top(uint64_t word)
{
    return word & FORKS_INDEX_MASK;
}

static FILCH_ALWAYS_INLINE uint64_t filch__forks_split(uint64_t word)
{
    return word >> FORKS_INDEX_BITS & FORKS_INDEX_MASK;
}

static FILCH_ALWAYS_INLINE uint64_t filch__forks_exposer(uint64_t word)
{
    return word >> FORKS_EXPOSER_SHIFT;
}

static FILCH_ALWAYS_INLINE struct forks *filch__forks_of(struct filch__fork_stack *q)
{
    return (struct forks *)(void *)q;
}

/* For debug builds: the newest open fork here; and whether it is the same as then, since the call in
 * between has ended. */
static inline const struct filch__slot *filch__forks_level(void)
{
    return FILCH_DEBUG ? filch__fork_open() : NULL;
}

static inline void filch__forks_check(const struct filch__slot *level)
{
    FILCH_CHECK(filch__forks_level() == level,
                "a FILCH_FORK was not synced before its function returned");
}

/* Prepares an empty fork stack.
 *   f      not initialised                                                                 [out]
 *   slots  borrowed until f is no longer used                                               [in]
 *   count  of them, 1 to FORKS_SLOTS_MAX                                                        */
void filch__forks_init(struct forks *f, struct filch__slot *slots, size_t count);

/* Claims the oldest public slot. Returns it, to be given to filch__slot_execute; NULL: none is
 * public, or another one was faster. Callable from: any thread. Ordering: acquires what the owner
 * did before the push (FK_claim with FK_publish, FK_expose). */
struct filch__slot *filch__forks_claim(struct forks *f);

/* Whether a claim would find nothing although the owner has private slots. A hint. */
bool filch__forks_are_hidden(struct forks *f);

/* Asks the owner to publish at its next push, this one included if it is under way. Callable from: any
 * thread. */
void filch__forks_ask(struct forks *f);

/* Publishes the older half of the private slots although the owner does not come by.
 *   place  of the caller, 0 to 4093: distinct among all callers
 * Returns true where there is a public slot now. About 10 us, and an interrupt for every processor
 * that runs a thread of this process. Needs filch__os->barrier. Callable from: any thread. */
bool filch__forks_expose(struct forks *f, unsigned place);

/* Publishes the older half of the private slots, at least one if there is any. Returns true where
 * there is something public now. Callable from: the owner. Ordering: FK_publish releases. */
bool filch__forks_publish(struct forks *f);

/* The slow path of a take: `slot` is the newest one, and the tail has been lowered to it.
 * Returns true: it is the owner's again; false: it was claimed, and whoever claimed it will set
 * FILCH__SLOT_DONE. Callable from: the owner. */
bool filch__forks_reclaim(struct forks *f, struct filch__slot *slot);

/* Takes note that the claimed slot, the newest one, is done: the stack ends below it now.
 * Callable from: the owner. */
void filch__forks_collect(struct forks *f, struct filch__slot *slot);

/* Claims every slot that nobody has claimed, for the owner: [*first, result) are then to be
 * executed by whomever the owner hands them to. Callable from: the owner, before it leaves the stack
 * that the forks belong to. */
struct filch__slot *filch__forks_claim_all(struct forks *f, struct filch__slot **first);

/* Whether a claim would find something. A hint. */
bool filch__forks_have_public(struct forks *f);

/* Whether any slot is unclaimed. A hint unless called by the owner. */
bool filch__forks_have_any(struct forks *f);

/* Whether the owner, or somebody who exposes, is changing the public part: nothing is to be had of the
 * private one until it has done so, which lasts if it has lost its processor. A hint. */
bool filch__forks_are_changing(struct forks *f);

/* The open forks here are no longer to be synced: each sync takes the slow path, which ends the process with
 * a message. Callable from: a worker's thread in a forked child, before it forgets its pool. */
void filch__forks_forget(void);

/* --- panics (fork.c) --- */

struct filch_panic;

/* What filch__sync_slow_kept does (kept_x86_64.S). */
uintptr_t filch__sync_quietly(struct filch__fork_stack *q, struct filch__slot *slot);

/* From now on, a panic ends the open halves of the frames that it leaves which have no cleanup handler.
 * Called before anybody forks. */
void filch__fork_watch_panics(void);

/* Does so with those that are newer than the level that the running code is within: when a panic begins, and
 * when one has left a level. */
void filch__fork_settle(struct filch_panic *panic);

#endif
