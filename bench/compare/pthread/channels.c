/* SPDX-License-Identifier: Apache-2.0 */
#include "compare/pthread/channels.h"

#include "channels/channels.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What many programs have instead of a channel: a ring under one mutex, with a condition variable for each
 * side, which is signalled only while somebody waits. */
struct queue {
    pthread_mutex_t lock;
    pthread_cond_t readable, writable, taken;
    unsigned waiting_readers, waiting_writers; /* under lock, as is all that follows */
    unsigned senders;                          /* that have not gone */
    unsigned char *ring;
    size_t size;  /* of the ring in messages, a power of two */
    size_t limit; /* how many may be in it */
    size_t head;  /* the next to receive; both count on and on, and are masked on use */
    size_t tail;
    size_t message_bytes;
    bool hands_over; /* a send returns when its message is received */
};

static void queue_open(struct queue *queue, const struct channels_data *d, unsigned senders)
{
    *queue = (struct queue){.lock = PTHREAD_MUTEX_INITIALIZER,
                            .readable = PTHREAD_COND_INITIALIZER,
                            .writable = PTHREAD_COND_INITIALIZER,
                            .taken = PTHREAD_COND_INITIALIZER,
                            .senders = senders,
                            .limit = d->capacity > 0 ? d->capacity : 1,
                            .size = d->capacity == 0 || d->capacity > 1024 ? 1024 : d->capacity,
                            .message_bytes = d->message_bytes,
                            .hands_over = d->capacity == 0};
    queue->ring = malloc(queue->size * queue->message_bytes);
    if (!queue->ring)
        abort();
}

static unsigned char *slot_at(const struct queue *queue, size_t index)
{
    return queue->ring + (index & (queue->size - 1)) * queue->message_bytes;
}

static void queue_grow(struct queue *queue)
{
    struct queue larger = *queue;
    larger.size = 2 * queue->size;
    larger.ring = malloc(larger.size * queue->message_bytes);
    if (!larger.ring)
        abort();
    for (size_t i = queue->head; i != queue->tail; i++)
        memcpy(slot_at(&larger, i), slot_at(queue, i), queue->message_bytes);
    free(queue->ring);
    queue->ring = larger.ring;
    queue->size = larger.size;
}

static void queue_send(struct queue *queue, const void *message)
{
    pthread_mutex_lock(&queue->lock);
    while (queue->tail - queue->head >= queue->limit) {
        queue->waiting_writers++;
        pthread_cond_wait(&queue->writable, &queue->lock);
        queue->waiting_writers--;
    }
    if (queue->tail - queue->head == queue->size)
        queue_grow(queue);
    const size_t place = queue->tail++;
    memcpy(slot_at(queue, place), message, queue->message_bytes);
    if (queue->waiting_readers > 0)
        pthread_cond_signal(&queue->readable);
    while (queue->hands_over && queue->head <= place)
        pthread_cond_wait(&queue->taken, &queue->lock);
    pthread_mutex_unlock(&queue->lock);
}

static bool queue_recv(struct queue *queue, void *message)
{
    pthread_mutex_lock(&queue->lock);
    while (queue->head == queue->tail && queue->senders > 0) {
        queue->waiting_readers++;
        pthread_cond_wait(&queue->readable, &queue->lock);
        queue->waiting_readers--;
    }
    const bool has_message = queue->head != queue->tail;
    if (has_message) {
        memcpy(message, slot_at(queue, queue->head++), queue->message_bytes);
        if (queue->hands_over)
            pthread_cond_broadcast(&queue->taken);
        if (queue->waiting_writers > 0)
            pthread_cond_signal(&queue->writable);
    }
    pthread_mutex_unlock(&queue->lock);
    return has_message;
}

static void queue_sender_gone(struct queue *queue)
{
    pthread_mutex_lock(&queue->lock);
    if (--queue->senders == 0)
        pthread_cond_broadcast(&queue->readable);
    pthread_mutex_unlock(&queue->lock);
}

#define CHANNELS_TX struct queue *
#define CHANNELS_RX struct queue *
#define CHANNELS_SEND(tx, message) queue_send(tx, message)
#define CHANNELS_RECV(rx, message) queue_recv(rx, message)
#include "channels/parties.h"

static struct queue queues[2];

static void ping_pong_party(struct channels_data *d, unsigned number)
{
    if (number == 0) {
        channels_ping(d, &queues[0], &queues[1]);
        queue_sender_gone(&queues[0]);
    } else {
        channels_pong(d, &queues[1], &queues[0]);
    }
}

static void party(struct channels_data *d, unsigned number)
{
    if (d->kind == CHANNELS_PING_PONG) {
        ping_pong_party(d, number);
    } else if (d->kind == CHANNELS_ONE_PARTY) {
        channels_alone(d, &queues[0], &queues[0]);
    } else if (d->kind == CHANNELS_MEMORY) {
        channels_fill_and_drain(d, &queues[0], &queues[0]);
    } else if (number < d->senders) {
        channels_send(d, number, &queues[0]);
        queue_sender_gone(&queues[0]);
    } else {
        channels_recv(d, number, &queues[0]);
    }
}

void pthread_case_channels(void *data)
{
    const struct channels_data *d = data;
    const unsigned count = channels_count(d);
    for (unsigned i = 0; i < count; i++)
        queue_open(&queues[i], d, d->senders);
    channels_on_threads(data, party);
    for (unsigned i = 0; i < count; i++)
        free(queues[i].ring);
}
