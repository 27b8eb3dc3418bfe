/* SPDX-License-Identifier: Apache-2.0 */
#include "numeric/components.h"

#include "peer/peer.h"
#include "peer/workloads.h"

#include <string.h>

static void link_serial(uint32_t *parent, uint32_t u, uint32_t v)
{
    uint32_t a = parent[u];
    uint32_t b = parent[v];
    while (a != b) {
        const uint32_t high = a > b ? a : b;
        const uint32_t low = a > b ? b : a;
        if (parent[high] == low)
            return;
        if (parent[high] == high) {
            parent[high] = low;
            return;
        }
        a = parent[parent[high]];
        b = parent[low];
    }
}

void components_serial(struct components_data *data)
{
    const struct graph *graph = &data->graph;
    uint32_t *parent = data->parent;
    for (size_t v = 0; v < graph->vertices; v++)
        parent[v] = (uint32_t)v;
    for (size_t v = 0; v < graph->vertices; v++) {
        for (size_t k = graph->offsets[v]; k < graph->offsets[v + 1]; k++)
            link_serial(parent, (uint32_t)v, graph->targets[k]);
    }
    for (size_t v = 0; v < graph->vertices; v++) {
        while (parent[parent[v]] != parent[v])
            parent[v] = parent[parent[v]];
    }
}

/* The reference is found in another way: labels spread along the edges, in both directions, until
 * none changes. */
static void labels_spread(const struct graph *graph, uint32_t *label)
{
    for (size_t v = 0; v < graph->vertices; v++)
        label[v] = (uint32_t)v;
    bool changed = true;
    while (changed) {
        changed = false;
        for (size_t v = 0; v < graph->vertices; v++) {
            for (size_t k = graph->offsets[v]; k < graph->offsets[v + 1]; k++) {
                const uint32_t u = graph->targets[k];
                const uint32_t least = label[v] < label[u] ? label[v] : label[u];
                changed |= label[v] != label[u];
                label[v] = label[u] = least;
            }
        }
    }
}

static const char *prepare(const struct bench_setup *setup, void **data, uint64_t *operations)
{
    struct components_data *components = bench_alloc(sizeof *components);
    const char *reason = debian_graph_read(&components->graph);
    if (reason)
        return reason;
    components->repeats = setup->quick ? 2 : 10;
    const size_t bytes = components->graph.vertices * sizeof(uint32_t);
    uint32_t *expected = bench_alloc(bytes);
    labels_spread(&components->graph, expected);
    components->expected = expected;
    components->parent = bench_alloc(bytes);
    *operations = components->repeats;
    *data = components;
    return NULL;
}

static void reset(void *data)
{
    struct components_data *components = data;
    memset(components->parent, 0, components->graph.vertices * sizeof(uint32_t));
}

static const char *check(const void *data)
{
    const struct components_data *components = data;
    const size_t bytes = components->graph.vertices * sizeof(uint32_t);
    return memcmp(components->parent, components->expected, bytes) == 0
               ? NULL
               : "a vertex is not labelled with the smallest of its component";
}

const struct bench_workload components_workload = {"components", prepare, reset, check, true, NULL};
