/* SPDX-License-Identifier: Apache-2.0 */
/* The C side of the Go peer: the table. */
#include "peer/peer.h"
#include "forkjoin/fib.h"
#include "forkjoin/stuck.h"
#include "forkjoin/uts.h"
#include "growth/growth.h"
#include "latency/latency.h"
#include "tasks/flat.h"

#include <string.h>

/* Defined in Go. */
void go_start(unsigned workers);
void go_fib(void *data);
void go_uts(void *data);
void go_stuck(void *data);
void go_flat(void *data);
void go_submit(void *data);
void go_grain(void *data);
void go_wake(struct wake_data *wake);
void go_idle_work(struct idle_data *idle, int pieces);
void go_first_task(void);

static void wake(void *data)
{
    wake_measure(data, go_wake);
}

static void idle_work(struct idle_data *idle)
{
    go_idle_work(idle, IDLE_PIECES);
}

static void idle(void *data)
{
    idle_measure(data, idle_work);
}

static void start(unsigned workers, const char *case_name)
{
    /* The thread that calls from outside counts as one of Go's while it is inside. */
    const bool outside = strncmp(case_name, "submit", 6) == 0 || strncmp(case_name, "wake", 4) == 0;
    go_start(workers + (outside ? 1 : 0));
}

static const struct bench_impl impls[] = {
    /* Smaller than elsewhere, where each spawn costs more; the time is per spawn. */
    {"fib", "", "", go_fib, 26},     {"uts-flat", "", "", go_uts, 0}, {"stuck", "", "", go_stuck, 0},
    {"flat", "", "", go_flat, 0},    {"submit", "", "", go_submit, 0},
    {"wake", "", "", wake, 0},       {"wake-result", "", "", wake, 0},
    {"idle", "", "", idle, 0},       {"cold-start", "", "", cold_start_measure, 0},
    {"grain", "", "", go_grain, 0},
};

const struct bench_peer bench_peer = {
    "go", "Debian's Go", impls, sizeof impls / sizeof impls[0], 0, start, go_first_task,
};
