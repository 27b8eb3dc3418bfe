/* SPDX-License-Identifier: Apache-2.0 */
/* What is done to the lists of those that wait, under their lock; for wait.c, and for the ways of tasks. */
#ifndef FILCH_CHAN_WAIT_LIST_H
#define FILCH_CHAN_WAIT_LIST_H

#include "chan/wait.h"

/* Of an entry that has just been taken out. */
static FILCH_ALWAYS_INLINE bool filch__waits_claim(struct entry *entry, uint32_t how)
{
    uint32_t seen = CLAIM_NOBODY;
    if (FILCH_LIKELY(entry->is_lone)) {
        FILCH_STORE_RELAXED(&entry->lone_claim, how); /* read behind the unpark */
        return true;
    }
    return FILCH_CAS(&entry->party->claim, &seen, how + 2 * entry->index, CW_claim, acq_rel);
}

/* Puts it at the end. */
static FILCH_ALWAYS_INLINE void filch__waits_add(struct wait_list *list, struct entry *entry)
{
    entry->next = NULL;
    entry->link = list->end;
    *list->end = entry;
    list->end = &entry->next;
    list->lookers += entry->only_looks;
    /* Relaxed: filch__waits_tell, or whoever looks takes the lock as well. */
    FILCH_STORE_RELAXED(&list->word, FILCH_LOAD_RELAXED(&list->word) + WAITS_ONE);
}

/* The same of a lone one that does not only look. */
static FILCH_ALWAYS_INLINE void filch__waits_add_lone(struct wait_list *list, struct entry *entry)
{
    struct entry **end = list->end;
    entry->next = NULL;
    entry->link = end;
    list->end = &entry->next;
    *end = entry;
    FILCH_STORE_RELAXED(&list->word, FILCH_LOAD_RELAXED(&list->word) + WAITS_ONE); /* as above */
}

/* An entry that was added is seen by whoever does something from now on. */
static FILCH_ALWAYS_INLINE void filch__waits_tell(struct wait_list *list)
{
    uint32_t word = FILCH_LOAD_RELAXED(&list->word); /* under the lock */
    (void)FILCH_EXCHANGE(&list->word, word, CW_show, seq_cst);
}

static FILCH_ALWAYS_INLINE void filch__waits_take_out(struct wait_list *list, struct entry *entry)
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

/* Takes the first out and claims it, if nothing but that has to be looked at. */
static FILCH_ALWAYS_INLINE struct entry *filch__waits_take_out_lone(struct wait_list *list,
                                                                    uint32_t how)
{
    struct entry *first = list->first;
    if (FILCH_UNLIKELY(first == NULL) || FILCH_UNLIKELY(!first->is_lone) ||
        FILCH_UNLIKELY(list->lookers > 0))
        return NULL;
    struct entry *next = first->next;
    list->first = next;
    if (next != NULL)
        next->link = &list->first;
    else
        list->end = &list->first;
    first->link = NULL;
    FILCH_STORE_RELAXED(&list->word,
                        FILCH_LOAD_RELAXED(&list->word) - WAITS_ONE); /* as filch__waits_take_out */
    FILCH_STORE_RELAXED(&first->lone_claim, how);                     /* read behind the unpark */
    return first;
}

/* filch__waits_meet, for where a lone one is to be expected. */
static FILCH_ALWAYS_INLINE struct entry *filch__waits_meet_first(struct waits *w, enum side side)
{
    const bool is_favourite = filch__biased_enter(&w->lock);
    struct entry *lone = filch__waits_take_out_lone(&w->of[side], CLAIM_DONE);
    filch__biased_leave(&w->lock, is_favourite);
    return FILCH_LIKELY(lone != NULL) ? lone : filch__waits_meet(w, side);
}

#endif
