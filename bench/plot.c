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

/* Writes one line per bar; returns how many, and the least and the largest median. */
static unsigned case_data(FILE *data, const struct case_result *result, double range[2])
{
    unsigned bars = 0;
    fputs("# bar label group median q1 q3\n", data);
    for (size_t i = 0; i < result->count; i++) {
        const struct measurement *item = &result->items[i];
        if (item->failed || item->values.count == 0)
            continue;
        const double median = series_median(&item->values);
        fprintf(data, "%u \"%s %uw\" %d %.9g %.9g %.9g\n", bars, item->impl->name, item->workers,
                bar_group(item), median, series_quantile(&item->values, 0.25),
                series_quantile(&item->values, 0.75));
        range[0] = bars == 0 || median < range[0] ? median : range[0];
        range[1] = bars == 0 || median > range[1] ? median : range[1];
        bars++;
    }
    return bars;
}

static void case_script(FILE *script, const char *folder, const struct case_result *result,
                        unsigned bars, const double range[2])
{
    picture_script_begin(script, folder, result->info->name, 480 + 48 * bars);
    /* Bars of very different length can only be compared on a logarithmic axis. */
    const bool logarithmic = range[0] > 0 && range[1] > 20 * range[0];
    if (logarithmic)
        fprintf(script, "set logscale y\nset yrange [%g:*]\n", range[0] / 3);
    else
        fputs("set yrange [0:*]\n", script);
    fprintf(script,
            "set title \"%s: %s\"\n"
            "set ylabel '%s%s (%s), median and middle half'\n"
            "set xrange [-0.7:%u]\n",
            result->info->name, result->info->what, bench_metric_name(result->info->metric),
            logarithmic ? ", logarithmic" : "", bench_metric_unit(result->info->metric), bars);
    fputs("plot for [g=0:2] data using 1:($3 == g ? $4 : NaN):5:6:(0.8):xtic(2) with boxerrorbars "
          "linecolor rgb word('#c03028 #808080 #5080b8', g + 1) "
          "title word('filch serial peers', g + 1)\n",
          script);
}

static bool case_plot(const char *folder, const struct case_result *result)
{
    double range[2] = {0, 0};
    FILE *data = picture_file(folder, result->info->name, "dat");
    if (!data)
        return false;
    const unsigned bars = case_data(data, result, range);
    fclose(data);
    if (bars == 0)
        return true;
    FILE *script = picture_file(folder, result->info->name, "gp");
    if (!script)
        return false;
    case_script(script, folder, result, bars, range);
    fclose(script);
    return picture_draw(folder, result->info->name);
}

/* One picture of all: how many times as fast as the best peer filch is, case by case. */
static bool overview_plot(const char *folder, const struct results *results)
{
    FILE *data = picture_file(folder, "overview", "dat");
    if (!data)
        return false;
    unsigned bars = 0;
    for (size_t i = 0; i < results->count; i++) {
        const struct case_result *result = &results->cases[i];
        const struct measurement *filch = measurement_find(result, "filch", results->workers);
        const struct measurement *best = measurement_best_peer(result, results->workers);
        const double ratio = measurement_ratio(filch, best);
        if (isfinite(ratio) && ratio > 0)
            fprintf(data, "%u \"%s (%s)\" %.6g\n", bars++, result->info->name, best->impl->name,
                    ratio);
    }
    fclose(data);
    if (bars == 0)
        return true;
    FILE *script = picture_file(folder, "overview", "gp");
    if (!script)
        return false;
    picture_script_begin(script, folder, "overview", 480 + 40 * bars);
    fprintf(script,
            "set title 'filch against the best peer of each case, %u workers (above 1: filch is "
            "faster)'\n"
            "set ylabel 'time of the best peer / time of filch, logarithmic'\n"
            "set logscale y 2\nset xrange [-0.7:%u]\nunset key\n"
            "plot data using 1:3:($1 - 0.4):($1 + 0.4):(1):3:xtic(2) with boxxyerror "
            "linecolor rgb '#c03028', 1 with lines linecolor rgb 'black'\n",
            results->workers, bars);
    fclose(script);
    return picture_draw(folder, "overview");
}

bool report_plot(const char *folder, const struct results *results)
{
    if (!picture_folder(folder))
        return false;
    bool drawn = true;
    for (size_t i = 0; i < results->count && drawn; i++)
        drawn = case_plot(folder, &results->cases[i]);
    return drawn && overview_plot(folder, results);
}
