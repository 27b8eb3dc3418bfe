/* SPDX-License-Identifier: Apache-2.0 */
/* Channels of every flavour, between threads, between tasks, and mixed. */
#include "worlds.h"

#include <string.h>

struct ends {
    struct filch_sender *tx;
    struct filch_receiver *rx;
};

static struct ends make(size_t size, size_t capacity)
{
    struct ends ends = {NULL, NULL};
    int error = filch_channel_create(&ends.tx, &ends.rx, size, capacity);
    if (error != 0)
        abort();
    return ends;
}

/* How often each number has been dropped. */
static unsigned dropped[16];

static void count_drop(void *element)
{
    __atomic_fetch_add(&dropped[*(uint64_t *)element % 16], 1, __ATOMIC_RELAXED);
}

static unsigned dropped_in_all(void)
{
    unsigned sum = 0;
    for (size_t i = 0; i < 16; i++)
        sum += __atomic_load_n(&dropped[i], __ATOMIC_RELAXED);
    return sum;
}

static struct ends make_dropping(size_t capacity)
{
    struct ends ends = {NULL, NULL};
    struct filch_channel_config config = {
        .element_size = sizeof(uint64_t), .capacity = capacity, .drop = count_drop};
    memset(dropped, 0, sizeof dropped);
    if (filch_channel_create_with(&ends.tx, &ends.rx, &config) != 0)
        abort();
    return ends;
}

/* --- on one thread --- */

xt_define(bad_arguments_are_refused)
{
    struct filch_sender *tx = (void *)&tx, *kept_tx = tx;
    struct filch_receiver *rx = (void *)&rx, *kept_rx = rx;
    uint64_t x = 0;
    size_t count = 77;
    assert_int_equal(filch_channel_create(NULL, &rx, 8, 1), EINVAL);
    assert_int_equal(filch_channel_create(&tx, NULL, 8, 1), EINVAL);
    assert_int_equal(filch_channel_create(&tx, &rx, 65537, 1), EINVAL);
    assert_int_equal(filch_channel_create(&tx, &rx, SIZE_MAX, 0), EINVAL);
    assert_int_equal(filch_channel_create_with(&tx, &rx, NULL), EINVAL);
    assert_int_equal(filch_channel_create(&tx, &rx, 8, SIZE_MAX - 1), ENOMEM);
    assert_int_equal(filch_channel_create(&tx, &rx, 8, SIZE_MAX / 16), ENOMEM);
    assert_ptr_equal(tx, kept_tx);
    assert_ptr_equal(rx, kept_rx);
    assert_int_equal(filch_send(NULL, &x), EINVAL);
    assert_int_equal(filch_try_send(NULL, &x), EINVAL);
    assert_int_equal(filch_send_until(NULL, &x, 0), EINVAL);
    assert_int_equal(filch_recv(NULL, &x), EINVAL);
    assert_int_equal(filch_try_recv(NULL, &x), EINVAL);
    assert_int_equal(filch_recv_until(NULL, &x, 0), EINVAL);
    assert_null(filch_sender_clone(NULL));
    assert_null(filch_receiver_clone(NULL));
    filch_sender_drop(NULL);
    filch_receiver_drop(NULL);
    assert_int_equal(filch_sender_len(NULL), 0);
    assert_int_equal(filch_receiver_len(NULL), 0);
    assert_int_equal(filch_sender_capacity(NULL), 0);
    assert_int_equal(filch_receiver_capacity(NULL), 0);
    assert_int_equal(filch_sender_is_disconnected(NULL), 0);
    assert_int_equal(filch_receiver_is_disconnected(NULL), 0);
    struct ends e = make(8, 4);
    assert_int_equal(filch_send(e.tx, NULL), EINVAL);
    assert_int_equal(filch_try_recv(e.rx, NULL), EINVAL);
    assert_int_equal(filch_send_many(NULL, &x, 1, 0, &count), EINVAL);
    assert_int_equal(filch_send_many(e.tx, NULL, 1, 0, &count), EINVAL);
    assert_int_equal(filch_send_many(e.tx, &x, 1, 0, NULL), EINVAL);
    assert_int_equal(filch_recv_many(NULL, &x, 1, 0, &count), EINVAL);
    assert_int_equal(filch_recv_many(e.rx, NULL, 1, 0, &count), EINVAL);
    assert_int_equal(filch_recv_many(e.rx, &x, 0, 0, &count), EINVAL);
    assert_int_equal(filch_recv_many(e.rx, &x, 1, 0, NULL), EINVAL);
    assert_int_equal(count, 77);
    filch_sender_drop(e.tx);
    filch_receiver_drop(e.rx);
}

xt_define(length_and_capacity)
{
    for (size_t k = 0; k < CAPACITIES; k++) {
        struct ends e = make(8, capacities[k]);
        size_t fits = capacities[k] == FILCH_UNBOUNDED ? 1000 : capacities[k];
        assert_int_equal(filch_sender_capacity(e.tx), capacities[k]);
        assert_int_equal(filch_receiver_capacity(e.rx), capacities[k]);
        for (int lap = 0; lap < 3; lap++) {
            for (uint64_t i = 0; i < fits; i++) {
                assert_int_equal(filch_sender_len(e.tx), i);
                assert_int_equal(filch_try_send(e.tx, &i), 0);
            }
            if (capacities[k] != FILCH_UNBOUNDED)
                assert_int_equal(filch_try_send(e.tx, &(uint64_t){0}), EAGAIN);
            for (uint64_t i = 0; i < fits; i++) {
                uint64_t x = 0;
                assert_int_equal(filch_receiver_len(e.rx), fits - i);
                assert_int_equal(filch_try_recv(e.rx, &x), 0);
                assert_int_equal(x, i);
            }
            assert_int_equal(filch_try_recv(e.rx, &(uint64_t){0}), EAGAIN);
            assert_int_equal(filch_receiver_len(e.rx), 0);
        }
        filch_sender_drop(e.tx);
        filch_receiver_drop(e.rx);
    }
}

static unsigned misaligned;

static void check_alignment(void *element)
{
    misaligned += (uintptr_t)element % 64 != 0;
}

xt_define(messages_of_any_size)
{
    static const size_t sizes[] = {0, 1, 2, 3, 4, 7, 8, 12, 16, 24, 63, 64, 100, 1000, 4096, 65536};
    static unsigned char out[65536 + 1], in[65536 + 1];
    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
        for (size_t k = 1; k < CAPACITIES; k++) {
            struct ends e = make(sizes[s], capacities[k]);
            size_t count = capacities[k] == FILCH_UNBOUNDED ? 50 : capacities[k];
            for (size_t i = 0; i < 3 * count; i++) {
                memset(out, (int)(i * 7 + 1), sizeof out);
                memset(in, 0xEE, sizeof in);
                assert_int_equal(filch_send(e.tx, out), 0);
                assert_int_equal(filch_recv(e.rx, in), 0);
                assert_memory_equal(in, out, sizes[s]);
                assert_int_equal(in[sizes[s]], 0xEE);
            }
            filch_sender_drop(e.tx);
            filch_receiver_drop(e.rx);
        }
    }
    for (size_t k = 1; k < CAPACITIES; k++) {
        struct ends e;
        struct filch_channel_config config = {
            .element_size = 192, .capacity = capacities[k], .drop = check_alignment};
        assert_int_equal(filch_channel_create_with(&e.tx, &e.rx, &config), 0);
        for (size_t i = 0; i < (capacities[k] < 50 ? capacities[k] : 50); i++)
            assert_int_equal(filch_send(e.tx, out), 0);
        filch_receiver_drop(e.rx);
        filch_sender_drop(e.tx);
    }
    assert_int_equal(misaligned, 0);
}

xt_define(an_unbounded_send_never_waits)
{
    struct ends e = make(8, FILCH_UNBOUNDED);
    uint64_t count = xt_scaled(300000);
    for (uint64_t i = 0; i < count; i++)
        assert_int_equal(filch_send(e.tx, &i), 0);
    assert_int_equal(filch_receiver_len(e.rx), count);
    for (uint64_t i = 0; i < count; i++) {
        uint64_t x = UINT64_MAX;
        assert_int_equal(filch_recv(e.rx, &x), 0);
        assert_int_equal(x, i);
    }
    assert_int_equal(filch_receiver_len(e.rx), 0);
    filch_sender_drop(e.tx);
    filch_receiver_drop(e.rx);
}

xt_define(a_drained_channel_returns_its_memory)
{
    if (XT_ASAN || XT_TSAN)
        skip(); /* what they keep beside the memory is counted, too */
    struct ends e = make(8, FILCH_UNBOUNDED);
    uint64_t count = 1000000;
    size_t before = xt_rss_bytes();
    for (int round = 0; round < 2; round++) {
        for (uint64_t i = 0; i < count; i++)
            assert_int_equal(filch_send(e.tx, &i), 0);
        size_t full = xt_rss_bytes() - before;
        assert_true(full > count * 8 && full < count * 10);
        for (uint64_t i = 0; i < count; i++)
            assert_int_equal(filch_recv(e.rx, &(uint64_t){0}), 0);
        size_t after = xt_rss_bytes();
        assert_true(after < before || after - before < (size_t)2 << 20);
    }
    filch_sender_drop(e.tx);
    filch_receiver_drop(e.rx);
}

xt_define(buffered_messages_survive_the_senders)
{
    for (size_t k = 1; k < CAPACITIES; k++) {
        struct ends e = make(8, capacities[k]);
        assert_int_equal(filch_send(e.tx, &(uint64_t){7}), 0);
        assert_int_equal(filch_receiver_is_disconnected(e.rx), 0);
        filch_sender_drop(e.tx);
        assert_int_equal(filch_receiver_is_disconnected(e.rx), 1);
        uint64_t x = 0;
        assert_int_equal(filch_recv_until(e.rx, &x, 0), 0);
        assert_int_equal(x, 7);
        assert_int_equal(filch_recv(e.rx, &x), EPIPE);
        assert_int_equal(filch_try_recv(e.rx, &x), EPIPE);
        assert_int_equal(filch_recv_until(e.rx, &x, FILCH_FOREVER), EPIPE);
        assert_int_equal(x, 7);
        filch_receiver_drop(e.rx);
    }
}

xt_define(a_failed_send_leaves_the_message)
{
    for (size_t k = 0; k < CAPACITIES; k++) {
        struct ends e = make_dropping(capacities[k]);
        assert_int_equal(filch_sender_is_disconnected(e.tx), 0);
        filch_receiver_drop(e.rx);
        assert_int_equal(filch_sender_is_disconnected(e.tx), 1);
        uint64_t x = 3;
        assert_int_equal(filch_send(e.tx, &x), EPIPE);
        assert_int_equal(filch_try_send(e.tx, &x), EPIPE);
        assert_int_equal(filch_send_until(e.tx, &x, FILCH_FOREVER), EPIPE);
        filch_sender_drop(e.tx);
        assert_int_equal(x, 3);
        assert_int_equal(dropped_in_all(), 0);
    }
}

xt_define(what_is_never_received_is_dropped_once)
{
    for (size_t k = 1; k < CAPACITIES; k++) {
        size_t fits = capacities[k] > 8 ? 8 : capacities[k];
        struct ends e = make_dropping(capacities[k]);
        for (uint64_t i = 0; i < fits; i++)
            assert_int_equal(filch_send(e.tx, &i), 0);
        struct filch_receiver *clone = filch_receiver_clone(e.rx);
        filch_receiver_drop(e.rx);
        assert_int_equal(dropped_in_all(), 0);
        uint64_t x;
        assert_int_equal(filch_recv(clone, &x), 0);
        filch_receiver_drop(clone); /* they go with the last receiver, not with the channel */
        assert_int_equal(dropped_in_all(), fits - 1);
        assert_int_equal(dropped[0], 0);
        for (size_t i = 1; i < fits; i++)
            assert_int_equal(dropped[i], 1);
        filch_sender_drop(e.tx);
        assert_int_equal(dropped_in_all(), fits - 1);
    }
    for (size_t k = 1; k < CAPACITIES; k++) { /* the senders went first */
        struct ends e = make_dropping(capacities[k]);
        assert_int_equal(filch_send(e.tx, &(uint64_t){5}), 0);
        filch_sender_drop(e.tx);
        filch_receiver_drop(e.rx);
        assert_int_equal(dropped_in_all(), 1);
    }
}

xt_define(a_deadline_that_has_passed_is_a_try)
{
    for (size_t k = 1; k < CAPACITIES; k++) {
        struct ends e = make(8, capacities[k]);
        uint64_t x = 9;
        assert_int_equal(filch_recv_until(e.rx, &x, 0), ETIMEDOUT);
        assert_int_equal(filch_recv_until(e.rx, &x, INT64_MIN), ETIMEDOUT);
        assert_int_equal(filch_send_until(e.tx, &x, 0), 0);
        assert_int_equal(filch_recv_until(e.rx, &x, INT64_MIN), 0);
        if (capacities[k] != FILCH_UNBOUNDED) {
            for (size_t i = 0; i < capacities[k]; i++)
                assert_int_equal(filch_send(e.tx, &x), 0);
            assert_int_equal(filch_send_until(e.tx, &x, 0), ETIMEDOUT);
        }
        int64_t deadline = filch_deadline_in(2 * FILCH_MS);
        while (filch_try_recv(e.rx, &x) == 0) {
        }
        assert_int_equal(filch_recv_until(e.rx, &x, deadline), ETIMEDOUT);
        assert_true(filch_now_ns() >= deadline);
        filch_sender_drop(e.tx);
        filch_receiver_drop(e.rx);
    }
}

/* That the other side has gone is told, not that it is too late. */
xt_define(an_end_that_has_gone_is_told_before_a_deadline)
{
    static const int64_t passed[] = {0, INT64_MIN, 1};
    for (size_t k = 0; k < CAPACITIES; k++) {
        for (size_t i = 0; i < sizeof passed / sizeof passed[0]; i++) {
            struct ends e = make(8, capacities[k]);
            uint64_t x = 6;
            size_t count = 77;
            if (capacities[k] != 0)
                assert_int_equal(filch_send(e.tx, &x), 0);
            filch_sender_drop(e.tx);
            x = 0;
            if (capacities[k] != 0) {
                assert_int_equal(filch_try_recv(e.rx, &x), 0);
                assert_int_equal(x, 6);
            }
            assert_int_equal(filch_try_recv(e.rx, &x), EPIPE);
            assert_int_equal(filch_recv_until(e.rx, &x, passed[i]), EPIPE);
            assert_int_equal(filch_recv_many(e.rx, &x, 1, passed[i], &count), EPIPE);
            filch_receiver_drop(e.rx);

            e = make(8, capacities[k]);
            for (size_t n = 0; n < capacities[k] && n < 64; n++)
                assert_int_equal(filch_send(e.tx, &x), 0);
            filch_receiver_drop(e.rx);
            assert_int_equal(filch_try_send(e.tx, &x), EPIPE);
            assert_int_equal(filch_send_until(e.tx, &x, passed[i]), EPIPE);
            assert_int_equal(filch_send_many(e.tx, &x, 1, passed[i], &count), EPIPE);
            assert_int_equal(count, 0);
            filch_sender_drop(e.tx);
        }
    }
}

/* What was not sent is not dropped by the channel, nor received; what was not received is not written. */
xt_define(a_refused_message_is_the_callers)
{
    for (size_t k = 0; k < CAPACITIES - 1; k++) {
        struct ends e = make_dropping(capacities[k]);
        uint64_t x = 8, batch[] = {9, 10, 11}, in = 77;
        size_t count = 77;
        for (uint64_t i = 0; i < capacities[k]; i++)
            assert_int_equal(filch_send(e.tx, &i), 0);
        assert_int_equal(filch_try_send(e.tx, &x), EAGAIN);
        assert_int_equal(filch_send_until(e.tx, &x, 0), ETIMEDOUT);
        assert_int_equal(filch_send_until(e.tx, &x, filch_deadline_in(FILCH_MS)), ETIMEDOUT);
        assert_int_equal(filch_send_many(e.tx, batch, 3, filch_deadline_in(FILCH_MS), &count),
                         ETIMEDOUT);
        assert_int_equal(count, 0);
        assert_int_equal(filch_receiver_len(e.rx), capacities[k]);
        assert_int_equal(dropped_in_all(), 0);
        for (uint64_t i = 0; i < capacities[k]; i++) {
            assert_int_equal(filch_recv(e.rx, &in), 0);
            assert_int_equal(in, i);
        }
        in = 77;
        assert_int_equal(filch_try_recv(e.rx, &in), EAGAIN);
        assert_int_equal(filch_recv_until(e.rx, &in, filch_deadline_in(FILCH_MS)), ETIMEDOUT);
        assert_int_equal(in, 77);
        filch_sender_drop(e.tx);
        filch_receiver_drop(e.rx);
        assert_int_equal(dropped_in_all(), 0);
    }
}

xt_define(several_at_once)
{
    struct ends e = make(8, 5);
    uint64_t out[8] = {0, 1, 2, 3, 4, 5, 6, 7}, in[8];
    size_t count = 0;
    assert_int_equal(filch_send_many(e.tx, out, 3, FILCH_FOREVER, &count), 0);
    assert_int_equal(count, 3);
    assert_int_equal(filch_send_many(e.tx, out + 3, 5, 0, &count), ETIMEDOUT);
    assert_int_equal(count, 2);
    assert_int_equal(filch_recv_many(e.rx, in, 2, FILCH_FOREVER, &count), 0);
    assert_int_equal(count, 2);
    assert_int_equal(filch_recv_many(e.rx, in + 2, 6, FILCH_FOREVER, &count), 0);
    assert_int_equal(count, 3);
    assert_memory_equal(in, out, 5 * sizeof in[0]);
    assert_int_equal(filch_recv_many(e.rx, in, 8, 0, &count), ETIMEDOUT);
    assert_int_equal(filch_send_many(e.tx, NULL, 0, 0, &count), 0);
    assert_int_equal(count, 0);
    filch_sender_drop(e.tx);
    assert_int_equal(filch_recv_many(e.rx, in, 8, FILCH_FOREVER, &count), EPIPE);
    filch_receiver_drop(e.rx);
}

/* Across the ends of blocks, of which one holds 4 KiB, and around a ring. */
xt_define(many_at_once_arrive_in_their_order)
{
    enum { COUNT = 1000, WORDS = 3 };
    static const size_t capacities_here[] = {COUNT, COUNT + 7, FILCH_UNBOUNDED};
    static uint64_t out[COUNT][WORDS], in[COUNT][WORDS];
    for (size_t i = 0; i < COUNT; i++) {
        for (size_t k = 0; k < WORDS; k++)
            out[i][k] = i * WORDS + k;
    }
    for (size_t c = 0; c < sizeof capacities_here / sizeof capacities_here[0]; c++) {
        struct ends e = make(sizeof out[0], capacities_here[c]);
        for (int round = 0; round < 3; round++) {
            size_t count = 0;
            memset(in, 0, sizeof in);
            assert_int_equal(filch_send_many(e.tx, out, COUNT, 0, &count), 0);
            assert_int_equal(count, COUNT);
            assert_int_equal(filch_recv_many(e.rx, in, 1, 0, &count), 0);
            assert_int_equal(count, 1);
            assert_int_equal(filch_recv_many(e.rx, in + 1, COUNT, 0, &count), 0);
            assert_int_equal(count, COUNT - 1);
            assert_memory_equal(in, out, sizeof in);
        }
        filch_receiver_drop(e.rx);
        size_t count = 1;
        assert_int_equal(filch_send_many(e.tx, out, COUNT, FILCH_FOREVER, &count), EPIPE);
        assert_int_equal(count, 0);
        filch_sender_drop(e.tx);
    }
}

xt_define(a_oneshot_uses_its_handles_up)
{
    struct ends e;
    uint64_t x = 4;
    memset(dropped, 0, sizeof dropped);
    assert_int_equal(filch_oneshot_create(&e.tx, &e.rx, 8, count_drop), 0);
    assert_int_equal(filch_oneshot_recv(e.rx, &x, 0), ETIMEDOUT);
    assert_int_equal(filch_oneshot_send(e.tx, &x), 0);
    x = 0;
    assert_int_equal(filch_oneshot_recv(e.rx, &x, FILCH_FOREVER), 0);
    assert_int_equal(x, 4);
    assert_int_equal(filch_oneshot_create(&e.tx, &e.rx, 8, count_drop), 0);
    assert_int_equal(filch_oneshot_send(NULL, &x), EINVAL);
    assert_int_equal(filch_oneshot_recv(NULL, &x, 0), EINVAL);
    filch_receiver_drop(e.rx);
    assert_int_equal(filch_oneshot_send(e.tx, &x), EPIPE);
    assert_int_equal(filch_oneshot_create(&e.tx, &e.rx, 8, count_drop), 0);
    filch_sender_drop(e.tx);
    assert_int_equal(filch_oneshot_recv(e.rx, &x, FILCH_FOREVER), EPIPE);
    assert_int_equal(dropped_in_all(), 0);
    assert_int_equal(filch_oneshot_create(&e.tx, &e.rx, 8, count_drop), 0);
    assert_int_equal(filch_oneshot_send(e.tx, &x), 0);
    filch_receiver_drop(e.rx);
    assert_int_equal(dropped_in_all(), 1);
}

struct point {
    double x, y;
};
FILCH_CHANNEL_TYPE(points, struct point);

xt_define(typed_channels)
{
    struct points_sender tx, tx2;
    struct points_receiver rx, rx2;
    struct point p = {0, 0};
    assert_int_equal(points_create(&tx, &rx, 2), 0);
    tx2 = points_sender_clone(tx);
    rx2 = points_receiver_clone(rx);
    assert_int_equal(points_send(tx, (struct point){1, 2}), 0);
    assert_int_equal(points_try_send(tx2, (struct point){3, 4}), 0);
    assert_int_equal(points_send_until(tx, (struct point){5, 6}, 0), ETIMEDOUT);
    assert_int_equal(points_recv(rx, &p), 0);
    assert_true(p.x == 1 && p.y == 2);
    assert_int_equal(points_recv_until(rx2, &p, 0), 0);
    assert_true(p.x == 3 && p.y == 4);
    points_sender_drop(tx);
    points_sender_drop(tx2);
    assert_int_equal(points_try_recv(rx, &p), EPIPE);
    points_receiver_drop(rx);
    points_receiver_drop(rx2);
}

/* --- between several --- */

enum { MESSAGES = 2000, PARTIES_MAX = 4, BATCH_MAX = 300 };

struct flow {
    struct world *world;
    struct ends ends;
    uint64_t senders;
    uint64_t next_sender;
    uint64_t messages; /* of each sender */
    size_t batch;      /* so many are sent and received by one call; 0: one, by the plain calls */
    uint64_t received;
    uint64_t sum;
};

static void send_all(void *argument)
{
    struct flow *flow = argument;
    uint64_t me = __atomic_fetch_add(&flow->next_sender, 1, __ATOMIC_RELAXED);
    for (uint64_t i = 0; i < flow->messages; i++) {
        uint64_t message = i * flow->senders + me;
        xt_expect_equal(filch_send(flow->ends.tx, &message), 0);
    }
    filch_sender_drop(flow->ends.tx);
}

/* What a receiver has seen. */
struct seen {
    uint64_t next[PARTIES_MAX]; /* by sender: no message below this one will come */
    uint64_t count, sum;
};

static void see(const struct flow *flow, struct seen *seen, uint64_t message)
{
    uint64_t sender = message % flow->senders;
    uint64_t number = message / flow->senders;
    xt_expect(number >= seen->next[sender]);
    seen->next[sender] = number + 1;
    seen->count++;
    seen->sum += message;
}

static void receive_all(void *argument)
{
    struct flow *flow = argument;
    struct seen seen = {.count = 0};
    uint64_t message;
    FILCH_RECV_EACH(flow->ends.rx, &message)
    see(flow, &seen, message);
    __atomic_fetch_add(&flow->received, seen.count, __ATOMIC_RELAXED);
    __atomic_fetch_add(&flow->sum, seen.sum, __ATOMIC_RELAXED);
    filch_receiver_drop(flow->ends.rx);
}

static void send_batches(void *argument)
{
    struct flow *flow = argument;
    uint64_t batch[BATCH_MAX];
    uint64_t me = __atomic_fetch_add(&flow->next_sender, 1, __ATOMIC_RELAXED);
    uint64_t i = 0;
    while (i < flow->messages) {
        size_t count = 0;
        size_t sent = 0;
        for (; count < flow->batch && i < flow->messages; i++)
            batch[count++] = i * flow->senders + me;
        xt_expect_equal(filch_send_many(flow->ends.tx, batch, count, FILCH_FOREVER, &sent), 0);
        xt_expect_equal(sent, count);
    }
    filch_sender_drop(flow->ends.tx);
}

static void receive_batches(void *argument)
{
    struct flow *flow = argument;
    struct seen seen = {.count = 0};
    uint64_t batch[BATCH_MAX];
    size_t count;
    while (filch_recv_many(flow->ends.rx, batch, flow->batch, FILCH_FOREVER, &count) == 0) {
        xt_expect(count > 0 && count <= flow->batch);
        for (size_t i = 0; i < count; i++)
            see(flow, &seen, batch[i]);
    }
    __atomic_fetch_add(&flow->received, seen.count, __ATOMIC_RELAXED);
    __atomic_fetch_add(&flow->sum, seen.sum, __ATOMIC_RELAXED);
    filch_receiver_drop(flow->ends.rx);
}

static void flow_once(struct world *world, size_t capacity, uint64_t senders, uint64_t receivers,
                      size_t batch)
{
    struct job jobs[2 * PARTIES_MAX];
    size_t started = 0;
    struct flow flow = {.world = world,
                        .ends = make(8, capacity),
                        .senders = senders,
                        .messages = xt_scaled(MESSAGES) / senders,
                        .batch = batch};
    for (uint64_t i = 1; i < senders; i++)
        xt_expect(filch_sender_clone(flow.ends.tx) == flow.ends.tx);
    for (uint64_t i = 1; i < receivers; i++)
        xt_expect(filch_receiver_clone(flow.ends.rx) == flow.ends.rx);
    for (uint64_t i = 0; i < receivers; i++)
        job_start(world, &jobs[started++], batch > 0 ? receive_batches : receive_all, &flow);
    for (uint64_t i = 0; i < senders; i++)
        job_start(world, &jobs[started++], batch > 0 ? send_batches : send_all, &flow);
    for (size_t i = 0; i < started; i++)
        job_join(&jobs[i]);
    uint64_t total = senders * flow.messages;
    xt_expect_equal(flow.received, total);
    xt_expect_equal(flow.sum, total * (total - 1) / 2);
}

static void nothing_is_lost(struct world *world)
{
    static const struct {
        uint64_t senders, receivers;
    } shapes[] = {{1, 1}, {4, 1}, {1, 4}, {4, 4}};
    for (size_t k = 0; k < CAPACITIES; k++) {
        for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++)
            flow_once(world, capacities[k], shapes[i].senders, shapes[i].receivers, 0);
        flow_once(world, capacities[k], 3, 2, 7);
        flow_once(world, capacities[k], 2, 1, BATCH_MAX);
    }
}

xt_define(each_message_arrives_once_and_in_its_senders_order)
{
    in_all_worlds(nothing_is_lost);
}

struct one {
    struct ends ends;
    uint64_t value;
    int64_t deadline;
    int error;
    bool has_returned;
};

static void send_one(void *argument)
{
    struct one *one = argument;
    one->error = filch_send_until(one->ends.tx, &one->value, one->deadline);
    __atomic_store_n(&one->has_returned, true, __ATOMIC_RELEASE);
}

static void receive_one(void *argument)
{
    struct one *one = argument;
    one->error = filch_recv_until(one->ends.rx, &one->value, one->deadline);
    __atomic_store_n(&one->has_returned, true, __ATOMIC_RELEASE);
}

static void full_channels(struct world *world)
{
    for (size_t k = 0; k < CAPACITIES - 1; k++) {
        struct job job;
        struct one one = {.ends = make(8, capacities[k]), .value = 100, .deadline = FILCH_FOREVER};
        uint64_t x;
        for (uint64_t i = 0; i < capacities[k]; i++)
            xt_expect_equal(filch_send(one.ends.tx, &i), 0);
        xt_expect_equal(filch_try_send(one.ends.tx, &(uint64_t){0}), EAGAIN);
        job_start(world, &job, send_one, &one);
        until_senders_wait(world, one.ends.rx, 1);
        xt_expect(!__atomic_load_n(&one.has_returned, __ATOMIC_ACQUIRE));
        for (uint64_t i = 0; i < capacities[k]; i++) {
            xt_expect_equal(filch_recv(one.ends.rx, &x), 0);
            xt_expect_equal(x, i);
        }
        xt_expect_equal(filch_recv(one.ends.rx, &x), 0);
        xt_expect_equal(x, 100);
        job_join(&job);
        xt_expect_equal(one.error, 0);
        filch_sender_drop(one.ends.tx);
        filch_receiver_drop(one.ends.rx);
    }
}

xt_define(a_send_waits_while_the_channel_is_full)
{
    in_all_worlds(full_channels);
}

static void empty_channels(struct world *world)
{
    for (size_t k = 0; k < CAPACITIES; k++) {
        struct job job;
        struct one one = {.ends = make(8, capacities[k]), .deadline = FILCH_FOREVER};
        xt_expect_equal(filch_try_recv(one.ends.rx, &one.value), EAGAIN);
        job_start(world, &job, receive_one, &one);
        until_receivers_wait(world, one.ends.tx, 1);
        xt_expect(!__atomic_load_n(&one.has_returned, __ATOMIC_ACQUIRE));
        xt_expect_equal(filch_try_send(one.ends.tx, &(uint64_t){55}), 0);
        job_join(&job);
        xt_expect_equal(one.error, 0);
        xt_expect_equal(one.value, 55);
        filch_sender_drop(one.ends.tx);
        filch_receiver_drop(one.ends.rx);
    }
}

xt_define(a_receive_waits_while_the_channel_is_empty)
{
    in_all_worlds(empty_channels);
}

static void receive_oneshot(void *argument)
{
    struct one *one = argument;
    one->error = filch_oneshot_recv(one->ends.rx, &one->value, one->deadline);
}

static void oneshots(struct world *world)
{
    for (int is_sent = 0; is_sent < 2; is_sent++) {
        struct job job;
        struct one one = {.deadline = filch_deadline_in(2 * FILCH_MS)};
        memset(dropped, 0, sizeof dropped);
        xt_expect_equal(filch_oneshot_create(&one.ends.tx, &one.ends.rx, 8, count_drop), 0);
        job_start(world, &job, receive_oneshot, &one);
        job_join(&job);
        xt_expect_equal(one.error, ETIMEDOUT); /* the handle stays */
        xt_expect(filch_now_ns() >= one.deadline);
        one.deadline = FILCH_FOREVER;
        job_start(world, &job, receive_oneshot, &one);
        until_receivers_wait(world, one.ends.tx, 1);
        if (is_sent)
            xt_expect_equal(filch_oneshot_send(one.ends.tx, &(uint64_t){12}), 0);
        else
            filch_sender_drop(one.ends.tx);
        job_join(&job);
        xt_expect_equal(one.error, is_sent ? 0 : EPIPE);
        xt_expect_equal(one.value, is_sent ? 12 : 0);
        xt_expect_equal(dropped_in_all(), 0);
    }
}

xt_define(a_oneshot_is_waited_for)
{
    in_all_worlds(oneshots);
}

/* What comes at once, or in another order than it was begun, wakes one only: that one passes it on. */
static const int64_t in_time_ns = 20 * FILCH_S;

/* One of the jobs may be a task of the caller's worker, which a join of a thread would hold up. */
static void join_when_over(struct world *world, struct job *job, struct one *one)
{
    while (!__atomic_load_n(&one->has_returned, __ATOMIC_ACQUIRE))
        nap(world);
    job_join(job);
    xt_expect_equal(one->error, 0);
}

static void pass_on_batches(struct world *world)
{
    static const uint64_t two[] = {10, 11};
    for (size_t k = 2; k < CAPACITIES; k++) {
        struct job jobs[2];
        struct one ones[2];
        struct ends e = make(8, capacities[k]);
        uint64_t received[2];
        size_t count;
        for (int i = 0; i < 2; i++) {
            ones[i] = (struct one){.ends = e, .deadline = filch_deadline_in(in_time_ns)};
            job_start(world, &jobs[i], receive_one, &ones[i]);
        }
        until_receivers_wait(world, e.tx, 2);
        xt_expect_equal(filch_send_many(e.tx, two, 2, FILCH_FOREVER, &count), 0);
        for (int i = 0; i < 2; i++) {
            join_when_over(world, &jobs[i], &ones[i]);
        }
        xt_expect_equal(ones[0].value + ones[1].value, 21);
        if (capacities[k] != FILCH_UNBOUNDED) {
            for (uint64_t i = 0; i < capacities[k]; i++)
                xt_expect_equal(filch_send(e.tx, &i), 0);
            for (int i = 0; i < 2; i++) {
                ones[i] = (struct one){.ends = e, .deadline = filch_deadline_in(in_time_ns)};
                job_start(world, &jobs[i], send_one, &ones[i]);
            }
            until_senders_wait(world, e.rx, 2);
            xt_expect_equal(filch_recv_many(e.rx, received, 2, FILCH_FOREVER, &count), 0);
            xt_expect_equal(count, 2);
            for (int i = 0; i < 2; i++) {
                join_when_over(world, &jobs[i], &ones[i]);
            }
            xt_expect_equal(filch_receiver_len(e.rx), capacities[k]);
        }
        filch_sender_drop(e.tx);
        filch_receiver_drop(e.rx);
    }
}

xt_define(a_batch_wakes_as_many_as_have_something_to_do)
{
    in_all_worlds(pass_on_batches);
}

static void select_one(void *argument)
{
    struct one *one = argument;
    struct filch_select_case cases[] = {{.rx = NULL}, {.rx = one->ends.rx, .value = &one->value}};
    size_t index = 0;
    one->error = filch_select(cases, 2, one->deadline, &index);
    xt_expect(one->error != 0 || (index == 1 && cases[1].error == 0));
    __atomic_store_n(&one->has_returned, true, __ATOMIC_RELEASE);
}

/* A sender has claimed a slot, and is interrupted; the next one has sent; two find nothing, and wait. */
static void pass_on_what_lay_behind(struct world *world)
{
    static void (*const ways[])(void *) = {receive_one, select_one};
    for (int way = 0; way < 2; way++) {
        struct job jobs[2];
        struct one ones[2];
        struct ends e = make(8, 2);
        struct channel *c = filch__sender_channel(e.tx);
        uint64_t position;
        filch__alone_end(&c->ring.tail.alone);
        xt_expect_equal(
            filch__ring_claim(&c->ring, &c->ring.layout, &c->ring.tail, 0, false, 1, &position), 1);
        xt_expect_equal(filch_send(e.tx, &(uint64_t){11}), 0);
        for (int i = 0; i < 2; i++) {
            ones[i] = (struct one){.ends = e, .deadline = filch_deadline_in(in_time_ns)};
            job_start(world, &jobs[i], ways[way], &ones[i]);
        }
        until_receivers_wait(world, e.tx, 2);
        *(uint64_t *)filch__ring_value_at(&c->ring, &c->ring.layout, position) = 10;
        filch__ring_stamp(&c->ring, false,
                          filch__ring_stamp_at(&c->ring, &c->ring.layout, position), position + 1);
        filch__waits_wake(&c->waits, RECEIVERS);
        for (int i = 0; i < 2; i++) {
            join_when_over(world, &jobs[i], &ones[i]);
        }
        xt_expect_equal(ones[0].value + ones[1].value, 21);
        filch_sender_drop(e.tx);
        filch_receiver_drop(e.rx);
    }
}

xt_define(who_is_woken_for_one_message_passes_the_next_one_on)
{
    in_all_worlds(pass_on_what_lay_behind);
}

static void ends_go(struct world *world)
{
    for (size_t k = 0; k < CAPACITIES; k++) {
        struct job jobs[3];
        struct one ones[3];
        struct ends e = make_dropping(capacities[k]);
        for (int i = 0; i < 3; i++) {
            ones[i] = (struct one){.ends = e, .value = 1, .deadline = FILCH_FOREVER};
            job_start(world, &jobs[i], receive_one, &ones[i]);
        }
        until_receivers_wait(world, e.tx, 3);
        filch_sender_drop(e.tx);
        for (int i = 0; i < 3; i++) {
            job_join(&jobs[i]);
            xt_expect_equal(ones[i].error, EPIPE);
        }
        filch_receiver_drop(e.rx);

        if (capacities[k] == FILCH_UNBOUNDED)
            continue;
        e = make_dropping(capacities[k]);
        for (uint64_t i = 0; i < capacities[k]; i++)
            xt_expect_equal(filch_send(e.tx, &i), 0);
        for (int i = 0; i < 3; i++) {
            ones[i] = (struct one){.ends = e, .value = 1, .deadline = FILCH_FOREVER};
            job_start(world, &jobs[i], send_one, &ones[i]);
        }
        until_senders_wait(world, e.rx, 3);
        filch_receiver_drop(e.rx);
        for (int i = 0; i < 3; i++) {
            job_join(&jobs[i]);
            xt_expect_equal(ones[i].error, EPIPE);
        }
        xt_expect_equal(dropped_in_all(), capacities[k]);
        filch_sender_drop(e.tx);
    }
}

xt_define(those_that_wait_are_woken_when_the_other_side_goes)
{
    in_all_worlds(ends_go);
}

static void deadlines(struct world *world)
{
    for (size_t k = 0; k < CAPACITIES; k++) {
        struct job jobs[2];
        struct ends e = make(8, capacities[k]);
        struct one receiver = {.ends = e, .deadline = filch_deadline_in(3 * FILCH_MS)};
        job_start(world, &jobs[0], receive_one, &receiver);
        job_join(&jobs[0]);
        xt_expect_equal(receiver.error, ETIMEDOUT);
        xt_expect(filch_now_ns() >= receiver.deadline);
        if (capacities[k] != FILCH_UNBOUNDED) {
            for (uint64_t i = 0; i < capacities[k]; i++)
                xt_expect_equal(filch_send(e.tx, &i), 0);
            struct one sender = {.ends = e, .deadline = filch_deadline_in(3 * FILCH_MS)};
            job_start(world, &jobs[1], send_one, &sender);
            job_join(&jobs[1]);
            xt_expect_equal(sender.error, ETIMEDOUT);
            xt_expect(filch_now_ns() >= sender.deadline);
            xt_expect_equal(filch__waits_word(&filch__sender_channel(e.tx)->waits, SENDERS), 0);
        }
        xt_expect_equal(filch__waits_word(&filch__sender_channel(e.tx)->waits, RECEIVERS), 0);
        /* Such a far one is none. */
        struct one far = {.ends = e, .value = 7, .deadline = filch_deadline_in(INT64_MAX)};
        while (filch_try_recv(e.rx, &(uint64_t){0}) == 0) {
        }
        job_start(world, &jobs[0], receive_one, &far);
        until_receivers_wait(world, e.tx, 1);
        xt_expect_equal(filch_send_until(e.tx, &far.value, filch_deadline_in(INT64_MAX)), 0);
        job_join(&jobs[0]);
        xt_expect_equal(far.error, 0);
        filch_sender_drop(e.tx);
        filch_receiver_drop(e.rx);
    }
}

xt_define(a_wait_ends_at_its_deadline)
{
    in_all_worlds(deadlines);
}

/* A message, or room, that comes when it is about to be too late, and wakes nobody: whoever's deadline passes
 * then looks once more. */
static void put_silently(struct channel *c)
{
    uint64_t x = 31, position;
    if (c->flavour == BOUNDED)
        xt_expect_equal(filch__ring_send(&c->ring, &c->ring.layout, false, &x, 1), 1);
    else
        xt_expect_equal(filch__list_send(&c->list, &c->list.places, false, &x, 1, &position), 1);
}

static void take_silently(struct channel *c)
{
    uint64_t x;
    xt_expect_equal(filch__ring_recv(&c->ring, &c->ring.layout, false, &x, 1), 1);
}

static void come_at_the_last_moment(struct world *world, size_t capacity, void (*wait)(void *),
                                    bool receives)
{
    struct one one;
    int64_t wait_ns = FILCH_MS;
    bool is_in_time;
    do {
        struct job job;
        wait_ns *= 2;
        one = (struct one){.ends = make(8, capacity), .value = 32};
        struct channel *c = filch__sender_channel(one.ends.tx);
        if (capacity != FILCH_UNBOUNDED) {
            filch__alone_end(&c->ring.tail.alone);
            filch__alone_end(&c->ring.head.alone);
        } else {
            filch__alone_end(&c->list.tail.alone);
        }
        for (size_t i = 0; i < capacity && !receives; i++)
            xt_expect_equal(filch_send(one.ends.tx, &(uint64_t){33}), 0);
        one.deadline = filch_deadline_in(wait_ns);
        job_start(world, &job, wait, &one);
        while (filch__waits_word(&c->waits, receives ? RECEIVERS : SENDERS) < WAITS_ONE &&
               filch_now_ns() < one.deadline)
            nap(world);
        if (receives)
            put_silently(c);
        else
            take_silently(c);
        is_in_time = filch_now_ns() < one.deadline;
        job_join(&job);
        filch_sender_drop(one.ends.tx);
        filch_receiver_drop(one.ends.rx);
    } while (!is_in_time && wait_ns < 10 * FILCH_S);
    xt_expect_equal(one.error, 0);
    xt_expect_equal(one.value, receives ? 31 : 32);
}

static void last_moments(struct world *world)
{
    come_at_the_last_moment(world, 2, receive_one, true);
    come_at_the_last_moment(world, 2, select_one, true);
    come_at_the_last_moment(world, FILCH_UNBOUNDED, receive_one, true);
    come_at_the_last_moment(world, 2, send_one, false);
}

xt_define(what_has_come_is_not_too_late)
{
    in_all_worlds(last_moments);
}

/* Wake-ups and deadlines at the same time: each message is received or still there. */
struct race {
    struct ends ends;
    uint64_t seed;
    uint64_t sent, received, rounds;
};

static void send_late(void *argument)
{
    struct race *race = argument;
    uint64_t random = race->seed;
    for (uint64_t i = 0; i < race->rounds; i++) {
        int64_t deadline = filch_deadline_in((int64_t)(xt_random(&random) % 30000));
        int error = filch_send_until(race->ends.tx, &i, deadline);
        xt_expect(error == 0 || error == ETIMEDOUT);
        if (error == 0)
            __atomic_fetch_add(&race->sent, 1, __ATOMIC_RELAXED);
    }
}

static void receive_late(void *argument)
{
    struct race *race = argument;
    uint64_t random = race->seed + 1;
    uint64_t message;
    for (uint64_t i = 0; i < race->rounds; i++) {
        int64_t deadline = filch_deadline_in((int64_t)(xt_random(&random) % 30000));
        int error = filch_recv_until(race->ends.rx, &message, deadline);
        xt_expect(error == 0 || error == ETIMEDOUT);
        if (error == 0)
            __atomic_fetch_add(&race->received, 1, __ATOMIC_RELAXED);
    }
}

static void race_deadlines(struct world *world)
{
    for (size_t k = 0; k < CAPACITIES; k++) {
        struct job jobs[4];
        struct race race = {
            .ends = make(8, capacities[k]), .seed = xt_seed(), .rounds = xt_scaled(200)};
        for (int i = 0; i < 4; i++)
            job_start(world, &jobs[i], i % 2 == 0 ? send_late : receive_late, &race);
        for (int i = 0; i < 4; i++)
            job_join(&jobs[i]);
        xt_expect_equal(race.sent, race.received + filch_receiver_len(race.ends.rx));
        xt_expect_equal(filch__waits_word(&filch__sender_channel(race.ends.tx)->waits, SENDERS), 0);
        xt_expect_equal(filch__waits_word(&filch__sender_channel(race.ends.tx)->waits, RECEIVERS),
                        0);
        filch_sender_drop(race.ends.tx);
        filch_receiver_drop(race.ends.rx);
    }
}

xt_define(deadlines_race_with_messages)
{
    in_all_worlds(race_deadlines);
}

/* A hand-over is over when the receiver has the message, not before. */
struct handover {
    struct ends ends;
    bool is_asked;
    bool failed;
};

static void send_after_asking(void *argument)
{
    struct handover *h = argument;
    for (uint64_t i = 0; i < 200; i++) {
        xt_expect_equal(filch_send(h->ends.tx, &i), 0);
        xt_expect(__atomic_exchange_n(&h->is_asked, false, __ATOMIC_ACQ_REL));
    }
}

static void hand_over(struct world *world)
{
    struct job job;
    struct handover h = {.ends = make(8, 0)};
    job_start(world, &job, send_after_asking, &h);
    for (uint64_t i = 0; i < 200; i++) {
        uint64_t x = UINT64_MAX;
        if (i < 20)
            until_senders_wait(world, h.ends.rx, 1);
        __atomic_store_n(&h.is_asked, true, __ATOMIC_RELEASE);
        xt_expect_equal(filch_recv(h.ends.rx, &x), 0);
        xt_expect_equal(x, i);
        while (__atomic_load_n(&h.is_asked, __ATOMIC_ACQUIRE))
            nap(world);
    }
    job_join(&job);
    xt_expect_equal(filch_try_send(h.ends.tx, &(uint64_t){0}), EAGAIN);
    xt_expect_equal(filch_try_recv(h.ends.rx, &(uint64_t){0}), EAGAIN);
    filch_sender_drop(h.ends.tx);
    filch_receiver_drop(h.ends.rx);
}

xt_define(a_hand_over_returns_when_the_receiver_has_it)
{
    in_all_worlds(hand_over);
}

/* A reply channel in a message: a requester that waits for the answer of a server that has gone. */
static void drop_reply(void *element)
{
    filch_sender_drop(*(struct filch_sender **)element);
}

static void requests(struct world *world)
{
    for (size_t k = 1; k < CAPACITIES; k++) {
        struct ends server;
        struct filch_channel_config config = {.element_size = sizeof(struct filch_sender *),
                                              .capacity = capacities[k],
                                              .drop = drop_reply};
        xt_expect_equal(filch_channel_create_with(&server.tx, &server.rx, &config), 0);
        struct job job;
        struct one reply = {.ends = make(8, 1), .deadline = FILCH_FOREVER};
        job_start(world, &job, receive_one, &reply);
        xt_expect_equal(filch_send(server.tx, &reply.ends.tx), 0);
        until_receivers_wait(world, reply.ends.tx, 1);
        filch_receiver_drop(server.rx);
        job_join(&job);
        xt_expect_equal(reply.error, EPIPE);
        filch_receiver_drop(reply.ends.rx);
        filch_sender_drop(server.tx);
    }
}

xt_define(a_requester_learns_that_the_server_has_gone)
{
    in_all_worlds(requests);
}

/* Two that hand over to each other all the time do not keep a third one from its deadline. */
struct busy {
    struct ends ends;
    bool is_over;
};

static void send_until_over(void *argument)
{
    struct busy *busy = argument;
    while (!__atomic_load_n(&busy->is_over, __ATOMIC_ACQUIRE))
        xt_expect_equal(filch_send(busy->ends.tx, &(uint64_t){1}), 0);
    filch_sender_drop(busy->ends.tx);
}

static void receive_until_over(void *argument)
{
    struct busy *busy = argument;
    uint64_t message;
    FILCH_RECV_EACH(busy->ends.rx, &message)
    {
    }
}

static void busy_neighbours(struct world *world)
{
    struct job jobs[2];
    struct busy busy = {.ends = make(8, 0)};
    job_start(world, &jobs[0], send_until_over, &busy);
    job_start(world, &jobs[1], receive_until_over, &busy);
    for (int i = 0; i < 5; i++)
        nap(world);
    __atomic_store_n(&busy.is_over, true, __ATOMIC_RELEASE);
    for (int i = 0; i < 2; i++)
        job_join(&jobs[i]);
    filch_receiver_drop(busy.ends.rx);
}

xt_define(a_deadline_is_kept_beside_busy_tasks)
{
    in_all_worlds(busy_neighbours);
}

/* A message that lies in the channel, for one that was woken from outside and has yet to run, is not overtaken
 * by one that a task sends after it while another one waits. */
struct overtaking {
    struct ends ends;
    bool is_sent;
    uint64_t got[2][2];
    size_t count[2];
};

static void receive_and_try(struct overtaking *o, int i)
{
    xt_expect_equal(filch_recv(o->ends.rx, &o->got[i][0]), 0);
    o->count[i] = filch_try_recv(o->ends.rx, &o->got[i][1]) == 0 ? 2 : 1;
}

static void receives_first(void *argument)
{
    receive_and_try(argument, 0);
}

static void receives_second(void *argument)
{
    receive_and_try(argument, 1);
}

static void *sends_from_outside(void *argument)
{
    struct overtaking *o = argument;
    xt_expect_equal(filch_send(o->ends.tx, &(uint64_t){1}), 0);
    __atomic_store_n(&o->is_sent, true, __ATOMIC_RELEASE);
    return NULL;
}

static void send_both(void *argument)
{
    struct overtaking *o = argument;
    struct filch_thread *thread;
    FILCH_SCOPE (s) {
        xt_expect_equal(filch_scope_spawn(s, receives_first, o), 0);
        xt_expect_equal(filch_scope_spawn(s, receives_second, o), 0);
        while (filch__waits_word(&filch__sender_channel(o->ends.tx)->waits, RECEIVERS) !=
               2 * WAITS_ONE)
            filch_yield();
        xt_expect_equal(filch_thread_spawn(&thread, NULL, sends_from_outside, o), 0);
        while (!__atomic_load_n(&o->is_sent, __ATOMIC_ACQUIRE)) {
        } /* nobody else runs here meanwhile */
        xt_expect_equal(filch_send(o->ends.tx, &(uint64_t){2}), 0);
        /* One may have got both. */
        xt_expect_equal(filch_send(o->ends.tx, &(uint64_t){3}), 0);
    }
    xt_expect_equal(filch_thread_join(thread, NULL, NULL), 0);
}

xt_define(a_message_that_is_handed_to_a_task_overtakes_none)
{
    static const size_t rooms[] = {4, FILCH_UNBOUNDED};
    struct filch_pool *pool;
    struct filch_pool_config config = {.workers = 1};
    assert_int_equal(filch_pool_create(&pool, &config), 0);
    for (size_t k = 0; k < 2; k++) {
        struct overtaking o = {.ends = make(8, rooms[k])};
        assert_int_equal(filch_pool_install(pool, send_both, &o), 0);
        for (int i = 0; i < 2; i++)
            assert_true(o.count[i] == 1 || o.got[i][0] < o.got[i][1]);
        filch_sender_drop(o.ends.tx);
        filch_receiver_drop(o.ends.rx);
    }
    assert_int_equal(filch_pool_destroy(pool), 0);
}

/* Waiting burns nothing: receivers of empty channels, senders to full ones, of all flavours. */
static void be_blocked(struct world *world)
{
    struct job receivers[CAPACITIES], senders[CAPACITIES];
    struct one empty[CAPACITIES], full[CAPACITIES];
    for (size_t k = 0; k < CAPACITIES; k++) {
        empty[k] = (struct one){.ends = make(8, capacities[k]), .deadline = FILCH_FOREVER};
        job_start(world, &receivers[k], receive_one, &empty[k]);
        until_receivers_wait(world, empty[k].ends.tx, 1);
        if (capacities[k] == FILCH_UNBOUNDED)
            continue;
        full[k] = (struct one){.ends = make(8, capacities[k]), .deadline = FILCH_FOREVER};
        for (size_t i = 0; i < capacities[k]; i++)
            xt_expect_equal(filch_send(full[k].ends.tx, &(uint64_t){1}), 0);
        job_start(world, &senders[k], send_one, &full[k]);
        until_senders_wait(world, full[k].ends.rx, 1);
    }
    xt_sleep_ns(20 * FILCH_MS); /* whoever looks before it sleeps has done so */
    int64_t before = xt_cpu_ns();
    xt_sleep_ns(200 * FILCH_MS);
    xt_expect(xt_cpu_ns() - before < 20 * FILCH_MS);
    for (size_t k = 0; k < CAPACITIES; k++) {
        filch_sender_drop(empty[k].ends.tx);
        job_join(&receivers[k]);
        xt_expect_equal(empty[k].error, EPIPE);
        filch_receiver_drop(empty[k].ends.rx);
        if (capacities[k] == FILCH_UNBOUNDED)
            continue;
        filch_receiver_drop(full[k].ends.rx);
        job_join(&senders[k]);
        xt_expect_equal(full[k].error, EPIPE);
        filch_sender_drop(full[k].ends.tx);
    }
}

xt_define(a_blocked_pair_uses_no_cpu_time)
{
    in_all_worlds(be_blocked);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        xt_test(bad_arguments_are_refused),
        xt_test(length_and_capacity),
        xt_test(messages_of_any_size),
        xt_test(an_unbounded_send_never_waits),
        xt_test(a_drained_channel_returns_its_memory),
        xt_test(buffered_messages_survive_the_senders),
        xt_test(a_failed_send_leaves_the_message),
        xt_test(what_is_never_received_is_dropped_once),
        xt_test(a_deadline_that_has_passed_is_a_try),
        xt_test(an_end_that_has_gone_is_told_before_a_deadline),
        xt_test(a_refused_message_is_the_callers),
        xt_test(several_at_once),
        xt_test(many_at_once_arrive_in_their_order),
        xt_test(a_oneshot_uses_its_handles_up),
        xt_test(typed_channels),
        xt_test(each_message_arrives_once_and_in_its_senders_order),
        xt_test(a_send_waits_while_the_channel_is_full),
        xt_test(a_receive_waits_while_the_channel_is_empty),
        xt_test(a_oneshot_is_waited_for),
        xt_test(a_batch_wakes_as_many_as_have_something_to_do),
        xt_test(who_is_woken_for_one_message_passes_the_next_one_on),
        xt_test(those_that_wait_are_woken_when_the_other_side_goes),
        xt_test(a_wait_ends_at_its_deadline),
        xt_test(what_has_come_is_not_too_late),
        xt_test(deadlines_race_with_messages),
        xt_test(a_hand_over_returns_when_the_receiver_has_it),
        xt_test(a_requester_learns_that_the_server_has_gone),
        xt_test(a_deadline_is_kept_beside_busy_tasks),
        xt_test(a_message_that_is_handed_to_a_task_overtakes_none),
        xt_test(a_blocked_pair_uses_no_cpu_time),
    };
    return xt_run(tests);
}
