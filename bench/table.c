/* SPDX-License-Identifier: Apache-2.0 */
#include "report.h"

#include <math.h>
#include <string.h>

/* Three significant digits with the unit that suits the size. */
static const char *show_time(char text[32], double seconds)
{
    static const struct {
        double seconds;
        const char *name;
    } units[] = {{1, "s"}, {1e-3, "ms"}, {1e-6, "us"}, {1e-9, "ns"}};
    size_t unit = 0;
    while (unit < 3 && seconds < units[unit].seconds)
        unit++;
    const double shown = seconds / units[unit].seconds;
    const int digits = shown >= 100 ? 0 : shown >= 10 ? 1 : 2;
    snprintf(text, 32, "%.*f %s", digits, shown, units[unit].name);
    return text;
}

static const char *show_value(char text[32], double value, enum bench_metric metric)
{
    const char *unit = bench_metric_unit(metric);
    if (strcmp(unit, "ns") == 0)
        return show_time(text, 1e-9 * value);
    if (strcmp(unit, "s") == 0)
        return show_time(text, value);
    snprintf(text, 32, "%.*f%s%s", value < 100 ? 1 : 0, value, *unit ? " " : "", unit);
    return text;
}

static const char *show_number(char text[32], double value, int digits)
{
    if (isfinite(value))
        snprintf(text, 32, "%.*f", digits, value);
    else
        snprintf(text, 32, "-");
    return text;
}

static const char *show_kib(char text[32], long kib)
{
    if (kib < 10000)
        snprintf(text, 32, "%ld KiB", kib);
    else
        snprintf(text, 32, "%.1f MiB", (double)kib / 1024);
    return text;
}

/* The middle half of the samples, as a share of the median. */
static double spread_percent(const struct series *series)
{
    const double width = series_quantile(series, 0.75) - series_quantile(series, 0.25);
    return 100 * width / series_median(series);
}

/* The same of the ratios of the rounds to the best peer alike, to either side of their median. */
static const char *show_spread_alike(char text[32], const struct case_result *result,
                                     const struct measurement *item)
{
    const double width = measurement_over_best_quantile(result, item, true, 0.75) -
                         measurement_over_best_quantile(result, item, true, 0.25);
    const double percent = 50 * width / measurement_over_best(result, item, true);
    if (isfinite(percent))
        snprintf(text, 32, "%.0f%%", percent);
    else
        snprintf(text, 32, "-");
    return text;
}

/* What else was measured in the same runs. */
static void also(FILE *out, const struct measurement *item)
{
    static const struct {
        enum bench_metric metric;
        const char *name;
    } shown[] = {
        {METRIC_NS_PER_OP, "time"},    {METRIC_RELEASE_NS_PER_OP, "release"},
        {METRIC_BYTES_PER_OP, "each"}, {METRIC_KEPT_BYTES_PER_OP, "kept"},
        {METRIC_MAX_MIN, "max/min"},   {METRIC_LATE_NS, "late"},
    };
    char text[32];
    for (size_t i = 0; i < sizeof shown / sizeof shown[0]; i++) {
        const struct series *values = &item->also[shown[i].metric];
        if (values->count > 0)
            fprintf(out, "  %s %s", shown[i].name,
                    show_value(text, series_median(values), shown[i].metric));
    }
}

static void row(FILE *out, const struct case_result *result, const struct measurement *item)
{
    const enum bench_metric metric = result->info->metric;
    const char *name = item->impl->name;
    if (item->failed || item->skipped || item->values.count == 0) {
        fprintf(out, "  %-18s %3u  %s: %s\n", name, item->workers,
                item->failed ? "FAILED" : "not here", item->why);
        return;
    }
    const struct measurement *serial = measurement_find(result, "serial", 1);
    const struct measurement *alone = item->workers > 1 ? measurement_find(result, name, 1) : NULL;
    const double canary = alone ? series_median(&result->canary) : NAN;
    char cells[12][32];
    fprintf(out, "  %-18s %3u %3zu %10s %10s %9s %9s %6s%% %9s %9s %9s %5s %8s %7s %10s", name,
            item->workers, item->rounds.count,
            show_value(cells[0], series_median(&item->values), metric),
            show_value(cells[1], series_min(&item->values), metric),
            result->info->flags & CASE_WAITS
                ? show_value(cells[11], series_quantile(&item->values, 0.9), metric)
                : "",
            result->info->flags & CASE_WAITS
                ? show_value(cells[2], series_quantile(&item->values, 0.99), metric)
                : "",
            show_number(cells[3], spread_percent(&item->values), 0),
            show_number(cells[4], measurement_ratio(serial, item), 2),
            show_number(cells[5], measurement_over_best(result, item, false), 2),
            show_number(cells[6], measurement_over_best(result, item, true), 2),
            show_spread_alike(cells[7], result, item),
            show_number(cells[8], measurement_ratio(item, alone), 2),
            show_number(cells[9], canary, 2), show_kib(cells[10], item->rss_kib));
    also(out, item);
    putc('\n', out);
}

static void case_table(FILE *out, const struct case_result *result)
{
    const char *per = result->info->metric == METRIC_NS_PER_OP ? ", time per operation" : "";
    fprintf(out, "\n%s: %s%s\n", result->info->name, result->info->what, per);
    if (result->count == 0) {
        fputs("  no implementation was chosen\n", out);
        return;
    }
    fprintf(out, "  %-18s %3s %3s %10s %10s %9s %9s %7s %9s %9s %9s %5s %8s %7s %10s\n",
            "implementation", "w", "n", "median", "min",
            result->info->flags & CASE_WAITS ? "p90" : "",
            result->info->flags & CASE_WAITS ? "p99" : "", "spread", "x serial", "x best",
            "x alike", "+/-", "speed-up", "canary", "memory");
    for (size_t i = 0; i < result->count; i++)
        row(out, result, &result->items[i]);
}

void report_table(FILE *out, const struct results *results)
{
    for (size_t i = 0; i < results->count; i++)
        case_table(out, &results->cases[i]);
    fputs("\nw: workers. n: rounds; of peers far behind, and of settings that another one of the "
          "same peer has outdone, there are fewer. x serial, x best: time relative to serial C and "
          "to the best peer of the same width (below 1: faster), in each round the one "
          "that is the best in others; x alike: to the best of the same C compiler, or of another "
          "language; +/-: "
          "half the width of the middle half of its rounds. speed-up: over the same with one "
          "worker; canary: what the machine offered to threads that share nothing. memory: growth "
          "of the peak. Behind it, what else was measured in the same runs.\n",
          out);
    fprintf(out, "%.0f s in all%s.\n", results->seconds,
            results->quick ? ", with --quick: smaller problems, not for comparison" : "");
}
