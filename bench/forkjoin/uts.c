/* SPDX-License-Identifier: Apache-2.0 */
#include "forkjoin/uts.h"

#include "peer/peer.h"
#include "peer/workloads.h"

uint32_t uts_limits[UTS_CHILDREN_MAX];

uint64_t uts_serial(struct uts_node node)
{
    const unsigned children = uts_children(&node);
    uint64_t nodes = 1;
    for (unsigned i = 0; i < children; i++)
        nodes += uts_serial(uts_child(&node, i));
    return nodes;
}

static void limits_fill(void)
{
    double tail = 1;
    for (int k = 0; k < UTS_CHILDREN_MAX; k++) {
        tail *= 0.8;
        uts_limits[k] = (uint32_t)((1 - tail) * 4294967296.0);
    }
}

static const char *prepare(bool deep, uint64_t seed, void **data, uint64_t *operations)
{
    limits_fill();
    struct uts_data *uts = bench_alloc(sizeof *uts);
    uts->root.state = uts_hash(seed);
    uts->root.deep = deep;
    uts->expected = uts_serial(uts->root);
    *operations = 1;
    *data = uts;
    return NULL;
}

/* The seeds give trees of about 4.3 million nodes of depth 10, and 4.7 million of depth 2223; the
 * quick ones a tenth of that and less. */
static const char *flat_prepare(const struct bench_setup *setup, void **data, uint64_t *operations)
{
    return prepare(false, setup->quick ? 5 : 76, data, operations);
}

static const char *deep_prepare(const struct bench_setup *setup, void **data, uint64_t *operations)
{
    return prepare(true, setup->quick ? 12 : 21, data, operations);
}

static void reset(void *data)
{
    ((struct uts_data *)data)->nodes = 0;
}

static const char *check(const void *data)
{
    const struct uts_data *uts = data;
    return uts->nodes == uts->expected ? NULL : "not the number of nodes that the serial walk saw";
}

const struct bench_workload uts_flat_workload = {"uts-flat", flat_prepare, reset,
                                                 check,      false,        NULL};
const struct bench_workload uts_deep_workload = {"uts-deep", deep_prepare, reset,
                                                 check,      false,        NULL};
