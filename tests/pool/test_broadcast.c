/* SPDX-License-Identifier: Apache-2.0 */
/* Broadcasts: between threads, between tasks, and mixed. */
#include "worlds.h"

#include "boxes.h"

#include <string.h>

struct ends {
    struct filch_broadcast_sender *tx;
    struct filch_broadcast_receiver *rx;
};

static struct ends make(size_t capacity)
{
    struct ends ends = {NULL, NULL};
    if (filch_broadcast_create(&ends.tx, &ends.rx, sizeof(uint64_t), capacity) != 0)
        abort();
    return ends;
}

static void drop(struct ends ends)
{
    filch_broadcast_sender_drop(ends.tx);
    filch_broadcast_receiver_drop(ends.rx);
}

static struct ends make_of_boxes(size_t capacity)
{
    struct ends ends = {NULL, NULL};
    struct filch_broadcast_config config = {.element_size = sizeof(uint64_t *),
                                            .capacity = capacity,
                                            .clone = box_clone,
                                            .drop = box_drop};
    boxes = 0;
    if (filch_broadcast_create_with(&ends.tx, &ends.rx, &config) != 0)
        abort();
    return ends;
}

static void send_boxes(struct filch_broadcast_sender *tx, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        uint64_t *box = box_new(i);
        assert_int_equal(filch_broadcast_send(tx, &box), 0);
    }
}

static void expect_box(struct filch_broadcast_receiver *rx, uint64_t content)
{
    uint64_t *box;
    assert_int_equal(filch_broadcast_try_recv(rx, &box, NULL), 0);
    assert_int_equal(*box, content);
    box_drop(&box);
}

static void send_numbers(struct filch_broadcast_sender *tx, uint64_t first, uint64_t end)
{
    for (uint64_t i = first; i < end; i++)
        assert_int_equal(filch_broadcast_send(tx, &i), 0);
}

static void expect_numbers(struct filch_broadcast_receiver *rx, uint64_t first, uint64_t end)
{
    for (uint64_t i = first; i < end; i++) {
        uint64_t x = UINT64_MAX;
        assert_int_equal(filch_broadcast_len(rx), end - i);
        assert_int_equal(filch_broadcast_recv(rx, &x, NULL), 0);
        assert_int_equal(x, i);
    }
    assert_int_equal(filch_broadcast_len(rx), 0);
}

/* --- on one thread --- */

xt_define(bad_arguments_are_refused)
{
    struct filch_broadcast_sender *tx = (void *)&tx, *kept_tx = tx;
    struct filch_broadcast_receiver *rx = (void *)&rx, *kept_rx = rx;
    struct filch_broadcast_config config = {.element_size = 8, .capacity = 1, .drop = box_drop};
    uint64_t x = 5;
    assert_int_equal(filch_broadcast_create(NULL, &rx, 8, 1), EINVAL);
    assert_int_equal(filch_broadcast_create(&tx, NULL, 8, 1), EINVAL);
    assert_int_equal(filch_broadcast_create(&tx, &rx, 65537, 1), EINVAL);
    assert_int_equal(filch_broadcast_create(&tx, &rx, 8, 0), EINVAL);
    assert_int_equal(filch_broadcast_create(&tx, &rx, 8, SIZE_MAX), ENOMEM);
    assert_int_equal(filch_broadcast_create(&tx, &rx, 8, SIZE_MAX / 16), ENOMEM);
    assert_int_equal(filch_broadcast_create_with(&tx, &rx, NULL), EINVAL);
    assert_int_equal(filch_broadcast_create_with(&tx, &rx, &config), EINVAL);
    assert_ptr_equal(tx, kept_tx);
    assert_ptr_equal(rx, kept_rx);
    assert_int_equal(filch_broadcast_send(NULL, &x), EINVAL);
    assert_int_equal(filch_broadcast_subscribe(NULL, &rx), EINVAL);
    assert_int_equal(filch_broadcast_resubscribe(NULL, &rx), EINVAL);
    assert_int_equal(filch_broadcast_recv(NULL, &x, NULL), EINVAL);
    assert_int_equal(filch_broadcast_try_recv(NULL, &x, NULL), EINVAL);
    assert_int_equal(filch_broadcast_recv_until(NULL, &x, NULL, 0), EINVAL);
    assert_null(filch_broadcast_sender_clone(NULL));
    filch_broadcast_sender_drop(NULL);
    filch_broadcast_receiver_drop(NULL);
    assert_int_equal(filch_broadcast_receivers(NULL), 0);
    assert_int_equal(filch_broadcast_len(NULL), 0);
    assert_int_equal(filch_broadcast_is_disconnected(NULL), 0);
    struct ends e = make(1);
    assert_int_equal(filch_broadcast_send(e.tx, NULL), EINVAL);
    assert_int_equal(filch_broadcast_subscribe(e.tx, NULL), EINVAL);
    assert_int_equal(filch_broadcast_resubscribe(e.rx, NULL), EINVAL);
    assert_int_equal(filch_broadcast_try_recv(e.rx, NULL, NULL), EINVAL);
    drop(e);
}

xt_define(each_receiver_receives_each_message)
{
    static const size_t sizes[] = {1, 2, 3, 7, 64};
    for (size_t k = 0; k < sizeof sizes / sizeof sizes[0]; k++) {
        struct ends e = make(sizes[k]);
        struct filch_broadcast_receiver *other;
        assert_int_equal(filch_broadcast_subscribe(e.tx, &other), 0);
        assert_int_equal(filch_broadcast_receivers(e.tx), 2);
        for (uint64_t lap = 0; lap < 4; lap++) {
            send_numbers(e.tx, lap * sizes[k], (lap + 1) * sizes[k]);
            expect_numbers(e.rx, lap * sizes[k], (lap + 1) * sizes[k]);
            expect_numbers(other, lap * sizes[k], (lap + 1) * sizes[k]);
            assert_int_equal(filch_broadcast_try_recv(e.rx, &lap, NULL), EAGAIN);
        }
        filch_broadcast_receiver_drop(other);
        drop(e);
    }
}

xt_define(late_receivers_begin_with_the_next_message)
{
    struct ends e = make(4);
    struct filch_broadcast_receiver *late, *later;
    send_numbers(e.tx, 0, 2);
    assert_int_equal(filch_broadcast_subscribe(e.tx, &late), 0);
    assert_int_equal(filch_broadcast_resubscribe(e.rx, &later), 0);
    assert_int_equal(filch_broadcast_try_recv(late, &(uint64_t){0}, NULL), EAGAIN);
    send_numbers(e.tx, 2, 4);
    expect_numbers(e.rx, 0, 4);
    expect_numbers(late, 2, 4);
    expect_numbers(later, 2, 4);
    filch_broadcast_receiver_drop(late);
    filch_broadcast_receiver_drop(later);
    drop(e);
}

xt_define(slow_receivers_are_told_what_they_have_missed)
{
    struct ends e = make(3);
    struct filch_broadcast_receiver *quick;
    uint64_t x = 99, missed = 77;
    assert_int_equal(filch_broadcast_subscribe(e.tx, &quick), 0);
    send_numbers(e.tx, 0, 3); /* as many as are kept */
    expect_numbers(quick, 0, 3);
    send_numbers(e.tx, 3, 4);
    assert_int_equal(filch_broadcast_recv(e.rx, &x, &missed), EOVERFLOW);
    assert_int_equal(missed, 1);
    assert_int_equal(x, 99);
    expect_numbers(e.rx, 1, 4);
    expect_numbers(quick, 3, 4);
    send_numbers(e.tx, 4, 24);
    assert_int_equal(filch_broadcast_len(e.rx), 3);
    missed = 77;
    assert_int_equal(filch_broadcast_try_recv(e.rx, &x, NULL), EOVERFLOW);
    assert_int_equal(filch_broadcast_recv_until(quick, &x, &missed, 0), EOVERFLOW);
    assert_int_equal(missed, 17);
    missed = 77;
    assert_int_equal(filch_broadcast_recv(e.rx, &x, &missed), 0);
    assert_int_equal(x, 21);
    assert_int_equal(missed, 77); /* written with EOVERFLOW only */
    filch_broadcast_sender_drop(e.tx);
    expect_numbers(e.rx, 22, 24);
    assert_int_equal(filch_broadcast_recv(e.rx, &x, &missed), EPIPE);
    filch_broadcast_receiver_drop(e.rx);
    filch_broadcast_receiver_drop(quick);
}

xt_define(kept_messages_survive_the_senders)
{
    struct ends e = make(2);
    struct filch_broadcast_sender *other = filch_broadcast_sender_clone(e.tx);
    uint64_t x = 5;
    send_numbers(e.tx, 0, 1);
    filch_broadcast_sender_drop(e.tx);
    assert_int_equal(filch_broadcast_is_disconnected(e.rx), 0);
    send_numbers(other, 1, 2);
    filch_broadcast_sender_drop(other);
    assert_int_equal(filch_broadcast_is_disconnected(e.rx), 1);
    expect_numbers(e.rx, 0, 2);
    assert_int_equal(filch_broadcast_recv(e.rx, &x, NULL), EPIPE);
    assert_int_equal(filch_broadcast_try_recv(e.rx, &x, NULL), EPIPE);
    assert_int_equal(filch_broadcast_recv_until(e.rx, &x, NULL, FILCH_FOREVER), EPIPE);
    assert_int_equal(x, 5);
    filch_broadcast_receiver_drop(e.rx);
}

xt_define(without_receivers_nothing_is_sent)
{
    struct ends e = make_of_boxes(4);
    struct filch_broadcast_receiver *rx;
    uint64_t *box = box_new(7);
    filch_broadcast_receiver_drop(e.rx);
    assert_int_equal(filch_broadcast_send(e.tx, &box), EPIPE);
    assert_int_equal(*box, 7); /* still ours */
    assert_int_equal(filch_broadcast_subscribe(e.tx, &rx), 0);
    assert_int_equal(filch_broadcast_send(e.tx, &box), 0);
    expect_box(rx, 7);
    assert_int_equal(boxes, 0);
    filch_broadcast_receiver_drop(rx);
    filch_broadcast_sender_drop(e.tx);
}

xt_define(messages_are_dropped_once)
{
    struct ends e = make_of_boxes(3);
    struct filch_broadcast_receiver *other;
    assert_int_equal(filch_broadcast_subscribe(e.tx, &other), 0);
    send_boxes(e.tx, 3);
    expect_box(e.rx, 0);
    assert_int_equal(boxes, 3);
    expect_box(other, 0); /* all have it */
    assert_int_equal(boxes, 2);
    expect_box(other, 1);
    filch_broadcast_receiver_drop(
        other); /* has not received the last one, which the first one may */
    assert_int_equal(boxes, 2);
    expect_box(e.rx, 1);
    assert_int_equal(boxes, 1);
    send_boxes(e.tx, 5); /* three of which take the places of others */
    assert_int_equal(boxes, 3);
    filch_broadcast_sender_drop(e.tx);
    assert_int_equal(boxes, 3);
    filch_broadcast_receiver_drop(e.rx); /* was too slow, and is not going to be told */
    assert_int_equal(boxes, 0);
}

xt_define(messages_of_any_size)
{
    static const size_t sizes[] = {0, 1, 3, 8, 24, 64, 192, 4096, 65536};
    static unsigned char out[65536], in[65536 + 1];
    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
        struct ends e;
        assert_int_equal(filch_broadcast_create(&e.tx, &e.rx, sizes[s], 2), 0);
        for (int i = 2; i < 7; i++) {
            memset(out, i, sizeof out);
            memset(in, 0xEE, sizeof in);
            assert_int_equal(filch_broadcast_send(e.tx, out), 0);
            assert_int_equal(filch_broadcast_recv(e.rx, in, NULL), 0);
            assert_memory_equal(in, out, sizes[s]);
            assert_int_equal(in[sizes[s]], 0xEE);
        }
        drop(e);
    }
    struct ends e;
    assert_int_equal(filch_broadcast_create(&e.tx, &e.rx, 0, 2), 0);
    assert_int_equal(filch_broadcast_send(e.tx, NULL), 0);
    assert_int_equal(filch_broadcast_recv(e.rx, NULL, NULL), 0);
    drop(e);
}

xt_define(without_memory_nothing_is_changed)
{
    xt_faults_install();
    for (uint64_t k = 1; k <= 2; k++) {
        struct ends e = {NULL, NULL};
        xt_faults_arm(XT_ALLOC, k, XT_FAULT_ONCE);
        assert_int_equal(filch_broadcast_create(&e.tx, &e.rx, 8, 4), ENOMEM);
        assert_int_equal(xt_faults_disarm(), 1);
        assert_null(e.tx);
        assert_null(e.rx);
    }
    assert_int_equal(xt_faults_live_blocks(), 0);
    struct ends e = make(2);
    struct filch_broadcast_receiver *another = NULL;
    send_numbers(e.tx, 0, 2);
    xt_faults_arm(XT_ALLOC, 1, XT_FAULT_ONWARD);
    assert_int_equal(filch_broadcast_send(e.tx, &(uint64_t){9}), ENOMEM);
    assert_int_equal(filch_broadcast_subscribe(e.tx, &another), ENOMEM);
    assert_int_equal(filch_broadcast_resubscribe(e.rx, &another), ENOMEM);
    assert_null(another);
    assert_int_equal(xt_faults_disarm(), 3);
    assert_int_equal(filch_broadcast_receivers(e.tx), 1);
    expect_numbers(e.rx, 0, 2);
    drop(e);
    assert_int_equal(xt_faults_live_blocks(), 0);
    xt_faults_remove();
}

/* --- between several --- */

enum { SENDERS_COUNT = 3, RECEIVERS_COUNT = 3, MESSAGES = 3000 };

struct flow {
    struct world *world;
    struct ends ends;
    uint64_t messages; /* of each sender */
    uint64_t next_sender;
    uint64_t received, missed;
};

static void send_all(void *argument)
{
    struct flow *flow = argument;
    uint64_t me = __atomic_fetch_add(&flow->next_sender, 1, __ATOMIC_RELAXED);
    for (uint64_t i = 0; i < flow->messages; i++) {
        uint64_t message = i * SENDERS_COUNT + me;
        xt_expect_equal(filch_broadcast_send(flow->ends.tx, &message), 0);
        if (i % 64 == 0)
            nap(flow->world);
    }
    filch_broadcast_sender_drop(flow->ends.tx);
}

struct receiving {
    struct flow *flow;
    struct filch_broadcast_receiver *rx;
};

static void receive_all(void *argument)
{
    struct receiving *r = argument;
    uint64_t next[SENDERS_COUNT] = {0}, message, missed, received = 0, missed_in_all = 0;
    for (;;) {
        int error = filch_broadcast_recv(r->rx, &message, &missed);
        if (error == EPIPE)
            break;
        if (error == EOVERFLOW) {
            xt_expect(missed > 0);
            missed_in_all += missed;
            continue;
        }
        xt_expect_equal(error, 0);
        xt_expect(message / SENDERS_COUNT >= next[message % SENDERS_COUNT]); /* in order */
        next[message % SENDERS_COUNT] = message / SENDERS_COUNT + 1;
        received++;
    }
    filch_broadcast_receiver_drop(r->rx);
    xt_expect_equal(received + missed_in_all, SENDERS_COUNT * r->flow->messages);
    __atomic_fetch_add(&r->flow->received, received, __ATOMIC_RELAXED);
    __atomic_fetch_add(&r->flow->missed, missed_in_all, __ATOMIC_RELAXED);
}

static void run_flow(struct flow *flow)
{
    struct receiving receiving[RECEIVERS_COUNT];
    struct job senders[SENDERS_COUNT], receivers[RECEIVERS_COUNT];
    for (int i = 0; i < RECEIVERS_COUNT; i++) {
        receiving[i] = (struct receiving){.flow = flow, .rx = flow->ends.rx};
        if (i > 0)
            xt_expect_equal(filch_broadcast_subscribe(flow->ends.tx, &receiving[i].rx), 0);
        job_start(flow->world, &receivers[i], receive_all, &receiving[i]);
    }
    for (int i = 0; i < SENDERS_COUNT; i++) {
        if (i > 0)
            (void)filch_broadcast_sender_clone(flow->ends.tx);
    }
    for (int i = 0; i < SENDERS_COUNT; i++)
        job_start(flow->world, &senders[i], send_all, flow);
    for (int i = 0; i < SENDERS_COUNT; i++)
        job_join(&senders[i]);
    for (int i = 0; i < RECEIVERS_COUNT; i++)
        job_join(&receivers[i]);
}

static void many_to_many(struct world *world)
{
    static const size_t sizes[] = {1, 16};
    for (size_t k = 0; k < 2; k++) {
        struct flow flow = {
            .world = world, .ends = make(sizes[k]), .messages = xt_scaled(MESSAGES)};
        run_flow(&flow);
    }
    /* In a ring with room for all of them nothing is missed. */
    struct flow flow = {.world = world, .messages = xt_scaled(MESSAGES)};
    flow.ends = make(SENDERS_COUNT * flow.messages);
    run_flow(&flow);
    xt_expect_equal(flow.missed, 0);
    xt_expect_equal(flow.received, RECEIVERS_COUNT * SENDERS_COUNT * flow.messages);
}

xt_define(everything_is_received_in_order_or_reported)
{
    in_all_worlds(many_to_many);
}

/* One that waits, and what it is told. */
struct wait {
    struct ends ends;
    bool has_deadline;
    int error;
    uint64_t value;
    bool has_begun;
};

static void wait_once(void *argument)
{
    struct wait *w = argument;
    __atomic_store_n(&w->has_begun, true, __ATOMIC_RELEASE);
    w->error = w->has_deadline ? filch_broadcast_recv_until(w->ends.rx, &w->value, NULL,
                                                            filch_deadline_in(100 * FILCH_S))
                               : filch_broadcast_recv(w->ends.rx, &w->value, NULL);
}

static void start_waiting(struct world *world, struct job *job, struct wait *w)
{
    job_start(world, job, wait_once, w);
    while (!__atomic_load_n(&w->has_begun, __ATOMIC_ACQUIRE))
        nap(world);
    for (int i = 0; i < 5; i++) /* most likely it waits by now */
        nap(world);
}

static void waiting_ones_are_woken(struct world *world)
{
    for (int k = 0; k < 2; k++) {
        struct wait w[2] = {{.ends = make(2), .has_deadline = k == 1}, {.has_deadline = k == 1}};
        struct job jobs[2];
        w[1].ends.tx = w[0].ends.tx;
        xt_expect_equal(filch_broadcast_subscribe(w[0].ends.tx, &w[1].ends.rx), 0);
        for (int i = 0; i < 2; i++)
            start_waiting(world, &jobs[i], &w[i]);
        xt_expect_equal(filch_broadcast_send(w[0].ends.tx, &(uint64_t){9}), 0);
        for (int i = 0; i < 2; i++) {
            job_join(&jobs[i]);
            xt_expect_equal(w[i].error, 0);
            xt_expect_equal(w[i].value, 9);
            w[i].has_begun = false;
        }
        for (int i = 0; i < 2; i++)
            start_waiting(world, &jobs[i], &w[i]);
        filch_broadcast_sender_drop(w[0].ends.tx);
        for (int i = 0; i < 2; i++) {
            job_join(&jobs[i]);
            xt_expect_equal(w[i].error, EPIPE);
            filch_broadcast_receiver_drop(w[i].ends.rx);
        }
    }
}

xt_define(whoever_waits_is_woken)
{
    in_all_worlds(waiting_ones_are_woken);
}

static void deadlines(struct world *world)
{
    struct ends e = make(1);
    uint64_t x = 1;
    (void)world;
    xt_expect_equal(filch_broadcast_recv_until(e.rx, &x, NULL, INT64_MIN), ETIMEDOUT);
    int64_t deadline = filch_deadline_in(2 * FILCH_MS);
    xt_expect_equal(filch_broadcast_recv_until(e.rx, &x, NULL, deadline), ETIMEDOUT);
    xt_expect(filch_now_ns() >= deadline);
    xt_expect_equal(filch_broadcast_send(e.tx, &x), 0); /* nobody is left in the list */
    xt_expect_equal(filch_broadcast_recv_until(e.rx, &x, NULL, INT64_MIN), 0);
    drop(e);
}

xt_define(deadlines_are_kept)
{
    in_all_worlds(deadlines);
}

static void be_idle(struct world *world)
{
    struct wait w = {.ends = make(1)};
    struct job job;
    start_waiting(world, &job, &w);
    int64_t before_ns = xt_cpu_ns();
    xt_sleep_ns(100 * FILCH_MS);
    xt_expect(xt_cpu_ns() - before_ns < 50 * FILCH_MS); /* one that spins uses all of them */
    xt_expect_equal(filch_broadcast_send(w.ends.tx, &(uint64_t){1}), 0);
    job_join(&job);
    drop(w.ends);
}

xt_define(waiting_costs_no_cpu_time)
{
    in_all_worlds(be_idle);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        xt_test(bad_arguments_are_refused),
        xt_test(each_receiver_receives_each_message),
        xt_test(late_receivers_begin_with_the_next_message),
        xt_test(slow_receivers_are_told_what_they_have_missed),
        xt_test(kept_messages_survive_the_senders),
        xt_test(without_receivers_nothing_is_sent),
        xt_test(messages_are_dropped_once),
        xt_test(messages_of_any_size),
        xt_test(without_memory_nothing_is_changed),
        xt_test(everything_is_received_in_order_or_reported),
        xt_test(whoever_waits_is_woken),
        xt_test(deadlines_are_kept),
        xt_test(waiting_costs_no_cpu_time),
    };
    return xt_run(tests);
}
