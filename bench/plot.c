/* SPDX-License-Identifier: Apache-2.0 */
/* Pictures by gnuplot: a data file and a script per picture stay beside it, so that it can be drawn
 * again in another way. */
#include "picture.h"
#include "report.h"

#include <math.h>
#include <string.h>

/* The colour group of a bar: filch, serial, peers. */
static int bar_group(const struct measurement *item)
{
    if (strncmp(item->impl->name, "filch", 5) == 0)
        return 0;
    return strncmp(item->impl->name, "serial", 6) == 0 ? 1 : 2;
}

/* What is drawn of a case: its own metric, or one that was measured beside it. */
struct bars {
    const struct case_result *result;
    enum bench_metric metric;
    char name[64]; /* of the picture */
    unsigned count;
    double least, most; /* of the medians */
};

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
        fprintf(data, "%u \"%s %uw\" %d %.9g %.9g %.9g\n", bars->count, item->impl->name,
                item->workers, bar_group(item), median, series_quantile(values, 0.25),
                series_quantile(values, 0.75));
        bars->least = bars->count == 0 || median < bars->least ? median : bars->least;
        bars->most = bars->count == 0 || median > bars->most ? median : bars->most;
        bars->count++;
    }
}

static void bars_script(FILE *script, const char *folder, const struct bars *bars)
{
    const struct bench_case *info = bars->result->info;
    picture_script_begin(script, folder, bars->name, 480 + 48 * bars->count);
    /* Bars of very different length can only be compared on a logarithmic axis. */
    const bool logarithmic = bars->least > 0 && bars->most > 20 * bars->least;
    if (logarithmic)
        fprintf(script, "set logscale y\nset yrange [%g:*]\n", bars->least / 3);
    else
        fputs("set yrange [0:*]\n", script);
    fprintf(script,
            "set title \"%s: %s\"\n"
            "set ylabel '%s%s (%s), median and middle half'\n"
            "set xrange [-0.7:%u]\n",
            info->name, info->what, bench_metric_name(bars->metric),
            logarithmic ? ", logarithmic" : "", bench_metric_unit(bars->metric), bars->count);
    fputs("plot for [g=0:2] data using 1:($3 == g ? $4 : NaN):5:6:(0.8):xtic(2) with boxerrorbars "
          "linecolor rgb word('#c03028 #808080 #5080b8', g + 1) "
          "title word('filch serial peers', g + 1)\n",
          script);
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
        "data using 1:4:5:6 with yerrorbars pointtype 0 linecolor rgb 'black' notitle, "
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
