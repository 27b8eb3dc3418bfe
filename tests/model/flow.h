/* SPDX-License-Identifier: Apache-2.0 */
/* The threads of ring.c and list.c, which choose among them: BODIES, and how many messages lie in the
 * channel at the beginning: PRELOADED, of which some are received at once: TAKEN. */
#ifndef FILCH_MODEL_FLOW_H
#define FILCH_MODEL_FLOW_H

#include "chan.h"

#ifndef PRELOADED
#define PRELOADED 0
#endif
#ifndef TAKEN
#define TAKEN 0
#endif

enum { NOT_SENT, SENT, ENDED };

static int data[5]; /* plain: message i says that data[i] is SENT */

static inline void send(uint64_t i)
{
    data[i] = SENT;
    int error = filch_send(tx, &i);
    assert(error == 0);
}

static inline void take(uint64_t i)
{
    assert(data[i] == SENT);
    data[i] = ENDED;
}

static inline uint64_t receive(void)
{
    uint64_t i = 99;
    int error = filch_recv(rx, &i);
    assert(error == 0);
    take(i);
    return i;
}

static inline void *sends_0(void *unused)
{
    send(0);
    return unused;
}

static inline void *sends_1(void *unused)
{
    send(1);
    return unused;
}

static inline void *sends_2(void *unused)
{
    send(2);
    return unused;
}

static inline void *sends_3_and_4(void *unused)
{
    send(3);
    send(4);
    return unused;
}

static inline void *sends_4(void *unused)
{
    send(4);
    return unused;
}

static inline void *sends_and_goes(void *unused)
{
    send(0);
    filch_sender_drop(tx);
    return unused;
}

static inline void *sends_to_one_that_goes(void *unused)
{
    uint64_t i = 1;
    data[1] = SENT;
    int error = filch_send(tx, &i);
    assert(error == 0 || error == EPIPE);
    if (error != 0)
        take(1); /* it is still the caller's */
    return unused;
}

static inline void *receives_one(void *unused)
{
    uint64_t i = receive();
    assert(i == 0);
    return unused;
}

static inline void *receives_two(void *unused)
{
    uint64_t first = receive();
    uint64_t second = receive();
    assert(second > first);
    return unused;
}

static inline void *receives_three(void *unused)
{
    (void)receive();
    (void)receive();
    uint64_t i = receive();
    assert(i == 2);
    return unused;
}

static inline void *tries_to_receive(void *unused)
{
    uint64_t i;
    if (filch_try_recv(rx, &i) == 0)
        take(i);
    return unused;
}

static inline void *receives_until_the_end(void *unused)
{
    uint64_t i;
    (void)receive();
    int error = filch_recv(rx, &i);
    assert(error == EPIPE);
    return unused;
}

/* One that only tries is told of the end when it has everything. */
static inline void *tries_at_the_end(void *unused)
{
    uint64_t i;
    int error = filch_try_recv(rx, &i);
    if (error == 0)
        take(i);
    assert(error == 0 || error == EAGAIN);
    return unused;
}

static inline void *receives_in_time(void *unused)
{
    uint64_t i;
    int error = filch_recv_until(rx, &i, 1);
    assert(error == 0 || error == ETIMEDOUT);
    if (error == 0)
        take(i);
    return unused;
}

static inline void *goes(void *unused)
{
    filch_receiver_drop(rx);
    return unused;
}

/* One more party of the kind, for any message. */
static inline void *receives_any(void *unused)
{
    (void)receive();
    return unused;
}

static inline void *receives_any_two(void *unused)
{
    (void)receive();
    (void)receive();
    return unused;
}

static inline void *tries_to_send_2(void *unused)
{
    uint64_t i = 2;
    data[2] = SENT;
    if (filch_try_send(tx, &i) != 0)
        take(2); /* it is still the caller's */
    return unused;
}

#ifdef HALF_SENT
/* A sender of message 0 was interrupted when it had claimed a slot; message 1 came after it. */
static uint64_t claimed;

static inline void send_half(void)
{
    struct ring *r = &filch__sender_channel(tx)->ring;
    size_t count = filch__ring_claim(r, &filch__layout_word, &r->tail, 0, false, 1, &claimed);
    assert(count == 1);
    send(1);
}

static inline void *sends_the_other_half(void *unused)
{
    struct channel *c = filch__sender_channel(tx);
    data[0] = SENT;
    *(uint64_t *)filch__ring_value_at(&c->ring, &filch__layout_word, claimed) = 0;
    filch__ring_stamp(&c->ring, false, filch__ring_stamp_at(&c->ring, &filch__layout_word, claimed),
                      claimed + 1);
    if (filch__waits_word(&c->waits, RECEIVERS) >= WAITS_ONE)
        filch__waits_wake(&c->waits, RECEIVERS);
    return unused;
}

static inline void *selects_any(void *unused)
{
    uint64_t values[2] = {99, 99};
    struct op ops[2];
    struct entry entries[2];
    size_t index = 0;
    for (int k = 0; k < 2; k++)
        ops[k] = (struct op){filch__receiver_channel(rx), RECEIVERS, &values[k]};
    ops[0].channel = NULL;
    struct choice choice = {.ops = ops, .count = 2, .in_order = true};
    int error = filch__choice_try(&choice, &index);
    if (error == EAGAIN)
        error = filch__choice_wait(&choice, entries, FILCH_FOREVER, &index);
    assert(error == 0 && index == 1);
    take(values[1]);
    return unused;
}
#endif

static inline void drop_one(void *element)
{
    take(*(uint64_t *)element);
}

int main(void)
{
#ifdef DROPS
    make(CAPACITY, drop_one);
#else
    make(CAPACITY, NULL);
#endif
    for (uint64_t i = 0; i < PRELOADED; i++)
        send(i);
#ifdef HALF_SENT
    send_half();
#endif
    for (uint64_t i = 0; i < TAKEN; i++)
        (void)receive();
    MODEL_RUN(BODIES);
#ifndef DROPS
    uint64_t i;
    for (int k = 0; k < 5 && filch_try_recv(rx, &i) == 0; k++)
        take(i);
#endif
    for (int k = 0; k < 5; k++)
        assert(data[k] != SENT); /* received, dropped, or never sent */
    return 0;
}

#endif
