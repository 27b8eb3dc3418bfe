/* SPDX-License-Identifier: Apache-2.0 */
#include "chan/wait_list.h"

void filch__waits_init(struct waits *w)
{
    for (int side = SENDERS; side <= RECEIVERS; side++)
        w->of[side].end = &w->of[side].first;
}

bool filch__party_withdraw(struct party *party)
{
    uint32_t seen = CLAIM_NOBODY;
    return FILCH_CAS(&party->claim, &seen, CLAIM_WITHDRAWN, CW_claim, acq_rel);
}

/* Takes out and claims one that does not only look and all that do, or only those, or simply all.
 * Returns them, in their order. Under the lock. */
static struct entry *take_out_to_try(struct wait_list *list, bool only_lookers, bool all)
{
    struct entry *woken = NULL;
    struct entry *last = NULL;
    bool is_done = only_lookers;
    struct entry *next;
    for (struct entry *e = list->first; e != NULL && (all || !is_done || list->lookers > 0);
         e = next) {
        next = e->next;
        if (is_done && !all && !e->only_looks)
            continue;
        filch__waits_take_out(list, e);
        if (!filch__waits_claim(e, CLAIM_TRY))
            continue; /* another channel has woken it, or it withdraws */
        is_done = is_done || !e->only_looks;
        e->next = NULL;
        if (last == NULL)
            woken = e;
        else
            last->next = e;
        last = e;
    }
    return woken;
}

static void unpark_all(struct entry *woken)
{
    while (woken != NULL) {
        struct entry *next = woken->next; /* the frame may be gone after the unpark */
        filch__unpark(&woken->party->waiter);
        woken = next;
    }
}

/* Whether there is one to meet, of another party than that. Under the lock. */
static bool has_partner(const struct wait_list *list, const struct party *party)
{
    for (const struct entry *e = list->first; e != NULL; e = e->next) {
        if (!e->only_looks && e->party != party)
            return true;
    }
    return false;
}

bool filch__waits_show(struct waits *w, enum side side, struct entry *entry, bool meets)
{
    struct wait_list *other = &w->of[1 - side];
    struct entry *told = NULL;
    const bool is_favourite = filch__biased_enter(&w->lock);
    filch__waits_add(&w->of[side], entry);
    if (!meets) /* else whoever needs to see the entry takes the lock as well */
        filch__waits_tell(&w->of[side]);
    if (meets && !entry->only_looks && other->lookers > 0)
        told = take_out_to_try(other, true, false);
    bool can_meet = meets && has_partner(other, entry->party);
    filch__biased_leave(&w->lock, is_favourite);
    unpark_all(told);
    return can_meet;
}

bool filch__waits_take_back(struct waits *w, enum side side, struct entry *entry)
{
    const bool is_favourite = filch__biased_enter(&w->lock);
    bool was_shown = entry->link != NULL;
    if (was_shown)
        filch__waits_take_out(&w->of[side], entry);
    filch__biased_leave(&w->lock, is_favourite);
    return was_shown;
}

void filch__waits_wake(struct waits *w, enum side side)
{
    struct wait_list *list = &w->of[side];
    const bool is_favourite = filch__biased_enter(&w->lock);
    struct entry *lone = filch__waits_take_out_lone(list, CLAIM_TRY);
    if (FILCH_LIKELY(lone != NULL)) {
        filch__biased_leave(&w->lock, is_favourite);
        filch__unpark(&lone->party->waiter);
        return;
    }
    struct entry *woken = take_out_to_try(list, false, false);
    filch__biased_leave(&w->lock, is_favourite);
    unpark_all(woken);
}

void filch__waits_go(struct waits *w, enum side side)
{
    const bool is_favourite = filch__biased_enter(&w->lock);
    uint32_t word = FILCH_LOAD_RELAXED(&w->of[side].word); /* under the lock */
    (void)FILCH_EXCHANGE(&w->of[side].word, word | WAITS_GONE, CW_show, seq_cst);
    struct entry *woken = take_out_to_try(&w->of[1 - side], false, true);
    filch__biased_leave(&w->lock, is_favourite);
    unpark_all(woken);
}

/* Claims the first that does not only look. Under the lock. */
static FILCH_ALWAYS_INLINE struct entry *take_out_to_meet(struct wait_list *list)
{
    struct entry *next;
    for (struct entry *e = list->first; e != NULL; e = next) {
        next = e->next;
        if (e->only_looks)
            continue;
        filch__waits_take_out(list, e);
        if (filch__waits_claim(e, CLAIM_DONE))
            return e;
    }
    return NULL;
}

struct entry *filch__waits_meet(struct waits *w, enum side side)
{
    const bool is_favourite = filch__biased_enter(&w->lock);
    struct entry *met = take_out_to_meet(&w->of[side]);
    filch__biased_leave(&w->lock, is_favourite);
    return met;
}

struct entry *filch__waits_meet_or_show(struct waits *w, enum side side, struct entry *entry,
                                        bool *has_gone)
{
    struct wait_list *other = &w->of[1 - side];
    struct entry *told = NULL;
    *has_gone = false;
    const bool is_favourite = filch__biased_enter(&w->lock);
    struct entry *met = take_out_to_meet(other);
    if (met == NULL) {
        *has_gone = (FILCH_LOAD_RELAXED(&other->word) & WAITS_GONE) != 0; /* under the lock */
        if (!*has_gone) {
            filch__party_init(entry->party);
            entry->index = 0;
            entry->only_looks = false;
            entry->is_lone = true;
            filch__waits_add(&w->of[side], entry); /* as in filch__waits_show, with `meets` */
            if (other->lookers > 0)
                told = take_out_to_try(other, true, false);
        }
    }
    filch__biased_leave(&w->lock, is_favourite);
    unpark_all(told);
    return met;
}

bool filch__waits_can_meet(struct waits *w, enum side side)
{
    const bool is_favourite = filch__biased_enter(&w->lock);
    bool can_meet = has_partner(&w->of[side], NULL);
    filch__biased_leave(&w->lock, is_favourite);
    return can_meet;
}
