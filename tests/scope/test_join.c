/* SPDX-License-Identifier: Apache-2.0 */
/* filch_join, the macro and the function: both halves run, exactly once, from wherever it is used. */
#include "test.h"

#include <errno.h>
#include <filch/filch.h>
#include <stdlib.h>

static void everywhere(void (*test)(void *))
{
    static const size_t widths[] = {1, 2, 3, 8};
    test(NULL);
    for (size_t i = 0; i < sizeof widths / sizeof widths[0]; i++) {
        struct filch_pool *pool = NULL;
        struct filch_pool_config config = {.name = "join", .workers = widths[i]};
        assert_int_equal(filch_pool_create(&pool, &config), 0);
        assert_int_equal(filch_pool_install(pool, test, NULL), 0);
        assert_int_equal(filch_pool_destroy(pool), 0);
    }
}

static void set_one(void *argument)
{
    *(int *)argument += 1;
}

static void set_two(void *argument)
{
    *(int *)argument += 2;
}

static void join_simply(void *unused)
{
    (void)unused;
    for (size_t i = 0; i < xt_scaled(20000); i++) {
        int x = 0;
        int y = 0;
        filch_join(set_one, &x, set_two, &y);
        xt_expect_equal(x, 1);
        xt_expect_equal(y, 2);
        (filch_join)(set_two, &x, set_one, &y);
        xt_expect_equal(x, 3);
        xt_expect_equal(y, 3);
    }
}

xt_define(both_halves_run)
{
    everywhere(join_simply);
}

struct fib {
    unsigned n;
    uint64_t result;
};

static void fib(void *argument)
{
    struct fib *f = argument;
    if (f->n < 2) {
        f->result = f->n;
        return;
    }
    struct fib left = {f->n - 1, 0};
    struct fib right = {f->n - 2, 0};
    filch_join(fib, &left, fib, &right);
    f->result = left.result + right.result;
}

static void compute_fib(void *unused)
{
    (void)unused;
    bool is_slow = XT_ASAN || XT_TSAN || xt_is_emulated();
    struct fib f = {is_slow ? 16 : 25, 0};
    fib(&f);
    xt_expect_equal(f.result, is_slow ? 987 : 75025);
}

xt_define(recursion_gives_the_right_result)
{
    for (int i = 0; i < 3; i++)
        everywhere(compute_fib);
}

/* --- deep --- */

struct deep {
    size_t left;
    uint64_t leaves;
    bool in_a; /* which half goes deeper */
};

static void add_leaf(void *argument)
{
    __atomic_fetch_add(&((struct deep *)argument)->leaves, 1, __ATOMIC_RELAXED);
}

static void go_deep(void *argument)
{
    struct deep *d = argument;
    if (d->left == 0)
        return;
    d->left--;
    if (d->in_a)
        filch_join(go_deep, d, add_leaf, d);
    else
        filch_join(add_leaf, d, go_deep, d);
}

/* Needs what the caller's own frames need: under a sanitizer they are many times larger. */
static size_t deep_depth(void)
{
    return XT_ASAN || XT_TSAN ? 1000 : 100000;
}

static void *dive_on_big_stack(void *argument)
{
    struct deep *d = argument;
    size_t depth = d->left;
    go_deep(d);
    xt_expect_equal(d->leaves, depth);
    return NULL;
}

static void dive_from_outside(bool in_a)
{
    struct deep d = {.left = deep_depth(), .in_a = in_a};
    pthread_attr_t attributes;
    pthread_t thread;
    assert_int_equal(pthread_attr_init(&attributes), 0);
    assert_int_equal(pthread_attr_setstacksize(&attributes, 256 << 20), 0);
    assert_int_equal(pthread_create(&thread, &attributes, dive_on_big_stack, &d), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(pthread_attr_destroy(&attributes), 0);
}

xt_define(deep_joins_from_outside)
{
    dive_from_outside(true);
    dive_from_outside(false);
}

static void dive_inside(void *unused)
{
    (void)unused;
    for (int in_a = 0; in_a < 2; in_a++) {
        struct deep d = {.left = deep_depth(), .in_a = in_a == 1};
        go_deep(&d);
        xt_expect_equal(d.leaves, deep_depth());
    }
}

xt_define(deep_joins_in_tasks)
{
    static const size_t widths[] = {1, 2, 4};
    for (size_t i = 0; i < 3; i++) {
        struct filch_pool *pool = NULL;
        struct filch_pool_config config = {
            .name = "deep", .workers = widths[i], .stack_size_bytes = 64 << 20};
        assert_int_equal(filch_pool_create(&pool, &config), 0);
        assert_int_equal(filch_pool_install(pool, dive_inside, NULL), 0);
        assert_int_equal(filch_pool_destroy(pool), 0);
    }
}

/* --- waiting halves --- */

struct pair {
    struct filch_task *task;
    uint32_t flag;
    uint32_t done;
};

static void wait_for_flag(void *argument)
{
    while (!__atomic_load_n((uint32_t *)argument, __ATOMIC_ACQUIRE))
        xt_sleep_ns(100 * FILCH_US);
}

static void join_task_half(void *argument)
{
    struct pair *p = argument;
    xt_expect_equal(filch_task_join(p->task), 0);
    __atomic_fetch_add(&p->done, 1, __ATOMIC_RELAXED);
}

static void raise_flag_half(void *argument)
{
    struct pair *p = argument;
    __atomic_store_n(&p->flag, 1, __ATOMIC_RELEASE);
    __atomic_fetch_add(&p->done, 1, __ATOMIC_RELAXED);
}

/* The first half waits for something that the second one brings about: on one worker too, since the
 * forks of a strand that is left are offered to others. */
static void halves_depend(void *unused)
{
    struct filch_pool *other = NULL;
    struct filch_pool_config config = {.name = "other", .workers = 1};
    (void)unused;
    xt_expect_equal(filch_pool_create(&other, &config), 0);
    for (size_t i = 0; i < xt_scaled(200); i++) {
        struct pair p = {0};
        xt_expect_equal(filch_pool_spawn(other, &p.task, NULL, wait_for_flag, &p.flag), 0);
        if (i % 2 == 0)
            filch_join(join_task_half, &p, raise_flag_half, &p);
        else
            filch_join(raise_flag_half, &p, join_task_half, &p);
        xt_expect_equal(p.done, 2);
    }
    xt_expect_equal(filch_pool_destroy(other), 0);
}

xt_define(a_half_that_waits_lets_the_other_run)
{
    everywhere(halves_depend);
}

struct waiting_tree {
    unsigned depth;
    struct filch_pool *pool;
    uint64_t leaves;
};

static void nothing(void *argument)
{
    (void)argument;
}

/* A tree of joins in whose nodes tasks are joined: strands are left in the middle of open forks, and
 * their halves run elsewhere. */
static void wait_in_tree(void *argument)
{
    struct waiting_tree *t = argument;
    struct filch_task *task;
    if (t->depth == 0) {
        xt_expect_equal(filch_pool_spawn(t->pool, &task, NULL, nothing, NULL), 0);
        xt_expect_equal(filch_task_join(task), 0);
        t->leaves = 1;
        return;
    }
    struct waiting_tree left = {t->depth - 1, t->pool, 0};
    struct waiting_tree right = {t->depth - 1, t->pool, 0};
    filch_join(wait_in_tree, &left, wait_in_tree, &right);
    t->leaves = left.leaves + right.leaves;
}

static void wait_in_trees(void *unused)
{
    unsigned depth = XT_ASAN || XT_TSAN ? 6 : 11;
    (void)unused;
    for (int i = 0; i < 3; i++) {
        struct waiting_tree t = {depth, filch_pool_current(), 0};
        wait_in_tree(&t);
        xt_expect_equal(t.leaves, UINT64_C(1) << depth);
    }
}

xt_define(trees_of_joins_with_waits_in_them)
{
    everywhere(wait_in_trees);
}

/* --- from several threads --- */

static void *join_for_long(void *argument)
{
    (void)argument;
    for (size_t i = 0; i < 5; i++) {
        compute_fib(NULL);
        join_simply(NULL);
    }
    return NULL;
}

xt_define(two_threads_at_the_same_time)
{
    xt_run_threads(2, join_for_long, NULL, 0);
}

static void *join_briefly(void *argument)
{
    (void)argument;
    compute_fib(NULL);
    return NULL;
}

xt_define(more_threads_than_places_for_guests)
{
    for (int i = 0; i < 3; i++)
        xt_run_threads(40, join_briefly, NULL, 0);
}

xt_define(errno_is_preserved)
{
    errno = ENOTTY;
    compute_fib(NULL);
    assert_int_equal(errno, ENOTTY);
}

int main(void)
{
    /* A worker of the default pool may steal the deep half. */
    if (setenv("FILCH_STACK_SIZE", "64M", 0) != 0)
        return 1;
    const struct CMUnitTest tests[] = {
        xt_test(both_halves_run),
        xt_test(recursion_gives_the_right_result),
        xt_test(deep_joins_from_outside),
        xt_test(deep_joins_in_tasks),
        xt_test(a_half_that_waits_lets_the_other_run),
        xt_test(trees_of_joins_with_waits_in_them),
        xt_test(two_threads_at_the_same_time),
        xt_test(more_threads_than_places_for_guests),
        xt_test(errno_is_preserved),
    };
    return xt_run(tests);
}
