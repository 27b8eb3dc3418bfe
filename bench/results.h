/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers, and what is said about them. */
#ifndef FILCH_BENCH_RESULTS_H
#define FILCH_BENCH_RESULTS_H

#include "peers.h"

#include <stdbool.h>

/* How many rounds a process takes part in: the memory that it happens to get is part of its time. */
enum { PROCESS_ROUNDS = 3 };

/* A list of numbers that grows. */
struct series {
    double *values;
    size_t count;
};

void series_add(struct series *series, double value);

/* The value below which the fraction `q` of the series lies; NaN for an empty one. */
double series_quantile(const struct series *series, double q);
double series_median(const struct series *series);
double series_min(const struct series *series);

/* What one implementation did with one case and one number of workers. */
struct measurement {
    const struct peer_impl *impl;
    unsigned workers;
    struct series values;             /* in the unit of the case's metric: ns or s */
    struct series rounds;             /* the median of the values of each round */
    struct series cpu;                /* seconds per round */
    struct series also[METRIC_COUNT]; /* what else was measured in the same runs */
    long rss_kib;
    double turn_seconds;    /* that its last turn took, with what is not measured */
    double prepare_seconds; /* that its last start took */
    bool is_out;            /* it takes part in no further round, see rounds.h */
    bool failed;
    bool skipped;
    char why[128]; /* failed or skipped: the reason */
};

/* All about one case. */
struct case_result {
    const struct bench_case *info;
    long size; /* of the problem; 0: the case's own */
    struct measurement *items;
    size_t count;
    struct series canary; /* one per round, beside filch: the speed-up that the machine offered */
    unsigned rounds;
};

struct results {
    struct case_result *cases;
    size_t count;
    bool quick;
    unsigned workers; /* the widest that was run */
    double seconds;   /* that it all took */
    const struct peers *peers;
};

/* The measurement that `name` has at `workers` (0: any number); NULL if it has none that counts. */
const struct measurement *measurement_find(const struct case_result *result, const char *name,
                                           unsigned workers);

/* Whether it is neither filch nor serial. */
bool measurement_is_peer(const struct measurement *item);

/* The fastest of the implementations that are neither filch nor serial, at the width of `item`; or NULL.
 *   alike  only those that no C compiler makes different from it */
const struct measurement *measurement_best_peer(const struct case_result *result,
                                                const struct measurement *item, bool alike);

/* The time of `item` divided by that of the best peer, in each round: of these, the value below which the fraction
 * `q` lies. Which peer is the best for a round, the rounds that other processes served say (where there are
 * none, the other rounds; where there is only one, that one): whoever is chosen for having been lucky in a
 * round, of a dozen, would be compared with in just that one. NaN where there is no peer. */
double measurement_over_best_quantile(const struct case_result *result,
                                      const struct measurement *item, bool alike, double q);

/* The median of these. */
double measurement_over_best(const struct case_result *result, const struct measurement *item,
                             bool alike);

/* The time of `b` divided by that of `a`, in each round that both took part in, so that what slows the
 * machine down meets both: of these, the value below which the fraction `q` lies. NaN where there is none, or
 * either is NULL. */
double measurement_ratio_quantile(const struct measurement *a, const struct measurement *b,
                                  double q);

/* The median of these. */
double measurement_ratio(const struct measurement *a, const struct measurement *b);

#endif
