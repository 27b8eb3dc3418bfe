/* SPDX-License-Identifier: Apache-2.0 */
/* A wait of a task that can be cancelled, in a list of its worker's. */
#ifndef FILCH_POOL_WAIT_H
#define FILCH_POOL_WAIT_H

#include "timer.h"

#include <filch/attr.h>

struct cancel;
struct waiter;

/* In the frame of the wait. Whoever has the list; for all but those of roam.h, its worker only. */
struct wait {
    struct waiter *waiter;
    struct cancel *cancel; /* const: what it is within; NULL: nothing, and it is in no list */
    int64_t deadline_ns;   /* const: its own */
    struct timer timer;    /* for the earliest one around */
    struct wait *next;     /* in the list */
    struct wait **link;
};

/* From now on, whoever looks at the list looks at the wait; no more. */
static FILCH_ALWAYS_INLINE void filch__wait_enlist(struct wait **list, struct wait *wait)
{
    struct wait *first = *list;
    wait->next = first;
    if (first != NULL)
        first->link = &wait->next;
    wait->link = list;
    *list = wait;
}

static FILCH_ALWAYS_INLINE void filch__wait_delist(struct wait *wait)
{
    *wait->link = wait->next;
    if (wait->next != NULL)
        wait->next->link = wait->link;
}

#endif
