/* SPDX-License-Identifier: Apache-2.0 */
/* The list of deadlines: the earliest first, equal ones in order, removal from anywhere. */
#include "test.h"

#include "timer.h"

#include <filch/time.h>
#include <string.h>

xt_define(an_empty_list)
{
    struct timer_list list = {0};
    assert_true(filch__timer_next(&list) == INT64_MAX);
    assert_null(filch__timer_due(&list, INT64_MAX));
    struct timer never_added = {.deadline_ns = 5};
    filch__timer_remove(&never_added);
    assert_null(list.first);
}

xt_define(a_timer_is_due_at_its_deadline)
{
    struct timer_list list = {0};
    struct timer t = {.deadline_ns = 100};
    filch__timer_add(&list, &t);
    assert_true(filch__timer_next(&list) == 100);
    assert_null(filch__timer_due(&list, 99));
    assert_ptr_equal(filch__timer_due(&list, 100), &t);
    assert_null(filch__timer_due(&list, INT64_MAX));
    filch__timer_remove(&t); /* once more does no harm */
    filch__timer_add(&list, &t);
    filch__timer_remove(&t);
    filch__timer_remove(&t);
    assert_true(filch__timer_next(&list) == INT64_MAX);
}

xt_define(extreme_deadlines)
{
    struct timer_list list = {0};
    struct timer timers[] = {
        {.deadline_ns = INT64_MAX}, {.deadline_ns = INT64_MIN}, {.deadline_ns = 0}};
    for (int i = 0; i < 3; i++)
        filch__timer_add(&list, &timers[i]);
    assert_ptr_equal(filch__timer_due(&list, INT64_MIN), &timers[1]);
    assert_null(filch__timer_due(&list, -1));
    assert_ptr_equal(filch__timer_due(&list, INT64_MAX), &timers[2]);
    assert_ptr_equal(filch__timer_due(&list, INT64_MAX), &timers[0]);
    filch__timer_destroy(&list);
}

enum { TIMERS = 300 };

/* Which of the timers comes first; TIMERS: none is in the list. */
static size_t find_first(const struct timer *timers, const uint64_t *added)
{
    size_t first = TIMERS;
    for (size_t k = 0; k < TIMERS; k++) {
        if (added[k] != 0 &&
            (first == TIMERS || timers[k].deadline_ns < timers[first].deadline_ns ||
             (timers[k].deadline_ns == timers[first].deadline_ns && added[k] < added[first])))
            first = k;
    }
    return first;
}

/* Adds, removes and fires at random, against a plain array. */
xt_define(any_order_of_adding_and_removing)
{
    static struct timer timers[TIMERS];
    static uint64_t added[TIMERS]; /* when; 0: not in the list */
    struct timer_list list = {0};
    uint64_t seed = xt_seed();
    int64_t now = 0;
    for (uint64_t step = 1; step < 20000; step++) {
        size_t i = xt_random(&seed) % TIMERS;
        if (added[i] != 0) {
            filch__timer_remove(&timers[i]);
            added[i] = 0;
        } else {
            timers[i].deadline_ns = now + (int64_t)(xt_random(&seed) % 50);
            filch__timer_add(&list, &timers[i]);
            added[i] = step;
        }
        now += (int64_t)(xt_random(&seed) % 3);
        for (int fires = 0; fires < 2; fires++) {
            size_t first = find_first(timers, added);
            int64_t next = first == TIMERS ? INT64_MAX : timers[first].deadline_ns;
            assert_true(filch__timer_next(&list) == next);
            struct timer *due = filch__timer_due(&list, now);
            if (first == TIMERS || next > now) {
                assert_null(due);
                break;
            }
            assert_ptr_equal(due, &timers[first]);
            added[first] = 0;
        }
    }
}

/* Takes out all that are due, each of which has to be the first, and nothing else. */
static void take_due(struct timer_list *list, const struct timer *timers, uint64_t *added,
                     int64_t now)
{
    for (;;) {
        size_t first = find_first(timers, added);
        bool is_due = first != TIMERS && timers[first].deadline_ns <= now;
        struct timer *due = filch__timer_due(list, now);
        if (!is_due) {
            assert_null(due);
            return;
        }
        assert_ptr_equal(due, &timers[first]);
        added[first] = 0;
    }
}

/* Deadlines from nanoseconds to weeks away, by the clock of a machine that has been up for long; now and
 * then somebody sleeps until the list says. */
static void near_and_far(int64_t now, unsigned bits)
{
    static struct timer timers[TIMERS];
    static uint64_t added[TIMERS]; /* when; 0: not in the list */
    struct timer_list list = {0};
    uint64_t seed = xt_seed();
    memset(timers, 0, sizeof timers);
    memset(added, 0, sizeof added);
    for (uint64_t step = 1; step < 5000; step++) {
        size_t i = xt_random(&seed) % TIMERS;
        if (added[i] != 0) {
            filch__timer_remove(&timers[i]);
            added[i] = 0;
        } else {
            timers[i].deadline_ns =
                now + (int64_t)(xt_random(&seed) >> (64 - bits + xt_random(&seed) % bits));
            filch__timer_add(&list, &timers[i]);
            added[i] = step;
        }
        now += (int64_t)(xt_random(&seed) >> (64 - bits / 2));
        if (step % 8 == 0) {
            size_t first = find_first(timers, added);
            int64_t next = filch__timer_next(&list);
            assert_true(next <= (first == TIMERS ? INT64_MAX : timers[first].deadline_ns));
            assert_true(first == TIMERS || next > now - 1 || next == timers[first].deadline_ns);
            if (first != TIMERS && next > now)
                now = next;
        }
        take_due(&list, timers, added, now);
    }
    for (size_t i = 0; i < TIMERS; i++)
        filch__timer_remove(&timers[i]);
    assert_true(filch__timer_next(&list) == INT64_MAX);
    assert_false(filch__timer_may_have(&list));
    filch__timer_destroy(&list);
}

xt_define(deadlines_near_and_far)
{
    near_and_far(0, 50);
    for (unsigned bits = 10; bits <= 52; bits += 3)
        near_and_far(INT64_C(123456789) << 26, bits);
}

xt_define(sleeping_until_the_next_one_gets_there)
{
    enum { MANY = 1000 };
    static struct timer timers[MANY];
    struct timer_list list = {0};
    uint64_t seed = xt_seed();
    int64_t now = 1;
    int looks = 0;
    int fired = 0;
    for (int i = 0; i < MANY; i++) {
        timers[i].deadline_ns = INT64_C(200000000) + (int64_t)(xt_random(&seed) % 100000000);
        filch__timer_add(&list, &timers[i]);
    }
    while (fired < MANY) {
        struct timer *timer;
        int64_t next = filch__timer_next(&list);
        assert_true(next > now);
        now = next;
        while ((timer = filch__timer_due(&list, now)) != NULL) {
            assert_true(timer->deadline_ns == now);
            fired++;
        }
        assert_true(++looks < 2 * MANY);
    }
    filch__timer_destroy(&list);
}

/* What comes while there is no memory is far off, what comes later is not. */
xt_define(memory_for_drawers_comes_late)
{
    struct timer_list list = {0};
    struct timer far = {.deadline_ns = 10 * FILCH_S};
    struct timer between = {.deadline_ns = 5 * FILCH_S};
    struct timer near = {.deadline_ns = FILCH_S};
    xt_faults_install();
    xt_faults_arm(XT_ALLOC, 1, XT_FAULT_ONCE);
    filch__timer_add(&list, &far);
    assert_int_equal(xt_faults_disarm(), 1);
    filch__timer_add(&list, &between);
    filch__timer_add(&list, &near);
    assert_true(filch__timer_next(&list) == near.deadline_ns);
    assert_ptr_equal(filch__timer_due(&list, near.deadline_ns), &near);
    assert_ptr_equal(filch__timer_due(&list, between.deadline_ns), &between);
    assert_null(filch__timer_due(&list, far.deadline_ns - 1));
    assert_ptr_equal(filch__timer_due(&list, far.deadline_ns), &far);
    assert_true(filch__timer_next(&list) == INT64_MAX);
    far.deadline_ns *= 2;
    filch__timer_add(&list, &far); /* now there is */
    assert_non_null(list.drawers);
    assert_ptr_equal(filch__timer_due(&list, far.deadline_ns), &far);
    filch__timer_destroy(&list);
    xt_faults_remove();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        xt_test(an_empty_list),
        xt_test(a_timer_is_due_at_its_deadline),
        xt_test(extreme_deadlines),
        xt_test(any_order_of_adding_and_removing),
        xt_test(deadlines_near_and_far),
        xt_test(sleeping_until_the_next_one_gets_there),
        xt_test(memory_for_drawers_comes_late),
    };
    return xt_run(tests);
}
