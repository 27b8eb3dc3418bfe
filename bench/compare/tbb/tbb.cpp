/* SPDX-License-Identifier: Apache-2.0 */
// oneTBB: task_group for fork-join and tasks, parallel_for with each partitioner for loops,
// task_arena::enqueue for work from outside.
extern "C" {
#include "forkjoin/fib.h"
#include "forkjoin/msort.h"
#include "forkjoin/nqueens.h"
#include "forkjoin/stuck.h"
#include "forkjoin/uts.h"
#include "latency/latency.h"
#include "numeric/components.h"
#include "numeric/mandelbrot.h"
#include "numeric/pagerank.h"
#include "numeric/spmv.h"
#include "numeric/stencil.h"
#include "numeric/vectors.h"
#include "tasks/flat.h"
}
#include "peer/peer.h"

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <oneapi/tbb/blocked_range.h>
#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/parallel_for.h>
#include <oneapi/tbb/parallel_reduce.h>
#include <oneapi/tbb/partitioner.h>
#include <oneapi/tbb/task_arena.h>
#include <oneapi/tbb/task_group.h>

namespace
{

using range = tbb::blocked_range<size_t>;

std::optional<tbb::global_control> control;
std::optional<tbb::task_arena> arena;

// Everything runs inside an arena of as many threads as workers, the caller being one of them.
template <typename Body> void inside(const Body &body)
{
    arena->execute(body);
}

uint64_t fib(unsigned n)
{
    if (n < 2)
        return n;
    uint64_t left = 0;
    tbb::task_group group;
    group.run([&left, n] { left = fib(n - 1); });
    const uint64_t right = fib(n - 2);
    group.wait();
    return left + right;
}

void run_fib(void *data)
{
    auto *fib_data = static_cast<struct fib_data *>(data);
    inside([=] { fib_data->result = fib(fib_data->n); });
}

uint64_t nqueens(int n, int row, nqueens_board board)
{
    if (row == n)
        return 1;
    uint64_t solutions[NQUEENS_MAX];
    int count = 0;
    tbb::task_group group;
    for (int column = 0; column < n; column++) {
        if (!nqueens_legal(&board, row, column))
            continue;
        const nqueens_board next = nqueens_place(&board, row, column);
        uint64_t *out = &solutions[count++];
        group.run([=] { *out = nqueens(n, row + 1, next); });
    }
    group.wait();
    uint64_t sum = 0;
    for (int i = 0; i < count; i++)
        sum += solutions[i];
    return sum;
}

void run_nqueens(void *data)
{
    auto *nqueens_data = static_cast<struct nqueens_data *>(data);
    inside([=] { nqueens_data->solutions = nqueens(nqueens_data->n, 0, nqueens_board()); });
}

uint64_t uts(uts_node node)
{
    const unsigned children = uts_children(&node);
    if (children == 0)
        return 1;
    uint64_t few[UTS_FEW_CHILDREN];
    std::vector<uint64_t> many(children > UTS_FEW_CHILDREN ? children : 0);
    uint64_t *nodes = many.empty() ? few : many.data();
    tbb::task_group group;
    for (unsigned i = 0; i < children; i++) {
        const uts_node child = uts_child(&node, i);
        group.run([=] { nodes[i] = uts(child); });
    }
    group.wait();
    uint64_t sum = 1;
    for (unsigned i = 0; i < children; i++)
        sum += nodes[i];
    return sum;
}

void run_uts(void *data)
{
    auto *uts_data = static_cast<struct uts_data *>(data);
    inside([=] { uts_data->nodes = uts(uts_data->root); });
}

void msort(uint32_t *values, uint32_t *scratch, size_t count)
{
    if (count <= MSORT_LEAF) {
        msort_leaf(values, count);
        return;
    }
    const size_t half = count / 2;
    tbb::task_group group;
    group.run([=] { msort(values, scratch, half); });
    msort(values + half, scratch + half, count - half);
    group.wait();
    msort_merge(values, scratch, half, count);
}

void run_msort(void *data)
{
    auto *sort = static_cast<struct msort_data *>(data);
    inside([=] { msort(sort->values, sort->scratch, sort->count); });
}

void run_stuck(void *data)
{
    auto *stuck = static_cast<struct stuck_data *>(data);
    inside([=] {
        tbb::task_group group;
        stuck_task tasks[STUCK_TASKS];
        for (int i = 0; i < STUCK_TASKS; i++) {
            tasks[i] = {stuck, i};
            group.run([task = &tasks[i]] { stuck_task_run(task); });
        }
        stuck_compute(stuck->own_ns);
        group.wait();
    });
}

void run_flat(void *data)
{
    auto *flat = static_cast<struct flat_data *>(data);
    inside([=] {
        tbb::task_group group;
        for (size_t i = 0; i < flat->count; i++)
            group.run([ran = &flat->ran[i]] { flat_task(ran); });
        group.wait();
    });
}

void run_submit(void *data)
{
    auto *flat = static_cast<struct flat_data *>(data);
    flat_left_set(flat);
    for (size_t i = 0; i < flat->count; i++) {
        arena->enqueue([flat, i] {
            flat_task(&flat->ran[i]);
            flat_left_down(flat);
        });
    }
    flat_left_wait(flat);
}

// One loop with the partitioner that the type names; affinity keeps its state between loops.
template <typename Partitioner> struct loop {
    template <typename Body> static void run(size_t begin, size_t end, const Body &body)
    {
        tbb::parallel_for(range(begin, end), body, Partitioner());
    }
};

// simple_partitioner cuts down to the grain, which has to be given: an eighth of a worker's share.
template <> struct loop<tbb::simple_partitioner> {
    template <typename Body> static void run(size_t begin, size_t end, const Body &body)
    {
        const size_t pieces = 8 * bench_workers();
        const size_t grain = (end - begin + pieces - 1) / pieces;
        tbb::parallel_for(range(begin, end, grain ? grain : 1), body, tbb::simple_partitioner());
    }
};

template <> struct loop<tbb::affinity_partitioner> {
    template <typename Body> static void run(size_t begin, size_t end, const Body &body)
    {
        static tbb::affinity_partitioner partitioner;
        tbb::parallel_for(range(begin, end), body, partitioner);
    }
};

template <typename P> void run_dispatch(void *data)
{
    auto *dispatch = static_cast<struct dispatch_data *>(data);
    inside([=] {
        for (size_t i = 0; i < dispatch->loops; i++) {
            loop<P>::run(0, DISPATCH_ELEMENTS, [x = dispatch->x](const range &r) {
                dispatch_range(x, r.begin(), r.end());
            });
            dispatch_next();
        }
    });
}

template <typename P> void run_saxpy(void *data)
{
    auto *saxpy = static_cast<struct saxpy_data *>(data);
    inside([=] {
        loop<P>::run(0, saxpy->count,
                     [=](const range &r) { saxpy_range(saxpy, r.begin(), r.end()); });
    });
}

void run_dot(void *data)
{
    auto *dot = static_cast<struct dot_data *>(data);
    inside([=] {
        dot->result = tbb::parallel_reduce(
            range(0, dot->count), 0.0,
            [=](const range &r, double sum) { return sum + dot_range(dot, r.begin(), r.end()); },
            std::plus<double>());
    });
}

template <typename P> void run_stencil(void *data)
{
    auto *stencil = static_cast<struct stencil_data *>(data);
    inside([=] {
        for (unsigned sweep = 0; sweep < stencil->sweeps; sweep++) {
            loop<P>::run(1, stencil->side - 1,
                         [=](const range &r) { stencil_rows(stencil, sweep, r.begin(), r.end()); });
        }
    });
}

template <typename P> void run_mandelbrot(void *data)
{
    auto *mandelbrot = static_cast<struct mandelbrot_data *>(data);
    inside([=] {
        loop<P>::run(0, mandelbrot->height,
                     [=](const range &r) { mandelbrot_rows(mandelbrot, r.begin(), r.end()); });
    });
}

template <typename P> void run_spmv(void *data)
{
    auto *spmv = static_cast<struct spmv_data *>(data);
    inside([=] {
        loop<P>::run(0, spmv->rows, [=](const range &r) { spmv_rows(spmv, r.begin(), r.end()); });
    });
}

void run_pagerank(void *data)
{
    auto *pagerank = static_cast<struct pagerank_data *>(data);
    const range all(0, pagerank->out.vertices);
    inside([=] {
        for (unsigned round = 0; round < pagerank->rounds; round++) {
            const double dangling = tbb::parallel_reduce(
                all, 0.0,
                [=](const range &r, double sum) {
                    return sum + pagerank_share(pagerank, r.begin(), r.end());
                },
                std::plus<double>());
            const double base = pagerank_base(pagerank, dangling);
            tbb::parallel_for(
                all, [=](const range &r) { pagerank_gather(pagerank, base, r.begin(), r.end()); });
        }
    });
}

void run_components(void *data)
{
    auto *components = static_cast<struct components_data *>(data);
    const range all(0, components->graph.vertices);
    inside([=] {
        for (unsigned repeat = 0; repeat < components->repeats; repeat++) {
            tbb::parallel_for(
                all, [=](const range &r) { components_start(components, r.begin(), r.end()); });
            tbb::parallel_for(
                all, [=](const range &r) { components_hook(components, r.begin(), r.end()); });
            tbb::parallel_for(
                all, [=](const range &r) { components_flatten(components, r.begin(), r.end()); });
        }
    });
}

sem_t result_is_back;

void round_trip(wake_data *wake)
{
    arena->enqueue([wake] {
        wake_task(wake, bench_now_ns());
        sem_post(&result_is_back);
    });
    while (sem_wait(&result_is_back) != 0)
        continue;
}

void run_wake(void *data)
{
    sem_init(&result_is_back, 0, 0);
    wake_measure(static_cast<wake_data *>(data), round_trip);
}

void idle_work(idle_data *idle)
{
    inside([=] { tbb::parallel_for(0, int(IDLE_PIECES), [=](int) { idle_piece(idle); }); });
}

void run_idle(void *data)
{
    idle_measure(static_cast<idle_data *>(data), idle_work);
}

void first_task()
{
    inside([] {
        tbb::task_group group;
        group.run([] { bench_first_task_ran(); });
        group.wait();
    });
}

void start(unsigned workers, const char *case_name)
{
    // The arena's threads are all workers, or all but one and the caller.
    const std::string name = case_name;
    const bool outside = name.rfind("submit", 0) == 0 || name.rfind("wake", 0) == 0;
    control.emplace(tbb::global_control::max_allowed_parallelism, workers + (outside ? 1 : 0));
    arena.emplace(int(workers), outside ? 0 : 1);
    arena->initialize();
}

using automatic = tbb::auto_partitioner;
using simple = tbb::simple_partitioner;
using fixed = tbb::static_partitioner;
using affinity = tbb::affinity_partitioner;

const bench_impl impls[] = {
    {"fib", "", "", run_fib, 30},
    {"nqueens", "", "", run_nqueens, 0},
    {"uts-flat", "", "", run_uts, 0},
    {"uts-deep", "", "", run_uts, 0},
    {"msort", "", "", run_msort, 0},
    {"stuck", "", "", run_stuck, 0},
    {"flat", "", "", run_flat, 0},
    {"submit", "", "", run_submit, 0},
    {"dispatch", "", "", run_dispatch<automatic>, 20000},
    {"dispatch", "simple", "", run_dispatch<simple>, 20000},
    {"dispatch", "static", "", run_dispatch<fixed>, 20000},
    {"dispatch", "affinity", "", run_dispatch<affinity>, 20000},
    {"saxpy", "", "", run_saxpy<automatic>, 0},
    {"saxpy", "simple", "", run_saxpy<simple>, 0},
    {"saxpy", "static", "", run_saxpy<fixed>, 0},
    {"dot", "", "", run_dot, 0},
    {"stencil", "", "", run_stencil<automatic>, 0},
    {"stencil", "static", "", run_stencil<fixed>, 0},
    {"stencil", "affinity", "", run_stencil<affinity>, 0},
    {"mandelbrot", "", "", run_mandelbrot<automatic>, 0},
    {"mandelbrot", "simple", "", run_mandelbrot<simple>, 0},
    {"spmv", "", "", run_spmv<automatic>, 0},
    {"spmv", "simple", "", run_spmv<simple>, 0},
    {"spmv", "static", "", run_spmv<fixed>, 0},
    {"spmv-mesh", "", "", run_spmv<automatic>, 0},
    {"pagerank", "", "", run_pagerank, 0},
    {"components", "", "", run_components, 0},
    {"wake", "", "", run_wake, 0},
    {"wake-result", "", "", run_wake, 0},
    {"idle", "", "", run_idle, 0},
    {"cold-start", "", "", cold_start_measure, 0},
};

} // namespace

const struct bench_peer bench_peer = {
    "tbb", BENCH_COMPILER, impls, sizeof impls / sizeof impls[0], 0, start, first_task,
};
