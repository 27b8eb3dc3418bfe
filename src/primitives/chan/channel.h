/* SPDX-License-Identifier: Apache-2.0 */
/* A channel, as the files of this folder see it. Both handles are its address; what they are allowed is
 * in their types. */
#ifndef FILCH_CHAN_CHANNEL_H
#define FILCH_CHAN_CHANNEL_H

#include "chan/bounded.h"
#include "chan/timed.h"
#include "chan/unbounded.h"
#include "chan/wait.h"

#include <filch/channel.h>

/* The first two have messages that lie in them. */
enum flavour { BOUNDED, UNBOUNDED, HANDOFF, TIMED };

struct channel {
    enum flavour flavour;         /* const after creation, as the two below */
    size_t size_bytes;            /* of a message */
    void (*drop)(void *);         /* NULL: messages are forgotten */
    FILCH_SHARED(uint32_t) sides; /* of which there are handles; the last one frees it */
    FILCH_SHARED(uint32_t) handles[2] __attribute__((aligned(FILCH_CACHE_LINE))); /* by side */
    struct waits waits;
    union {
        struct ring ring;
        struct list list;
        struct timed timed;
    };
};

/* What one end does with a channel. */
struct op {
    struct channel *channel;
    enum side side;
    void *value; /* to be sent, which does not change it, or where to receive */
};

/* Tries it. Returns 0; EAGAIN; EPIPE; ENOMEM. */
int filch__op_try(const struct op *op);

/* Whether filch__op_try is worth the while; false: it would have returned EAGAIN, at that moment. */
static FILCH_ALWAYS_INLINE bool filch__op_may_be_ready(struct channel *c, enum side side)
{
    uint32_t word = filch__waits_word(&c->waits, (enum side)(1 - side));
    if (FILCH_UNLIKELY(c->flavour == HANDOFF))
        return word != 0;
    if (FILCH_UNLIKELY((word & WAITS_GONE) != 0))
        return true;
    if (FILCH_LIKELY(c->flavour == BOUNDED))
        return side == SENDERS ? filch__ring_may_be_good(&c->ring, &c->ring.tail, 0)
                               : filch__ring_may_be_good(&c->ring, &c->ring.head, 1);
    if (c->flavour == UNBOUNDED)
        return side == SENDERS || filch__list_may_have_message(&c->list);
    return filch__timed_has_come(&c->timed);
}

/* Whether filch__op_try would do something else than return EAGAIN. Where it would not, whoever changes
 * that from now on sees what the caller has shown before. In a hand-over the caller has shown nothing. */
bool filch__op_is_ready(const struct op *op);

/* Shows the entry to the channel.
 * Returns whether the operation is ready now, as above. */
bool filch__op_show(const struct op *op, struct entry *entry);

/* The operation has been done by one that was woken for it: others may have been waiting for what it has
 * left, and nobody is woken twice for the same. */
void filch__op_pass_on(const struct op *op);

/* What is to be done with several operations, of which one is done. */
struct choice {
    const struct op *ops;
    size_t count;
    bool in_order;   /* of those that are ready the first; else any */
    bool only_looks; /* nothing is done: it is enough that one is ready */
};

/* Tries all. Returns what the one at *index has returned; EAGAIN: none can be done. */
int filch__choice_try(const struct choice *choice, size_t *index);

/* Waits until one is done, which filch__choice_try has not.
 *   entries  as many as there are operations; the caller's frame                         [in,out]
 * Returns what the one at *index has returned, never EAGAIN; ETIMEDOUT; ECANCELED. */
int filch__choice_wait(const struct choice *choice, struct entry *entries, int64_t deadline_ns,
                       size_t *index);

/* The same for one operation alone. Returns as filch__op_try, never EAGAIN; ETIMEDOUT. */
int filch__op_wait(struct channel *c, enum side side, void *value, int64_t deadline_ns);

static FILCH_ALWAYS_INLINE bool filch__is_valid(const struct channel *c, const void *value)
{
    return FILCH_LIKELY(c != NULL) && (FILCH_LIKELY(value != NULL) || c->size_bytes == 0);
}

/* What tasks do where the frequent way has not done it. Return as filch_send_until, filch_recv_until. */
int filch__task_send(struct channel *c, const void *value, int64_t deadline_ns);
int filch__task_recv(struct channel *c, void *value, int64_t deadline_ns);

/* Hands a message of a task to the first one that waits to receive, where none came before it: it need not lie
 * in the channel in between. Returns whether it has. */
bool filch__task_hand(struct channel *c, const void *value);

/* Makes a channel. Returns 0; EINVAL, ENOMEM. */
FILCH_NODISCARD int filch__channel_new(struct channel **channel,
                                       const struct filch_channel_config *config);

/* Does the operation of a side where somebody of the other one waits. Returns 0; EAGAIN. */
int filch__handoff_try(struct channel *c, enum side side, void *value);

/* Does it, or waits for somebody who does.
 * Returns 0; EPIPE; as filch__park. */
int filch__handoff(struct channel *c, enum side side, void *value, int64_t deadline_ns);

/* The receivers have gone: drops what nobody will receive. */
void filch__channel_drain(struct channel *c);

struct filch_sender *filch__channel_sender(struct channel *c);
struct filch_receiver *filch__channel_receiver(struct channel *c);

static FILCH_ALWAYS_INLINE struct channel *filch__sender_channel(const struct filch_sender *tx)
{
    return (struct channel *)(uintptr_t)tx;
}

static FILCH_ALWAYS_INLINE struct channel *filch__receiver_channel(const struct filch_receiver *rx)
{
    return (struct channel *)(uintptr_t)rx;
}

#endif
