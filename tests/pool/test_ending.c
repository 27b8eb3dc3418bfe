/* SPDX-License-Identifier: Apache-2.0 */
/* The end of a task that is run by whoever joins it, while others look at it or wait for it. */
#include "ending.h"
#include "test.h"

#include <errno.h>
#include <filch/filch.h>

enum { USE = 3 * ENDING_USE };

static struct ending ending;

static void begin(void)
{
    ending = (struct ending){0};
    filch__ending_begin(&ending, USE);
}

static void expect_end(void)
{
    assert_true(filch__ending_has_ended(&ending));
    assert_false(filch__ending_is_held(&ending, USE));
    assert_null(ending.waiters);
}

struct looking {
    uint32_t has_begun;
    bool has_ended;
};

static void look_for_long(void *argument)
{
    struct looking *l = argument;
    __atomic_store_n(&l->has_begun, 1, __ATOMIC_RELEASE);
    xt_sleep_ns(5 * FILCH_MS);
    xt_expect(!filch__ending_has_ended(&ending));
    __atomic_store_n(&l->has_ended, true, __ATOMIC_RELEASE);
}

static void *precede(void *looking)
{
    filch__ending_precede(&ending, USE, look_for_long, looking);
    return NULL;
}

xt_define(it_does_not_end_while_somebody_looks)
{
    struct looking l = {0};
    pthread_t thread;
    begin();
    assert_int_equal(pthread_create(&thread, NULL, precede, &l), 0);
    while (!__atomic_load_n(&l.has_begun, __ATOMIC_ACQUIRE))
        xt_sleep_ns(10 * FILCH_US);
    assert_true(filch__ending_both(&ending, USE));
    assert_true(__atomic_load_n(&l.has_ended, __ATOMIC_ACQUIRE));
    assert_int_equal(pthread_join(thread, NULL), 0);
    expect_end();
}

static void *wait_for_end(void *error)
{
    *(int *)error = filch__ending_wait(&ending, USE, FILCH_FOREVER);
    return NULL;
}

xt_define(all_that_wait_are_woken)
{
    enum { WAITING = 3 };
    pthread_t threads[WAITING];
    int errors[WAITING] = {-1, -1, -1};
    begin();
    for (int i = 0; i < WAITING; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, wait_for_end, &errors[i]), 0);
    while ((__atomic_load_n(&ending.word, __ATOMIC_ACQUIRE) & ENDING_WAITED) == 0)
        xt_sleep_ns(10 * FILCH_US);
    xt_sleep_ns(FILCH_MS); /* the others as well, or they come too late: it is the same to them */
    assert_true(filch__ending_both(&ending, USE));
    for (int i = 0; i < WAITING; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    expect_end();
    /* Who has come too late has been told that the handle is not there any more. */
    size_t woken = 0;
    for (int i = 0; i < WAITING; i++) {
        assert_true(errors[i] == 0 || errors[i] == EINVAL);
        woken += errors[i] == 0;
    }
    assert_true(woken > 0);
}

xt_define(a_handle_that_was_given_up_is_noticed)
{
    begin();
    assert_int_equal(filch__ending_give_up(&ending, USE), ENDING_WILL_END);
    assert_false(filch__ending_both(&ending, USE));
    begin();
    assert_true(filch__ending_both(&ending, USE));
    assert_false(filch__ending_both(&ending, USE)); /* nor a second time */
    begin();
    assert_false(filch__ending_both(&ending, USE + ENDING_USE)); /* nor of another use */
    assert_true(filch__ending_is_held(&ending, USE));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        xt_test(it_does_not_end_while_somebody_looks),
        xt_test(all_that_wait_are_woken),
        xt_test(a_handle_that_was_given_up_is_noticed),
    };
    return xt_run(tests);
}
