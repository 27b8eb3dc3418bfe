/* SPDX-License-Identifier: Apache-2.0 */
/* The end of a channel, again and again: one thread sends little and goes, another one receives little and
 * goes, at the same time. What was sent is received once or dropped once, and memory is freed once, in
 * whatever order the ends go. (Such races were behind crossbeam #971, PR#1084 and RUSTSEC-2025-0024.)
 *
 * FILCH_STRESS_COUNT=N makes it N races of each flavour under perturbed schedules. */
#include "perturbed.h"

#include "boxes.h"

#include "base/atomic.h"

#include <filch/filch.h>
#include <sched.h>

enum {
    SIDES = 3,
    RACES = 20000,
    BOUNDED = 1, /* capacity: 1 and 2 by turns */
};

/* The sides of a race are threads that go from race to race together; the last is the test's own. */
struct race {
    uint64_t number;  /* of the race that runs */
    uint64_t arrived; /* at its end, of the other sides */
    bool is_over;
    uint64_t random[SIDES];
    void (*start)(struct race *);
    void (*check)(const struct race *);
    void (*sides[SIDES])(struct race *, uint64_t *random);

    struct filch_sender *tx;
    struct filch_receiver *rx;
    struct filch_watch_sender *watch_tx;
    struct filch_watch_receiver *watch_rx;
    struct filch_broadcast_sender *broadcast_tx;
    struct filch_broadcast_receiver *broadcast_rx[2];
    size_t capacity;
    bool receivers_wait; /* else senders: not both for ever */
    uint64_t sent, received, dropped;
};

struct side {
    struct race *race;
    size_t index;
};

/* So that neither side is always first. */
static void dawdle(uint64_t *random)
{
    for (uint64_t i = xt_random(random) % 64; i > 0; i--)
        filch__cpu_relax();
}

static void count(uint64_t *counter, uint64_t more)
{
    __atomic_fetch_add(counter, more, __ATOMIC_RELAXED);
}

/* --- channels --- */

static struct race *current; /* for the drop function */

static void count_drop(void *message)
{
    box_drop(message);
    count(&current->dropped, 1);
}

static void send_and_go(struct race *race, uint64_t *random)
{
    dawdle(random);
    for (uint64_t i = xt_random(random) % 4; i > 0; i--) {
        uint64_t *box = box_new(i);
        int error = i % 2 == 0 ? filch_try_send(race->tx, &box)
                               : filch_send_until(race->tx, &box, filch_deadline_in(FILCH_US));
        if (error == 0)
            count(&race->sent, 1);
        else
            box_drop(&box);
    }
    dawdle(random);
    filch_sender_drop(race->tx);
}

static void receive_and_go(struct race *race, uint64_t *random)
{
    dawdle(random);
    for (uint64_t i = xt_random(random) % 4; i > 0; i--) {
        uint64_t *box;
        int error = i % 2 == 0 ? filch_try_recv(race->rx, &box)
                               : filch_recv_until(race->rx, &box, filch_deadline_in(FILCH_US));
        if (error != 0)
            continue;
        count(&race->received, 1);
        box_drop(&box);
    }
    dawdle(random);
    filch_receiver_drop(race->rx);
}

/* Receives until all senders have gone: everything, then. */
static void receive_until_the_end(struct race *race, uint64_t *random)
{
    uint64_t *box;
    dawdle(random);
    FILCH_RECV_EACH(race->rx, &box)
    {
        count(&race->received, 1);
        box_drop(&box);
    }
    filch_receiver_drop(race->rx);
}

/* Likewise in selects. */
static void select_until_the_end(struct race *race, uint64_t *random)
{
    uint64_t *box;
    struct filch_select_case cases[] = {{.rx = race->rx, .value = &box}, {.rx = NULL}};
    size_t index;
    dawdle(random);
    do {
        xt_expect_equal(filch_select(cases, 2, FILCH_FOREVER, &index), 0);
        if (cases[0].error == 0) {
            count(&race->received, 1);
            box_drop(&box);
        }
    } while (cases[0].error == 0);
    xt_expect_equal(cases[0].error, EPIPE);
    filch_receiver_drop(race->rx);
}

/* Sends all that it has, or until nobody is there: sleeps where there is no room. */
static void send_until_the_end(struct race *race, uint64_t *random)
{
    int error = 0;
    dawdle(random);
    for (uint64_t i = xt_random(random) % 40; i > 0 && error == 0; i--) {
        uint64_t *box = box_new(i);
        error = filch_send(race->tx, &box);
        if (error == 0)
            count(&race->sent, 1);
        else
            box_drop(&box);
    }
    filch_sender_drop(race->tx);
}

static void start_channel(struct race *race)
{
    struct filch_channel_config config = {
        .element_size = sizeof(uint64_t *), .capacity = race->capacity, .drop = count_drop};
    if (race->capacity == BOUNDED)
        config.capacity = 1 + race->number % 3 % 2;
    current = race;
    if (filch_channel_create_with(&race->tx, &race->rx, &config) != 0)
        abort();
    (void)filch_sender_clone(race->tx); /* two of the three send */
    race->sides[0] = send_and_go;
    race->sides[1] = race->number % 2 == 0   ? receive_and_go
                     : race->number % 4 == 1 ? receive_until_the_end
                                             : select_until_the_end;
    race->sides[2] = race->number % 8 == 0 ? send_until_the_end : send_and_go;
}

/* --- watches --- */

static void watch_send_and_go(struct race *race, uint64_t *random)
{
    dawdle(random);
    for (uint64_t i = xt_random(random) % 4; i > 0; i--) {
        uint64_t *box = box_new(i);
        if (filch_watch_send(race->watch_tx, &box) != 0)
            box_drop(&box);
        else
            count(&race->sent, 1);
    }
    dawdle(random);
    filch_watch_sender_drop(race->watch_tx);
}

static void watch_receive_and_go(struct race *race, uint64_t *random)
{
    struct filch_watch_receiver *clone;
    dawdle(random);
    if (filch_watch_receiver_clone(race->watch_rx, &clone) != 0)
        abort();
    for (uint64_t i = xt_random(random) % 4; i > 0; i--) {
        uint64_t *box;
        int error = race->receivers_wait
                        ? filch_watch_recv(clone, &box)
                        : filch_watch_recv_until(clone, &box, filch_deadline_in(FILCH_US));
        if (error == 0)
            box_drop(&box);
    }
    const uint64_t *const *borrowed = filch_watch_borrow(clone);
    dawdle(random);
    xt_expect(**borrowed < 4);
    filch_watch_give_back(clone, borrowed);
    filch_watch_receiver_drop(clone);
    filch_watch_receiver_drop(race->watch_rx);
}

static int set_to_3(void *value, void *ctx)
{
    (void)ctx;
    **(uint64_t **)value = 3;
    return 1;
}

static void watch_modify_and_go(struct race *race, uint64_t *random)
{
    dawdle(random);
    if (xt_random(random) % 2 == 0)
        xt_expect_equal(filch_watch_modify(race->watch_tx, set_to_3, NULL), 0);
    if (!race->receivers_wait)
        xt_expect_equal(filch_watch_closed(race->watch_tx), 0);
    filch_watch_sender_drop(race->watch_tx);
}

static void start_watch(struct race *race)
{
    struct filch_watch_config config = {
        .element_size = sizeof(uint64_t *), .clone = box_clone, .drop = box_drop};
    uint64_t *box = box_new(0);
    if (filch_watch_create_with(&race->watch_tx, &race->watch_rx, &config, &box) != 0)
        abort();
    (void)filch_watch_sender_clone(race->watch_tx);
    race->sides[0] = watch_send_and_go;
    race->sides[1] = watch_receive_and_go;
    race->receivers_wait = race->number % 3 == 0;
    race->sides[2] = race->number % 2 == 0 ? watch_modify_and_go : watch_send_and_go;
}

/* --- broadcasts --- */

static void broadcast_send_and_go(struct race *race, uint64_t *random)
{
    dawdle(random);
    for (uint64_t i = xt_random(random) % 5; i > 0; i--) {
        uint64_t *box = box_new(i);
        if (filch_broadcast_send(race->broadcast_tx, &box) != 0)
            box_drop(&box);
        else
            count(&race->sent, 1);
    }
    dawdle(random);
    filch_broadcast_sender_drop(race->broadcast_tx);
}

/* Receives up to so many, and returns how many were received or missed. */
static uint64_t broadcast_receive(uint64_t *random, struct filch_broadcast_receiver *rx,
                                  uint64_t calls)
{
    uint64_t missed, received = 0;
    int error = 0;
    dawdle(random);
    while (calls-- > 0 && error != EPIPE) {
        uint64_t *box;
        error = filch_broadcast_recv(rx, &box, &missed);
        if (error == 0) {
            xt_expect(*box < 5);
            box_drop(&box);
            received++;
        } else if (error == EOVERFLOW) {
            received += missed;
        }
    }
    dawdle(random);
    filch_broadcast_receiver_drop(rx);
    return received;
}

static void broadcast_receive_and_go(struct race *race, uint64_t *random)
{
    (void)broadcast_receive(random, race->broadcast_rx[0], xt_random(random) % 5);
}

static void broadcast_receive_all(struct race *race, uint64_t *random)
{
    race->received = broadcast_receive(random, race->broadcast_rx[1], UINT64_MAX);
}

static void broadcast_receive_none(struct race *race, uint64_t *random)
{
    dawdle(random);
    filch_broadcast_receiver_drop(race->broadcast_rx[0]);
}

static void start_broadcast(struct race *race)
{
    struct filch_broadcast_config config = {
        .element_size = sizeof(uint64_t *), .capacity = 2, .clone = box_clone, .drop = box_drop};
    if (filch_broadcast_create_with(&race->broadcast_tx, &race->broadcast_rx[0], &config) != 0 ||
        filch_broadcast_subscribe(race->broadcast_tx, &race->broadcast_rx[1]) != 0)
        abort();
    race->sides[0] = broadcast_send_and_go;
    race->sides[1] = race->number % 2 == 0 ? broadcast_receive_none : broadcast_receive_and_go;
    race->sides[2] = broadcast_receive_all;
}

/* --- the races --- */

static void *run_side(void *argument)
{
    struct side *side = argument;
    struct race *race = side->race;
    for (uint64_t number = 1;; number++) {
        while (__atomic_load_n(&race->number, __ATOMIC_ACQUIRE) < number)
            sched_yield();
        if (race->is_over)
            return NULL;
        race->sides[side->index](race, &race->random[side->index]);
        __atomic_fetch_add(&race->arrived, 1, __ATOMIC_ACQ_REL);
    }
}

/* Whether everything is accounted for, when all have gone. */
static void check_channel(const struct race *race)
{
    xt_expect_equal(__atomic_load_n(&boxes, __ATOMIC_RELAXED), 0);
    xt_expect_equal(race->sent, race->received + race->dropped);
    if (race->sides[1] == receive_until_the_end || race->sides[1] == select_until_the_end)
        xt_expect_equal(race->dropped, 0);
}

static void check_watch(const struct race *race)
{
    (void)race;
    xt_expect_equal(__atomic_load_n(&boxes, __ATOMIC_RELAXED), 0);
}

static void check_broadcast(const struct race *race)
{
    xt_expect_equal(__atomic_load_n(&boxes, __ATOMIC_RELAXED), 0);
    xt_expect_equal(race->received, race->sent); /* by the one that receives all */
}

/* Runs go(argument) once for each race under every schedule. */
static void run_counting(const char *flavour, void (*go)(void *), void *argument)
{
    uint64_t in_all = xt_stress_count(xt_scaled(RACES)), perturbed = 0;
    for (int mode = SCHEDULE_OFF; mode < SCHEDULE_MODES; mode++) {
        uint64_t share = perturbed_share((enum schedule_mode)mode, in_all);
        schedule_perturb((enum schedule_mode)mode, xt_seed());
        for (uint64_t n = 0; n < share; n++) {
            if (n % 1024 == 0)
                xt_watch(flavour, XT_TEST_SECONDS);
            go(argument);
            perturbed += mode != SCHEDULE_OFF;
        }
    }
    schedule_perturb(SCHEDULE_OFF, xt_seed());
    print_message("%s: %ju races under perturbed schedules\n", flavour, (uintmax_t)perturbed);
    assert_true(perturbed >= in_all);
}

static void run_race(void *argument)
{
    struct race *race = argument;
    race->sent = race->received = race->dropped = 0;
    race->start(race);
    race->arrived = 0;
    __atomic_fetch_add(&race->number, 1, __ATOMIC_RELEASE);
    race->sides[SIDES - 1](race, &race->random[SIDES - 1]);
    while (__atomic_load_n(&race->arrived, __ATOMIC_ACQUIRE) < SIDES - 1)
        sched_yield();
    race->check(race);
}

static void run_races(const char *flavour, void (*start)(struct race *),
                      void (*check)(const struct race *), size_t capacity)
{
    struct race race = {.start = start, .check = check, .capacity = capacity};
    struct side sides[SIDES];
    pthread_t threads[SIDES - 1];
    uint64_t random = xt_seed();
    for (size_t i = 0; i < SIDES; i++)
        race.random[i] = xt_random(&random);
    for (size_t i = 0; i < SIDES - 1; i++) {
        sides[i] = (struct side){&race, i};
        assert_int_equal(pthread_create(&threads[i], NULL, run_side, &sides[i]), 0);
    }
    run_counting(flavour, run_race, &race);
    race.is_over = true;
    __atomic_fetch_add(&race.number, 1, __ATOMIC_RELEASE);
    for (size_t i = 0; i < SIDES - 1; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
}

xt_define(the_end_of_a_hand_over)
{
    run_races("hand-over", start_channel, check_channel, 0);
}

xt_define(the_end_of_a_bounded_channel)
{
    run_races("bounded", start_channel, check_channel, BOUNDED);
}

xt_define(the_end_of_an_unbounded_channel)
{
    run_races("unbounded", start_channel, check_channel, FILCH_UNBOUNDED);
}

xt_define(the_end_of_a_watch)
{
    run_races("watch", start_watch, check_watch, 0);
}

xt_define(the_end_of_a_broadcast)
{
    run_races("broadcast", start_broadcast, check_broadcast, 0);
}

/* --- task sets: their owner against the workers --- */

static void *take_box(void *box)
{
    box_drop(&box);
    return box_new(1);
}

static void drop_box(void *box)
{
    box_drop(&box);
}

struct set_race {
    struct filch_pool *pool;
    uint64_t random;
};

static void end_set(void *argument)
{
    struct set_race *race = argument;
    uint64_t *random = &race->random;
    struct filch_task_set *set;
    struct filch_task_set_config config = {.pool = race->pool, .result_drop = drop_box};
    struct filch_task_attr attr = {.drop = drop_box};
    struct filch_task_end end;
    size_t spawned = xt_random(random) % 6, handed_over = 0;
    xt_expect_equal(filch_task_set_create(&set, &config), 0);
    for (size_t i = 0; i < spawned; i++)
        xt_expect_equal(filch_task_set_spawn(set, &attr, take_box, box_new(i)), 0);
    dawdle(random);
    if (xt_random(random) % 2 == 0)
        filch_task_set_cancel(set);
    for (uint64_t calls = xt_random(random) % 8; calls > 0; calls--) {
        int error =
            calls % 2 == 0 ? filch_task_set_try_next(set, &end) : filch_task_set_next(set, &end);
        xt_expect_equal(filch_task_set_left(set), spawned - handed_over - (error == 0));
        xt_expect(error == 0 || error == (handed_over == spawned ? ENOENT : EAGAIN));
        if (error != 0)
            continue;
        handed_over++;
        if (end.error == 0)
            drop_box(end.result);
    }
    filch_task_set_drop(set);
    xt_expect_equal(__atomic_load_n(&boxes, __ATOMIC_RELAXED), 0);
}

xt_define(the_end_of_a_task_set)
{
    struct filch_pool_config config = {.workers = 2};
    struct set_race race = {.random = xt_seed()};
    assert_int_equal(filch_pool_create(&race.pool, &config), 0);
    run_counting("task set", end_set, &race);
    assert_int_equal(filch_pool_destroy(race.pool), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        xt_test(the_end_of_a_hand_over),          xt_test(the_end_of_a_bounded_channel),
        xt_test(the_end_of_an_unbounded_channel), xt_test(the_end_of_a_watch),
        xt_test(the_end_of_a_broadcast),          xt_test(the_end_of_a_task_set),
    };
    return xt_run(tests);
}
