/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of locks in tasks share: pools of several widths, and parties of tasks and threads. */
#ifndef FILCH_SCOPE_LOCKS_H
#define FILCH_SCOPE_LOCKS_H

#include "test.h"

#include <errno.h>
#include <filch/filch.h>

static inline struct filch_pool *locks_pool(size_t workers)
{
    (void)xt_seed(); /* made here, so that other threads only read it */
    struct filch_pool *pool = NULL;
    struct filch_pool_config config = {.name = "locks", .workers = workers};
    assert_int_equal(filch_pool_create(&pool, &config), 0);
    return pool;
}

/* Runs test(argument) as a task of pools with 1, 2 and 8 workers. */
static inline void locks_in_pools(void (*test)(void *), void *argument)
{
    static const size_t widths[] = {1, 2, 8};
    for (size_t i = 0; i < sizeof widths / sizeof widths[0]; i++) {
        struct filch_pool *pool = locks_pool(widths[i]);
        assert_int_equal(filch_pool_install(pool, test, argument), 0);
        assert_int_equal(filch_pool_destroy(pool), 0);
    }
}

struct locks_party {
    void (*body)(void *);
    void *argument;
    size_t tasks;
};

static inline void *locks_thread(void *argument)
{
    struct locks_party *party = argument;
    party->body(party->argument);
    return NULL;
}

static inline void locks_tasks(void *argument)
{
    struct locks_party *party = argument;
    FILCH_SCOPE (s) {
        for (size_t i = 0; i < party->tasks; i++)
            xt_expect_equal(filch_scope_spawn(s, party->body, party->argument), 0);
    }
}

/* Runs body(argument) in `tasks` tasks of a pool with that many workers and, at the same time, in
 * `threads` threads. */
static inline void locks_mixed(size_t workers, size_t tasks, size_t threads, void (*body)(void *),
                               void *argument)
{
    struct locks_party party = {body, argument, tasks};
    pthread_t ids[16];
    struct filch_pool *pool = locks_pool(workers);
    for (size_t i = 0; i < threads; i++)
        assert_int_equal(pthread_create(&ids[i], NULL, locks_thread, &party), 0);
    assert_int_equal(filch_pool_install(pool, locks_tasks, &party), 0);
    for (size_t i = 0; i < threads; i++)
        assert_int_equal(pthread_join(ids[i], NULL), 0);
    assert_int_equal(filch_pool_destroy(pool), 0);
}

/* The number of times that tasks of the pool have been set aside so far. */
static inline uint64_t locks_suspensions(struct filch_pool *pool)
{
    struct filch_pool_stats stats = {.tasks = 0};
    xt_expect_equal(filch_pool_stats(pool, &stats), 0);
    return stats.suspensions;
}

#endif
