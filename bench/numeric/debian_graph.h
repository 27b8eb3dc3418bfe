/* SPDX-License-Identifier: Apache-2.0 */
/* A graph that nobody made up: the packages that this machine's apt knows (or, without lists, those
 * that are installed) and what each depends on. */
#ifndef FILCH_BENCH_NUMERIC_DEBIAN_GRAPH_H
#define FILCH_BENCH_NUMERIC_DEBIAN_GRAPH_H

#include <stddef.h>
#include <stdint.h>

/* Compressed rows: the neighbours of v are targets[offsets[v]] .. targets[offsets[v + 1] - 1]. */
struct graph {
    size_t vertices;
    size_t edges;
    size_t *offsets;
    uint32_t *targets;
};

/* Reads /var/lib/apt/lists (with apt's own decompressor where needed), else /var/lib/dpkg/status.
 * A vertex is a package; an edge leads to each package that its Depends and Pre-Depends name, all
 * alternatives included; edges to names that no package has (virtual packages) are left out.
 * Returns NULL and fills *graph, or the reason why there is none. */
const char *debian_graph_read(struct graph *graph);

/* The same graph with every edge turned round. */
struct graph graph_reverse(const struct graph *graph);

#endif
