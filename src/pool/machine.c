/* SPDX-License-Identifier: Apache-2.0 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* sched_getcpu */
#endif
#include "machine.h"

#include "pool.h"

#include "base/check.h"
#include "base/section.h"
#include "os/env.h"

#include <sched.h>
/* gcc knows the thread's pointer of x86 from 11 on. */
#if defined(__GLIBC__) && (defined(__clang__) || __GNUC__ >= 11)
#if __GLIBC_PREREQ(2, 35)
#include <sys/rseq.h>
#define HAS_RSEQ 1
#endif
#endif
#ifndef HAS_RSEQ
#define HAS_RSEQ 0
#endif

/* Where the kernel keeps the number of the processor up to date in each thread's own memory: 0: nowhere. */
static ptrdiff_t find_cpu_offset(void)
{
#if HAS_RSEQ
    if (__rseq_size > 0)
        return __rseq_offset + (ptrdiff_t)offsetof(struct rseq, cpu_id);
#endif
    return 0;
}

/* Takes note of who is tied to which core. */
static int list_cpus(struct machine *m, size_t width)
{
    m->at_cpu =
        filch__os_alloc_zeroed(m->topology->cpu_limit, sizeof *m->at_cpu, _Alignof(uint16_t));
    if (m->at_cpu == NULL)
        return ENOMEM;
    m->cpu_count = m->topology->cpu_limit;
    m->cpu_offset = find_cpu_offset();
    for (size_t i = 0; i < width; i++) {
        const struct placement *place = &m->placements[i];
        for (uint32_t k = 0; place->is_pinned && k < place->pu_count; k++)
            m->at_cpu[m->topology->pus[place->first_pu + k].os_index] = (uint16_t)(i + 1);
    }
    return 0;
}

/* Chooses the places of the workers on the machine, which it keeps, whatever it returns. */
static int place_workers(struct filch_pool *pool, struct topology *t)
{
    struct machine *m = &pool->machine;
    m->topology = t;
    m->placements = filch__os_alloc_zeroed(pool->width, sizeof *m->placements, FILCH_CACHE_LINE);
    if (m->placements == NULL)
        return ENOMEM;
    int error = filch__topology_place(t, pool->width, m->bind, m->placements);
    return error == 0 && t->is_this_machine ? list_cpus(m, pool->width) : error;
}

static size_t clamp_width(size_t width)
{
    return width < POOL_WORKERS_MAX ? width : (size_t)POOL_WORKERS_MAX;
}

static int find_width(struct filch_pool *pool)
{
    struct topology *t;
    int error = filch__topology_create_flat(&t);
    if (error != 0)
        return error;
    pool->width = clamp_width(filch__topology_width(t));
    filch__topology_destroy(t);
    return 0;
}

int filch__machine_init(struct filch_pool *pool, size_t workers, void *hwloc_topology,
                        bool may_put_off)
{
    pool->width = workers;
    if (may_put_off && hwloc_topology == NULL && !filch__env_has_any("HWLOC_"))
        return workers == 0 ? find_width(pool) : 0;
    struct topology_source source = {.hwloc_topology = hwloc_topology};
    struct topology *t;
    int error = filch__topology_create(&t, hwloc_topology != NULL ? &source : NULL);
    if (error != 0)
        return error;
    if (workers == 0)
        pool->width = clamp_width(filch__topology_width(t));
    FILCH_DCHECK(workers != 0 || pool->width <= t->pu_count);
    error = place_workers(pool, t);
    if (error == 0)
        filch__event_set(&pool->machine.known);
    return error;
}

void filch__machine_destroy(struct machine *m)
{
    filch__os->free(m->at_cpu);
    filch__os->free(m->placements);
    filch__topology_destroy(m->topology);
}

/* The processor where the caller runs; -1: it cannot be told. Read where it lies, if it does: after a long sleep
 * the C library's way to it takes a microsecond. */
static FILCH_ALWAYS_INLINE int current_cpu(const struct machine *m)
{
    int cpu = -1;
    (void)m;
#if HAS_RSEQ
    if (FILCH_LIKELY(m->cpu_offset != 0))
        cpu = *(const volatile int *)((const char *)__builtin_thread_pointer() + m->cpu_offset);
#endif
    return FILCH_LIKELY(cpu >= 0) ? cpu : sched_getcpu();
}

FILCH_WAKE_PATH struct worker *filch__machine_local(struct filch_pool *pool)
{
    struct machine *m = &pool->machine;
    if (!filch__machine_is_known(m))
        return NULL;
    int cpu = current_cpu(m); /* -1 is nowhere */
    size_t number = (size_t)cpu < m->cpu_count ? m->at_cpu[cpu] : 0;
    return number == 0 ? NULL : pool->places[number - 1];
}

/* Relaxed: an order is as good as another one, and a thief that reads while it changes looks again. */
static void set_victims(struct worker *w, const uint32_t *order)
{
    for (size_t i = 0; i < w->victim_count; i++)
        FILCH_STORE_RELAXED(&w->victims[i], order[i]); /* see above */
}

int filch__machine_choose_victims(struct filch_pool *pool, struct worker *w)
{
    size_t count = pool->width - 1;
    if (count == 0)
        return 0;
    uint32_t *order = filch__os_alloc_zeroed(count, sizeof *order, _Alignof(uint32_t));
    if (w->victims == NULL) { /* before it starts */
        w->victims = filch__os_alloc_zeroed(count, sizeof *w->victims, FILCH_CACHE_LINE);
        w->victim_count = count;
    }
    if (order == NULL || w->victims == NULL) {
        filch__os->free(order);
        return ENOMEM;
    }
    struct machine *m = &pool->machine;
    int error = 0;
    if (m->placements != NULL)
        error = filch__topology_victims(m->topology, m->placements, pool->width, w->index, order);
    for (size_t i = 0; m->placements == NULL && i < count; i++)
        order[i] = (uint32_t)((w->index + 1 + i) % pool->width);
    if (error == 0)
        set_victims(w, order);
    filch__os->free(order);
    return error;
}

/* For all workers. What was begun before it is known where it belongs runs on from there. */
static size_t find_out(struct filch_pool *pool, struct worker *self)
{
    struct machine *m = &pool->machine;
    struct topology *t;
    size_t failures = 0;
    int error = filch__topology_create(&t, NULL);
    if (error == 0)
        error = place_workers(pool, t);
    if (error != 0) {
        filch__machine_destroy(m);
        m->topology = NULL;
        m->placements = NULL;
        m->at_cpu = NULL;
        m->cpu_count = 0;
    }
    /* A thread that a worker starts before it is bound may run anywhere; one that it starts later knows. */
    filch__event_set(&m->known);
    for (size_t i = 0; error == 0 && i < pool->width; i++) {
        struct worker *w = pool->places[i];
        const struct filch_thread *thread = w == self ? NULL : w->thread; /* started before us */
        failures += filch__topology_bind(&m->placements[i], thread) != 0;
        if (filch__machine_choose_victims(pool, w) != 0)
            continue; /* no memory: the order that it has does as well */
    }
    return failures;
}

size_t filch__machine_settle(struct worker *w)
{
    struct filch_pool *pool = w->pool;
    if (filch__machine_is_known(&pool->machine))
        return filch__topology_bind(&pool->machine.placements[w->index], NULL) != 0;
    return w->index + 1 == pool->width ? find_out(pool, w) : 0;
}
