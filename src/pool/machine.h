/* SPDX-License-Identifier: Apache-2.0 */
/* Where the workers of a pool run: known before they start, or, for the default pool, found out by its
 * last worker while the others begin.
 *
 * To ask hwloc takes a millisecond for two CPUs, and more for more: several times what else it takes until
 * a first task runs. How many workers there are follows from the affinity mask and the quota alone. So the
 * first use of the default pool does not wait for the rest. Until it is known, all its workers run where
 * they like and all victims are equally far; then the last worker binds them all. A pool that is created by
 * the user waits, so that its workers are where they belong when the call returns.
 *
 * Not put off: where hwloc has been given variables in the environment, since they may say that this is
 * another machine, as wide as they please.
 */
#ifndef FILCH_POOL_MACHINE_H
#define FILCH_POOL_MACHINE_H

#include "park/event.h"

#include <filch/attr.h>
#include <filch/pool.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct filch_pool;
struct placement;
struct topology;
struct worker;

struct machine {
    struct topology *topology;    /* const once known; NULL: there was no memory for it */
    struct placement *placements; /* likewise: one for each worker */
    uint16_t *at_cpu; /* likewise: which worker is tied to its core, from 1 on; 0: none */
    size_t cpu_count; /* likewise: of these */
    ptrdiff_t
        cpu_offset; /* likewise, from a thread's pointer: the number of its processor; 0: nowhere */
    enum filch_bind bind; /* const */
    struct event known;
};

/* Sets the width of the pool, and what is known of the machine.
 *   workers         0: as many as the machine grants
 *   hwloc_topology  the user's; NULL: none
 *   may_put_off     filch__machine_find_out is called by the last worker, if it is not known yet
 * Returns 0; EINVAL, ENOMEM. Blocks: for the reading of kernel files. Panics: never. */
FILCH_NODISCARD int filch__machine_init(struct filch_pool *pool, size_t workers,
                                        void *hwloc_topology, bool may_put_off);

void filch__machine_destroy(struct machine *m);

/* Whether it is known. Ordering: acquires what was found out. */
static inline bool filch__machine_is_known(struct machine *m)
{
    return filch__event_has_happened(&m->known) && m->placements != NULL;
}

/* The worker that is tied to the core where the caller runs; NULL: there is none, or it is not known. */
struct worker *filch__machine_local(struct filch_pool *pool);

/* Chooses the order in which a worker looks at the others; nearest first, if that is known.
 * Returns 0; ENOMEM. */
FILCH_NODISCARD int filch__machine_choose_victims(struct filch_pool *pool, struct worker *w);

/* In a worker, first of all: if it is known where, it binds itself. If not, and it is the last worker, it
 * finds out for all of them. Returns how many threads could not be bound. */
size_t filch__machine_settle(struct worker *w);

#endif
