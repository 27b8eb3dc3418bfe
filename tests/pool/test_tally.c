/* SPDX-License-Identifier: Apache-2.0 */
/* Tallies: credits, and a wait that ends exactly when all tasks have ended. */
#include "test.h"

#include "tally.h"

#include <errno.h>

xt_define(without_tasks_nobody_waits)
{
    struct tally t;
    filch__tally_init(&t);
    assert_int_equal(filch__tally_wait(&t, 0), 0);
    filch__tally_init(&t);
    filch__tally_add(&t, 5);
    filch__tally_release(&t, 2);
    filch__tally_release(&t, 3);
    assert_int_equal(filch__tally_wait(&t, FILCH_FOREVER), 0);
}

xt_define(a_late_wait_has_its_count_again)
{
    struct tally t;
    filch__tally_init(&t);
    filch__tally_add(&t, 1);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(filch__tally_wait(&t, 0), ETIMEDOUT);
        assert_int_equal(t.count, 2);
    }
    int64_t deadline = filch_deadline_in(5 * FILCH_MS);
    assert_int_equal(filch__tally_wait(&t, deadline), ETIMEDOUT);
    assert_true(xt_now_ns() >= deadline);
    filch__tally_release(&t, 1);
    assert_int_equal(filch__tally_wait(&t, 0), 0);
}

/* The count is never less than the number of tasks under way, and equal once credits are back. */
xt_define(credits_cover_what_is_under_way)
{
    struct tally one;
    struct tally two;
    struct tally_credits c = {NULL, 0};
    filch__tally_init(&one);
    filch__tally_init(&two);
    filch__tally_flush(&c);
    for (int64_t spawned = 1; spawned <= 3 * TALLY_BATCH; spawned++) {
        filch__tally_spawned(&c, &one);
        assert_true(one.count >= 1 + spawned);
        assert_int_equal(one.count, 1 + spawned + c.held);
    }
    for (int64_t left = 3 * TALLY_BATCH - 1; left >= 0; left--) {
        filch__tally_ended(&c, &one);
        assert_int_equal(one.count, 1 + left + c.held);
    }
    filch__tally_spawned(&c, &two);
    assert_int_equal(one.count, 1); /* the credits of the other one went back */
    assert_ptr_equal(c.tally, &two);
    filch__tally_ended(&c, &two);
    filch__tally_flush(&c);
    filch__tally_flush(&c);
    assert_null(c.tally);
    assert_int_equal(two.count, 1);
    assert_int_equal(filch__tally_wait(&one, 0), 0);
    assert_int_equal(filch__tally_wait(&two, 0), 0);
}

/* Ends counted on another worker than where they were spawned. */
xt_define(credits_may_be_earned_elsewhere)
{
    struct tally t;
    struct tally_credits spawner = {NULL, 0};
    struct tally_credits runner = {NULL, 0};
    filch__tally_init(&t);
    for (int i = 0; i < 10; i++)
        filch__tally_spawned(&spawner, &t);
    for (int i = 0; i < 10; i++)
        filch__tally_ended(&runner, &t);
    assert_int_equal(filch__tally_wait(&t, 0), ETIMEDOUT); /* credits are still out */
    filch__tally_flush(&runner);
    assert_int_equal(filch__tally_wait(&t, 0), ETIMEDOUT);
    filch__tally_flush(&spawner);
    assert_int_equal(filch__tally_wait(&t, 0), 0);
    /* A single one as well. */
    filch__tally_init(&t);
    filch__tally_add(&t, 1);
    filch__tally_ended(&runner, &t);
    filch__tally_flush(&runner);
    assert_int_equal(t.count, 1);
}

struct ending {
    struct tally *tally; /* shown to the other side; NULL: taken */
    uint64_t *done;      /* plain memory in the waiter's frame: the wait orders it */
    size_t rounds;
};

static void *end_tasks(void *argument)
{
    struct ending *e = argument;
    uint64_t seed = xt_seed();
    for (size_t i = 0; i < e->rounds;) {
        struct tally *t = __atomic_exchange_n(&e->tally, NULL, __ATOMIC_ACQ_REL);
        if (t == NULL) {
            if (xt_random(&seed) % 64 == 0)
                xt_sleep_ns(0);
            continue;
        }
        for (uint64_t spin = xt_random(&seed) % 128; spin > 0; spin--)
            filch__cpu_relax();
        *e->done = ++i;
        filch__tally_release(t, 1); /* its frame may be gone from here on */
    }
    return NULL;
}

/* The last count races with the wait, with its deadline, and with the end of its frame. */
xt_define(the_last_count_races_with_the_wait)
{
    struct ending e = {.rounds = xt_scaled(40000)};
    uint64_t seed = xt_seed() + 1;
    uint64_t late = 0;
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, end_tasks, &e), 0);
    for (size_t i = 1; i <= e.rounds; i++) {
        struct tally t;
        uint64_t done = 0;
        filch__tally_init(&t);
        filch__tally_add(&t, 1);
        e.done = &done;
        __atomic_store_n(&e.tally, &t, __ATOMIC_RELEASE);
        for (;;) {
            int64_t deadline = xt_now_ns() + (int64_t)(xt_random(&seed) % 5000);
            int error = filch__tally_wait(&t, xt_random(&seed) % 4 == 0 ? FILCH_FOREVER : deadline);
            if (error == 0)
                break;
            assert_int_equal(error, ETIMEDOUT);
            late++;
        }
        assert_int_equal(done, i);
        t.count = -1;
    }
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_true(late < UINT64_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        xt_test(without_tasks_nobody_waits),         xt_test(a_late_wait_has_its_count_again),
        xt_test(credits_cover_what_is_under_way),    xt_test(credits_may_be_earned_elsewhere),
        xt_test(the_last_count_races_with_the_wait),
    };
    return xt_run(tests);
}
