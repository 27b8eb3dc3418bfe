/* SPDX-License-Identifier: Apache-2.0 */
/* Connected components of the Debian package graph, directions ignored: each vertex points to a
 * parent, each edge links the roots of its ends (the larger one under the smaller), and a last loop
 * points everybody at the root. The result is the smallest vertex of each component, whatever the
 * order of the links. After Sutton, Ben-Nun and Barak, "Optimizing Parallel Graph Connectivity
 * Computation via Subgraph Sampling" (2018), without the sampling. */
#ifndef FILCH_BENCH_NUMERIC_COMPONENTS_H
#define FILCH_BENCH_NUMERIC_COMPONENTS_H

#include "numeric/debian_graph.h"

#include <stdbool.h>

struct components_data {
    struct graph graph;
    unsigned repeats; /* how often a run computes it: once is too short to time well */
    uint32_t *parent; /* out; the three loops below write it in this order */
    const uint32_t *expected;
};

/* The orders are relaxed throughout: a parent is only ever a smaller vertex of the same component,
 * so that any value a thread may see is a right one, and the loops are joined in between. */
static inline uint32_t components_parent(const uint32_t *parent, uint32_t v)
{
    return __atomic_load_n(&parent[v], __ATOMIC_RELAXED);
}

/* First loop: everybody is alone. */
static inline void components_start(const struct components_data *data, size_t begin, size_t end)
{
    for (size_t v = begin; v < end; v++)
        __atomic_store_n(&data->parent[v], (uint32_t)v, __ATOMIC_RELAXED);
}

static inline void components_link(uint32_t *parent, uint32_t u, uint32_t v)
{
    uint32_t a = components_parent(parent, u);
    uint32_t b = components_parent(parent, v);
    while (a != b) {
        const uint32_t high = a > b ? a : b;
        const uint32_t low = a > b ? b : a;
        uint32_t above = components_parent(parent, high);
        if (above == low)
            return;
        if (above == high && __atomic_compare_exchange_n(&parent[high], &above, low, false,
                                                         __ATOMIC_RELAXED, __ATOMIC_RELAXED))
            return;
        a = components_parent(parent, components_parent(parent, high));
        b = components_parent(parent, low);
    }
}

/* Second loop: links along the edges that leave [begin, end). */
static inline void components_hook(const struct components_data *data, size_t begin, size_t end)
{
    for (size_t v = begin; v < end; v++) {
        for (size_t k = data->graph.offsets[v]; k < data->graph.offsets[v + 1]; k++)
            components_link(data->parent, (uint32_t)v, data->graph.targets[k]);
    }
}

/* Third loop: points [begin, end) at the roots. */
static inline void components_flatten(const struct components_data *data, size_t begin, size_t end)
{
    for (size_t v = begin; v < end; v++) {
        uint32_t root = components_parent(data->parent, (uint32_t)v);
        while (components_parent(data->parent, root) != root)
            root = components_parent(data->parent, root);
        __atomic_store_n(&data->parent[v], root, __ATOMIC_RELAXED);
    }
}

/* The serial form: the same links without a compare-and-swap. */
void components_serial(struct components_data *data);

#endif
