/* SPDX-License-Identifier: Apache-2.0 */
/* What every peer does when it starts (program.c, or main of Rust).
 *
 *     peer-NAME --list                             what it implements
 *     peer-NAME CASE VARIANT WORKERS full|quick|SIZE
 *                                                  serve this case (VARIANT "-": recommended)
 *     peer-NAME --first-task WORKERS               start up, run one task, print when it ran
 *
 * Serving: once the data is prepared it prints "ready OPERATIONS", or "skip REASON" and ends. For
 * each line that it reads it runs one sample and prints "sample CPU_SECONDS RSS_KIB SECONDS...
 * METRIC=VALUE..." or "wrong REASON". It ends with the end of its input.
 */
#include "peer/measure.h"
#include "peer/peer.h"
#include "peer/workloads.h"

#include <fnmatch.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A run that lasts longer than this does not notice how it began. */
#define WARM_UP_BELOW_SECONDS 0.05

/* Runs that are shorter than this are made three times for a sample, which is the median: any of them may
 * have been disturbed. */
#define THREE_BELOW_SECONDS 0.03

static _Atomic int64_t first_task_ns;

void bench_first_task_ran(void)
{
    atomic_store_explicit(&first_task_ns, bench_now_ns(), memory_order_release);
}

static bool impl_serves(const struct bench_impl *impl, const char *case_name)
{
    return fnmatch(impl->case_name, case_name, FNM_EXTMATCH) == 0;
}

static int list_impls(void)
{
    printf("peer %s %u %s\n", bench_peer.name, bench_peer.workers_max, bench_peer.description);
    for (size_t i = 0; i < bench_peer.impl_count; i++) {
        const struct bench_impl *impl = &bench_peer.impls[i];
        const struct bench_workload *workload;
        for (size_t k = 0; (workload = bench_workload_at(k)) != NULL; k++) {
            if (impl_serves(impl, workload->name))
                printf("%s %s %s\n", workload->name, impl->variant[0] ? impl->variant : "-",
                       impl->environment);
        }
    }
    return 0;
}

static const struct bench_workload *workload_find(const char *case_name)
{
    const struct bench_workload *workload;
    for (size_t i = 0; (workload = bench_workload_at(i)) != NULL; i++) {
        if (strcmp(workload->name, case_name) == 0)
            break;
    }
    return workload;
}

static const struct bench_impl *impl_find(const char *case_name, const char *variant)
{
    for (size_t i = 0; i < bench_peer.impl_count; i++) {
        const struct bench_impl *impl = &bench_peer.impls[i];
        if (impl_serves(impl, case_name) && strcmp(impl->variant, variant) == 0)
            return impl;
    }
    return NULL;
}

static int first_task(unsigned workers)
{
    if (!bench_peer.first_task)
        return 1;
    bench_workers_set(workers);
    bench_peer.start(workers, "cold-start");
    bench_peer.first_task();
    const int64_t ran_ns = atomic_load_explicit(&first_task_ns, memory_order_acquire);
    printf("%lld\n", (long long)ran_ns);
    fflush(stdout);
    /* Tearing the runtime down is not what is measured. */
    _exit(ran_ns ? 0 : 1);
}

struct measured {
    double seconds;
    double cpu_seconds;
};

/* Runs once and checks the result; returns NULL or what is wrong. Only the run is measured. */
static const char *run_checked(const struct bench_workload *workload, const struct bench_impl *impl,
                               void *data, struct measured *measured)
{
    if (workload->reset)
        workload->reset(data);
    bench_reported_clear();
    const double cpu_before = bench_cpu_seconds();
    const int64_t start_ns = bench_now_ns();
    impl->run(data);
    measured->seconds = 1e-9 * (double)(bench_now_ns() - start_ns);
    measured->cpu_seconds = bench_cpu_seconds() - cpu_before;
    return workload->check(data);
}

/* The one of three that is neither the fastest nor the slowest. */
static struct measured middle_of(const struct measured three[3])
{
    const struct measured *a = &three[0];
    const struct measured *b = &three[1];
    if (a->seconds > b->seconds) {
        a = &three[1];
        b = &three[0];
    }
    const struct measured *c = &three[2];
    return c->seconds < a->seconds ? *a : c->seconds > b->seconds ? *b : *c;
}

/* One sample, after a run to warm up where that makes a difference. Returns NULL or what is wrong. */
static const char *sample(const struct bench_workload *workload, const struct bench_impl *impl,
                          void *data, struct measured *measured)
{
    const char *wrong = run_checked(workload, impl, data, measured);
    if (wrong || !workload->warm_up || measured->seconds >= WARM_UP_BELOW_SECONDS)
        return wrong;
    if (measured->seconds >= THREE_BELOW_SECONDS)
        return run_checked(workload, impl, data, measured);
    struct measured three[3];
    for (size_t i = 0; i < 3; i++) {
        wrong = run_checked(workload, impl, data, &three[i]);
        if (wrong)
            return wrong;
    }
    *measured = middle_of(three);
    return NULL;
}

static void answer(const struct bench_workload *workload, const struct bench_impl *impl, void *data)
{
    struct measured measured = {0, 0};
    const char *wrong = sample(workload, impl, data, &measured);
    if (wrong) {
        printf("wrong %s\n", wrong);
        fflush(stdout);
        return;
    }
    const double *values = NULL;
    size_t count = bench_reported(&values);
    if (count == 0) {
        values = &measured.seconds;
        count = 1;
    }
    printf("sample %.6f %ld", measured.cpu_seconds, bench_rss_growth_kib());
    for (size_t i = 0; i < count; i++)
        printf(" %.9g", values[i]);
    bench_also_print();
    putchar('\n');
    fflush(stdout);
}

static int serve(const struct bench_workload *workload, const struct bench_impl *impl,
                 const struct bench_setup *setup)
{
    void *data = NULL;
    uint64_t operations = 1;
    const char *reason = workload->prepare(setup, &data, &operations);
    if (reason) {
        printf("skip %s\n", reason);
        return 0;
    }
    bench_rss_mark();
    bench_peer.start(setup->workers, workload->name);
    printf("ready %llu\n", (unsigned long long)operations);
    fflush(stdout);
    char line[64];
    while (fgets(line, sizeof line, stdin))
        answer(workload, impl, data);
    fflush(stdout);
    /* The runtime's threads may still run: end without tearing anything down under them. */
    _exit(0);
}

int bench_peer_main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "--list") == 0)
        return list_impls();
    if (argc == 3 && strcmp(argv[1], "--first-task") == 0)
        return first_task((unsigned)strtoul(argv[2], NULL, 10));
    if (argc != 5) {
        fprintf(stderr, "usage: %s --list | CASE VARIANT WORKERS full|quick|SIZE\n", argv[0]);
        return 2;
    }
    const char *variant = strcmp(argv[2], "-") == 0 ? "" : argv[2];
    const struct bench_workload *workload = workload_find(argv[1]);
    const struct bench_impl *impl = impl_find(argv[1], variant);
    const unsigned workers = (unsigned)strtoul(argv[3], NULL, 10);
    if (!workload || !impl || workers == 0) {
        fprintf(stderr, "%s: no such case, variant or number of workers\n", argv[0]);
        return 2;
    }
    bench_workers_set(workers);
    const long size = strtol(argv[4], NULL, 10);
    const bool quick = strcmp(argv[4], "quick") == 0;
    const struct bench_setup setup = {size > 0 ? size : impl->size, workers, quick,
                                      workload->parameters};
    return serve(workload, impl, &setup);
}
