/* SPDX-License-Identifier: Apache-2.0 */
/* Scopes: every task has ended when the block is left, however it is left, from wherever it is used. */
#include "test.h"

#include <errno.h>
#include <filch/filch.h>
#include <stdlib.h>

static void add_one(void *argument)
{
    __atomic_fetch_add((uint64_t *)argument, 1, __ATOMIC_RELAXED);
}

static void set_plainly(void *argument)
{
    *(uint64_t *)argument = 42;
}

static void be_late(void *argument)
{
    xt_sleep_ns(2 * FILCH_MS);
    set_plainly(argument);
}

static struct filch_pool *create(size_t workers)
{
    struct filch_pool *pool = NULL;
    struct filch_pool_config config = {.name = "scope", .workers = workers};
    assert_int_equal(filch_pool_create(&pool, &config), 0);
    return pool;
}

static void spawn_or_fail(struct filch_scope *s, void (*fn)(void *), void *arg)
{
    xt_expect_equal(filch_scope_spawn(s, fn, arg), 0);
}

/* Runs the test on this thread, which becomes a guest, and as a task of pools of several widths. */
static void everywhere(void (*test)(void *))
{
    static const size_t widths[] = {1, 2, 3, 8};
    test(NULL);
    for (size_t i = 0; i < sizeof widths / sizeof widths[0]; i++) {
        struct filch_pool *pool = create(widths[i]);
        assert_int_equal(filch_pool_install(pool, test, NULL), 0);
        assert_int_equal(filch_pool_destroy(pool), 0);
    }
}

/* --- arguments --- */

static void body_adds(struct filch_scope *s, void *ctx)
{
    add_one(ctx);
    spawn_or_fail(s, add_one, ctx);
}

xt_define(bad_arguments_are_refused)
{
    uint64_t count = 0;
    assert_int_equal(filch_scope_run(NULL, &count), EINVAL);
    assert_int_equal(filch_scope_spawn(NULL, add_one, &count), EINVAL);
    struct filch_task *task = NULL;
    assert_int_equal(filch_scope_spawn_task(NULL, &task, NULL, add_one, &count), EINVAL);
    FILCH_SCOPE (s) {
        xt_expect_equal(filch_scope_spawn(s, NULL, &count), EINVAL);
        xt_expect_equal(filch_scope_spawn_task(s, NULL, NULL, add_one, &count), EINVAL);
        xt_expect_equal(filch_scope_spawn_task(s, &task, NULL, NULL, &count), EINVAL);
    }
    assert_null(task);
    assert_int_equal(count, 0);
    assert_int_equal(filch_scope_run(body_adds, &count), 0);
    assert_int_equal(count, 2);
}

/* --- leaving --- */

static void leave_empty(void *unused)
{
    (void)unused;
    FILCH_SCOPE (s) {
        (void)s;
    }
    FILCH_SCOPE (t) {
        FILCH_SCOPE (u) {
            (void)t;
            (void)u;
        }
    }
}

static int leave_by_return(uint64_t *value)
{
    FILCH_SCOPE (s) {
        spawn_or_fail(s, be_late, value);
        return 7;
    }
    return 8;
}

static int leave_by_return_of_two(uint64_t *values)
{
    FILCH_SCOPE (outer) {
        spawn_or_fail(outer, be_late, &values[0]);
        FILCH_SCOPE (inner) {
            spawn_or_fail(inner, be_late, &values[1]);
            if (values[2] == 0)
                return 7;
        }
        values[2] = 1;
    }
    return 8;
}

static void leave_by_everything(void *unused)
{
    (void)unused;
    uint64_t value = 0;
    xt_expect_equal(leave_by_return(&value), 7);
    xt_expect_equal(value, 42);

    uint64_t values[3] = {0};
    xt_expect_equal(leave_by_return_of_two(values), 7);
    xt_expect_equal(values[0], 42);
    xt_expect_equal(values[1], 42);

    value = 0;
    FILCH_SCOPE (s) {
        spawn_or_fail(s, be_late, &value);
        if (values[0] == 42)
            break;
        value = 1;
    }
    xt_expect_equal(value, 42);

    /* They mean the scope, not the loop around it. */
    uint64_t rounds = 0;
    for (int i = 0; i < 5; i++) {
        value = 0;
        FILCH_SCOPE (s) {
            spawn_or_fail(s, set_plainly, &value);
            if (i % 2 == 0)
                continue;
            break;
        }
        xt_expect_equal(value, 42);
        rounds++;
    }
    xt_expect_equal(rounds, 5);

    value = 0;
    FILCH_SCOPE (s) {
        spawn_or_fail(s, be_late, &value);
        goto out;
    }
    value = 1;
out:
    xt_expect_equal(value, 42);

    value = 0;
    int visits = 0;
again:
    FILCH_SCOPE (s) {
        spawn_or_fail(s, add_one, &value);
        if (++visits < 10)
            goto again;
    }
    xt_expect_equal(value, 10);
}

xt_define(a_scope_may_be_empty)
{
    everywhere(leave_empty);
}

xt_define(a_scope_may_be_left_by_anything)
{
    everywhere(leave_by_everything);
}

/* --- handles --- */

static void fail_noisily(void *argument)
{
    add_one(argument);
    filch_panic("of a task with a handle");
}

static void say_nothing(const struct filch_panic *panic)
{
    (void)panic;
}

enum handle_end { JOINED_INSIDE, JOINED_AFTERWARDS, DETACHED, LEFT, HANDLE_ENDS };

/* What becomes of the handles of its tasks, or whether they panic, makes no difference to a scope. */
static void spawn_with_handles(void *unused)
{
    static const struct filch_task_attr attr = {.name = "child", .arg_drop = add_one};
    uint64_t values[HANDLE_ENDS] = {0};
    uint64_t failures = 0;
    struct filch_task *tasks[HANDLE_ENDS] = {NULL};
    struct filch_task *failing = NULL;
    (void)unused;
    FILCH_SCOPE (s) {
        for (int i = 0; i < HANDLE_ENDS; i++)
            xt_expect_equal(filch_scope_spawn_task(s, &tasks[i], &attr, be_late, &values[i]), 0);
        xt_expect_equal(filch_scope_spawn_task(s, &failing, &attr, fail_noisily, &failures), 0);
        xt_expect_equal(filch_task_join(tasks[JOINED_INSIDE]), 0);
        xt_expect_equal(values[JOINED_INSIDE], 43);
        filch_task_detach(tasks[DETACHED]);
    }
    for (int i = 0; i < HANDLE_ENDS; i++)
        xt_expect_equal(values[i], 43);
    xt_expect_equal(failures, 2);
    xt_expect_equal(filch_task_is_finished(tasks[LEFT]), 1);
    xt_expect_equal(filch_task_join_until(tasks[JOINED_AFTERWARDS], 0), 0);
    xt_expect_equal(filch_task_join_until(tasks[LEFT], 0), 0);
    xt_expect_equal(filch_task_join(failing), EOWNERDEAD);
}

xt_define(handles_change_nothing_about_a_scope)
{
    (void)filch_panic_set_hook(say_nothing);
    everywhere(spawn_with_handles);
    (void)filch_panic_set_hook(NULL);
}

/* --- many tasks --- */

static void spawn_1000(void *unused)
{
    uint64_t count = 0;
    (void)unused;
    FILCH_SCOPE (s) {
        for (int i = 0; i < 1000; i++)
            spawn_or_fail(s, add_one, &count);
    }
    xt_expect_equal(count, 1000);
}

xt_define(a_thousand_tasks)
{
    everywhere(spawn_1000);
}

static size_t flood_size = 10000000;

static void flood(void *unused)
{
    uint64_t count = 0;
    size_t before = xt_rss_bytes();
    size_t most = 0;
    (void)unused;
    FILCH_SCOPE (s) {
        for (size_t i = 0; i < flood_size; i++) {
            spawn_or_fail(s, add_one, &count);
            if (i % 65536 == 0 && xt_rss_bytes() > most)
                most = xt_rss_bytes();
        }
    }
    xt_expect_equal(count, flood_size);
    if (!XT_ASAN && !XT_TSAN)
        xt_expect(most < before + 16 * 1024 * 1024);
}

xt_define(ten_million_tasks_keep_memory_bounded)
{
    flood_size = xt_scaled(10000000);
    flood(NULL);
    flood_size = xt_scaled(1000000);
    everywhere(flood);
}

/* --- nesting --- */

struct breeder {
    struct filch_scope *scope;
    unsigned depth;
    uint64_t *count;
};

static void breed(void *argument)
{
    struct breeder *b = argument;
    add_one(b->count);
    for (int i = 0; i < 2 && b->depth > 0; i++) {
        struct breeder *child = malloc(sizeof *child);
        *child = (struct breeder){b->scope, b->depth - 1, b->count};
        spawn_or_fail(b->scope, breed, child);
    }
    free(b);
}

static void spawn_within_tasks(void *unused)
{
    unsigned depth = XT_ASAN || XT_TSAN ? 8 : 14;
    uint64_t count = 0;
    (void)unused;
    FILCH_SCOPE (s) {
        struct breeder *first = malloc(sizeof *first);
        *first = (struct breeder){s, depth, &count};
        spawn_or_fail(s, breed, first);
    }
    xt_expect_equal(count, (UINT64_C(2) << depth) - 1);
}

xt_define(tasks_spawn_on_their_own_scope)
{
    everywhere(spawn_within_tasks);
}

struct flooder {
    struct filch_scope *scope;
    size_t count;
    uint64_t *sum;
};

static void flood_own_scope(void *argument)
{
    struct flooder *f = argument;
    for (size_t i = 0; i < f->count; i++)
        spawn_or_fail(f->scope, add_one, f->sum);
}

/* Several tasks flood one scope, so that several spawners are set aside at the same time. */
static void flood_from_tasks(void *unused)
{
    enum { FLOODERS = 4 };
    struct flooder flooders[FLOODERS];
    uint64_t sum = 0;
    size_t each = xt_scaled(200000);
    (void)unused;
    FILCH_SCOPE (s) {
        for (size_t i = 0; i < FLOODERS; i++) {
            flooders[i] = (struct flooder){s, each, &sum};
            spawn_or_fail(s, flood_own_scope, &flooders[i]);
        }
    }
    xt_expect_equal(sum, FLOODERS * each);
}

xt_define(several_tasks_flood_one_scope)
{
    everywhere(flood_from_tasks);
}

struct tree {
    unsigned depth;
    uint64_t leaves;
};

static void grow(void *argument)
{
    struct tree *t = argument;
    if (t->depth == 0) {
        t->leaves = 1;
        return;
    }
    struct tree children[3] = {{t->depth - 1, 0}, {t->depth - 1, 0}, {t->depth - 1, 0}};
    FILCH_SCOPE (s) {
        for (int i = 0; i < 3; i++)
            spawn_or_fail(s, grow, &children[i]);
    }
    t->leaves = children[0].leaves + children[1].leaves + children[2].leaves;
}

static void nest_scopes(void *unused)
{
    (void)unused;
    struct tree t = {.depth = XT_ASAN || XT_TSAN ? 5 : 9};
    uint64_t leaves = 1;
    for (unsigned i = 0; i < t.depth; i++)
        leaves *= 3;
    grow(&t);
    xt_expect_equal(t.leaves, leaves);
}

xt_define(scopes_in_tasks_of_scopes)
{
    everywhere(nest_scopes);
}

static void use_outer_within_inner(void *unused)
{
    uint64_t outer_count = 0;
    uint64_t inner_count = 0;
    (void)unused;
    FILCH_SCOPE (outer) {
        for (int i = 0; i < 50; i++) {
            FILCH_SCOPE (inner) {
                spawn_or_fail(outer, add_one, &outer_count);
                spawn_or_fail(inner, add_one, &inner_count);
                spawn_or_fail(outer, add_one, &outer_count);
            }
            xt_expect_equal(inner_count, (uint64_t)i + 1);
        }
    }
    xt_expect_equal(outer_count, 100);
}

xt_define(an_inner_block_spawns_on_the_outer_scope)
{
    everywhere(use_outer_within_inner);
}

/* --- waiting inside --- */

static void wait_for_flag(void *argument)
{
    while (!__atomic_load_n((uint32_t *)argument, __ATOMIC_ACQUIRE))
        xt_sleep_ns(100 * FILCH_US);
}

static void raise_flag(void *argument)
{
    __atomic_store_n((uint32_t *)argument, 1, __ATOMIC_RELEASE);
}

struct joiner {
    struct filch_task *task;
    uint64_t *count;
};

static void join_task(void *argument)
{
    struct joiner *j = argument;
    xt_expect_equal(filch_task_join(j->task), 0);
    add_one(j->count);
}

/* Children that wait for a task outside of the scope; the scope waits for them. */
static void wait_in_children(void *unused)
{
    struct filch_pool *other = NULL;
    struct filch_pool_config config = {.name = "other", .workers = 1};
    uint32_t flag = 0;
    uint64_t count = 0;
    enum { JOINERS = 20 };
    struct joiner joiners[JOINERS];
    (void)unused;
    xt_expect_equal(filch_pool_create(&other, &config), 0);
    FILCH_SCOPE (s) {
        for (size_t i = 0; i < JOINERS; i++) {
            joiners[i] = (struct joiner){NULL, &count};
            xt_expect_equal(filch_pool_spawn(other, &joiners[i].task, NULL, wait_for_flag, &flag),
                            0);
            spawn_or_fail(s, join_task, &joiners[i]);
        }
        /* Runs only if the waiting ones have let their worker go. */
        spawn_or_fail(s, raise_flag, &flag);
    }
    xt_expect_equal(count, JOINERS);
    xt_expect_equal(filch_pool_destroy(other), 0);
}

xt_define(children_that_wait_let_others_run)
{
    everywhere(wait_in_children);
}

/* --- from outside --- */

struct stranger {
    struct filch_scope *scope;
    uint64_t count;
};

static void *spawn_as_stranger(void *argument)
{
    struct stranger *stranger = argument;
    for (int i = 0; i < 1000; i++)
        spawn_or_fail(stranger->scope, add_one, &stranger->count);
    return NULL;
}

/* Another thread spawns on the scope while its body runs. */
xt_define(a_thread_within_the_scope_spawns_on_it)
{
    for (size_t i = 0; i < xt_scaled(50); i++) {
        struct stranger stranger = {0};
        FILCH_SCOPE (s) {
            stranger.scope = s;
            xt_run_threads(1, spawn_as_stranger, &stranger, 0);
        }
        assert_int_equal(stranger.count, 1000);
    }
}

static void *run_scopes(void *argument)
{
    (void)argument;
    for (size_t i = 0; i < xt_scaled(200); i++) {
        spawn_1000(NULL);
        nest_scopes(NULL);
    }
    return NULL;
}

static void *run_few_scopes(void *argument)
{
    (void)argument;
    for (size_t i = 0; i < xt_scaled(40); i++)
        spawn_1000(NULL);
    return NULL;
}

xt_define(two_threads_at_the_same_time)
{
    xt_run_threads(2, run_scopes, NULL, 0);
}

xt_define(more_threads_than_places_for_guests)
{
    xt_run_threads(40, run_few_scopes, NULL, 0);
}

xt_define(errno_is_preserved)
{
    errno = ENOTTY;
    spawn_1000(NULL);
    assert_int_equal(errno, ENOTTY);
}

static void spoil_errno(void *unused)
{
    (void)unused;
    errno = EDOM;
}

/* Those that run on top of the frame that waits for them, too. */
static void wait_for_spoilers(void *unused)
{
    (void)unused;
    errno = ENOTTY;
    FILCH_SCOPE (s) {
        for (int i = 0; i < 100; i++)
            spawn_or_fail(s, spoil_errno, NULL);
    }
    xt_expect_equal(errno, ENOTTY);
    struct filch_task *task = NULL;
    xt_expect_equal(filch_pool_spawn(filch_pool_current(), &task, NULL, spoil_errno, NULL), 0);
    xt_expect_equal(filch_task_join(task), 0);
    xt_expect_equal(errno, ENOTTY);
}

xt_define(what_tasks_leave_in_errno_is_theirs)
{
    everywhere(wait_for_spoilers);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        xt_test(bad_arguments_are_refused),
        xt_test(a_scope_may_be_empty),
        xt_test(a_scope_may_be_left_by_anything),
        xt_test(handles_change_nothing_about_a_scope),
        xt_test(a_thousand_tasks),
        xt_test(ten_million_tasks_keep_memory_bounded),
        xt_test(tasks_spawn_on_their_own_scope),
        xt_test(several_tasks_flood_one_scope),
        xt_test(scopes_in_tasks_of_scopes),
        xt_test(an_inner_block_spawns_on_the_outer_scope),
        xt_test(children_that_wait_let_others_run),
        xt_test(a_thread_within_the_scope_spawns_on_it),
        xt_test(two_threads_at_the_same_time),
        xt_test(more_threads_than_places_for_guests),
        xt_test(errno_is_preserved),
        xt_test(what_tasks_leave_in_errno_is_theirs),
    };
    return xt_run(tests);
}
