/* SPDX-License-Identifier: Apache-2.0 */
/* Watches: between threads, between tasks, and mixed. */
#include "worlds.h"

#include "boxes.h"

#include <string.h>

struct ends {
    struct filch_watch_sender *tx;
    struct filch_watch_receiver *rx;
};

static struct ends make(uint64_t initial)
{
    struct ends ends = {NULL, NULL};
    if (filch_watch_create(&ends.tx, &ends.rx, sizeof initial, &initial) != 0)
        abort();
    return ends;
}

static void drop(struct ends ends)
{
    filch_watch_sender_drop(ends.tx);
    filch_watch_receiver_drop(ends.rx);
}

static struct ends make_of_boxes(uint64_t initial)
{
    struct ends ends = {NULL, NULL};
    struct filch_watch_config config = {
        .element_size = sizeof(uint64_t *), .clone = box_clone, .drop = box_drop};
    boxes = 0;
    uint64_t *box = box_new(initial);
    if (filch_watch_create_with(&ends.tx, &ends.rx, &config, &box) != 0)
        abort();
    return ends;
}

static void send_box(struct filch_watch_sender *tx, uint64_t content)
{
    uint64_t *box = box_new(content);
    if (filch_watch_send(tx, &box) != 0)
        box_drop(&box);
}

static uint64_t get(struct filch_watch_receiver *rx)
{
    uint64_t x = 0;
    xt_expect_equal(filch_watch_get(rx, &x), 0);
    return x;
}

/* --- on one thread --- */

static int add_one(void *value, void *ctx)
{
    (void)ctx;
    ++*(uint64_t *)value;
    return 1;
}

xt_define(bad_arguments_are_refused)
{
    struct filch_watch_sender *tx = (void *)&tx, *kept_tx = tx;
    struct filch_watch_receiver *rx = (void *)&rx, *kept_rx = rx;
    struct filch_watch_config config = {.element_size = 8, .drop = box_drop};
    uint64_t x = 5;
    assert_int_equal(filch_watch_create(NULL, &rx, 8, &x), EINVAL);
    assert_int_equal(filch_watch_create(&tx, NULL, 8, &x), EINVAL);
    assert_int_equal(filch_watch_create(&tx, &rx, 8, NULL), EINVAL);
    assert_int_equal(filch_watch_create(&tx, &rx, 65537, &x), EINVAL);
    assert_int_equal(filch_watch_create_with(&tx, &rx, NULL, &x), EINVAL);
    assert_int_equal(filch_watch_create_with(&tx, &rx, &config, &x), EINVAL);
    assert_ptr_equal(tx, kept_tx);
    assert_ptr_equal(rx, kept_rx);
    assert_int_equal(filch_watch_send(NULL, &x), EINVAL);
    assert_int_equal(filch_watch_replace(NULL, &x), EINVAL);
    assert_int_equal(filch_watch_modify(NULL, add_one, NULL), EINVAL);
    assert_int_equal(filch_watch_closed(NULL), EINVAL);
    assert_int_equal(filch_watch_closed_until(NULL, 0), EINVAL);
    assert_int_equal(filch_watch_subscribe(NULL, &rx), EINVAL);
    assert_int_equal(filch_watch_receiver_clone(NULL, &rx), EINVAL);
    assert_int_equal(filch_watch_changed(NULL), EINVAL);
    assert_int_equal(filch_watch_try_changed(NULL), EINVAL);
    assert_int_equal(filch_watch_changed_until(NULL, 0), EINVAL);
    assert_int_equal(filch_watch_recv(NULL, &x), EINVAL);
    assert_int_equal(filch_watch_try_recv(NULL, &x), EINVAL);
    assert_int_equal(filch_watch_recv_until(NULL, &x, 0), EINVAL);
    assert_int_equal(filch_watch_get(NULL, &x), EINVAL);
    assert_null(filch_watch_borrow(NULL));
    filch_watch_give_back(NULL, &x);
    assert_null(filch_watch_sender_clone(NULL));
    filch_watch_sender_drop(NULL);
    filch_watch_receiver_drop(NULL);
    assert_int_equal(filch_watch_receivers(NULL), 0);
    assert_int_equal(filch_watch_is_disconnected(NULL), 0);
    struct ends e = make(5);
    assert_int_equal(filch_watch_send(e.tx, NULL), EINVAL);
    assert_int_equal(filch_watch_modify(e.tx, NULL, NULL), EINVAL);
    assert_int_equal(filch_watch_subscribe(e.tx, NULL), EINVAL);
    assert_int_equal(filch_watch_receiver_clone(e.rx, NULL), EINVAL);
    assert_int_equal(filch_watch_try_recv(e.rx, NULL), EINVAL);
    assert_int_equal(filch_watch_get(e.rx, NULL), EINVAL);
    filch_watch_give_back(e.rx, NULL);
    drop(e);
}

xt_define(the_first_value_counts_as_seen)
{
    struct ends e = make(7);
    uint64_t x = 1;
    assert_int_equal(filch_watch_try_changed(e.rx), EAGAIN);
    assert_int_equal(filch_watch_try_recv(e.rx, &x), EAGAIN);
    assert_int_equal(filch_watch_changed_until(e.rx, 0), ETIMEDOUT);
    assert_int_equal(filch_watch_recv_until(e.rx, &x, INT64_MIN), ETIMEDOUT);
    assert_int_equal(x, 1); /* written only on success */
    assert_int_equal(get(e.rx), 7);
    drop(e);
}

xt_define(a_receiver_sees_the_newest)
{
    struct ends e = make(0);
    uint64_t x = 0;
    for (uint64_t i = 1; i <= 3; i++)
        assert_int_equal(filch_watch_send(e.tx, &i), 0);
    assert_int_equal(filch_watch_recv(e.rx, &x), 0);
    assert_int_equal(x, 3);
    assert_int_equal(filch_watch_try_recv(e.rx, &x), EAGAIN);
    assert_int_equal(filch_watch_send(e.tx, &(uint64_t){4}), 0);
    assert_int_equal(filch_watch_changed(e.rx), 0);
    assert_int_equal(filch_watch_try_changed(e.rx), EAGAIN);
    assert_int_equal(get(e.rx), 4);
    assert_int_equal(filch_watch_send(e.tx, &(uint64_t){4}), 0); /* equal, but newer */
    assert_int_equal(filch_watch_try_changed(e.rx), 0);
    assert_int_equal(filch_watch_send(e.tx, &(uint64_t){5}), 0);
    assert_int_equal(get(e.rx), 5);
    assert_int_equal(filch_watch_try_changed(e.rx), EAGAIN); /* a get counts */
    assert_int_equal(filch_watch_send(e.tx, &(uint64_t){6}), 0);
    const uint64_t *borrowed = filch_watch_borrow(e.rx);
    assert_int_equal(*borrowed, 6);
    filch_watch_give_back(e.rx, borrowed);
    assert_int_equal(filch_watch_try_changed(e.rx), 0); /* a borrow does not */
    drop(e);
}

xt_define(receivers_see_by_themselves)
{
    struct ends e = make(0);
    struct filch_watch_receiver *clone, *later;
    uint64_t x;
    assert_int_equal(filch_watch_receivers(e.tx), 1);
    assert_int_equal(filch_watch_send(e.tx, &(uint64_t){1}), 0);
    assert_int_equal(filch_watch_receiver_clone(e.rx, &clone), 0);
    assert_int_equal(filch_watch_subscribe(e.tx, &later), 0);
    assert_int_equal(filch_watch_receivers(e.tx), 3);
    assert_int_equal(filch_watch_try_changed(later), EAGAIN); /* begins with what is there */
    assert_int_equal(get(later), 1);
    assert_int_equal(filch_watch_try_recv(clone, &x), 0); /* has not seen more than the first */
    assert_int_equal(filch_watch_try_recv(e.rx, &x), 0);
    assert_int_equal(filch_watch_try_recv(clone, &x), EAGAIN);
    filch_watch_receiver_drop(clone);
    filch_watch_receiver_drop(later);
    assert_int_equal(filch_watch_receivers(e.tx), 1);
    drop(e);
}

xt_define(the_last_value_survives_the_senders)
{
    struct ends e = make(0);
    struct filch_watch_sender *other = filch_watch_sender_clone(e.tx);
    uint64_t x = 0;
    assert_int_equal(filch_watch_send(e.tx, &(uint64_t){1}), 0);
    filch_watch_sender_drop(e.tx);
    assert_int_equal(filch_watch_is_disconnected(e.rx), 0);
    assert_int_equal(filch_watch_send(other, &(uint64_t){2}), 0);
    filch_watch_sender_drop(other);
    assert_int_equal(filch_watch_is_disconnected(e.rx), 1);
    assert_int_equal(filch_watch_recv(e.rx, &x), 0);
    assert_int_equal(x, 2);
    assert_int_equal(filch_watch_recv(e.rx, &x), EPIPE);
    assert_int_equal(filch_watch_try_recv(e.rx, &x), EPIPE);
    assert_int_equal(filch_watch_changed(e.rx), EPIPE);
    assert_int_equal(filch_watch_try_changed(e.rx), EPIPE);
    assert_int_equal(filch_watch_changed_until(e.rx, FILCH_FOREVER), EPIPE);
    assert_int_equal(get(e.rx), 2);
    filch_watch_receiver_drop(e.rx);
}

xt_define(senders_know_that_the_receivers_have_gone)
{
    struct ends e = make_of_boxes(0);
    struct filch_watch_receiver *rx;
    uint64_t *box = box_new(1);
    assert_int_equal(filch_watch_closed_until(e.tx, 0), ETIMEDOUT);
    filch_watch_receiver_drop(e.rx);
    assert_int_equal(filch_watch_closed(e.tx), 0);
    assert_int_equal(filch_watch_closed_until(e.tx, 0), 0);
    assert_int_equal(filch_watch_receivers(e.tx), 0);
    assert_int_equal(filch_watch_send(e.tx, &box), EPIPE);
    assert_int_equal(*box, 1); /* still ours */
    assert_int_equal(boxes, 2);
    assert_int_equal(filch_watch_replace(e.tx, &box), 0);
    assert_int_equal(boxes, 1); /* the first one was dropped */
    assert_int_equal(filch_watch_subscribe(e.tx, &rx), 0);
    assert_int_equal(filch_watch_closed_until(e.tx, 0), ETIMEDOUT);
    assert_int_equal(filch_watch_get(rx, &box), 0);
    assert_int_equal(*box, 1);
    box_drop(&box);
    filch_watch_receiver_drop(rx);
    filch_watch_sender_drop(e.tx);
    assert_int_equal(boxes, 0);
}

static int fill(void *value, void *ctx)
{
    **(uint64_t **)value = *(uint64_t *)ctx;
    return *(uint64_t *)ctx != 0;
}

xt_define(modify_changes_or_does_not)
{
    struct ends e = make_of_boxes(1);
    uint64_t *box;
    assert_int_equal(filch_watch_modify(e.tx, fill, &(uint64_t){0}), EAGAIN);
    assert_int_equal(filch_watch_try_changed(e.rx), EAGAIN);
    assert_int_equal(boxes, 1); /* the copy was dropped */
    const uint64_t *const *borrowed = filch_watch_borrow(e.rx);
    assert_int_equal(filch_watch_modify(e.tx, fill, &(uint64_t){2}), 0);
    assert_int_equal(**borrowed, 1);
    filch_watch_give_back(e.rx, borrowed);
    assert_int_equal(boxes, 1);
    assert_int_equal(filch_watch_try_recv(e.rx, &box), 0);
    assert_int_equal(*box, 2);
    box_drop(&box);
    filch_watch_receiver_drop(e.rx);
    assert_int_equal(filch_watch_modify(e.tx, fill, &(uint64_t){3}), 0); /* needs no receivers */
    filch_watch_sender_drop(e.tx);
    assert_int_equal(boxes, 0);
}

xt_define(a_borrowed_value_stays)
{
    struct ends e = make_of_boxes(1);
    const uint64_t *const *first = filch_watch_borrow(e.rx);
    const uint64_t *const *again = filch_watch_borrow(e.rx);
    assert_ptr_equal(first, again);
    send_box(e.tx, 2);
    const uint64_t *const *second = filch_watch_borrow(e.rx);
    send_box(e.tx, 3);
    assert_int_equal(boxes, 3);
    assert_int_equal(**first, 1);
    assert_int_equal(**second, 2);
    filch_watch_give_back(e.rx, first);
    assert_int_equal(boxes, 3);
    filch_watch_give_back(e.rx, again);
    assert_int_equal(boxes, 2); /* dropped when nobody looks at it any more */
    filch_watch_give_back(e.rx, second);
    assert_int_equal(boxes, 1);
    drop(e);
    assert_int_equal(boxes, 0);
}

xt_define(values_of_any_size)
{
    static const size_t sizes[] = {0, 1, 3, 8, 24, 64, 192, 4096, 65536};
    static unsigned char out[65536], in[65536 + 1];
    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
        struct ends e;
        memset(out, 1, sizeof out);
        assert_int_equal(filch_watch_create(&e.tx, &e.rx, sizes[s], out), 0);
        for (int i = 2; i < 5; i++) {
            memset(out, i, sizeof out);
            memset(in, 0xEE, sizeof in);
            assert_int_equal(filch_watch_send(e.tx, out), 0);
            const void *borrowed = filch_watch_borrow(e.rx);
            assert_true(sizes[s] % 64 != 0 || (uintptr_t)borrowed % (sizes[s] ? 64 : 8) == 0);
            filch_watch_give_back(e.rx, borrowed);
            assert_int_equal(filch_watch_recv(e.rx, in), 0);
            assert_memory_equal(in, out, sizes[s]);
            assert_int_equal(in[sizes[s]], 0xEE);
        }
        drop(e);
    }
    struct ends e;
    assert_int_equal(filch_watch_create(&e.tx, &e.rx, 0, NULL), 0);
    assert_int_equal(filch_watch_send(e.tx, NULL), 0);
    assert_int_equal(filch_watch_recv(e.rx, NULL), 0);
    drop(e);
}

xt_define(without_memory_nothing_is_changed)
{
    struct filch_watch_config config = {
        .element_size = sizeof(uint64_t *), .clone = box_clone, .drop = box_drop};
    boxes = 0;
    xt_faults_install();
    for (uint64_t k = 1; k <= 3; k++) {
        struct ends e = {NULL, NULL};
        uint64_t *box = box_new(1);
        xt_faults_arm(XT_ALLOC, k, XT_FAULT_ONCE);
        assert_int_equal(filch_watch_create_with(&e.tx, &e.rx, &config, &box), ENOMEM);
        assert_int_equal(xt_faults_disarm(), 1);
        assert_null(e.tx);
        assert_null(e.rx);
        box_drop(&box);
    }
    assert_int_equal(xt_faults_live_blocks(), 0);
    struct ends e;
    struct filch_watch_receiver *another = NULL;
    uint64_t *box = box_new(1);
    assert_int_equal(filch_watch_create_with(&e.tx, &e.rx, &config, &box), 0);
    box = box_new(2);
    xt_faults_arm(XT_ALLOC, 1, XT_FAULT_ONWARD);
    assert_int_equal(filch_watch_send(e.tx, &box), ENOMEM);
    assert_int_equal(filch_watch_replace(e.tx, &box), ENOMEM);
    assert_int_equal(filch_watch_modify(e.tx, fill, &(uint64_t){3}), ENOMEM);
    assert_int_equal(filch_watch_subscribe(e.tx, &another), ENOMEM);
    assert_int_equal(filch_watch_receiver_clone(e.rx, &another), ENOMEM);
    assert_null(another);
    assert_int_equal(xt_faults_disarm(), 5);
    assert_int_equal(filch_watch_try_changed(e.rx), EAGAIN);
    assert_int_equal(filch_watch_receivers(e.tx), 1);
    box_drop(&box);
    drop(e);
    assert_int_equal(boxes, 0);
    assert_int_equal(xt_faults_live_blocks(), 0);
    xt_faults_remove();
}

/* --- between several --- */

enum { SENDERS_COUNT = 3, RECEIVERS_COUNT = 3, VALUES = 2000 };

struct flow {
    struct world *world;
    struct ends ends;
    uint64_t last; /* of what each sender sends */
    uint64_t received;
};

static void send_up_to_last(void *argument)
{
    struct flow *flow = argument;
    for (uint64_t i = 1; i <= flow->last; i++)
        xt_expect_equal(filch_watch_send(flow->ends.tx, &i), 0);
    filch_watch_sender_drop(flow->ends.tx);
}

static void receive_until_the_end(void *argument)
{
    struct flow *flow = argument;
    struct filch_watch_receiver *rx = NULL;
    uint64_t x = 0, before = 0;
    int error;
    xt_expect_equal(filch_watch_receiver_clone(flow->ends.rx, &rx), 0);
    while ((error = filch_watch_recv(rx, &x)) == 0) {
        xt_expect(x > before);
        before = x;
        __atomic_fetch_add(&flow->received, 1, __ATOMIC_RELAXED);
    }
    xt_expect_equal(error, EPIPE);
    xt_expect_equal(before, flow->last); /* the last one is never missed */
    filch_watch_receiver_drop(rx);
}

static void values_grow(struct world *world)
{
    struct flow flow = {.world = world, .ends = make(0), .last = xt_scaled(VALUES)};
    struct job sender, receivers[RECEIVERS_COUNT];
    for (int i = 0; i < RECEIVERS_COUNT; i++)
        job_start(world, &receivers[i], receive_until_the_end, &flow);
    nap(world);
    job_start(world, &sender, send_up_to_last, &flow);
    job_join(&sender);
    for (int i = 0; i < RECEIVERS_COUNT; i++)
        job_join(&receivers[i]);
    xt_expect(flow.received >= RECEIVERS_COUNT);
    filch_watch_receiver_drop(flow.ends.rx);
}

xt_define(receivers_see_newer_values_and_the_last)
{
    in_all_worlds(values_grow);
}

static void count_up(void *argument)
{
    struct flow *flow = argument;
    for (uint64_t i = 0; i < flow->last; i++)
        xt_expect_equal(filch_watch_modify(flow->ends.tx, add_one, NULL), 0);
}

static void counting(struct world *world)
{
    struct flow flow = {.world = world, .ends = make(0), .last = xt_scaled(VALUES)};
    struct job senders[SENDERS_COUNT];
    for (int i = 0; i < SENDERS_COUNT; i++)
        job_start(world, &senders[i], count_up, &flow);
    for (int i = 0; i < SENDERS_COUNT; i++)
        job_join(&senders[i]);
    xt_expect_equal(get(flow.ends.rx), SENDERS_COUNT * flow.last);
    drop(flow.ends);
}

xt_define(no_modification_is_lost)
{
    in_all_worlds(counting);
}

/* One that waits, and what it is told. */
struct wait {
    struct ends ends;
    int (*call)(struct wait *);
    int error;
    uint64_t value;
    bool has_begun;
};

static int call_changed(struct wait *w)
{
    return filch_watch_changed(w->ends.rx);
}

static int call_recv(struct wait *w)
{
    return filch_watch_recv(w->ends.rx, &w->value);
}

static int call_recv_until(struct wait *w)
{
    return filch_watch_recv_until(w->ends.rx, &w->value, filch_deadline_in(100 * FILCH_S));
}

static int call_closed(struct wait *w)
{
    return filch_watch_closed_until(w->ends.tx, filch_deadline_in(100 * FILCH_S));
}

static void wait_once(void *argument)
{
    struct wait *w = argument;
    __atomic_store_n(&w->has_begun, true, __ATOMIC_RELEASE);
    w->error = w->call(w);
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
    static int (*const calls[])(struct wait *) = {call_changed, call_recv, call_recv_until};
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
        struct wait w = {.ends = make(0), .call = calls[i]};
        struct job job;
        start_waiting(world, &job, &w);
        xt_expect_equal(filch_watch_send(w.ends.tx, &(uint64_t){9}), 0);
        job_join(&job);
        xt_expect_equal(w.error, 0);
        xt_expect_equal(calls[i] == call_changed ? 9 : w.value, 9);
        w.has_begun = false;
        start_waiting(world, &job, &w);
        filch_watch_sender_drop(w.ends.tx);
        job_join(&job);
        xt_expect_equal(w.error, EPIPE);
        filch_watch_receiver_drop(w.ends.rx);
    }
    struct wait w = {.ends = make(0), .call = call_closed};
    struct job job;
    start_waiting(world, &job, &w);
    filch_watch_receiver_drop(w.ends.rx);
    job_join(&job);
    xt_expect_equal(w.error, 0);
    filch_watch_sender_drop(w.ends.tx);
}

xt_define(whoever_waits_is_woken)
{
    in_all_worlds(waiting_ones_are_woken);
}

static void deadlines(struct world *world)
{
    struct ends e = make(0);
    uint64_t x = 1;
    (void)world;
    int64_t deadline = filch_deadline_in(2 * FILCH_MS);
    xt_expect_equal(filch_watch_recv_until(e.rx, &x, deadline), ETIMEDOUT);
    xt_expect(filch_now_ns() >= deadline);
    deadline = filch_deadline_in(2 * FILCH_MS);
    xt_expect_equal(filch_watch_changed_until(e.rx, deadline), ETIMEDOUT);
    xt_expect(filch_now_ns() >= deadline);
    deadline = filch_deadline_in(2 * FILCH_MS);
    xt_expect_equal(filch_watch_closed_until(e.tx, deadline), ETIMEDOUT);
    xt_expect(filch_now_ns() >= deadline);
    xt_expect_equal(filch_watch_send(e.tx, &x), 0); /* nobody is left in the lists */
    drop(e);
}

xt_define(deadlines_are_kept)
{
    in_all_worlds(deadlines);
}

static void be_idle(struct world *world)
{
    struct wait waits[2] = {{.ends = make(0), .call = call_recv}, {.call = call_closed}};
    struct job jobs[2];
    waits[1].ends = waits[0].ends;
    start_waiting(world, &jobs[0], &waits[0]);
    start_waiting(world, &jobs[1], &waits[1]);
    int64_t before_ns = xt_cpu_ns();
    xt_sleep_ns(100 * FILCH_MS);
    xt_expect(xt_cpu_ns() - before_ns < 50 * FILCH_MS); /* one that spins uses all of them */
    xt_expect_equal(filch_watch_send(waits[0].ends.tx, &(uint64_t){1}), 0);
    job_join(&jobs[0]);
    filch_watch_receiver_drop(waits[0].ends.rx);
    job_join(&jobs[1]);
    xt_expect_equal(waits[0].error, 0);
    xt_expect_equal(waits[1].error, 0);
    filch_watch_sender_drop(waits[0].ends.tx);
}

xt_define(waiting_costs_no_cpu_time)
{
    in_all_worlds(be_idle);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        xt_test(bad_arguments_are_refused),
        xt_test(the_first_value_counts_as_seen),
        xt_test(a_receiver_sees_the_newest),
        xt_test(receivers_see_by_themselves),
        xt_test(the_last_value_survives_the_senders),
        xt_test(senders_know_that_the_receivers_have_gone),
        xt_test(modify_changes_or_does_not),
        xt_test(a_borrowed_value_stays),
        xt_test(values_of_any_size),
        xt_test(without_memory_nothing_is_changed),
        xt_test(receivers_see_newer_values_and_the_last),
        xt_test(no_modification_is_lost),
        xt_test(whoever_waits_is_woken),
        xt_test(deadlines_are_kept),
        xt_test(waiting_costs_no_cpu_time),
    };
    return xt_run(tests);
}
