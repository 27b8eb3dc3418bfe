/* SPDX-License-Identifier: Apache-2.0 */
/* Runs cases: the implementations of a case take turns, a sample each, round after round, so that a
 * slow phase of the machine meets all of them and ratios hold. */
#ifndef FILCH_BENCH_HARNESS_H
#define FILCH_BENCH_HARNESS_H

#include "results.h"

#include <stdbool.h>

enum { HARNESS_WIDTHS_MAX = 16 };

struct harness_options {
    const struct bench_case *const *cases;
    size_t case_count;
    const char *impls; /* see peer_impl_selected */
    unsigned widths[HARNESS_WIDTHS_MAX];
    size_t width_count;
    unsigned repeat;       /* rounds per case; 0: as many as the time allows, 1 to 15 */
    double budget_seconds; /* for all cases together, where `repeat` is 0 */
    bool quick;
    bool plain; /* of the peers, only the recommended settings */
    long size;  /* of the problems; 0: each case's own */
};

/* Runs everything, with progress on stderr. */
struct results harness_run(const struct harness_options *options, const struct peers *peers);

#endif
