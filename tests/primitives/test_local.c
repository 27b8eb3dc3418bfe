/* SPDX-License-Identifier: Apache-2.0 */
/* Thread-locals: started at the first use, dropped when the thread ends, answered in between. */
#include "test.h"

#include "panic/panic.h"

#include <errno.h>
#include <filch/local.h>
#include <filch/thread.h>
#include <string.h>

/* What happened, in order. Threads are joined before it is read. */
static char events[64];

static void note(char event)
{
    size_t length = strlen(events);
    if (length + 1 < sizeof events)
        events[length] = event;
}

static void expect_events(const char *expected)
{
    assert_string_equal(events, expected);
    memset(events, 0, sizeof events);
}

static void *run_foreign(void *(*body)(void *), void *argument)
{
    pthread_t thread;
    void *result = NULL;
    assert_int_equal(pthread_create(&thread, NULL, body, argument), 0);
    assert_int_equal(pthread_join(thread, &result), 0);
    return result;
}

static void *run_ours(void *(*body)(void *), void *argument)
{
    struct filch_thread *thread;
    void *result = NULL;
    assert_int_equal(filch_thread_spawn(&thread, NULL, body, argument), 0);
    assert_int_equal(filch_thread_join(thread, &result, NULL), 0);
    return result;
}

/* --- plain values --- */

static FILCH_LOCAL(int, plain, NULL, NULL);

static void start_at_seven(void *value)
{
    *(int *)value = 7;
}

static FILCH_LOCAL(int, seven, start_at_seven, NULL);

static void *count_up(void *argument)
{
    (void)argument;
    int *pointer = NULL;
    xt_expect_equal(*FILCH_LOCAL_GET(plain), 0);
    xt_expect_equal(*FILCH_LOCAL_GET(seven), 7);
    for (int i = 0; i < 100; i++)
        ++*FILCH_LOCAL_GET(plain);
    xt_expect_equal(FILCH_LOCAL_TRY(plain, &pointer), 0);
    xt_expect(pointer == FILCH_LOCAL_GET(plain));
    xt_expect_equal(*pointer, 100);
    return pointer;
}

xt_define(each_thread_has_its_own)
{
    void *here = FILCH_LOCAL_GET(plain);
    *FILCH_LOCAL_GET(plain) = 5;
    *FILCH_LOCAL_GET(seven) = 8;
    assert_ptr_not_equal(run_ours(count_up, NULL), here);
    assert_ptr_not_equal(run_foreign(count_up, NULL), here);
    assert_int_equal(*FILCH_LOCAL_GET(plain), 5);
    assert_int_equal(*FILCH_LOCAL_GET(seven), 8);
}

/* --- starts and ends --- */

static void start_a(void *value)
{
    xt_expect_equal(*(int *)value, 0);
    *(int *)value = 'a';
    note('a');
}

static void drop_a(void *value)
{
    xt_expect_equal(*(int *)value, 'a');
    note('A');
}

static void start_b(void *value)
{
    *(int *)value = 'b';
    note('b');
}

static void drop_b(void *value)
{
    xt_expect_equal(*(int *)value, 'b');
    note('B');
}

static FILCH_LOCAL(int, a, start_a, drop_a);
static FILCH_LOCAL(int, b, start_b, drop_b);

static void *use_neither(void *argument)
{
    return argument;
}

static void *use_one_twice(void *argument)
{
    note('1');
    xt_expect_equal(*FILCH_LOCAL_GET(a), 'a');
    xt_expect_equal(*FILCH_LOCAL_GET(a), 'a');
    note('2');
    return argument;
}

static void *use_both(void *argument)
{
    xt_expect_equal(*FILCH_LOCAL_GET(b), 'b');
    xt_expect_equal(*FILCH_LOCAL_GET(a), 'a');
    return argument;
}

xt_define(what_is_not_used_does_not_start)
{
    (void)run_ours(use_neither, NULL);
    (void)run_foreign(use_neither, NULL);
    expect_events("");
}

xt_define(a_value_starts_at_the_first_use_and_is_dropped_at_the_end)
{
    (void)run_ours(use_one_twice, NULL);
    expect_events("1a2A");
    (void)run_foreign(use_one_twice, NULL);
    expect_events("1a2A");
}

xt_define(values_are_dropped_in_the_reverse_order_of_their_starts)
{
    (void)run_ours(use_both, NULL);
    expect_events("baAB");
    (void)run_foreign(use_both, NULL);
    expect_events("baAB");
}

/* --- starts within starts --- */

static void start_outer(void *value)
{
    (void)value;
    note('(');
    xt_expect_equal(*FILCH_LOCAL_GET(a), 'a');
    note(')');
}

static void drop_outer(void *value)
{
    (void)value;
    xt_expect_equal(*FILCH_LOCAL_GET(a), 'a'); /* it was there before, so it is still there */
    note('O');
}

static FILCH_LOCAL(int, outer, start_outer, drop_outer);

static void *use_outer(void *argument)
{
    (void)FILCH_LOCAL_GET(outer);
    return argument;
}

xt_define(what_a_start_has_used_outlives_it)
{
    (void)run_ours(use_outer, NULL);
    expect_events("(a)OA");
}

static int answer_in_start;
static void start_itself(void *value);
static FILCH_LOCAL(int, itself, start_itself, NULL);

static void start_itself(void *value)
{
    int *pointer = NULL;
    answer_in_start = FILCH_LOCAL_TRY(itself, &pointer);
    xt_expect(pointer == NULL);
    *(int *)value = 3;
}

static void *use_itself(void *argument)
{
    xt_expect_equal(*FILCH_LOCAL_GET(itself), 3);
    return argument;
}

xt_define(a_start_that_uses_itself_is_told)
{
    (void)run_ours(use_itself, NULL);
    assert_int_equal(answer_in_start, EDEADLK);
}

/* --- uses while and after it is dropped --- */

static int answer_in_drop;
static int answer_after_drop;
static void drop_last(void *value);
static void drop_first(void *value);
static FILCH_LOCAL(int, dropped_last, NULL, drop_last);
static FILCH_LOCAL(int, dropped_first, NULL, drop_first);

static void drop_first(void *value)
{
    int *pointer = NULL;
    answer_in_drop = FILCH_LOCAL_TRY(dropped_first, &pointer);
    xt_expect(pointer == NULL);
    (void)value;
    xt_expect_equal(*FILCH_LOCAL_GET(dropped_last), 1); /* another one may be used */
}

static void drop_last(void *value)
{
    int *pointer = NULL;
    answer_after_drop = FILCH_LOCAL_TRY(dropped_first, &pointer);
    xt_expect(pointer == NULL);
    (void)value;
    xt_expect_equal(*FILCH_LOCAL_GET(seven), 7); /* without a drop function it is never gone */
}

static void *use_droppers(void *argument)
{
    *FILCH_LOCAL_GET(dropped_last) = 1;
    *FILCH_LOCAL_GET(dropped_first) = 2;
    return argument;
}

xt_define(a_value_is_gone_from_its_drop_on)
{
    for (int i = 0; i < 2; i++) {
        answer_in_drop = answer_after_drop = 0;
        (void)(i == 0 ? run_ours : run_foreign)(use_droppers, NULL);
        assert_int_equal(answer_in_drop, ESHUTDOWN);
        assert_int_equal(answer_after_drop, ESHUTDOWN);
    }
}

/* --- drops that start others --- */

static void drop_and_start_a(void *value)
{
    (void)value;
    note('X');
    xt_expect_equal(*FILCH_LOCAL_GET(a), 'a');
}

static FILCH_LOCAL(int, starter, NULL, drop_and_start_a);

static void *use_starter(void *argument)
{
    (void)FILCH_LOCAL_GET(starter);
    return argument;
}

xt_define(what_a_drop_starts_is_dropped_too)
{
    (void)run_ours(use_starter, NULL);
    expect_events("XaA");
    (void)run_foreign(use_starter, NULL);
    expect_events("XaA");
}

/* --- beside the destructors of others --- */

static pthread_key_t key;

static void use_a_late(void *value)
{
    (void)value;
    int *pointer = NULL;
    note('k');
    int error = FILCH_LOCAL_TRY(a, &pointer);
    xt_expect(error == 0 || error == ESHUTDOWN);
    note(error == 0 ? '+' : '-');
}

static void *set_key(void *argument)
{
    if (argument != NULL)
        xt_expect_equal(*FILCH_LOCAL_GET(a), 'a');
    xt_expect_equal(pthread_setspecific(key, &key), 0);
    return NULL;
}

xt_define(destructors_of_others_come_later_and_may_start_values)
{
    assert_int_equal(pthread_key_create(&key, use_a_late), 0);
    (void)run_ours(set_key, &key);
    expect_events("aAk-");
    (void)run_ours(set_key, NULL);
    expect_events("ka+A");
    (void)run_foreign(set_key, NULL);
    expect_events("ka+A");
    (void)pthread_key_delete(key);
}

static void *leave(void *argument)
{
    xt_expect_equal(*FILCH_LOCAL_GET(a), 'a');
    pthread_exit(argument);
}

xt_define(pthread_exit_drops_values_too)
{
    (void)run_ours(leave, NULL);
    expect_events("aA");
    (void)run_foreign(leave, NULL);
    expect_events("aA");
}

/* --- failures --- */

static void *use_without_memory(void *argument)
{
    int *pointer = NULL;
    (void)argument;
    xt_faults_install();
    xt_faults_arm(XT_ALLOC, 1, XT_FAULT_ONWARD);
    xt_expect_equal(FILCH_LOCAL_TRY(a, &pointer), ENOMEM);
    xt_expect(pointer == NULL);
    xt_expect_equal(FILCH_LOCAL_TRY(seven, &pointer), 0); /* nothing to be done at the end */
    (void)xt_faults_disarm();
    xt_expect_equal(FILCH_LOCAL_TRY(a, &pointer), 0);
    xt_expect_equal(*pointer, 'a');
    return NULL;
}

xt_define(without_memory_nothing_has_happened)
{
    (void)run_foreign(use_without_memory, NULL);
    assert_int_equal(xt_faults_live_blocks(), 0);
    xt_faults_remove();
    expect_events("aA");
}

static void start_badly(void *value);
static FILCH_LOCAL(int, bad, start_badly, NULL);

static void start_badly(void *value)
{
    *(int *)value = *FILCH_LOCAL_GET(bad);
}

static void use_bad(void *unused)
{
    (void)unused;
    (void)FILCH_LOCAL_GET(bad);
}

static void stay_silent(const struct filch_panic *panic)
{
    (void)panic;
}

static void expect_panic(void (*fn)(void *), const char *message)
{
    struct filch_panic *panic = NULL;
    xt_expect_equal(filch__try(fn, NULL, &panic, NULL), EOWNERDEAD);
    xt_expect(panic != NULL && strcmp(filch_panic_message(panic), message) == 0);
    filch_panic_free(panic);
}

static void drop_badly(void *value);
static FILCH_LOCAL(int, worse, NULL, drop_badly);

static void use_worse(void *unused)
{
    (void)unused;
    *FILCH_LOCAL_GET(worse) = 1;
}

static uint32_t drops_seen;
static bool catches;

static void drop_badly(void *value)
{
    (void)value;
    drops_seen++;
    if (catches)
        expect_panic(use_worse, "a thread-local was used during or after its destruction");
    else
        use_worse(NULL);
}

static void *use_badly(void *unused)
{
    use_worse(NULL);
    expect_panic(use_bad, "a thread-local was used by its own initialisation");
    return unused;
}

xt_define(a_use_that_cannot_be_panics)
{
    filch_panic_hook *hook = filch_panic_set_hook(stay_silent);
    catches = true;
    drops_seen = 0;
    assert_null(run_ours(use_badly, NULL));
    assert_int_equal(drops_seen, 1);
    (void)filch_panic_set_hook(hook);
}

static void drop_without_catch(void *unused)
{
    catches = false;
    xt_expect(run_ours(use_badly, unused) == NULL);
}

xt_define(a_panic_that_leaves_a_drop_aborts)
{
    xt_skip_if_emulated();
    struct xt_child child;
    xt_run_child(&child, drop_without_catch, NULL);
    assert_non_null(
        strstr(child.output, "a thread-local was used during or after its destruction"));
    assert_true(xt_child_aborted(&child, "the drop function of a thread-local panicked"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        xt_test(without_memory_nothing_has_happened), /* first: nobody else is in the library */
        xt_test(each_thread_has_its_own),
        xt_test(what_is_not_used_does_not_start),
        xt_test(a_value_starts_at_the_first_use_and_is_dropped_at_the_end),
        xt_test(values_are_dropped_in_the_reverse_order_of_their_starts),
        xt_test(what_a_start_has_used_outlives_it),
        xt_test(a_start_that_uses_itself_is_told),
        xt_test(a_value_is_gone_from_its_drop_on),
        xt_test(what_a_drop_starts_is_dropped_too),
        xt_test(destructors_of_others_come_later_and_may_start_values),
        xt_test(pthread_exit_drops_values_too),
        xt_test(a_use_that_cannot_be_panics),
        xt_test(a_panic_that_leaves_a_drop_aborts),
    };
    return xt_run(tests);
}
