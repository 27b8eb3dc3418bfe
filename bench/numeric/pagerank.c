/* SPDX-License-Identifier: Apache-2.0 */
#include "numeric/pagerank.h"

#include "peer/peer.h"
#include "peer/workloads.h"

#include <math.h>

void pagerank_serial(struct pagerank_data *data)
{
    const size_t vertices = data->out.vertices;
    for (unsigned round = 0; round < data->rounds; round++) {
        const double dangling = pagerank_share(data, 0, vertices);
        pagerank_gather(data, pagerank_base(data, dangling), 0, vertices);
    }
}

static void reset(void *data)
{
    struct pagerank_data *pagerank = data;
    for (size_t v = 0; v < pagerank->out.vertices; v++)
        pagerank->rank[v] = 1 / (double)pagerank->out.vertices;
}

static const char *prepare(const struct bench_setup *setup, void **data, uint64_t *operations)
{
    struct pagerank_data *pagerank = bench_alloc(sizeof *pagerank);
    const char *reason = debian_graph_read(&pagerank->out);
    if (reason)
        return reason;
    pagerank->in = graph_reverse(&pagerank->out);
    pagerank->rounds = setup->quick ? 10 : 50;
    const size_t bytes = pagerank->out.vertices * sizeof(double);
    pagerank->share = bench_alloc(bytes);
    double *expected = bench_alloc(bytes);
    pagerank->rank = expected;
    reset(pagerank);
    pagerank_serial(pagerank);
    pagerank->expected = expected;
    pagerank->rank = bench_alloc(bytes);
    *operations = 1;
    *data = pagerank;
    return NULL;
}

static const char *check(const void *data)
{
    const struct pagerank_data *pagerank = data;
    double total = 0;
    for (size_t v = 0; v < pagerank->out.vertices; v++) {
        const double expected = pagerank->expected[v];
        if (!(fabs(pagerank->rank[v] - expected) <= 1e-9 * expected))
            return "a rank differs from the serial one by more than rounding";
        total += pagerank->rank[v];
    }
    return fabs(total - 1) <= 1e-9 ? NULL : "the ranks do not sum to 1";
}

const struct bench_workload pagerank_workload = {"pagerank", prepare, reset, check, true, NULL};
