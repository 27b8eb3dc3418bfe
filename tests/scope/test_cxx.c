/* SPDX-License-Identifier: Apache-2.0 */
/* Panics through C++ frames, and C++ exceptions that reach our boundaries. */
#include "test.h"

#include "panic/boundary.h"

#include <filch/filch.h>
#include <stdio.h>
#include <string.h>

unsigned destructors_run;
void cxx_destructors(void *fn);
void cxx_rethrow(void *fn);
void cxx_swallow(void *fn);
void cxx_noexcept(void *fn);
void cxx_throw(void *unused);
void cxx_join_between(void *fn);
void cxx_wait_in_handlers(void *unused);

static unsigned reports;

static void count_report(const struct filch_panic *panic)
{
    (void)panic;
    reports++;
}

static void boom(void *unused)
{
    (void)unused;
    filch_panic("boom");
}

static void (*const body)(void *) = boom;

static void expect_caught(void (*fn)(void *), const char *message)
{
    struct filch_panic *panic = NULL;
    xt_expect_equal(filch_catch_unwind(fn, (void *)(uintptr_t)&body, &panic), EOWNERDEAD);
    xt_expect(panic != NULL && strcmp(filch_panic_message(panic), message) == 0);
    xt_expect(!filch_panicking());
    filch_panic_free(panic);
}

/* As a caller from outside and in a task. */
static void everywhere(void (*fn)(void *))
{
    destructors_run = reports = 0;
    (void)filch_panic_set_hook(count_report);
    fn(NULL);
    destructors_run = reports = 0;
    assert_int_equal(filch_pool_install(NULL, fn, NULL), 0);
}

static void panic_through_destructors(void *unused)
{
    (void)unused;
    expect_caught(cxx_destructors, "boom");
    xt_expect_equal(destructors_run, 3);
    expect_caught(cxx_join_between, "boom");
    xt_expect_equal(destructors_run, 7);
}

xt_define(destructors_of_all_frames_run)
{
    everywhere(panic_through_destructors);
}

static void panic_is_rethrown(void *unused)
{
    (void)unused;
    expect_caught(cxx_rethrow, "boom");
    xt_expect_equal(destructors_run, 12);
    xt_expect_equal(reports, 1);
}

xt_define(a_rethrown_panic_goes_on)
{
    everywhere(panic_is_rethrown);
}

static void exception_is_caught(void *unused)
{
    (void)unused;
    expect_caught(cxx_throw, "an exception of another language");
    xt_expect_equal(destructors_run, 100);
    xt_expect_equal(reports, 1);
}

xt_define(an_exception_that_reaches_a_boundary_is_a_panic)
{
    if (FILCH_BOUNDARY_PORTABLE)
        skip();
    everywhere(exception_is_caught);
}

static void exception_ends_task(void *unused)
{
    struct filch_task *task;
    xt_expect_equal(filch_pool_spawn(NULL, &task, NULL, cxx_throw, unused), 0);
    xt_expect_equal(filch_task_join(task), EOWNERDEAD);
}

xt_define(an_exception_ends_a_task_like_a_panic)
{
    if (FILCH_BOUNDARY_PORTABLE)
        skip();
    everywhere(exception_ends_task);
}

/* One worker, so that the tasks are one thread to the runtime of C++. */
xt_define(each_task_has_its_own_exceptions)
{
    struct filch_pool *pool = NULL;
    struct filch_pool_config config = {.workers = 1};
    destructors_run = 0;
    assert_int_equal(filch_pool_create(&pool, &config), 0);
    assert_int_equal(filch_pool_install(pool, cxx_wait_in_handlers, NULL), 0);
    assert_int_equal(destructors_run, 6);
    assert_int_equal(filch_pool_destroy(pool), 0);
}

/* They take them along to other workers. */
xt_define(a_task_that_migrates_keeps_its_exceptions)
{
    struct filch_pool *pool = NULL;
    struct filch_pool_config config = {.workers = 3, .tasks_may_migrate = 1};
    struct filch_pool_stats stats = {0};
    unsigned rounds = 0;
    destructors_run = 0;
    assert_int_equal(filch_pool_create(&pool, &config), 0);
    for (; rounds < 100 || (rounds < 1000 && stats.migrations < 10); rounds++) {
        assert_int_equal(filch_pool_install(pool, cxx_wait_in_handlers, NULL), 0);
        assert_int_equal(filch_pool_stats(pool, &stats), 0);
    }
    assert_int_equal(destructors_run, 6 * rounds);
    assert_int_equal(filch_pool_destroy(pool), 0);
}

static void swallow(void *unused)
{
    (void)unused;
    cxx_swallow((void *)(uintptr_t)&body);
}

static void leave_noexcept(void *unused)
{
    (void)unused;
    cxx_noexcept((void *)(uintptr_t)&body);
}

xt_define(a_handler_that_swallows_a_panic_aborts)
{
    struct xt_child child;
    xt_run_child(&child, swallow, NULL);
    assert_true(xt_child_aborted(&child, "filch: a panic was swallowed by a C++ catch (...)"));
}

xt_define(a_noexcept_function_aborts)
{
    (void)filch_panic_set_hook(NULL);
    struct xt_child child;
    xt_run_child(&child, leave_noexcept, NULL);
    assert_true(xt_child_aborted(&child, "panicked at "));
    assert_non_null(strstr(child.output, "terminate called"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        xt_test(a_handler_that_swallows_a_panic_aborts), /* children first: they start no pools */
        xt_test(a_noexcept_function_aborts),
        xt_test(destructors_of_all_frames_run),
        xt_test(a_rethrown_panic_goes_on),
        xt_test(an_exception_that_reaches_a_boundary_is_a_panic),
        xt_test(an_exception_ends_a_task_like_a_panic),
        xt_test(each_task_has_its_own_exceptions),
        xt_test(a_task_that_migrates_keeps_its_exceptions),
    };
    return xt_run(tests);
}
