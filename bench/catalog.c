/* SPDX-License-Identifier: Apache-2.0 */
#include "catalog.h"

#include <string.h>

const struct bench_case bench_cases[] = {
    {"fib", "spawns of a Fibonacci tree without a cut-off, function form of join", METRIC_NS_PER_OP,
     0},
    {"fib-typed", "the same with the typed form of join", METRIC_NS_PER_OP, 0},
    {"nqueens", "13 queens, a task per legal placement", METRIC_SECONDS, 0},
    {"uts-flat", "unbalanced tree of 4.3 million nodes, 10 levels", METRIC_SECONDS, 0},
    {"uts-deep", "unbalanced tree of 4.7 million nodes, 2223 levels", METRIC_SECONDS, 0},
    {"msort", "merge sort of 8 million numbers, serial merges", METRIC_SECONDS, 0},
    {"stuck", "8 tasks of 20 ms beside 160 ms of the spawner's own; ideal with two: 160 ms",
     METRIC_SECONDS, CASE_WIDE},
    {"flat", "tasks of a flat scope of a million", METRIC_NS_PER_OP, 0},
    {"submit", "tasks handed in by a thread outside, a million one by one", METRIC_NS_PER_OP,
     CASE_OUTSIDE},
    {"submit-batch", "the same, many at a time", METRIC_NS_PER_OP, CASE_OUTSIDE},
    {"dispatch", "loops over 1000 numbers, 100,000 times in a row", METRIC_NS_PER_OP, 0},
    {"saxpy", "y = a x + y, 10 million floats", METRIC_SECONDS, 0},
    {"dot", "dot product, 8 million doubles", METRIC_SECONDS, 0},
    {"stencil", "five Jacobi sweeps over 2048 x 2048", METRIC_SECONDS, 0},
    {"mandelbrot", "600 x 600 points, rows of unequal cost", METRIC_SECONDS, 0},
    {"spmv", "sparse matrix times vector, power-law rows, long ones first", METRIC_SECONDS, 0},
    {"spmv-mesh", "sparse matrix times vector, five-point mesh", METRIC_SECONDS, 0},
    {"pagerank", "50 rounds over the Debian package graph", METRIC_SECONDS, 0},
    {"components", "connected components of the Debian package graph", METRIC_SECONDS, 0},
    {"wake", "from handing a task to a sleeping pool until it runs", METRIC_NS_PER_OP,
     CASE_OUTSIDE | CASE_WIDE | CASE_WAITS},
    {"wake-result", "the same until its result is back", METRIC_NS_PER_OP,
     CASE_OUTSIDE | CASE_WIDE | CASE_WAITS},
    {"idle", "CPU time used in 5 s without work, just after work", METRIC_CPU_SECONDS,
     CASE_WIDE | CASE_WAITS | CASE_LONG},
    {"catch", "calls within a boundary for panics, and none panics", METRIC_NS_PER_OP, 0},
    {"panic-1", "panics out of 1 frame with a cleanup handler, caught", METRIC_NS_PER_OP, 0},
    {"panic-10", "the same out of 10 frames", METRIC_NS_PER_OP, 0},
    {"panic-100", "the same out of 100 frames", METRIC_NS_PER_OP, 0},
    {"thread-spawn", "threads started and joined, one after the other", METRIC_NS_PER_OP,
     CASE_OUTSIDE | CASE_WIDE | CASE_WAITS},
    {"park", "a thread's token given and taken by itself", METRIC_NS_PER_OP, 0},
    {"park-pair", "round trips of a turn between two threads, by park and unpark", METRIC_NS_PER_OP,
     CASE_OUTSIDE | CASE_WIDE | CASE_WAITS},
    {"arc", "references cloned and dropped", METRIC_NS_PER_OP, 0},
    {"arc-2", "the same by two threads, on one value", METRIC_NS_PER_OP, CASE_OUTSIDE | CASE_WIDE},
    {"mutex", "lock and unlock, uncontended", METRIC_NS_PER_OP, CASE_WIDE | CASE_WAITS},
    {"mutex-2-short", "acquisitions by 2 threads, 20 ns inside and outside", METRIC_NS_PER_OP,
     CASE_WIDE | CASE_WAITS},
    {"mutex-4-short", "acquisitions by 4 threads, 20 ns inside and outside", METRIC_NS_PER_OP,
     CASE_WIDE | CASE_WAITS},
    {"mutex-16-short", "acquisitions by 16 threads, 20 ns inside and outside", METRIC_NS_PER_OP,
     CASE_WIDE | CASE_WAITS},
    {"mutex-2-long", "acquisitions by 2 threads, 500 ns inside and outside", METRIC_NS_PER_OP,
     CASE_WIDE | CASE_WAITS},
    {"mutex-4-long", "acquisitions by 4 threads, 500 ns inside and outside", METRIC_NS_PER_OP,
     CASE_WIDE | CASE_WAITS},
    {"mutex-16-long", "acquisitions by 16 threads, 500 ns inside and outside", METRIC_NS_PER_OP,
     CASE_WIDE | CASE_WAITS},
    {"mutex-16-short-fair", "the luckiest of 16 threads over the unluckiest, 20 ns", METRIC_MAX_MIN,
     CASE_WIDE | CASE_WAITS},
    {"mutex-16-long-fair", "the same, 500 ns", METRIC_MAX_MIN, CASE_WIDE | CASE_WAITS},
    {"rwlock-read", "lock and unlock for reading, uncontended", METRIC_NS_PER_OP,
     CASE_WIDE | CASE_WAITS},
    {"rwlock-write", "lock and unlock for writing, uncontended", METRIC_NS_PER_OP,
     CASE_WIDE | CASE_WAITS},
    {"rwlock-90-short", "acquisitions by 4 threads, 90 % of them readers, 20 ns", METRIC_NS_PER_OP,
     CASE_WIDE | CASE_WAITS},
    {"rwlock-90-long", "acquisitions by 4 threads, 90 % of them readers, 500 ns", METRIC_NS_PER_OP,
     CASE_WIDE | CASE_WAITS},
    {"rwlock-99-short", "acquisitions by 4 threads, 99 % of them readers, 20 ns", METRIC_NS_PER_OP,
     CASE_WIDE | CASE_WAITS},
    {"rwlock-99-long", "acquisitions by 4 threads, 99 % of them readers, 500 ns", METRIC_NS_PER_OP,
     CASE_WIDE | CASE_WAITS},
    {"condvar-threads", "round trips between two threads", METRIC_NS_PER_OP,
     CASE_WIDE | CASE_WAITS},
    {"condvar-tasks", "round trips between two tasks", METRIC_NS_PER_OP, CASE_WIDE | CASE_WAITS},
    {"barrier-2", "meetings of 2 threads", METRIC_NS_PER_OP, CASE_WIDE | CASE_WAITS},
    {"barrier-8", "meetings of 8 threads", METRIC_NS_PER_OP, CASE_WIDE | CASE_WAITS},
    {"cold-start", "from starting a process until its first task runs", METRIC_SECONDS,
     CASE_WIDE | CASE_WAITS},
    {"grain", "tasks of one scope, each so many steps of a nanosecond long", METRIC_NS_PER_OP,
     CASE_GROWS},
    {"depth", "levels of a deep recursion with a fork at each", METRIC_NS_PER_OP, CASE_GROWS},
    {"iterations", "iterations of a loop of so many, an addition each", METRIC_NS_PER_OP,
     CASE_GROWS},
};

const size_t bench_case_count = sizeof bench_cases / sizeof bench_cases[0];

const struct bench_case *bench_case_find(const char *name)
{
    for (size_t i = 0; i < bench_case_count; i++) {
        if (strcmp(bench_cases[i].name, name) == 0)
            return &bench_cases[i];
    }
    return NULL;
}

const char *bench_metric_name(enum bench_metric metric)
{
    switch (metric) {
    case METRIC_NS_PER_OP:
        return "ns_per_op";
    case METRIC_SECONDS:
        return "seconds";
    case METRIC_CPU_SECONDS:
        return "cpu_seconds";
    case METRIC_MAX_MIN:
        return "max_min";
    }
    return "";
}

const char *bench_metric_unit(enum bench_metric metric)
{
    if (metric == METRIC_MAX_MIN)
        return "";
    return metric == METRIC_NS_PER_OP ? "ns" : "s";
}
