/* SPDX-License-Identifier: Apache-2.0 */
#include "forkjoin/stuck.h"

#include "peer/peer.h"
#include "peer/workloads.h"

#include <string.h>

void stuck_compute(int64_t duration_ns)
{
    const int64_t end_ns = bench_now_ns() + duration_ns;
    while (bench_now_ns() < end_ns)
        continue;
}

void stuck_task_run(void *argument)
{
    const struct stuck_task *task = argument;
    stuck_compute(task->data->task_ns);
    task->data->done[task->index]++;
}

static const char *prepare(const struct bench_setup *setup, void **data, uint64_t *operations)
{
    struct stuck_data *stuck = bench_alloc(sizeof *stuck);
    stuck->task_ns = setup->quick ? 5000000 : 20000000;
    stuck->own_ns = STUCK_TASKS * stuck->task_ns;
    *operations = 1;
    *data = stuck;
    return NULL;
}

static void reset(void *data)
{
    struct stuck_data *stuck = data;
    memset(stuck->done, 0, sizeof stuck->done);
}

static const char *check(const void *data)
{
    const struct stuck_data *stuck = data;
    for (int i = 0; i < STUCK_TASKS; i++) {
        if (stuck->done[i] != 1)
            return "a task did not run exactly once";
    }
    return NULL;
}

const struct bench_workload stuck_workload = {"stuck", prepare, reset, check, false, NULL};
