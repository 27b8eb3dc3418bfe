/* SPDX-License-Identifier: Apache-2.0 */
/* Channels that tasks of one worker have to themselves, until a thread comes. */
#include "worlds.h"

#include "os/os.h"

enum { MESSAGES = 2000, ROUNDS = 40, USES_ENOUGH = 16, QUESTIONS = 5000 };

struct stream {
    struct filch_sender *tx;
    struct filch_receiver *rx;
    uint64_t count;
    uint64_t sum;
};

static struct stream make(size_t capacity)
{
    struct stream s = {NULL, NULL, 0, 0};
    if (filch_channel_create(&s.tx, &s.rx, sizeof(uint64_t), capacity) != 0)
        abort();
    return s;
}

static struct filch_pool *pool_of_one(void)
{
    struct filch_pool *pool;
    struct filch_pool_config config = {.workers = 1};
    if (filch_pool_create(&pool, &config) != 0)
        abort();
    return pool;
}

static void send_all(void *argument)
{
    struct stream *s = argument;
    for (uint64_t i = 1; i <= MESSAGES; i++)
        xt_expect_equal(filch_send(s->tx, &i), 0);
    filch_sender_drop(s->tx);
}

static void receive_all(void *argument)
{
    struct stream *s = argument;
    uint64_t number;
    uint64_t count = 0;
    uint64_t sum = 0;
    while (filch_recv(s->rx, &number) == 0) {
        count++;
        sum += number;
    }
    __atomic_fetch_add(&s->count, count, __ATOMIC_RELAXED);
    __atomic_fetch_add(&s->sum, sum, __ATOMIC_RELAXED);
    filch_receiver_drop(s->rx);
}

static void start(struct filch_pool *pool, struct filch_task **task, void (*fn)(void *), void *arg)
{
    if (filch_pool_spawn(pool, task, NULL, fn, arg) != 0)
        abort();
}

/* What the lock of the waits says of its favourite. */
static uintptr_t favourite_of(const struct filch_receiver *rx)
{
    return FILCH_LOAD_RELAXED(&filch__receiver_channel(rx)->waits.lock.favourite);
}

static void receive_some(void *argument)
{
    struct stream *s = argument;
    uint64_t number;
    for (int i = 0; i < USES_ENOUGH; i++)
        xt_expect_equal(filch_recv(s->rx, &number), 0);
}

static void send_some(void *argument)
{
    struct stream *s = argument;
    for (uint64_t i = 0; i < USES_ENOUGH; i++)
        xt_expect_equal(filch_send(s->tx, &i), 0);
}

xt_define(a_favourite_lasts_until_another_thread_comes)
{
    for (size_t k = 0; k < CAPACITIES; k++) {
        if (capacities[k] > 1)
            continue; /* they need not wait for each other */
        struct filch_pool *pool = pool_of_one();
        struct stream s = make(capacities[k]);
        struct filch_task *sender;
        struct filch_task *receiver;
        assert_int_equal(favourite_of(s.rx), ALONE_NOBODY);
        start(pool, &receiver, receive_some, &s);
        start(pool, &sender, send_some, &s);
        assert_int_equal(filch_task_join(sender), 0);
        assert_int_equal(filch_task_join(receiver), 0);
        if (filch__os->barrier_ready() == 0)
            assert_true(favourite_of(s.rx) > ALONE_SHARED);
        else
            assert_int_equal(favourite_of(s.rx), ALONE_SHARED);
        uint64_t number;
        assert_int_equal(filch_recv_until(s.rx, &number, filch_deadline_in(FILCH_MS)), ETIMEDOUT);
        assert_int_equal(favourite_of(s.rx), ALONE_SHARED);
        filch_sender_drop(s.tx);
        filch_receiver_drop(s.rx);
        assert_int_equal(filch_pool_destroy(pool), 0);
        assert_int_equal(xt_take_failures(), 0);
    }
}

/* A thread comes to receive while two tasks are at it, now earlier, now later. */
static void join_in(size_t capacity, uint64_t pauses)
{
    struct filch_pool *pool = pool_of_one();
    struct stream s = make(capacity);
    struct filch_task *sender;
    struct filch_task *receiver;
    struct filch_receiver *mine = filch_receiver_clone(s.rx);
    start(pool, &receiver, receive_all, &s);
    start(pool, &sender, send_all, &s);
    for (uint64_t i = 0; i < pauses; i++)
        filch__cpu_relax();
    struct stream other = {NULL, mine, 0, 0};
    receive_all(&other);
    assert_int_equal(filch_task_join(sender), 0);
    assert_int_equal(filch_task_join(receiver), 0);
    assert_int_equal(s.count + other.count, MESSAGES);
    assert_int_equal(s.sum + other.sum, (uint64_t)MESSAGES * (MESSAGES + 1) / 2);
    assert_int_equal(filch_pool_destroy(pool), 0);
    assert_int_equal(xt_take_failures(), 0);
}

xt_define(a_thread_joins_in)
{
    uint64_t random = 1;
    for (size_t k = 0; k < CAPACITIES; k++) {
        for (int round = 0; round < ROUNDS; round++)
            join_in(capacities[k], xt_random(&random) % 4000);
    }
}

/* A thread asks a task: nobody is left asleep beside a question. */
struct server {
    struct filch_receiver *questions;
    struct filch_sender *answers;
};

static void answer_all(void *argument)
{
    struct server *s = argument;
    uint64_t number;
    while (filch_recv(s->questions, &number) == 0)
        xt_expect_equal(filch_send(s->answers, &number), 0);
    filch_receiver_drop(s->questions);
    filch_sender_drop(s->answers);
}

xt_define(a_task_answers_a_thread)
{
    for (size_t k = 0; k < CAPACITIES; k++) {
        struct filch_pool *pool = pool_of_one();
        struct stream questions = make(capacities[k]);
        struct stream answers = make(capacities[k]);
        struct server server = {questions.rx, answers.tx};
        struct filch_task *task;
        start(pool, &task, answer_all, &server);
        for (uint64_t i = 0; i < QUESTIONS; i++) {
            uint64_t number = 0;
            assert_int_equal(filch_send(questions.tx, &i), 0);
            assert_int_equal(filch_recv(answers.rx, &number), 0);
            assert_int_equal(number, i);
        }
        filch_sender_drop(questions.tx);
        filch_receiver_drop(answers.rx);
        assert_int_equal(filch_task_join(task), 0);
        assert_int_equal(filch_pool_destroy(pool), 0);
        assert_int_equal(xt_take_failures(), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        xt_test(a_favourite_lasts_until_another_thread_comes),
        xt_test(a_thread_joins_in),
        xt_test(a_task_answers_a_thread),
    };
    return xt_run(tests);
}
