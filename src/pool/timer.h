/* SPDX-License-Identifier: Apache-2.0 */
/* Deadlines of the tasks that wait on one worker, the earliest first. Owner only, like the worker
 * whose sleep they bound.
 *
 * They lie in the frames of those that wait, so setting a deadline cannot fail. Those of the near future, of
 * one slot of 131 us, and all before, are a pairing heap. (Fredman, Sedgewick, Sleator & Tarjan, "The pairing
 * heap", 1986.) Comparing many in as many stacks would be as many cache misses; so the others lie in drawers,
 * unsorted, and each is only looked at again when its drawer's time has come: then it goes to a finer drawer,
 * or to the heap. Drawers are those of a hierarchical wheel (Varghese & Lauck, 1987) of 64 to a level, but
 * without a tick: a level is chosen by the first digit, to the base of 64, in which the slot differs from
 * that of the time reached, so that all drawers of a level come before those of the next one (as in a radix
 * heap; Ahuja, Mehlhorn, Orlin & Tarjan 1990), and empty ones are passed over by their bits. Drawers are
 * allocated when the first timer needs them; without memory for them, all timers go to the heap. */
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
    struct timer *child;       /* one of those that come after it, and are compared with it alone */
    struct timer *next;        /* of the same parent */
    struct timer **link;       /* what points here; NULL: in no list */
    const struct timer *ahead; /* in a drawer: to be fetched; may be gone */
};

struct timer_drawers;

#define TIMER_HEAP (UINT64_C(1) << 63)

/* All zero is one without timers. */
struct timer_list {
    struct timer *first; /* of the heap */
    uint64_t levels;     /* bit i: a drawer of level i may have a timer; TIMER_HEAP: the heap may */
    int64_t reached_ns;  /* the latest time at which somebody looked */
    uint64_t added;      /* how many there have been */
    struct timer_drawers *drawers; /* NULL: none have been needed, or there was no memory */
    bool is_all_near; /* there was none, and the heap may have timers that are far off */
};

/* Frees what it has allocated; no timer is left. */
void filch__timer_destroy(struct timer_list *list);

/* Whether a look might find a timer; true for a while after the last one was taken out. */
static inline bool filch__timer_may_have(const struct timer_list *list)
{
    return list->levels != 0;
}

/* Adds a timer; `deadline_ns` and `waiter` are set. */
void filch__timer_add(struct timer_list *list, struct timer *timer);

/* Takes a timer out; does nothing where it is in no list. */
void filch__timer_remove(struct timer *timer);

/* Takes out the first timer if its deadline is not after now_ns; NULL: none is due. */
struct timer *filch__timer_due(struct timer_list *list, int64_t now_ns);

/* The earliest deadline, or, where many are far off, a time before it at which to ask again; INT64_MAX: none. */
int64_t filch__timer_next(struct timer_list *list);

#endif
