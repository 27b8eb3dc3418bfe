/* SPDX-License-Identifier: Apache-2.0 */
/* The head of every CMocka program: a table of xt_test(function), run by xt_run(). */
#ifndef FILCH_SUPPORT_TEST_H
#define FILCH_SUPPORT_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "support.h"

enum { XT_TEST_SECONDS = 50 };

static inline int xt__setup(void **state)
{
    (void)state;
    (void)xt_take_failures();
    return 0;
}

static inline void xt__run_test(const char *name, void (*body)(void))
{
    xt_watch(name, XT_TEST_SECONDS);
    body();
    assert_int_equal(xt_take_failures(), 0);
}

/* Defines a test: xt_define(name) { ... }. The failures that its threads have recorded are its own. */
#define xt_define(name)                                                                            \
    static void name##_body(void);                                                                 \
    static void name(void **state)                                                                 \
    {                                                                                              \
        (void)state;                                                                               \
        xt__run_test(#name, name##_body);                                                          \
    }                                                                                              \
    static void name##_body(void)

/* Skips a test that forks beside other threads: user-mode emulators start no threads in such a child.
 * On the main thread. */
#define xt_skip_if_emulated()                                                                      \
    do {                                                                                           \
        if (xt_is_emulated())                                                                      \
            skip();                                                                                \
    } while (0)

#define xt_test(name) cmocka_unit_test_setup(name, xt__setup)

/* FILCH_TEST_FILTER: only the tests whose names it matches, with * and ?. */
#define xt_run(tests)                                                                              \
    (cmocka_set_test_filter(getenv("FILCH_TEST_FILTER")),                                          \
     cmocka_run_group_tests((tests), NULL, NULL))

#endif
