/* SPDX-License-Identifier: Apache-2.0 */
/* The list of deadlines: the earliest first, equal ones in order, removal from anywhere. */
#include "test.h"

#include "timer.h"

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
}

enum { TIMERS = 300 };

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
            size_t first = TIMERS;
            for (size_t k = 0; k < TIMERS; k++) {
                if (added[k] != 0 &&
                    (first == TIMERS || timers[k].deadline_ns < timers[first].deadline_ns ||
                     (timers[k].deadline_ns == timers[first].deadline_ns &&
                      added[k] < added[first])))
                    first = k;
            }
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        xt_test(an_empty_list),
        xt_test(a_timer_is_due_at_its_deadline),
        xt_test(extreme_deadlines),
        xt_test(any_order_of_adding_and_removing),
    };
    return xt_run(tests);
}
