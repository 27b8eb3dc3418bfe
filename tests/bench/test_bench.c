/* SPDX-License-Identifier: Apache-2.0 */
/* The benchmark program: who goes on after a round, which peer is the best, ratios, table and JSON. */
#include "test.h"

#include "report.h"
#include "rounds.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { ITEMS_MAX = 8 };

static const struct bench_case computes = {"computes", "something", METRIC_SECONDS, 0};

static char gcc_name[] = "gcc";
static char clang_name[] = "clang";
static const struct peer gcc = {.name = gcc_name, .compiler = gcc_name};
static const struct peer clang = {.name = clang_name, .compiler = clang_name};

/* A case with implementations to which a test adds rounds. */
struct table {
    struct case_result result;
    struct measurement items[ITEMS_MAX];
    struct peer_impl impls[ITEMS_MAX];
    char names[ITEMS_MAX][16];
};

static void table_begin(struct table *table)
{
    memset(table, 0, sizeof *table);
    table->result.info = &computes;
    table->result.items = table->items;
}

static struct measurement *impl_add(struct table *table, const char *name, const struct peer *peer,
                                    unsigned workers)
{
    const size_t i = table->result.count++;
    snprintf(table->names[i], sizeof table->names[i], "%s", name);
    table->impls[i] = (struct peer_impl){peer, &computes, table->names[i], NULL, NULL};
    table->items[i].impl = &table->impls[i];
    table->items[i].workers = workers;
    table->items[i].turn_seconds = 0.1;
    return &table->items[i];
}

static void round_add(struct measurement *item, double value)
{
    series_add(&item->values, value);
    series_add(&item->rounds, value);
    series_add(&item->cpu, value);
}

static void rounds_add(struct measurement *item, size_t count, double value)
{
    for (size_t i = 0; i < count; i++)
        round_add(item, value);
}

static void table_end(struct table *table)
{
    for (size_t i = 0; i < table->result.count; i++) {
        free(table->items[i].values.values);
        free(table->items[i].rounds.values);
        free(table->items[i].cpu.values);
    }
    free(table->result.canary.values);
}

xt_define(a_peer_far_behind_goes_no_further)
{
    struct table table;
    table_begin(&table);
    struct measurement *filch = impl_add(&table, "filch", &gcc, 2);
    struct measurement *serial = impl_add(&table, "serial", &gcc, 2);
    struct measurement *first = impl_add(&table, "first", &gcc, 2);
    struct measurement *near = impl_add(&table, "near", &gcc, 2);
    struct measurement *far = impl_add(&table, "far", &gcc, 2);
    struct measurement *alone = impl_add(&table, "far", &gcc, 1);
    rounds_add(filch, 3, 9);
    rounds_add(serial, 3, 9);
    rounds_add(first, 3, 1);
    rounds_add(near, 3, 1.9);
    rounds_add(far, 3, 2.1);
    rounds_add(alone, 3, 2.1);
    rounds_judge(&table.result);
    assert_false(filch->is_out);
    assert_false(serial->is_out);
    assert_false(first->is_out);
    assert_false(near->is_out);
    assert_true(far->is_out);
    assert_false(alone->is_out); /* the only one of its width */
    table_end(&table);
}

xt_define(how_far_is_a_matter_of_how_well_it_is_known)
{
    static const struct {
        double turn_seconds;
        size_t rounds;
        double factor;
    } known[] = {{0.1, 1, 4}, {0.1, 2, 4}, {0.1, 3, 2}, {0.3, 1, 2}, {0.3, 2, 1.25}};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        struct table table;
        table_begin(&table);
        rounds_add(impl_add(&table, "first", &gcc, 2), known[i].rounds, 1);
        struct measurement *near = impl_add(&table, "near", &gcc, 2);
        struct measurement *far = impl_add(&table, "far", &gcc, 2);
        near->turn_seconds = far->turn_seconds = known[i].turn_seconds;
        /* Their best counts. */
        rounds_add(near, known[i].rounds - 1, 100);
        rounds_add(far, known[i].rounds - 1, 100);
        round_add(near, 0.99 * known[i].factor);
        round_add(far, 1.01 * known[i].factor);
        rounds_judge(&table.result);
        assert_false(near->is_out);
        assert_true(far->is_out);
        table_end(&table);
    }
}

xt_define(of_the_settings_of_a_peer_the_fastest_goes_on)
{
    struct table table;
    table_begin(&table);
    struct measurement *plain = impl_add(&table, "omp", &gcc, 2);
    struct measurement *guided = impl_add(&table, "omp:guided", &gcc, 2);
    struct measurement *other = impl_add(&table, "ompx", &gcc, 2);
    struct measurement *own = impl_add(&table, "filch", &gcc, 2);
    struct measurement *clangs = impl_add(&table, "filch:clang", &clang, 2);
    rounds_add(plain, 3, 1.1);
    rounds_add(guided, 3, 1);
    rounds_add(other, 3, 1.2);
    rounds_add(own, 3, 1);
    rounds_add(clangs, 3, 1.5);
    rounds_judge(&table.result);
    assert_true(plain->is_out);
    assert_false(guided->is_out);
    assert_false(other->is_out);
    assert_false(own->is_out);
    assert_false(clangs->is_out);
    /* For good: its samples would else be of other rounds than the others'. */
    plain->rounds.values[0] = 0.5;
    rounds_judge(&table.result);
    assert_true(plain->is_out);
    table_end(&table);
}

xt_define(a_setting_needs_to_be_much_slower_to_be_outdone_at_once)
{
    struct table table;
    table_begin(&table);
    round_add(impl_add(&table, "omp", &gcc, 2), 1);
    struct measurement *near = impl_add(&table, "omp:guided", &gcc, 2);
    struct measurement *slow = impl_add(&table, "omp:dynamic", &gcc, 2);
    round_add(impl_add(&table, "omp", &gcc, 1), 1);
    struct measurement *alone = impl_add(&table, "omp:guided", &gcc, 1);
    round_add(near, 1.2);
    round_add(slow, 1.3);
    round_add(alone, 1.2);
    rounds_judge(&table.result);
    assert_false(near->is_out);
    assert_true(slow->is_out);
    assert_true(alone->is_out); /* with one worker a schedule makes no difference */
    table_end(&table);
}

xt_define(a_round_lasts_as_long_as_those_who_go_on)
{
    struct table table;
    table_begin(&table);
    struct measurement *first = impl_add(&table, "first", &gcc, 1);
    struct measurement *out = impl_add(&table, "out", &gcc, 1);
    struct measurement *failed = impl_add(&table, "failed", &gcc, 1);
    first->turn_seconds = 0.25;
    first->prepare_seconds = 0.5;
    out->is_out = true;
    failed->failed = true;
    assert_true(rounds_seconds(&table.result, false) == 0.25);
    assert_true(rounds_seconds(&table.result, true) == 0.75);
    table_end(&table);
}

xt_define(ratios_are_those_within_rounds)
{
    struct table table;
    table_begin(&table);
    struct measurement *a = impl_add(&table, "a", &gcc, 1);
    struct measurement *b = impl_add(&table, "b", &gcc, 1);
    assert_true(isnan(measurement_ratio(a, b)));
    assert_true(isnan(measurement_ratio(NULL, b)));
    /* The machine is slower by ten in every second round; one sample of b is disturbed. */
    const double as[] = {1, 10, 1, 10, 1};
    const double bs[] = {2, 20, 2, 20, 900};
    for (size_t i = 0; i < 5; i++) {
        round_add(a, as[i]);
        round_add(b, bs[i]);
    }
    rounds_add(a, 2, 1000); /* b takes part in these no more */
    assert_true(measurement_ratio(a, b) == 2);
    assert_true(measurement_ratio_quantile(a, b, 0) == 2);
    assert_true(measurement_ratio_quantile(a, b, 1) == 900);
    table_end(&table);
}

xt_define(the_best_peer_is_one_of_the_most_rounds)
{
    struct table table;
    table_begin(&table);
    struct measurement *filch = impl_add(&table, "filch", &gcc, 2);
    struct measurement *lucky = impl_add(&table, "lucky", &gcc, 2);
    struct measurement *steady = impl_add(&table, "steady", &gcc, 2);
    struct measurement *clangs = impl_add(&table, "clangs", &clang, 2);
    struct measurement *wide = impl_add(&table, "wide", &gcc, 4);
    rounds_add(filch, 5, 0.5);
    rounds_add(lucky, 1, 0.9);
    rounds_add(steady, 5, 1.1);
    rounds_add(clangs, 5, 1);
    rounds_add(wide, 5, 0.1);
    assert_ptr_equal(measurement_best_peer(&table.result, filch, false), clangs);
    assert_ptr_equal(measurement_best_peer(&table.result, filch, true), steady);
    table_end(&table);
}

static void rounds_given(struct measurement *item, const double *values, size_t count)
{
    for (size_t i = 0; i < count; i++)
        round_add(item, values[i]);
}

/* Of two peers that are equally fast, each is lucky with the memory of one of its processes. */
xt_define(nobody_is_compared_with_for_a_lucky_round)
{
    static const double firsts[] = {1, 1, 1, 2, 2, 2};
    static const double seconds[] = {2, 2, 2, 1, 1, 1};
    struct table table;
    table_begin(&table);
    struct measurement *filch = impl_add(&table, "filch", &gcc, 2);
    rounds_add(filch, 6, 2);
    rounds_given(impl_add(&table, "first", &gcc, 2), firsts, 6);
    rounds_given(impl_add(&table, "second", &clang, 2), seconds, 6);
    assert_true(measurement_over_best(&table.result, filch, false) == 1);
    assert_true(measurement_over_best_quantile(&table.result, filch, false, 1) == 1);
    /* With the other one out of the question, there is no choice. */
    assert_true(measurement_over_best_quantile(&table.result, filch, true, 0) == 1);
    assert_true(measurement_over_best_quantile(&table.result, filch, true, 1) == 2);
    table_end(&table);
}

xt_define(rounds_of_one_process_say_who_is_best_where_there_are_no_others)
{
    static const double firsts[] = {1, 4, 4};
    static const double seconds[] = {2, 2, 2};
    struct table table;
    table_begin(&table);
    struct measurement *filch = impl_add(&table, "filch", &gcc, 2);
    struct measurement *first = impl_add(&table, "first", &gcc, 2);
    struct measurement *second = impl_add(&table, "second", &gcc, 2);
    assert_true(isnan(measurement_over_best(&table.result, filch, false)));
    round_add(filch, 4);
    assert_true(isnan(measurement_over_best(&table.result, filch, false)));
    round_add(first, firsts[0]);
    round_add(second, seconds[0]);
    assert_true(measurement_over_best(&table.result, filch, false) == 4);
    rounds_add(filch, 2, 4);
    rounds_given(first, firsts + 1, 2);
    rounds_given(second, seconds + 1, 2);
    /* In the first round the second one, by the others; in the others 2 is less than the middle of 1 and 4. */
    assert_true(measurement_over_best_quantile(&table.result, filch, false, 0) == 2);
    assert_true(measurement_over_best_quantile(&table.result, filch, false, 1) == 2);
    table_end(&table);
}

/* Two implementations in five rounds, and one that took part in one. */
static void report_table_make(struct table *table)
{
    table_begin(table);
    struct measurement *filch = impl_add(table, "filch", &gcc, 2);
    struct measurement *alone = impl_add(table, "filch", &gcc, 1);
    struct measurement *peer = impl_add(table, "peer", &gcc, 2);
    struct measurement *far = impl_add(table, "far", &gcc, 2);
    for (size_t i = 0; i < 5; i++) {
        round_add(filch, 1 + 0.1 * (double)i);
        round_add(alone, 2 * (1 + 0.1 * (double)i));
        round_add(peer, 2);
        series_add(&table->result.canary, 1.8 + 0.01 * (double)i);
    }
    round_add(far, 7);
}

static char *report_read(FILE *file)
{
    static char text[1 << 16];
    rewind(file);
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    return text;
}

/* The line of a report that begins with these words. */
static const char *line_find(char *text, const char *begin)
{
    for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n")) {
        if (strncmp(line, begin, strlen(begin)) == 0)
            return line;
    }
    return "";
}

xt_define(the_table_shows_rounds_ratios_and_their_spread)
{
    struct table table;
    report_table_make(&table);
    struct results results = {.cases = &table.result, .count = 1, .workers = 2};
    FILE *file = tmpfile();
    assert_non_null(file);
    report_table(file, &results);
    char name[32], cells[13][32];
    const char *line = line_find(report_read(file), "  filch                2");
    assert_int_equal(sscanf(line,
                            "%31s %31s %31s %31s %31s %31s %31s %31s %31s %31s %31s %31s %31s",
                            name, cells[0], cells[1], cells[2], cells[3], cells[4], cells[5],
                            cells[6], cells[7], cells[8], cells[9], cells[10], cells[11]),
                     13);
    assert_string_equal(cells[1], "5");     /* rounds */
    assert_string_equal(cells[2], "1.20");  /* median */
    assert_string_equal(cells[6], "17%");   /* its spread */
    assert_string_equal(cells[7], "-");     /* nothing serial */
    assert_string_equal(cells[8], "0.60");  /* of the best */
    assert_string_equal(cells[9], "0.60");  /* of the best alike */
    assert_string_equal(cells[10], "8%");   /* to either side */
    assert_string_equal(cells[11], "2.00"); /* over one worker */
    line = line_find(report_read(file), "  far                  2");
    assert_int_equal(sscanf(line, "%31s %31s %31s", name, cells[0], cells[1]), 3);
    assert_string_equal(cells[1], "1");
    line = line_find(report_read(file), "  filch                1");
    assert_non_null(
        strstr(line, " -         -     -        -")); /* no peer, no ratio, no spread of it */
    assert_null(strstr(line, "-%"));
    fclose(file);
    table_end(&table);
}

xt_define(json_names_rounds_and_samples)
{
    struct table table;
    report_table_make(&table);
    const struct peers peers = {0};
    struct results results = {.cases = &table.result, .count = 1, .workers = 2, .peers = &peers};
    char path[] = "/tmp/filch-test-XXXXXX";
    const int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_true(report_json(path, &results));
    FILE *file = fdopen(fd, "r");
    assert_non_null(file);
    const char *text = report_read(file);
    assert_non_null(strstr(text, "\"impl\":\"filch\",\"workers\":2,\"rounds\":5,"));
    assert_non_null(strstr(text, "\"impl\":\"far\",\"workers\":2,\"rounds\":1,"));
    assert_non_null(strstr(text, "\"samples\":[1,1.1,1.2,1.3,1.4],\"median\":1.2,"));
    assert_non_null(strstr(text, "\"canary\":1.82}"));
    fclose(file);
    unlink(path);
    table_end(&table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        xt_test(a_peer_far_behind_goes_no_further),
        xt_test(how_far_is_a_matter_of_how_well_it_is_known),
        xt_test(of_the_settings_of_a_peer_the_fastest_goes_on),
        xt_test(a_setting_needs_to_be_much_slower_to_be_outdone_at_once),
        xt_test(a_round_lasts_as_long_as_those_who_go_on),
        xt_test(ratios_are_those_within_rounds),
        xt_test(the_best_peer_is_one_of_the_most_rounds),
        xt_test(nobody_is_compared_with_for_a_lucky_round),
        xt_test(rounds_of_one_process_say_who_is_best_where_there_are_no_others),
        xt_test(the_table_shows_rounds_ratios_and_their_spread),
        xt_test(json_names_rounds_and_samples),
    };
    return xt_run(tests);
}
