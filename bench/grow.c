/* SPDX-License-Identifier: Apache-2.0 */
#include "grow.h"

#include "memory.h"

#include <string.h>

enum { ROUNDS = 3 };

const struct sweep sweeps[] = {
    {"tasks",
     "a scope of so many tiny tasks, per task",
     "tasks",
     {"flat"},
     1000,
     100000000,
     100000,
     10000000,
     NULL,
     false,
     true},
    {"depth",
     "a recursion so deep with a fork at each level, per level",
     "levels",
     {"depth"},
     100,
     100000,
     10000,
     100000,
     NULL,
     false,
     true},
    {"iterations",
     "a loop of so many iterations, per iteration",
     "iterations",
     {"iterations"},
     1,
     1000000000,
     1000000,
     1000000000,
     NULL,
     false,
     false},
    {"grain",
     "tasks so many steps long, per task",
     "steps",
     {"grain"},
     1,
     1000000,
     100000,
     1000000,
     NULL,
     false,
     false},
    {"workers",
     "speed-up over one worker",
     "workers",
     {"uts-flat", "mandelbrot", "fib", "flat"},
     1,
     64,
     8,
     64,
     "filch,tbb,rayon,go",
     true,
     false},
};

const size_t sweep_count = sizeof sweeps / sizeof sweeps[0];

const struct sweep *sweep_find(const char *name)
{
    for (size_t i = 0; i < sweep_count; i++) {
        if (strcmp(sweeps[i].name, name) == 0)
            return &sweeps[i];
    }
    return NULL;
}

static void point_run(struct growth *growth, const char *case_name,
                      const struct harness_options *options, const struct peers *peers)
{
    const struct bench_case *info = bench_case_find(case_name);
    struct harness_options one = *options;
    one.cases = &info;
    one.case_count = 1;
    const struct results results = harness_run(&one, peers);
    growth->points = bench_grow(growth->points, growth->count, sizeof *growth->points);
    growth->points[growth->count++] = results.cases[0];
}

struct growth grow_run(const struct sweep *sweep, const struct harness_options *options,
                       const struct peers *peers)
{
    struct growth growth = {sweep, NULL, 0};
    struct harness_options point = *options;
    const long last = options->quick ? sweep->quick_last : sweep->last;
    point.plain = true;
    if (!point.repeat)
        point.repeat = options->quick ? 1 : ROUNDS;
    if (!point.impls)
        point.impls = sweep->impls;
    if (sweep->is_workers) {
        point.width_count = 0;
        for (long workers = sweep->first; workers <= last; workers *= 2)
            point.widths[point.width_count++] = (unsigned)workers;
        for (size_t i = 0; i < SWEEP_CASES_MAX && sweep->cases[i]; i++)
            point_run(&growth, sweep->cases[i], &point, peers);
        return growth;
    }
    point.quick = false; /* the size says it */
    for (point.size = sweep->first; point.size <= last; point.size *= 10) {
        if (point.size > sweep->peers_last)
            point.impls = "filch";
        point_run(&growth, sweep->cases[0], &point, peers);
    }
    return growth;
}
