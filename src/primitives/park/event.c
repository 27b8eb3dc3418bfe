/* SPDX-License-Identifier: Apache-2.0 */
#include "park/event.h"

#include <errno.h>
#include <stddef.h>

/* Lives in the frame of the wait. */
struct event_waiter {
    struct waiter waiter;
    struct event_waiter *next; /* under lock */
    bool is_listed;            /* under lock */
};

void filch__event_set(struct event *e)
{
    filch__lock(&e->lock);
    FILCH_STORE(&e->has_happened, true, EV_set, release);
    struct event_waiter *list = e->waiters;
    e->waiters = NULL;
    for (struct event_waiter *w = list; w != NULL; w = w->next)
        w->is_listed = false;
    filch__unlock(&e->lock);
    while (list != NULL) {
        struct event_waiter *next = list->next; /* the frame may be gone after the unpark */
        filch__unpark(&list->waiter);
        list = next;
    }
}

/* Takes the waiter out again. Returns false where the setter has it already. */
static bool take_back(struct event *e, struct event_waiter *w)
{
    filch__lock(&e->lock);
    bool was_listed = w->is_listed;
    for (struct event_waiter **link = &e->waiters; was_listed && *link != NULL;
         link = &(*link)->next) {
        if (*link == w) {
            *link = w->next;
            break;
        }
    }
    filch__unlock(&e->lock);
    return was_listed;
}

int filch__event_wait(struct event *e, int64_t deadline_ns)
{
    struct event_waiter w = {.is_listed = true};
    if (filch__event_has_happened(e))
        return 0;
    filch__waiter_init(&w.waiter);
    filch__lock(&e->lock);
    bool has_happened = FILCH_LOAD_RELAXED(&e->has_happened); /* under lock */
    if (!has_happened) {
        w.next = e->waiters;
        e->waiters = &w;
    }
    filch__unlock(&e->lock);
    if (has_happened)
        return 0;
    int error = filch__park(&w.waiter, deadline_ns);
    if (error == 0 || take_back(e, &w))
        return error;
    return filch__park_through(&w.waiter, FILCH_FOREVER); /* the setter has it: its touch is due */
}
