/* SPDX-License-Identifier: Apache-2.0 */
/* Ten million messages through each flavour of channel: each arrives once, and in its sender's order.
 * Where both sides have to meet for each message, they are tasks of one worker, so that it takes seconds.
 * FILCH_STRESS_COUNT=N makes it N messages of each flavour, in any build. */
#include "test.h"

#include <filch/filch.h>

enum { MESSAGES = 10000000, PARTIES = 2, SECONDS_MAX = 100 };

/* Begins a test. Returns how many messages it sends, the same number by each party. */
static uint64_t begin(const char *what)
{
    xt_watch(what, SECONDS_MAX);
    return xt_stress_count(xt_scaled(MESSAGES)) / PARTIES * PARTIES;
}

static void accounted(const char *what, uint64_t count)
{
    print_message("%s: %ju messages, each accounted for\n", what, (uintmax_t)count);
}

struct flow {
    struct filch_sender *tx;
    struct filch_receiver *rx;
    uint64_t messages; /* of each sender */
    uint64_t next_sender;
    uint64_t received, sum; /* by all receivers */
};

static void send_all(void *argument)
{
    struct flow *flow = argument;
    uint64_t me = __atomic_fetch_add(&flow->next_sender, 1, __ATOMIC_RELAXED);
    uint64_t sent = 0;
    for (uint64_t i = 0; i < flow->messages; i++) {
        uint64_t message = i * PARTIES + me;
        sent += filch_send(flow->tx, &message) == 0;
    }
    xt_expect_equal(sent, flow->messages);
    filch_sender_drop(flow->tx);
}

static void receive_all(void *argument)
{
    struct flow *flow = argument;
    uint64_t next[PARTIES] = {0}, message, received = 0, sum = 0, out_of_order = 0;
    FILCH_RECV_EACH(flow->rx, &message)
    {
        uint64_t number = message / PARTIES, *expected = &next[message % PARTIES];
        out_of_order += number < *expected;
        *expected = number + 1;
        received++;
        sum += message;
    }
    xt_expect_equal(out_of_order, 0);
    filch_receiver_drop(flow->rx);
    __atomic_fetch_add(&flow->received, received, __ATOMIC_RELAXED);
    __atomic_fetch_add(&flow->sum, sum, __ATOMIC_RELAXED);
}

static void *send_all_thread(void *argument)
{
    send_all(argument);
    return NULL;
}

static void *receive_all_thread(void *argument)
{
    receive_all(argument);
    return NULL;
}

static void flow_start(struct flow *flow, const char *what, size_t capacity)
{
    *flow = (struct flow){.messages = begin(what) / PARTIES};
    assert_int_equal(filch_channel_create(&flow->tx, &flow->rx, sizeof(uint64_t), capacity), 0);
    for (int i = 1; i < PARTIES; i++) {
        (void)filch_sender_clone(flow->tx);
        (void)filch_receiver_clone(flow->rx);
    }
}

static void flow_check(const struct flow *flow, const char *what)
{
    uint64_t count = flow->messages * PARTIES;
    assert_int_equal(flow->received, count);
    assert_int_equal(flow->sum, count * (count - 1) / 2);
    accounted(what, count);
}

static void flow_between_threads(const char *what, size_t capacity)
{
    struct flow flow;
    struct filch_thread *threads[2 * PARTIES];
    flow_start(&flow, what, capacity);
    for (int i = 0; i < 2 * PARTIES; i++)
        assert_int_equal(filch_thread_spawn(&threads[i], NULL,
                                            i % 2 == 0 ? send_all_thread : receive_all_thread,
                                            &flow),
                         0);
    for (int i = 0; i < 2 * PARTIES; i++)
        assert_int_equal(filch_thread_join(threads[i], NULL, NULL), 0);
    flow_check(&flow, what);
}

static void flow_between_tasks(const char *what, size_t capacity)
{
    struct flow flow;
    struct filch_pool *pool;
    struct filch_pool_config config = {.workers = 1};
    struct filch_task *tasks[2 * PARTIES];
    assert_int_equal(filch_pool_create(&pool, &config), 0);
    flow_start(&flow, what, capacity);
    for (int i = 0; i < 2 * PARTIES; i++)
        assert_int_equal(
            filch_pool_spawn(pool, &tasks[i], NULL, i % 2 == 0 ? send_all : receive_all, &flow), 0);
    for (int i = 0; i < 2 * PARTIES; i++)
        assert_int_equal(filch_task_join(tasks[i]), 0);
    assert_int_equal(filch_pool_destroy(pool), 0);
    flow_check(&flow, what);
}

xt_define(ten_million_unbounded)
{
    flow_between_threads("unbounded", FILCH_UNBOUNDED);
}

xt_define(ten_million_through_1000_places)
{
    flow_between_threads("1000 places", 1000);
}

xt_define(ten_million_through_1_place)
{
    flow_between_tasks("1 place", 1);
}

xt_define(ten_million_handed_over)
{
    flow_between_tasks("hand-over", 0);
}

/* A channel of its own for each message. */
xt_define(ten_million_oneshots)
{
    uint64_t count = begin("oneshots"), sum = 0;
    for (uint64_t i = 0; i < count; i++) {
        struct filch_sender *tx;
        struct filch_receiver *rx;
        uint64_t message = i;
        if (filch_oneshot_create(&tx, &rx, sizeof message, NULL) != 0 ||
            filch_oneshot_send(tx, &message) != 0)
            fail();
        message = 0;
        if (filch_oneshot_recv(rx, &message, FILCH_FOREVER) != 0)
            fail();
        sum += message;
    }
    assert_int_equal(sum, count * (count - 1) / 2);
    accounted("oneshots", count);
}

/* Each receiver of a broadcast is given each message, or told that it has missed it. */
static void *receive_broadcast(void *argument)
{
    struct filch_broadcast_receiver *rx = argument;
    uint64_t next = 0, message, missed;
    int error;
    while ((error = filch_broadcast_recv(rx, &message, &missed)) != EPIPE) {
        if (error == EOVERFLOW) {
            next += missed;
            continue;
        }
        xt_expect_equal(error, 0);
        if (message != next++)
            break;
    }
    filch_broadcast_receiver_drop(rx);
    return (void *)(uintptr_t)next;
}

xt_define(ten_million_broadcast)
{
    struct filch_broadcast_sender *tx;
    struct filch_broadcast_receiver *rx[PARTIES];
    struct filch_thread *threads[PARTIES];
    uint64_t count = begin("broadcast");
    assert_int_equal(filch_broadcast_create(&tx, &rx[0], sizeof(uint64_t), 1000), 0);
    for (int i = 1; i < PARTIES; i++)
        assert_int_equal(filch_broadcast_subscribe(tx, &rx[i]), 0);
    for (int i = 0; i < PARTIES; i++)
        assert_int_equal(filch_thread_spawn(&threads[i], NULL, receive_broadcast, rx[i]), 0);
    for (uint64_t i = 0; i < count; i++) {
        if (filch_broadcast_send(tx, &i) != 0)
            fail();
    }
    filch_broadcast_sender_drop(tx);
    for (int i = 0; i < PARTIES; i++) {
        void *seen = NULL;
        assert_int_equal(filch_thread_join(threads[i], &seen, NULL), 0);
        assert_int_equal((uintptr_t)seen, count);
    }
    accounted("broadcast", count);
}

/* Each receiver of a watch sees newer values only, and the last. */
static void *receive_watch(void *argument)
{
    struct filch_watch_receiver *rx = argument;
    uint64_t latest = 0, value;
    while (filch_watch_recv(rx, &value) == 0) {
        if (value <= latest)
            break;
        latest = value;
    }
    filch_watch_receiver_drop(rx);
    return (void *)(uintptr_t)latest;
}

xt_define(ten_million_values_of_a_watch)
{
    struct filch_watch_sender *tx;
    struct filch_watch_receiver *rx[PARTIES];
    struct filch_thread *threads[PARTIES];
    uint64_t count = begin("watch"), value = 0;
    assert_int_equal(filch_watch_create(&tx, &rx[0], sizeof value, &value), 0);
    for (int i = 1; i < PARTIES; i++)
        assert_int_equal(filch_watch_subscribe(tx, &rx[i]), 0);
    for (int i = 0; i < PARTIES; i++)
        assert_int_equal(filch_thread_spawn(&threads[i], NULL, receive_watch, rx[i]), 0);
    for (value = 1; value <= count; value++) {
        if (filch_watch_send(tx, &value) != 0)
            fail();
    }
    filch_watch_sender_drop(tx);
    for (int i = 0; i < PARTIES; i++) {
        void *latest = NULL;
        assert_int_equal(filch_thread_join(threads[i], &latest, NULL), 0);
        assert_int_equal((uintptr_t)latest, count);
    }
    accounted("watch", count);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        xt_test(ten_million_unbounded),         xt_test(ten_million_through_1000_places),
        xt_test(ten_million_through_1_place),   xt_test(ten_million_handed_over),
        xt_test(ten_million_oneshots),          xt_test(ten_million_broadcast),
        xt_test(ten_million_values_of_a_watch),
    };
    return xt_run(tests);
}
