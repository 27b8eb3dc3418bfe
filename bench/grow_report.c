/* SPDX-License-Identifier: Apache-2.0 */
#include "grow.h"

#include "memory.h"
#include "picture.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { COLUMN = 12 };

/* What one line of a picture, or column of a table, shows. */
struct line {
    const char *impl;
    const char *case_name; /* where workers grow */
    unsigned workers;      /* where the size grows */
};

struct lines {
    struct line *items;
    size_t count;
};

enum quantity {
    TIME,     /* ns per operation */
    MEMORY,   /* KiB */
    SPEED_UP, /* over one worker */
    GAIN,     /* over serial code */
};

static struct lines lines_find(const struct growth *growth)
{
    struct lines lines = {NULL, 0};
    for (size_t p = 0; p < growth->count; p++) {
        const struct case_result *point = &growth->points[p];
        for (size_t i = 0; i < point->count; i++) {
            const struct measurement *item = &point->items[i];
            const struct line line = {item->impl->name, point->info->name,
                                      growth->sweep->is_workers ? 0 : item->workers};
            bool is_known = false;
            for (size_t k = 0; k < lines.count && !is_known; k++) {
                is_known = strcmp(lines.items[k].impl, line.impl) == 0 &&
                           strcmp(lines.items[k].case_name, line.case_name) == 0 &&
                           lines.items[k].workers == line.workers;
            }
            if (!is_known) {
                lines.items = bench_grow(lines.items, lines.count, sizeof *lines.items);
                lines.items[lines.count++] = line;
            }
        }
    }
    return lines;
}

static const struct measurement *measurement_at(const struct growth *growth,
                                                const struct line *line, long x)
{
    const bool is_workers = growth->sweep->is_workers;
    for (size_t p = 0; p < growth->count; p++) {
        const struct case_result *point = &growth->points[p];
        if (is_workers && strcmp(point->info->name, line->case_name) == 0)
            return measurement_find(point, line->impl, (unsigned)x);
        if (!is_workers && point->size == x)
            return measurement_find(point, line->impl, line->workers);
    }
    return NULL;
}

static double value_at(const struct growth *growth, const struct line *line, long x,
                       enum quantity quantity)
{
    const struct measurement *item = measurement_at(growth, line, x);
    if (!item)
        return NAN;
    switch (quantity) {
    case TIME:
        return series_min(&item->values); /* the shape of a curve is of interest, not its noise */
    case MEMORY:
        return (double)item->rss_kib;
    case SPEED_UP:
        return measurement_ratio(item, measurement_at(growth, line, 1));
    case GAIN: {
        const struct line serial = {"serial", line->case_name, 1};
        return value_at(growth, &serial, x, TIME) / series_min(&item->values);
    }
    }
    return NAN;
}

static long next(const struct growth *growth, long x)
{
    return growth->sweep->is_workers ? 2 * x : 10 * x;
}

/* The last x that anybody has a value for. */
static long last(const struct growth *growth)
{
    long most = growth->sweep->first;
    for (size_t p = 0; p < growth->count; p++) {
        const struct case_result *point = &growth->points[p];
        if (point->size > most)
            most = point->size;
        for (size_t i = 0; i < point->count && growth->sweep->is_workers; i++) {
            if ((long)point->items[i].workers > most)
                most = (long)point->items[i].workers;
        }
    }
    return most;
}

static void line_name(char name[64], const struct growth *growth, const struct line *line)
{
    if (growth->sweep->is_workers)
        snprintf(name, 64, "%s %s", line->case_name, line->impl);
    else
        snprintf(name, 64, "%s %uw", line->impl, line->workers);
}

static void number(FILE *out, double value)
{
    if (isnan(value))
        fprintf(out, " %*s", COLUMN, "-");
    else
        fprintf(out, " %*.*f", COLUMN, value >= 100 ? 0 : 2, value);
}

/* The heads in two lines, the names without their last word, and that word. */
static void heads(FILE *out, const struct growth *growth, const struct lines *lines)
{
    for (int part = 0; part < 2; part++) {
        fprintf(out, "  %11s", part == 1 ? growth->sweep->axis : "");
        for (size_t i = 0; i < lines->count; i++) {
            char name[64];
            line_name(name, growth, &lines->items[i]);
            char *space = strrchr(name, ' ');
            *space = '\0';
            fprintf(out, " %*.*s", COLUMN, COLUMN, part == 0 ? name : space + 1);
        }
        putc('\n', out);
    }
}

static void table(FILE *out, const struct growth *growth, const struct lines *lines,
                  enum quantity quantity)
{
    heads(out, growth, lines);
    const long end = last(growth);
    for (long x = growth->sweep->first; x <= end; x = next(growth, x)) {
        fprintf(out, "  %11ld", x);
        for (size_t i = 0; i < lines->count; i++)
            number(out, value_at(growth, &lines->items[i], x, quantity));
        putc('\n', out);
    }
}

/* The length of a serial task, in ns, from which on this line is faster than serial; NAN: never. */
static double pays_from(const struct growth *growth, const struct line *line)
{
    const struct line serial = {"serial", line->case_name, 1};
    double from = NAN;
    double length_before = NAN;
    double ratio_before = NAN;
    const long end = last(growth);
    for (long x = growth->sweep->first; x <= end; x = next(growth, x)) {
        const double length = value_at(growth, &serial, x, TIME);
        const double ratio = value_at(growth, line, x, TIME) / length;
        if (ratio >= 1)
            from = NAN;
        else if (isnan(from) && ratio_before >= 1) /* between the two, on logarithmic scales */
            from = length_before * pow(length / length_before,
                                       log(ratio_before) / (log(ratio_before) - log(ratio)));
        else if (isnan(from))
            from = length;
        length_before = length;
        ratio_before = ratio;
    }
    return from;
}

static bool is_about_tasks(const struct growth *growth)
{
    return strcmp(growth->sweep->name, "grain") == 0;
}

void grow_table(FILE *out, const struct growth *growth)
{
    const struct sweep *sweep = growth->sweep;
    struct lines lines = lines_find(growth);
    fprintf(out, "\n%s: %s%s\n", sweep->name, sweep->what,
            sweep->is_workers ? "" : ", in ns, least of the rounds");
    table(out, growth, &lines, sweep->is_workers ? SPEED_UP : TIME);
    if (sweep->has_memory) {
        fputs("\n  the same: growth of the peak of memory, in KiB\n", out);
        table(out, growth, &lines, MEMORY);
    }
    if (is_about_tasks(growth)) {
        fputs("\n  faster than serial from tasks of so many ns on:\n", out);
        for (size_t i = 0; i < lines.count; i++) {
            const double from = pays_from(growth, &lines.items[i]);
            if (lines.items[i].workers > 1 && !isnan(from))
                fprintf(out, "  %20s %4.0f\n", lines.items[i].impl, from);
        }
    }
    free(lines.items);
}

/* One block of data per line: x, y, and the middle half of the samples where they are times. */
static void data_write(FILE *data, const struct growth *growth, const struct lines *lines,
                       enum quantity quantity)
{
    const struct line serial = {"serial", "", 1};
    const long end = last(growth);
    for (size_t i = 0; i < lines->count; i++) {
        char name[64];
        line_name(name, growth, &lines->items[i]);
        fprintf(data, "# %s\n", name);
        for (long x = growth->sweep->first; x <= end; x = next(growth, x)) {
            const double y = value_at(growth, &lines->items[i], x, quantity);
            const double length = value_at(growth, &serial, x, TIME);
            /* Tasks are as long as serial code takes for them. */
            const double shown = is_about_tasks(growth) && !isnan(length) ? length : (double)x;
            if (!isnan(y))
                fprintf(data, "%.9g %.9g\n", shown, quantity == MEMORY && y < 1 ? 1.0 : y);
        }
        fputs("\n\n", data);
    }
}

static const char *const y_labels[] = {
    [TIME] = "least time of the rounds, logarithmic",
    [MEMORY] = "growth of the peak of memory, logarithmic",
    [SPEED_UP] = "time with one worker / time with so many",
    [GAIN] = "time of serial code / time, logarithmic",
};

/* How the values of the data become seconds, bytes, or what they are, and are written at the axis. */
static const struct scale {
    double unit;
    const char *format;
} scales[] = {
    [TIME] = {1e-9, "%.0s %cs"},
    [MEMORY] = {1024, "%.0s %cB"},
    [SPEED_UP] = {1, "%g"},
    [GAIN] = {1, "%g"},
};

/* The colours of filch's implementations, of serial code's, of the others'. */
static const char *const colours[3][8] = {
    {"#c03028", "#e88020", "#902878", "#e070a0", "#c03028", "#e88020", "#902878", "#e070a0"},
    {"#707070", "#b0b0b0", "#707070", "#b0b0b0", "#707070", "#b0b0b0", "#707070", "#b0b0b0"},
    {"#2060b0", "#20a050", "#10a8c0", "#7858c8", "#806030", "#98a810", "#70a0e0", "#303060"},
};

static int family_of(const struct line *line)
{
    if (strncmp(line->impl, "filch", 5) == 0)
        return 0;
    return strncmp(line->impl, "serial", 6) == 0 ? 1 : 2;
}

/* One for each implementation, whatever the workers or the case. */
static const char *colour_of(const struct lines *lines, size_t index)
{
    const int family = family_of(&lines->items[index]);
    unsigned before = 0; /* other implementations of the same family */
    for (size_t i = 0; i < lines->count; i++) {
        bool is_first = family_of(&lines->items[i]) == family;
        for (size_t k = 0; k < i && is_first; k++)
            is_first = strcmp(lines->items[k].impl, lines->items[i].impl) != 0;
        if (strcmp(lines->items[i].impl, lines->items[index].impl) == 0)
            break;
        before += is_first;
    }
    return colours[family][before % 8];
}

/* Dashed: one worker. Where workers grow, one kind of dashes and of points for each case. */
static unsigned dashes_of(const struct growth *growth, const struct lines *lines, size_t index)
{
    unsigned kind = 1;
    if (!growth->sweep->is_workers)
        return lines->items[index].workers == 1 ? 2 : 1;
    for (size_t i = 1; i <= index; i++)
        kind += strcmp(lines->items[i].case_name, lines->items[i - 1].case_name) != 0;
    return kind;
}

static void script_write(FILE *script, const struct growth *growth, const struct lines *lines,
                         enum quantity quantity)
{
    fprintf(script, "set title '%s: %s'\nset xlabel '%s'\nset ylabel '%s'\nset grid xtics ytics\n",
            growth->sweep->name, growth->sweep->what,
            is_about_tasks(growth) ? "ns per task in serial code" : growth->sweep->axis,
            y_labels[quantity]);
    fprintf(script, "set logscale x %d\n", growth->sweep->is_workers ? 2 : 10);
    if (quantity != SPEED_UP)
        fputs("set logscale y\nset format x '%.0s%c'\n", script);
    else
        fputs("set yrange [0:*]\n", script);
    fprintf(script, "unit = %g\nset format y '%s'\n", scales[quantity].unit,
            scales[quantity].format);
    for (size_t i = 0; i < lines->count; i++) {
        char name[64];
        line_name(name, growth, &lines->items[i]);
        const double from = is_about_tasks(growth) && lines->items[i].workers > 1
                                ? pays_from(growth, &lines->items[i])
                                : NAN;
        if (!isnan(from))
            snprintf(name + strlen(name), sizeof name - strlen(name), ", pays from %.0f ns", from);
        const bool is_ours = strncmp(lines->items[i].impl, "filch", 5) == 0;
        const unsigned dashes = dashes_of(growth, lines, i);
        fprintf(script,
                "%s index %zu using 1:($2 * unit) with linespoints linewidth %d linecolor rgb '%s' "
                "dashtype %u pointtype %u title '%s'",
                i == 0 ? "plot data" : ", data", i, is_ours ? 3 : 1, colour_of(lines, i), dashes,
                growth->sweep->is_workers ? 2 * dashes + 3 : 7, name);
    }
    putc('\n', script);
}

static bool picture(const char *folder, const char *name, const struct growth *growth,
                    const struct lines *lines, enum quantity quantity)
{
    FILE *data = picture_file(folder, name, "dat");
    if (!data)
        return false;
    data_write(data, growth, lines, quantity);
    fclose(data);
    FILE *script = picture_file(folder, name, "gp");
    if (!script)
        return false;
    picture_script_begin(script, folder, name, 1400);
    script_write(script, growth, lines, quantity);
    fclose(script);
    return picture_draw(folder, name);
}

bool grow_plot(const char *folder, const struct growth *growth)
{
    struct lines lines = lines_find(growth);
    char name[64];
    bool drawn = lines.count == 0 || picture_folder(folder);
    snprintf(name, sizeof name, "growth-%s", growth->sweep->name);
    if (lines.count > 0 && drawn)
        drawn = picture(folder, name, growth, &lines, growth->sweep->is_workers ? SPEED_UP : TIME);
    snprintf(name, sizeof name, "growth-%s-memory", growth->sweep->name);
    if (lines.count > 0 && drawn && growth->sweep->has_memory)
        drawn = picture(folder, name, growth, &lines, MEMORY);
    snprintf(name, sizeof name, "growth-%s-gain", growth->sweep->name);
    if (lines.count > 0 && drawn && is_about_tasks(growth))
        drawn = picture(folder, name, growth, &lines, GAIN);
    free(lines.items);
    return drawn;
}
