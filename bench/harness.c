/* SPDX-License-Identifier: Apache-2.0 */
#include "harness.h"

#include "canary.h"
#include "child.h"
#include "memory.h"
#include "peer/peer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CLEAR_LINE "\r\033[K"

enum {
    ROUNDS_MAX = 15,
    LONG_ROUNDS_MAX = 3,
    SLOW_SECONDS = 2,
    TRIAL_ROUNDS = 3,
    /* How many rounds a process takes part in: the memory that it happens to get is part of its time. */
    PROCESS_ROUNDS = 5,
};

/* Of settings that take less than this for a turn, one round does not tell which is the best. */
#define SHORT_TURN_SECONDS 0.2

/* One case while it runs: child i works for result->items[i]. */
struct running {
    struct case_result *result;
    struct child *children;
    double *seconds;         /* that the last turn of each took */
    double *prepare_seconds; /* that the last start of each took */
    const struct harness_options *options;
    size_t case_index; /* of options->cases */
    double deadline;   /* when no round is begun any more but the first */
    bool terminal;
};

static double now_seconds(void)
{
    return 1e-9 * (double)bench_now_ns();
}

/* Which case this is: "[ 3/23] nqueens", or with a size of its own "grain 1000". */
static const char *label_make(char label[48], const struct running *running)
{
    const struct case_result *result = running->result;
    if (result->size > 0)
        snprintf(label, 48, "%-11s %10ld", result->info->name, result->size);
    else
        snprintf(label, 48, "[%*zu/%zu] %-13s", running->options->case_count > 99 ? 3 : 2,
                 running->case_index + 1, running->options->case_count, result->info->name);
    return label;
}

/* One line that overwrites itself on a terminal; nothing elsewhere. */
static void progress(const struct running *running, const char *doing,
                     const struct measurement *item)
{
    if (!running->terminal)
        return;
    char label[48];
    fprintf(stderr, CLEAR_LINE "%s %-10s %s", label_make(label, running), doing,
            item ? item->impl->name : "");
    if (item)
        fprintf(stderr, " with %u worker%s", item->workers, item->workers == 1 ? "" : "s");
    fflush(stderr);
}

static void item_add(struct case_result *result, const struct peer_impl *impl, unsigned workers)
{
    result->items = bench_grow(result->items, result->count, sizeof *result->items);
    struct measurement *item = &result->items[result->count++];
    item->impl = impl;
    item->workers = workers;
}

/* Decides who takes part, at which widths. */
static void items_choose(struct case_result *result, const struct harness_options *options,
                         const struct peers *peers)
{
    for (size_t i = 0; i < peers->impl_count; i++) {
        const struct peer_impl *impl = &peers->impls[i];
        if (impl->info != result->info || !peer_impl_selected(impl, options->impls))
            continue;
        if (options->plain && strcmp(impl->variant, "-") != 0 &&
            strncmp(impl->name, "filch", 5) != 0)
            continue;
        if (impl->peer->workers_max == 1 || (result->info->flags & CASE_NARROW)) {
            item_add(result, impl, 1);
            continue;
        }
        for (size_t w = 0; w < options->width_count; w++) {
            const bool only_wide = (result->info->flags & CASE_WIDE) && options->width_count > 1;
            if (!only_wide || options->widths[w] > 1)
                item_add(result, impl, options->widths[w]);
        }
    }
}

static void note(const struct running *running, struct measurement *item, enum child_status status)
{
    item->skipped = status == CHILD_SKIPPED;
    item->failed = status == CHILD_FAILED;
    if (item->failed) {
        fprintf(stderr, "%sfilch-bench: %s, %s, %u workers: %s\n",
                running->terminal ? CLEAR_LINE : "", item->impl->info->name, item->impl->name,
                item->workers, item->why);
    }
}

static void child_prepare(struct running *running, size_t index)
{
    struct measurement *item = &running->result->items[index];
    progress(running, "prepare", item);
    const struct child_setup setup = {item->workers, running->options->size,
                                      running->options->quick};
    const double begin = now_seconds();
    note(running, item, child_start(&running->children[index], item->impl, &setup, item->why));
    running->prepare_seconds[index] = now_seconds() - begin;
}

static void children_start(struct running *running)
{
    for (size_t i = 0; i < running->result->count; i++)
        child_prepare(running, i);
}

/* Asks one child for a sample and brings its values into the unit of the metric. */
static void turn(struct running *running, size_t index)
{
    struct measurement *item = &running->result->items[index];
    struct child *child = &running->children[index];
    const size_t before = item->values.count;
    note(running, item, child_sample(child, item));
    const double unit = running->result->info->metric == METRIC_NS_PER_OP ? 1e9 : 1;
    for (size_t i = before; i < item->values.count && !item->failed; i++)
        item->values.values[i] *= unit / child->operations;
}

static unsigned widest(const struct case_result *result)
{
    unsigned workers = 1;
    for (size_t i = 0; i < result->count; i++) {
        if (result->items[i].workers > workers)
            workers = result->items[i].workers;
    }
    return workers;
}

/* Whose first run took long is not asked again: one that slow is known well enough, and the others
 * would have no time left. */
static bool is_known_enough(const struct running *running, size_t index)
{
    const struct measurement *item = &running->result->items[index];
    if (item->values.count == 0 || running->options->repeat)
        return false;
    const double unit = running->result->info->metric == METRIC_NS_PER_OP ? 1e9 : 1;
    const double run_seconds = item->values.values[0] * running->children[index].operations / unit;
    return run_seconds > SLOW_SECONDS && !(running->result->info->flags & CASE_WAITS);
}

/* What of a name is the same for all variants of a peer; 0 for those that are all of interest. */
static size_t family_length(const struct measurement *item)
{
    const char *name = item->impl->name;
    const bool is_own = strncmp(name, "filch", 5) == 0 || strncmp(name, "serial", 6) == 0;
    return is_own ? 0 : strcspn(name, ":");
}

/* Whether another variant of the same peer was faster in the first rounds: of a peer's settings only the
 * best one goes on, or the time would go into those that are of no interest. */
static bool is_outdone(const struct running *running, size_t index)
{
    const struct measurement *items = running->result->items;
    const struct measurement *item = &items[index];
    const size_t length = family_length(item);
    const unsigned trial = running->seconds[index] < SHORT_TURN_SECONDS ? TRIAL_ROUNDS : 1;
    if (item->cpu.count < trial || length == 0 || running->options->repeat)
        return false;
    for (size_t i = 0; i < running->result->count; i++) {
        const struct measurement *other = &items[i];
        if (other->workers == item->workers && other->cpu.count >= item->cpu.count &&
            family_length(other) == length &&
            strncmp(other->impl->name, item->impl->name, length) == 0 &&
            series_median(&other->values) < series_median(&item->values))
            return true;
    }
    return false;
}

static bool takes_part(const struct running *running, size_t index)
{
    return running->children[index].pid > 0 && !is_known_enough(running, index) &&
           !is_outdone(running, index);
}

static bool is_renewal_due(const struct running *running)
{
    return running->result->rounds > 0 && running->result->rounds % PROCESS_ROUNDS == 0;
}

/* Those that go on do so with new processes, one after the other: each gets memory that another one has
 * given back. */
static void children_renew(struct running *running)
{
    for (size_t i = 0; i < running->result->count; i++) {
        if (!takes_part(running, i))
            continue;
        child_end(&running->children[i]);
        child_prepare(running, i);
    }
}

/* Everybody's turn once, each round beginning with another one. */
static void round_run(struct running *running)
{
    struct case_result *result = running->result;
    const unsigned workers = widest(result);
    if (is_renewal_due(running))
        children_renew(running);
    if (workers > 1 && !(result->info->flags & CASE_WAITS))
        series_add(&result->canary, canary_speedup(workers));
    char doing[16];
    snprintf(doing, sizeof doing, "round %u", result->rounds + 1);
    for (size_t i = 0; i < result->count; i++) {
        const size_t index = (i + result->rounds) % result->count;
        if (takes_part(running, index)) {
            const double begin = now_seconds();
            progress(running, doing, &result->items[index]);
            turn(running, index);
            running->seconds[index] = now_seconds() - begin;
        }
    }
    result->rounds++;
}

/* How long the next round will take. */
static double round_seconds(const struct running *running)
{
    const bool with_start = is_renewal_due(running);
    double seconds = 0;
    for (size_t i = 0; i < running->result->count; i++) {
        if (takes_part(running, i))
            seconds += running->seconds[i] + (with_start ? running->prepare_seconds[i] : 0);
    }
    return seconds;
}

static bool another_round(const struct running *running)
{
    const struct harness_options *options = running->options;
    const unsigned flags = running->result->info->flags;
    const unsigned done = running->result->rounds;
    if (options->repeat)
        return done < options->repeat;
    if (done == 0)
        return true;
    if (options->quick || (flags & CASE_ONCE))
        return false;
    if (done >= (flags & CASE_LONG ? LONG_ROUNDS_MAX : ROUNDS_MAX))
        return false;
    return now_seconds() + round_seconds(running) < running->deadline;
}

static void case_run(struct running *running)
{
    struct case_result *result = running->result;
    const double start = now_seconds();
    running->children = calloc(result->count + 1, sizeof *running->children);
    running->seconds = calloc(result->count + 1, sizeof *running->seconds);
    running->prepare_seconds = calloc(result->count + 1, sizeof *running->prepare_seconds);
    if (!running->children || !running->seconds || !running->prepare_seconds)
        abort();
    children_start(running);
    while (result->count > 0 && another_round(running))
        round_run(running);
    for (size_t i = 0; i < result->count; i++)
        child_end(&running->children[i]);
    free(running->children);
    free(running->seconds);
    free(running->prepare_seconds);
    char label[48];
    fprintf(stderr, "%s%s %u rounds of %zu, %.1f s\n", running->terminal ? CLEAR_LINE : "",
            label_make(label, running), result->rounds, result->count, now_seconds() - start);
}

/* A case's share of the time, in relation to the others': what waits runs for some milliseconds, what
 * computes for a good part of a second. */
static double weight(const struct bench_case *info)
{
    if (info->flags & CASE_ONCE)
        return 20;
    if (info->flags & CASE_LONG)
        return 5;
    return info->flags & (CASE_WAITS | CASE_BRIEF) ? 1 : 5;
}

struct results harness_run(const struct harness_options *options, const struct peers *peers)
{
    struct results results = {.quick = options->quick, .peers = peers};
    const double start = now_seconds();
    for (size_t i = 0; i < options->width_count; i++) {
        if (options->widths[i] > results.workers)
            results.workers = options->widths[i];
    }
    for (size_t i = 0; i < options->case_count; i++) {
        results.cases = bench_grow(results.cases, results.count, sizeof *results.cases);
        struct case_result *result = &results.cases[results.count++];
        result->info = options->cases[i];
        result->size = options->size;
        items_choose(result, options, peers);
        /* What earlier cases did not need is there for the later ones. */
        double weights = 0;
        for (size_t k = i; k < options->case_count; k++)
            weights += weight(options->cases[k]);
        const double left = start + options->budget_seconds - now_seconds();
        struct running running = {.result = result,
                                  .options = options,
                                  .case_index = i,
                                  .deadline = now_seconds() + left * weight(result->info) / weights,
                                  .terminal = isatty(STDERR_FILENO) != 0};
        case_run(&running);
    }
    results.seconds = now_seconds() - start;
    return results;
}
