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
    {"msort", "merge sort of 8 million numbers, parallel merges", METRIC_SECONDS, 0},
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
    {"wake-caller", "from calling a loop that a sleeping pool is to share until any of it runs",
     METRIC_NS_PER_OP, CASE_OUTSIDE | CASE_WIDE | CASE_WAITS},
    {"idle", "CPU time used in 2 s without work, just after work", METRIC_CPU_SECONDS,
     CASE_WIDE | CASE_WAITS | CASE_ONCE},
    {"catch", "calls within a boundary for panics, and none panics", METRIC_NS_PER_OP, CASE_BRIEF},
    {"panic-1", "panics out of 1 frame with a cleanup handler, caught", METRIC_NS_PER_OP,
     CASE_BRIEF},
    {"panic-10", "the same out of 10 frames", METRIC_NS_PER_OP, CASE_BRIEF},
    {"panic-100", "the same out of 100 frames", METRIC_NS_PER_OP, CASE_BRIEF},
    {"thread-spawn", "threads started and joined, one after the other", METRIC_NS_PER_OP,
     CASE_WAITS},
    {"park", "a thread's token given and taken by itself", METRIC_NS_PER_OP, CASE_BRIEF},
    {"park-pair", "round trips of a turn between two threads, by park and unpark", METRIC_NS_PER_OP,
     CASE_OUTSIDE | CASE_WIDE | CASE_WAITS},
    {"arc", "references cloned and dropped", METRIC_NS_PER_OP, CASE_BRIEF},
    {"arc-2", "the same by two threads, on one value", METRIC_NS_PER_OP,
     CASE_OUTSIDE | CASE_WIDE | CASE_BRIEF},
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
    {"mutex-handoff", "acquisitions by two tasks, each of which waits for the other",
     METRIC_NS_PER_OP, CASE_WAITS},
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
    {"condvar-tasks", "round trips between two tasks", METRIC_NS_PER_OP, CASE_WAITS},
    {"barrier-2", "meetings of 2 threads", METRIC_NS_PER_OP, CASE_WIDE | CASE_WAITS},
    {"barrier-8", "meetings of 8 threads", METRIC_NS_PER_OP, CASE_WIDE | CASE_WAITS},
    {"switch", "switches between two stacks", METRIC_NS_PER_OP, CASE_NARROW | CASE_WAITS},
    {"task-yield", "times that one of two tasks lets the other run", METRIC_NS_PER_OP, CASE_WAITS},
    {"task-run", "tasks created, run and waited for, one after the other", METRIC_NS_PER_OP,
     CASE_WAITS},
    {"task-wait", "tasks created 16 at a time, each of which waits once, and waited for",
     METRIC_NS_PER_OP, CASE_WAITS},
    {"task-wait-alone", "the same one at a time, so that their creator waits twice for each",
     METRIC_NS_PER_OP, CASE_WAITS},
    {"task-pingpong", "hand-overs between two tasks that wake each other", METRIC_NS_PER_OP,
     CASE_WAITS},
    {"woken-20us", "tasks begun on one worker that have 20 us of work when they are woken",
     METRIC_NS_PER_OP, CASE_WAITS},
    {"blocked-10k", "10,000 tasks created until all of them wait", METRIC_NS_PER_OP, CASE_WAITS},
    {"blocked-100k", "100,000 tasks created until all of them wait", METRIC_NS_PER_OP,
     CASE_WAITS | CASE_LONG},
    {"blocked-1m", "1,000,000 tasks created until all of them wait", METRIC_NS_PER_OP,
     CASE_WIDE | CASE_WAITS | CASE_ONCE},
    {"timers", "100,000 tasks that sleep at the same time, CPU time of each", METRIC_NS_PER_OP,
     CASE_WAITS | CASE_ONCE},
    {"chan-unbounded-1t", "messages through an unbounded channel, one thread sends and receives",
     METRIC_NS_PER_OP, CASE_WIDE | CASE_WAITS},
    {"chan-unbounded-1t-tasks", "the same, one task", METRIC_NS_PER_OP, CASE_WAITS},
    {"chan-unbounded-spsc", "messages through an unbounded channel, one to one, threads",
     METRIC_NS_PER_OP, CASE_WIDE | CASE_WAITS},
    {"chan-unbounded-spsc-tasks", "the same, tasks", METRIC_NS_PER_OP, CASE_WAITS},
    {"chan-unbounded-mpsc", "messages through an unbounded channel, four to one, threads",
     METRIC_NS_PER_OP, CASE_WIDE | CASE_WAITS},
    {"chan-unbounded-mpsc-tasks", "the same, tasks", METRIC_NS_PER_OP, CASE_WAITS},
    {"chan-unbounded-mpmc", "messages through an unbounded channel, four to four, threads",
     METRIC_NS_PER_OP, CASE_WIDE | CASE_WAITS},
    {"chan-unbounded-mpmc-tasks", "the same, tasks", METRIC_NS_PER_OP, CASE_WAITS},
    {"chan-unbounded-spsc-64",
     "messages of 64 bytes through an unbounded channel, one to one, threads", METRIC_NS_PER_OP,
     CASE_WIDE | CASE_WAITS},
    {"chan-unbounded-spsc-1024",
     "messages of 1024 bytes through an unbounded channel, one to one, threads", METRIC_NS_PER_OP,
     CASE_WIDE | CASE_WAITS},
    {"chan-bounded-1t", "messages through a channel of 1024, one thread sends and receives",
     METRIC_NS_PER_OP, CASE_WIDE | CASE_WAITS},
    {"chan-bounded-1t-tasks", "the same, one task", METRIC_NS_PER_OP, CASE_WAITS},
    {"chan-bounded-spsc", "messages through a channel of 1024, one to one, threads",
     METRIC_NS_PER_OP, CASE_WIDE | CASE_WAITS},
    {"chan-bounded-spsc-tasks", "the same, tasks", METRIC_NS_PER_OP, CASE_WAITS},
    {"chan-bounded-mpsc", "messages through a channel of 1024, four to one, threads",
     METRIC_NS_PER_OP, CASE_WIDE | CASE_WAITS},
    {"chan-bounded-mpsc-tasks", "the same, tasks", METRIC_NS_PER_OP, CASE_WAITS},
    {"chan-bounded-mpmc", "messages through a channel of 1024, four to four, threads",
     METRIC_NS_PER_OP, CASE_WIDE | CASE_WAITS},
    {"chan-bounded-mpmc-tasks", "the same, tasks", METRIC_NS_PER_OP, CASE_WAITS},
    {"chan-bounded-spsc-64", "messages of 64 bytes through a channel of 1024, one to one, threads",
     METRIC_NS_PER_OP, CASE_WIDE | CASE_WAITS},
    {"chan-bounded-spsc-1024",
     "messages of 1024 bytes through a channel of 1024, one to one, threads", METRIC_NS_PER_OP,
     CASE_WIDE | CASE_WAITS},
    {"chan-one", "messages through a channel of 1, one to one, threads", METRIC_NS_PER_OP,
     CASE_WIDE | CASE_WAITS},
    {"chan-one-tasks", "the same, tasks", METRIC_NS_PER_OP, CASE_WAITS},
    {"chan-rendezvous", "messages through a channel of none, one to one, threads", METRIC_NS_PER_OP,
     CASE_WIDE | CASE_WAITS},
    {"chan-rendezvous-tasks", "the same, tasks", METRIC_NS_PER_OP, CASE_WAITS},
    {"chan-pingpong", "round trips over two channels of 1, threads", METRIC_NS_PER_OP,
     CASE_WIDE | CASE_WAITS},
    {"chan-pingpong-tasks", "the same, tasks", METRIC_NS_PER_OP, CASE_WAITS},
    {"chan-memory", "an unbounded channel with ten million messages of 8 bytes",
     METRIC_BYTES_PER_OP, CASE_WIDE | CASE_WAITS | CASE_LONG},
    {"select-ready", "messages sent to one of four channels and received by a select over all",
     METRIC_NS_PER_OP, CASE_WIDE | CASE_WAITS},
    {"select-none", "selects over four empty channels, without waiting", METRIC_NS_PER_OP,
     CASE_WIDE | CASE_WAITS},
    {"select-4", "messages of four senders with a channel of 1024 each, to one that selects",
     METRIC_NS_PER_OP, CASE_WIDE | CASE_WAITS},
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

static const struct {
    const char *name;
    const char *unit;
} metrics[METRIC_COUNT] = {
    [METRIC_NS_PER_OP] = {"ns_per_op", "ns"},
    [METRIC_SECONDS] = {"seconds", "s"},
    [METRIC_CPU_SECONDS] = {"cpu_seconds", "s"},
    [METRIC_BYTES_PER_OP] = {"bytes_per_op", "B"},
    [METRIC_MAX_MIN] = {"max_min", ""},
    [METRIC_KEPT_BYTES_PER_OP] = {"kept_bytes_per_op", "B"},
    [METRIC_RELEASE_NS_PER_OP] = {"release_ns_per_op", "ns"},
    [METRIC_LATE_NS] = {"late_ns", "ns"},
};

const char *bench_metric_name(enum bench_metric metric)
{
    return metrics[metric].name;
}

const char *bench_metric_unit(enum bench_metric metric)
{
    return metrics[metric].unit;
}

enum bench_metric bench_metric_find(const char *name, size_t length)
{
    for (int i = 0; i < METRIC_COUNT; i++) {
        if (strlen(metrics[i].name) == length && strncmp(metrics[i].name, name, length) == 0)
            return (enum bench_metric)i;
    }
    return METRIC_COUNT;
}
