/* SPDX-License-Identifier: Apache-2.0 */
/* Channels under perturbed schedules: what happens when both ends go while messages are on their way, and
 * whether anybody is left asleep. Every message is received once or dropped once, whatever the order, and
 * whatever the signals: a storm of them interrupts all this. */
#include "perturbed.h"

#include <filch/filch.h>
#include <string.h>

enum { MESSAGES_MAX = 70, PARTIES = 3 };

struct ending {
    struct filch_sender *tx;
    struct filch_receiver *rx;
    uint64_t seed;
    uint64_t next;
    uint64_t sent, received, dropped;
};

static struct ending *current; /* for the drop function */

static void count_drop(void *element)
{
    (void)element;
    __atomic_fetch_add(&current->dropped, 1, __ATOMIC_RELAXED);
}

static void send_some(struct ending *e, uint64_t random)
{
    uint64_t count = xt_random(&random) % MESSAGES_MAX;
    for (uint64_t i = 0; i < count; i++) {
        int error = xt_random(&random) % 2 == 0
                        ? filch_send(e->tx, &i)
                        : filch_send_until(e->tx, &i, filch_deadline_in(20000));
        if (error == EPIPE)
            break;
        xt_expect(error == 0 || error == ETIMEDOUT);
        if (error == 0)
            __atomic_fetch_add(&e->sent, 1, __ATOMIC_RELAXED);
    }
    filch_sender_drop(e->tx);
}

static void receive_some(struct ending *e, uint64_t random)
{
    uint64_t count = xt_random(&random) % MESSAGES_MAX;
    uint64_t message;
    for (uint64_t i = 0; i < count; i++) {
        int error = xt_random(&random) % 2 == 0
                        ? filch_recv(e->rx, &message)
                        : filch_recv_until(e->rx, &message, filch_deadline_in(20000));
        if (error == EPIPE)
            break;
        xt_expect(error == 0 || error == ETIMEDOUT);
        if (error == 0)
            __atomic_fetch_add(&e->received, 1, __ATOMIC_RELAXED);
    }
    filch_receiver_drop(e->rx);
}

static void *take_part(void *argument)
{
    struct ending *e = argument;
    uint64_t me = __atomic_fetch_add(&e->next, 1, __ATOMIC_RELAXED);
    uint64_t random = e->seed + 7919 * me;
    if (me % 2 == 0)
        send_some(e, xt_random(&random));
    else
        receive_some(e, xt_random(&random));
    return NULL;
}

static void take_part_as_task(void *argument)
{
    (void)take_part(argument);
}

static struct filch_pool *pool; /* NULL: threads */
static size_t capacity;

static void end_once(uint64_t *random)
{
    struct ending e = {.seed = xt_random(random)};
    struct filch_channel_config config = {
        .element_size = sizeof(uint64_t), .capacity = capacity, .drop = count_drop};
    current = &e;
    xt_expect_equal(filch_channel_create_with(&e.tx, &e.rx, &config), 0);
    for (int i = 1; i < PARTIES; i++) {
        (void)filch_sender_clone(e.tx);
        (void)filch_receiver_clone(e.rx);
    }
    if (pool == NULL) {
        xt_run_threads(2 * PARTIES, take_part, &e, 0);
    } else {
        struct filch_task *tasks[2 * PARTIES];
        for (int i = 0; i < 2 * PARTIES; i++)
            xt_expect_equal(filch_pool_spawn(pool, &tasks[i], NULL, take_part_as_task, &e), 0);
        for (int i = 0; i < 2 * PARTIES; i++)
            xt_expect_equal(filch_task_join(tasks[i]), 0);
    }
    xt_expect_equal(e.sent, e.received + e.dropped);
}

/* Many short lives at once: of each channel, one task sends little and goes, another one receives little and
 * goes. */
enum { LIVES = 64, FEW = 4 };

struct life {
    struct filch_sender *tx;
    struct filch_receiver *rx;
    uint64_t seed;
    uint64_t sent, received, dropped;
};

static void count_life(void *element)
{
    struct life *life = *(struct life **)element;
    __atomic_fetch_add(&life->dropped, 1, __ATOMIC_RELAXED);
}

static void send_few(void *argument)
{
    struct life *life = argument;
    uint64_t random = life->seed;
    int error = 0;
    for (uint64_t left = xt_random(&random) % FEW; left > 0 && error == 0; left--) {
        error = filch_send(life->tx, &life);
        xt_expect(error == 0 || error == EPIPE);
        life->sent += error == 0;
    }
    filch_sender_drop(life->tx);
}

static void receive_few(void *argument)
{
    struct life *life = argument;
    uint64_t random = life->seed + 1;
    int error = 0;
    for (uint64_t left = xt_random(&random) % FEW; left > 0 && error == 0; left--) {
        struct life *message = NULL;
        error = filch_recv(life->rx, &message);
        xt_expect(error == 0 ? message == life : error == EPIPE);
        life->received += error == 0;
    }
    filch_receiver_drop(life->rx);
}

static void end_many(uint64_t *random)
{
    static struct life lives[LIVES];
    static struct filch_task *tasks[2 * LIVES];
    struct filch_channel_config config = {
        .element_size = sizeof(struct life *), .capacity = capacity, .drop = count_life};
    for (int i = 0; i < LIVES; i++) {
        struct life *life = &lives[i];
        *life = (struct life){.seed = xt_random(random)};
        xt_expect_equal(filch_channel_create_with(&life->tx, &life->rx, &config), 0);
        xt_expect_equal(filch_pool_spawn(pool, &tasks[2 * i], NULL, send_few, life), 0);
        xt_expect_equal(filch_pool_spawn(pool, &tasks[2 * i + 1], NULL, receive_few, life), 0);
    }
    for (int i = 0; i < 2 * LIVES; i++)
        xt_expect_equal(filch_task_join(tasks[i]), 0);
    for (int i = 0; i < LIVES; i++)
        xt_expect_equal(lives[i].sent, lives[i].received + lives[i].dropped);
}

/* Selects that race with each other, with plain operations, and with the ends. */
static void *select_some(void *argument)
{
    struct ending *both = argument;
    uint64_t me = __atomic_fetch_add(&both[0].next, 1, __ATOMIC_RELAXED);
    uint64_t random = both[0].seed + 104729 * me;
    bool sends = me % 2 == 0;
    for (int i = 0; i < 40; i++) {
        uint64_t value = 1;
        size_t index = 0;
        struct filch_select_case cases[2];
        for (int k = 0; k < 2; k++)
            cases[k] = sends ? (struct filch_select_case){.tx = both[k].tx, .value = &value}
                             : (struct filch_select_case){.rx = both[k].rx, .value = &value};
        int64_t deadline = filch_deadline_in((int64_t)(xt_random(&random) % 30000));
        int error = filch_select(cases, 2, deadline, &index);
        xt_expect(error == 0 || error == ETIMEDOUT);
        if (error != 0)
            continue;
        if (cases[index].error == EPIPE)
            break;
        xt_expect_equal(cases[index].error, 0);
        __atomic_fetch_add(sends ? &both[0].sent : &both[0].received, 1, __ATOMIC_RELAXED);
    }
    for (int k = 0; k < 2; k++) {
        if (sends)
            filch_sender_drop(both[k].tx);
        else
            filch_receiver_drop(both[k].rx);
    }
    return NULL;
}

static void select_once(uint64_t *random)
{
    struct ending both[2];
    memset(both, 0, sizeof both);
    both[0].seed = xt_random(random);
    current = &both[0];
    for (int k = 0; k < 2; k++) {
        struct filch_channel_config config = {.element_size = sizeof(uint64_t),
                                              .capacity = k == 0 ? capacity : 0,
                                              .drop = count_drop};
        xt_expect_equal(filch_channel_create_with(&both[k].tx, &both[k].rx, &config), 0);
        (void)filch_sender_clone(both[k].tx);
        (void)filch_receiver_clone(both[k].rx);
    }
    xt_run_threads(4, select_some, both, 0);
    xt_expect_equal(both[0].sent, both[0].received + both[0].dropped);
}

enum { WORDS = 64 }; /* a block of an unbounded channel has few slots for messages of that size */

/* No end wakes anybody here: each message and each free place has to find whoever waits for it. And all
 * words of a message are of one message, however long somebody takes to copy it. */
static void *exchange_some(void *argument)
{
    struct ending *e = argument;
    uint64_t me = __atomic_fetch_add(&e->next, 1, __ATOMIC_RELAXED);
    uint64_t message[WORDS], sum = 0;
    for (uint64_t i = 0; i < MESSAGES_MAX; i++) {
        for (size_t k = 0; k < WORDS; k++)
            message[k] = me * MESSAGES_MAX + i;
        xt_expect_equal(me % 2 == 0 ? filch_send(e->tx, message) : filch_recv(e->rx, message), 0);
        for (size_t k = 0; k < WORDS; k++)
            xt_expect_equal(message[k], message[0]);
        sum += message[0];
    }
    __atomic_fetch_add(me % 2 == 0 ? &e->sent : &e->received, sum, __ATOMIC_RELAXED);
    return NULL;
}

static void exchange_once(uint64_t *random)
{
    struct ending e = {.seed = xt_random(random)};
    xt_expect_equal(filch_channel_create(&e.tx, &e.rx, WORDS * sizeof(uint64_t), capacity), 0);
    xt_run_threads(2 * PARTIES, exchange_some, &e, 0);
    xt_expect_equal(e.sent, e.received);
    xt_expect_equal(filch_receiver_len(e.rx), 0);
    filch_sender_drop(e.tx);
    filch_receiver_drop(e.rx);
}

static void run_all(void (*round)(uint64_t *random), const char *name, size_t workers)
{
    static const size_t capacities[] = {0, 1, 3, FILCH_UNBOUNDED};
    struct filch_pool_config config = {.workers = workers};
    if (workers != 0)
        assert_int_equal(filch_pool_create(&pool, &config), 0);
    for (size_t i = 0; i < sizeof capacities / sizeof capacities[0]; i++) {
        capacity = capacities[i];
        perturbed_run(name, round);
    }
    if (workers != 0)
        assert_int_equal(filch_pool_destroy(pool), 0);
    pool = NULL;
}

xt_define(ends_go_between_threads)
{
    run_all(end_once, "ends go, threads", 0);
}

xt_define(ends_go_between_tasks_of_1)
{
    run_all(end_once, "ends go, 1 worker", 1);
}

xt_define(ends_go_between_tasks_of_2)
{
    run_all(end_once, "ends go, 2 workers", 2);
}

xt_define(short_lives_end)
{
    run_all(end_many, "64 short lives, 2 workers", 2);
}

xt_define(selects_race)
{
    run_all(select_once, "selects", 0);
}

xt_define(nobody_sleeps_beside_what_it_waits_for)
{
    run_all(exchange_once, "exchange", 0);
}

xt_define(many_workers_for_one_processor)
{
    xt_use_one_cpu(true);
    run_all(end_once, "ends go, 64 workers", 64);
    xt_use_one_cpu(false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        xt_test(short_lives_end),
        xt_test(ends_go_between_threads),
        xt_test(ends_go_between_tasks_of_1),
        xt_test(ends_go_between_tasks_of_2),
        xt_test(selects_race),
        xt_test(nobody_sleeps_beside_what_it_waits_for),
        xt_test(many_workers_for_one_processor),
    };
    (void)xt_storm(true);
    int failed = xt_run(tests);
    return xt_storm(false) == 0 && XT_STORMS ? 1 : failed;
}
