/* SPDX-License-Identifier: Apache-2.0 */
/* Who waits for a channel.
 *
 * One that waits is a *party*; it has an *entry* in a list of every channel that it waits for, one or,
 * in a select, many. A waker takes an entry out of its list and claims the party; of several wakers one
 * wins. A wait is:
 *
 *     filch__party_init(&party);
 *     show an entry to each channel
 *     look at each once more: what came before the entry was shown has woken nobody
 *     park; on a deadline, or where the look was good, withdraw
 *     take back the entries that are shown still
 *
 * A party that is woken to *try* does its operation itself, and may find that others were quicker; one
 * that is told *done* has had it done for it. Everything lives in the frame of the wait: who claims a
 * party may use its entry until it unparks it.
 */
#ifndef FILCH_CHAN_WAIT_H
#define FILCH_CHAN_WAIT_H

#include "chan/biased.h"
#include "park/park.h"

#include <filch/attr.h>
#include <stdbool.h>
#include <stddef.h>

/* The values of `claim`; odd ones above say "done", even ones "try". */
enum { CLAIM_NOBODY = 0, CLAIM_WITHDRAWN = 1, CLAIM_TRY = 2, CLAIM_DONE = 3 };

struct party {
    struct waiter waiter;
    FILCH_SHARED(uint32_t)
    claim; /* CLAIM_..., plus twice the index of the entry; not of a lone one */
};

struct entry {
    struct entry *next;  /* under the lock of its list; the claimer's once it is out */
    struct entry **link; /* what points here; NULL: in no list. As next */
    struct party *party; /* const while shown, as all below */
    void *value;         /* to be sent, or where to receive */
    uint32_t index;      /* which of the party's entries it is */
    bool only_looks;     /* wants to know that the channel is ready, takes nothing */
    bool is_lone;        /* the party's only one: whoever takes it out has claimed the party */
    FILCH_SHARED(uint32_t) lone_claim; /* that claim: beside what else the claimer reads */
};

/* Bits of `word`: the side has gone, so nobody waits there ever again; above that, how many wait. */
enum { WAITS_GONE = 1, WAITS_ONE = 2 };

/* Those of one side that wait, in the order of their coming. All zero but for `end`. */
struct wait_list {
    FILCH_SHARED(uint32_t) word; /* written under the lock */
    uint32_t lookers;            /* entries that only look; under the lock */
    struct entry *first;         /* under the lock */
    struct entry **end;          /* under the lock */
};

enum side { SENDERS, RECEIVERS };

struct waits {
    struct biased lock;
    struct wait_list of[2];                   /* by side */
} __attribute__((aligned(FILCH_CACHE_LINE))); /* one line */

/* The lists are all zero. */
void filch__waits_init(struct waits *w);

/* --- the one that waits --- */

static FILCH_ALWAYS_INLINE void filch__party_init(struct party *party)
{
    filch__waiter_init(&party->waiter);
    party->claim = CLAIM_NOBODY; /* nobody else knows it yet */
}

/* Ends the wait from its own side. Returns false where somebody has claimed the party, whose wake-up is
 * then due. One with a lone entry takes that back instead. */
bool filch__party_withdraw(struct party *party);

/* Puts the entry at the end of its list, for all to see. What is looked at afterwards is as new as what
 * a waker has done that does not see the entry (CW_show, CW_look).
 *   meets   two entries of different sides do with each other what they wait for, so the other side's
 *           lookers are told
 * Returns whether there is one on the other side for it to meet, of another party. */
bool filch__waits_show(struct waits *w, enum side side, struct entry *entry, bool meets);

/* Takes the entry out, if nobody has. Returns whether it has; of a lone one: false where somebody has
 * claimed the party. */
bool filch__waits_take_back(struct waits *w, enum side side, struct entry *entry);

/* --- the one that wakes --- */

/* The list's word: 0 where nobody waits, and the side has not gone. After whatever the waiting ones wait
 * for has been done. Ordering: see filch__waits_show. */
static inline uint32_t filch__waits_word(struct waits *w, enum side side)
{
    return FILCH_LOAD(&w->of[side].word, CW_look, seq_cst);
}

/* Whether somebody waits there, or the side has gone; before an operation, so that it may be old. */
static inline bool filch__waits_anybody(struct waits *w, enum side side)
{
    return FILCH_LOAD(&w->of[side].word, CW_gone, acquire) != 0;
}

static inline bool filch__waits_has_gone(struct waits *w, enum side side)
{
    return (FILCH_LOAD(&w->of[side].word, CW_gone, acquire) & WAITS_GONE) != 0;
}

/* Has the first of that side, and all that only look, try. */
void filch__waits_wake(struct waits *w, enum side side);

/* The side goes: all that wait on the other side try. Once. */
void filch__waits_go(struct waits *w, enum side side);

/* Claims the first of that side as done; the caller does it, then unparks it.
 * Returns its entry; NULL: nobody waits. */
struct entry *filch__waits_meet(struct waits *w, enum side side);

/* One that was claimed as done could not be done for after all: it is to try, once it is unparked. */
static inline void filch__waits_let_try(struct entry *entry)
{
    /* Relaxed: it looks when it has been unparked. */
    if (entry->is_lone)
        FILCH_STORE_RELAXED(&entry->lone_claim, CLAIM_TRY);
    else
        FILCH_STORE_RELAXED(&entry->party->claim, CLAIM_TRY + 2 * entry->index);
}

/* The same of the other side; where nobody waits, shows the entry, as filch__waits_show with `meets`.
 *   entry     has its party and value; it and the party are prepared where it is shown   [in,out]
 *   has_gone  receives whether the other side has gone: nothing is shown                     [out] */
struct entry *filch__waits_meet_or_show(struct waits *w, enum side side, struct entry *entry,
                                        bool *has_gone);

/* Whether filch__waits_meet would find somebody. */
bool filch__waits_can_meet(struct waits *w, enum side side);

#endif
