/* SPDX-License-Identifier: Apache-2.0 */
#include "report.h"

#include "canary.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>

static void string(FILE *out, const char *text)
{
    putc('"', out);
    for (; *text; text++) {
        const unsigned char c = (unsigned char)*text;
        if (c == '"' || c == '\\')
            fprintf(out, "\\%c", c);
        else if (c < 0x20)
            fprintf(out, "\\u%04x", c);
        else
            putc(c, out);
    }
    putc('"', out);
}

static void number(FILE *out, double value)
{
    if (isfinite(value))
        fprintf(out, "%.9g", value);
    else
        fputs("null", out);
}

static void field(FILE *out, const char *name, const char *value)
{
    string(out, name);
    putc(':', out);
    string(out, value);
}

/* The processor's name as /proc/cpuinfo has it, "" where it has none. */
static void cpu_model(char text[128])
{
    text[0] = '\0';
    FILE *cpuinfo = fopen("/proc/cpuinfo", "re");
    char line[256];
    while (cpuinfo && fgets(line, sizeof line, cpuinfo)) {
        const char *colon = strchr(line, ':');
        if (colon && strncmp(line, "model name", 10) == 0) {
            snprintf(text, 128, "%.126s", colon + 2);
            text[strcspn(text, "\n")] = '\0';
            break;
        }
    }
    if (cpuinfo)
        fclose(cpuinfo);
}

static void meta(FILE *out, const struct results *results)
{
    struct utsname system;
    char cpu[128];
    char date[32];
    const time_t now = time(NULL);
    struct tm utc;
    uname(&system);
    cpu_model(cpu);
    strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &utc));
    fputs("\"meta\":{", out);
    field(out, "date", date);
    putc(',', out);
    field(out, "system", system.sysname);
    putc(',', out);
    field(out, "release", system.release);
    putc(',', out);
    field(out, "machine", system.machine);
    putc(',', out);
    field(out, "cpu", cpu);
    fprintf(out, ",\"cpus\":%u,\"workers\":%u,\"quick\":%s,\"seconds\":%.1f,\"peers\":{",
            canary_cpus(), results->workers, results->quick ? "true" : "false", results->seconds);
    for (size_t i = 0; i < results->peers->count; i++) {
        if (i > 0)
            putc(',', out);
        field(out, results->peers->items[i]->name, results->peers->items[i]->description);
    }
    fputs("}}", out);
}

/* One element of "results". */
struct entry {
    const char *case_name;
    const char *impl;
    long size; /* 0: the case's own */
    unsigned workers;
    size_t rounds;
    const char *metric;
    const char *unit;
    const char *better;
    const struct series *samples;
    const struct series *canary; /* NULL: none beside it */
};

static void entry(FILE *out, const struct entry *entry, bool *first)
{
    fputs(*first ? "\n{" : ",\n{", out);
    *first = false;
    field(out, "case", entry->case_name);
    putc(',', out);
    field(out, "impl", entry->impl);
    if (entry->size > 0)
        fprintf(out, ",\"size\":%ld", entry->size);
    fprintf(out, ",\"workers\":%u,\"rounds\":%zu,", entry->workers, entry->rounds);
    field(out, "metric", entry->metric);
    putc(',', out);
    field(out, "unit", entry->unit);
    putc(',', out);
    field(out, "better", entry->better);
    fputs(",\"samples\":[", out);
    for (size_t i = 0; i < entry->samples->count; i++) {
        if (i > 0)
            putc(',', out);
        number(out, entry->samples->values[i]);
    }
    fputs("],\"median\":", out);
    number(out, series_median(entry->samples));
    fputs(",\"min\":", out);
    number(out, series_min(entry->samples));
    fputs(",\"p99\":", out);
    number(out, series_quantile(entry->samples, 0.99));
    if (entry->canary && entry->canary->count > 0) {
        fputs(",\"canary\":", out);
        number(out, series_median(entry->canary));
    }
    putc('}', out);
}

static void measurement(FILE *out, const struct case_result *result, const struct measurement *item,
                        bool *first)
{
    if (item->failed || item->values.count == 0)
        return;
    const enum bench_metric metric = result->info->metric;
    struct entry shown = {result->info->name,
                          item->impl->name,
                          result->size,
                          item->workers,
                          item->rounds.count,
                          bench_metric_name(metric),
                          bench_metric_unit(metric),
                          "lower",
                          &item->values,
                          item->workers > 1 ? &result->canary : NULL};
    entry(out, &shown, first);
    if (metric != METRIC_CPU_SECONDS) {
        shown.metric = bench_metric_name(METRIC_CPU_SECONDS);
        shown.unit = bench_metric_unit(METRIC_CPU_SECONDS);
        shown.samples = &item->cpu;
        entry(out, &shown, first);
    }
    for (int also = 0; also < METRIC_COUNT; also++) {
        if (item->also[also].count == 0)
            continue;
        shown.metric = bench_metric_name((enum bench_metric)also);
        shown.unit = bench_metric_unit((enum bench_metric)also);
        shown.samples = &item->also[also];
        entry(out, &shown, first);
    }
    double kib = (double)item->rss_kib;
    const struct series rss = {&kib, 1};
    shown.metric = "rss_kib";
    shown.unit = "KiB";
    shown.samples = &rss;
    entry(out, &shown, first);
}

/* The canaries of all cases, as a result of their own. */
static void canary(FILE *out, const struct results *results, bool *first)
{
    struct series all = {0};
    for (size_t i = 0; i < results->count; i++) {
        const struct series *canary = &results->cases[i].canary;
        for (size_t k = 0; k < canary->count; k++)
            series_add(&all, canary->values[k]);
    }
    if (all.count > 0) {
        entry(out,
              &(struct entry){"canary", "pthread", 0, results->workers, all.count, "speed_up", "x",
                              "higher", &all, NULL},
              first);
    }
    free(all.values);
}

bool report_json(const char *path, const struct results *results)
{
    FILE *out = fopen(path, "we");
    if (!out) {
        fprintf(stderr, "filch-bench: cannot write %s: %s\n", path, strerror(errno));
        return false;
    }
    putc('{', out);
    meta(out, results);
    fputs(",\n\"results\":[", out);
    bool first = true;
    canary(out, results, &first);
    for (size_t i = 0; i < results->count; i++) {
        for (size_t k = 0; k < results->cases[i].count; k++)
            measurement(out, &results->cases[i], &results->cases[i].items[k], &first);
    }
    fputs("\n]}\n", out);
    const bool written = !ferror(out);
    if (fclose(out) != 0 || !written) {
        fprintf(stderr, "filch-bench: cannot write %s: %s\n", path, strerror(errno));
        return false;
    }
    return true;
}
