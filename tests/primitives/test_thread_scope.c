/* SPDX-License-Identifier: Apache-2.0 */
/* Scopes of threads: when one is left, by whatever way, its threads have left their bodies. */
#include "test.h"

#include <errno.h>
#include <filch/thread.h>

enum { THREADS = 8 };

/* Slow enough that a scope which did not wait would be seen. */
static void *add_one(void *argument)
{
    xt_sleep_ns(FILCH_MS);
    __atomic_fetch_add((int *)argument, 1, __ATOMIC_RELAXED);
    return NULL;
}

static void spawn_all(struct filch_thread_scope *s, int *count)
{
    for (int i = 0; i < THREADS; i++)
        xt_expect_equal(filch_thread_scope_spawn(s, NULL, NULL, add_one, count), 0);
}

static int leave_by_return(int *count)
{
    FILCH_THREAD_SCOPE (s) {
        spawn_all(s, count);
        return 1;
    }
    return 2;
}

static void run_body(struct filch_thread_scope *s, void *count)
{
    spawn_all(s, count);
}

xt_define(a_scope_waits_however_it_is_left)
{
    int count = 0; /* read as a plain number: the scope orders it */
    FILCH_THREAD_SCOPE (s) {
        spawn_all(s, &count);
    }
    assert_int_equal(count, THREADS);
    FILCH_THREAD_SCOPE (s) {
        spawn_all(s, &count);
        break;
    }
    assert_int_equal(count, 2 * THREADS);
    for (int i = 0; i < 2; i++) {
        FILCH_THREAD_SCOPE (s) {
            spawn_all(s, &count);
            continue;
        }
        assert_int_equal(count, (3 + i) * THREADS);
    }
    assert_int_equal(leave_by_return(&count), 1);
    assert_int_equal(count, 5 * THREADS);
    FILCH_THREAD_SCOPE (s) {
        spawn_all(s, &count);
        goto out;
    }
out:
    assert_int_equal(count, 6 * THREADS);
    assert_int_equal(filch_thread_scope_run(run_body, &count), 0);
    assert_int_equal(count, 7 * THREADS);
    FILCH_THREAD_SCOPE (s) {
        (void)s; /* an empty one */
    }
}

struct nest {
    struct filch_thread_scope *scope;
    int depth;
    int count;
};

static void *spawn_more(void *argument)
{
    struct nest *nest = argument;
    int depth = __atomic_add_fetch(&nest->depth, 1, __ATOMIC_RELAXED);
    if (depth < 20)
        xt_expect_equal(filch_thread_scope_spawn(nest->scope, NULL, NULL, spawn_more, nest), 0);
    return add_one(&nest->count);
}

xt_define(threads_of_a_scope_may_spawn_on_it)
{
    struct nest nest = {0};
    FILCH_THREAD_SCOPE (s) {
        nest.scope = s;
        assert_int_equal(filch_thread_scope_spawn(s, NULL, NULL, spawn_more, &nest), 0);
    }
    assert_int_equal(nest.count, 20);
}

static void *scope_inside(void *argument)
{
    int *count = argument;
    FILCH_THREAD_SCOPE (s) {
        spawn_all(s, count);
    }
    xt_expect(__atomic_load_n(count, __ATOMIC_RELAXED) >= THREADS);
    return NULL;
}

xt_define(scopes_nest)
{
    int count = 0;
    FILCH_THREAD_SCOPE (s) {
        for (int i = 0; i < 3; i++)
            assert_int_equal(filch_thread_scope_spawn(s, NULL, NULL, scope_inside, &count), 0);
    }
    assert_int_equal(count, 3 * THREADS);
}

static void *give_back(void *argument)
{
    return argument;
}

xt_define(threads_of_a_scope_may_be_joined_in_it)
{
    int count = 0;
    FILCH_THREAD_SCOPE (s) {
        struct filch_thread *thread;
        struct filch_thread_attr attr = {.name = "scoped"};
        void *result = NULL;
        assert_int_equal(filch_thread_scope_spawn(s, &thread, &attr, give_back, &count), 0);
        assert_string_equal(filch_thread_name(thread), "scoped");
        assert_int_equal(filch_thread_join(thread, &result, NULL), 0);
        assert_ptr_equal(result, &count);
        assert_int_equal(filch_thread_scope_spawn(s, &thread, NULL, add_one, &count), 0);
        assert_int_equal(filch_thread_detach(thread), 0); /* the scope waits all the same */
    }
    assert_int_equal(count, 1);
}

/* The end of a scope does not wait for what comes after the body; a join does. */
static pthread_key_t key;

static void wait_for_gate(void *gate)
{
    while (!__atomic_load_n((uint32_t *)gate, __ATOMIC_ACQUIRE))
        xt_sleep_ns(20000);
    __atomic_store_n((uint32_t *)gate, 2, __ATOMIC_RELEASE);
}

static void *end_late(void *gate)
{
    xt_expect_equal(pthread_setspecific(key, gate), 0);
    return NULL;
}

xt_define(a_scope_does_not_wait_for_destructors)
{
    uint32_t gate = 0;
    assert_int_equal(pthread_key_create(&key, wait_for_gate), 0);
    FILCH_THREAD_SCOPE (s) {
        assert_int_equal(filch_thread_scope_spawn(s, NULL, NULL, end_late, &gate), 0);
    }
    __atomic_store_n(&gate, 1, __ATOMIC_RELEASE); /* would be too late for a scope that waits */
    while (__atomic_load_n(&gate, __ATOMIC_ACQUIRE) != 2)
        xt_sleep_ns(20000);
    FILCH_THREAD_SCOPE (s) {
        struct filch_thread *thread;
        gate = 1;
        assert_int_equal(filch_thread_scope_spawn(s, &thread, NULL, end_late, &gate), 0);
        assert_int_equal(filch_thread_join(thread, NULL, NULL), 0);
        assert_int_equal(__atomic_load_n(&gate, __ATOMIC_ACQUIRE), 2);
    }
    (void)pthread_key_delete(key);
}

static void *leave(void *argument)
{
    (void)add_one(argument);
    pthread_exit(NULL);
}

xt_define(a_thread_that_leaves_by_pthread_exit_is_counted)
{
    int count = 0;
    FILCH_THREAD_SCOPE (s) {
        assert_int_equal(filch_thread_scope_spawn(s, NULL, NULL, leave, &count), 0);
    }
    assert_int_equal(count, 1);
}

static int drops; /* plain: the scope orders it */

static void count_drop(void *argument)
{
    (void)argument;
    drops++;
}

xt_define(bad_calls_are_refused)
{
    int count = 0;
    struct filch_thread_attr attr = {.arg_drop = count_drop};
    drops = 0;
    assert_int_equal(filch_thread_scope_run(NULL, NULL), EINVAL);
    assert_int_equal(filch_thread_scope_spawn(NULL, NULL, &attr, add_one, &count), EINVAL);
    FILCH_THREAD_SCOPE (s) {
        assert_int_equal(filch_thread_scope_spawn(s, NULL, &attr, NULL, &count), EINVAL);
    }
    assert_int_equal(drops, 2);
    assert_int_equal(count, 0);
}

/* Returns whether a call has failed. */
static bool spawn_with_fault(uint64_t k, bool has_handle)
{
    int count = 0;
    int error = 0;
    bool has_failed = false;
    struct filch_thread_attr attr = {.arg_drop = count_drop};
    drops = 0;
    xt_faults_install();
    FILCH_THREAD_SCOPE (s) {
        struct filch_thread *thread = NULL;
        xt_faults_arm(XT_ALL_FAULTS, k, XT_FAULT_ONCE);
        error = filch_thread_scope_spawn(s, has_handle ? &thread : NULL, &attr, add_one, &count);
        has_failed = xt_faults_disarm() > 0;
        assert_int_equal(thread != NULL, has_handle && error == 0);
        if (thread != NULL)
            assert_int_equal(filch_thread_join(thread, NULL, NULL), 0);
    }
    assert_int_equal(count, error == 0);
    assert_int_equal(drops, 1);
    assert_int_equal(error != 0, has_failed);
    if (has_failed || has_handle) { /* else the thread is still about to end: the table stays */
        assert_int_equal(xt_faults_live_blocks(), 0);
        xt_faults_remove();
    }
    return has_failed;
}

xt_define(failures_leave_nothing_behind)
{
    uint64_t k = 1;
    while (spawn_with_fault(k, true))
        assert_true(++k < 100);
    k = 1;
    while (spawn_with_fault(k, false))
        assert_true(++k < 100);
}

static void leave_scope_in_child(void *argument)
{
    xt_expect_equal(filch_thread_scope_spawn(argument, NULL, NULL, give_back, NULL), EPERM);
    FILCH_THREAD_SCOPE (s) {
        xt_expect_equal(filch_thread_scope_spawn(s, NULL, NULL, give_back, NULL), 0);
    }
}

xt_define(a_child_cannot_use_a_scope_of_its_parent)
{
    xt_skip_if_emulated();
    FILCH_THREAD_SCOPE (s) {
        xt_expect_child(leave_scope_in_child, s, "a forked child");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        xt_test(failures_leave_nothing_behind), /* first: no other thread is in the library */
        xt_test(a_scope_waits_however_it_is_left),
        xt_test(threads_of_a_scope_may_spawn_on_it),
        xt_test(scopes_nest),
        xt_test(threads_of_a_scope_may_be_joined_in_it),
        xt_test(a_scope_does_not_wait_for_destructors),
        xt_test(a_thread_that_leaves_by_pthread_exit_is_counted),
        xt_test(bad_calls_are_refused),
        xt_test(a_child_cannot_use_a_scope_of_its_parent),
    };
    return xt_run(tests);
}
