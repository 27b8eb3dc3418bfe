/* SPDX-License-Identifier: Apache-2.0 */
/* park and unpark: one token for each thread, and no wake-up is lost. */
#include "test.h"

#include <errno.h>
#include <filch/condvar.h>
#include <filch/mutex.h>
#include <filch/thread.h>
#include <pthread.h>
#include <string.h>

xt_define(there_is_no_token_at_first)
{
    int64_t deadline = filch_deadline_in(2 * FILCH_MS);
    assert_int_equal(filch_thread_park_until(deadline), ETIMEDOUT);
    assert_true(filch_now_ns() >= deadline);
    assert_int_equal(filch_thread_park_until(0), ETIMEDOUT);
}

xt_define(a_park_takes_the_token_that_is_there)
{
    filch_thread_unpark(filch_thread_current());
    filch_thread_park();
    filch_thread_unpark(filch_thread_current());
    assert_int_equal(filch_thread_park_until(0), 0);
    assert_int_equal(filch_thread_park_until(0), ETIMEDOUT);
}

xt_define(there_is_one_token_at_most)
{
    for (int i = 0; i < 5; i++)
        filch_thread_unpark(filch_thread_current());
    assert_int_equal(filch_thread_park_until(0), 0);
    assert_int_equal(filch_thread_park_until(0), ETIMEDOUT);
}

struct sleeper {
    struct filch_thread *thread;
    uint32_t is_about_to_park;
};

static void *wake_after_a_while(void *argument)
{
    struct sleeper *sleeper = argument;
    while (!__atomic_load_n(&sleeper->is_about_to_park, __ATOMIC_ACQUIRE))
        filch_yield();
    xt_sleep_ns(FILCH_MS); /* mostly it sleeps by then, which is what is to be tried */
    filch_thread_unpark(sleeper->thread);
    return NULL;
}

xt_define(who_has_slept_takes_the_token_too)
{
    for (int i = 0; i < 10; i++) {
        struct sleeper sleeper = {.thread = filch_thread_current()};
        struct filch_thread *thread;
        assert_int_equal(filch_thread_spawn(&thread, NULL, wake_after_a_while, &sleeper), 0);
        __atomic_store_n(&sleeper.is_about_to_park, 1, __ATOMIC_RELEASE);
        filch_thread_park();
        assert_int_equal(filch_thread_join(thread, NULL, NULL), 0);
        assert_int_equal(filch_thread_park_until(0), ETIMEDOUT);
    }
}

struct player {
    struct filch_thread *other;
    uint32_t *turn;
    uint32_t mine;
    int *shared;
};

enum { ROUNDS = 20000 };

static void *play(void *argument)
{
    struct player *player = argument;
    size_t rounds = xt_scaled(ROUNDS);
    for (size_t i = 0; i < rounds; i++) {
        while (i + player->mine > 0) { /* nobody hands the first turn over */
            filch_thread_park();
            if (__atomic_load_n(player->turn, __ATOMIC_RELAXED) == player->mine)
                break;
        }
        *player->shared += 1; /* no other order than that of the tokens */
        __atomic_store_n(player->turn, !player->mine, __ATOMIC_RELAXED);
        filch_thread_unpark(player->other);
    }
    return NULL;
}

xt_define(a_token_hands_over_what_was_done_before)
{
    uint32_t turn = 0;
    int shared = 0;
    struct player here = {.turn = &turn, .mine = 0, .shared = &shared};
    struct player there = {.turn = &turn, .mine = 1, .shared = &shared};
    struct filch_thread *thread;
    there.other = filch_thread_current();
    assert_int_equal(filch_thread_spawn(&thread, NULL, play, &there), 0);
    here.other = thread;
    (void)play(&here);
    assert_int_equal(filch_thread_join(thread, NULL, NULL), 0);
    assert_int_equal(shared, 2 * (int)xt_scaled(ROUNDS));
    (void)!filch_thread_park_until(0); /* the last one's */
}

/* Deadlines beside tokens: each token ends a park, in time or the next one, or nothing goes on. */
struct giver {
    struct filch_thread *to;
    uint64_t given;
    uint64_t taken;
};

static void *give(void *argument)
{
    struct giver *giver = argument;
    uint64_t random = xt_seed();
    for (uint64_t i = 1; i <= xt_scaled(4000); i++) {
        if (xt_random(&random) % 4 == 0)
            xt_sleep_ns((int64_t)(xt_random(&random) % 60000));
        __atomic_store_n(&giver->given, i, __ATOMIC_RELEASE);
        filch_thread_unpark(giver->to);
        while (__atomic_load_n(&giver->taken, __ATOMIC_ACQUIRE) < i)
            filch_yield();
    }
    return NULL;
}

xt_define(a_deadline_never_swallows_a_token)
{
    uint64_t random = xt_seed() + 1;
    struct giver giver = {.to = filch_thread_current()};
    struct filch_thread *thread;
    assert_int_equal(filch_thread_spawn(&thread, NULL, give, &giver), 0);
    while (giver.taken < xt_scaled(4000)) {
        int64_t deadline = filch_deadline_in((int64_t)(xt_random(&random) % 60000));
        if (filch_thread_park_until(deadline) == 0)
            __atomic_store_n(&giver.taken, __atomic_load_n(&giver.given, __ATOMIC_ACQUIRE),
                             __ATOMIC_RELEASE);
    }
    assert_int_equal(filch_thread_join(thread, NULL, NULL), 0);
    (void)!filch_thread_park_until(0);
}

static void *nothing(void *argument)
{
    return argument;
}

xt_define(a_token_for_a_thread_that_has_ended_does_nothing)
{
    struct filch_thread *thread;
    assert_int_equal(filch_thread_spawn(&thread, NULL, nothing, NULL), 0);
    while (!filch_thread_is_finished(thread))
        filch_yield();
    filch_thread_unpark(thread); /* a handle still */
    struct filch_thread *reference = filch_thread_clone(thread);
    assert_int_equal(filch_thread_join(thread, NULL, NULL), 0);
    filch_thread_unpark(reference);
    filch_thread_unpark(reference);
    filch_thread_drop(reference);
}

static void *park_once(void *argument)
{
    filch_thread_park();
    return argument;
}

/* The token may be given before the thread runs, and by its handle. */
xt_define(a_handle_unparks)
{
    for (int i = 0; i < 100; i++) {
        struct filch_thread *thread;
        assert_int_equal(filch_thread_spawn(&thread, NULL, park_once, NULL), 0);
        filch_thread_unpark(thread);
        assert_int_equal(filch_thread_join(thread, NULL, NULL), 0);
    }
}

static void *unpark_many(void *argument)
{
    for (size_t i = 0; i < xt_scaled(20000); i++)
        filch_thread_unpark(argument);
    return NULL;
}

/* Two that give, one that takes: as long as one gives, parks come to an end. */
xt_define(several_may_give)
{
    struct filch_thread *givers[2];
    for (int i = 0; i < 2; i++)
        assert_int_equal(filch_thread_spawn(&givers[i], NULL, unpark_many, filch_thread_current()),
                         0);
    while (!filch_thread_is_finished(givers[0]) && !filch_thread_is_finished(givers[1])) {
        int error = filch_thread_park_until(filch_deadline_in(FILCH_S));
        assert_true(error == 0 || error == ETIMEDOUT);
    }
    for (int i = 0; i < 2; i++)
        assert_int_equal(filch_thread_join(givers[i], NULL, NULL), 0);
    (void)!filch_thread_park_until(0);
    assert_int_equal(filch_thread_park_until(0), ETIMEDOUT);
}

xt_define(errno_is_preserved)
{
    errno = ENOTTY;
    (void)!filch_thread_park_until(filch_deadline_in(100000));
    filch_thread_unpark(filch_thread_current());
    filch_thread_park();
    assert_int_equal(errno, ENOTTY);
}

struct foreign {
    struct filch_thread *reference;
    uint32_t is_known;
    uint32_t is_done;
};

static void *park_until_done(void *argument)
{
    struct foreign *foreign = argument;
    foreign->reference = filch_thread_clone(filch_thread_current());
    __atomic_store_n(&foreign->is_known, 1, __ATOMIC_RELEASE);
    while (!__atomic_load_n(&foreign->is_done, __ATOMIC_ACQUIRE))
        filch_thread_park();
    return NULL;
}

xt_define(a_thread_of_others_parks_and_is_woken)
{
    struct foreign foreign = {.reference = NULL};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, park_until_done, &foreign), 0);
    while (!__atomic_load_n(&foreign.is_known, __ATOMIC_ACQUIRE))
        filch_yield();
    xt_sleep_ns(FILCH_MS); /* mostly it sleeps by then */
    __atomic_store_n(&foreign.is_done, 1, __ATOMIC_RELEASE);
    filch_thread_unpark(foreign.reference);
    assert_int_equal(pthread_join(thread, NULL), 0);
    filch_thread_drop(foreign.reference);
}

static void *unlock_late(void *lock)
{
    xt_expect_equal(filch_mutex_lock(lock), 0);
    xt_sleep_ns(2 * FILCH_MS);
    filch_mutex_unlock(lock);
    return NULL;
}

/* Waits of every other kind sleep and wake up by other means than the token. */
xt_define(other_waits_neither_take_nor_give_the_token)
{
    static struct filch_mutex lock = FILCH_MUTEX_INIT;
    static struct filch_condvar nobody_notifies = FILCH_CONDVAR_INIT;
    for (int has_token = 0; has_token <= 1; has_token++) {
        struct filch_thread *thread;
        if (has_token)
            filch_thread_unpark(filch_thread_current());
        assert_int_equal(filch_thread_spawn(&thread, NULL, unlock_late, &lock), 0);
        xt_sleep_ns(FILCH_MS);
        assert_int_equal(filch_mutex_lock(&lock), 0);
        assert_int_equal(
            filch_condvar_wait_until(&nobody_notifies, &lock, filch_deadline_in(FILCH_MS)),
            ETIMEDOUT);
        filch_mutex_unlock(&lock);
        assert_int_equal(
            filch_thread_join_until(thread, filch_deadline_in(60 * FILCH_S), NULL, NULL), 0);
        filch_sleep_ns(FILCH_MS);
        assert_int_equal(filch_thread_park_until(0), has_token ? 0 : ETIMEDOUT);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        xt_test(there_is_no_token_at_first),
        xt_test(a_park_takes_the_token_that_is_there),
        xt_test(there_is_one_token_at_most),
        xt_test(who_has_slept_takes_the_token_too),
        xt_test(a_token_hands_over_what_was_done_before),
        xt_test(a_deadline_never_swallows_a_token),
        xt_test(a_token_for_a_thread_that_has_ended_does_nothing),
        xt_test(a_handle_unparks),
        xt_test(several_may_give),
        xt_test(a_thread_of_others_parks_and_is_woken),
        xt_test(other_waits_neither_take_nor_give_the_token),
        xt_test(errno_is_preserved),
    };
    return xt_run(tests);
}
