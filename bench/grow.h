/* SPDX-License-Identifier: Apache-2.0 */
/* How cost grows: one case in many sizes, or with many numbers of workers. */
#ifndef FILCH_BENCH_GROW_H
#define FILCH_BENCH_GROW_H

#include "harness.h"
#include "results.h"

#include <stdbool.h>
#include <stdio.h>

enum { SWEEP_CASES_MAX = 4 };

struct sweep {
    const char *name;
    const char *what;                   /* one line */
    const char *axis;                   /* what grows */
    const char *cases[SWEEP_CASES_MAX]; /* several only where workers grow */
    long first;                         /* sizes are powers of ten, numbers of workers of two */
    long last;
    long quick_last;
    long peers_last;   /* peers stop here: their memory or patience ends */
    const char *impls; /* see peer_impl_selected */
    bool is_workers;   /* workers grow, not the size */
    bool has_memory;   /* memory is worth a picture */
};

extern const struct sweep sweeps[];
extern const size_t sweep_count;

/* Returns the sweep of that name, or NULL. */
const struct sweep *sweep_find(const char *name);

/* A sweep that has been run: a case_result per size, or per case where workers grow. */
struct growth {
    const struct sweep *sweep;
    struct case_result *points;
    size_t count;
};

/* Runs a sweep; of the options, those count that do not say what is run. */
struct growth grow_run(const struct sweep *sweep, const struct harness_options *options,
                       const struct peers *peers);

/* Tables for people: time, memory, and from which size on it pays to have several workers. */
void grow_table(FILE *out, const struct growth *growth);

/* A picture of each of them, as report_plot. */
bool grow_plot(const char *folder, const struct growth *growth);

#endif
