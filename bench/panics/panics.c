/* SPDX-License-Identifier: Apache-2.0 */
#include "panics/panics.h"

#include "peer/peer.h"
#include "peer/workloads.h"

static const char *prepare_count(const struct bench_setup *setup, void **data, uint64_t *operations,
                                 uint64_t count, uint64_t frames)
{
    struct panics_data *panics = bench_alloc(sizeof *panics);
    panics->count = setup->quick ? count / 10 : count;
    panics->frames = frames;
    *operations = panics->count;
    *data = panics;
    return NULL;
}

static const char *prepare_catch(const struct bench_setup *setup, void **data, uint64_t *operations)
{
    return prepare_count(setup, data, operations, 20000000, 0);
}

static const char *prepare_1(const struct bench_setup *setup, void **data, uint64_t *operations)
{
    return prepare_count(setup, data, operations, 40000, 1);
}

static const char *prepare_10(const struct bench_setup *setup, void **data, uint64_t *operations)
{
    return prepare_count(setup, data, operations, 10000, 10);
}

static const char *prepare_100(const struct bench_setup *setup, void **data, uint64_t *operations)
{
    return prepare_count(setup, data, operations, 1000, 100);
}

static void reset(void *data)
{
    struct panics_data *panics = data;
    panics->returned = panics->caught = panics->cleaned = 0;
}

static const char *check(const void *data)
{
    const struct panics_data *panics = data;
    if (panics->frames == 0)
        return panics->returned == panics->count ? NULL : "a call did not return";
    if (panics->caught != panics->count)
        return "a call did not fail";
    return panics->cleaned == panics->count * panics->frames ? NULL : "a frame was not cleaned up";
}

const struct bench_workload catch_workload = {"catch", prepare_catch, reset, check, true, NULL};
const struct bench_workload panic_1_workload = {"panic-1", prepare_1, reset, check, true, NULL};
const struct bench_workload panic_10_workload = {"panic-10", prepare_10, reset, check, true, NULL};
const struct bench_workload panic_100_workload = {"panic-100", prepare_100, reset,
                                                  check,       true,        NULL};
