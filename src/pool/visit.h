/* SPDX-License-Identifier: Apache-2.0 */
/* Calls from inside something that can be cancelled into another pool (filch_pool_install): the only way
 * in which what runs in one pool is within something of another one. */
#ifndef FILCH_POOL_VISIT_H
#define FILCH_POOL_VISIT_H

#include "cancel.h"

/* A call from inside `cancel.parent` that runs in `cancel.pool`; in the frame of its caller. */
struct visit {
    struct cancel cancel;
    struct visit *next; /* under a lock of visit.c, like the next */
    struct visit **link;
};

/* From now on, whoever cancels what is around the call asks the places of the other pool as well. */
void filch__visit_begin(struct visit *v, struct cancel *around, struct filch_pool *pool);

/* The call has ended; before its caller knows, since the pool may be gone then. */
void filch__visit_end(struct visit *v);

/* In a forked child: visitors are not here. */
void filch__visit_after_fork(void);

/* Asks the places that visits from inside c have waited at. */
void filch__visits_ask(struct cancel *c);

#endif
