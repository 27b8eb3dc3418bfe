/* SPDX-License-Identifier: Apache-2.0 */
#include "harness.h"

#include "canary.h"
#include "child.h"
#include "memory.h"
#include "peer/peer.h"
#include "rounds.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CLEAR_LINE "\r\033[K"

enum {
    ROUNDS_MAX = 15,
    LONG_ROUNDS_MAX = 3,
    /* So many there are even when the time is up, where a round takes no longer than this. */
    ROUNDS_LEAST = 5,
    SHORT_ROUND_SECONDS = 10,
};

/* One case while it runs: child i works for result->items[i]. */
struct running {
    struct case_result *result;
    struct child *children;
    const struct harness_options *options;
    size_t case_index; /* of options->cases */
    double deadline;   /* when no round is begun any more but the first ones */
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
    item->prepare_seconds = now_seconds() - begin;
}

static void children_start(struct running *running)
{
    for (size_t i = 0; i < running->result->count; i++)
        child_prepare(running, i);
}

/* Brings what a turn has added, from `before` on, into the unit of the metric, and notes its median. */
static void values_convert(struct measurement *item, size_t before, double factor)
{
    for (size_t i = before; i < item->values.count; i++)
        item->values.values[i] *= factor;
    const struct series added = {item->values.values + before, item->values.count - before};
    series_add(&item->rounds, series_median(&added));
}

/* Asks one child for a sample. */
static void turn(struct running *running, size_t index)
{
    struct measurement *item = &running->result->items[index];
    struct child *child = &running->children[index];
    const size_t before = item->values.count;
    const double begin = now_seconds();
    note(running, item, child_sample(child, item));
    item->turn_seconds = now_seconds() - begin;
    const double unit = running->result->info->metric == METRIC_NS_PER_OP ? 1e9 : 1;
    if (!item->failed)
        values_convert(item, before, unit / child->operations);
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

static bool takes_part(const struct running *running, size_t index)
{
    return running->children[index].pid > 0 && !running->result->items[index].is_out;
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

/* Before whose turn the canary is run: where filch goes from one worker to several, or anybody does. */
static size_t judged_by_canary(const struct case_result *result)
{
    size_t found = result->count;
    if (result->info->flags & CASE_WAITS)
        return found;
    for (size_t i = result->count; i-- > 0;) {
        const struct measurement *item = &result->items[i];
        if (item->workers > 1 && (found == result->count || !measurement_is_peer(item)))
            found = i;
    }
    return found;
}

/* Whose turn it is: each round begins with another one, and every second one goes the other way round, so
 * that nobody always comes after the same one. */
static size_t nth_turn(const struct case_result *result, size_t n)
{
    const size_t place = (n + result->rounds) % result->count;
    return result->rounds % 2 == 0 ? place : result->count - 1 - place;
}

/* Everybody's turn once. */
static void round_run(struct running *running)
{
    struct case_result *result = running->result;
    const size_t canary = judged_by_canary(result);
    if (is_renewal_due(running))
        children_renew(running);
    char doing[16];
    snprintf(doing, sizeof doing, "round %u", result->rounds + 1);
    for (size_t i = 0; i < result->count; i++) {
        const size_t index = nth_turn(result, i);
        if (index == canary)
            series_add(&result->canary, canary_speedup(widest(result)));
        if (takes_part(running, index)) {
            progress(running, doing, &result->items[index]);
            turn(running, index);
        }
    }
    result->rounds++;
    if (!running->options->repeat)
        rounds_judge(result);
    for (size_t i = 0; i < result->count; i++) {
        if (result->items[i].is_out)
            child_end(&running->children[i]); /* its memory is the others' */
    }
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
    const double seconds = rounds_seconds(running->result, is_renewal_due(running));
    if (options->quick || (flags & CASE_ONCE) || seconds <= 0)
        return false;
    if (done >= (flags & CASE_LONG ? LONG_ROUNDS_MAX : ROUNDS_MAX))
        return false;
    return now_seconds() + seconds < running->deadline ||
           (done < ROUNDS_LEAST && seconds < SHORT_ROUND_SECONDS);
}

static void case_run(struct running *running)
{
    struct case_result *result = running->result;
    const double start = now_seconds();
    running->children = calloc(result->count + 1, sizeof *running->children);
    if (!running->children)
        abort();
    children_start(running);
    while (result->count > 0 && another_round(running))
        round_run(running);
    for (size_t i = 0; i < result->count; i++)
        child_end(&running->children[i]);
    free(running->children);
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
