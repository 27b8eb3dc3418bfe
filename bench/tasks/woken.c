/* SPDX-License-Identifier: Apache-2.0 */
#include "tasks/woken.h"

#include "peer/peer.h"
#include "peer/workloads.h"

enum { WORK_NS = 20000 };

void woken_work(struct woken_data *d)
{
    const int64_t end_ns = bench_now_ns() + WORK_NS;
    while (bench_now_ns() < end_ns) {
    }
    __atomic_add_fetch(&d->ended, 1, __ATOMIC_RELAXED);
}

void woken_measure(struct woken_data *d, void (*run)(struct woken_data *d))
{
    run(d);
    bench_report(1e-9 * (double)(bench_now_ns() - d->begin_ns) / (double)d->count);
}

static const char *prepare(const struct bench_setup *setup, void **data, uint64_t *operations)
{
    struct woken_data *d = bench_alloc(sizeof *d);
    d->count = setup->quick ? 200 : 2000;
    *operations = 1;
    *data = d;
    return NULL;
}

static void reset(void *data)
{
    struct woken_data *d = data;
    *d = (struct woken_data){.count = d->count};
}

static const char *check(const void *data)
{
    const struct woken_data *d = data;
    return d->ended == d->count ? NULL : "not all tasks have run";
}

static const struct bench_workload workloads[] = {
    {"woken-20us", prepare, reset, check, false, NULL},
};

const struct bench_family woken_family = {workloads, sizeof workloads / sizeof workloads[0]};
