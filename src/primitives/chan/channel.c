/* SPDX-License-Identifier: Apache-2.0 */
/* Handles: making and ending channels, and looking at them. */
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

/* A message that is being sent is its sender's to drop: it sees that the receivers have gone when it has
 * stamped the slot, unless it was alone then, which we end. */
void filch__channel_drain(struct channel *c)
{
    if (c->drop == NULL)
        return;
    if (c->flavour == BOUNDED) {
        filch__alone_end_other(&c->ring.tail.alone);
        while (filch__ring_drop(&c->ring, c->drop) == 0 || filch__ring_has_message(&c->ring)) {
        }
    } else if (c->flavour == UNBOUNDED) {
        filch__alone_end_other(&c->list.tail.alone);
        filch__alone_end_other(&c->list.head.alone); /* we are neither */
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
        filch__channel_drain(c);
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
