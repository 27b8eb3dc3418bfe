/* SPDX-License-Identifier: Apache-2.0 */
/* The blocking point, for OS threads: park and unpark in every order, deadlines, and races between
 * the two; and the clock that deadlines are on. */
#include "test.h"

#include "os/os.h"
#include "park/park.h"
#include "park/spin.h"

#include <errno.h>

xt_define(the_wake_up_may_come_first)
{
    struct waiter w;
    filch__waiter_init(&w);
    filch__unpark(&w);
    assert_int_equal(filch__park(&w, FILCH_FOREVER), 0);
    filch__waiter_init(&w);
    filch__unpark(&w);
    assert_int_equal(filch__park(&w, 0), 0); /* an event that came with the deadline counts */
}

static void *unpark_later(void *argument)
{
    xt_sleep_ns(2 * FILCH_MS);
    filch__unpark(argument);
    return NULL;
}

xt_define(the_wake_up_may_come_later)
{
    for (int i = 0; i < 20; i++) {
        struct waiter w;
        filch__waiter_init(&w);
        pthread_t thread;
        assert_int_equal(pthread_create(&thread, NULL, unpark_later, &w), 0);
        assert_int_equal(filch__park(&w, i % 2 == 0 ? FILCH_FOREVER : filch_deadline_in(FILCH_S)),
                         0);
        assert_int_equal(pthread_join(thread, NULL), 0);
    }
}

xt_define(deadlines_pass)
{
    static const int64_t past[] = {INT64_MIN, -1, 0, 1};
    struct waiter w;
    for (size_t i = 0; i < sizeof past / sizeof past[0]; i++) {
        filch__waiter_init(&w);
        assert_int_equal(filch__park(&w, past[i]), ETIMEDOUT);
    }
    filch__waiter_init(&w);
    for (int i = 1; i < 4; i++) {
        int64_t begin = xt_now_ns();
        int64_t deadline = begin + i * 5 * FILCH_MS;
        assert_int_equal(filch__park(&w, deadline), ETIMEDOUT);
        assert_true(xt_now_ns() >= deadline);
    }
    filch__unpark(&w);
    assert_int_equal(filch__park(&w, FILCH_FOREVER), 0);
}

static uint64_t interruptions;

static int futex_wait_restless(uint32_t *word, uint32_t expected, int64_t deadline_ns)
{
    if (__atomic_add_fetch(&interruptions, 1, __ATOMIC_RELAXED) % 10 != 0)
        return interruptions % 2 == 0 ? EINTR : 0;
    return filch__os_linux.futex_wait(word, expected, deadline_ns);
}

xt_define(returns_without_reason_are_no_wake_ups)
{
    struct os_table table = filch__os_linux;
    table.futex_wait = futex_wait_restless;
    filch__os_replace(&table);
    struct waiter w;
    filch__waiter_init(&w);
    int64_t deadline = filch_deadline_in(5 * FILCH_MS);
    int result = filch__park(&w, deadline);
    filch__os_replace(NULL);
    assert_int_equal(result, ETIMEDOUT);
    assert_true(interruptions >= 10);
}

/* --- races --- */

struct pair {
    struct waiter *shown; /* the parking side's offer; NULL: none */
    size_t rounds;
    uint64_t woken;
    uint64_t late;
    uint64_t payload; /* plain: the wake-up orders it */
};

static void *wake_what_is_shown(void *argument)
{
    struct pair *p = argument;
    uint64_t seed = xt_seed();
    for (size_t i = 0; i < p->rounds;) {
        for (uint64_t spin = xt_random(&seed) % 64; spin > 0; spin--)
            filch__cpu_relax();
        struct waiter *w = __atomic_exchange_n(&p->shown, NULL, __ATOMIC_ACQ_REL);
        if (w == NULL) {
            if (xt_random(&seed) % 64 == 0)
                xt_sleep_ns(0);
            continue;
        }
        p->payload = ++i;
        filch__unpark(w);
    }
    return NULL;
}

/* Parks with deadlines that come about when the waker does: a waiter that could not be taken back
 * has been, or will be, woken. */
xt_define(deadlines_race_with_wake_ups)
{
    struct pair p = {.rounds = xt_scaled(40000)};
    uint64_t seed = xt_seed() + 1;
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, wake_what_is_shown, &p), 0);
    while (p.woken < p.rounds) {
        struct waiter w;
        filch__waiter_init(&w);
        __atomic_store_n(&p.shown, &w, __ATOMIC_RELEASE);
        int64_t deadline = xt_now_ns() + (int64_t)(xt_random(&seed) % 20000);
        int error = filch__park(&w, xt_random(&seed) % 8 == 0 ? FILCH_FOREVER : deadline);
        if (error == ETIMEDOUT) {
            p.late++;
            struct waiter *mine = &w;
            if (__atomic_compare_exchange_n(&p.shown, &mine, NULL, false, __ATOMIC_ACQ_REL,
                                            __ATOMIC_ACQUIRE))
                continue;
            error = filch__park(&w, FILCH_FOREVER);
        }
        assert_int_equal(error, 0);
        assert_int_equal(p.payload, ++p.woken);
    }
    assert_int_equal(pthread_join(thread, NULL), 0);
}

xt_define(errno_is_preserved)
{
    struct waiter w;
    filch__waiter_init(&w);
    errno = ENOTTY;
    assert_int_equal(filch__park(&w, 0), ETIMEDOUT);
    filch__unpark(&w);
    assert_int_equal(filch__park(&w, 0), 0);
    assert_int_equal(errno, ENOTTY);
}

/* --- the clock --- */

static int64_t fake_now_ns;

static int64_t now_fake(void)
{
    return fake_now_ns;
}

xt_define(deadlines_are_computed_without_overflow)
{
    int64_t before = xt_now_ns();
    int64_t now = filch_now_ns();
    assert_true(before <= now && now <= xt_now_ns());
    struct os_table table = filch__os_linux;
    table.now_ns = now_fake;
    filch__os_replace(&table);
    fake_now_ns = 1000;
    int64_t results[] = {filch_deadline_in(0),
                         filch_deadline_in(-1),
                         filch_deadline_in(INT64_MIN),
                         filch_deadline_in(5),
                         filch_deadline_in(INT64_MAX),
                         filch_deadline_in(INT64_MAX - 1000),
                         filch_deadline_in(INT64_MAX - 999)};
    filch__os_replace(NULL);
    assert_int_equal(results[0], 1000);
    assert_int_equal(results[1], 1000);
    assert_int_equal(results[2], 1000);
    assert_int_equal(results[3], 1005);
    assert_true(results[4] == FILCH_FOREVER);
    assert_true(results[5] == FILCH_FOREVER);
    assert_true(results[6] == FILCH_FOREVER);
}

/* --- looking before sleeping --- */

static int64_t clock_ns;
static unsigned yields;
static unsigned sleeps;
static struct waiter *woken_by_yield; /* by the third one */

static int64_t slow_clock(void)
{
    return clock_ns += 1000;
}

static void count_yield(void)
{
    if (++yields == 3 && woken_by_yield != NULL)
        filch__unpark(woken_by_yield);
}

static int count_sleep(uint32_t *word, uint32_t expected, int64_t deadline_ns)
{
    sleeps++;
    return filch__os_linux.futex_wait(word, expected, deadline_ns);
}

static void count_wake(uint32_t *word, int count)
{
    sleeps++;
    filch__os_linux.futex_wake(word, count);
}

static void begin_counting(void)
{
    static struct os_table table;
    table = filch__os_linux;
    table.now_ns = slow_clock;
    table.yield = count_yield;
    table.futex_wait = count_sleep;
    table.futex_wake = count_wake;
    yields = sleeps = 0;
    clock_ns = FILCH_S;
    filch__os_replace(&table);
}

xt_define(a_wake_up_that_comes_soon_costs_no_call_into_the_kernel)
{
    begin_counting();
    for (int i = 0; i < 40; i++) {
        struct waiter w;
        filch__waiter_init(&w);
        yields = 0;
        woken_by_yield = &w;
        assert_int_equal(filch__park(&w, FILCH_FOREVER), 0);
        assert_int_equal(yields, 3);
    }
    woken_by_yield = NULL;
    filch__os_replace(NULL);
    assert_int_equal(sleeps, 0);
}

/* How many looks a wait that is never woken begins with, before it lets others run. */
static unsigned looks_before_yield(void)
{
    struct spin spin = {0};
    unsigned looks = 0;
    yields = 0;
    while (filch__spin(&spin)) {
        if (yields == 0)
            looks++;
    }
    assert_int_not_equal(yields, 0);
    assert_true(yields <= 10); /* a microsecond each, by the clock of this test */
    return looks;
}

xt_define(who_has_paused_in_vain_lets_others_run_at_once_for_a_while)
{
    enum { WHILE_MAX = 64 };
    unsigned without = 0;
    begin_counting();
    for (int i = 0; looks_before_yield() == 0; i++)
        assert_true(i < WHILE_MAX); /* what other tests have left */
    while (looks_before_yield() == 0)
        assert_true(++without < WHILE_MAX);
    assert_true(without > 4);
    for (unsigned i = 0; i < without; i++)
        assert_int_equal(looks_before_yield(), 0);
    for (int i = 0; i < 3; i++) { /* pauses that are of use stay */
        struct spin spin = {0};
        assert_true(filch__spin(&spin) && filch__spin(&spin));
        assert_true(spin.end_ns == 0);
    }
    assert_int_not_equal(looks_before_yield(), 0);
    filch__os_replace(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        xt_test(the_wake_up_may_come_first),
        xt_test(the_wake_up_may_come_later),
        xt_test(deadlines_pass),
        xt_test(returns_without_reason_are_no_wake_ups),
        xt_test(deadlines_race_with_wake_ups),
        xt_test(errno_is_preserved),
        xt_test(deadlines_are_computed_without_overflow),
        xt_test(a_wake_up_that_comes_soon_costs_no_call_into_the_kernel),
        xt_test(who_has_paused_in_vain_lets_others_run_at_once_for_a_while),
    };
    return xt_run(tests);
}
