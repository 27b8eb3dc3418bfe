/* SPDX-License-Identifier: Apache-2.0 */
/* The cases by name, in the order in which they run and are shown. */
#ifndef FILCH_BENCH_CATALOG_H
#define FILCH_BENCH_CATALOG_H

#include <stddef.h>

enum bench_metric {
    METRIC_NS_PER_OP,    /* nanoseconds per operation */
    METRIC_SECONDS,      /* wall time of a whole run */
    METRIC_CPU_SECONDS,  /* CPU time of a whole run */
    METRIC_BYTES_PER_OP, /* memory per message, task... */
    /* What is said beside these: */
    METRIC_MAX_MIN,           /* what the luckiest party got over what the unluckiest did */
    METRIC_KEPT_BYTES_PER_OP, /* memory that is still held afterwards */
    METRIC_RELEASE_NS_PER_OP, /* nanoseconds per operation of the second half */
    METRIC_LATE_NS,           /* the 99th percentile of how much too late something came */
    METRIC_COUNT,
};

enum {
    /* A thread outside the pool works as well: even with one worker, two threads run. */
    CASE_OUTSIDE = 1,
    /* Says something only with all workers; not run with one. */
    CASE_WIDE = 2,
    /* Says the same with any number of workers; run with one. */
    CASE_NARROW = 64,
    /* Waits more than it computes: the canary means nothing beside it. */
    CASE_WAITS = 4,
    /* A run takes seconds by design: one round is enough, three are plenty. */
    CASE_LONG = 8,
    /* A run takes so long that there is one only. */
    CASE_ONCE = 32,
    /* A run takes some milliseconds, although it computes. */
    CASE_BRIEF = 128,
    /* Only for `grow`, which runs it in many sizes. */
    CASE_GROWS = 16,
};

struct bench_case {
    const char *name;
    const char *what; /* one line; names the operation where the metric is per operation */
    enum bench_metric metric;
    unsigned flags;
};

extern const struct bench_case bench_cases[];
extern const size_t bench_case_count;

/* Returns the case of that name, or NULL. */
const struct bench_case *bench_case_find(const char *name);

/* "ns_per_op", "seconds" and so on. */
const char *bench_metric_name(enum bench_metric metric);

/* Returns the metric of that name, METRIC_COUNT for none. */
enum bench_metric bench_metric_find(const char *name, size_t length);

/* "ns", "s", "B" or "". */
const char *bench_metric_unit(enum bench_metric metric);

#endif
