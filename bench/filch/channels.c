/* SPDX-License-Identifier: Apache-2.0 */
#include "filch/cases.h"
#include "filch/parties.h"

#include <filch/filch.h>

#define CHANNELS_TX struct filch_sender *
#define CHANNELS_RX struct filch_receiver *
#define CHANNELS_SEND(tx, message) must(filch_send(tx, message))
#define CHANNELS_RECV(rx, message) (filch_recv(rx, message) == 0)
#include "channels/parties.h"

/* Streams: a handle of the one channel for each party; else, of channel i. */
static struct filch_sender *senders[CHANNELS_SELECT];
static struct filch_receiver *receivers[CHANNELS_SELECT];

static void channels_open(const struct channels_data *d)
{
    const unsigned count = channels_count(d);
    for (unsigned i = 0; i < count; i++)
        must(filch_channel_create(&senders[i], &receivers[i], d->message_bytes, d->capacity));
    for (unsigned i = count; i < d->senders; i++)
        senders[i] = filch_sender_clone(senders[0]);
    for (unsigned i = count; i < d->receivers; i++)
        receivers[i] = filch_receiver_clone(receivers[0]);
}

static void sender_gone(unsigned number)
{
    filch_sender_drop(senders[number]);
    senders[number] = NULL;
}

static void channels_close(void)
{
    for (unsigned i = 0; i < CHANNELS_SELECT; i++) {
        sender_gone(i);
        filch_receiver_drop(receivers[i]);
        receivers[i] = NULL;
    }
}

static void cases_make(struct filch_select_case cases[CHANNELS_SELECT], uint64_t *message)
{
    for (int i = 0; i < CHANNELS_SELECT; i++)
        cases[i] = (struct filch_select_case){.rx = receivers[i], .value = message};
}

static void select_ready(struct channels_data *d)
{
    uint64_t message;
    struct filch_select_case cases[CHANNELS_SELECT];
    struct channels_tally sent = {0}, received = {0};
    cases_make(cases, &message);
    do {
        for (int i = 0; i < CHANNELS_BATCH; i++) {
            const uint64_t number = sent.count++;
            size_t index;
            sent.sum += number;
            must(filch_send(senders[number % CHANNELS_SELECT], &number));
            must(filch_select(cases, CHANNELS_SELECT, FILCH_FOREVER, &index));
            must(cases[index].error);
            received.count++;
            received.sum += message;
        }
    } while (!parties_stop(&d->time));
    d->tallies[0] = sent;
    d->tallies[1] = received;
}

static void select_none(struct channels_data *d)
{
    uint64_t message;
    struct filch_select_case cases[CHANNELS_SELECT];
    cases_make(cases, &message);
    do {
        for (int i = 0; i < CHANNELS_BATCH; i++) {
            size_t index;
            d->tallies[0].count++;
            d->tallies[1].count += filch_try_select(cases, CHANNELS_SELECT, &index) == EAGAIN;
        }
    } while (!parties_stop(&d->time));
}

static void select_send(struct channels_data *d, unsigned number)
{
    static const uint64_t last = CHANNELS_LAST;
    channels_send(d, number, senders[number]);
    must(filch_send(senders[number], &last));
}

static void select_recv(struct channels_data *d)
{
    uint64_t message;
    struct filch_select_case cases[CHANNELS_SELECT];
    struct channels_tally tally = {0};
    cases_make(cases, &message);
    for (unsigned left = d->senders; left > 0;) {
        size_t index;
        must(filch_select(cases, CHANNELS_SELECT, FILCH_FOREVER, &index));
        must(cases[index].error);
        if (message == CHANNELS_LAST) {
            left--;
        } else {
            tally.count++;
            tally.sum += message;
        }
    }
    d->tallies[d->senders] = tally;
}

static void stream_party(struct channels_data *d, unsigned number)
{
    if (number < d->senders) {
        channels_send(d, number, senders[number]);
        sender_gone(number);
    } else {
        channels_recv(d, number, receivers[number - d->senders]);
    }
}

static void ping_pong_party(struct channels_data *d, unsigned number)
{
    if (number == 0) {
        channels_ping(d, senders[0], receivers[1]);
        sender_gone(0);
    } else {
        channels_pong(d, senders[1], receivers[0]);
    }
}

static void party(struct channels_data *d, unsigned number)
{
    switch ((enum channels_kind)d->kind) {
    case CHANNELS_ONE_PARTY:
        channels_alone(d, senders[0], receivers[0]);
        break;
    case CHANNELS_STREAM:
        stream_party(d, number);
        break;
    case CHANNELS_PING_PONG:
        ping_pong_party(d, number);
        break;
    case CHANNELS_SELECT_READY:
        select_ready(d);
        break;
    case CHANNELS_SELECT_NONE:
        select_none(d);
        break;
    case CHANNELS_SELECT_STREAM:
        if (number < d->senders)
            select_send(d, number);
        else
            select_recv(d);
        break;
    case CHANNELS_MEMORY:
        channels_fill_and_drain(d, senders[0], receivers[0]);
        break;
    }
}

void filch_case_channels_threads(void *data)
{
    channels_open(data);
    channels_on_threads(data, party);
    channels_close();
}

static void call_party(void *ctx, unsigned number)
{
    party(ctx, number);
}

static void run_tasks(void *ctx)
{
    parties_on_tasks(channels_parties(ctx), call_party, ctx);
}

void filch_case_channels_tasks(void *data)
{
    channels_open(data);
    channels_measure(data, run_tasks, data);
    channels_close();
}
