/* SPDX-License-Identifier: Apache-2.0 */
/* Select over sends and receives of every flavour, between threads, between tasks, and mixed. */
#include "worlds.h"

#include <string.h>

enum { MANY = 20 }; /* cases; more than have room in a frame */

struct ends {
    struct filch_sender *tx;
    struct filch_receiver *rx;
};

static struct ends make(size_t capacity)
{
    struct ends ends = {NULL, NULL};
    if (filch_channel_create(&ends.tx, &ends.rx, sizeof(uint64_t), capacity) != 0)
        abort();
    return ends;
}

static void drop(struct ends ends)
{
    filch_sender_drop(ends.tx);
    filch_receiver_drop(ends.rx);
}

static uint32_t waiting(struct filch_sender *tx, enum side side)
{
    return filch__waits_word(&filch__sender_channel(tx)->waits, side);
}

/* --- on one thread --- */

xt_define(bad_arguments_are_refused)
{
    struct ends e = make(1);
    uint64_t x = 0;
    size_t index = 77;
    struct filch_select_case good = {.rx = e.rx, .value = &x};
    struct filch_select_case both = {.tx = e.tx, .rx = e.rx, .value = &x};
    struct filch_select_case no_value = {.rx = e.rx};
    assert_int_equal(filch_select(&good, 1, 0, NULL), EINVAL);
    assert_int_equal(filch_select(NULL, 1, 0, &index), EINVAL);
    assert_int_equal(filch_select(&both, 1, 0, &index), EINVAL);
    assert_int_equal(filch_select(&no_value, 1, 0, &index), EINVAL);
    assert_int_equal(filch_select(&good, SIZE_MAX, 0, &index), EINVAL);
    assert_int_equal(filch_try_select(&both, 1, &index), EINVAL);
    assert_int_equal(filch_select_in_order(&no_value, 1, 0, &index), EINVAL);
    assert_int_equal(filch_try_select_in_order(&good, 1, NULL), EINVAL);
    assert_int_equal(filch_select_ready(&both, 1, 0, &index), EINVAL);
    assert_int_equal(filch_try_select_ready(NULL, 1, &index), EINVAL);
    struct filch_receiver *rx = (void *)&rx, *kept = rx;
    assert_int_equal(filch_after(NULL, 0), EINVAL);
    assert_int_equal(filch_at(NULL, 0), EINVAL);
    assert_int_equal(filch_tick(NULL, 1), EINVAL);
    assert_int_equal(filch_tick(&rx, 0), EINVAL);
    assert_int_equal(filch_tick(&rx, -1), EINVAL);
    assert_int_equal(filch_never(NULL), EINVAL);
    assert_ptr_equal(rx, kept);
    assert_int_equal(index, 77);
    drop(e);
}

xt_define(nothing_ready)
{
    struct ends empty = make(4), full = make(1), meeting = make(0);
    uint64_t x = 5;
    size_t index = 77;
    assert_int_equal(filch_send(full.tx, &x), 0);
    struct filch_select_case cases[] = {
        {.rx = empty.rx, .value = &x},
        {.tx = full.tx, .value = &x},
        {.rx = meeting.rx, .value = &x},
        {.tx = meeting.tx, .value = &x},
        {.value = &x},
    };
    assert_int_equal(filch_try_select(cases, 5, &index), EAGAIN);
    assert_int_equal(filch_try_select_in_order(cases, 5, &index), EAGAIN);
    assert_int_equal(filch_try_select_ready(cases, 5, &index), EAGAIN);
    assert_int_equal(filch_try_select(NULL, 0, &index), EAGAIN);
    int64_t deadline = filch_deadline_in(2 * FILCH_MS);
    assert_int_equal(filch_select(cases, 5, deadline, &index), ETIMEDOUT);
    assert_true(filch_now_ns() >= deadline);
    assert_int_equal(filch_select_in_order(cases, 5, 0, &index), ETIMEDOUT);
    assert_int_equal(filch_select_ready(cases, 5, 0, &index), ETIMEDOUT);
    assert_int_equal(filch_select(NULL, 0, 0, &index), ETIMEDOUT);
    assert_int_equal(index, 77);
    assert_int_equal(waiting(empty.tx, RECEIVERS) + waiting(full.tx, SENDERS), 0);
    assert_int_equal(waiting(meeting.tx, RECEIVERS) + waiting(meeting.tx, SENDERS), 0);
    drop(empty);
    drop(full);
    drop(meeting);
}

xt_define(the_one_that_is_ready)
{
    struct ends e[MANY];
    struct filch_select_case cases[MANY];
    uint64_t values[MANY];
    for (size_t i = 0; i < MANY; i++) {
        e[i] = make(1);
        cases[i] = (struct filch_select_case){.rx = e[i].rx, .value = &values[i]};
    }
    for (size_t count = 1; count <= MANY; count++) {
        for (size_t i = 0; i < count; i++) {
            size_t index = 77;
            values[i] = 0;
            assert_int_equal(filch_send(e[i].tx, &(uint64_t){i + 1}), 0);
            assert_int_equal(filch_select_ready(cases, count, FILCH_FOREVER, &index), 0);
            assert_int_equal(index, i);
            assert_int_equal(values[i], 0);
            index = 77;
            cases[i].error = 99;
            int error = count % 2 == 0 ? filch_select(cases, count, FILCH_FOREVER, &index)
                                       : filch_try_select(cases, count, &index);
            assert_int_equal(error, 0);
            assert_int_equal(index, i);
            assert_int_equal(cases[i].error, 0);
            assert_int_equal(values[i], i + 1);
        }
    }
    for (size_t i = 0; i < MANY; i++)
        drop(e[i]);
}

xt_define(an_end_that_has_gone_is_ready)
{
    for (size_t k = 0; k < CAPACITIES; k++) {
        struct ends gone = make(capacities[k]), there = make(1);
        uint64_t x = 5;
        size_t index = 77;
        filch_sender_drop(gone.tx);
        struct filch_select_case cases[] = {{.rx = there.rx, .value = &x},
                                            {.rx = gone.rx, .value = &x}};
        assert_int_equal(filch_select(cases, 2, FILCH_FOREVER, &index), 0);
        assert_int_equal(index, 1);
        assert_int_equal(cases[1].error, EPIPE);
        assert_int_equal(filch_select_ready(cases, 2, FILCH_FOREVER, &index), 0);
        assert_int_equal(index, 1);
        filch_receiver_drop(gone.rx);

        gone = make(capacities[k]);
        filch_receiver_drop(gone.rx);
        cases[1] = (struct filch_select_case){.tx = gone.tx, .value = &x};
        assert_int_equal(filch_select(cases, 2, FILCH_FOREVER, &index), 0);
        assert_int_equal(index, 1);
        assert_int_equal(cases[1].error, EPIPE);
        filch_sender_drop(gone.tx);
        drop(there);
    }
}

xt_define(fair_unless_the_order_is_asked_for)
{
    enum { COUNT = 4, ROUNDS = 4000 };
    struct ends e[COUNT];
    struct filch_select_case cases[COUNT];
    uint64_t x = 0;
    size_t index;
    for (size_t i = 0; i < COUNT; i++) {
        e[i] = make(1);
        cases[i] = (struct filch_select_case){.rx = e[i].rx, .value = &x};
    }
    for (unsigned ready = 1; ready < 1u << COUNT; ready++) {
        unsigned chosen[COUNT] = {0};
        for (unsigned round = 0; round < ROUNDS; round++) {
            for (size_t i = 0; i < COUNT; i++) {
                if ((ready >> i & 1) != 0)
                    (void)!filch_try_send(e[i].tx, &x);
            }
            assert_int_equal(filch_try_select_in_order(cases, COUNT, &index), 0);
            assert_int_equal(index, __builtin_ctz(ready));
            (void)!filch_try_send(e[index].tx, &x);
            assert_int_equal(filch_try_select(cases, COUNT, &index), 0);
            assert_true((ready >> index & 1) != 0);
            chosen[index]++;
        }
        for (size_t i = 0; i < COUNT; i++) {
            if ((ready >> i & 1) != 0)
                assert_true(chosen[i] > ROUNDS / COUNT - ROUNDS / 12);
            while (filch_try_recv(e[i].rx, &x) == 0) {
            }
        }
    }
    for (size_t i = 0; i < COUNT; i++)
        drop(e[i]);
}

xt_define(both_ends_of_one_channel)
{
    for (size_t k = 1; k < CAPACITIES; k++) {
        struct ends e = make(capacities[k]);
        uint64_t out = 0, in = 99;
        size_t index;
        uint64_t sent = 0, received = 0;
        for (int i = 0; i < 1000; i++) {
            struct filch_select_case cases[] = {{.tx = e.tx, .value = &out},
                                                {.rx = e.rx, .value = &in},
                                                {.rx = e.rx, .value = &in},
                                                {.tx = e.tx, .value = &out}};
            out = sent;
            assert_int_equal(filch_select(cases, 4, FILCH_FOREVER, &index), 0);
            if (index == 0 || index == 3)
                sent++;
            else
                assert_int_equal(in, received++);
        }
        assert_int_equal(filch_receiver_len(e.rx), sent - received);
        drop(e);
    }
    /* A hand-over needs two. */
    struct ends e = make(0);
    uint64_t x = 0;
    size_t index = 77;
    struct filch_select_case cases[] = {{.tx = e.tx, .value = &x}, {.rx = e.rx, .value = &x}};
    assert_int_equal(filch_select(cases, 2, filch_deadline_in(FILCH_MS), &index), ETIMEDOUT);
    assert_int_equal(filch_select_ready(cases, 2, filch_deadline_in(FILCH_MS), &index), ETIMEDOUT);
    drop(e);
}

xt_define(moments)
{
    struct filch_receiver *after, *at, *tick, *never, *past;
    int64_t begin = filch_now_ns(), moment = 0;
    size_t index;
    assert_int_equal(filch_after(&after, 3 * FILCH_MS), 0);
    assert_int_equal(filch_at(&at, begin + 2 * FILCH_MS), 0);
    assert_int_equal(filch_tick(&tick, FILCH_MS), 0);
    assert_int_equal(filch_never(&never), 0);
    assert_int_equal(filch_after(&past, -5), 0);
    assert_int_equal(filch_receiver_capacity(after), 1);
    assert_int_equal(filch_receiver_len(after), 0);
    assert_int_equal(filch_receiver_len(past), 1);
    assert_int_equal(filch_receiver_is_disconnected(never), 0);
    assert_int_equal(filch_recv(past, &moment), 0);
    assert_true(moment >= begin && moment <= filch_now_ns());
    assert_int_equal(filch_try_recv(past, &moment), EAGAIN); /* it comes once */
    assert_int_equal(filch_try_recv(never, &moment), EAGAIN);
    struct filch_receiver *clone = filch_receiver_clone(at);
    assert_int_equal(filch_recv(at, &moment), 0);
    assert_int_equal(moment, begin + 2 * FILCH_MS);
    assert_true(filch_now_ns() >= moment);
    assert_int_equal(filch_recv_until(clone, &moment, filch_deadline_in(FILCH_MS)), ETIMEDOUT);
    filch_receiver_drop(clone);
    unsigned ticks = 0;
    for (;;) {
        struct filch_select_case cases[] = {{.rx = after, .value = &moment},
                                            {.rx = tick, .value = &moment},
                                            {.rx = never, .value = &moment}};
        assert_int_equal(filch_select(cases, 3, FILCH_FOREVER, &index), 0);
        if (index == 0)
            break;
        assert_int_equal(index, 1);
        ticks++;
    }
    assert_true(ticks <= 1000);
    /* Ticks that nobody received do not pile up. */
    xt_sleep_ns(5 * FILCH_MS);
    assert_int_equal(filch_recv(tick, &moment), 0);
    int64_t first = filch_now_ns();
    assert_int_equal(filch_recv(tick, &moment), 0);
    assert_true(moment >= first);
    struct filch_receiver *far_after, *far_at, *far_tick;
    assert_int_equal(filch_after(&far_after, INT64_MAX), 0);
    assert_int_equal(filch_at(&far_at, INT64_MAX - 1), 0);
    assert_int_equal(filch_tick(&far_tick, INT64_MAX), 0);
    struct filch_select_case far[] = {{.rx = far_after, .value = &moment},
                                      {.rx = far_at, .value = &moment},
                                      {.rx = far_tick, .value = &moment}};
    assert_int_equal(filch_select(far, 3, filch_deadline_in(FILCH_MS), &index), ETIMEDOUT);
    struct filch_receiver *all[] = {after, at, tick, never, past, far_after, far_at, far_tick};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        filch_receiver_drop(all[i]);
}

/* --- between several --- */

enum { CHANNELS = 4, PARTIES = 4 };

/* Every message of every sender arrives once, whatever selects and plain operations meet. */
struct mesh {
    struct ends ends[CHANNELS];
    uint64_t messages;
    uint64_t next;
    uint64_t sent, received;
    uint64_t seed;
};

static void send_anywhere(void *argument)
{
    struct mesh *mesh = argument;
    uint64_t random = mesh->seed + __atomic_add_fetch(&mesh->next, 1, __ATOMIC_RELAXED);
    for (uint64_t i = 0; i < mesh->messages; i++) {
        uint64_t value = xt_random(&random) % 1000;
        if (xt_random(&random) % 2 == 0) {
            size_t to = xt_random(&random) % CHANNELS;
            xt_expect_equal(filch_send(mesh->ends[to].tx, &value), 0);
        } else {
            struct filch_select_case cases[CHANNELS];
            size_t index;
            for (size_t k = 0; k < CHANNELS; k++)
                cases[k] = (struct filch_select_case){.tx = mesh->ends[k].tx, .value = &value};
            xt_expect_equal(filch_select(cases, CHANNELS, FILCH_FOREVER, &index), 0);
            xt_expect_equal(cases[index].error, 0);
        }
        __atomic_fetch_add(&mesh->sent, value + 1, __ATOMIC_RELAXED);
    }
    for (size_t k = 0; k < CHANNELS; k++)
        filch_sender_drop(mesh->ends[k].tx);
}

static void receive_anywhere(void *argument)
{
    struct mesh *mesh = argument;
    struct filch_select_case cases[CHANNELS];
    uint64_t values[CHANNELS];
    size_t open = CHANNELS;
    uint64_t sum = 0;
    for (size_t k = 0; k < CHANNELS; k++)
        cases[k] = (struct filch_select_case){.rx = mesh->ends[k].rx, .value = &values[k]};
    for (unsigned round = 0; open > 0; round++) {
        size_t index = 0;
        if (round % 3 == 0) {
            xt_expect_equal(filch_select_ready(cases, CHANNELS, FILCH_FOREVER, &index), 0);
            int error = filch_try_recv(cases[index].rx, &values[index]);
            if (error == EAGAIN)
                continue; /* another one was quicker */
            cases[index].error = error;
        } else if (round % 3 == 1) {
            xt_expect_equal(filch_select(cases, CHANNELS, FILCH_FOREVER, &index), 0);
        } else {
            xt_expect_equal(filch_select_in_order(cases, CHANNELS, FILCH_FOREVER, &index), 0);
        }
        if (cases[index].error == 0) {
            sum += values[index] + 1;
        } else {
            xt_expect_equal(cases[index].error, EPIPE);
            cases[index].rx = NULL; /* never ready from now on */
            open--;
        }
    }
    __atomic_fetch_add(&mesh->received, sum, __ATOMIC_RELAXED);
}

static void mesh_of(struct world *world, const size_t *of)
{
    struct job jobs[2 * PARTIES];
    struct mesh mesh = {.messages = xt_scaled(400), .seed = xt_seed()};
    for (size_t k = 0; k < CHANNELS; k++) {
        mesh.ends[k] = make(of[k]);
        for (size_t i = 1; i < PARTIES; i++)
            (void)filch_sender_clone(mesh.ends[k].tx);
    }
    for (size_t i = 0; i < 2 * PARTIES; i++)
        job_start(world, &jobs[i], i % 2 == 0 ? receive_anywhere : send_anywhere, &mesh);
    for (size_t i = 0; i < 2 * PARTIES; i++)
        job_join(&jobs[i]);
    xt_expect_equal(mesh.received, mesh.sent);
    for (size_t k = 0; k < CHANNELS; k++)
        filch_receiver_drop(mesh.ends[k].rx);
}

static void meshes(struct world *world)
{
    static const size_t shapes[][CHANNELS] = {
        {0, 0, 0, 0},
        {1, 1, 1, 1},
        {FILCH_UNBOUNDED, FILCH_UNBOUNDED, FILCH_UNBOUNDED, FILCH_UNBOUNDED},
        {0, 1, 3, FILCH_UNBOUNDED},
    };
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++)
        mesh_of(world, shapes[i]);
}

xt_define(each_message_arrives_once)
{
    in_all_worlds(meshes);
}

/* Two selects that offer each other both directions. */
struct pair {
    struct ends a, b;
    uint64_t rounds;
    uint64_t done;
};

static void offer_both(void *argument)
{
    struct pair *pair = argument;
    for (;;) {
        uint64_t out = 1, in = 0;
        size_t index = 0;
        struct filch_select_case cases[] = {{.tx = pair->a.tx, .value = &out},
                                            {.rx = pair->a.rx, .value = &in},
                                            {.tx = pair->b.tx, .value = &out},
                                            {.rx = pair->b.rx, .value = &in}};
        int error = filch_select(cases, 4, filch_deadline_in(2 * FILCH_MS), &index);
        if (error == 0) {
            xt_expect_equal(cases[index].error, 0);
            if (index % 2 == 1)
                __atomic_fetch_add(&pair->done, in, __ATOMIC_RELAXED);
        }
        if (__atomic_load_n(&pair->done, __ATOMIC_RELAXED) >= pair->rounds)
            break;
    }
}

static void pairs(struct world *world)
{
    struct job jobs[3];
    struct pair pair = {.a = make(0), .b = make(0), .rounds = xt_scaled(500)};
    for (int i = 0; i < 3; i++)
        job_start(world, &jobs[i], offer_both, &pair);
    for (int i = 0; i < 3; i++)
        job_join(&jobs[i]);
    xt_expect(pair.done >= pair.rounds);
    drop(pair.a);
    drop(pair.b);
}

xt_define(selects_meet_each_other)
{
    in_all_worlds(pairs);
}

struct waiter_of {
    struct filch_select_case cases[3];
    size_t count;
    uint64_t in;
    bool only_looks;
    size_t index;
    int error;
};

static void select_forever(void *argument)
{
    struct waiter_of *w = argument;
    w->error = w->only_looks ? filch_select_ready(w->cases, w->count, FILCH_FOREVER, &w->index)
                             : filch_select(w->cases, w->count, FILCH_FOREVER, &w->index);
}

static void ends_go(struct world *world)
{
    for (size_t k = 0; k < CAPACITIES; k++) {
        struct ends one = make(capacities[k]), other = make(0);
        struct job job;
        struct waiter_of w = {.count = 2};
        w.cases[0] = (struct filch_select_case){.rx = other.rx, .value = &w.in};
        w.cases[1] = (struct filch_select_case){.rx = one.rx, .value = &w.in};
        job_start(world, &job, select_forever, &w);
        until_receivers_wait(world, one.tx, 1);
        filch_sender_drop(one.tx);
        job_join(&job);
        xt_expect_equal(w.error, 0);
        xt_expect_equal(w.index, 1);
        xt_expect_equal(w.cases[1].error, EPIPE);
        xt_expect_equal(waiting(other.tx, RECEIVERS), 0);
        filch_receiver_drop(one.rx);
        drop(other);
    }
}

xt_define(a_select_is_woken_when_an_end_goes)
{
    in_all_worlds(ends_go);
}

/* One that waits to send: does so when there is room, and is told when nobody will ever receive. */
static void selects_that_send(struct world *world)
{
    for (size_t k = 0; k < CAPACITIES - 1; k++) {
        for (int has_gone = 0; has_gone < 2; has_gone++) {
            struct ends full = make(capacities[k]), other = make(0);
            struct job job;
            uint64_t out = 1000, in = 0;
            struct waiter_of w = {.count = 3};
            for (uint64_t i = 0; i < capacities[k]; i++)
                xt_expect_equal(filch_send(full.tx, &i), 0);
            w.cases[0] = (struct filch_select_case){.tx = other.tx, .value = &out};
            w.cases[1] = (struct filch_select_case){.tx = full.tx, .value = &out};
            w.cases[2] = (struct filch_select_case){.rx = other.rx, .value = &w.in};
            job_start(world, &job, select_forever, &w);
            until_senders_wait(world, full.rx, 1);
            until_receivers_wait(world, other.tx, 1);
            if (has_gone) {
                filch_receiver_drop(full.rx);
            } else {
                for (uint64_t i = 0; i < capacities[k]; i++) {
                    xt_expect_equal(filch_recv(full.rx, &in), 0);
                    xt_expect_equal(in, i);
                }
                xt_expect_equal(filch_recv(full.rx, &in), 0);
                xt_expect_equal(in, out);
            }
            job_join(&job);
            xt_expect_equal(w.error, 0);
            xt_expect_equal(w.index, 1);
            xt_expect_equal(w.cases[1].error, has_gone ? EPIPE : 0);
            xt_expect_equal(waiting(other.tx, SENDERS) + waiting(other.tx, RECEIVERS), 0);
            filch_sender_drop(full.tx);
            if (!has_gone)
                filch_receiver_drop(full.rx);
            drop(other);
        }
    }
}

xt_define(a_select_sends_when_there_is_room)
{
    in_all_worlds(selects_that_send);
}

/* A moment ends a wait for messages, or a message a wait for a moment; and each moment comes to one. */
static void moments_and_messages(struct world *world)
{
    for (size_t k = 0; k < CAPACITIES; k++) {
        for (int is_sent = 0; is_sent < 2; is_sent++) {
            struct ends e = make(capacities[k]);
            struct filch_receiver *after, *tick;
            int64_t moment = 0, begin = filch_now_ns();
            int64_t timeout_ns = is_sent ? 3600 * FILCH_S : 2 * FILCH_MS;
            struct job job;
            struct waiter_of w = {.count = 3};
            xt_expect_equal(filch_after(&after, timeout_ns), 0);
            xt_expect_equal(filch_tick(&tick, 3600 * FILCH_S), 0);
            w.cases[0] = (struct filch_select_case){.rx = tick, .value = &moment};
            w.cases[1] = (struct filch_select_case){.rx = after, .value = &moment};
            w.cases[2] = (struct filch_select_case){.rx = e.rx, .value = &w.in};
            job_start(world, &job, select_forever, &w);
            if (is_sent) {
                until_receivers_wait(world, e.tx, 1);
                xt_expect_equal(filch_send(e.tx, &(uint64_t){4}), 0);
            }
            job_join(&job);
            xt_expect_equal(w.error, 0);
            xt_expect_equal(w.index, is_sent ? 2 : 1);
            if (is_sent)
                xt_expect_equal(w.in, 4);
            else
                xt_expect(moment >= begin + timeout_ns && filch_now_ns() >= moment);
            xt_expect_equal(waiting(e.tx, RECEIVERS), 0);
            filch_receiver_drop(after);
            filch_receiver_drop(tick);
            drop(e);
        }
    }
}

xt_define(a_moment_ends_a_wait_for_messages)
{
    in_all_worlds(moments_and_messages);
}

struct sharers {
    struct filch_receiver *tick;
    int64_t period_ns;
    uint64_t received;
    int64_t last;
};

static void receive_ticks(void *argument)
{
    struct sharers *s = argument;
    int64_t moment, last = 0;
    for (int i = 0; i < 5; i++) {
        xt_expect_equal(filch_recv(s->tick, &moment), 0);
        xt_expect(filch_now_ns() >= moment);
        xt_expect(moment >= last + s->period_ns); /* no moment comes twice */
        last = moment;
        __atomic_fetch_add(&s->received, 1, __ATOMIC_RELAXED);
    }
}

static void shared_ticks(struct world *world)
{
    struct job jobs[3];
    struct sharers s = {.period_ns = 200 * FILCH_US};
    int64_t begin = filch_now_ns();
    xt_expect_equal(filch_tick(&s.tick, s.period_ns), 0);
    for (int i = 0; i < 3; i++)
        job_start(world, &jobs[i], receive_ticks, &s);
    for (int i = 0; i < 3; i++)
        job_join(&jobs[i]);
    xt_expect_equal(s.received, 15);
    xt_expect(filch_now_ns() - begin >= 15 * s.period_ns); /* each came to one */
    filch_receiver_drop(s.tick);
}

xt_define(clones_share_their_moments)
{
    in_all_worlds(shared_ticks);
}

/* A wait for many costs as little as a wait for one. */
static void be_blocked(struct world *world)
{
    struct ends empty = make(3), full = make(1);
    struct filch_receiver *far;
    struct job job;
    uint64_t out = 1;
    int64_t moment;
    struct waiter_of w = {.count = 3};
    xt_expect_equal(filch_send(full.tx, &out), 0);
    xt_expect_equal(filch_after(&far, 3600 * FILCH_S), 0);
    w.cases[0] = (struct filch_select_case){.rx = empty.rx, .value = &w.in};
    w.cases[1] = (struct filch_select_case){.tx = full.tx, .value = &out};
    w.cases[2] = (struct filch_select_case){.rx = far, .value = &moment};
    job_start(world, &job, select_forever, &w);
    until_receivers_wait(world, empty.tx, 1);
    until_senders_wait(world, full.rx, 1);
    xt_sleep_ns(20 * FILCH_MS); /* whoever looks before it sleeps has done so */
    int64_t before = xt_cpu_ns();
    xt_sleep_ns(200 * FILCH_MS);
    xt_expect(xt_cpu_ns() - before < 20 * FILCH_MS);
    filch_sender_drop(empty.tx);
    job_join(&job);
    xt_expect_equal(w.index, 0);
    xt_expect_equal(w.cases[0].error, EPIPE);
    filch_receiver_drop(empty.rx);
    filch_receiver_drop(far);
    drop(full);
}

xt_define(waiting_costs_no_cpu_time)
{
    in_all_worlds(be_blocked);
}

/* What one waits for with its only handle is done through another handle of the same channel, and the
 * other cases are not. */
static void clones(struct world *world)
{
    for (size_t k = 0; k < CAPACITIES; k++) {
        struct ends one = make(capacities[k]), other = make(capacities[k]);
        struct job job;
        struct filch_sender *clone = filch_sender_clone(one.tx);
        struct waiter_of w = {.count = 3};
        for (size_t i = 0; i < 3; i++)
            w.cases[i] =
                (struct filch_select_case){.rx = i == 2 ? other.rx : one.rx, .value = &w.in};
        job_start(world, &job, select_forever, &w);
        until_receivers_wait(world, one.tx, 2);
        filch_sender_drop(one.tx);
        xt_expect_equal(filch_send(clone, &(uint64_t){8}), 0);
        job_join(&job);
        xt_expect_equal(w.error, 0);
        xt_expect(w.index < 2);
        xt_expect_equal(w.in, 8);
        xt_expect_equal(filch_try_recv(one.rx, &w.in), EAGAIN);
        xt_expect_equal(waiting(clone, RECEIVERS), 0);
        filch_sender_drop(clone);
        filch_receiver_drop(one.rx);
        drop(other);
    }
}

xt_define(the_same_channel_twice)
{
    in_all_worlds(clones);
}

/* One that only looks does not keep the message from one that takes it. Each waits for so many channels:
 * one that waits for a single one is woken in a way of its own. */
static void lookers_of(struct world *world, size_t capacity, size_t count)
{
    struct ends e = make(capacity), other = make(0);
    struct job jobs[3];
    struct waiter_of w[3];
    for (int i = 0; i < 3; i++) {
        w[i] = (struct waiter_of){.count = count, .only_looks = i != 1};
        w[i].cases[0] = (struct filch_select_case){.rx = other.rx, .value = &w[i].in};
        w[i].cases[count - 1] = (struct filch_select_case){.rx = e.rx, .value = &w[i].in};
        if (i == 1)
            continue;
        job_start(world, &jobs[i], select_forever, &w[i]);
        until_receivers_wait(world, e.tx, i == 0 ? 1 : 2);
    }
    job_start(world, &jobs[1], select_forever, &w[1]);
    until_receivers_wait(world, e.tx, 3); /* behind them, and woken nevertheless */
    /* A hand-over is seen by lookers only as long as somebody offers it. */
    xt_expect_equal(filch_send(e.tx, &(uint64_t){9}), 0);
    job_join(&jobs[1]);
    xt_expect_equal(w[1].in, 9);
    filch_sender_drop(e.tx);
    job_join(&jobs[0]);
    job_join(&jobs[2]);
    for (int i = 0; i < 3; i++) {
        xt_expect_equal(w[i].error, 0);
        xt_expect_equal(w[i].index, count - 1);
    }
    filch_receiver_drop(e.rx);
    drop(other);
}

static void lookers(struct world *world)
{
    for (size_t k = 0; k < CAPACITIES; k++) {
        lookers_of(world, capacities[k], 1);
        lookers_of(world, capacities[k], 2);
    }
}

xt_define(lookers_take_nothing)
{
    in_all_worlds(lookers);
}

struct late {
    struct filch_receiver *rx;
    uint64_t in;
    uint32_t is_held, is_free; /* atomically */
};

static void receive_late(void *argument)
{
    struct late *l = argument;
    xt_expect_equal(filch_recv(l->rx, &l->in), 0);
}

static void hold_worker(void *argument)
{
    struct late *l = argument;
    __atomic_store_n(&l->is_held, 1, __ATOMIC_RELEASE);
    while (!__atomic_load_n(&l->is_free, __ATOMIC_ACQUIRE))
        xt_sleep_ns(100 * FILCH_US);
}

static void *select_on_thread(void *argument)
{
    select_forever(argument);
    return NULL;
}

/* The one that is woken for the message comes to it only when its worker is free: until then the message is there,
 * and who looks for it sees it. */
static void look_beside_a_late_one(size_t capacity)
{
    struct world threads = {0};
    struct filch_pool *pool = NULL;
    struct filch_pool_config config = {.name = "late", .workers = 1};
    struct ends e = make(capacity);
    struct late late = {.rx = e.rx};
    struct waiter_of looker = {.count = 1, .only_looks = true, .cases = {{.rx = e.rx}}};
    struct filch_task *receiver = NULL, *holder = NULL;
    pthread_t thread;
    assert_int_equal(filch_never(&threads.never), 0);
    assert_int_equal(filch_pool_create(&pool, &config), 0);
    assert_int_equal(filch_pool_spawn(pool, &receiver, NULL, receive_late, &late), 0);
    until_receivers_wait(&threads, e.tx, 1);
    assert_int_equal(filch_pool_spawn(pool, &holder, NULL, hold_worker, &late), 0);
    while (!__atomic_load_n(&late.is_held, __ATOMIC_ACQUIRE))
        xt_sleep_ns(100 * FILCH_US);
    assert_int_equal(pthread_create(&thread, NULL, select_on_thread, &looker), 0);
    until_receivers_wait(&threads, e.tx, 2);
    xt_sleep_ns(20 * FILCH_MS); /* whoever looks before it sleeps has done so */
    assert_int_equal(filch_try_send(e.tx, &(uint64_t){4}), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(looker.error, 0);
    __atomic_store_n(&late.is_free, 1, __ATOMIC_RELEASE);
    assert_int_equal(filch_task_join(holder), 0);
    assert_int_equal(filch_task_join(receiver), 0);
    assert_int_equal(late.in, 4);
    filch_receiver_drop(threads.never);
    drop(e);
    assert_int_equal(filch_pool_destroy(pool), 0);
}

xt_define(a_looker_is_told_beside_one_that_is_late)
{
    look_beside_a_late_one(FILCH_UNBOUNDED);
    look_beside_a_late_one(4);
    look_beside_a_late_one(1);
}

static void offer(void *argument)
{
    struct waiter_of *w = argument;
    w->error = filch_send(w->cases[0].tx, &(uint64_t){3});
}

static void looker_meets(struct world *world)
{
    struct ends e = make(0), other = make(1);
    struct job jobs[2];
    struct waiter_of w = {.count = 2, .only_looks = true}, sender = {.count = 1};
    w.cases[0] = (struct filch_select_case){.rx = other.rx};
    w.cases[1] = (struct filch_select_case){.rx = e.rx};
    sender.cases[0].tx = e.tx;
    job_start(world, &jobs[0], select_forever, &w);
    until_receivers_wait(world, e.tx, 1);
    xt_expect_equal(filch_try_send(e.tx, &(uint64_t){0}), EAGAIN); /* a looker is no partner */
    job_start(world, &jobs[1], offer, &sender);
    job_join(&jobs[0]);
    xt_expect_equal(w.error, 0);
    xt_expect_equal(w.index, 1);
    xt_expect_equal(filch_recv(e.rx, &w.in), 0);
    job_join(&jobs[1]);
    drop(e);
    drop(other);
}

xt_define(a_looker_sees_a_hand_over_that_is_offered)
{
    in_all_worlds(looker_meets);
}

/* Selects with deadlines on both sides: nothing is lost and nothing is left in a list. */
struct storm {
    struct ends ends[2];
    uint64_t rounds, seed, next;
    uint64_t sent, received;
};

static void storm(void *argument)
{
    struct storm *s = argument;
    uint64_t me = __atomic_fetch_add(&s->next, 1, __ATOMIC_RELAXED);
    uint64_t random = s->seed + me;
    for (uint64_t i = 0; i < s->rounds; i++) {
        uint64_t value = 1;
        size_t index = 0;
        struct filch_select_case cases[2];
        for (size_t k = 0; k < 2; k++)
            cases[k] = me % 2 == 0
                           ? (struct filch_select_case){.tx = s->ends[k].tx, .value = &value}
                           : (struct filch_select_case){.rx = s->ends[k].rx, .value = &value};
        int64_t deadline = filch_deadline_in((int64_t)(xt_random(&random) % 30000));
        int error = filch_select(cases, 2, deadline, &index);
        xt_expect(error == 0 || error == ETIMEDOUT);
        if (error == 0)
            __atomic_fetch_add(me % 2 == 0 ? &s->sent : &s->received, 1, __ATOMIC_RELAXED);
    }
}

static void storms(struct world *world)
{
    for (size_t k = 0; k < CAPACITIES; k++) {
        struct job jobs[4];
        struct storm s = {.rounds = xt_scaled(200), .seed = xt_seed()};
        s.ends[0] = make(capacities[k]);
        s.ends[1] = make(0);
        for (int i = 0; i < 4; i++)
            job_start(world, &jobs[i], storm, &s);
        for (int i = 0; i < 4; i++)
            job_join(&jobs[i]);
        xt_expect_equal(s.sent, s.received + filch_receiver_len(s.ends[0].rx));
        for (size_t i = 0; i < 2; i++) {
            xt_expect_equal(waiting(s.ends[i].tx, SENDERS), 0);
            xt_expect_equal(waiting(s.ends[i].tx, RECEIVERS), 0);
            drop(s.ends[i]);
        }
    }
}

xt_define(deadlines_race_with_partners)
{
    in_all_worlds(storms);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        xt_test(bad_arguments_are_refused),
        xt_test(nothing_ready),
        xt_test(the_one_that_is_ready),
        xt_test(an_end_that_has_gone_is_ready),
        xt_test(fair_unless_the_order_is_asked_for),
        xt_test(both_ends_of_one_channel),
        xt_test(moments),
        xt_test(each_message_arrives_once),
        xt_test(selects_meet_each_other),
        xt_test(a_select_is_woken_when_an_end_goes),
        xt_test(a_select_sends_when_there_is_room),
        xt_test(a_moment_ends_a_wait_for_messages),
        xt_test(clones_share_their_moments),
        xt_test(waiting_costs_no_cpu_time),
        xt_test(the_same_channel_twice),
        xt_test(lookers_take_nothing),
        xt_test(a_looker_is_told_beside_one_that_is_late),
        xt_test(a_looker_sees_a_hand_over_that_is_offered),
        xt_test(deadlines_race_with_partners),
    };
    return xt_run(tests);
}
