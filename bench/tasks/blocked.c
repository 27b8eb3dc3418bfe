/* SPDX-License-Identifier: Apache-2.0 */
#include "tasks/blocked.h"

#include "peer/peer.h"
#include "peer/workloads.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* After so long without an end there is none to come. */
enum { PATIENCE_SECONDS = 40 };

/* How long memory has time to go back. */
enum { RETURN_MS = 50 };

void blocked_complete(struct blocked_data *d)
{
    d->complete_ns = bench_now_ns();
    d->full_bytes = bench_memory_bytes();
    d->release_ns = bench_now_ns();
}

static void give_up(int signal)
{
    static const char message[] = "wrong the tasks did not get anywhere for 40 s\n";
    (void)signal;
    if (write(STDOUT_FILENO, message, sizeof message - 1) > 0)
        _exit(0);
    _exit(1);
}

void blocked_measure(struct blocked_data *d, void (*run)(struct blocked_data *d))
{
    static double bytes_before; /* before the first task of this process */
    const double count = (double)d->count;
    if (bytes_before <= 0)
        bytes_before = bench_memory_bytes();
    signal(SIGALRM, give_up);
    alarm(PATIENCE_SECONDS);
    const int64_t begin_ns = bench_now_ns();
    run(d);
    const int64_t end_ns = bench_now_ns();
    alarm(0);
    const struct timespec rest = {0, RETURN_MS * 1000000};
    nanosleep(&rest, NULL);
    bench_report(1e-9 * (double)(d->complete_ns - begin_ns) / count);
    bench_report_also("release_ns_per_op", (double)(end_ns - d->release_ns) / count);
    bench_report_also("bytes_per_op", (d->full_bytes - bytes_before) / count);
    bench_report_also("kept_bytes_per_op", (bench_memory_bytes() - bytes_before) / count);
}

/* --- workloads --- */

/* What it takes at the most, with something to spare for the rest of the machine. */
static const double bytes_per_task = 14000;

static double bytes_available(void)
{
    FILE *meminfo = fopen("/proc/meminfo", "re");
    char line[128];
    double kib = 0;
    while (meminfo && fgets(line, sizeof line, meminfo)) {
        if (sscanf(line, "MemAvailable: %lf", &kib) == 1)
            break;
    }
    if (meminfo)
        fclose(meminfo);
    return 1024 * kib;
}

static const char *prepare(const struct bench_setup *setup, void **data, uint64_t *operations)
{
    struct blocked_data *d = bench_alloc(sizeof *d);
    d->count = *(const size_t *)setup->parameters / (setup->quick ? 100 : 1);
    *operations = 1;
    *data = d;
    return bytes_available() < bytes_per_task * (double)d->count ? "too little memory" : NULL;
}

static void reset(void *data)
{
    struct blocked_data *d = data;
    *d = (struct blocked_data){.count = d->count};
}

static const char *check(const void *data)
{
    static char why[80];
    const struct blocked_data *d = data;
    if (d->error) {
        snprintf(why, sizeof why, "only %zu of %zu tasks: %s", d->arrived, d->count,
                 strerror(d->error));
        return why;
    }
    return d->arrived == d->count && d->ended == d->count ? NULL : "not all tasks have run";
}

static const size_t count_10k = 10000, count_100k = 100000, count_1m = 1000000;

static const struct bench_workload workloads[] = {
    {"blocked-10k", prepare, reset, check, false, &count_10k},
    {"blocked-100k", prepare, reset, check, false, &count_100k},
    {"blocked-1m", prepare, reset, check, false, &count_1m},
};

const struct bench_family blocked_family = {workloads, sizeof workloads / sizeof workloads[0]};
