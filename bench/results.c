/* SPDX-License-Identifier: Apache-2.0 */
#include "results.h"

#include "memory.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

void series_add(struct series *series, double value)
{
    series->values = bench_grow(series->values, series->count, sizeof *series->values);
    series->values[series->count++] = value;
}

static int double_compare(const void *left, const void *right)
{
    const double a = *(const double *)left;
    const double b = *(const double *)right;
    return (a > b) - (a < b);
}

double series_quantile(const struct series *series, double q)
{
    if (series->count == 0)
        return NAN;
    double *sorted = malloc(series->count * sizeof *sorted);
    if (!sorted)
        return NAN;
    memcpy(sorted, series->values, series->count * sizeof *sorted);
    qsort(sorted, series->count, sizeof *sorted, double_compare);
    const double place = q * (double)(series->count - 1);
    const size_t below = (size_t)place;
    const size_t above = below + 1 < series->count ? below + 1 : below;
    const double part = place - (double)below;
    const double value = sorted[below] + part * (sorted[above] - sorted[below]);
    free(sorted);
    return value;
}

double series_median(const struct series *series)
{
    return series_quantile(series, 0.5);
}

double series_min(const struct series *series)
{
    return series_quantile(series, 0);
}

const struct measurement *measurement_find(const struct case_result *result, const char *name,
                                           unsigned workers)
{
    for (size_t i = 0; i < result->count; i++) {
        const struct measurement *item = &result->items[i];
        const bool wanted = strcmp(item->impl->name, name) == 0;
        const bool width = workers == 0 || item->workers == workers;
        if (wanted && width && item->values.count > 0 && !item->failed)
            return item;
    }
    return NULL;
}

bool measurement_is_peer(const struct measurement *item)
{
    const char *name = item->impl->name;
    return strncmp(name, "filch", 5) != 0 && strncmp(name, "serial", 6) != 0;
}

/* Whether the two are to be compared: at the same width, with figures. */
static bool is_rival(const struct measurement *item, const struct measurement *than, bool alike)
{
    return measurement_is_peer(item) && item->workers == than->workers && item->values.count > 0 &&
           !item->failed && (!alike || peer_is_alike(item->impl->peer, than->impl->peer));
}

/* Whether `a` ranks before `b`: it took part in more rounds, since of many settings with a single sample
 * each one is sure to have been lucky, or else in as many and was faster. */
static bool ranks_before(const struct measurement *a, const struct measurement *b)
{
    if (a->rounds.count != b->rounds.count)
        return a->rounds.count > b->rounds.count;
    return series_median(&a->rounds) < series_median(&b->rounds);
}

const struct measurement *measurement_best_peer(const struct case_result *result,
                                                const struct measurement *than, bool alike)
{
    const struct measurement *best = NULL;
    for (size_t i = 0; i < result->count; i++) {
        const struct measurement *item = &result->items[i];
        if (is_rival(item, than, alike) && (!best || ranks_before(item, best)))
            best = item;
    }
    return best;
}

/* Which rounds say who is to be compared with in a given one. */
enum evidence {
    OTHER_PROCESSES, /* those that other processes served */
    OTHER_ROUNDS,
    ALL_ROUNDS,
    EVIDENCE_COUNT,
};

static bool is_evidence(enum evidence kind, size_t other, size_t round)
{
    if (kind == OTHER_PROCESSES)
        return other / PROCESS_ROUNDS != round / PROCESS_ROUNDS;
    return kind == ALL_ROUNDS || other != round;
}

/* The median of the rounds that say something about this one; NaN where there are none. */
static double standing(const struct measurement *item, enum evidence kind, size_t round)
{
    struct series others = {0};
    for (size_t i = 0; i < item->rounds.count; i++) {
        if (is_evidence(kind, i, round))
            series_add(&others, item->rounds.values[i]);
    }
    const double median = series_median(&others);
    free(others.values);
    return median;
}

/* The peer to compare with in a round, of those that took part in it; NULL where there is none. */
static const struct measurement *rival_in_round(const struct case_result *result,
                                                const struct measurement *than, bool alike,
                                                size_t round)
{
    const struct measurement *best = NULL;
    for (enum evidence kind = 0; kind < EVIDENCE_COUNT && !best; kind++) {
        double least = INFINITY;
        for (size_t i = 0; i < result->count; i++) {
            const struct measurement *item = &result->items[i];
            if (!is_rival(item, than, alike) || item->rounds.count <= round)
                continue;
            const double median = standing(item, kind, round);
            if (median < least) { /* not where it is NaN */
                least = median;
                best = item;
            }
        }
    }
    return best;
}

double measurement_over_best_quantile(const struct case_result *result,
                                      const struct measurement *item, bool alike, double q)
{
    struct series ratios = {0};
    for (size_t round = 0; round < item->rounds.count; round++) {
        const struct measurement *rival = rival_in_round(result, item, alike, round);
        if (rival)
            series_add(&ratios, item->rounds.values[round] / rival->rounds.values[round]);
    }
    const double ratio = series_quantile(&ratios, q);
    free(ratios.values);
    return ratio;
}

double measurement_over_best(const struct case_result *result, const struct measurement *item,
                             bool alike)
{
    return measurement_over_best_quantile(result, item, alike, 0.5);
}

double measurement_ratio_quantile(const struct measurement *a, const struct measurement *b,
                                  double q)
{
    if (!a || !b)
        return NAN;
    struct series ratios = {0};
    for (size_t i = 0; i < a->rounds.count && i < b->rounds.count; i++)
        series_add(&ratios, b->rounds.values[i] / a->rounds.values[i]);
    const double ratio = series_quantile(&ratios, q);
    free(ratios.values);
    return ratio;
}

double measurement_ratio(const struct measurement *a, const struct measurement *b)
{
    return measurement_ratio_quantile(a, b, 0.5);
}
