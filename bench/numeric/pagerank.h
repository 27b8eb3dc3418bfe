/* SPDX-License-Identifier: Apache-2.0 */
/* PageRank over the Debian package graph: 50 rounds of two loops each. A package passes its rank on
 * to those that it depends on; every vertex gathers from its predecessors, so nothing is written by
 * two threads, but libc6 gathers from tens of thousands and most others from a handful. */
#ifndef FILCH_BENCH_NUMERIC_PAGERANK_H
#define FILCH_BENCH_NUMERIC_PAGERANK_H

#include "numeric/debian_graph.h"

struct pagerank_data {
    struct graph out; /* package -> what it depends on */
    struct graph in;  /* package -> what depends on it */
    unsigned rounds;
    double *rank;  /* in and out */
    double *share; /* what each vertex passes on along each edge */
    const double *expected;
};

#define PAGERANK_DAMPING 0.85

/* First loop: fills share[begin, end). Returns the rank in that range that no edge leads away. */
static inline double pagerank_share(const struct pagerank_data *data, size_t begin, size_t end)
{
    double dangling = 0;
    for (size_t v = begin; v < end; v++) {
        const size_t degree = data->out.offsets[v + 1] - data->out.offsets[v];
        if (degree == 0)
            dangling += data->rank[v];
        data->share[v] = degree == 0 ? 0 : data->rank[v] / (double)degree;
    }
    return dangling;
}

/* What every vertex gets, whatever its predecessors. */
static inline double pagerank_base(const struct pagerank_data *data, double dangling)
{
    return (1 - PAGERANK_DAMPING + PAGERANK_DAMPING * dangling) / (double)data->out.vertices;
}

/* Second loop: gathers the new ranks of [begin, end). */
static inline void pagerank_gather(const struct pagerank_data *data, double base, size_t begin,
                                   size_t end)
{
    for (size_t v = begin; v < end; v++) {
        double sum = 0;
        for (size_t k = data->in.offsets[v]; k < data->in.offsets[v + 1]; k++)
            sum += data->share[data->in.targets[k]];
        data->rank[v] = base + PAGERANK_DAMPING * sum;
    }
}

/* The reference. */
void pagerank_serial(struct pagerank_data *data);

#endif
