/* SPDX-License-Identifier: Apache-2.0 */
/* Parking, the internal lock, events, threads and the last messages of channels under simulated schedules. */
#include "test.h"

#include "simulate.h"

#include "os/os.h"
#include "park/event.h"
#include "park/lock.h"
#include "park/park.h"

#include <errno.h>
#include <filch/channel.h>
#include <filch/thread.h>

enum { THREADS = 3, ROUNDS = 3, SCHEDULES = 4000 };

/* Runs fn(argument) on `count` threads, and joins them. */
static void run_threads(size_t count, void *(*fn)(void *), void *argument)
{
    struct filch_thread *threads[THREADS];
    for (size_t i = 0; i < count; i++)
        xt_expect_equal(filch_thread_spawn(&threads[i], NULL, fn, argument), 0);
    for (size_t i = 0; i < count; i++)
        xt_expect_equal(filch_thread_join(threads[i], NULL, NULL), 0);
}

static int64_t some_deadline(void)
{
    return simulate_choice(2) == 0 ? FILCH_FOREVER
                                   : filch_deadline_in((int64_t)simulate_choice(20000));
}

/* --- park --- */

struct meeting {
    struct waiter *shown; /* the waiter; NULL: none, or its waker has it */
    uint32_t value;       /* plain: handed over by the wake-up */
};

static void *wake_once(void *argument)
{
    struct meeting *m = argument;
    struct waiter *w;
    while ((w = FILCH_EXCHANGE(&m->shown, NULL, TEST_shown, acq_rel)) == NULL)
        filch__cpu_relax();
    m->value = 7;
    filch__unpark(w);
    return NULL;
}

static void park_and_unpark(void)
{
    struct meeting m = {NULL, 0};
    struct filch_thread *thread;
    xt_expect_equal(filch_thread_spawn(&thread, NULL, wake_once, &m), 0);
    int error;
    do {
        struct waiter w;
        filch__waiter_init(&w);
        FILCH_STORE(&m.shown, &w, TEST_shown, release);
        error = filch__park(&w, some_deadline());
        if (error == ETIMEDOUT && FILCH_EXCHANGE(&m.shown, NULL, TEST_shown, acq_rel) == NULL)
            error = filch__park(&w, FILCH_FOREVER); /* the waker has it */
        w.state = 0xa5a5a5a5;                       /* as if the frame were gone */
    } while (error == ETIMEDOUT);
    xt_expect_equal(m.value, 7);
    xt_expect_equal(filch_thread_join(thread, NULL, NULL), 0);
}

/* --- lock --- */

struct counter {
    struct lock lock;
    uint32_t value; /* under lock */
};

static void *count_up(void *argument)
{
    struct counter *c = argument;
    for (int i = 0; i < ROUNDS; i++) {
        filch__lock(&c->lock);
        uint32_t value = FILCH_LOAD_RELAXED(&c->value); /* under lock */
        FILCH_STORE_RELAXED(&c->value, value + 1);      /* under lock */
        if (simulate_choice(4) == 0)
            simulate_sleep(5000); /* a holder that has lost its processor */
        filch__unlock(&c->lock);
    }
    return NULL;
}

static void lock_and_unlock(void)
{
    struct counter c = {{0}, 0};
    run_threads(THREADS, count_up, &c);
    xt_expect_equal(c.value, THREADS * ROUNDS);
    xt_expect_equal(c.lock.word, 0);
}

/* --- events --- */

struct happening {
    struct event event;
    uint32_t value; /* plain: handed over by the event */
};

static void *wait_for_it(void *argument)
{
    struct happening *h = argument;
    while (filch__event_wait(&h->event, some_deadline()) == ETIMEDOUT) {
    }
    xt_expect_equal(h->value, 7);
    return NULL;
}

static void event_with_waiters(void)
{
    struct happening h = {.value = 0};
    struct filch_thread *threads[2];
    for (size_t i = 0; i < 2; i++)
        xt_expect_equal(filch_thread_spawn(&threads[i], NULL, wait_for_it, &h), 0);
    if (simulate_choice(2) == 0)
        simulate_sleep((int64_t)simulate_choice(20000));
    h.value = 7;
    filch__event_set(&h.event);
    for (size_t i = 0; i < 2; i++)
        xt_expect_equal(filch_thread_join(threads[i], NULL, NULL), 0);
    xt_expect(h.event.waiters == NULL);
}

/* --- threads --- */

static void *give_back(void *argument)
{
    if (simulate_choice(2) == 0)
        simulate_sleep((int64_t)simulate_choice(20000));
    return argument;
}

static void start_and_join(void)
{
    struct filch_thread *threads[THREADS];
    for (size_t i = 0; i < THREADS; i++)
        xt_expect_equal(filch_thread_spawn(&threads[i], NULL, give_back, &threads[i]), 0);
    for (size_t i = 0; i < THREADS; i++) {
        void *result = NULL;
        if (simulate_choice(3) == 0) {
            xt_expect_equal(filch_thread_detach(threads[i]), 0);
            continue;
        }
        xt_expect_equal(filch_thread_join(threads[i], &result, NULL), 0);
        xt_expect(result == &threads[i]);
    }
}

/* --- a channel whose sender goes --- */

enum { LAST_WORDS = 2 };

static void *send_and_go(void *tx)
{
    for (uint64_t i = 1; i <= LAST_WORDS; i++)
        xt_expect_equal(filch_send(tx, &i), 0);
    filch_sender_drop(tx);
    return NULL;
}

/* What was sent before the sender went is received, however it is looked for. */
static void sender_goes(size_t capacity)
{
    struct filch_sender *tx;
    struct filch_receiver *rx;
    struct filch_thread *thread;
    uint64_t value = 0, next = 1;
    int error;
    xt_expect_equal(filch_channel_create(&tx, &rx, sizeof value, capacity), 0);
    xt_expect_equal(filch_thread_spawn(&thread, NULL, send_and_go, tx), 0);
    do {
        error = simulate_choice(2) == 0 ? filch_try_recv(rx, &value)
                                        : filch_recv_until(rx, &value, some_deadline());
        if (error == 0)
            xt_expect_equal(value, next++);
        else if (error == EAGAIN)
            simulate_sleep(5000);
    } while (error != EPIPE);
    xt_expect_equal(next, LAST_WORDS + 1);
    xt_expect_equal(filch_thread_join(thread, NULL, NULL), 0);
    filch_receiver_drop(rx);
}

static void sender_of_many_goes(void)
{
    sender_goes(FILCH_UNBOUNDED);
}

static void sender_of_few_goes(void)
{
    sender_goes(LAST_WORDS);
}

static void sender_of_one_goes(void)
{
    sender_goes(1);
}

xt_define(last_messages)
{
    simulate("unbounded", SCHEDULES, sender_of_many_goes);
    simulate("bounded", SCHEDULES, sender_of_few_goes);
    simulate("one place", SCHEDULES, sender_of_one_goes);
}

xt_define(parking)
{
    simulate("parking", SCHEDULES, park_and_unpark);
}

xt_define(locking)
{
    simulate("locking", SCHEDULES, lock_and_unlock);
}

xt_define(events)
{
    simulate("events", SCHEDULES, event_with_waiters);
}

xt_define(threads)
{
    simulate("threads", SCHEDULES, start_and_join);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        xt_test(parking), xt_test(locking),       xt_test(events),
        xt_test(threads), xt_test(last_messages),
    };
    return xt_run(tests);
}
