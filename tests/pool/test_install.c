/* SPDX-License-Identifier: Apache-2.0 */
/* Running a call inside a pool: from outside, from inside, from tasks of other pools that call each
 * other back. */
#include "test.h"

#include <errno.h>
#include <filch/pool.h>

static struct filch_pool *create(const char *name, size_t workers)
{
    struct filch_pool *pool = NULL;
    struct filch_pool_config config = {.name = name, .workers = workers};
    assert_int_equal(filch_pool_create(&pool, &config), 0);
    return pool;
}

static void destroy(struct filch_pool *pool)
{
    assert_int_equal(filch_pool_destroy(pool), 0);
}

struct call {
    struct filch_pool *pool;  /* where this runs */
    struct filch_pool *other; /* where the next call goes */
    unsigned depth;
    uint64_t value;
    int result;
};

static void set_plainly(void *argument)
{
    struct call *call = argument;
    call->value = 42;
    xt_expect(filch_pool_current() == call->pool);
}

xt_define(from_outside)
{
    struct filch_pool *pool = create("inside", 2);
    for (size_t i = 0; i < xt_scaled(5000); i++) {
        struct call call = {.pool = pool};
        assert_int_equal(filch_pool_install(pool, set_plainly, &call), 0);
        assert_int_equal(call.value, 42);
    }
    destroy(pool);
}

xt_define(on_the_default_pool)
{
    struct call call = {0};
    assert_int_equal(filch_pool_default(&call.pool), 0);
    assert_int_equal(filch_pool_install(NULL, set_plainly, &call), 0);
    assert_int_equal(call.value, 42);
}

static void install_here(void *argument)
{
    struct call *call = argument;
    size_t index = filch_worker_index();
    struct call inner = {.pool = call->pool};
    xt_expect_equal(filch_pool_install(call->pool, set_plainly, &inner), 0);
    xt_expect_equal(inner.value, 42);
    xt_expect_equal(filch_worker_index(), index);
}

xt_define(from_inside_it_is_a_plain_call)
{
    struct filch_pool *pool = create("inside", 1);
    struct call call = {.pool = pool};
    assert_int_equal(filch_pool_install(pool, install_here, &call), 0);
    destroy(pool);
}

/* Calls itself on the other pool, so the pools are nested in each other. */
static void bounce(void *argument)
{
    struct call *call = argument;
    xt_expect(filch_pool_current() == call->pool);
    size_t index = filch_worker_index();
    if (call->depth > 0) {
        struct call next = {.pool = call->other, .other = call->pool, .depth = call->depth - 1};
        xt_expect_equal(filch_pool_install(call->other, bounce, &next), 0);
        call->value = next.value + 1;
    }
    xt_expect(filch_pool_current() == call->pool);
    xt_expect_equal(filch_worker_index(), index);
}

static void bounce_between(size_t one_width, size_t two_width)
{
    struct filch_pool *one = create("one", one_width);
    struct filch_pool *two = create("two", two_width);
    struct call call = {.pool = one, .other = two, .depth = (unsigned)xt_scaled(400)};
    unsigned depth = call.depth;
    assert_int_equal(filch_pool_install(one, bounce, &call), 0);
    assert_int_equal(call.value, depth);
    destroy(one);
    destroy(two);
}

xt_define(pools_nested_in_each_other)
{
    bounce_between(1, 1);
    bounce_between(1, 3);
    bounce_between(2, 2);
}

struct crossing {
    struct filch_pool *pool;
    struct filch_pool *other;
};

static void *cross(void *argument)
{
    struct crossing *c = argument;
    for (size_t i = 0; i < xt_scaled(300); i++) {
        struct call call = {.pool = c->pool, .other = c->other, .depth = 5};
        xt_expect_equal(filch_pool_install(c->pool, bounce, &call), 0);
        xt_expect_equal(call.value, 5);
    }
    return NULL;
}

xt_define(threads_cross_pools_at_the_same_time)
{
    struct filch_pool *one = create("one", 1);
    struct filch_pool *two = create("two", 2);
    struct crossing crossings[6];
    for (int i = 0; i < 6; i++)
        crossings[i] = i % 2 == 0 ? (struct crossing){one, two} : (struct crossing){two, one};
    xt_run_threads(6, cross, crossings, sizeof crossings[0]);
    destroy(one);
    destroy(two);
}

static void wait_for_flag(void *argument)
{
    while (!__atomic_load_n((uint32_t *)argument, __ATOMIC_ACQUIRE))
        xt_sleep_ns(100 * FILCH_US);
}

static void *install_on(void *argument)
{
    struct call *call = argument;
    call->result = filch_pool_install(call->pool, set_plainly, call);
    return NULL;
}

/* A call that has not started is cancelled with its pool. */
xt_define(a_cancelled_pool_refuses_it)
{
    struct filch_pool *pool = create("cancel", 1);
    uint32_t flag = 0;
    assert_int_equal(filch_pool_spawn(pool, NULL, NULL, wait_for_flag, &flag), 0);
    struct call call = {.pool = pool, .result = -1};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, install_on, &call), 0);
    xt_sleep_ns(20 * FILCH_MS);
    assert_int_equal(filch_pool_shutdown(pool, FILCH_CANCEL, 0), ETIMEDOUT);
    __atomic_store_n(&flag, 1, __ATOMIC_RELEASE);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_true(call.result == ECANCELED || call.result == ESHUTDOWN);
    assert_int_equal(call.value, 0);
    destroy(pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        xt_test(from_outside),
        xt_test(on_the_default_pool),
        xt_test(from_inside_it_is_a_plain_call),
        xt_test(pools_nested_in_each_other),
        xt_test(threads_cross_pools_at_the_same_time),
        xt_test(a_cancelled_pool_refuses_it),
    };
    return xt_run(tests);
}
