/* SPDX-License-Identifier: Apache-2.0 */
/* Handles, sending and receiving: what all flavours of channels have in common. */
#include "chan/channel.h"

#include "base/check.h"
#include "os/os.h"

enum { HANDLES_MAX = INT32_MAX };

/* --- creation and end --- */

int filch__channel_new(struct channel **channel, const struct filch_channel_config *config)
{
    if (config->element_size > ELEMENT_SIZE_MAX)
        return EINVAL;
    struct channel *c = filch__os_alloc_zeroed(1, sizeof *c, _Alignof(struct channel));
    if (c == NULL)
        return ENOMEM;
    c->size_bytes = config->element_size;
    c->drop = config->drop;
    c->handles[SENDERS] = 1;
    c->handles[RECEIVERS] = 1;
    c->sides = 2;
    filch__waits_init(&c->waits);
    int error = 0;
    if (config->capacity == 0) {
        c->flavour = HANDOFF;
    } else if (config->capacity == FILCH_UNBOUNDED) {
        c->flavour = UNBOUNDED;
        error = filch__list_init(&c->list, config->element_size);
    } else {
        c->flavour = BOUNDED;
        error = filch__ring_init(&c->ring, config->element_size, config->capacity);
    }
    if (error == 0)
        *channel = c;
    else
        filch__os->free(c);
    return error;
}

struct filch_sender *filch__channel_sender(struct channel *c)
{
    return (struct filch_sender *)(void *)c;
}

struct filch_receiver *filch__channel_receiver(struct channel *c)
{
    return (struct filch_receiver *)(void *)c;
}

int filch_channel_create_with(struct filch_sender **tx, struct filch_receiver **rx,
                              const struct filch_channel_config *config)
{
    struct channel *c;
    if (tx == NULL || rx == NULL || config == NULL)
        return EINVAL;
    int error = filch__channel_new(&c, config);
    if (error != 0)
        return error;
    *tx = filch__channel_sender(c);
    *rx = filch__channel_receiver(c);
    return 0;
}

int filch_channel_create(struct filch_sender **tx, struct filch_receiver **rx, size_t element_size,
                         size_t capacity)
{
    struct filch_channel_config config = {.element_size = element_size, .capacity = capacity};
    return filch_channel_create_with(tx, rx, &config);
}

static void channel_free(struct channel *c)
{
    if (c->flavour == BOUNDED)
        filch__ring_destroy(&c->ring);
    else if (c->flavour == UNBOUNDED)
        filch__list_destroy(&c->list);
    filch__os->free(c);
}

/* The receivers have gone: drops what nobody will receive. A message that is being sent is its
 * sender's to drop: it sees that they have gone when it has stamped the slot. */
static void drain(struct channel *c)
{
    if (c->drop == NULL)
        return;
    if (c->flavour == BOUNDED) {
        while (filch__ring_drop(&c->ring, c->drop) == 0 || filch__ring_has_message(&c->ring)) {
        }
    } else if (c->flavour == UNBOUNDED) {
        while (filch__list_drop(&c->list, c->drop) == 0 || filch__list_has_message(&c->list)) {
        }
    }
}

static void handle_clone(struct channel *c, enum side side)
{
    uint32_t before = FILCH_FETCH_ADD_RELAXED(&c->handles[side], 1); /* the caller has one */
    FILCH_CHECK(before != 0, "a handle of a channel was cloned that had been dropped");
    FILCH_CHECK(before < HANDLES_MAX, "a channel has too many handles");
}

static void handle_drop(struct channel *c, enum side side)
{
    uint32_t before = FILCH_FETCH_SUB(&c->handles[side], 1, CD_handle, acq_rel);
    FILCH_CHECK(before != 0 && before <= HANDLES_MAX, "a handle of a channel was dropped twice");
    if (before != 1)
        return;
    filch__waits_go(&c->waits, side);
    if (side == RECEIVERS)
        drain(c);
    if (FILCH_FETCH_SUB(&c->sides, 1, CD_side, acq_rel) == 1)
        channel_free(c);
}

struct filch_sender *filch_sender_clone(struct filch_sender *tx)
{
    if (tx != NULL)
        handle_clone(filch__sender_channel(tx), SENDERS);
    return tx;
}

struct filch_receiver *filch_receiver_clone(struct filch_receiver *rx)
{
    if (rx != NULL)
        handle_clone(filch__receiver_channel(rx), RECEIVERS);
    return rx;
}

void filch_sender_drop(struct filch_sender *tx)
{
    if (tx != NULL)
        handle_drop(filch__sender_channel(tx), SENDERS);
}

void filch_receiver_drop(struct filch_receiver *rx)
{
    if (rx != NULL)
        handle_drop(filch__receiver_channel(rx), RECEIVERS);
}

/* --- trying --- */

/* Somebody waits to receive, or nobody will receive any more. */
static FILCH_COLD void sent_slow(struct channel *c, uint32_t word)
{
    if ((word & WAITS_GONE) != 0)
        drain(c);
    else
        filch__waits_wake(&c->waits, RECEIVERS);
}

static FILCH_ALWAYS_INLINE void sent(struct channel *c)
{
    uint32_t word = filch__waits_word(&c->waits, RECEIVERS);
    if (FILCH_UNLIKELY(word != 0))
        sent_slow(c, word);
}

/* Only one of both parties does both: the one that comes second. */
static __attribute__((noinline)) int meet(struct channel *c, enum side other, void *value)
{
    if (filch__waits_word(&c->waits, other) < WAITS_ONE)
        return EAGAIN;
    struct entry *e = filch__waits_meet(&c->waits, other);
    if (e == NULL)
        return EAGAIN;
    if (other == RECEIVERS)
        filch__copy(e->value, value, c->size_bytes);
    else
        filch__copy(value, e->value, c->size_bytes);
    filch__unpark(&e->party->waiter);
    return 0;
}

/* Flavours that are no ring. */
static __attribute__((noinline)) int send_other(struct channel *c, const void *value)
{
    if (FILCH_UNLIKELY(c->flavour != UNBOUNDED))
        return meet(c, RECEIVERS, (void *)(uintptr_t)value); /* which only reads it */
    int error = filch__list_send(&c->list, value);
    if (FILCH_LIKELY(error == 0))
        sent(c);
    return error;
}

static FILCH_ALWAYS_INLINE int try_send(struct channel *c, const void *value)
{
    if (FILCH_UNLIKELY(filch__waits_has_gone(&c->waits, RECEIVERS)))
        return EPIPE;
    if (c->flavour != BOUNDED)
        return send_other(c, value);
    int error = filch__ring_send(&c->ring, value);
    if (FILCH_LIKELY(error == 0))
        sent(c);
    return error;
}

static __attribute__((noinline)) int recv_other(struct channel *c, void *value)
{
    if (FILCH_LIKELY(c->flavour == UNBOUNDED))
        return filch__list_recv(&c->list, value);
    return c->flavour == HANDOFF ? meet(c, SENDERS, value) : filch__timed_recv(&c->timed, value);
}

static FILCH_COLD void received_slow(struct channel *c)
{
    filch__waits_wake(&c->waits, SENDERS);
}

static FILCH_ALWAYS_INLINE int recv_message(struct channel *c, void *value)
{
    if (c->flavour != BOUNDED)
        return recv_other(c, value);
    int error = filch__ring_recv(&c->ring, value);
    if (FILCH_UNLIKELY(filch__waits_word(&c->waits, SENDERS) >= WAITS_ONE) && error == 0)
        received_slow(c);
    return error;
}

/* What was sent before the senders went is there by now. */
static FILCH_COLD int recv_last(struct channel *c, void *value)
{
    int error = recv_message(c, value);
    return error == EAGAIN ? EPIPE : error;
}

static FILCH_ALWAYS_INLINE int try_recv(struct channel *c, void *value)
{
    int error = recv_message(c, value);
    if (FILCH_UNLIKELY(error != 0) && FILCH_UNLIKELY(filch__waits_has_gone(&c->waits, SENDERS)))
        return recv_last(c, value);
    return error;
}

int filch__op_try(const struct op *op)
{
    return op->side == SENDERS ? try_send(op->channel, op->value)
                               : try_recv(op->channel, op->value);
}

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
    return meets ? can_meet || other_has_gone(op) : filch__op_is_ready(op);
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

/* --- sending and receiving --- */

static FILCH_COLD int wait_for(struct channel *c, enum side side, void *value, int64_t deadline)
{
    struct op op = {c, side, value};
    struct entry entry;
    size_t index;
    struct choice choice = {.ops = &op, .count = 1, .in_order = true};
    return filch__choice_wait(&choice, &entry, deadline, &index);
}

static FILCH_ALWAYS_INLINE bool is_valid(const struct channel *c, const void *value)
{
    return FILCH_LIKELY(c != NULL) && FILCH_LIKELY(value != NULL || c->size_bytes == 0);
}

static FILCH_ALWAYS_INLINE int send_until(struct filch_sender *tx, const void *value,
                                          int64_t deadline)
{
    struct channel *c = filch__sender_channel(tx);
    if (!is_valid(c, value))
        return EINVAL;
    int error = try_send(c, value);
    if (FILCH_LIKELY(error != EAGAIN))
        return error;
    return wait_for(c, SENDERS, (void *)(uintptr_t)value, deadline); /* which only reads it */
}

static FILCH_ALWAYS_INLINE int recv_until(struct filch_receiver *rx, void *value, int64_t deadline)
{
    struct channel *c = filch__receiver_channel(rx);
    if (!is_valid(c, value))
        return EINVAL;
    int error = try_recv(c, value);
    if (FILCH_LIKELY(error != EAGAIN))
        return error;
    return wait_for(c, RECEIVERS, value, deadline);
}

int filch_send(struct filch_sender *tx, const void *value)
{
    return send_until(tx, value, FILCH_FOREVER);
}

int filch_send_until(struct filch_sender *tx, const void *value, int64_t deadline)
{
    return send_until(tx, value, deadline);
}

int filch_try_send(struct filch_sender *tx, const void *value)
{
    struct channel *c = filch__sender_channel(tx);
    return is_valid(c, value) ? try_send(c, value) : EINVAL;
}

int filch_recv(struct filch_receiver *rx, void *value)
{
    return recv_until(rx, value, FILCH_FOREVER);
}

int filch_recv_until(struct filch_receiver *rx, void *value, int64_t deadline)
{
    return recv_until(rx, value, deadline);
}

int filch_try_recv(struct filch_receiver *rx, void *value)
{
    struct channel *c = filch__receiver_channel(rx);
    return is_valid(c, value) ? try_recv(c, value) : EINVAL;
}

int filch_send_many(struct filch_sender *tx, const void *values, size_t count, int64_t deadline,
                    size_t *sent)
{
    int error = 0;
    if (tx == NULL || sent == NULL || (values == NULL && count > 0))
        return EINVAL;
    size_t size_bytes = filch__sender_channel(tx)->size_bytes;
    size_t done = 0;
    while (done < count && error == 0) {
        error = filch_send_until(tx, (const char *)values + done * size_bytes, deadline);
        done += error == 0;
    }
    *sent = done;
    return error;
}

int filch_recv_many(struct filch_receiver *rx, void *values, size_t max, int64_t deadline,
                    size_t *received)
{
    if (rx == NULL || received == NULL || max == 0 || values == NULL)
        return EINVAL;
    size_t size_bytes = filch__receiver_channel(rx)->size_bytes;
    int error = filch_recv_until(rx, values, deadline);
    if (error != 0)
        return error;
    size_t done = 1;
    while (done < max && filch_try_recv(rx, (char *)values + done * size_bytes) == 0)
        done++;
    *received = done;
    return 0;
}

/* --- looking --- */

static size_t length_of(struct channel *c)
{
    switch (c->flavour) {
    case BOUNDED:
        return filch__ring_length(&c->ring);
    case UNBOUNDED:
        return filch__list_length(&c->list);
    case TIMED:
        return filch__timed_has_come(&c->timed);
    case HANDOFF:
        break;
    }
    return 0;
}

static size_t capacity_of(const struct channel *c)
{
    switch (c->flavour) {
    case BOUNDED:
        return c->ring.capacity;
    case UNBOUNDED:
        return FILCH_UNBOUNDED;
    case TIMED:
        return 1;
    case HANDOFF:
        break;
    }
    return 0;
}

size_t filch_sender_len(const struct filch_sender *tx)
{
    return tx == NULL ? 0 : length_of(filch__sender_channel(tx));
}

size_t filch_receiver_len(const struct filch_receiver *rx)
{
    return rx == NULL ? 0 : length_of(filch__receiver_channel(rx));
}

size_t filch_sender_capacity(const struct filch_sender *tx)
{
    return tx == NULL ? 0 : capacity_of(filch__sender_channel(tx));
}

size_t filch_receiver_capacity(const struct filch_receiver *rx)
{
    return rx == NULL ? 0 : capacity_of(filch__receiver_channel(rx));
}

int filch_sender_is_disconnected(const struct filch_sender *tx)
{
    return tx != NULL && filch__waits_has_gone(&filch__sender_channel(tx)->waits, RECEIVERS);
}

int filch_receiver_is_disconnected(const struct filch_receiver *rx)
{
    return rx != NULL && filch__waits_has_gone(&filch__receiver_channel(rx)->waits, SENDERS);
}
