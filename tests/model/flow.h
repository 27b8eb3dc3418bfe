/* SPDX-License-Identifier: Apache-2.0 */
/* The threads of ring.c and list.c, which choose among them: BODIES, and how many messages lie in the
 * channel at the beginning: PRELOADED. */
#ifndef FILCH_MODEL_FLOW_H
#define FILCH_MODEL_FLOW_H

#include "chan.h"

#ifndef PRELOADED
#define PRELOADED 0
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

/* The deadline. */
static inline void *passes(void *unused)
{
    __atomic_store_n(&model_late, 1, __ATOMIC_RELAXED);
    return unused;
}

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
