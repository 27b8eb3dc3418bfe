/* SPDX-License-Identifier: Apache-2.0 */
/* What the scenarios with pools share. */
#ifndef FILCH_SCHEDULE_POOL_H
#define FILCH_SCHEDULE_POOL_H

#include "test.h"

#include "simulate.h"

#include "os/os.h"
#include "park/event.h"

#include <errno.h>
#include <filch/filch.h>
#include <hwloc.h>

/* A small pool, of the same machine everywhere: its discovery costs most of a schedule's time. */
static inline struct filch_pool *make_pool(size_t workers)
{
    static hwloc_topology_t machine;
    if (machine == NULL && (hwloc_topology_init(&machine) != 0 ||
                            hwloc_topology_set_synthetic(machine, "core:4 pu:1") != 0 ||
                            hwloc_topology_load(machine) != 0))
        abort();
    struct filch_pool *pool = NULL;
    struct filch_pool_config config = {
        .workers = workers, .bind = FILCH_BIND_NONE, .hwloc_topology = machine};
    xt_expect_equal(filch_pool_create(&pool, &config), 0);
    return pool;
}

/* Now and then: long enough for workers to fall asleep, or to be on their way there. */
static inline void pause_somewhat(void)
{
    if (simulate_choice(2) == 0)
        simulate_sleep((int64_t)simulate_choice(60000));
}

static inline struct filch_thread *start_thread(void *(*fn)(void *), void *argument)
{
    struct filch_thread *thread = NULL;
    xt_expect_equal(filch_thread_spawn(&thread, NULL, fn, argument), 0);
    return thread;
}

/* A gate that an OS thread waits at, worker or not: the worker does nothing else meanwhile. */
static inline void open_gate(void *gate)
{
    FILCH_STORE((uint32_t *)gate, 1, TEST_gate, release);
    filch__os->futex_wake(gate, 1);
}

static inline void block_at_gate(void *gate)
{
    while (FILCH_LOAD((uint32_t *)gate, TEST_gate, acquire) == 0)
        (void)filch__os->futex_wait(gate, 0, INT64_MAX);
}

#endif
