/* SPDX-License-Identifier: Apache-2.0 */
/* The C side of the Go peer: the table. */
#include "peer/peer.h"
#include "channels/channels.h"
#include "forkjoin/fib.h"
#include "forkjoin/stuck.h"
#include "forkjoin/uts.h"
#include "growth/growth.h"
#include "latency/latency.h"
#include "locks/locks.h"
#include "tasks/blocked.h"
#include "tasks/flat.h"
#include "tasks/timers.h"

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
void go_mutex(void *data);
void go_mutex_parties(struct locks_data *d);
void go_handoff(void *data);
void go_rwlock_read(void *data);
void go_rwlock_write(void *data);
void go_rwlock_parties(struct locks_data *d);
void go_condvar(void *data);
void go_channels(void *data);
void go_task_yield(void *data);
void go_task_run(void *data);
void go_task_wait(void *data);
void go_task_wait_alone(void *data);
void go_blocked_run(struct blocked_data *d);
void go_timers_run(struct timers_data *d);

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

/* Go starts its parties itself, so there is nothing for a party to be told. */
static void run_mutex_parties(struct locks_data *d, locks_party *unused)
{
    (void)unused;
    go_mutex_parties(d);
}

static void mutex_parties(void *data)
{
    locks_contend(data, NULL, run_mutex_parties);
}

static void run_rwlock_parties(struct locks_data *d, locks_party *unused)
{
    (void)unused;
    go_rwlock_parties(d);
}

static void rwlock_parties(void *data)
{
    locks_contend(data, NULL, run_rwlock_parties);
}

static void channels(void *data)
{
    channels_measure(data, go_channels, data);
}

static void blocked(void *data)
{
    blocked_measure(data, go_blocked_run);
}

static void timers(void *data)
{
    timers_measure(data, go_timers_run);
}

static void start(unsigned workers, const char *case_name)
{
    /* The thread that calls from outside counts as one of Go's while it is inside. */
    const bool outside = strncmp(case_name, "submit", 6) == 0 || strncmp(case_name, "wake", 4) == 0;
    go_start(workers + (outside ? 1 : 0));
}

static const struct bench_impl impls[] = {
    /* Smaller than elsewhere, where each spawn costs more; the time is per spawn. */
    {"fib", "", "", go_fib, 26},
    {"uts-flat", "", "", go_uts, 0},
    {"stuck", "", "", go_stuck, 0},
    {"flat", "", "", go_flat, 0},
    {"submit", "", "", go_submit, 0},
    {"wake", "", "", wake, 0},
    {"wake-result", "", "", wake, 0},
    {"idle", "", "", idle, 0},
    {"mutex", "", "", go_mutex, 0},
    {"mutex-*-*", "", "", mutex_parties, 0},
    {"mutex-handoff", "", "", go_handoff, 0},
    {"rwlock-read", "", "", go_rwlock_read, 0},
    {"rwlock-write", "", "", go_rwlock_write, 0},
    {"rwlock-*-*", "", "", rwlock_parties, 0},
    {"condvar-tasks", "", "", go_condvar, 0},
    /* Goroutines are tasks; in the rows of threads they show what a Go programmer has. */
    {"chan-bounded-@(1t|spsc|mpsc|mpmc)?(-tasks)", "", "", channels, 0},
    {"chan-@(one|rendezvous|pingpong)-tasks", "", "", channels, 0},
    {"select-*", "", "", channels, 0},
    {"task-yield", "", "", go_task_yield, 0},
    {"task-run", "", "", go_task_run, 0},
    {"task-wait", "", "", go_task_wait, 0},
    {"task-wait-alone", "", "", go_task_wait_alone, 0},
    {"blocked-*", "", "", blocked, 0},
    {"timers", "", "", timers, 0},
    {"cold-start", "", "", cold_start_measure, 0},
    {"grain", "", "", go_grain, 0},
};

const struct bench_peer bench_peer = {
    "go", "Debian's Go", impls, sizeof impls / sizeof impls[0], 0, start, go_first_task,
};
