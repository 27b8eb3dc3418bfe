/* SPDX-License-Identifier: Apache-2.0 */
/* Hand-overs and select: who claims a party is alone in it, nothing is handed over twice or to nobody, and
 * no time-out swallows a message. */
#define ROUNDS 2
#include "chan.h"

static struct filch_sender *txs[2];
static struct filch_receiver *rxs[2];
static int data[2];  /* plain: written before the message that says so */
static int received; /* how many */

static void send(uint64_t i)
{
    data[i] = 1;
    int error = filch_send(txs[i], &i);
    assert(error == 0 || (error == EPIPE && SCENARIO == 2));
}

static void *sends_0(void *unused)
{
    send(0);
    return unused;
}

static void take(uint64_t i)
{
    assert(i < 2);
    assert(data[i] == 1);
    data[i] = 2;
    received++;
}

static void *receives(void *unused)
{
    uint64_t i = 99;
    int error = filch_recv(rxs[0], &i);
    assert(error == 0);
    take(i);
    return unused;
}

static int choose_of(uint64_t values[2], size_t *index)
{
    struct op ops[2];
    struct entry entries[2];
    for (int k = 0; k < 2; k++)
        ops[k] = (struct op){filch__receiver_channel(rxs[k]), RECEIVERS, &values[k]};
    struct choice choice = {.ops = ops, .count = 2, .in_order = true};
    int error = filch__choice_try(&choice, index);
    return error == EAGAIN ? filch__choice_wait(&choice, entries, FILCH_FOREVER, index) : error;
}

static size_t choose(void)
{
    uint64_t values[2] = {99, 99};
    size_t index = 99;
    int error = choose_of(values, &index);
    assert(error == 0);
    assert(values[index] == index);
    assert(values[1 - index] == 99);
    take(index);
    return index;
}

static void *chooses_what_ends(void *unused)
{
    uint64_t values[2];
    size_t index = 99;
    int error = choose_of(values, &index);
    assert(error == EPIPE);
    assert(index == 1);
    return unused;
}

static void *drops_1(void *unused)
{
    filch_sender_drop(txs[1]);
    return unused;
}

static void *chooses_and_goes(void *unused)
{
    (void)choose();
    filch_receiver_drop(rxs[0]);
    return unused;
}

static int timed_out; /* plain: looked at in the end */

static void *sends_in_time(void *unused)
{
    uint64_t i = 0;
    data[0] = 1;
    int error = filch_send_until(txs[0], &i, 1);
    assert(error == 0 || error == ETIMEDOUT);
    timed_out = error == ETIMEDOUT;
    return unused;
}

static void *receives_in_time(void *unused)
{
    uint64_t i = 99;
    int error = filch_recv_until(rxs[0], &i, 1);
    assert(error == 0 || error == ETIMEDOUT);
    if (error == 0)
        take(i);
    return unused;
}

static void *tries_to_send_1(void *unused)
{
    uint64_t i = 1;
    data[1] = 1;
    int error = filch_try_send(txs[1], &i);
    assert(error == 0 || error == EAGAIN);
    return unused;
}

#if SCENARIO == 1 /* one of each */
#define BODIES sends_0, receives
#elif SCENARIO == 2 /* a select that goes; one sender waits, the other one only tries */
#define BODIES chooses_and_goes, tries_to_send_1, sends_0
#elif SCENARIO == 3 /* both have deadlines */
#define BODIES sends_in_time, time_passes, receives_in_time
#elif SCENARIO == 4 /* a select that waits, or is about to, when the other side goes */
#define BODIES chooses_what_ends, drops_1
#endif

int main(void)
{
    for (int k = 0; k < 2; k++) {
        make(0, NULL);
        txs[k] = tx;
        rxs[k] = rx;
    }
    MODEL_RUN(BODIES);
#if SCENARIO == 2
    assert(received == 1);
#elif SCENARIO == 3
    assert(received + timed_out == 1);
#elif SCENARIO == 1
    assert(received == 1);
#endif
    for (int k = 0; k < 2; k++) {
        assert(channels[k].waits.of[SENDERS].first == NULL);
        assert(channels[k].waits.of[RECEIVERS].first == NULL);
    }
    return 0;
}
