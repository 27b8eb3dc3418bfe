/* SPDX-License-Identifier: Apache-2.0 */
/* Channels of capacity 0: the one that comes second copies from or to the frame of the first one. */
#include "chan/channel.h"

/* The caller is of the other side than `met`, which it has claimed. */
static int hand_over(struct channel *c, enum side side, void *value, struct entry *met)
{
    if (side == SENDERS)
        filch__copy(met->value, value, c->size_bytes);
    else
        filch__copy(value, met->value, c->size_bytes);
    filch__unpark(&met->party->waiter);
    return 0;
}

int filch__handoff_try(struct channel *c, enum side side, void *value)
{
    enum side other = (enum side)(1 - side);
    if (filch__waits_word(&c->waits, other) < WAITS_ONE)
        return EAGAIN;
    struct entry *met = filch__waits_meet(&c->waits, other);
    return met == NULL ? EAGAIN : hand_over(c, side, value, met);
}

/* What one shows that waits for the other side. */
struct meeting {
    struct entry entry; /* a cache line for the one that comes second, with what is handed over */
    uint64_t word;
    struct party party
        __attribute__((aligned(FILCH_CACHE_LINE))); /* the one that waits looks here */
} __attribute__((aligned(FILCH_CACHE_LINE)));

int filch__handoff(struct channel *c, enum side side, void *value, int64_t deadline_ns)
{
    struct meeting m; /* filch__waits_meet_or_show sees to the entry, and to the party */
    /* Tasks meet on one processor, mostly. */
    const bool is_word =
        c->size_bytes == sizeof m.word && filch__waiter_kind.ops == &filch__waiter_thread_ops;
    m.entry.party = &m.party;
    m.entry.value = is_word ? &m.word : value;
    if (is_word && side == SENDERS)
        memcpy(&m.word, value, sizeof m.word);
    while (true) {
        bool has_gone;
        struct entry *met = filch__waits_meet_or_show(&c->waits, side, &m.entry, &has_gone);
        if (met != NULL)
            return hand_over(c, side, value, met);
        if (has_gone)
            return EPIPE;
        int error = filch__park(&m.party.waiter, deadline_ns);
        if (error != 0 && filch__waits_take_back(&c->waits, side, &m.entry))
            return error;
        if (error != 0)
            (void)filch__park_through(&m.party.waiter,
                                      FILCH_FOREVER); /* somebody has it: its touch is due */
        /* What claimed it has taken it out and unparked it. */
        if ((FILCH_LOAD_RELAXED(&m.entry.lone_claim) & 1) == 0)
            continue; /* it was to try: the other side has gone */
        if (is_word && side == RECEIVERS)
            memcpy(value, &m.word, sizeof m.word);
        return 0;
    }
}
