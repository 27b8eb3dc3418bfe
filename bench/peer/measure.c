/* SPDX-License-Identifier: Apache-2.0 */
#include "peer/measure.h"

#include "peer/peer.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>

enum {
    REPORTED_MAX = 4096,
    ALSO_MAX = 8,
    HUGE_PAGE_BYTES = 2 << 20,
    LARGE_BYTES = 2 * HUGE_PAGE_BYTES,
};

static double reported[REPORTED_MAX];
static size_t reported_count;
static struct {
    const char *metric;
    double value;
} also[ALSO_MAX];
static size_t also_count;
static long rss_start_kib;
static unsigned worker_count = 1;

static double timeval_seconds(struct timeval time)
{
    return (double)time.tv_sec + 1e-6 * (double)time.tv_usec;
}

double bench_cpu_seconds(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return timeval_seconds(usage.ru_utime) + timeval_seconds(usage.ru_stime);
}

static double clock_seconds(clockid_t clock)
{
    struct timespec now = {0, 0};
    clock_gettime(clock, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* The CPU clock of a thread of this process, as the kernel numbers them (linux/posix-timers.h). */
static clockid_t thread_clock(unsigned long thread)
{
    return (clockid_t)(~(unsigned)thread << 3 | 6);
}

double bench_others_cpu_seconds(void)
{
    /* What a thread has used since the last tick of its CPU, 4 ms at most, is in the clock of the process
     * only once its own has been read. */
    DIR *threads = opendir("/proc/self/task");
    const struct dirent *entry;
    while (threads && (entry = readdir(threads)) != NULL) {
        const unsigned long thread = strtoul(entry->d_name, NULL, 10);
        if (thread > 0)
            (void)clock_seconds(thread_clock(thread));
    }
    if (threads)
        closedir(threads);
    return clock_seconds(CLOCK_PROCESS_CPUTIME_ID) - clock_seconds(CLOCK_THREAD_CPUTIME_ID);
}

/* Reads one "Name:  123 kB" line of /proc/self/status; 0 where there is none. */
static long status_kib(const char *name)
{
    FILE *status = fopen("/proc/self/status", "re");
    if (!status)
        return 0;
    const size_t length = strlen(name);
    char line[256];
    long kib = 0;
    while (fgets(line, sizeof line, status)) {
        if (strncmp(line, name, length) == 0 && line[length] == ':') {
            kib = strtol(line + length + 1, NULL, 10);
            break;
        }
    }
    fclose(status);
    return kib;
}

void bench_rss_mark(void)
{
    /* Writing 5 resets the peak to the present size, so that data set-up does not hide growth. */
    FILE *clear = fopen("/proc/self/clear_refs", "we");
    if (clear) {
        fputs("5\n", clear);
        fclose(clear);
    }
    rss_start_kib = status_kib("VmHWM");
}

long bench_rss_growth_kib(void)
{
    const long growth = status_kib("VmHWM") - rss_start_kib;
    return growth > 0 ? growth : 0;
}

void bench_report(double seconds)
{
    if (reported_count < REPORTED_MAX)
        reported[reported_count++] = seconds;
}

size_t bench_reported(const double **values)
{
    *values = reported;
    return reported_count;
}

void bench_report_also(const char *metric, double value)
{
    if (also_count < ALSO_MAX) {
        also[also_count].metric = metric;
        also[also_count++].value = value;
    }
}

void bench_also_print(void)
{
    for (size_t i = 0; i < also_count; i++)
        printf(" %s=%.9g", also[i].metric, also[i].value);
}

void bench_reported_clear(void)
{
    reported_count = 0;
    also_count = 0;
}

double bench_memory_bytes(void)
{
    return 1024.0 * (double)(status_kib("VmRSS") + status_kib("VmPTE"));
}

void *bench_alloc(size_t size_bytes)
{
    /* Aligned to 64 so that every implementation sees the same alignment. Large arrays lie on huge
     * pages: which small ones a process happens to get decides what the caches can hold of them. */
    const bool is_large = size_bytes >= LARGE_BYTES;
    const size_t unit = is_large ? HUGE_PAGE_BYTES : 64;
    const size_t rounded = size_bytes ? (size_bytes + unit - 1) & ~(unit - 1) : unit;
    void *memory = aligned_alloc(unit, rounded);
    if (!memory) {
        fprintf(stderr, "%s: no memory for %zu bytes\n", bench_peer.name, size_bytes);
        exit(1);
    }
    if (is_large)
        (void)madvise(memory, rounded, MADV_HUGEPAGE); /* where there are none, small ones do */
    memset(memory, 0, rounded);
    return memory;
}

void bench_workers_set(unsigned workers)
{
    worker_count = workers;
}

unsigned bench_workers(void)
{
    return worker_count;
}
