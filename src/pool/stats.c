/* SPDX-License-Identifier: Apache-2.0 */
#include "pool.h"

#include <filch/stats.h>
#include <stdio.h>
#include <string.h>

int filch_pool_stats(struct filch_pool *pool, struct filch_pool_stats *stats)
{
    if (stats == NULL)
        return EINVAL;
    int error = filch__pool_resolve(&pool);
    if (error != 0)
        return error;
    struct filch_pool_stats sum = {0};
    for (size_t i = 0; i < pool->width + pool->guest_count; i++) {
        struct worker_stats *s = &pool->places[i]->stats;
        /* Relaxed throughout: statistics. */
        sum.tasks += FILCH_LOAD_RELAXED(&s->tasks);                 /* statistic */
        sum.steals += FILCH_LOAD_RELAXED(&s->steals);               /* statistic */
        sum.exposures += FILCH_LOAD_RELAXED(&s->exposures);         /* statistic */
        sum.suspensions += FILCH_LOAD_RELAXED(&s->suspensions);     /* statistic */
        sum.sleeps += FILCH_LOAD_RELAXED(&s->sleeps);               /* statistic */
        sum.wakes += FILCH_LOAD_RELAXED(&s->wakes);                 /* statistic */
        sum.stacks_max += FILCH_LOAD_RELAXED(&s->strands);          /* statistic */
        sum.migrations += FILCH_LOAD_RELAXED(&s->migrations);       /* statistic */
        sum.stackless += FILCH_LOAD_RELAXED(&s->stackless);         /* statistic */
        sum.bind_failures += FILCH_LOAD_RELAXED(&s->bind_failures); /* statistic */
    }
    filch__lock(&pool->blocking.lock);
    sum.blocking_calls = pool->blocking.calls;
    sum.blocking_refused = pool->blocking.refused;
    sum.blocking_threads = pool->blocking.threads;
    filch__unlock(&pool->blocking.lock);
    *stats = sum;
    return 0;
}

int filch_pool_describe(struct filch_pool *pool, char *buffer, size_t size_bytes)
{
    if (buffer == NULL || size_bytes == 0)
        return EINVAL;
    int error = filch__pool_resolve(&pool);
    if (error != 0)
        return error;
    buffer[0] = '\0';
    error = filch__event_wait(&pool->machine.known, FILCH_FOREVER);
    if (error != 0)
        return error;
    if (pool->machine.placements == NULL)
        return ENOMEM;
    error = filch__topology_describe(pool->machine.topology, buffer, size_bytes);
    if (error != 0 && error != ENOSPC)
        return error;
    size_t used = strlen(buffer);
    for (size_t i = 0; i < pool->width && used + 1 < size_bytes; i++) {
        int length = snprintf(buffer + used, size_bytes - used, "worker %s-%zu on %s\n", pool->name,
                              i, pool->machine.placements[i].name);
        used += length < 0 ? 0 : (size_t)length;
    }
    return 0;
}
