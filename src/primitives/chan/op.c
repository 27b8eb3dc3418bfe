/* SPDX-License-Identifier: Apache-2.0 */
/* Operations as those that wait for them see them. */
#include "chan/channel.h"

static enum side other_side(const struct op *op)
{
    return (enum side)(1 - op->side);
}

static bool other_has_gone(const struct op *op)
{
    return (filch__waits_word(&op->channel->waits, other_side(op)) & WAITS_GONE) != 0;
}

bool filch__op_is_ready(const struct op *op)
{
    struct channel *c = op->channel;
    bool is_ready;
    if (c->flavour == BOUNDED)
        is_ready = op->side == SENDERS ? filch__ring_has_room(&c->ring)
                                       : filch__ring_has_message(&c->ring);
    else if (c->flavour == UNBOUNDED)
        is_ready = op->side == SENDERS || filch__list_has_message(&c->list);
    else if (c->flavour == HANDOFF)
        is_ready = filch__waits_word(&c->waits, other_side(op)) >= WAITS_ONE &&
                   filch__waits_can_meet(&c->waits, other_side(op));
    else
        return filch__timed_has_come(&c->timed);
    return is_ready || other_has_gone(op);
}

bool filch__op_show(const struct op *op, struct entry *entry)
{
    struct channel *c = op->channel;
    if (c->flavour == TIMED)
        return filch__op_is_ready(op);
    bool meets = c->flavour == HANDOFF;
    bool can_meet = filch__waits_show(&c->waits, op->side, entry, meets);
    if (meets)
        return can_meet || other_has_gone(op);
    /* One that is alone at the other end looks for nobody but its own thread's. */
    if (c->flavour == BOUNDED)
        filch__alone_end_other(op->side == SENDERS ? &c->ring.head.alone : &c->ring.tail.alone);
    else if (op->side == RECEIVERS)
        filch__alone_end_other(&c->list.tail.alone);
    return filch__op_is_ready(op);
}

void filch__op_pass_on(const struct op *op)
{
    struct channel *c = op->channel;
    bool may_have_left =
        c->flavour == BOUNDED || (c->flavour == UNBOUNDED && op->side == RECEIVERS);
    if (may_have_left && filch__waits_word(&c->waits, op->side) >= WAITS_ONE &&
        filch__op_is_ready(op))
        filch__waits_wake(&c->waits, op->side);
}
