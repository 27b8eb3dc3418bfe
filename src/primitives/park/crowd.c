/* SPDX-License-Identifier: Apache-2.0 */
#include "park/crowd.h"

#include <stdbool.h>
#include <stddef.h>

/* Lives in the frame of the wait. */
struct crowd_waiter {
    struct waiter waiter;
    struct crowd_waiter *next;  /* under the lock; the taker's once it is out */
    struct crowd_waiter **link; /* what points here; NULL: taken out. Under the lock */
};

/* Under the lock. */
static void add(struct crowd *c, struct crowd_waiter *w)
{
    w->next = c->first;
    w->link = &c->first;
    if (w->next != NULL)
        w->next->link = &w->next;
    c->first = w;
}

/* Returns false where a waker has it already. */
static bool take_back(struct lock *lock, struct crowd_waiter *w)
{
    filch__lock(lock);
    bool was_in = w->link != NULL;
    if (was_in) {
        *w->link = w->next;
        if (w->next != NULL)
            w->next->link = w->link;
    }
    filch__unlock(lock);
    return was_in;
}

int filch__crowd_wait(struct crowd *c, struct lock *lock, int64_t deadline_ns)
{
    struct crowd_waiter w;
    filch__waiter_init(&w.waiter);
    add(c, &w);
    filch__unlock(lock);
    int error = filch__park(&w.waiter, deadline_ns);
    if (error == 0 || take_back(lock, &w))
        return error;
    return filch__park(&w.waiter, FILCH_FOREVER); /* the waker has it: its touch is due */
}

struct crowd_waiter *filch__crowd_take(struct crowd *c)
{
    struct crowd_waiter *taken = c->first;
    for (struct crowd_waiter *w = taken; w != NULL; w = w->next)
        w->link = NULL;
    c->first = NULL;
    return taken;
}

void filch__crowd_wake(struct crowd_waiter *taken)
{
    while (taken != NULL) {
        struct crowd_waiter *next = taken->next; /* the frame may be gone after the unpark */
        filch__unpark(&taken->waiter);
        taken = next;
    }
}
