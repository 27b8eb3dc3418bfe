/* SPDX-License-Identifier: Apache-2.0 */
/* Sleeping, yielding, and how many threads can run at once. */
#define _GNU_SOURCE 1 /* affinities */
#include "test.h"

#include "os/cgroup.h"
#include "os/os.h"

#include <errno.h>
#include <filch/thread.h>
#include <sched.h>
#include <signal.h>
#include <sys/time.h>

xt_define(a_sleep_lasts_as_long_as_asked_for)
{
    static const int64_t durations[] = {1, 1000, 300000, 2 * FILCH_MS};
    for (size_t i = 0; i < sizeof durations / sizeof durations[0]; i++) {
        int64_t begin = xt_now_ns();
        filch_sleep_ns(durations[i]);
        assert_true(xt_now_ns() - begin >= durations[i]);
        int64_t deadline = filch_deadline_in(durations[i]);
        filch_sleep_until(deadline);
        assert_true(xt_now_ns() >= deadline);
    }
}

/* Counts what the system is asked to wait for. */
static unsigned waits;

static int count_wait(uint32_t *word, uint32_t expected, int64_t deadline_ns)
{
    waits++;
    return filch__os_linux.futex_wait(word, expected, deadline_ns);
}

xt_define(no_sleep_waits_for_nothing)
{
    static struct os_table table;
    table = filch__os_linux;
    table.futex_wait = count_wait;
    filch__os_replace(&table);
    filch_sleep_ns(0);
    filch_sleep_ns(-1);
    filch_sleep_ns(INT64_MIN);
    filch_sleep_until(0);
    filch_sleep_until(-1);
    assert_int_equal(waits, 0);
    filch_sleep_ns(1000);
    filch__os_replace(NULL);
    assert_true(waits > 0);
}

static unsigned signals;

static void count_signal(int signal)
{
    (void)signal;
    __atomic_fetch_add(&signals, 1, __ATOMIC_RELAXED);
}

xt_define(signals_do_not_shorten_a_sleep)
{
    struct sigaction action = {.sa_handler = count_signal}; /* no SA_RESTART */
    struct itimerval often = {{0, 500}, {0, 500}};
    struct itimerval never = {{0, 0}, {0, 0}};
    assert_int_equal(sigaction(SIGALRM, &action, NULL), 0);
    assert_int_equal(setitimer(ITIMER_REAL, &often, NULL), 0);
    int64_t begin = xt_now_ns();
    errno = ENOTTY;
    filch_sleep_ns(20 * FILCH_MS);
    assert_int_equal(errno, ENOTTY);
    assert_true(xt_now_ns() - begin >= 20 * FILCH_MS);
    while (__atomic_load_n(&signals, __ATOMIC_RELAXED) == 0)
        filch_sleep_ns(FILCH_MS);
    assert_int_equal(setitimer(ITIMER_REAL, &never, NULL), 0);
    (void)signal(SIGALRM, SIG_DFL);
}

static unsigned yields;

static void count_yield(void)
{
    yields++;
}

xt_define(a_yield_is_one_of_the_system)
{
    static struct os_table table;
    table = filch__os_linux;
    table.yield = count_yield;
    filch__os_replace(&table);
    filch_yield();
    filch_yield();
    filch__os_replace(NULL);
    assert_int_equal(yields, 2);
    filch_yield();
}

/* --- available parallelism --- */

static size_t quota(void)
{
    uint64_t milli_cpus;
    assert_int_equal(filch__cgroup_quota(NULL, &milli_cpus), 0);
    return milli_cpus < 1000 ? 1 : (size_t)(milli_cpus / 1000);
}

xt_define(as_many_as_the_mask_and_the_quota_allow)
{
    cpu_set_t mask;
    assert_int_equal(sched_getaffinity(0, sizeof mask, &mask), 0);
    size_t cpus = (size_t)CPU_COUNT(&mask);
    assert_int_equal(filch_available_parallelism(), cpus < quota() ? cpus : quota());
    /* It is no number for ever. */
    xt_use_one_cpu(true);
    assert_int_equal(filch_available_parallelism(), 1);
    xt_use_one_cpu(false);
    assert_int_equal(filch_available_parallelism(), cpus < quota() ? cpus : quota());
}

xt_define(without_memory_there_is_one)
{
    xt_faults_install();
    xt_faults_arm(XT_ALLOC, 1, XT_FAULT_ONWARD);
    size_t count = filch_available_parallelism();
    (void)xt_faults_disarm();
    xt_faults_remove();
    assert_int_equal(count, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        xt_test(a_sleep_lasts_as_long_as_asked_for),      xt_test(no_sleep_waits_for_nothing),
        xt_test(signals_do_not_shorten_a_sleep),          xt_test(a_yield_is_one_of_the_system),
        xt_test(as_many_as_the_mask_and_the_quota_allow), xt_test(without_memory_there_is_one),
    };
    return xt_run(tests);
}
