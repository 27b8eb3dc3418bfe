/* SPDX-License-Identifier: Apache-2.0 */
/* Assertions: silent while they hold, one line and an abort where they do not. */
#include "test.h"

#include "base/check.h"

#include <string.h>

struct outer {
    int first;
    char member;
};

static void fail_check(void *argument)
{
    FILCH_CHECK(argument == NULL, "the argument is not NULL");
}

static void abort_with_long_message(void *argument)
{
    filch__abort(argument, "file.c", 123456789);
}

static void abort_with_odd_lines(void *argument)
{
    filch__abort("odd", "", *(int *)argument);
}

xt_define(checks_that_hold_do_nothing)
{
    int evaluated = 0;
    FILCH_CHECK(++evaluated == 1, "counts");
    FILCH_CHECK(true, "holds");
    assert_int_equal(evaluated, 1);
}

xt_define(a_failed_check_says_what_and_where)
{
    struct xt_child child;
    int here;
    xt_run_child(&child, fail_check, &here);
    assert_true(xt_child_aborted(&child, "filch: the argument is not NULL ("));
    assert_non_null(strstr(child.output, "test_check.c:"));
}

xt_define(a_long_message_is_cut)
{
    static char message[3000];
    memset(message, 'm', sizeof message - 1);
    struct xt_child child;
    xt_run_child(&child, abort_with_long_message, message);
    assert_true(xt_child_aborted(&child, "filch: mmmm"));
    size_t length = 0;
    for (const char *c = child.output; *c != '\0'; c++)
        length += *c == 'm';
    assert_in_range(length, 400, 512);
}

xt_define(lines_of_any_number)
{
    static const struct {
        int line;
        const char *text;
    } cases[] = {{0, ":0)"}, {7, ":7)"}, {2147483647, ":2147483647)"}, {-5, ":0)"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct xt_child child;
        int line = cases[i].line;
        xt_run_child(&child, abort_with_odd_lines, &line);
        assert_true(xt_child_aborted(&child, cases[i].text));
    }
}

static void fail_debug_check(void *argument)
{
    (void)argument;
    FILCH_DCHECK(argument == NULL);
}

xt_define(debug_checks_are_for_debug_builds)
{
    struct xt_child child;
    int here;
    xt_run_child(&child, fail_debug_check, &here);
    if (FILCH_DEBUG)
        assert_true(xt_child_aborted(&child, "broken: argument == NULL"));
    else
        assert_int_equal(child.status, 0);
}

xt_define(the_container_of_a_member)
{
    struct outer outer = {1, 2};
    assert_ptr_equal(FILCH_CONTAINER_OF(&outer.member, struct outer, member), &outer);
    assert_ptr_equal(FILCH_CONTAINER_OF(&outer.first, struct outer, first), &outer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        xt_test(checks_that_hold_do_nothing),
        xt_test(a_failed_check_says_what_and_where),
        xt_test(a_long_message_is_cut),
        xt_test(lines_of_any_number),
        xt_test(debug_checks_are_for_debug_builds),
        xt_test(the_container_of_a_member),
    };
    return xt_run(tests);
}
