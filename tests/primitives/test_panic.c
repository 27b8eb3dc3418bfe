/* SPDX-License-Identifier: Apache-2.0 */
/* Panics on a thread of its own: payloads, hooks, what runs on the way up, and what aborts. */
#define _GNU_SOURCE
#include "test.h"

#include "panic/panic.h"

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* --- what the tests count --- */

static int handlers_run;
static int panicking_in_handler;
static int drops;
static int reports;

static void count_handler(const int *step)
{
    handlers_run = handlers_run % 1000 * 10 + *step; /* the last ones */
    panicking_in_handler += filch_panicking();
}

static void count_drop(void *payload)
{
    drops += *(int *)payload;
}

static void count_report(const struct filch_panic *panic)
{
    (void)panic;
    reports++;
}

static void start_counting(void)
{
    handlers_run = panicking_in_handler = drops = reports = 0;
    (void)filch_panic_set_hook(count_report);
}

/* --- bodies --- */

static char name_test[] = "test";
static char name_outer[] = "outer";
static char name_x[] = "x";
static char name_main[] = "main";
static char name_report[] = "report";

static int line_of_message;

static void panic_with_message(void *name)
{
    line_of_message = __LINE__ + 1;
    filch_panic("no %s is %d", (const char *)name, 7);
}

static void panic_with_payload(void *payload)
{
    filch_panic_any(payload, "a test's", count_drop);
}

static __attribute__((noinline)) void through_handlers(int depth, void (*fn)(void *), void *arg)
{
    int step __attribute__((cleanup(count_handler))) = depth;
    if (depth > 1)
        through_handlers(depth - 1, fn, arg);
    else
        fn(arg);
    __asm__ volatile("" : : "r"(&step) : "memory");
}

static void three_handlers(void *fn)
{
    static int payload = 1;
    through_handlers(3, *(void (**)(void *))fn, &payload);
}

static void call_with_handlers(void *fn)
{
    static char name[] = "test";
    through_handlers(3, *(void (**)(void *))fn, name);
}

static void nothing(void *unused)
{
    (void)unused;
}

static struct filch_panic *caught(void (*fn)(void *), void *arg)
{
    struct filch_panic *panic = NULL;
    int error = filch__try(fn, arg, &panic, NULL);
    xt_expect_equal(error, EOWNERDEAD);
    xt_expect(panic != NULL);
    return panic;
}

/* --- containing --- */

xt_define(without_a_panic_the_call_returns_0)
{
    struct filch_panic *panic = (struct filch_panic *)&handlers_run;
    assert_int_equal(filch__try(nothing, NULL, &panic, NULL), 0);
    assert_ptr_equal(panic, &handlers_run); /* not written */
    assert_false(filch_panicking());
}

xt_define(a_message_is_formatted_and_has_a_place)
{
    start_counting();
    struct filch_panic *panic = caught(panic_with_message, name_test);
    assert_string_equal(filch_panic_message(panic), "no test is 7");
    assert_non_null(strstr(filch_panic_file(panic), "test_panic.c"));
    assert_int_equal(filch_panic_line(panic), line_of_message);
    assert_null(filch_panic_payload(panic, "a test's"));
    assert_int_equal(filch_panic_others(panic), 0);
    assert_int_equal(reports, 1);
    filch_panic_free(panic);
}

xt_define(a_long_message_is_kept_whole)
{
    start_counting();
    static char name[5000];
    memset(name, 'x', sizeof name - 1);
    struct filch_panic *panic = caught(panic_with_message, name);
    assert_int_equal(strlen(filch_panic_message(panic)), sizeof name - 1 + strlen("no  is 7"));
    filch_panic_free(panic);
}

xt_define(a_payload_is_had_by_its_type_only_and_dropped_once)
{
    start_counting();
    int payload = 1;
    struct filch_panic *panic = caught(panic_with_payload, &payload);
    assert_null(filch_panic_message(panic));
    assert_null(filch_panic_payload(panic, "another's"));
    char type[] = "a test's"; /* compared by its characters */
    assert_ptr_equal(filch_panic_payload(panic, type), &payload);
    assert_int_equal(drops, 0);
    filch_panic_free(panic);
    assert_int_equal(drops, 1);
    filch_panic_free(NULL);
}

xt_define(a_panic_nobody_wants_is_freed)
{
    start_counting();
    int payload = 1;
    assert_int_equal(filch__try(panic_with_payload, &payload, NULL, NULL), EOWNERDEAD);
    assert_int_equal(drops, 1);
}

xt_define(handlers_run_from_the_innermost_on_and_see_the_panic)
{
    start_counting();
    void (*fn)(void *) = panic_with_message;
    filch_panic_free(caught(three_handlers, &fn));
    assert_int_equal(handlers_run, 123);
    assert_int_equal(panicking_in_handler, 3);
    assert_false(filch_panicking());
}

static struct {
    uint64_t thread;
    int handlers_run;
    int panicking;
    unsigned calls;
} hook_saw;

static void look_in_hook(const struct filch_panic *panic)
{
    hook_saw.thread = (uint64_t)gettid();
    hook_saw.handlers_run = handlers_run;
    hook_saw.panicking = filch_panicking();
    hook_saw.calls++;
    xt_expect(strcmp(filch_panic_message(panic), "no test is 7") == 0);
}

static void *panic_in_thread(void *id)
{
    static void (*fn)(void *) = panic_with_message;
    *(uint64_t *)id = (uint64_t)gettid();
    handlers_run = 0;
    filch_panic_free(caught(call_with_handlers, &fn));
    return NULL;
}

xt_define(the_hook_runs_first_and_on_the_panicking_thread)
{
    start_counting();
    (void)filch_panic_set_hook(look_in_hook);
    uint64_t id = 0;
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, panic_in_thread, &id), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(hook_saw.calls, 1);
    assert_true(hook_saw.thread == id && id != (uint64_t)gettid());
    assert_int_equal(hook_saw.handlers_run, 0);
    assert_int_equal(hook_saw.panicking, 1);
    assert_int_equal(handlers_run, 123);
    (void)filch_panic_set_hook(NULL);
}

/* One thread unwinds, and stays in a handler until the other one has looked. */
static struct {
    uint32_t is_unwinding, has_looked;
} meeting;

static void wait_in_handler(int *unused)
{
    (void)unused;
    xt_expect_equal(filch_panicking(), 1);
    __atomic_store_n(&meeting.is_unwinding, 1, __ATOMIC_RELEASE);
    while (!__atomic_load_n(&meeting.has_looked, __ATOMIC_ACQUIRE))
        sched_yield();
}

static void panic_slowly(void *unused)
{
    int guard __attribute__((cleanup(wait_in_handler))) = 0;
    __asm__ volatile("" : : "r"(&guard) : "memory");
    panic_with_message(unused);
}

static void *panic_slowly_in_thread(void *unused)
{
    static char name[] = "test";
    (void)unused;
    filch_panic_free(caught(panic_slowly, name));
    return NULL;
}

xt_define(only_the_panicking_thread_sees_its_panic)
{
    start_counting();
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, panic_slowly_in_thread, NULL), 0);
    while (!__atomic_load_n(&meeting.is_unwinding, __ATOMIC_ACQUIRE))
        sched_yield();
    assert_int_equal(filch_panicking(), 0);
    __atomic_store_n(&meeting.has_looked, 1, __ATOMIC_RELEASE);
    assert_int_equal(pthread_join(thread, NULL), 0);
}

static void resume_it(void *panic)
{
    filch_resume_unwind(panic);
}

static void catch_and_resume(void *payload)
{
    struct filch_panic *panic = caught(panic_with_payload, payload);
    xt_expect(!filch_panicking());
    filch_resume_unwind(panic);
}

xt_define(a_resumed_panic_is_the_same_and_not_reported_again)
{
    start_counting();
    int payload = 1;
    struct filch_panic *panic = caught(catch_and_resume, &payload);
    assert_int_equal(reports, 1);
    assert_ptr_equal(filch_panic_payload(panic, "a test's"), &payload);
    struct filch_panic *again = caught(resume_it, panic);
    assert_ptr_equal(again, panic);
    assert_int_equal(drops, 0);
    filch_panic_free(again);
}

xt_define(a_thousand_panics_leave_nothing_behind)
{
    start_counting();
    xt_faults_install();
    void (*fn)(void *) = panic_with_payload;
    for (int i = 0; i < 1000; i++)
        filch_panic_free(caught(three_handlers, &fn));
    assert_int_equal(xt_faults_live_blocks(), 0);
    xt_faults_remove();
    assert_int_equal(drops, 1000);
}

/* --- panics within panics --- */

static void panic_and_catch(const int *unused)
{
    (void)unused;
    int payload = 10;
    struct filch_panic *panic = caught(panic_with_payload, &payload);
    xt_expect_equal(filch_panicking(), 1); /* the outer one goes on */
    filch_panic_free(panic);
}

static void with_a_handler_that_catches(void *unused)
{
    int guard __attribute__((cleanup(panic_and_catch))) = 0;
    (void)guard;
    panic_with_message(unused);
}

xt_define(a_handler_may_panic_and_catch_it)
{
    start_counting();
    struct filch_panic *panic = caught(with_a_handler_that_catches, name_outer);
    assert_string_equal(filch_panic_message(panic), "no outer is 7");
    assert_int_equal(drops, 10);
    assert_false(filch_panicking());
    filch_panic_free(panic);
}

static void panic_in_handler(const int *unused)
{
    (void)unused;
    filch_panic("within");
}

static void with_a_handler_that_panics(void *unused)
{
    int guard __attribute__((cleanup(panic_in_handler))) = 0;
    (void)guard;
    panic_with_message(unused);
}

static void catch_double_panic(void *unused)
{
    (void)unused;
    filch_panic_free(caught(with_a_handler_that_panics, name_outer));
}

static void catch_twice(void *unused)
{
    filch_panic_free(caught(catch_double_panic, unused));
}

static void expect_abort(void (*body)(void *), const char *message)
{
    struct xt_child child;
    xt_run_child(&child, body, NULL);
    if (!xt_child_aborted(&child, message))
        fprintf(stderr, "status %#x: %s\n", (unsigned)child.status, child.output);
    assert_true(xt_child_aborted(&child, message));
}

xt_define(a_panic_that_leaves_a_handler_of_another_aborts)
{
    (void)filch_panic_set_hook(NULL);
    expect_abort(catch_double_panic, "filch: a panic left a cleanup handler during another panic");
    expect_abort(catch_twice, "filch: a panic left a cleanup handler during another panic");
}

/* What such a frame frees as it is left lies below what its handlers use from then on. */
static volatile size_t array_bytes = 400;

static __attribute__((noinline)) void fail_with_array(char *array)
{
    array[0] = 1;
    __asm__ volatile("" ::"r"(array) : "memory");
    if (array_bytes != 0)
        filch_panic("the array has %d", array[0]);
}

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wvla"
static void __attribute__((unused)) catch_behind_an_array(void *unused)
{
    int guard __attribute__((cleanup(panic_and_catch))) = 0;
    (void)guard;
    (void)unused;
    for (int i = 0; i < 2; i++) {
        char array[array_bytes];
        fail_with_array(array);
    }
}

static void panic_behind_an_array(void *unused)
{
    int guard __attribute__((cleanup(panic_in_handler))) = 0;
    (void)guard;
    (void)unused;
    for (int i = 0; i < 2; i++) {
        char array[array_bytes];
        fail_with_array(array);
    }
}
#pragma GCC diagnostic pop

static void catch_what_leaves_a_handler(void *unused)
{
    filch_panic_free(caught(panic_behind_an_array, unused));
}

xt_define(a_handler_may_panic_where_its_frame_has_shrunk)
{
    start_counting();
#ifndef __SANITIZE_THREAD__ /* with which gcc gives each frame a handler, so that all look left */
    struct filch_panic *panic = caught(catch_behind_an_array, NULL);
    assert_string_equal(filch_panic_message(panic), "the array has 1");
    assert_int_equal(drops, 10);
    assert_false(filch_panicking());
    filch_panic_free(panic);
#endif
    (void)filch_panic_set_hook(NULL);
    expect_abort(catch_what_leaves_a_handler,
                 "filch: a panic left a cleanup handler during another panic");
}

/* --- threads that were not started here: what a panic comes to is looked for before anything is left --- */

static void *call_there(void *body)
{
    (*(void (**)(void *))body)(name_x);
    return NULL;
}

static void on_a_foreign_thread(void *body)
{
    pthread_t thread;
    if (pthread_create(&thread, NULL, call_there, body) != 0)
        abort();
    (void)pthread_join(thread, NULL);
}

static void catch_with_handlers(void *name)
{
    struct filch_panic *panic = caught(with_a_handler_that_catches, name);
    xt_expect_equal(strcmp(filch_panic_message(panic), "no x is 7"), 0);
    filch_panic_free(panic);
    void (*fn)(void *) = panic_with_payload;
    filch_panic_free(caught(three_handlers, &fn));
    xt_expect_equal(filch_panicking(), 0);
}

xt_define(panics_are_the_same_on_a_foreign_thread)
{
    start_counting();
    void (*body)(void *) = catch_with_handlers;
    on_a_foreign_thread(&body);
    assert_int_equal(drops, 11);
    assert_int_equal(handlers_run, 123);
    (void)filch_panic_set_hook(NULL);
    body = catch_twice;
    xt_skip_if_emulated();
    struct xt_child child;
    xt_run_child(&child, on_a_foreign_thread, &body);
    assert_true(
        xt_child_aborted(&child, "filch: a panic left a cleanup handler during another panic"));
}

static void panic_in_hook(const struct filch_panic *panic)
{
    (void)panic;
    filch_panic("in the hook");
}

static void panic_with_bad_hook(void *unused)
{
    (void)unused;
    (void)filch_panic_set_hook(panic_in_hook);
    filch_panic_free(caught(panic_with_message, name_x));
}

static void panic_in_drop(void *unused)
{
    (void)unused;
    filch_panic("in the drop");
}

static void free_with_bad_drop(void *payload)
{
    filch_panic_any(payload, NULL, panic_in_drop);
}

static void drop_that_panics(void *unused)
{
    (void)unused;
    filch_panic_free(caught(free_with_bad_drop, NULL));
}

xt_define(a_panic_in_a_hook_or_a_drop_aborts)
{
    (void)filch_panic_set_hook(NULL);
    expect_abort(panic_with_bad_hook, "filch: a panic hook panicked");
    expect_abort(drop_that_panics, "filch: the drop function of a panic panicked");
}

/* --- without a boundary --- */

static void panic_of_main(void *unused)
{
    (void)unused;
    (void)filch_panic_set_hook(NULL);
    int step __attribute__((cleanup(count_handler))) = 1;
    (void)step;
    panic_with_message(name_main);
}

static void say_handlers(void)
{
    char text[] = "handlers: 0\n";
    text[10] = (char)('0' + handlers_run);
    if (write(STDOUT_FILENO, text, sizeof text - 1) < 0)
        abort();
}

static void panic_of_main_with_exit_handler(void *unused)
{
    handlers_run = 0;
    if (atexit(say_handlers) != 0)
        abort();
    panic_of_main(unused);
}

xt_define(a_panic_of_main_ends_the_process_with_101)
{
    struct xt_child child;
    xt_run_child(&child, panic_of_main_with_exit_handler, NULL);
    if (!WIFEXITED(child.status) || WEXITSTATUS(child.status) != 101)
        fprintf(stderr, "status %#x: %s\n", (unsigned)child.status, child.output);
    assert_true(WIFEXITED(child.status));
    assert_int_equal(WEXITSTATUS(child.status), 101);
    assert_non_null(strstr(child.output, "thread 'main' panicked at "));
    assert_non_null(strstr(child.output, "handlers: 1\n"));
}

static void say_and_count(const int *step)
{
    count_handler(step);
    say_handlers();
}

static void panic_behind_a_handler(void *unused)
{
    (void)unused;
    handlers_run = 0;
    int step __attribute__((cleanup(say_and_count))) = 1;
    (void)step;
    panic_with_message(name_x);
}

/* The stack is whole, for a debugger: no handler has run. */
xt_define(a_panic_without_a_boundary_aborts)
{
    xt_skip_if_emulated();
    (void)filch_panic_set_hook(NULL);
    void (*body)(void *) = panic_behind_a_handler;
    struct xt_child child;
    xt_run_child(&child, on_a_foreign_thread, &body);
    assert_true(xt_child_aborted(&child, "filch: a panic found no boundary"));
    assert_null(strstr(child.output, "handlers: "));
}

/* --- other unwinding --- */

static void leave_thread(void *unused)
{
    (void)unused;
    int step __attribute__((cleanup(count_handler))) = 5;
    (void)step;
    pthread_exit(&handlers_run);
}

static void *thread_that_leaves(void *unused)
{
    int error = filch__try(leave_thread, unused, NULL, NULL);
    xt_expect_equal(error, -1); /* not reached */
    return NULL;
}

xt_define(pthread_exit_passes_a_boundary)
{
    start_counting();
    pthread_t thread;
    void *result = NULL;
    assert_int_equal(pthread_create(&thread, NULL, thread_that_leaves, NULL), 0);
    assert_int_equal(pthread_join(thread, &result), 0);
    assert_ptr_equal(result, &handlers_run);
    assert_int_equal(handlers_run, 5);
    assert_int_equal(panicking_in_handler, 0);
}

static void leave_task(void *unused)
{
    (void)unused;
    (void)filch__try_task(leave_thread, NULL, NULL, NULL);
}

xt_define(pthread_exit_at_the_base_of_a_task_aborts)
{
    expect_abort(leave_task, "filch: pthread_exit or pthread_cancel in a task");
}

/* --- reports --- */

static void report_one(void *unused)
{
    (void)unused;
    filch_panic_free(caught(panic_with_message, name_report));
    int payload = 1;
    filch_panic_free(caught(panic_with_payload, &payload));
}

static void report_with_backtrace(void *unused)
{
    (void)setenv("FILCH_BACKTRACE", "1", 1);
    report_one(unused);
}

xt_define(the_report_names_thread_place_and_message)
{
    (void)filch_panic_set_hook(NULL);
    struct xt_child child;
    xt_run_child(&child, report_one, NULL);
    assert_int_equal(child.status, 0);
    assert_true(strncmp(child.output, "thread 'main' panicked at ", 26) == 0);
    assert_non_null(strstr(child.output, "test_panic.c:"));
    assert_non_null(strstr(child.output, ": no report is 7\n"));
    assert_non_null(strstr(child.output, ": a payload of type 'a test's'\n"));
    assert_null(strstr(child.output, "backtrace"));
}

xt_define(a_backtrace_is_added_on_demand)
{
    (void)filch_panic_set_hook(NULL);
    struct xt_child child;
    xt_run_child(&child, report_with_backtrace, NULL);
    assert_int_equal(child.status, 0);
    assert_non_null(strstr(child.output, ": no report is 7\nstack backtrace:\n   0: "));
    assert_non_null(strstr(child.output, "test_panic+0x"));
    /* Which the program does not export. */
    assert_non_null(strstr(child.output, ": panic_with_message ("));
}

xt_define(setting_the_hook_returns_the_one_before)
{
    (void)filch_panic_set_hook(NULL);
    assert_true(filch_panic_set_hook(count_report) == filch_panic_report);
    assert_true(filch_panic_set_hook(NULL) == count_report);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        xt_test(without_a_panic_the_call_returns_0),
        xt_test(a_message_is_formatted_and_has_a_place),
        xt_test(a_long_message_is_kept_whole),
        xt_test(a_payload_is_had_by_its_type_only_and_dropped_once),
        xt_test(a_panic_nobody_wants_is_freed),
        xt_test(handlers_run_from_the_innermost_on_and_see_the_panic),
        xt_test(the_hook_runs_first_and_on_the_panicking_thread),
        xt_test(only_the_panicking_thread_sees_its_panic),
        xt_test(a_resumed_panic_is_the_same_and_not_reported_again),
        xt_test(a_thousand_panics_leave_nothing_behind),
        xt_test(a_handler_may_panic_and_catch_it),
        xt_test(a_panic_that_leaves_a_handler_of_another_aborts),
        xt_test(a_handler_may_panic_where_its_frame_has_shrunk),
        xt_test(panics_are_the_same_on_a_foreign_thread),
        xt_test(a_panic_in_a_hook_or_a_drop_aborts),
        xt_test(a_panic_of_main_ends_the_process_with_101),
        xt_test(a_panic_without_a_boundary_aborts),
        xt_test(pthread_exit_passes_a_boundary),
        xt_test(pthread_exit_at_the_base_of_a_task_aborts),
        xt_test(the_report_names_thread_place_and_message),
        xt_test(a_backtrace_is_added_on_demand),
        xt_test(setting_the_hook_returns_the_one_before),
    };
    return xt_run(tests);
}
