/* SPDX-License-Identifier: Apache-2.0 */
#include "tasks/switching.h"

#include "peer/peer.h"
#include "peer/workloads.h"

#include <string.h>

struct switching_parameters {
    uint64_t rounds;
    unsigned parties; /* that count */
};

static const char *prepare(const struct bench_setup *setup, void **data, uint64_t *operations)
{
    const struct switching_parameters *parameters = setup->parameters;
    struct switching_data *d = bench_alloc(sizeof *d);
    d->rounds = setup->quick ? parameters->rounds / 20 : parameters->rounds;
    *operations = d->rounds * parameters->parties;
    *data = d;
    return NULL;
}

static void reset(void *data)
{
    struct switching_data *d = data;
    memset(d->done, 0, sizeof d->done);
    memset(d->ran, 0, sizeof d->ran);
}

static const char *check_group(const void *data)
{
    const struct switching_data *d = data;
    uint64_t ran = 0;
    for (size_t i = 0; i < SWITCHING_GROUP; i++)
        ran += d->ran[i];
    return ran == d->rounds ? NULL : "not everything was done exactly once";
}

static const char *check_one(const void *data)
{
    const struct switching_data *d = data;
    return d->done[0] == d->rounds ? NULL : "not everything was done exactly once";
}

static const char *check_two(const void *data)
{
    const struct switching_data *d = data;
    return d->done[0] == d->rounds && d->done[1] == d->rounds
               ? NULL
               : "not everything was done exactly once";
}

static const struct switching_parameters yield = {200000, 2}, run = {100000, 1}, wait = {50000, 1},
                                         wait_group = {48000, 1}, pingpong = {100000, 2},
                                         raw = {1000000, 2};

static const struct bench_workload workloads[] = {
    {"task-yield", prepare, reset, check_two, true, &yield},
    {"task-run", prepare, reset, check_one, true, &run},
    {"task-wait", prepare, reset, check_group, true, &wait_group},
    {"task-wait-alone", prepare, reset, check_one, true, &wait},
    {"task-pingpong", prepare, reset, check_two, true, &pingpong},
    {"switch", prepare, reset, check_two, true, &raw},
};

const struct bench_family switching_family = {workloads, sizeof workloads / sizeof workloads[0]};
