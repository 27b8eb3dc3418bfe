/* SPDX-License-Identifier: Apache-2.0 */
/* Scopes under perturbed schedules: when one ends, all of its tasks have, and what they wrote is
 * seen. Guests come and go meanwhile, more of them than there are places. */
#include "perturbed.h"

#include <filch/filch.h>

enum { SPAWNS_MAX = 60, TREE_DEPTH = 4, THREADS = 12 };

static void count_one(void *argument)
{
    __atomic_fetch_add((long *)argument, 1, __ATOMIC_RELAXED);
}

/* Each task writes its own word plainly: the end of the scope makes it visible. */
static void write_plainly(void *argument)
{
    *(long *)argument += 1;
}

static void flat(uint64_t *random)
{
    long words[SPAWNS_MAX] = {0};
    size_t count = xt_random(random) % SPAWNS_MAX;
    FILCH_SCOPE (s) {
        for (size_t i = 0; i < count; i++)
            xt_expect_equal(filch_scope_spawn(s, write_plainly, &words[i]), 0);
    }
    for (size_t i = 0; i < count; i++)
        xt_expect_equal(words[i], 1);
}

struct tree {
    int depth;
    long count;
};

static void grow(void *argument)
{
    struct tree *tree = argument;
    struct tree children[3] = {{0}};
    tree->count = 1;
    if (tree->depth == 0)
        return;
    FILCH_SCOPE (s) {
        for (size_t i = 0; i < 3; i++) {
            children[i].depth = tree->depth - 1;
            xt_expect_equal(filch_scope_spawn(s, grow, &children[i]), 0);
        }
    }
    for (size_t i = 0; i < 3; i++)
        tree->count += children[i].count;
}

static void nested(uint64_t *random)
{
    long expected = 1;
    struct tree tree = {.depth = (int)(xt_random(random) % (TREE_DEPTH + 1))};
    for (int i = 0; i < tree.depth; i++)
        expected = expected * 3 + 1;
    grow(&tree);
    xt_expect_equal(tree.count, expected);
}

struct chain {
    struct filch_scope *s;
    long *count;
    int left;
};

/* A task that spawns its successor on the same scope, so that the tally passes from hand to hand. */
static void follow(void *argument)
{
    struct chain *chain = argument;
    __atomic_fetch_add(chain->count, 1, __ATOMIC_RELAXED);
    if (chain->left-- > 0)
        xt_expect_equal(filch_scope_spawn(chain->s, follow, chain), 0);
}

static void chained(uint64_t *random)
{
    long count = 0;
    struct chain chains[3];
    FILCH_SCOPE (s) {
        for (size_t i = 0; i < 3; i++) {
            chains[i] = (struct chain){s, &count, (int)(xt_random(random) % 8)};
            count -= chains[i].left + 1;
        }
        for (size_t i = 0; i < 3; i++)
            xt_expect_equal(filch_scope_spawn(s, follow, &chains[i]), 0);
    }
    xt_expect_equal(count, 0);
}

static void sleep_briefly(void *argument)
{
    xt_sleep_ns((int64_t)(uintptr_t)argument);
}

/* Joins with deadlines that are about to pass: a time-out must not consume the wake-up. */
static void join_in_time(void *argument)
{
    struct filch_task *task;
    uint64_t random = (uint64_t)(uintptr_t)argument;
    uintptr_t duration_ns = xt_random(&random) % 100000;
    int error =
        filch_pool_spawn(filch_pool_current(), &task, NULL, sleep_briefly, (void *)duration_ns);
    xt_expect_equal(error, 0);
    if (error != 0)
        return;
    do
        error =
            filch_task_join_until(task, filch_deadline_in((int64_t)(xt_random(&random) % 100000)));
    while (error == ETIMEDOUT);
    xt_expect_equal(error, 0);
}

static void with_deadlines(uint64_t *random)
{
    FILCH_SCOPE (s) {
        for (size_t i = 0; i < 6; i++)
            xt_expect_equal(
                filch_scope_spawn(s, join_in_time, (void *)(uintptr_t)xt_random(random)), 0);
    }
}

static void add_range(size_t begin, size_t end, void *ctx)
{
    size_t *seen = ctx;
    for (size_t i = begin; i < end; i++)
        seen[i]++;
}

static void loop(uint64_t *random)
{
    static __thread size_t seen[2000];
    size_t count = xt_random(random) % 2000;
    filch_for(0, count, add_range, seen);
    for (size_t i = 0; i < count; i++) {
        xt_expect_equal(seen[i], 1);
        seen[i] = 0;
    }
}

static void *guest(void *argument)
{
    uint64_t random = *(uint64_t *)argument;
    for (int i = 0; i < 4; i++) {
        switch (xt_random(&random) % 5) {
        case 0:
            flat(&random);
            break;
        case 1:
            nested(&random);
            break;
        case 2:
            chained(&random);
            break;
        case 3:
            with_deadlines(&random);
            break;
        default:
            loop(&random);
            break;
        }
    }
    return NULL;
}

static void guests(uint64_t *random)
{
    uint64_t seeds[THREADS];
    size_t count = 1 + xt_random(random) % THREADS;
    for (size_t i = 0; i < count; i++)
        seeds[i] = xt_random(random);
    xt_run_threads(count, guest, seeds, sizeof seeds[0]);
}

/* A long scope spawns more than a spawner may leave lying about. */
static void many(uint64_t *random)
{
    long count = 0;
    size_t spawns = 600 + xt_random(random) % 1000;
    FILCH_SCOPE (s) {
        for (size_t i = 0; i < spawns; i++)
            xt_expect_equal(filch_scope_spawn(s, count_one, &count), 0);
    }
    xt_expect_equal(count, spawns);
}

xt_define(flat_scopes)
{
    perturbed_run("flat scopes", flat);
}

xt_define(nested_scopes)
{
    perturbed_run("nested scopes", nested);
}

xt_define(chains)
{
    perturbed_run("chains", chained);
}

xt_define(deadlines)
{
    perturbed_run("deadlines", with_deadlines);
}

xt_define(loops)
{
    perturbed_run("loops", loop);
}

xt_define(many_tasks)
{
    perturbed_run("many tasks", many);
}

xt_define(guests_coming_and_going)
{
    perturbed_run("guests", guests);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        xt_test(flat_scopes),
        xt_test(nested_scopes),
        xt_test(chains),
        xt_test(deadlines),
        xt_test(loops),
        xt_test(many_tasks),
        xt_test(guests_coming_and_going),
    };
    return xt_run(tests);
}
