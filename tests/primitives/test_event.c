/* SPDX-License-Identifier: Apache-2.0 */
/* An event that happens once: waiters before and after it, with and without deadlines. */
#include "test.h"

#include "park/event.h"

#include <errno.h>

xt_define(an_event_that_has_happened)
{
    struct event e = {0};
    assert_false(filch__event_has_happened(&e));
    assert_int_equal(filch__event_wait(&e, 0), ETIMEDOUT);
    assert_null(e.waiters);
    filch__event_set(&e);
    assert_true(filch__event_has_happened(&e));
    assert_int_equal(filch__event_wait(&e, 0), 0);
    assert_int_equal(filch__event_wait(&e, FILCH_FOREVER), 0);
}

struct happening {
    struct event event;
    uint64_t payload; /* plain: the event orders it */
    uint64_t woken;
    uint64_t late;
    uint64_t seed; /* const while threads run */
    uint64_t turn;
};

static void *wait_for_it(void *argument)
{
    struct happening *h = argument;
    xt_expect_equal(filch__event_wait(&h->event, FILCH_FOREVER), 0);
    xt_expect_equal(h->payload, 42);
    __atomic_fetch_add(&h->woken, 1, __ATOMIC_RELAXED);
    return NULL;
}

static void *make_it_happen(void *argument)
{
    struct happening *h = argument;
    h->payload = 42;
    filch__event_set(&h->event);
    return NULL;
}

xt_define(all_waiters_are_woken)
{
    for (int round = 0; round < 20; round++) {
        struct happening h = {.payload = 0};
        pthread_t threads[8];
        for (int i = 0; i < 8; i++)
            assert_int_equal(pthread_create(&threads[i], NULL, wait_for_it, &h), 0);
        xt_sleep_ns((int64_t)(round % 3) * FILCH_MS);
        (void)make_it_happen(&h);
        for (int i = 0; i < 8; i++)
            assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(h.woken, 8);
        assert_null(h.event.waiters);
    }
}

static void wait_with_deadline(struct happening *h, uint64_t seed)
{
    int64_t deadline = xt_now_ns() + (int64_t)(xt_random(&seed) % 200000);
    int error = filch__event_wait(&h->event, deadline);
    xt_expect(error == 0 || error == ETIMEDOUT);
    if (error == 0)
        xt_expect_equal(h->payload, 42);
    else
        xt_expect(xt_now_ns() >= deadline);
    __atomic_fetch_add(error == 0 ? &h->woken : &h->late, 1, __ATOMIC_RELAXED);
}

static void *set_or_wait(void *argument)
{
    struct happening *h = argument;
    uint64_t turn = __atomic_fetch_add(&h->turn, 1, __ATOMIC_RELAXED);
    uint64_t seed = h->seed + turn;
    if (turn == 0) {
        xt_sleep_ns((int64_t)(xt_random(&seed) % 150000));
        return make_it_happen(h);
    }
    wait_with_deadline(h, seed);
    return NULL;
}

/* Waiters leave the list while the setter takes it. */
xt_define(deadlines_race_with_the_event)
{
    for (size_t round = 0; round < xt_scaled(400); round++) {
        struct happening h = {.seed = xt_seed() + 100 * round};
        xt_run_threads(6, set_or_wait, &h, 0);
        assert_int_equal(h.woken + h.late, 5);
        assert_null(h.event.waiters);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        xt_test(an_event_that_has_happened),
        xt_test(all_waiters_are_woken),
        xt_test(deadlines_race_with_the_event),
    };
    return xt_run(tests);
}
