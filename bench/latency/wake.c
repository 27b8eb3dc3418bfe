/* SPDX-License-Identifier: Apache-2.0 */
#include "latency/latency.h"

#include "peer/peer.h"
#include "peer/workloads.h"

#include <time.h>

enum { ASLEEP_NS = 12000000 };

void wake_measure(struct wake_data *wake, void (*round_trip)(struct wake_data *wake))
{
    for (unsigned i = 0; i < wake->probes; i++) {
        const struct timespec pause = {0, ASLEEP_NS};
        nanosleep(&pause, NULL);
        const int64_t submitted_ns = bench_now_ns();
        round_trip(wake);
        const int64_t back_ns = bench_now_ns();
        const int64_t end_ns = wake->result ? back_ns : wake->started_ns;
        bench_report(1e-9 * (double)(end_ns - submitted_ns));
    }
}

static const char *prepare(const struct bench_setup *setup, bool result, void **data,
                           uint64_t *operations)
{
    struct wake_data *wake = bench_alloc(sizeof *wake);
    wake->probes = setup->quick ? 5 : 20;
    wake->result = result;
    *operations = 1;
    *data = wake;
    return NULL;
}

static const char *wake_prepare(const struct bench_setup *setup, void **data, uint64_t *operations)
{
    return prepare(setup, false, data, operations);
}

static const char *result_prepare(const struct bench_setup *setup, void **data,
                                  uint64_t *operations)
{
    return prepare(setup, true, data, operations);
}

static void reset(void *data)
{
    ((struct wake_data *)data)->probes_ran = 0;
}

static const char *check(const void *data)
{
    const struct wake_data *wake = data;
    return wake->probes_ran == wake->probes ? NULL : "a task did not run exactly once";
}

const struct bench_workload wake_workload = {"wake", wake_prepare, reset, check, false, NULL};
const struct bench_workload wake_result_workload = {"wake-result", result_prepare, reset,
                                                    check,         false,          NULL};
