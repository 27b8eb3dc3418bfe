/* SPDX-License-Identifier: Apache-2.0 */
/* Pictures by gnuplot: a data file and a script per picture stay beside it, so that it can be drawn
 * again in another way. */
#include "picture.h"
#include "report.h"

#include <math.h>
#include <string.h>

/* What is drawn of a case: its own metric, or one that was measured beside it. */
struct bars {
    const struct case_result *result;
    enum bench_metric metric;
    char name[64]; /* of the picture */
    unsigned count;
    double least, most; /* median; upper end of a line */
    unsigned groups;    /* a bit for each that has a bar */
};

static const struct bar_group {
    const char *title;
    const char *colour;
} bar_groups[] = {
    {"filch", "#c03028"},  {"filch, one worker", "#e8a8a0"},
    {"peers", "#5080b8"},  {"peers, one worker", "#b0c8e0"},
    {"serial", "#808080"},
};

enum { BAR_GROUPS = sizeof bar_groups / sizeof bar_groups[0] };

/* What the axis shows. */
static const char *const bar_labels[METRIC_COUNT] = {
    [METRIC_NS_PER_OP] = "time per operation",
    [METRIC_SECONDS] = "time",
    [METRIC_CPU_SECONDS] = "processor time",
    [METRIC_BYTES_PER_OP] = "memory of each",
    [METRIC_MAX_MIN] = "the luckiest over the unluckiest",
    [METRIC_KEPT_BYTES_PER_OP] = "memory still held, of each",
    [METRIC_RELEASE_NS_PER_OP] = "time to wake and end each",
    [METRIC_LATE_NS] = "late by, 99th percentile",
};

/* A unit for figures up to so much; on a logarithmic axis each figure has its own prefix. */
struct bar_unit {
    const char *name;
    double size; /* in that of the metric */
};

static struct bar_unit bar_unit(enum bench_metric metric, double most, bool logarithmic)
{
    static const struct bar_unit times[] = {{"s", 1}, {"ms", 1e-3}, {"us", 1e-6}, {"ns", 1e-9}};
    const char *unit = bench_metric_unit(metric);
    const double size = strcmp(unit, "ns") == 0 ? 1e-9 : 1;
    if (size >= 1 && strcmp(unit, "s") != 0)
        return (struct bar_unit){unit, 1};
    size_t i = 0;
    while (!logarithmic && i + 1 < sizeof times / sizeof times[0] &&
           most * size < 2 * times[i].size)
        i++;
    return (struct bar_unit){times[i].name, times[i].size / size};
}

/* In bar_groups. */
static unsigned bar_group(const struct measurement *item)
{
    if (strncmp(item->impl->name, "serial", 6) == 0)
        return 4;
    return (strncmp(item->impl->name, "filch", 5) == 0 ? 0u : 2u) + (item->workers == 1);
}

static const struct series *bar_values(const struct bars *bars, const struct measurement *item)
{
    return bars->metric == bars->result->info->metric ? &item->values : &item->also[bars->metric];
}

/* Writes one line per bar. */
static void bars_data(FILE *data, struct bars *bars)
{
    fputs("# bar label group median q1 q3\n", data);
    for (size_t i = 0; i < bars->result->count; i++) {
        const struct measurement *item = &bars->result->items[i];
        const struct series *values = bar_values(bars, item);
        if (item->failed || values->count == 0)
            continue;
        const double median = series_median(values);
        const double upper = series_quantile(values, 0.75);
        fprintf(data, "%u \"%s %uw\" %u %.9g %.9g %.9g\n", bars->count, item->impl->name,
                item->workers, bar_group(item), median, series_quantile(values, 0.25), upper);
        bars->groups |= 1u << bar_group(item);
        bars->least = bars->count == 0 || median < bars->least ? median : bars->least;
        bars->most = bars->count == 0 || upper > bars->most ? upper : bars->most;
        bars->count++;
    }
}

static void bars_script(FILE *script, const char *folder, const struct bars *bars)
{
    const struct bench_case *info = bars->result->info;
    picture_script_begin(script, folder, bars->name, 480 + 48 * bars->count);
    /* Bars of very different length can only be compared on a logarithmic axis. */
    const bool logarithmic = bars->least > 0 && bars->most > 20 * bars->least;
    const struct bar_unit unit = bar_unit(bars->metric, bars->most, logarithmic);
    if (logarithmic)
        fprintf(script, "set logscale y\nset format y '%%.0s %%c%s'\nset yrange [%g:*]\n",
                unit.name, bars->least / unit.size / 3);
    else
        fputs("set yrange [0:*]\n", script);
    fprintf(script,
            "set title \"%s: %s\"\n"
            "set ylabel '%s%s%s%s; median and middle half'\n"
            "set xrange [-0.7:%u]\n"
            "unit = %g\n",
            info->name, info->what, bar_labels[bars->metric],
            *unit.name && !logarithmic ? ", " : "", logarithmic ? "" : unit.name,
            logarithmic ? ", logarithmic" : "", bars->count, unit.size);
    const char *before = "plot ";
    for (unsigned g = 0; g < BAR_GROUPS; g++) {
        if ((bars->groups & 1u << g) == 0)
            continue;
        fprintf(script,
                "%sdata using 1:($3 == %u ? $4 / unit : NaN):($5 / unit):($6 / unit):(0.8):xtic(2) "
                "with boxerrorbars linecolor rgb '%s' title '%s'",
                before, g, bar_groups[g].colour, bar_groups[g].title);
        before = ", ";
    }
    putc('\n', script);
}

static bool has_bars(const struct bars *bars)
{
    for (size_t i = 0; i < bars->result->count; i++) {
        const struct measurement *item = &bars->result->items[i];
        if (!item->failed && bar_values(bars, item)->count > 0)
            return true;
    }
    return false;
}

/* Draws CASE.png, or for what was measured beside it CASE-METRIC.png; nothing where there is nothing. */
static bool bars_plot(const char *folder, const struct case_result *result,
                      enum bench_metric metric)
{
    struct bars bars = {.result = result, .metric = metric};
    if (metric == result->info->metric)
        snprintf(bars.name, sizeof bars.name, "%s", result->info->name);
    else
        snprintf(bars.name, sizeof bars.name, "%s-%s", result->info->name,
                 bench_metric_name(metric));
    if (!has_bars(&bars))
        return true;
    FILE *data = picture_file(folder, bars.name, "dat");
    if (!data)
        return false;
    bars_data(data, &bars);
    fclose(data);
    FILE *script = picture_file(folder, bars.name, "gp");
    if (!script)
        return false;
    bars_script(script, folder, &bars);
    fclose(script);
    return picture_draw(folder, bars.name);
}

/* The pictures that compare filch with its best peer, case by case: too many cases for one. */
static const struct group {
    const char *name;
    const char *what;
    const char *prefixes; /* of the names of its cases; "": those that no other group has */
} groups[] = {
    {"overview", "tasks and loops", ""},
    {"overview-locks", "locks", "mutex rwlock condvar barrier"},
    {"overview-waiting", "tasks that wait", "switch task- blocked timers"},
    {"overview-channels", "channels", "chan select"},
};

enum { GROUPS = sizeof groups / sizeof groups[0] };

static bool has_prefix_of(const char *name, const char *prefixes)
{
    for (; *prefixes; prefixes += strspn(prefixes, " ")) {
        const size_t length = strcspn(prefixes, " ");
        if (strncmp(name, prefixes, length) == 0)
            return true;
        prefixes += length;
    }
    return false;
}

static const struct group *group_of(const struct case_result *result)
{
    for (int i = 1; i < GROUPS; i++) {
        if (has_prefix_of(result->info->name, groups[i].prefixes))
            return &groups[i];
    }
    return &groups[0];
}

/* The widest that ran of filch as one compiler made its callers, and the best peer of the same width and
 * compiler; NULL: none. */
static const struct measurement *widest_find(const struct case_result *result, const char *name,
                                             unsigned workers, const struct measurement **best)
{
    const struct measurement *filch = measurement_find(result, name, workers);
    if (!filch)
        filch = measurement_find(result, name, 1);
    *best = filch ? measurement_best_peer(result, filch, true) : NULL;
    return *best ? filch : NULL;
}

/* filch by the compiler that the library has, and by the other one. */
static const char *const compilers[] = {"filch", "filch:clang"};

enum { COMPILERS = sizeof compilers / sizeof compilers[0] };

/* Writes the bars of a case; the other compiler's where the best peer is another one then. Returns how many bars
 * there are with them. */
static unsigned overview_data(FILE *data, const struct case_result *result, unsigned workers,
                              unsigned bars)
{
    const struct measurement *shown = NULL;
    for (unsigned compiler = 0; compiler < COMPILERS; compiler++) {
        const struct measurement *best;
        const struct measurement *filch = widest_find(result, compilers[compiler], workers, &best);
        if (!filch || best == shown)
            continue;
        const double over = measurement_over_best(result, filch, true);
        if (!isfinite(over) || over <= 0)
            continue;
        fprintf(data, "%u \"%s (%s)\" %u %.6g %.6g %.6g\n", bars++, result->info->name,
                best->impl->name, compiler, 1 / over,
                1 / measurement_over_best_quantile(result, filch, true, 0.75),
                1 / measurement_over_best_quantile(result, filch, true, 0.25));
        shown = best;
    }
    return bars;
}

/* A bar per case: how many times as fast as the best peer filch is. */
static bool overview_plot(const char *folder, const struct results *results,
                          const struct group *group)
{
    FILE *data = picture_file(folder, group->name, "dat");
    if (!data)
        return false;
    unsigned bars = 0;
    fputs("# bar label compiler ratio q1 q3\n", data);
    for (size_t i = 0; i < results->count; i++) {
        const struct case_result *result = &results->cases[i];
        if (group_of(result) == group)
            bars = overview_data(data, result, results->workers, bars);
    }
    fclose(data);
    if (bars == 0)
        return true;
    FILE *script = picture_file(folder, group->name, "gp");
    if (!script)
        return false;
    picture_script_begin(script, folder, group->name, 480 + 40 * bars);
    fprintf(
        script,
        "set title \"%s: filch against the best peer of the same compiler, %u workers (above 1: "
        "filch is better)\\nin brackets: the best by all rounds; each round is compared with the "
        "best "
        "by the others\"\n"
        "set ylabel 'times as fast, logarithmic; middle half of the rounds'\n"
        "set logscale y 2\nset xrange [-0.7:%u]\n"
        "plot for [c=0:%u] data using 1:($3 == c ? $4 : NaN):($1 - 0.4):($1 + 0.4):(1):4:xtic(2) "
        "with boxxyerror linecolor rgb word('#c03028 #e09048', c + 1) "
        "title word('filch filch:clang', c + 1), "
        "data using 1:5:(0):($6 - $5) with vectors heads size graph 0.004,90 linecolor rgb "
        "'black' notitle, "
        "1 with lines linecolor rgb 'black' notitle\n",
        group->what, results->workers, bars, COMPILERS - 1);
    fclose(script);
    return picture_draw(folder, group->name);
}

bool report_plot(const char *folder, const struct results *results)
{
    if (!picture_folder(folder))
        return false;
    bool drawn = true;
    for (size_t i = 0; i < results->count && drawn; i++) {
        const struct case_result *result = &results->cases[i];
        for (int metric = 0; metric < METRIC_COUNT && drawn; metric++)
            drawn = bars_plot(folder, result, (enum bench_metric)metric);
    }
    for (int i = 0; i < GROUPS && drawn; i++)
        drawn = overview_plot(folder, results, &groups[i]);
    return drawn;
}
