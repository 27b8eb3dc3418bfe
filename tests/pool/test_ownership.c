/* SPDX-License-Identifier: Apache-2.0 */
/* An argument that a task owns is dropped exactly once, whatever becomes of the task. */
#include "test.h"

#include "task.h"

#include <filch/filch.h>

static uint32_t bodies;
static uint32_t drops;
static uint32_t cancels;
static uint32_t may_go_on;

static uint32_t get(uint32_t *counter)
{
    return __atomic_load_n(counter, __ATOMIC_ACQUIRE);
}

static void add(uint32_t *counter)
{
    (void)__atomic_fetch_add(counter, 1, __ATOMIC_ACQ_REL);
}

/* What a task owns: how often it has been used and dropped. */
struct owned {
    uint32_t uses;
    uint32_t drops;
};

static void use(void *argument)
{
    struct owned *owned = argument;
    xt_expect_equal(get(&owned->drops), 0);
    add(&owned->uses);
    add(&bodies);
}

static void use_and_panic(void *argument)
{
    use(argument);
    filch_panic("used");
}

static void drop(void *argument)
{
    struct owned *owned = argument;
    xt_expect(!filch_panicking());
    add(&owned->drops);
    add(&drops);
}

static void cancel(void *argument)
{
    struct owned *owned = argument;
    xt_expect_equal(get(&owned->drops), 0);
    add(&cancels);
}

static void say_nothing(const struct filch_panic *panic)
{
    (void)panic;
}

static const struct filch_task_attr owning = {.drop = cancel, .arg_drop = drop};
static struct filch_pool *pool;

static void start(void)
{
    const struct filch_pool_config config = {.workers = 1};
    bodies = drops = cancels = may_go_on = 0;
    (void)filch_panic_set_hook(say_nothing);
    assert_int_equal(filch_pool_create(&pool, &config), 0);
}

static void expect_dropped(struct owned *owned, size_t count, uint32_t uses)
{
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(owned[i].uses, uses);
        assert_int_equal(owned[i].drops, 1);
    }
}

xt_define(when_the_body_has_run)
{
    struct owned owned[20] = {{0}};
    struct filch_task *tasks[20];
    start();
    for (size_t i = 0; i < 20; i++)
        assert_int_equal(filch_pool_spawn(pool, &tasks[i], &owning, use, &owned[i]), 0);
    for (size_t i = 0; i < 20; i++) {
        assert_int_equal(filch_task_join(tasks[i]), 0);
        assert_int_equal(owned[i].drops, 1); /* before the join returns */
    }
    assert_int_equal(filch_pool_destroy(pool), 0);
    expect_dropped(owned, 20, 1);
    assert_int_equal(cancels, 0);
}

xt_define(when_the_body_has_panicked)
{
    struct owned owned[20] = {{0}};
    struct filch_task *tasks[20];
    start();
    for (size_t i = 0; i < 20; i++)
        assert_int_equal(filch_pool_spawn(pool, &tasks[i], &owning, use_and_panic, &owned[i]), 0);
    for (size_t i = 0; i < 20; i++)
        assert_int_equal(filch_task_join(tasks[i]), EOWNERDEAD);
    assert_int_equal(filch_pool_destroy(pool), 0);
    expect_dropped(owned, 20, 1);
    assert_int_equal(cancels, 0);
}

xt_define(when_nobody_keeps_the_handle)
{
    struct owned owned[20] = {{0}};
    struct filch_task *task;
    start();
    for (size_t i = 0; i < 20; i++) {
        void (*fn)(void *) = i % 2 == 0 ? use : use_and_panic;
        assert_int_equal(filch_pool_spawn(pool, i < 10 ? NULL : &task, &owning, fn, &owned[i]), 0);
        if (i >= 10)
            filch_task_detach(task);
    }
    assert_int_equal(filch_pool_destroy(pool), 0);
    expect_dropped(owned, 20, 1);
}

static void wait_for_permission(void *argument)
{
    use(argument);
    while (get(&may_go_on) == 0)
        xt_sleep_ns(10000);
}

xt_define(when_the_pool_is_cancelled_first)
{
    struct owned first = {0};
    struct owned owned[20] = {{0}};
    struct filch_task *tasks[20];
    start();
    assert_int_equal(filch_pool_spawn(pool, NULL, &owning, wait_for_permission, &first), 0);
    while (get(&bodies) == 0)
        xt_sleep_ns(10000);
    for (size_t i = 0; i < 20; i++)
        assert_int_equal(filch_pool_spawn(pool, &tasks[i], &owning, use, &owned[i]), 0);
    assert_int_equal(filch_pool_shutdown(pool, FILCH_CANCEL, 0), ETIMEDOUT);
    add(&may_go_on);
    assert_int_equal(filch_pool_shutdown(pool, FILCH_CANCEL, FILCH_FOREVER), 0);
    for (size_t i = 0; i < 20; i++)
        assert_int_equal(filch_task_join(tasks[i]), ECANCELED);
    expect_dropped(owned, 20, 0);
    expect_dropped(&first, 1, 1);
    assert_int_equal(cancels, 20);
    struct owned late = {0};
    assert_int_equal(filch_pool_spawn(pool, NULL, &owning, use, &late), ESHUTDOWN);
    expect_dropped(&late, 1, 0);
    assert_int_equal(cancels, 20); /* it was never accepted */
    assert_int_equal(filch_pool_destroy(pool), 0);
}

xt_define(when_it_cannot_be_spawned)
{
    filch__task_places_free();
    xt_faults_install();
    start();
    struct filch_task *task;
    struct owned bad = {0};
    assert_int_equal(filch_pool_spawn(pool, &task, &owning, NULL, &bad), EINVAL);
    expect_dropped(&bad, 1, 0);
    int error = ENOMEM;
    for (uint64_t k = 1; error != 0; k++) {
        struct owned owned = {0};
        xt_faults_arm(XT_ALL_FAULTS, k, XT_FAULT_ONWARD);
        error = filch_pool_spawn(pool, &task, &owning, use, &owned);
        (void)xt_faults_disarm();
        if (error == 0)
            assert_int_equal(filch_task_join(task), 0);
        expect_dropped(&owned, 1, error == 0 ? 1 : 0);
    }
    assert_int_equal(filch_pool_destroy(pool), 0);
    filch__task_places_free();
    assert_int_equal(xt_faults_live_blocks(), 0);
    xt_faults_remove();
}

/* --- a place that is used again --- */

static void do_nothing(void *argument)
{
    (void)argument;
}

static bool is_run_first; /* by the loop, not by whoever joins it */

/* Spawns a task from inside, has it joined, and says where it lay. */
static const struct filch_task *run_one(const struct filch_task_attr *attr, void (*fn)(void *),
                                        void *arg, bool is_cancelled, int expected)
{
    struct filch_task *handle = NULL;
    struct filch_panic *panic = NULL;
    xt_expect_equal(filch_pool_spawn(pool, &handle, attr, fn, arg), 0);
    const struct filch_task *place = filch__task_handle_find(handle);
    if (is_cancelled)
        xt_expect_equal(filch_task_cancel(handle), 0);
    if (is_run_first)
        filch_yield();
    xt_expect_equal(filch_task_join_panic(handle, FILCH_FOREVER, &panic), expected);
    xt_expect((panic != NULL) == (expected == EOWNERDEAD));
    filch_panic_free(panic);
    return place;
}

static void use_places(void *argument)
{
    static const struct filch_task_attr all = {.name = "all", .drop = cancel, .arg_drop = drop};
    struct owned *owned = argument;
    const struct filch_task *place = run_one(&all, use, &owned[0], false, 0);
    xt_expect(run_one(NULL, do_nothing, &owned[0], false, 0) == place);
    xt_expect(run_one(&all, use_and_panic, &owned[1], false, EOWNERDEAD) == place);
    xt_expect(run_one(NULL, do_nothing, &owned[1], false, 0) == place);
    xt_expect(run_one(&all, use, &owned[2], true, ECANCELED) == place);
    xt_expect(run_one(NULL, do_nothing, &owned[2], true, ECANCELED) == place);
    xt_expect(run_one(NULL, do_nothing, &owned[2], false, 0) == place);
    xt_expect(place->name == NULL);
}

xt_define(a_place_forgets_whose_it_was)
{
    for (int pass = 0; pass < 2; pass++) {
        struct owned owned[3] = {{0}};
        is_run_first = pass == 1;
        start();
        assert_int_equal(filch_pool_install(pool, use_places, owned), 0);
        expect_dropped(&owned[0], 1, 1);
        expect_dropped(&owned[1], 1, 1);
        expect_dropped(&owned[2], 1, 0);
        assert_int_equal(cancels, 1);
        assert_int_equal(filch_pool_destroy(pool), 0);
    }
    is_run_first = false;
}

static void wear_out(void *argument)
{
    struct filch_task *handle = NULL;
    (void)argument;
    for (int round = 0; round < 2; round++) { /* with attributes, too */
        const struct filch_task_attr named = {.name = "named"};
        xt_expect_equal(filch_pool_spawn(pool, &handle, NULL, do_nothing, NULL), 0);
        struct filch_task *place = filch__task_handle_find(handle);
        xt_expect_equal(filch_task_join(handle), 0);
        place->place.number |= ~(TASK_USE - 1); /* there is no other number */
        xt_expect(run_one(round == 0 ? NULL : &named, do_nothing, NULL, false, 0) != place);
        xt_expect(run_one(NULL, do_nothing, NULL, false, 0) != place);
        xt_expect(filch__task_handle_find(handle) == NULL);
    }
}

xt_define(a_place_without_numbers_is_given_up)
{
    start();
    assert_int_equal(filch_pool_install(pool, wear_out, NULL), 0);
    assert_int_equal(filch_pool_destroy(pool), 0);
    filch__task_places_free();
}

static void drop_and_panic(void *argument)
{
    drop(argument);
    filch_panic("in a drop");
}

static void own_badly(void *argument)
{
    static const struct filch_task_attr bad = {.arg_drop = drop_and_panic};
    (void)filch_panic_set_hook(NULL);
    if (filch_pool_spawn(NULL, NULL, &bad, use, argument) == 0)
        xt_sleep_ns(1000000000);
}

xt_define(a_drop_that_panics_aborts)
{
    xt_skip_if_emulated();
    struct owned owned = {0};
    struct xt_child child;
    xt_run_child(&child, own_badly, &owned);
    assert_true(xt_child_aborted(&child, "filch: a drop function panicked"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        xt_test(a_drop_that_panics_aborts), /* a child first: it starts a pool */
        xt_test(when_the_body_has_run),
        xt_test(when_the_body_has_panicked),
        xt_test(when_nobody_keeps_the_handle),
        xt_test(when_the_pool_is_cancelled_first),
        xt_test(when_it_cannot_be_spawned),
        xt_test(a_place_forgets_whose_it_was),
        xt_test(a_place_without_numbers_is_given_up),
    };
    return xt_run(tests);
}
