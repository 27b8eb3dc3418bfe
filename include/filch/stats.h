/* SPDX-License-Identifier: Apache-2.0 */
/* What a pool has done so far.
 *
 *     struct filch_pool_stats stats;
 *     if (filch_pool_stats(pool, &stats) == 0)
 *         printf("%llu steals\n", (unsigned long long)stats.steals);
 *
 * The counters are always on; each worker counts for itself and the sums are taken here, so they
 * are exact only while the pool is at rest.
 */
#ifndef FILCH_STATS_H
#define FILCH_STATS_H

#include <filch/attr.h>
#include <filch/errors.h>
#include <stddef.h>
#include <stdint.h>

FILCH_EXTERN_C_BEGIN

struct filch_pool;

struct filch_pool_stats {
    uint64_t tasks;     /* tasks that workers started from a queue; unstolen halves do not count */
    uint64_t steals;    /* tasks and halves taken from another worker */
    uint64_t exposures; /* times that a thief had to make a busy worker's half public itself */
    uint64_t suspensions; /* tasks that were set aside because they had to wait */
    uint64_t migrations;  /* of these, those that went on with another worker */
    uint64_t sleeps;      /* times that a worker went to sleep */
    uint64_t wakes;       /* times that one of a pool's threads woke a worker */
    uint64_t stacks_max;  /* the largest number of stacks that each worker had at a time beside its
                             own, summed */
    uint64_t bind_failures; /* workers that could not be bound as planned; they run unbound */
    /* Waits for which no stack was to be had, so that the worker itself waited or went on only with what
     * had one. */
    uint64_t stackless;
    uint64_t blocking_calls; /* calls of filch_blocking in tasks */
    uint64_t
        blocking_refused; /* of these, those that ran on their worker: no thread was to be had */
    uint64_t blocking_threads; /* spare threads that there are now */
};

#ifdef __cplusplus /* a struct and a function of one name: g++ -Wshadow minds */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wshadow"
#endif

/* Sums the counters of a pool.
 *   pool   NULL: the default pool                                                           [in]
 *   stats  receives the sums                                                               [out]
 * Returns 0; EINVAL (stats NULL); else as filch_pool_default. Blocks: never. Panics: never.
 * Callable from: threads and tasks. */
FILCH_API FILCH_NODISCARD int filch_pool_stats(struct filch_pool *pool,
                                               struct filch_pool_stats *stats);
#ifdef __cplusplus
#pragma GCC diagnostic pop
#endif

/* Describes the machine as a pool sees it, as text: processors, caches, quota, where each worker
 * runs. It is what `filch-bench info` prints.
 *   pool    NULL: the default pool                                                          [in]
 *   buffer  receives a NUL-terminated text, cut where it does not fit                      [out]
 *   size_bytes  of buffer; at least 1
 * Returns 0; EINVAL; ENOMEM; ECANCELED; else as filch_pool_default. Blocks: in the first milliseconds of the
 * default pool, until its workers have their places; a task suspends. Panics: never.
 * Callable from: threads and tasks. */
FILCH_API FILCH_NODISCARD int filch_pool_describe(struct filch_pool *pool, char *buffer,
                                                  size_t size_bytes);

FILCH_EXTERN_C_END

#endif
