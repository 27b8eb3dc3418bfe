/* SPDX-License-Identifier: Apache-2.0 */
#include "threads/threads.h"

#include "peer/peer.h"
#include "peer/workloads.h"

static const char *prepare(const struct bench_setup *setup, uint64_t count, uint64_t threads,
                           void **data, uint64_t *operations)
{
    struct threads_data *work = bench_alloc(sizeof *work);
    work->count = setup->quick ? count / 10 : count;
    *operations = work->count * threads;
    *data = work;
    return NULL;
}

static const char *spawn_prepare(const struct bench_setup *setup, void **data, uint64_t *operations)
{
    return prepare(setup, 2000, 1, data, operations);
}

static const char *park_prepare(const struct bench_setup *setup, void **data, uint64_t *operations)
{
    return prepare(setup, 2000000, 1, data, operations);
}

static const char *pair_prepare(const struct bench_setup *setup, void **data, uint64_t *operations)
{
    return prepare(setup, 5000, 1, data, operations);
}

static const char *arc_prepare(const struct bench_setup *setup, void **data, uint64_t *operations)
{
    return prepare(setup, 2000000, 1, data, operations);
}

static const char *arc_2_prepare(const struct bench_setup *setup, void **data, uint64_t *operations)
{
    return prepare(setup, 1000000, 2, data, operations);
}

static void reset(void *data)
{
    ((struct threads_data *)data)->done = 0;
}

static const char *check_one(const void *data)
{
    const struct threads_data *work = data;
    return work->done == work->count ? NULL : "not everything was done exactly once";
}

static const char *check_two(const void *data)
{
    const struct threads_data *work = data;
    return work->done == 2 * work->count ? NULL : "not everything was done exactly once";
}

const struct bench_workload thread_spawn_workload = {"thread-spawn", spawn_prepare, reset,
                                                     check_one,      true,          NULL};
const struct bench_workload park_workload = {"park", park_prepare, reset, check_one, true, NULL};
const struct bench_workload park_pair_workload = {"park-pair", pair_prepare, reset,
                                                  check_two,   true,         NULL};
const struct bench_workload arc_workload = {"arc", arc_prepare, reset, check_one, true, NULL};
const struct bench_workload arc_2_workload = {"arc-2", arc_2_prepare, reset, check_two, true, NULL};
