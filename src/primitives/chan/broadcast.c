/* SPDX-License-Identifier: Apache-2.0 */
#include "chan/message.h"
#include "os/os.h"
#include "park/crowd.h"

#include "base/check.h"

#include <filch/broadcast.h>

/* A message and its place in the ring. Under the lock. */
struct place {
    struct message *message; /* held once; NULL: nobody will ask for it */
    size_t unseen;           /* by so many receivers, of those that there were when it was sent */
};

/* A sending handle is its address. */
struct broadcast {
    struct lock lock;
    struct messages messages; /* const, as capacity */
    size_t capacity;
    size_t senders; /* under the lock, as all below */
    size_t receivers;
    size_t handles;         /* of both kinds whose drop is not over; the last one frees it */
    uint64_t sent;          /* the number of the message that is sent next */
    struct crowd receiving; /* wait for it */
    struct place ring[];    /* message n lies at n % capacity */
};

struct filch_broadcast_receiver {
    struct broadcast *broadcast; /* const */
    uint64_t next;               /* the number of what it receives next; under the lock */
};

enum { DOES_NOT_WAIT, WAITS };

static struct broadcast *of_sender(const struct filch_broadcast_sender *tx)
{
    return (struct broadcast *)(uintptr_t)tx;
}

/* --- creation and end --- */

static struct broadcast *broadcast_new(size_t capacity)
{
    size_t size_bytes;
    if (__builtin_mul_overflow(capacity, sizeof(struct place), &size_bytes) ||
        __builtin_add_overflow(size_bytes, sizeof(struct broadcast), &size_bytes))
        return NULL;
    struct broadcast *b = filch__os_alloc_zeroed(1, size_bytes, _Alignof(struct broadcast));
    if (b != NULL)
        b->capacity = capacity;
    return b;
}

int filch_broadcast_create_with(struct filch_broadcast_sender **tx,
                                struct filch_broadcast_receiver **rx,
                                const struct filch_broadcast_config *config)
{
    struct messages messages;
    if (tx == NULL || rx == NULL || config == NULL || config->capacity == 0)
        return EINVAL;
    int error = filch__messages_init(&messages, config->element_size, config->clone, config->drop);
    if (error != 0)
        return error;
    struct broadcast *b = broadcast_new(config->capacity);
    struct filch_broadcast_receiver *r = filch__os->alloc(sizeof *r, _Alignof(max_align_t));
    if (b == NULL || r == NULL) {
        filch__os->free(b);
        filch__os->free(r);
        return ENOMEM;
    }
    b->messages = messages;
    b->senders = 1;
    b->receivers = 1;
    b->handles = 2;
    *r = (struct filch_broadcast_receiver){.broadcast = b};
    *tx = (struct filch_broadcast_sender *)(void *)b;
    *rx = r;
    return 0;
}

int filch_broadcast_create(struct filch_broadcast_sender **tx, struct filch_broadcast_receiver **rx,
                           size_t element_size, size_t capacity)
{
    struct filch_broadcast_config config = {.element_size = element_size, .capacity = capacity};
    return filch_broadcast_create_with(tx, rx, &config);
}

/* Ends a handle, and the broadcast with the last one, in which nothing is left that a receiver could have
 * asked for. Under the lock, which it gives back. */
static void end_handle(struct broadcast *b, struct crowd_waiter *woken)
{
    bool is_last = --b->handles == 0;
    filch__unlock(&b->lock);
    filch__crowd_wake(woken);
    if (is_last)
        filch__os->free(b);
}

struct filch_broadcast_sender *filch_broadcast_sender_clone(struct filch_broadcast_sender *tx)
{
    struct broadcast *b = of_sender(tx);
    if (b == NULL)
        return NULL;
    filch__lock(&b->lock);
    FILCH_CHECK(b->senders != 0, "a sender of a broadcast was cloned that had been dropped");
    b->senders++;
    b->handles++;
    filch__unlock(&b->lock);
    return tx;
}

void filch_broadcast_sender_drop(struct filch_broadcast_sender *tx)
{
    struct broadcast *b = of_sender(tx);
    if (b == NULL)
        return;
    filch__lock(&b->lock);
    FILCH_CHECK(b->senders != 0, "a sender of a broadcast was dropped twice");
    end_handle(b, --b->senders == 0 ? filch__crowd_take(&b->receiving) : NULL);
}

static int subscribe(struct broadcast *b, struct filch_broadcast_receiver **rx)
{
    struct filch_broadcast_receiver *r = filch__os->alloc(sizeof *r, _Alignof(max_align_t));
    if (r == NULL)
        return ENOMEM;
    filch__lock(&b->lock);
    *r = (struct filch_broadcast_receiver){.broadcast = b, .next = b->sent};
    b->receivers++;
    b->handles++;
    filch__unlock(&b->lock);
    *rx = r;
    return 0;
}

int filch_broadcast_subscribe(struct filch_broadcast_sender *tx,
                              struct filch_broadcast_receiver **rx)
{
    return tx == NULL || rx == NULL ? EINVAL : subscribe(of_sender(tx), rx);
}

int filch_broadcast_resubscribe(struct filch_broadcast_receiver *rx,
                                struct filch_broadcast_receiver **another)
{
    return rx == NULL || another == NULL ? EINVAL : subscribe(rx->broadcast, another);
}

/* --- the ring, under the lock --- */

/* The number of the oldest message that has not been replaced. */
static uint64_t oldest(const struct broadcast *b)
{
    return b->sent > b->capacity ? b->sent - b->capacity : 0;
}

static struct place *place_of(struct broadcast *b, uint64_t number)
{
    return &b->ring[number % b->capacity];
}

/* A receiver is done with a message. Returns it, with one hold that is now the caller's. */
static struct message *take(struct broadcast *b, uint64_t number)
{
    struct place *place = place_of(b, number);
    struct message *m = place->message;
    place->unseen--;
    if (place->unseen == 0)
        place->message = NULL; /* the ring's hold passes over */
    else
        m->holders++;
    return m;
}

/* Gives up a hold, under the lock: of the last holder it comes to the list. */
static void let_go(struct message *m, struct message **list)
{
    if (m == NULL || !filch__message_let_go(m))
        return;
    m->next = *list;
    *list = m;
}

/* --- sending and receiving --- */

int filch_broadcast_send(struct filch_broadcast_sender *tx, const void *value)
{
    struct broadcast *b = of_sender(tx);
    struct message *unwanted = NULL;
    if (b == NULL || (value == NULL && b->messages.size_bytes != 0))
        return EINVAL;
    struct message *m = filch__message_new(&b->messages, value);
    if (m == NULL)
        return ENOMEM;
    filch__lock(&b->lock);
    if (b->receivers == 0) {
        filch__unlock(&b->lock);
        filch__message_free(m);
        return EPIPE;
    }
    struct place *place = place_of(b, b->sent);
    let_go(place->message, &unwanted);
    *place = (struct place){.message = m, .unseen = b->receivers};
    b->sent++;
    struct crowd_waiter *woken = filch__crowd_take(&b->receiving);
    filch__unlock(&b->lock);
    filch__crowd_wake(woken);
    filch__message_drop(&b->messages, unwanted);
    return 0;
}

/* Takes the next message. Returns 0; EOVERFLOW; EPIPE; EAGAIN. Under the lock. */
static int try_take(struct filch_broadcast_receiver *rx, struct message **m, uint64_t *missed)
{
    struct broadcast *b = rx->broadcast;
    uint64_t first = oldest(b);
    if (rx->next < first) {
        if (missed != NULL)
            *missed = first - rx->next;
        rx->next = first;
        return EOVERFLOW;
    }
    if (rx->next == b->sent)
        return b->senders == 0 ? EPIPE : EAGAIN;
    *m = take(b, rx->next++);
    return 0;
}

static int receive(struct filch_broadcast_receiver *rx, void *value, uint64_t *missed, int waits,
                   int64_t deadline)
{
    struct message *m = NULL;
    int wait_error = waits == WAITS ? 0 : EAGAIN;
    if (rx == NULL || (value == NULL && rx->broadcast->messages.size_bytes != 0))
        return EINVAL;
    struct broadcast *b = rx->broadcast;
    filch__lock(&b->lock);
    int error = try_take(rx, &m, missed);
    while (error == EAGAIN && wait_error == 0) {
        wait_error = filch__crowd_wait(&b->receiving, &b->lock, deadline);
        filch__lock(&b->lock);
        error = try_take(rx, &m, missed); /* after a deadline too: a message is never overlooked */
    }
    filch__unlock(&b->lock);
    if (error != 0)
        return error == EAGAIN ? wait_error : error;
    filch__message_copy(&b->messages, m, value);
    struct message *unwanted = NULL;
    filch__lock(&b->lock);
    let_go(m, &unwanted);
    filch__unlock(&b->lock);
    filch__message_drop(&b->messages, unwanted);
    return 0;
}

int filch_broadcast_recv(struct filch_broadcast_receiver *rx, void *value, uint64_t *missed)
{
    return receive(rx, value, missed, WAITS, FILCH_FOREVER);
}

int filch_broadcast_try_recv(struct filch_broadcast_receiver *rx, void *value, uint64_t *missed)
{
    return receive(rx, value, missed, DOES_NOT_WAIT, 0);
}

int filch_broadcast_recv_until(struct filch_broadcast_receiver *rx, void *value, uint64_t *missed,
                               int64_t deadline)
{
    return receive(rx, value, missed, WAITS, deadline);
}

void filch_broadcast_receiver_drop(struct filch_broadcast_receiver *rx)
{
    struct message *unwanted = NULL;
    if (rx == NULL)
        return;
    struct broadcast *b = rx->broadcast;
    filch__lock(&b->lock);
    b->receivers--; /* what is sent from now on is not for it */
    uint64_t first = oldest(b);
    for (uint64_t n = rx->next > first ? rx->next : first; n < b->sent; n++)
        let_go(take(b, n), &unwanted);
    filch__unlock(&b->lock);
    filch__os->free(rx);
    filch__message_drop(&b->messages, unwanted);
    filch__lock(&b->lock);
    end_handle(b, NULL);
}

/* --- looking --- */

size_t filch_broadcast_receivers(const struct filch_broadcast_sender *tx)
{
    struct broadcast *b = of_sender(tx);
    if (b == NULL)
        return 0;
    filch__lock(&b->lock);
    size_t receivers = b->receivers;
    filch__unlock(&b->lock);
    return receivers;
}

size_t filch_broadcast_len(const struct filch_broadcast_receiver *rx)
{
    if (rx == NULL)
        return 0;
    struct broadcast *b = rx->broadcast;
    filch__lock(&b->lock);
    uint64_t first = oldest(b);
    size_t length = (size_t)(b->sent - (rx->next > first ? rx->next : first));
    filch__unlock(&b->lock);
    return length;
}

int filch_broadcast_is_disconnected(const struct filch_broadcast_receiver *rx)
{
    if (rx == NULL)
        return 0;
    struct broadcast *b = rx->broadcast;
    filch__lock(&b->lock);
    bool has_gone = b->senders == 0;
    filch__unlock(&b->lock);
    return has_gone;
}
