/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of cancelling share: pools of several widths, and numbers that threads wait for. */
#ifndef FILCH_TESTS_SCOPE_CANCELLING_H
#define FILCH_TESTS_SCOPE_CANCELLING_H

#include "test.h"

#include <errno.h>
#include <filch/filch.h>

static inline struct filch_pool *create(size_t workers)
{
    struct filch_pool *pool = NULL;
    struct filch_pool_config config = {.name = "cancel", .workers = workers};
    assert_int_equal(filch_pool_create(&pool, &config), 0);
    return pool;
}

/* Runs the test on this thread, which becomes a guest, and as a task of pools of several widths. */
static inline void everywhere(void (*test)(void *))
{
    static const size_t widths[] = {1, 2, 8};
    test(NULL);
    for (size_t i = 0; i < sizeof widths / sizeof widths[0]; i++) {
        struct filch_pool *pool = create(widths[i]);
        assert_int_equal(filch_pool_install(pool, test, NULL), 0);
        assert_int_equal(filch_pool_destroy(pool), 0);
    }
}

static inline int64_t get(const int64_t *number)
{
    return __atomic_load_n(number, __ATOMIC_ACQUIRE);
}

static inline void set(int64_t *number, int64_t value)
{
    __atomic_store_n(number, value, __ATOMIC_RELEASE);
}

static inline void add(int64_t *number)
{
    (void)__atomic_fetch_add(number, 1, __ATOMIC_ACQ_REL);
}

/* Until the number is so large; the caller's worker goes on meanwhile. */
static inline void await(const int64_t *number, int64_t value)
{
    while (get(number) < value)
        (void)filch_sleep_ns(FILCH_MS / 10);
}

#endif
