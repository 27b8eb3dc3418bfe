/* SPDX-License-Identifier: Apache-2.0 */
#include "tasks/timers.h"

#include "peer/peer.h"
#include "peer/workloads.h"

#include <stdlib.h>
#include <string.h>

static int compare(const void *left, const void *right)
{
    const int64_t a = *(const int64_t *)left;
    const int64_t b = *(const int64_t *)right;
    return (a > b) - (a < b);
}

void timers_measure(struct timers_data *d, void (*run)(struct timers_data *d))
{
    const double cpu_before = bench_cpu_seconds();
    run(d);
    bench_report((bench_cpu_seconds() - cpu_before) / (double)d->count);
    qsort(d->late_ns, d->count, sizeof *d->late_ns, compare);
    bench_report_also("late_ns", (double)d->late_ns[d->count - 1 - d->count / 100]);
}

static const char *prepare(const struct bench_setup *setup, void **data, uint64_t *operations)
{
    struct timers_data *d = bench_alloc(sizeof *d);
    d->count = setup->quick ? 1000 : 100000;
    d->late_ns = bench_alloc(d->count * sizeof *d->late_ns);
    *operations = 1;
    *data = d;
    return NULL;
}

static void reset(void *data)
{
    struct timers_data *d = data;
    memset(d->late_ns, 0xff, d->count * sizeof *d->late_ns);
}

static const char *check(const void *data)
{
    const struct timers_data *d = data;
    return d->late_ns[0] >= 0 ? NULL : "a task has not run, or woke too early";
}

const struct bench_workload timers_workload = {"timers", prepare, reset, check, false, NULL};
