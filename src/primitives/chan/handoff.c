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

int filch__handoff(struct channel *c, enum side side, void *value, int64_t deadline_ns)
{
    struct party party;
    struct entry entry; /* filch__waits_meet_or_show sees to it, and to the party */
    entry.party = &party;
    entry.value = value;
    while (true) {
        bool has_gone;
        struct entry *met = filch__waits_meet_or_show(&c->waits, side, &entry, &has_gone);
        if (met != NULL)
            return hand_over(c, side, value, met);
        if (has_gone)
            return EPIPE;
        int error = filch__park(&party.waiter, deadline_ns);
        if (error != 0 && filch__waits_take_back(&c->waits, side, &entry))
            return error;
        if (error != 0)
            (void)filch__park_through(&party.waiter,
                                      FILCH_FOREVER); /* somebody has it: its touch is due */
        /* What claimed it has taken it out and unparked it. */
        if ((FILCH_LOAD_RELAXED(&party.claim) & 1) != 0)
            return 0; /* done; else it was to try: the other side has gone */
    }
}
