/* SPDX-License-Identifier: Apache-2.0 */
/* Deadlines of the tasks that wait on one worker, the earliest first. Owner only, like the worker
 * whose sleep they bound.
 *
 * A pairing heap, in the frames of those that wait: it needs no memory, so that setting a deadline
 * cannot fail. Setting one, and taking back one that has not passed, which is what happens to most, is
 * a few stores; only what is first is found by comparing. (Fredman, Sedgewick, Sleator & Tarjan, "The
 * pairing heap", 1986.) */
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
    uint64_t number; /* in the order in which they were added: of equal ones, the first is first */
    struct timer *child; /* one of those that come after it, and are compared with it alone */
    struct timer *next;  /* of the same parent */
    struct timer **link; /* what points here; NULL: in no list */
};

/* All zero is one without timers. */
struct timer_list {
    struct timer *first;
    uint64_t added; /* how many there have been */
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
