/* SPDX-License-Identifier: Apache-2.0 */
#include "chan/wait.h"

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

/* Of an entry that has just been taken out. */
static FILCH_ALWAYS_INLINE bool claim(struct entry *entry, uint32_t how)
{
    uint32_t seen = CLAIM_NOBODY;
    if (FILCH_LIKELY(entry->is_lone)) {
        FILCH_STORE_RELAXED(&entry->lone_claim, how); /* read behind the unpark */
        return true;
    }
    return FILCH_CAS(&entry->party->claim, &seen, how + 2 * entry->index, CW_claim, acq_rel);
}

/* Under the lock. Where two meet, whoever needs to see the entry takes the lock as well. */
static FILCH_ALWAYS_INLINE void add(struct wait_list *list, struct entry *entry, bool meets)
{
    entry->next = NULL;
    entry->link = list->end;
    *list->end = entry;
    list->end = &entry->next;
    list->lookers += entry->only_looks;
    uint32_t word = FILCH_LOAD_RELAXED(&list->word) + WAITS_ONE; /* under the lock */
    if (meets)
        FILCH_STORE_RELAXED(&list->word, word); /* as said */
    else
        (void)FILCH_EXCHANGE(&list->word, word, CW_show, seq_cst);
}

/* Under the lock. */
static FILCH_ALWAYS_INLINE void take_out(struct wait_list *list, struct entry *entry)
{
    *entry->link = entry->next;
    if (entry->next != NULL)
        entry->next->link = entry->link;
    else
        list->end = entry->link;
    entry->link = NULL;
    list->lookers -= entry->only_looks;
    /* Relaxed: too high a count costs a waker a look, and entries that come later count anew. */
    FILCH_STORE_RELAXED(&list->word, FILCH_LOAD_RELAXED(&list->word) - WAITS_ONE);
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
        take_out(list, e);
        if (!claim(e, CLAIM_TRY))
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
    filch__brief_enter(&w->lock);
    add(&w->of[side], entry, meets);
    if (meets && !entry->only_looks && other->lookers > 0)
        told = take_out_to_try(other, true, false);
    bool can_meet = meets && has_partner(other, entry->party);
    filch__brief_leave(&w->lock);
    unpark_all(told);
    return can_meet;
}

bool filch__waits_take_back(struct waits *w, enum side side, struct entry *entry)
{
    filch__brief_enter(&w->lock);
    bool was_shown = entry->link != NULL;
    if (was_shown)
        take_out(&w->of[side], entry);
    filch__brief_leave(&w->lock);
    return was_shown;
}

/* The first, if nothing but that has to be looked at. Under the lock. */
static FILCH_ALWAYS_INLINE struct entry *take_out_lone(struct wait_list *list)
{
    struct entry *first = list->first;
    if (FILCH_UNLIKELY(first == NULL) || !first->is_lone || list->lookers > 0)
        return NULL;
    take_out(list, first);
    (void)claim(first, CLAIM_TRY);
    return first;
}

void filch__waits_wake(struct waits *w, enum side side)
{
    struct wait_list *list = &w->of[side];
    filch__brief_enter(&w->lock);
    struct entry *lone = take_out_lone(list);
    if (FILCH_LIKELY(lone != NULL)) {
        filch__brief_leave(&w->lock);
        filch__unpark(&lone->party->waiter);
        return;
    }
    struct entry *woken = take_out_to_try(list, false, false);
    filch__brief_leave(&w->lock);
    unpark_all(woken);
}

void filch__waits_go(struct waits *w, enum side side)
{
    filch__brief_enter(&w->lock);
    uint32_t word = FILCH_LOAD_RELAXED(&w->of[side].word); /* under the lock */
    (void)FILCH_EXCHANGE(&w->of[side].word, word | WAITS_GONE, CW_show, seq_cst);
    struct entry *woken = take_out_to_try(&w->of[1 - side], false, true);
    filch__brief_leave(&w->lock);
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
        take_out(list, e);
        if (claim(e, CLAIM_DONE))
            return e;
    }
    return NULL;
}

struct entry *filch__waits_meet(struct waits *w, enum side side)
{
    filch__brief_enter(&w->lock);
    struct entry *met = take_out_to_meet(&w->of[side]);
    filch__brief_leave(&w->lock);
    return met;
}

struct entry *filch__waits_meet_or_show(struct waits *w, enum side side, struct entry *entry,
                                        bool *has_gone)
{
    struct wait_list *other = &w->of[1 - side];
    struct entry *told = NULL;
    *has_gone = false;
    filch__brief_enter(&w->lock);
    struct entry *met = take_out_to_meet(other);
    if (met == NULL) {
        *has_gone = (FILCH_LOAD_RELAXED(&other->word) & WAITS_GONE) != 0; /* under the lock */
        if (!*has_gone) {
            filch__party_init(entry->party);
            entry->index = 0;
            entry->only_looks = false;
            entry->is_lone = true;
            add(&w->of[side], entry, true);
            if (other->lookers > 0)
                told = take_out_to_try(other, true, false);
        }
    }
    filch__brief_leave(&w->lock);
    unpark_all(told);
    return met;
}

bool filch__waits_can_meet(struct waits *w, enum side side)
{
    filch__brief_enter(&w->lock);
    bool can_meet = has_partner(&w->of[side], NULL);
    filch__brief_leave(&w->lock);
    return can_meet;
}
