/* SPDX-License-Identifier: Apache-2.0 */
/* Deadlines of the tasks that wait on one worker, the earliest first. Owner only, like the worker
 * whose sleep they bound. */
#ifndef FILCH_POOL_TIMER_H
#define FILCH_POOL_TIMER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct waiter;

/* Lives in the frame of the wait. */
struct timer {
    int64_t deadline_ns;
    struct waiter *waiter;
    struct timer *next;
    struct timer **link; /* what points here; NULL: in no list */
};

struct timer_list {
    struct timer *first;
};

/* Adds a timer; `deadline_ns` and `waiter` are set. */
void filch__timer_add(struct timer_list *list, struct timer *timer);

/* Takes a timer out; does nothing where it is in no list. */
void filch__timer_remove(struct timer *timer);

/* Takes out the first timer if its deadline is not after now_ns; NULL: none is due. */
struct timer *filch__timer_due(struct timer_list *list, int64_t now_ns);

/* The earliest deadline; INT64_MAX: none. */
int64_t filch__timer_next(const struct timer_list *list);

#endif
