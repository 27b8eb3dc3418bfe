/* SPDX-License-Identifier: Apache-2.0 */
// oneTBB: task_group for fork-join and tasks, parallel_for with each partitioner for loops,
// task_arena::enqueue for work from outside.
extern "C" {
#include "forkjoin/fib.h"
#include "forkjoin/msort.h"
#include "forkjoin/nqueens.h"
#include "forkjoin/stuck.h"
#include "forkjoin/uts.h"
#include "growth/growth.h"
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
#include <type_traits>
#include <vector>

#include <oneapi/tbb/blocked_range.h>
#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/parallel_for.h>
#include <oneapi/tbb/parallel_invoke.h>
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

void merge(msort_runs runs)
{
    if (msort_length(&runs) <= MSORT_MERGE) {
        msort_merge(&runs);
        return;
    }
    const msort_runs upper = msort_cut(&runs);
    tbb::parallel_invoke([=] { merge(upper); }, [=] { merge(runs); });
}

void msort(const uint32_t *values, uint32_t *to, uint32_t *other, size_t count)
{
    if (count <= MSORT_LEAF) {
        msort_leaf(values, to, count);
        return;
    }
    const size_t half = count / 2;
    tbb::parallel_invoke([=] { msort(values + half, other + half, to + half, count - half); },
                         [=] { msort(values, other, to, half); });
    merge(msort_halves(other, half, count, to));
}

void run_msort(void *data)
{
    auto *sort = static_cast<struct msort_data *>(data);
    inside([=] { msort(sort->values, sort->values, sort->scratch, sort->count); });
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

void run_grain(void *data)
{
    auto *grain = static_cast<struct grain_data *>(data);
    inside([=] {
        tbb::task_group group;
        for (size_t i = 0; i < grain->count; i++)
            group.run([value = &grain->values[i]] { grain_task(value); });
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

// Pieces per worker for simple_partitioner, which cuts down to a grain that has to be given: one
// where the loop is tiny, a few where all iterations cost the same, more where they do not.
enum pieces { TINY = 1, EVEN = 8, UNEVEN = 32 };

template <typename P> range range_of(pieces p, size_t begin, size_t end)
{
    if (!std::is_same_v<P, tbb::simple_partitioner>)
        return range(begin, end);
    const size_t all = size_t(p) * bench_workers();
    const size_t grain = (end - begin + all - 1) / all;
    return range(begin, end, grain ? grain : 1);
}

// Loops with the partitioner that the type names. One that remembers who did what is kept between
// loops; where a body holds several loops over the same data, they share it.
template <typename P> struct loop {
    static P partitioner;

    template <typename Body> static void run(pieces p, size_t begin, size_t end, const Body &body)
    {
        tbb::parallel_for(range_of<P>(p, begin, end), body, partitioner);
    }

    template <typename Body> static double sum(pieces p, size_t begin, size_t end, const Body &body)
    {
        return tbb::parallel_reduce(
            range_of<P>(p, begin, end), 0.0,
            [&](const range &r, double before) { return before + body(r); }, std::plus<double>(),
            partitioner);
    }
};

template <typename P> P loop<P>::partitioner;

template <typename P> void run_dispatch(void *data)
{
    auto *dispatch = static_cast<struct dispatch_data *>(data);
    inside([=] {
        for (size_t i = 0; i < dispatch->loops; i++) {
            loop<P>::run(TINY, 0, DISPATCH_ELEMENTS, [x = dispatch->x](const range &r) {
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
        loop<P>::run(EVEN, 0, saxpy->count,
                     [=](const range &r) { saxpy_range(saxpy, r.begin(), r.end()); });
    });
}

template <typename P> void run_dot(void *data)
{
    auto *dot = static_cast<struct dot_data *>(data);
    inside([=] {
        dot->result = loop<P>::sum(EVEN, 0, dot->count, [=](const range &r) {
            return dot_range(dot, r.begin(), r.end());
        });
    });
}

template <typename P> void run_stencil(void *data)
{
    auto *stencil = static_cast<struct stencil_data *>(data);
    inside([=] {
        for (unsigned sweep = 0; sweep < stencil->sweeps; sweep++) {
            loop<P>::run(EVEN, 1, stencil->side - 1,
                         [=](const range &r) { stencil_rows(stencil, sweep, r.begin(), r.end()); });
        }
    });
}

template <typename P> void run_mandelbrot(void *data)
{
    auto *mandelbrot = static_cast<struct mandelbrot_data *>(data);
    inside([=] {
        loop<P>::run(UNEVEN, 0, mandelbrot->height,
                     [=](const range &r) { mandelbrot_rows(mandelbrot, r.begin(), r.end()); });
    });
}

template <typename P> void run_spmv(void *data)
{
    auto *spmv = static_cast<struct spmv_data *>(data);
    inside([=] {
        loop<P>::run(UNEVEN, 0, spmv->rows,
                     [=](const range &r) { spmv_rows(spmv, r.begin(), r.end()); });
    });
}

template <typename P> void run_pagerank(void *data)
{
    auto *pagerank = static_cast<struct pagerank_data *>(data);
    const size_t vertices = pagerank->out.vertices;
    inside([=] {
        for (unsigned round = 0; round < pagerank->rounds; round++) {
            const double dangling = loop<P>::sum(UNEVEN, 0, vertices, [=](const range &r) {
                return pagerank_share(pagerank, r.begin(), r.end());
            });
            const double base = pagerank_base(pagerank, dangling);
            loop<P>::run(UNEVEN, 0, vertices, [=](const range &r) {
                pagerank_gather(pagerank, base, r.begin(), r.end());
            });
        }
    });
}

template <typename P> void run_components(void *data)
{
    auto *components = static_cast<struct components_data *>(data);
    const size_t vertices = components->graph.vertices;
    inside([=] {
        for (unsigned repeat = 0; repeat < components->repeats; repeat++) {
            loop<P>::run(UNEVEN, 0, vertices,
                         [=](const range &r) { components_start(components, r.begin(), r.end()); });
            loop<P>::run(UNEVEN, 0, vertices,
                         [=](const range &r) { components_hook(components, r.begin(), r.end()); });
            loop<P>::run(UNEVEN, 0, vertices, [=](const range &r) {
                components_flatten(components, r.begin(), r.end());
            });
        }
    });
}

void run_iterations(void *data)
{
    auto *all = static_cast<struct iterations_data *>(data);
    inside([=] {
        for (size_t i = 0; i < all->repeats; i++) {
            loop<tbb::auto_partitioner>::run(EVEN, 0, all->iterations, [=](const range &r) {
                iterations_range(all, r.begin(), r.end());
            });
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

void share_loop(wake_data *wake)
{
    arena->execute(
        [wake] { tbb::parallel_for(0, int(WAKE_PIECES), [=](int) { wake_piece(wake); }); });
}

void run_wake_caller(void *data)
{
    wake_measure(static_cast<wake_data *>(data), share_loop);
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
    const bool outside = name.rfind("submit", 0) == 0 || name == "wake" || name == "wake-result";
    control.emplace(tbb::global_control::max_allowed_parallelism, workers + (outside ? 1 : 0));
    arena.emplace(int(workers), outside ? 0 : 1);
    arena->initialize();
}

using automatic = tbb::auto_partitioner;
using simple = tbb::simple_partitioner;
using fixed = tbb::static_partitioner;
using affinity = tbb::affinity_partitioner;

#define WITH_EACH_PARTITIONER(name, run, size)                                                     \
    {name, "", "", run<automatic>, size}, {name, "simple", "", run<simple>, size},                 \
        {name, "static", "", run<fixed>, size},                                                    \
    {                                                                                              \
        name, "affinity", "", run<affinity>, size                                                  \
    }

const bench_impl impls[] = {
    {"fib", "", "", run_fib, 30},
    {"nqueens", "", "", run_nqueens, 0},
    {"uts-flat", "", "", run_uts, 0},
    {"uts-deep", "", "", run_uts, 0},
    {"msort", "", "", run_msort, 0},
    {"stuck", "", "", run_stuck, 0},
    {"flat", "", "", run_flat, 0},
    {"submit", "", "", run_submit, 0},
    WITH_EACH_PARTITIONER("dispatch", run_dispatch, 20000),
    WITH_EACH_PARTITIONER("saxpy", run_saxpy, 0),
    WITH_EACH_PARTITIONER("dot", run_dot, 0),
    WITH_EACH_PARTITIONER("stencil", run_stencil, 0),
    WITH_EACH_PARTITIONER("mandelbrot", run_mandelbrot, 0),
    WITH_EACH_PARTITIONER("spmv", run_spmv, 0),
    WITH_EACH_PARTITIONER("spmv-mesh", run_spmv, 0),
    WITH_EACH_PARTITIONER("pagerank", run_pagerank, 0),
    WITH_EACH_PARTITIONER("components", run_components, 0),
    {"wake", "", "", run_wake, 0},
    {"wake-result", "", "", run_wake, 0},
    {"wake-caller", "", "", run_wake_caller, 0},
    {"idle", "", "", run_idle, 0},
    {"cold-start", "", "", cold_start_measure, 0},
    {"grain", "", "", run_grain, 0},
    {"iterations", "", "", run_iterations, 0},
};

} // namespace

const struct bench_peer bench_peer = {
    "tbb", BENCH_COMPILER, impls, sizeof impls / sizeof impls[0], 0, start, first_task,
};
