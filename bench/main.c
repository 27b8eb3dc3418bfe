/* SPDX-License-Identifier: Apache-2.0 */
/* filch-bench: the command line. */
#include "canary.h"
#include "catalog.h"
#include "grow.h"
#include "harness.h"
#include "info.h"
#include "memory.h"
#include "peer/peer.h"
#include "peers.h"
#include "report.h"

#include <getopt.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] =
    "usage: filch-bench list                 cases and implementations\n"
    "       filch-bench info                 what the pool sees of this machine\n"
    "       filch-bench run [CASE...] [options]\n"
    "       filch-bench grow [SWEEP...] [options]    how cost grows with size and workers\n"
    "\n"
    "  --impl A,B|all   only these implementations (libgomp: all its variants)\n"
    "  --workers N,...  these numbers of workers; default: 1 and one per CPU\n"
    "  --repeat N       rounds per case, for everybody; default: 1 to 15, see bench/README.md\n"
    "  --budget S       seconds for the whole run where --repeat is not given; default 260\n"
    "  --quick          small problems, to see whether everything works; grow: not so far\n"
    "  --json FILE      write the results for programs\n"
    "  --plot DIR       draw pictures with gnuplot\n"
    "\n"
    "Ends with status 1 if a result was wrong or an implementation failed.\n";

struct options {
    struct harness_options harness;
    const char *json;
    const char *plot;
};

static int usage_error(const char *message, const char *what)
{
    fprintf(stderr, "filch-bench: %s '%s'\n\n%s", message, what, usage);
    return 2;
}

static int list_print(void)
{
    const struct peers peers = peers_find();
    for (size_t i = 0; i < bench_case_count; i++) {
        const struct bench_case *info = &bench_cases[i];
        printf("%-14s %s\n%14s", info->name, info->what, "");
        for (size_t k = 0; k < peers.impl_count; k++) {
            if (peers.impls[k].info == info)
                printf(" %s", peers.impls[k].name);
        }
        putchar('\n');
    }
    return 0;
}

/* Reads a number from 1 to `most`; 0 if it is none. */
static unsigned long number_read(const char *text, unsigned long most, const char **rest)
{
    char *end;
    const unsigned long number = strtoul(text, &end, 10);
    *rest = end;
    return end == text || number > most || *text == '-' ? 0 : number;
}

static int widths_read(struct harness_options *harness, const char *text)
{
    const char *rest = text;
    harness->width_count = 0;
    do {
        const unsigned long width = number_read(rest, 1024, &rest);
        if (width == 0 || harness->width_count == HARNESS_WIDTHS_MAX)
            return usage_error("not a list of numbers of workers:", text);
        harness->widths[harness->width_count++] = (unsigned)width;
    } while (*rest++ == ',');
    return rest[-1] == '\0' ? 0 : usage_error("not a list of numbers of workers:", text);
}

static int option_read(struct options *options, int option, const char *value)
{
    const char *rest = "";
    switch (option) {
    case 'i':
        options->harness.impls = value;
        return 0;
    case 'w':
        return widths_read(&options->harness, value);
    case 'r':
        options->harness.repeat = (unsigned)number_read(value, 100000, &rest);
        return options->harness.repeat && !*rest ? 0
                                                 : usage_error("not a number of rounds:", value);
    case 'b':
        options->harness.budget_seconds = (double)number_read(value, 1000000, &rest);
        return options->harness.budget_seconds > 0 && !*rest
                   ? 0
                   : usage_error("not a number of seconds:", value);
    case 'q':
        options->harness.quick = true;
        return 0;
    case 'j':
        options->json = value;
        return 0;
    case 'p':
        options->plot = value;
        return 0;
    case 'h':
        fputs(usage, stdout);
        exit(0);
    default:
        fputs(usage, stderr);
        return 2;
    }
}

static int options_read(struct options *options, int argc, char **argv)
{
    static const struct option known[] = {
        {"impl", required_argument, NULL, 'i'},
        {"workers", required_argument, NULL, 'w'},
        {"repeat", required_argument, NULL, 'r'},
        {"budget", required_argument, NULL, 'b'},
        {"quick", no_argument, NULL, 'q'},
        {"json", required_argument, NULL, 'j'},
        {"plot", required_argument, NULL, 'p'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    int option;
    while ((option = getopt_long(argc, argv, "h", known, NULL)) != -1) {
        const int status = option_read(options, option, optarg);
        if (status)
            return status;
    }
    return 0;
}

/* Takes the cases named on the command line, or all. */
static int cases_read(struct harness_options *harness, int count, char **names)
{
    const struct bench_case **cases = NULL;
    for (int i = 0; i < count; i++) {
        const struct bench_case *info = bench_case_find(names[i]);
        if (!info)
            return usage_error("no such case:", names[i]);
        cases = bench_grow(cases, harness->case_count, sizeof *cases);
        cases[harness->case_count++] = info;
    }
    for (size_t i = 0; count == 0 && i < bench_case_count; i++) {
        if (bench_cases[i].flags & CASE_GROWS)
            continue;
        cases = bench_grow(cases, harness->case_count, sizeof *cases);
        cases[harness->case_count++] = &bench_cases[i];
    }
    harness->cases = cases;
    return 0;
}

static int failures(const struct results *results)
{
    int count = 0;
    for (size_t i = 0; i < results->count; i++) {
        for (size_t k = 0; k < results->cases[i].count; k++)
            count += results->cases[i].items[k].failed;
    }
    return count;
}

/* Whether anybody took part at all. */
static bool measured(const struct results *results)
{
    for (size_t i = 0; i < results->count; i++) {
        if (results->cases[i].count > 0)
            return true;
    }
    return false;
}

static struct options options_default(void)
{
    struct options options = {.harness = {.budget_seconds = 260}};
    struct harness_options *harness = &options.harness;
    harness->widths[harness->width_count++] = 1;
    if (canary_cpus() > 1)
        harness->widths[harness->width_count++] = canary_cpus();
    return options;
}

static int failed_say(const struct results *results)
{
    const int failed = failures(results);
    if (failed)
        fprintf(stderr, "filch-bench: %d implementation%s failed\n", failed,
                failed == 1 ? "" : "s");
    return failed;
}

static bool peers_are_there(const struct peers *peers)
{
    if (peers->impl_count == 0)
        fputs("filch-bench: there is no peer-* beside this program\n", stderr);
    return peers->impl_count > 0;
}

static int run(int argc, char **argv)
{
    struct options options = options_default();
    struct harness_options *harness = &options.harness;
    int status = options_read(&options, argc, argv);
    if (status == 0)
        status = cases_read(harness, argc - optind - 1, argv + optind + 1);
    if (status)
        return status;
    const struct peers peers = peers_find();
    if (!peers_are_there(&peers))
        return 1;
    const struct results results = harness_run(harness, &peers);
    if (!measured(&results)) {
        fputs("filch-bench: nothing was measured: no implementation of these cases was chosen\n",
              stderr);
        return 1;
    }
    report_table(stdout, &results);
    fflush(stdout);
    bool written = true;
    if (options.json)
        written = report_json(options.json, &results);
    if (options.plot)
        written = report_plot(options.plot, &results) && written;
    return failed_say(&results) || !written ? 1 : 0;
}

/* Runs one sweep, shows it, and adds its points to all. */
static bool sweep_run(const struct sweep *sweep, const struct options *options,
                      const struct peers *peers, struct results *all)
{
    const struct growth growth = grow_run(sweep, &options->harness, peers);
    grow_table(stdout, &growth);
    fflush(stdout);
    for (size_t i = 0; i < growth.count; i++) {
        all->cases = bench_grow(all->cases, all->count, sizeof *all->cases);
        all->cases[all->count++] = growth.points[i];
    }
    return !options->plot || grow_plot(options->plot, &growth);
}

static int grow(int argc, char **argv)
{
    struct options options = options_default();
    const int status = options_read(&options, argc, argv);
    if (status)
        return status;
    for (int i = optind + 1; i < argc; i++) {
        if (!sweep_find(argv[i]))
            return usage_error("no such sweep:", argv[i]);
    }
    const struct peers peers = peers_find();
    if (!peers_are_there(&peers))
        return 1;
    struct results all = {.quick = options.harness.quick, .peers = &peers};
    all.workers = options.harness.widths[options.harness.width_count - 1];
    const double start_ns = (double)bench_now_ns();
    bool written = true;
    for (size_t i = 0; i < sweep_count; i++) {
        bool is_wanted = optind + 1 == argc;
        for (int k = optind + 1; k < argc; k++)
            is_wanted = is_wanted || strcmp(argv[k], sweeps[i].name) == 0;
        if (is_wanted)
            written = sweep_run(&sweeps[i], &options, &peers, &all) && written;
    }
    all.seconds = 1e-9 * ((double)bench_now_ns() - start_ns);
    printf("\n%.0f s in all.\n", all.seconds);
    if (options.json)
        written = report_json(options.json, &all) && written;
    return failed_say(&all) || !written ? 1 : 0;
}

int main(int argc, char **argv)
{
    /* A peer that has crashed is found out by its answer, not by a signal. */
    signal(SIGPIPE, SIG_IGN);
    if (argc < 2)
        return usage_error("what to do is missing in", argv[0]);
    if (strcmp(argv[1], "list") == 0)
        return list_print();
    if (strcmp(argv[1], "info") == 0)
        return info_print();
    if (strcmp(argv[1], "run") == 0)
        return run(argc, argv);
    if (strcmp(argv[1], "grow") == 0)
        return grow(argc, argv);
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        fputs(usage, stdout);
        return 0;
    }
    return usage_error("unknown command", argv[1]);
}
