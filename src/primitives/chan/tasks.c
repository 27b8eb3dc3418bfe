/* SPDX-License-Identifier: Apache-2.0 */
/* Sending and receiving by tasks, where the frequent way (transfer.c) has not done it. Two tasks of one worker
 * do here, between them, what a channel does at all: one waits, the other one does it for it. So nothing is
 * asked twice, and no swap is needed where all that has happened to the channel was done by this thread. */
#include "chan/channel.h"
#include "chan/wait_list.h"

/* --- waiting --- */

/* What one shows that waits. */
struct lone {
    struct entry entry;
    struct party party; /* its claim is nobody's: it has a lone entry */
};

static FILCH_ALWAYS_INLINE void lone_init(struct lone *l, void *value)
{
    l->entry.party = &l->party;
    l->entry.value = value; /* a lone one has no index */
    l->entry.only_looks = false;
    l->entry.is_lone = true;
    filch__waiter_init(&l->party.waiter);
}

/* Whether it was done for it; behind the unpark. */
static FILCH_ALWAYS_INLINE bool lone_is_done(struct lone *l)
{
    return FILCH_LOAD_RELAXED(&l->entry.lone_claim) == CLAIM_DONE; /* as said */
}

/* A wait has ended with an error: takes the entry back. Returns false: somebody has it, and has woken it. */
static bool lone_take_back(struct lone *l, struct channel *c, enum side side)
{
    if (filch__waits_take_back(&c->waits, side, &l->entry))
        return true;
    (void)filch__park_through(&l->party.waiter, FILCH_FOREVER); /* its touch is due */
    return false;
}

/* --- messages --- */

/* Whose moves one waits for. */
static FILCH_ALWAYS_INLINE struct alone *other_end(struct channel *c, enum side side)
{
    if (FILCH_UNLIKELY(c->flavour == UNBOUNDED))
        return &c->list.tail.alone; /* its senders wait for nobody */
    return side == SENDERS ? &c->ring.head.alone : &c->ring.tail.alone;
}

/* Whether there is something to do, where nobody but the caller's thread moves the other end. */
static FILCH_ALWAYS_INLINE bool may_be_ready_here(struct channel *c, enum side side)
{
    if (FILCH_UNLIKELY(c->flavour == UNBOUNDED))
        return filch__list_may_have_message(&c->list);
    return side == SENDERS ? !filch__ring_is_full(&c->ring) : !filch__ring_is_empty(&c->ring);
}

/* It was not done for it.
 *   error     EAGAIN: there was something to do; else what the wait has returned
 *   is_shown  somebody may have claimed it                                                     */
static FILCH_COLD int do_it_itself(const struct op *op, struct lone *l, int64_t deadline_ns,
                                   int error, bool is_shown)
{
    bool is_claimed = error == 0 || (is_shown && !lone_take_back(l, op->channel, op->side));
    if (is_claimed && lone_is_done(l))
        return 0;
    int result = filch__op_try(op); /* after a deadline too: an event is never reported as lost */
    if (result == 0 && is_claimed)
        filch__op_pass_on(op);
    if (result != EAGAIN)
        return result;
    if (!is_claimed && error != EAGAIN)
        return error;
    return filch__op_wait(op->channel, op->side, op->value, deadline_ns);
}

/* What l waits for: made where it is asked for, which is rare. */
static FILCH_ALWAYS_INLINE const struct op *op_of(struct op *op, struct channel *c, enum side side,
                                                  const struct lone *l)
{
    op->channel = c;
    op->side = side;
    op->value = l->entry.value;
    return op;
}

static FILCH_ALWAYS_INLINE int wait_alone(struct channel *c, enum side side, void *value,
                                          int64_t deadline_ns)
{
    struct lone l;
    struct op op;
    struct waits *w = &c->waits;
    struct alone *end = other_end(c, side);
    lone_init(&l, value);
    const bool is_favourite = filch__biased_enter(&w->lock);
    const uint32_t other = FILCH_LOAD_RELAXED(&w->of[1 - side].word); /* under the lock */
    if (FILCH_UNLIKELY((other & WAITS_GONE) != 0)) {
        filch__biased_leave(&w->lock, is_favourite);
        return do_it_itself(op_of(&op, c, side, &l), &l, deadline_ns, EAGAIN, false);
    }
    filch__waits_add_lone(&w->of[side], &l.entry);
    const bool is_here = filch__alone_is_here(end, is_favourite);
    if (FILCH_UNLIKELY(!is_here))
        filch__waits_tell(&w->of[side]);
    filch__biased_leave(&w->lock, is_favourite);
    bool is_ready;
    if (FILCH_LIKELY(is_here)) {
        is_ready = may_be_ready_here(c, side);
    } else {
        filch__alone_end_foreign(end);
        is_ready = filch__op_is_ready(op_of(&op, c, side, &l));
    }
    int error = FILCH_UNLIKELY(is_ready) ? EAGAIN : filch__park(&l.party.waiter, deadline_ns);
    if (FILCH_LIKELY(error == 0) && FILCH_LIKELY(lone_is_done(&l)))
        return filch__back();
    return do_it_itself(op_of(&op, c, side, &l), &l, deadline_ns, error, true);
}

/* Whether no message lies in the channel, or is being sent: none that came before what the caller does next. */
static FILCH_ALWAYS_INLINE bool is_empty(struct channel *c)
{
    return FILCH_LIKELY(c->flavour == BOUNDED) ? filch__ring_is_empty(&c->ring)
                                               : filch__list_length(&c->list) == 0;
}

static FILCH_ALWAYS_INLINE bool hand_to_first(struct channel *c, const void *value)
{
    if (filch__waits_word(&c->waits, RECEIVERS) < WAITS_ONE || !is_empty(c))
        return false;
    struct entry *met = filch__waits_meet_first(&c->waits, RECEIVERS);
    if (FILCH_UNLIKELY(met == NULL))
        return false;
    filch__copy(met->value, value, c->size_bytes);
    filch__unpark(&met->party->waiter);
    return true;
}

bool filch__task_hand(struct channel *c, const void *value)
{
    return c->flavour <= UNBOUNDED && hand_to_first(c, value);
}

/* --- hand-overs --- */

/* It met nobody while it waited, or one that has gone. */
static FILCH_COLD int meet_again(struct channel *c, enum side side, struct lone *l,
                                 int64_t deadline_ns, int error)
{
    if (error != 0 && lone_take_back(l, c, side))
        return error;
    return lone_is_done(l) ? 0 : filch__handoff(c, side, l->entry.value, deadline_ns);
}

/* One function for both sides: where a return ended the wait, not a jump (park/back.h), two tasks that had left each
 * other in different functions came back by one that the processor had not seen coming. */
static __attribute__((noinline)) int meet(struct channel *c, enum side side, void *value,
                                          int64_t deadline_ns)
{
    struct waits *w = &c->waits;
    struct wait_list *own = &w->of[side];
    struct wait_list *other = &w->of[1 - side];
    const bool is_favourite = filch__biased_enter(&w->lock);
    struct entry *met = filch__waits_take_out_lone(other, CLAIM_DONE);
    if (met != NULL) {
        filch__biased_leave(&w->lock, is_favourite);
        filch__copy(side == SENDERS ? met->value : value, side == SENDERS ? value : met->value,
                    c->size_bytes);
        filch__unpark(&met->party->waiter);
        return 0;
    }
    /* They have gone, or some of them select. */
    if (FILCH_UNLIKELY(FILCH_LOAD_RELAXED(&other->word) != 0)) { /* under the lock */
        filch__biased_leave(&w->lock, is_favourite);
        return filch__handoff(c, side, value, deadline_ns);
    }
    struct lone l;
    lone_init(&l, value);
    filch__waits_add_lone(own, &l.entry); /* who is to see it takes the lock as well */
    filch__biased_leave(&w->lock, is_favourite);
    int error = filch__park(&l.party.waiter, deadline_ns);
    if (FILCH_LIKELY(error == 0) && FILCH_LIKELY(lone_is_done(&l)))
        return filch__back();
    return meet_again(c, side, &l, deadline_ns, error);
}

/* --- either --- */

static __attribute__((noinline)) int send_or_wait(struct channel *c, void *value,
                                                  int64_t deadline_ns)
{
    const struct op op = {c, SENDERS, value};
    int error = filch__op_may_be_ready(c, SENDERS) ? filch__op_try(&op) : EAGAIN;
    return error == EAGAIN ? wait_alone(c, SENDERS, value, deadline_ns) : error;
}

static __attribute__((noinline)) int recv_or_wait(struct channel *c, void *value,
                                                  int64_t deadline_ns)
{
    /* The frequent way has looked for a word, and another look follows. */
    if (FILCH_UNLIKELY(c->size_bytes != sizeof(uint64_t)) || FILCH_UNLIKELY(c->flavour == TIMED)) {
        const struct op op = {c, RECEIVERS, value};
        int error = filch__op_may_be_ready(c, RECEIVERS) ? filch__op_try(&op) : EAGAIN;
        if (error != EAGAIN)
            return error;
        if (c->flavour == TIMED)
            return filch__op_wait(c, RECEIVERS, value, deadline_ns);
    }
    return wait_alone(c, RECEIVERS, value, deadline_ns);
}

static __attribute__((noinline)) int send_through(struct channel *c, void *value,
                                                  int64_t deadline_ns)
{
    return hand_to_first(c, value) ? 0 : send_or_wait(c, value, deadline_ns);
}

int filch__task_send(struct channel *c, const void *value, int64_t deadline_ns)
{
    if (FILCH_UNLIKELY(!filch__is_valid(c, value)))
        return EINVAL;
    void *unchanged = (void *)(uintptr_t)value; /* it is only read */
    return c->flavour == HANDOFF ? meet(c, SENDERS, unchanged, deadline_ns)
                                 : send_through(c, unchanged, deadline_ns);
}

int filch__task_recv(struct channel *c, void *value, int64_t deadline_ns)
{
    if (FILCH_UNLIKELY(!filch__is_valid(c, value)))
        return EINVAL;
    return c->flavour == HANDOFF ? meet(c, RECEIVERS, value, deadline_ns)
                                 : recv_or_wait(c, value, deadline_ns);
}
