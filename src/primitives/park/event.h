/* SPDX-License-Identifier: Apache-2.0 */
/* An event that happens once, and any number of waiters for it, each with its own deadline. */
#ifndef FILCH_PARK_EVENT_H
#define FILCH_PARK_EVENT_H

#include "park/lock.h"
#include "park/park.h"

#include <stdbool.h>

struct event_waiter;

/* All zero is an event that has not happened. */
struct event {
    struct lock lock;
    FILCH_SHARED(bool) has_happened; /* written under lock */
    struct event_waiter *waiters;    /* under lock */
};

/* The event happens: wakes all that wait for it. Once. The event may be gone when it returns only if
 * whoever frees it has made sure of that by other means.
 * Blocks: briefly. Panics: never. Ordering: releases to every wait that returns 0 (EV_set). */
void filch__event_set(struct event *e);

/* Waits for the event.
 *   deadline_ns  absolute, CLOCK_MONOTONIC; FILCH_FOREVER for none
 * Returns 0; ETIMEDOUT; ECANCELED. Blocks: yes; a task suspends, its worker goes on. Panics: never.
 * Ordering: acquires what the setter released (EV_look). */
int filch__event_wait(struct event *e, int64_t deadline_ns);

/* Whether it has happened. Ordering: acquires, as the wait. */
static inline bool filch__event_has_happened(struct event *e)
{
    return FILCH_LOAD(&e->has_happened, EV_look, acquire);
}

#endif
