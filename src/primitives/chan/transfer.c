/* SPDX-License-Identifier: Apache-2.0 */
/* Sending and receiving, in whatever flavour. */
#include "chan/channel.h"
#include "chan/wait_list.h"

/* --- messages, whoever waits --- */

static size_t ring_send(struct ring *r, const void *values, size_t max)
{
    bool is_alone = filch__alone_enter(&r->tail.alone);
    size_t count = filch__ring_send(r, &r->layout, is_alone, values, max);
    if (is_alone)
        filch__alone_leave(&r->tail.alone);
    return count;
}

/* Returns 0: ENOMEM. */
static size_t list_send(struct list *l, const void *values, size_t max)
{
    while (true) {
        uint64_t position;
        bool is_alone = filch__alone_enter(&l->tail.alone);
        struct places copy;
        const struct places *apart = filch__places_apart(&l->places, &copy);
        size_t count = l->places.is_packed
                           ? filch__list_send(l, &l->places, is_alone, values, max, &position)
                           : filch__list_send(l, apart, is_alone, values, max, &position);
        if (is_alone)
            filch__alone_leave(&l->tail.alone);
        if (count != 0 || filch__list_grow(l, position) != 0)
            return count;
    }
}

static size_t ring_recv(struct ring *r, void *values, size_t max)
{
    bool is_alone = filch__alone_enter(&r->head.alone);
    size_t count = filch__ring_recv(r, &r->layout, is_alone, values, max);
    if (is_alone)
        filch__alone_leave(&r->head.alone);
    return count;
}

static size_t list_recv(struct list *l, void *values, size_t max)
{
    while (true) {
        uint64_t position;
        bool is_alone = filch__alone_enter(&l->head.alone);
        struct places copy;
        const struct places *apart = filch__places_apart(&l->places, &copy);
        size_t count = l->places.is_packed
                           ? filch__list_recv(l, &l->places, is_alone, values, max, &position)
                           : filch__list_recv(l, apart, is_alone, values, max, &position);
        if (is_alone)
            filch__alone_leave(&l->head.alone);
        if (count != 0 || !filch__list_is_used_up(l, position) || !filch__list_advance(l, position))
            return count;
    }
}

/* Puts up to `max` messages into the channel, which has room for some. Returns how many; 0: it is full, or
 * there is no memory. */
static size_t put_in(struct channel *c, const void *values, size_t max)
{
    return c->flavour == BOUNDED ? ring_send(&c->ring, values, max)
                                 : list_send(&c->list, values, max);
}

/* Takes up to `max` messages out of it. Returns how many. */
static size_t take_from(struct channel *c, void *values, size_t max)
{
    return c->flavour == BOUNDED ? ring_recv(&c->ring, values, max)
                                 : list_recv(&c->list, values, max);
}

/* --- those that wait --- */

static FILCH_ALWAYS_INLINE bool is_task(void)
{
    return filch__waiter_kind.ops != &filch__waiter_thread_ops;
}

/* Whether the calling thread may do what that side does, without ending that another one is alone there. */
static bool may_use_end(struct channel *c, enum side side)
{
    struct alone *end;
    if (!is_task())
        return false;
    if (c->flavour == BOUNDED)
        end = side == SENDERS ? &c->ring.tail.alone : &c->ring.head.alone;
    else
        end = side == SENDERS ? &c->list.tail.alone : &c->list.head.alone;
    uintptr_t owner = FILCH_LOAD(&end->owner, CA_owner, acquire);
    return owner == ALONE_SHARED || owner == filch__alone_self();
}

/* Wakes the first one that waits on a side, for which there is something to do now. It finds that done where
 * this does not take an end from a thread that is alone there: a task that need not come back for a message,
 * or for room, is a switch less. */
static void wake_first(struct channel *c, enum side side)
{
    struct entry *met = may_use_end(c, side) ? filch__waits_meet_first(&c->waits, side) : NULL;
    if (met == NULL) {
        filch__waits_wake(&c->waits, side);
        return;
    }
    bool is_done = (side == SENDERS ? put_in(c, met->value, 1) : take_from(c, met->value, 1)) != 0;
    if (!is_done)
        filch__waits_let_try(met);
    filch__unpark(&met->party->waiter);
    if (!is_done)
        return;
    const enum side other = (enum side)(1 - side);
    if (filch__waits_word(&c->waits, other) >= WAITS_ONE)
        filch__waits_wake(&c->waits, other);
    filch__op_pass_on(&(struct op){.channel = c, .side = side});
}

/* --- sending --- */

/* Somebody waits to receive, or nobody will receive any more. */
static FILCH_COLD int sent_slow(struct channel *c, uint32_t word)
{
    if ((word & WAITS_GONE) != 0)
        filch__channel_drain(c);
    else
        wake_first(c, RECEIVERS);
    return 0;
}

/* Looks for those that wait for what has been sent. Returns 0, as what it calls does: a last call costs
 * the frequent way nothing. */
static FILCH_ALWAYS_INLINE int tell_receivers(struct channel *c)
{
    uint32_t word = filch__waits_word(&c->waits, RECEIVERS);
    return FILCH_LIKELY(word == 0) ? 0 : sent_slow(c, word);
}

/* Sends up to `max` messages. Returns how many were sent in *count, and 0; or none: EAGAIN; EPIPE;
 * ENOMEM. */
static FILCH_ALWAYS_INLINE int try_send(struct channel *c, const void *values, size_t max,
                                        size_t *count)
{
    if (filch__waits_has_gone(&c->waits, RECEIVERS))
        return EPIPE;
    if (c->flavour > UNBOUNDED) {
        *count = 1;
        return filch__handoff_try(c, SENDERS, (void *)(uintptr_t)values); /* only reads it */
    }
    *count = put_in(c, values, max);
    if (*count == 0)
        return c->flavour == BOUNDED ? EAGAIN : ENOMEM;
    return tell_receivers(c);
}

/* Sends one message of a word, if nothing at all is in the way. Returns how many. */
static FILCH_ALWAYS_INLINE size_t send_word(struct channel *c, const void *value)
{
    const struct layout *layout = &filch__layout_word;
    uint64_t position;
    size_t count = 0;
    if (FILCH_UNLIKELY(c->size_bytes != layout->size_bytes))
        return 0;
    if (FILCH_UNLIKELY(filch__waits_anybody(&c->waits, RECEIVERS)))
        return 0;
    if (c->flavour == BOUNDED) {
        enum alone_how how = filch__alone_try_enter(&c->ring.tail.alone);
        if (how == ALONE_AMONG) {
            count = filch__ring_send(&c->ring, layout, false, value, 1);
        } else if (how == ALONE_INSIDE) {
            count = filch__ring_send(&c->ring, layout, true, value, 1);
            filch__alone_leave(&c->ring.tail.alone);
        }
    } else if (c->flavour == UNBOUNDED) {
        enum alone_how how = filch__alone_try_enter(&c->list.tail.alone);
        if (how == ALONE_AMONG) {
            count = filch__list_send(&c->list, &filch__places_word, false, value, 1, &position);
        } else if (how == ALONE_INSIDE) {
            count = filch__list_send(&c->list, &filch__places_word, true, value, 1, &position);
            filch__alone_leave(&c->list.tail.alone);
        }
    }
    return count;
}

/* --- receiving --- */

static FILCH_COLD int received_slow(struct channel *c)
{
    wake_first(c, SENDERS);
    return 0;
}

/* Looks for those that wait for room. Returns 0, as above. */
static FILCH_ALWAYS_INLINE int tell_senders(struct channel *c)
{
    return FILCH_LIKELY(filch__waits_word(&c->waits, SENDERS) < WAITS_ONE) ? 0 : received_slow(c);
}

/* Receives up to `max` messages. Returns how many in *count, and 0; or none: EAGAIN. */
static FILCH_ALWAYS_INLINE int recv_messages(struct channel *c, void *values, size_t max,
                                             size_t *count)
{
    *count = 1;
    if (c->flavour == HANDOFF)
        return filch__handoff_try(c, RECEIVERS, values);
    if (c->flavour == TIMED)
        return filch__timed_recv(&c->timed, values);
    *count = take_from(c, values, max);
    if (*count == 0)
        return EAGAIN;
    return tell_senders(c);
}

/* Likewise; EPIPE: what was sent before the senders went is there by now. */
static FILCH_ALWAYS_INLINE int try_recv(struct channel *c, void *values, size_t max, size_t *count)
{
    int error = recv_messages(c, values, max, count);
    if (error == 0 || !filch__waits_has_gone(&c->waits, SENDERS))
        return error;
    error = recv_messages(c, values, max, count);
    return error == EAGAIN ? EPIPE : error;
}

/* Receives one message of a word, if nothing at all is in the way. Returns how many. */
static FILCH_ALWAYS_INLINE size_t recv_word(struct channel *c, void *value)
{
    const struct layout *layout = &filch__layout_word;
    uint64_t position;
    size_t count = 0;
    if (FILCH_UNLIKELY(c->size_bytes != layout->size_bytes))
        return 0;
    if (c->flavour == BOUNDED) {
        enum alone_how how = filch__alone_try_enter(&c->ring.head.alone);
        if (how == ALONE_AMONG) {
            count = filch__ring_recv(&c->ring, layout, false, value, 1);
        } else if (how == ALONE_INSIDE) {
            count = filch__ring_recv(&c->ring, layout, true, value, 1);
            filch__alone_leave(&c->ring.head.alone);
        }
    } else if (c->flavour == UNBOUNDED) {
        enum alone_how how = filch__alone_try_enter(&c->list.head.alone);
        if (how == ALONE_AMONG) {
            count = filch__list_recv(&c->list, &filch__places_word, false, value, 1, &position);
        } else if (how == ALONE_INSIDE) {
            count = filch__list_recv(&c->list, &filch__places_word, true, value, 1, &position);
            filch__alone_leave(&c->list.head.alone);
        }
    }
    return count;
}

/* --- either, as a choice sees it --- */

static __attribute__((noinline)) int try_send_one(struct channel *c, const void *value)
{
    size_t count;
    if (send_word(c, value) != 0)
        return tell_receivers(c);
    return try_send(c, value, 1, &count);
}

static __attribute__((noinline)) int try_recv_one(struct channel *c, void *value)
{
    size_t count;
    if (recv_word(c, value) != 0)
        return tell_senders(c);
    return try_recv(c, value, 1, &count);
}

int filch__op_try(const struct op *op)
{
    return op->side == SENDERS ? try_send_one(op->channel, op->value)
                               : try_recv_one(op->channel, op->value);
}

/* --- sending and receiving --- */

/* The same as the calls that are named, all of it: those begin with what is most frequent. */

static __attribute__((noinline)) int try_send_any(struct channel *c, const void *value)
{
    if (!filch__is_valid(c, value))
        return EINVAL;
    return is_task() && filch__task_hand(c, value) ? 0 : try_send_one(c, value);
}

static __attribute__((noinline)) int try_recv_any(struct channel *c, void *value)
{
    return filch__is_valid(c, value) ? try_recv_one(c, value) : EINVAL;
}

static __attribute__((noinline)) int thread_send(struct channel *c, const void *value,
                                                 int64_t deadline)
{
    if (!filch__is_valid(c, value))
        return EINVAL;
    void *unchanged = (void *)(uintptr_t)value; /* it is only read */
    if (c->flavour == HANDOFF)
        return filch__handoff(c, SENDERS, unchanged, deadline);
    int error = filch__op_may_be_ready(c, SENDERS) ? try_send_one(c, value) : EAGAIN;
    return error == EAGAIN ? filch__op_wait(c, SENDERS, unchanged, deadline) : error;
}

static __attribute__((noinline)) int thread_recv(struct channel *c, void *value, int64_t deadline)
{
    if (!filch__is_valid(c, value))
        return EINVAL;
    if (c->flavour == HANDOFF)
        return filch__handoff(c, RECEIVERS, value, deadline);
    int error = filch__op_may_be_ready(c, RECEIVERS) ? try_recv_one(c, value) : EAGAIN;
    return error == EAGAIN ? filch__op_wait(c, RECEIVERS, value, deadline) : error;
}

static FILCH_ALWAYS_INLINE int send_until(struct channel *c, const void *value, int64_t deadline)
{
    return FILCH_LIKELY(is_task()) ? filch__task_send(c, value, deadline)
                                   : thread_send(c, value, deadline);
}

static FILCH_ALWAYS_INLINE int recv_until(struct channel *c, void *value, int64_t deadline)
{
    return FILCH_LIKELY(is_task()) ? filch__task_recv(c, value, deadline)
                                   : thread_recv(c, value, deadline);
}

/* Whether send_word has sent it. */
static FILCH_ALWAYS_INLINE bool is_sent(struct channel *c, const void *value)
{
    return FILCH_LIKELY(c != NULL) && FILCH_LIKELY(value != NULL) &&
           FILCH_LIKELY(send_word(c, value) != 0);
}

static FILCH_ALWAYS_INLINE bool is_received(struct channel *c, void *value)
{
    return FILCH_LIKELY(c != NULL) && FILCH_LIKELY(value != NULL) &&
           FILCH_LIKELY(recv_word(c, value) != 0);
}

int filch_send(struct filch_sender *tx, const void *value)
{
    struct channel *c = filch__sender_channel(tx);
    if (!is_sent(c, value))
        return send_until(c, value, FILCH_FOREVER);
    return tell_receivers(c);
}

int filch_send_until(struct filch_sender *tx, const void *value, int64_t deadline)
{
    struct channel *c = filch__sender_channel(tx);
    if (!is_sent(c, value))
        return send_until(c, value, deadline);
    return tell_receivers(c);
}

int filch_try_send(struct filch_sender *tx, const void *value)
{
    struct channel *c = filch__sender_channel(tx);
    if (!is_sent(c, value))
        return try_send_any(c, value);
    return tell_receivers(c);
}

int filch_recv(struct filch_receiver *rx, void *value)
{
    struct channel *c = filch__receiver_channel(rx);
    if (!is_received(c, value))
        return recv_until(c, value, FILCH_FOREVER);
    return tell_senders(c);
}

int filch_recv_until(struct filch_receiver *rx, void *value, int64_t deadline)
{
    struct channel *c = filch__receiver_channel(rx);
    if (!is_received(c, value))
        return recv_until(c, value, deadline);
    return tell_senders(c);
}

int filch_try_recv(struct filch_receiver *rx, void *value)
{
    struct channel *c = filch__receiver_channel(rx);
    if (!is_received(c, value))
        return try_recv_any(c, value);
    return tell_senders(c);
}

int filch_send_many(struct filch_sender *tx, const void *values, size_t count, int64_t deadline,
                    size_t *sent)
{
    int error = 0;
    if (tx == NULL || sent == NULL || (values == NULL && count > 0))
        return EINVAL;
    struct channel *c = filch__sender_channel(tx);
    size_t done = 0;
    while (done < count && error == 0) {
        const char *next = (const char *)values + done * c->size_bytes;
        size_t some;
        error = try_send(c, next, count - done, &some);
        if (error == EAGAIN) {
            some = 1;
            error =
                filch__op_wait(c, SENDERS, (void *)(uintptr_t)next, deadline); /* only reads it */
        }
        if (error == 0)
            done += some;
    }
    *sent = done;
    return error;
}

int filch_recv_many(struct filch_receiver *rx, void *values, size_t max, int64_t deadline,
                    size_t *received)
{
    if (rx == NULL || received == NULL || max == 0 || values == NULL)
        return EINVAL;
    struct channel *c = filch__receiver_channel(rx);
    size_t done = 0;
    int error = try_recv(c, values, max, &done);
    if (error == EAGAIN) {
        done = 1;
        error = filch__op_wait(c, RECEIVERS, values, deadline);
    }
    if (error != 0)
        return error;
    size_t some;
    while (done < max && try_recv(c, (char *)values + done * c->size_bytes, max - done, &some) == 0)
        done += some;
    *received = done;
    return 0;
}
