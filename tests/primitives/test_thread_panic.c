/* SPDX-License-Identifier: Apache-2.0 */
/* Panics end their own thread, and are handed to whoever waits for it. */
#include "test.h"

#include "panic/panic.h"

#include <filch/local.h>
#include <filch/thread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint32_t arg_drops;
static uint32_t result_drops;
static uint32_t payload_drops;
static uint32_t ended;
static uint32_t raised;

static uint32_t get(uint32_t *counter)
{
    return __atomic_load_n(counter, __ATOMIC_ACQUIRE);
}

static void add(void *counter)
{
    (void)__atomic_fetch_add((uint32_t *)counter, 1, __ATOMIC_ACQ_REL);
}

static void count_arg_drop(void *unused)
{
    (void)unused;
    add(&arg_drops);
}

static void count_result_drop(void *unused)
{
    (void)unused;
    add(&result_drops);
}

static void count_payload_drop(void *unused)
{
    (void)unused;
    add(&payload_drops);
}

static void count_raised(const struct filch_panic *panic)
{
    (void)panic;
    add(&raised);
}

static void start(void)
{
    arg_drops = result_drops = payload_drops = ended = raised = 0;
    (void)filch_panic_set_hook(count_raised);
}

static const struct filch_thread_attr owning = {
    .name = "a thread that panics",
    .arg_drop = count_arg_drop,
    .result_drop = count_result_drop,
};

static void *boom(void *payload)
{
    filch_panic_any(payload, "payload", count_payload_drop);
}

xt_define(a_join_hands_the_panic_over)
{
    int here;
    void *result = &here;
    struct filch_panic *panic = NULL;
    struct filch_thread *thread;
    start();
    assert_int_equal(filch_thread_spawn(&thread, &owning, boom, &here), 0);
    assert_int_equal(filch_thread_join(thread, &result, &panic), EOWNERDEAD);
    assert_ptr_equal(result, &here); /* not written */
    assert_ptr_equal(filch_panic_payload(panic, "payload"), &here);
    assert_int_equal(arg_drops, 1);
    assert_int_equal(result_drops, 0);
    assert_int_equal(payload_drops, 0);
    filch_panic_free(panic);
    assert_int_equal(payload_drops, 1);
}

xt_define(a_join_that_does_not_want_it_drops_it)
{
    struct filch_thread *thread;
    start();
    assert_int_equal(filch_thread_spawn(&thread, &owning, boom, NULL), 0);
    assert_int_equal(filch_thread_join(thread, NULL, NULL), EOWNERDEAD);
    assert_int_equal(payload_drops, 1);
    assert_int_equal(arg_drops, 1);
}

static void park_and_sleep(int *unused)
{
    (void)unused;
    filch_thread_unpark(filch_thread_current());
    filch_thread_park();
    xt_expect_equal(filch_thread_park_until(filch_deadline_in(FILCH_MS)), ETIMEDOUT);
    filch_sleep_ns(FILCH_MS);
    filch_yield();
    xt_expect_equal(filch_panicking(), 1);
}

static void *panic_and_park(void *unused)
{
    int guard __attribute__((cleanup(park_and_sleep))) = 0;
    __asm__ volatile("" : : "r"(&guard) : "memory");
    return boom(unused);
}

xt_define(a_handler_may_park_and_sleep)
{
    struct filch_thread *thread;
    start();
    assert_int_equal(filch_thread_spawn(&thread, NULL, panic_and_park, NULL), 0);
    assert_int_equal(filch_thread_join(thread, NULL, NULL), EOWNERDEAD);
    assert_int_equal(payload_drops, 1);
}

/* Threads that panic beside one that does not: nobody but them ends. */
xt_define(panics_of_others_do_not_end_the_process)
{
    struct filch_thread *threads[10];
    start();
    for (size_t i = 0; i < 10; i++)
        assert_int_equal(filch_thread_spawn(&threads[i], &owning, boom, NULL), 0);
    for (size_t i = 0; i < 10; i++)
        assert_int_equal(filch_thread_join(threads[i], NULL, NULL), EOWNERDEAD);
    assert_int_equal(get(&raised), 10);
    assert_false(filch_panicking());
}

xt_define(the_panic_of_a_detached_thread_is_reported_and_dropped)
{
    struct filch_thread *thread;
    start();
    assert_int_equal(filch_thread_spawn(&thread, &owning, boom, NULL), 0);
    assert_int_equal(filch_thread_detach(thread), 0);
    while (get(&payload_drops) == 0)
        xt_sleep_ns(10000);
    assert_int_equal(get(&raised), 1);
    assert_int_equal(get(&arg_drops), 1);
}

static void *end_late(void *unused)
{
    while (get(&raised) == 0)
        xt_sleep_ns(10000);
    xt_sleep_ns(1000000);
    add(&ended);
    return unused;
}

static void scope_with_panics(void *unused)
{
    (void)unused;
    FILCH_THREAD_SCOPE (s) {
        for (int i = 0; i < 6; i++) {
            if (filch_thread_scope_spawn(s, NULL, NULL, i % 2 == 0 ? boom : end_late, NULL) != 0)
                abort();
        }
    }
    add(&ended); /* not reached */
}

xt_define(a_scope_goes_on_with_the_first_panic_when_all_have_ended)
{
    struct filch_panic *panic = NULL;
    start();
    assert_int_equal(filch__try(scope_with_panics, NULL, &panic, NULL), EOWNERDEAD);
    assert_int_equal(get(&ended), 3);
    assert_int_equal(filch_panic_others(panic), 2);
    assert_int_equal(get(&payload_drops), 2);
    filch_panic_free(panic);
    assert_int_equal(get(&payload_drops), 3);
}

static void scope_that_panics(struct filch_thread_scope *s, void *unused)
{
    (void)unused;
    for (int i = 0; i < 3; i++) {
        if (filch_thread_scope_spawn(s, NULL, NULL, i == 0 ? boom : end_late, NULL) != 0)
            abort();
    }
    filch_panic("body");
}

static void run_scope_that_panics(void *unused)
{
    xt_expect_equal(filch_thread_scope_run(scope_that_panics, unused), -1); /* not reached */
}

xt_define(the_panic_of_a_scope_body_wins)
{
    struct filch_panic *panic = NULL;
    start();
    assert_int_equal(filch__try(run_scope_that_panics, NULL, &panic, NULL), EOWNERDEAD);
    assert_int_equal(get(&ended), 2);
    assert_string_equal(filch_panic_message(panic), "body");
    assert_int_equal(filch_panic_others(panic), 1);
    filch_panic_free(panic);
    assert_int_equal(get(&payload_drops), 1);
}

xt_define(a_join_within_the_scope_silences_it)
{
    start();
    FILCH_THREAD_SCOPE (s) {
        struct filch_thread *thread;
        assert_int_equal(filch_thread_scope_spawn(s, &thread, NULL, boom, NULL), 0);
        assert_int_equal(filch_thread_join(thread, NULL, NULL), EOWNERDEAD);
    }
    assert_int_equal(get(&payload_drops), 1);
}

static int starts;

static void start_at_second(void *value)
{
    if (starts++ == 0)
        filch_panic("not yet");
    *(int *)value = 7;
}

static FILCH_LOCAL(int, local, start_at_second, NULL);

static void use_local(void *unused)
{
    (void)unused;
    (void)FILCH_LOCAL_GET(local);
}

xt_define(a_local_whose_start_panics_starts_again)
{
    start();
    assert_int_equal(filch__try(use_local, NULL, NULL, NULL), EOWNERDEAD);
    assert_int_equal(*FILCH_LOCAL_GET(local), 7);
}

static void panic_in_drop(void *unused)
{
    (void)unused;
    filch_panic("in a drop");
}

static FILCH_LOCAL(int, bad_local, NULL, panic_in_drop);

static void *use_bad_local(void *unused)
{
    *FILCH_LOCAL_GET(bad_local) = 1;
    return unused;
}

static void run_bad_local(void *unused)
{
    struct filch_thread *thread;
    (void)filch_panic_set_hook(NULL);
    if (filch_thread_spawn(&thread, NULL, use_bad_local, unused) == 0)
        xt_expect_equal(filch_thread_join(thread, NULL, NULL), 0);
}

static void run_bad_argument(void *unused)
{
    static const struct filch_thread_attr attr = {.arg_drop = panic_in_drop};
    struct filch_thread *thread;
    (void)filch_panic_set_hook(NULL);
    if (filch_thread_spawn(&thread, &attr, end_late, unused) == 0)
        xt_expect_equal(filch_thread_join(thread, NULL, NULL), 0);
}

xt_define(drop_functions_must_not_panic)
{
    xt_skip_if_emulated();
    struct xt_child child;
    raised = 1;
    xt_run_child(&child, run_bad_local, NULL);
    assert_true(xt_child_aborted(&child, "filch: the drop function of a thread-local panicked"));
    xt_run_child(&child, run_bad_argument, NULL);
    assert_true(xt_child_aborted(&child, "filch: a drop function panicked"));
}

static void report_thread(void *unused)
{
    struct filch_thread *thread;
    (void)filch_panic_set_hook(NULL);
    if (filch_thread_spawn(&thread, &owning, boom, unused) == 0)
        xt_expect_equal(filch_thread_join(thread, NULL, NULL), EOWNERDEAD);
}

xt_define(the_report_has_the_full_name)
{
    xt_skip_if_emulated();
    struct xt_child child;
    xt_run_child(&child, report_thread, NULL);
    assert_int_equal(child.status, 0);
    assert_non_null(strstr(child.output, "thread 'a thread that panics' panicked at "));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        xt_test(drop_functions_must_not_panic), /* children first: they start threads */
        xt_test(the_report_has_the_full_name),
        xt_test(a_join_hands_the_panic_over),
        xt_test(a_join_that_does_not_want_it_drops_it),
        xt_test(a_handler_may_park_and_sleep),
        xt_test(panics_of_others_do_not_end_the_process),
        xt_test(the_panic_of_a_detached_thread_is_reported_and_dropped),
        xt_test(a_scope_goes_on_with_the_first_panic_when_all_have_ended),
        xt_test(the_panic_of_a_scope_body_wins),
        xt_test(a_join_within_the_scope_silences_it),
        xt_test(a_local_whose_start_panics_starts_again),
    };
    return xt_run(tests);
}
