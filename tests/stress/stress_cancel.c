/* SPDX-License-Identifier: Apache-2.0 */
/* Cancelling against waking: what is waited for is had or not, and nothing is lost between the two. Each
 * round cancels a scope of waiting tasks while somebody outside gives them what they wait for, then counts
 * what was had and what is left. With a storm of signals, and on many workers for few processors. */
#include "test.h"

#include <errno.h>
#include <filch/filch.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

enum { TASKS = 8 };

struct round {
    struct filch_semaphore semaphore;
    struct filch_mutex mutex;
    struct filch_condvar condvar;
    struct filch_sender *tx, *meets_tx;
    struct filch_receiver *rx, *meets_rx;
    int64_t had, refused, received, met, waiting;
    uint64_t seed;
};

static int64_t get(const int64_t *number)
{
    return __atomic_load_n(number, __ATOMIC_ACQUIRE);
}

static void add(int64_t *number)
{
    (void)__atomic_fetch_add(number, 1, __ATOMIC_ACQ_REL);
}

static void count(struct round *r, int error, int64_t *counter)
{
    xt_expect(error == 0 || error == ECANCELED || error == ETIMEDOUT);
    add(error == 0 ? counter : &r->refused);
}

static void acquire(void *argument)
{
    struct round *r = argument;
    add(&r->waiting);
    count(r, filch_semaphore_acquire(&r->semaphore), &r->had);
}

static void receive(void *argument)
{
    struct round *r = argument;
    int value;
    add(&r->waiting);
    count(r, filch_recv(r->rx, &value), &r->received);
}

static void meet(void *argument)
{
    struct round *r = argument;
    int value;
    add(&r->waiting);
    count(r, filch_recv(r->meets_rx, &value), &r->met);
}

/* Holds the mutex at its end, whatever becomes of the wait. */
static void be_notified(void *argument)
{
    struct round *r = argument;
    int error = filch_mutex_lock(&r->mutex);
    add(&r->waiting);
    if (error == 0) {
        error = filch_condvar_wait(&r->condvar, &r->mutex);
        xt_expect_equal(filch_mutex_try_lock(&r->mutex), EBUSY);
        filch_mutex_unlock(&r->mutex);
    }
    xt_expect(error == 0 || error == ECANCELED || error == ETIMEDOUT);
}

/* What somebody outside gives: to how many, and how many messages were met. */
struct giver {
    struct round *round;
    int64_t permits, messages, met;
};

static void *give(void *argument)
{
    struct giver *g = argument;
    struct round *r = g->round;
    int value = 7;
    for (int64_t i = 0; i < TASKS / 2; i++) {
        filch_semaphore_release(&r->semaphore, 1);
        g->permits++;
        g->messages += filch_try_send(r->tx, &value) == 0;
        g->met += filch_send_until(r->meets_tx, &value, filch_deadline_in(FILCH_US)) == 0;
        filch_condvar_notify_one(&r->condvar);
    }
    return NULL;
}

static void play(struct round *r, bool by_deadline)
{
    static void (*const bodies[])(void *) = {acquire, receive, meet, be_notified};
    struct giver giver = {.round = r};
    struct filch_thread *thread = NULL;
    int64_t dropped = 0;
    FILCH_SCOPE (s) {
        for (size_t i = 0; i < 4 * TASKS; i++)
            xt_expect_equal(filch_scope_spawn(s, bodies[i % 4], r), 0);
        if (xt_random(&r->seed) % 4 != 0) {
            while (get(&r->waiting) < 4 * TASKS)
                (void)filch_sleep_ns(FILCH_US);
        }
        xt_expect_equal(filch_thread_spawn(&thread, NULL, give, &giver), 0);
        int64_t pause_ns = (int64_t)(xt_random(&r->seed) % 60) * FILCH_US;
        (void)filch_sleep_ns(pause_ns);
        if (by_deadline)
            xt_expect_equal(filch_scope_set_deadline(s, filch_deadline_in(pause_ns / 4)), 0);
        else
            xt_expect_equal(filch_scope_cancel(s), 0);
    }
    xt_expect_equal(filch_thread_join(thread, NULL, NULL), 0);
    dropped = 4 * TASKS - get(&r->waiting);
    xt_expect(dropped >= 0);
    int64_t left = 0, messages = 0;
    int value;
    while (filch_semaphore_try_acquire(&r->semaphore) == 0)
        left++;
    while (filch_try_recv(r->rx, &value) == 0)
        messages++;
    xt_expect_equal(r->had + left, giver.permits);
    xt_expect_equal(r->received + messages, giver.messages);
    xt_expect_equal(r->met, giver.met);
    xt_expect_equal(filch_mutex_try_lock(&r->mutex), 0); /* nobody has kept it */
    filch_mutex_unlock(&r->mutex);
}

static void play_rounds(void *argument)
{
    const int64_t *end_ns = argument;
    uint64_t seed = xt_seed();
    int64_t rounds = 0, had = 0, refused = 0;
    do {
        struct round r = {
            .semaphore = FILCH_SEMAPHORE_INIT(0),
            .mutex = FILCH_MUTEX_INIT,
            .condvar = FILCH_CONDVAR_INIT,
            .seed = xt_random(&seed),
        };
        xt_expect_equal(filch_channel_create(&r.tx, &r.rx, sizeof(int), FILCH_UNBOUNDED), 0);
        xt_expect_equal(filch_channel_create(&r.meets_tx, &r.meets_rx, sizeof(int), 0), 0);
        play(&r, rounds % 3 == 2);
        filch_sender_drop(r.tx);
        filch_receiver_drop(r.rx);
        filch_sender_drop(r.meets_tx);
        filch_receiver_drop(r.meets_rx);
        had += r.had + r.received + r.met;
        refused += r.refused;
        rounds++;
    } while (xt_now_ns() < *end_ns);
    print_message("%lld rounds: %lld had it, %lld did not\n", (long long)rounds, (long long)had,
                  (long long)refused);
    xt_expect(refused > 0);
}

static void play_on(size_t workers, double seconds)
{
    struct filch_pool *pool = NULL;
    struct filch_pool_config config = {.name = "storm", .workers = workers};
    int64_t end_ns = xt_now_ns() + xt_stress_ns(seconds);
    assert_int_equal(filch_pool_create(&pool, &config), 0);
    assert_int_equal(filch_pool_install(pool, play_rounds, &end_ns), 0);
    assert_int_equal(filch_pool_destroy(pool), 0);
}

xt_define(cancelled_against_woken)
{
    play_on(1, 0.3);
    play_on(2, 0.5);
    play_on(4, 0.3);
}

xt_define(many_workers_for_one_processor)
{
    xt_use_one_cpu(true);
    play_on(64, 0.5);
    xt_use_one_cpu(false);
}

/* --- signals --- */

static int64_t signals;

static void on_signal(int number)
{
    (void)number;
    add(&signals);
}

static void *send_signals(void *argument)
{
    const int64_t *is_over = argument;
    sigset_t set;
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGUSR1);
    (void)pthread_sigmask(SIG_BLOCK, &set, NULL);
    while (get(is_over) == 0) {
        (void)kill(getpid(), SIGUSR1); /* for a thread that has not blocked it */
        xt_sleep_ns(20 * FILCH_US);
    }
    return NULL;
}

xt_define(a_storm_of_signals)
{
    struct sigaction action = {.sa_handler = on_signal}, before;
    pthread_t sender;
    int64_t is_over = 0;
    if (!XT_STORMS)
        skip();
    signals = 0;
    assert_int_equal(sigaction(SIGUSR1, &action, &before), 0);
    assert_int_equal(pthread_create(&sender, NULL, send_signals, &is_over), 0);
    play_on(2, 0.5);
    int64_t begin_ns = xt_now_ns();
    for (int i = 0; i < 20; i++)
        assert_int_equal(filch_sleep_ns(FILCH_MS), 0);
    assert_true(xt_now_ns() - begin_ns >= 20 * FILCH_MS); /* never early */
    __atomic_store_n(&is_over, 1, __ATOMIC_RELEASE);
    assert_int_equal(pthread_join(sender, NULL), 0);
    assert_true(signals > 0);
    assert_int_equal(sigaction(SIGUSR1, &before, NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        xt_test(cancelled_against_woken),
        xt_test(many_workers_for_one_processor),
        xt_test(a_storm_of_signals),
    };
    return xt_run(tests);
}
