/* SPDX-License-Identifier: Apache-2.0 */
/* What the parties do, for channels of C, and what these are is said by macros, as in locks/parties.h:
 *
 *     CHANNELS_TX, CHANNELS_RX             the types of handles
 *     CHANNELS_SEND(tx, message)           message: a struct channels_message *
 *     CHANNELS_RECV(rx, message)           whether there was one: not, when all senders have gone
 *
 * Whoever has run channels_send or channels_ping then lets this sender go.
 */
#ifndef FILCH_BENCH_CHANNELS_PARTIES_H
#define FILCH_BENCH_CHANNELS_PARTIES_H

#include "channels/channels.h"

struct channels_message {
    uint64_t words[CHANNELS_WORDS_MAX]; /* as many as are sent */
};

#define CHANNELS_FUNCTION static __attribute__((unused)) void

CHANNELS_FUNCTION channels_send(struct channels_data *d, unsigned number, CHANNELS_TX tx)
{
    struct channels_message message = {{0}};
    struct channels_tally tally = {0};
    do {
        for (int i = 0; i < CHANNELS_BATCH; i++) {
            message.words[0] = tally.count++;
            tally.sum += message.words[0];
            CHANNELS_SEND(tx, &message);
        }
    } while (!parties_stop(&d->time));
    d->tallies[number] = tally;
}

CHANNELS_FUNCTION channels_recv(struct channels_data *d, unsigned number, CHANNELS_RX rx)
{
    struct channels_message message;
    struct channels_tally tally = {0};
    while (CHANNELS_RECV(rx, &message)) {
        tally.count++;
        tally.sum += message.words[0];
    }
    d->tallies[number] = tally;
}

CHANNELS_FUNCTION channels_alone(struct channels_data *d, CHANNELS_TX tx, CHANNELS_RX rx)
{
    struct channels_message message = {{0}};
    struct channels_tally sent = {0}, received = {0};
    do {
        for (int i = 0; i < CHANNELS_BATCH; i++) {
            message.words[0] = sent.count++;
            sent.sum += message.words[0];
            CHANNELS_SEND(tx, &message);
            received.count += CHANNELS_RECV(rx, &message);
            received.sum += message.words[0];
        }
    } while (!parties_stop(&d->time));
    d->tallies[0] = sent;
    d->tallies[1] = received;
}

CHANNELS_FUNCTION channels_ping(struct channels_data *d, CHANNELS_TX tx, CHANNELS_RX rx)
{
    struct channels_message message = {{0}};
    struct channels_tally tally = {0};
    do {
        for (int i = 0; i < CHANNELS_BATCH; i++) {
            message.words[0] = tally.count;
            CHANNELS_SEND(tx, &message);
            tally.count += CHANNELS_RECV(rx, &message);
            tally.sum += message.words[0];
        }
    } while (!parties_stop(&d->time));
    d->tallies[0] = tally;
}

CHANNELS_FUNCTION channels_pong(struct channels_data *d, CHANNELS_TX tx, CHANNELS_RX rx)
{
    struct channels_message message;
    struct channels_tally tally = {0};
    while (CHANNELS_RECV(rx, &message)) {
        tally.count++;
        tally.sum += message.words[0];
        CHANNELS_SEND(tx, &message);
    }
    d->tallies[1] = tally;
}

CHANNELS_FUNCTION channels_fill_and_drain(struct channels_data *d, CHANNELS_TX tx, CHANNELS_RX rx)
{
    struct channels_message message = {{0}};
    struct channels_tally sent = {0}, received = {0};
    while (sent.count < d->messages) {
        message.words[0] = sent.count++;
        sent.sum += message.words[0];
        CHANNELS_SEND(tx, &message);
    }
    channels_are_full();
    while (received.count < d->messages && CHANNELS_RECV(rx, &message)) {
        received.count++;
        received.sum += message.words[0];
    }
    d->tallies[0] = sent;
    d->tallies[1] = received;
}

#endif
