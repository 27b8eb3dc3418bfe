/* SPDX-License-Identifier: Apache-2.0 */
/* Watches and broadcasts, and with them crowds: no change is missed by one that waits, no time-out leaves a
 * waiter in the list, and nobody touches what the last handle has freed. */
#include "model.h"

#include "base/atomic.h"

/* The lock has a model of its own (park): a thread that does not get it is not followed; another one is,
 * that comes later. Its word and the padding behind it are one here, as the memory was zeroed. */
#include "park/lock.h"

void filch__lock(struct lock *l)
{
    uint64_t seen = 0;
    __VERIFIER_assume(__atomic_compare_exchange_n((uint64_t *)(void *)l, &seen, 1, 0,
                                                  __ATOMIC_ACQUIRE, __ATOMIC_RELAXED));
}

void filch__unlock(struct lock *l)
{
    __atomic_store_n((uint64_t *)(void *)l, 0, __ATOMIC_RELEASE);
}

#include "park/park.c"
#include "park/park_thread.c"
#include "primitives/park/crowd.c"

/* The checker does not know these two; nothing overflows here. */
#define __builtin_mul_overflow(a, b, product) (*(product) = (a) * (b), 0)
#define __builtin_add_overflow(a, b, sum) (*(sum) = (a) + (b), 0)

#include "primitives/chan/message.c"
/* Whoever is woken looks again, which is followed only so far. */
/* clang-format off */
#define while(condition) MODEL_BOUNDED(condition)
/* clang-format on */
#if SCENARIO <= 3
#include "primitives/chan/watch.c"
#else
#include "primitives/chan/broadcast.c"
#endif
#undef while

static int data; /* plain */

#if SCENARIO <= 3

static struct filch_watch_sender *tx;
static struct filch_watch_receiver *rx;

static void *sends(void *unused)
{
    uint64_t value = 1;
    data = 1;
    int error = filch_watch_send(tx, &value);
    assert(error == 0 || error == EPIPE);
#if SCENARIO != 2
    filch_watch_sender_drop(tx);
#endif
    return unused;
}

/* Until the end: it sees the last value, and then that there are no more. */
static void *receives(void *unused)
{
    uint64_t value = 0;
    int error = filch_watch_recv(rx, &value);
    assert(error == 0 && value == 1 && data == 1);
    error = filch_watch_recv(rx, &value);
    assert(error == EPIPE);
    filch_watch_receiver_drop(rx);
    return unused;
}

static void *receives_in_time(void *unused)
{
    uint64_t value = 0;
    int error = filch_watch_recv_until(rx, &value, 1);
    assert(error == 0 ? value == 1 && data == 1 : error == ETIMEDOUT);
    filch_watch_receiver_drop(rx);
    return unused;
}

static void *waits_for_the_receiver(void *unused)
{
    int error = filch_watch_closed(tx);
    assert(error == 0);
    filch_watch_sender_drop(tx);
    return unused;
}

static void *goes(void *unused)
{
    filch_watch_receiver_drop(rx);
    return unused;
}

#if SCENARIO == 1 /* a value, and the end */
#define BODIES sends, receives
#elif SCENARIO == 2 /* a time-out beside a value */
#define BODIES sends, time_passes, receives_in_time
#else /* the receiver goes while one sends and one waits for that */
#define BODIES goes, sends, waits_for_the_receiver
#endif

int main(void)
{
    uint64_t first = 0;
    int error = filch_watch_create(&tx, &rx, sizeof first, &first);
    assert(error == 0);
    if (SCENARIO == 3)
        (void)filch_watch_sender_clone(tx);
    MODEL_RUN(BODIES);
    return 0;
}

#else

static struct filch_broadcast_sender *tx;
static struct filch_broadcast_receiver *rxs[2];

static void *sends(void *unused)
{
    data = 1;
    for (uint64_t value = 1; value <= (SCENARIO == 5 ? 2 : 1); value++) {
        int error = filch_broadcast_send(tx, &value);
        assert(error == 0 || (SCENARIO == 4 && error == EPIPE));
    }
    filch_broadcast_sender_drop(tx);
    return unused;
}

/* Receives or misses everything, then sees the end. */
static void *receives(void *unused)
{
    uint64_t value = 0, missed = 0, seen = 0;
    int error;
    for (int i = 0; i < 4; i++) {
        error = filch_broadcast_recv(rxs[0], &value, &missed);
        if (error == EPIPE)
            break;
        seen += error == EOVERFLOW ? missed : 1;
        assert(data == 1);
        assert(error != 0 || value == seen);
    }
    assert(error == EPIPE);
    assert(seen == (SCENARIO == 5 ? 2 : 1));
    filch_broadcast_receiver_drop(rxs[0]);
    return unused;
}

static void *goes(void *unused)
{
    filch_broadcast_receiver_drop(rxs[1]);
    return unused;
}

#if SCENARIO == 4 /* one receives, one goes */
#define BODIES sends, goes, receives
#else /* a ring of one for two messages */
#define BODIES sends, receives
#endif

int main(void)
{
    int error = filch_broadcast_create(&tx, &rxs[0], sizeof(uint64_t), 1);
    assert(error == 0);
    if (SCENARIO == 4) {
        error = filch_broadcast_subscribe(tx, &rxs[1]);
        assert(error == 0);
    }
    MODEL_RUN(BODIES);
    return 0;
}

#endif
