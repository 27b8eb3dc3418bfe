/* SPDX-License-Identifier: Apache-2.0 */
/* A channel whose messages are moments that have come: after, at, tick and never. Nothing runs for it;
 * whoever waits for it waits until its next moment. */
#ifndef FILCH_CHAN_TIMED_H
#define FILCH_CHAN_TIMED_H

#include "base/atomic.h"

#include <errno.h>

struct timed {
    FILCH_SHARED(int64_t) due_ns; /* the next moment; FILCH_FOREVER: there is none */
    int64_t period_ns;            /* const; 0: it comes once */
};

/* Returns 0; EAGAIN: it has not come. */
int filch__timed_recv(struct timed *t, int64_t *moment_ns);

static inline int64_t filch__timed_due(struct timed *t)
{
    return FILCH_LOAD_RELAXED(&t->due_ns); /* a time carries nothing else */
}

bool filch__timed_has_come(struct timed *t);

#endif
