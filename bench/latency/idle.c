/* SPDX-License-Identifier: Apache-2.0 */
#include "latency/latency.h"

#include "peer/peer.h"
#include "peer/workloads.h"

#include <time.h>

/* Less than this is what reading the clocks is off by. */
#define LEAST_SECONDS 1e-6

void idle_piece(struct idle_data *idle)
{
    const int64_t end_ns = bench_now_ns() + 1000000;
    while (bench_now_ns() < end_ns)
        continue;
    __atomic_fetch_add(&idle->work_done, 1, __ATOMIC_RELAXED);
}

void idle_measure(struct idle_data *idle, void (*work)(struct idle_data *idle))
{
    work(idle);
    const double before = bench_others_cpu_seconds();
    const struct timespec pause = {idle->idle_ns / 1000000000, idle->idle_ns % 1000000000};
    nanosleep(&pause, NULL);
    const double used = bench_others_cpu_seconds() - before;
    bench_report(used > LEAST_SECONDS ? used : LEAST_SECONDS);
}

static const char *prepare(const struct bench_setup *setup, void **data, uint64_t *operations)
{
    struct idle_data *idle = bench_alloc(sizeof *idle);
    idle->idle_ns = setup->quick ? 300000000 : 2000000000;
    *operations = 1;
    *data = idle;
    return NULL;
}

static void reset(void *data)
{
    ((struct idle_data *)data)->work_done = 0;
}

static const char *check(const void *data)
{
    const struct idle_data *idle = data;
    return idle->work_done == IDLE_PIECES ? NULL : "the work before the pause was not all done";
}

const struct bench_workload idle_workload = {"idle", prepare, reset, check, false, NULL};
