/* SPDX-License-Identifier: Apache-2.0 */
#include "growth/growth.h"

#include "peer/peer.h"
#include "peer/workloads.h"

unsigned grain_steps;

static size_t between(size_t least, size_t value, size_t most)
{
    return value < least ? least : value > most ? most : value;
}

/* About 50 ms of work, but neither too few tasks to share out nor too many to wait for. */
static const char *grain_prepare(const struct bench_setup *setup, void **data, uint64_t *operations)
{
    struct grain_data *grain = bench_alloc(sizeof *grain);
    grain_steps = setup->size ? (unsigned)setup->size : 1000;
    grain->count = between(64, 50000000 / grain_steps, 500000);
    grain->values = bench_alloc(grain->count * sizeof *grain->values);
    *operations = grain->count;
    *data = grain;
    return NULL;
}

static void grain_reset(void *data)
{
    struct grain_data *grain = data;
    for (size_t i = 0; i < grain->count; i++)
        grain->values[i] = (uint32_t)i;
}

static const char *grain_check(const void *data)
{
    const struct grain_data *grain = data;
    /* Some of them: all would take as long as the run. */
    for (size_t i = 0; i < grain->count; i += 1 + grain->count / 50) {
        if (grain->values[i] != grain_work((uint32_t)i, grain_steps))
            return "a task did not run exactly once";
    }
    return NULL;
}

const struct bench_workload grain_workload = {"grain",     grain_prepare, grain_reset,
                                              grain_check, true,          NULL};

static const char *depth_prepare(const struct bench_setup *setup, void **data, uint64_t *operations)
{
    struct depth_data *depth = bench_alloc(sizeof *depth);
    depth->depth = setup->size ? (unsigned)setup->size : 1000;
    depth->repeats = (unsigned)between(10, 1000000 / depth->depth, 1000);
    *operations = (uint64_t)depth->depth * depth->repeats;
    *data = depth;
    return NULL;
}

static void depth_reset(void *data)
{
    ((struct depth_data *)data)->forks = 0;
}

static const char *depth_check(const void *data)
{
    const struct depth_data *depth = data;
    const uint64_t expected = (uint64_t)depth->depth * depth->repeats;
    return depth->forks == expected ? NULL : "not as many halves as levels";
}

const struct bench_workload depth_workload = {"depth",     depth_prepare, depth_reset,
                                              depth_check, false,         NULL};

static const char *iterations_prepare(const struct bench_setup *setup, void **data,
                                      uint64_t *operations)
{
    struct iterations_data *loop = bench_alloc(sizeof *loop);
    loop->iterations = setup->size ? (size_t)setup->size : 1000;
    loop->repeats = between(1, 20000000 / loop->iterations, 50000);
    *operations = loop->iterations * loop->repeats;
    *data = loop;
    return NULL;
}

static void iterations_reset(void *data)
{
    ((struct iterations_data *)data)->sum = 0;
}

static const char *iterations_check(const void *data)
{
    const struct iterations_data *loop = data;
    const uint64_t n = loop->iterations;
    const uint64_t expected = (n % 2 ? n * ((n - 1) / 2) : n / 2 * (n - 1)) * loop->repeats;
    return loop->sum == expected ? NULL : "an iteration did not run exactly once";
}

const struct bench_workload iterations_workload = {
    "iterations", iterations_prepare, iterations_reset, iterations_check, true, NULL};
