/* SPDX-License-Identifier: Apache-2.0 */
/* The simulation itself: it repeats, it varies, and it finds what it is there to find. */
#include "test.h"

#include "simulate.h"

#include "base/atomic.h"
#include "os/os.h"

#include <errno.h>
#include <filch/thread.h>
#include <filch/time.h>
#include <string.h>

static uint32_t word;

static struct filch_thread *spawn(void *(*fn)(void *), void *argument)
{
    struct filch_thread *thread = NULL;
    int error = filch_thread_spawn(&thread, NULL, fn, argument);
    xt_expect_equal(error, 0);
    return thread;
}

static void run_two(void *(*first)(void *), void *(*second)(void *))
{
    struct filch_thread *a = spawn(first, NULL);
    struct filch_thread *b = spawn(second, NULL);
    xt_expect_equal(filch_thread_join(a, NULL, NULL), 0);
    xt_expect_equal(filch_thread_join(b, NULL, NULL), 0);
}

/* --- schedules --- */

static void *append(void *argument)
{
    uint32_t digit = (uint32_t)(uintptr_t)argument;
    for (int i = 0; i < 3; i++)
        FILCH_STORE_RELAXED(&word, word * 2 + digit); /* one thread at a time */
    return NULL;
}

static void *append_zeros(void *unused)
{
    (void)unused;
    return append(NULL);
}

static void *append_ones(void *unused)
{
    (void)unused;
    return append((void *)1);
}

static void interleave(void)
{
    word = 0;
    run_two(append_zeros, append_ones);
}

xt_define(one_number_is_one_schedule)
{
    enum { SCHEDULES = 200 };
    uint64_t traces[SCHEDULES];
    size_t repeated = 0;
    for (uint64_t i = 0; i < SCHEDULES; i++) {
        traces[i] = simulate_schedule(i, interleave);
        uint32_t result = word;
        xt_expect(simulate_schedule(i, interleave) == traces[i]);
        xt_expect_equal(word, result);
    }
    for (size_t i = 1; i < SCHEDULES; i++)
        repeated += traces[i] == traces[i - 1];
    xt_expect(repeated < SCHEDULES / 10);
}

/* Three digits of one thread and three of the other have 20 orders. */
xt_define(every_order_comes_about)
{
    bool seen[64] = {false};
    size_t orders = 0;
    for (uint64_t i = 0; i < 5000; i++) {
        (void)simulate_schedule(i, interleave);
        orders += !seen[word % 64];
        seen[word % 64] = true;
    }
    xt_expect_equal(orders, 20);
}

/* --- time --- */

static void sleep_long(void)
{
    int64_t begin_ns = filch_now_ns();
    uint32_t never = 0;
    xt_expect_equal(filch__os->futex_wait(&never, 1, begin_ns + 1), EAGAIN);
    simulate_sleep(INT64_C(3600) * 1000000000);
    xt_expect(filch_now_ns() >= begin_ns + INT64_C(3600) * 1000000000);
}

xt_define(an_hour_takes_no_time)
{
    int64_t begin_ns = xt_now_ns();
    simulate("sleep_long", 20, sleep_long);
    xt_expect(xt_now_ns() < begin_ns + INT64_C(3600) * 1000000000);
}

/* --- what is found --- */

static void *increment_badly(void *unused)
{
    (void)unused;
    uint32_t value = FILCH_LOAD_RELAXED(&word); /* wrong, on purpose */
    FILCH_STORE_RELAXED(&word, value + 1);
    return NULL;
}

static void lose_an_update(void)
{
    word = 0;
    run_two(increment_badly, increment_badly);
    xt_expect_equal(word, 2);
}

static void *sleep_while_zero(void *unused)
{
    (void)unused;
    if (FILCH_LOAD_RELAXED(&word) == 0) /* wrong, on purpose: the kernel is not asked to compare */
        (void)filch__os->futex_wait(&word, FILCH_LOAD_RELAXED(&word), INT64_MAX);
    return NULL;
}

static void *set_and_wake(void *unused)
{
    (void)unused;
    FILCH_STORE_RELAXED(&word, 1);
    filch__os->futex_wake(&word, 1);
    return NULL;
}

static void lose_a_wake(void)
{
    word = 0;
    run_two(sleep_while_zero, set_and_wake);
}

static void *spin_until_two(void *unused)
{
    (void)unused;
    while (FILCH_LOAD_RELAXED(&word) != 2)
        filch__cpu_relax();
    return NULL;
}

static void spin_forever(void)
{
    word = 0;
    run_two(spin_until_two, set_and_wake);
}

static void spin_for_another(void)
{
    word = 1;
    run_two(spin_until_two, increment_badly);
}

static void simulate_in_child(void *body)
{
    simulate("scenario", 500, *(void (**)(void))body);
}

static void find(void (*body)(void), const char *first, const char *second)
{
    struct xt_child child;
    xt_run_child(&child, simulate_in_child, &body);
    xt_expect(child.status != 0);
    xt_expect(strstr(child.output, first) != NULL);
    xt_expect(strstr(child.output, second) != NULL);
    xt_expect(strstr(child.output, "FILCH_SCHEDULE=scenario:") != NULL);
}

xt_define(a_lost_update_is_found)
{
    find(lose_an_update, "word == 2 (1, not 2)", "expectations failed");
}

xt_define(a_lost_wake_up_is_a_deadlock)
{
    find(lose_a_wake, "deadlock", "sleeps on");
}

xt_define(no_progress_is_a_livelock)
{
    find(spin_forever, "livelock", "test_simulate.c");
}

xt_define(who_spins_lets_others_go_on)
{
    simulate("spin_for_another", 500, spin_for_another);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        xt_test(one_number_is_one_schedule),   xt_test(every_order_comes_about),
        xt_test(an_hour_takes_no_time),        xt_test(a_lost_update_is_found),
        xt_test(a_lost_wake_up_is_a_deadlock), xt_test(no_progress_is_a_livelock),
        xt_test(who_spins_lets_others_go_on),
    };
    return xt_run(tests);
}
