/* SPDX-License-Identifier: Apache-2.0 */
#include "latency/latency.h"

#include "peer/peer.h"
#include "peer/workloads.h"

#include <time.h>

enum { ASLEEP_NS = 12000000 };

void wake_piece(struct wake_data *wake)
{
    const int64_t now_ns = bench_now_ns();
    int64_t first_ns = 0;
    (void)__atomic_compare_exchange_n(&wake->started_ns, &first_ns, now_ns, false, __ATOMIC_RELAXED,
                                      __ATOMIC_RELAXED);
    while (bench_now_ns() < now_ns + 5000)
        continue;
    if (__atomic_add_fetch(&wake->pieces_ran, 1, __ATOMIC_RELAXED) % WAKE_PIECES == 0)
        wake->probes_ran++; /* the last of this loop */
}

void wake_measure(struct wake_data *wake, void (*round_trip)(struct wake_data *wake))
{
    for (unsigned i = 0; i < wake->probes; i++) {
        const struct timespec pause = {0, ASLEEP_NS};
        nanosleep(&pause, NULL);
        wake->started_ns = 0;
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
    struct wake_data *wake = data;
    wake->probes_ran = 0;
    wake->pieces_ran = 0;
}

static const char *check(const void *data)
{
    const struct wake_data *wake = data;
    return wake->probes_ran == wake->probes ? NULL : "a task did not run exactly once";
}

const struct bench_workload wake_workload = {"wake", wake_prepare, reset, check, false, NULL};
const struct bench_workload wake_result_workload = {"wake-result", result_prepare, reset,
                                                    check,         false,          NULL};
const struct bench_workload wake_caller_workload = {"wake-caller", wake_prepare, reset,
                                                    check,         false,        NULL};
