/* SPDX-License-Identifier: Apache-2.0 */
#include "tasks/flat.h"

#include "peer/peer.h"
#include "peer/workloads.h"

#include <string.h>

static const char *prepare(const struct bench_setup *setup, void **data, uint64_t *operations)
{
    struct flat_data *flat = bench_alloc(sizeof *flat);
    flat->count = setup->size ? (size_t)setup->size : 1000000;
    if (setup->quick)
        flat->count /= 10;
    flat->ran = bench_alloc(flat->count * sizeof *flat->ran);
    sem_init(&flat->done, 0, 0);
    *operations = flat->count;
    *data = flat;
    return NULL;
}

static void reset(void *data)
{
    struct flat_data *flat = data;
    memset(flat->ran, 0, flat->count * sizeof *flat->ran);
}

static const char *check(const void *data)
{
    const struct flat_data *flat = data;
    for (size_t i = 0; i < flat->count; i++) {
        if (flat->ran[i] != 1)
            return flat->ran[i] ? "a task ran more than once" : "a task did not run";
    }
    return NULL;
}

const struct bench_workload flat_workload = {"flat", prepare, reset, check, false, NULL};
const struct bench_workload submit_workload = {"submit", prepare, reset, check, false, NULL};
const struct bench_workload submit_batch_workload = {"submit-batch", prepare, reset,
                                                     check,          false,   NULL};
