/* SPDX-License-Identifier: Apache-2.0 */
/* Task sets: ends in their order, cancelling, and nobody left behind. */
#include "test.h"

#include <filch/filch.h>
#include <stdlib.h>
#include <string.h>

static struct filch_pool *create(size_t workers)
{
    struct filch_pool *pool = NULL;
    struct filch_pool_config config = {.name = "set", .workers = workers};
    assert_int_equal(filch_pool_create(&pool, &config), 0);
    return pool;
}

/* Runs the test on this thread and as a task, with pools of several widths. */
static struct filch_pool *pool;

static void everywhere(void (*test)(void *))
{
    static const size_t widths[] = {1, 2, 8};
    for (size_t i = 0; i < sizeof widths / sizeof widths[0]; i++) {
        pool = create(widths[i]);
        test(NULL);
        assert_int_equal(filch_pool_install(pool, test, NULL), 0);
        assert_int_equal(filch_pool_destroy(pool), 0);
    }
}

static struct filch_task_set *new_set(void)
{
    struct filch_task_set *set = NULL;
    struct filch_task_set_config config = {.pool = pool};
    if (filch_task_set_create(&set, &config) != 0)
        abort();
    return set;
}

static void *give_back(void *argument)
{
    return argument;
}

static void *count_one(void *argument)
{
    __atomic_fetch_add((uint64_t *)argument, 1, __ATOMIC_RELAXED);
    return NULL;
}

static void count_drop(void *argument)
{
    (void)count_one(argument);
}

/* A gate: whoever passes it waits until it is opened. */
struct gate {
    struct filch_latch latch;
    bool has_begun, is_open; /* for those that may not park */
};

static void *pass(void *argument)
{
    struct gate *gate = argument;
    xt_expect_equal(filch_latch_wait(&gate->latch), 0);
    return argument;
}

/* --- arguments --- */

xt_define(bad_arguments_are_refused)
{
    struct filch_task_set *set = (void *)&set, *kept = set;
    struct filch_task_end end = {.error = 77};
    uint64_t dropped = 0;
    struct filch_task_attr attr = {.arg_drop = count_drop};
    assert_int_equal(filch_task_set_create(NULL, NULL), EINVAL);
    assert_ptr_equal(set, kept);
    assert_int_equal(filch_task_set_spawn(NULL, NULL, give_back, NULL), EINVAL);
    assert_int_equal(filch_task_set_spawn(NULL, &attr, give_back, &dropped), EINVAL);
    assert_int_equal(filch_task_set_next(NULL, &end), EINVAL);
    assert_int_equal(filch_task_set_try_next(NULL, &end), EINVAL);
    assert_int_equal(filch_task_set_next_until(NULL, &end, 0), EINVAL);
    assert_int_equal(filch_task_set_left(NULL), 0);
    filch_task_set_cancel(NULL);
    filch_task_set_drop(NULL);
    assert_int_equal(filch_task_set_create(&set, NULL), 0); /* the default pool */
    assert_int_equal(filch_task_set_spawn(set, &attr, NULL, &dropped), EINVAL);
    assert_int_equal(filch_task_set_next(set, NULL), EINVAL);
    assert_int_equal(filch_task_set_next(set, &end), ENOENT);
    assert_int_equal(filch_task_set_try_next(set, &end), ENOENT);
    assert_int_equal(filch_task_set_next_until(set, &end, 0), ENOENT);
    assert_int_equal(end.error, 77); /* written only on success */
    filch_task_set_drop(set);
    assert_int_equal(dropped, 2);
}

/* --- ends --- */

static void every_end_is_handed_over(void *unused)
{
    (void)unused;
    enum { COUNT = 200 };
    static char args[COUNT];
    unsigned seen[COUNT] = {0};
    struct filch_task_set *set = new_set();
    struct filch_task_end end;
    for (size_t i = 0; i < COUNT; i++)
        xt_expect_equal(filch_task_set_spawn(set, NULL, give_back, &args[i]), 0);
    for (size_t i = 0; i < COUNT; i++) {
        xt_expect_equal(filch_task_set_left(set), COUNT - i);
        int error = i % 2 == 0 ? filch_task_set_next(set, &end)
                               : filch_task_set_next_until(set, &end, filch_deadline_in(FILCH_S));
        xt_expect_equal(error, 0);
        xt_expect_equal(end.error, 0);
        xt_expect(end.result == end.arg && end.panic == NULL);
        seen[(char *)end.arg - args]++;
    }
    for (size_t i = 0; i < COUNT; i++)
        xt_expect_equal(seen[i], 1);
    xt_expect_equal(filch_task_set_next(set, &end), ENOENT);
    xt_expect_equal(filch_task_set_spawn(set, NULL, give_back, args), 0); /* it can be used on */
    xt_expect_equal(filch_task_set_next(set, &end), 0);
    filch_task_set_drop(set);
}

xt_define(every_end_is_handed_over_once)
{
    everywhere(every_end_is_handed_over);
}

static void ends_in_order(void *unused)
{
    (void)unused;
    enum { COUNT = 4 };
    static const size_t order[COUNT] = {2, 0, 3, 1};
    struct gate gates[COUNT];
    struct filch_task_set *set = new_set();
    struct filch_task_end end;
    for (size_t i = 0; i < COUNT; i++) {
        gates[i] = (struct gate){.latch = FILCH_LATCH_INIT(1)};
        xt_expect_equal(filch_task_set_spawn(set, NULL, pass, &gates[i]), 0);
    }
    xt_expect_equal(filch_task_set_try_next(set, &end), EAGAIN);
    int64_t deadline = filch_deadline_in(FILCH_MS);
    xt_expect_equal(filch_task_set_next_until(set, &end, deadline), ETIMEDOUT);
    xt_expect(filch_now_ns() >= deadline);
    for (size_t i = 0; i < COUNT; i++) {
        filch_latch_count_down(&gates[order[i]].latch);
        xt_expect_equal(filch_task_set_next(set, &end), 0);
        xt_expect(end.arg == &gates[order[i]]);
    }
    xt_expect_equal(filch_task_set_try_next(set, &end), ENOENT);
    filch_task_set_drop(set);
}

xt_define(ends_come_in_the_order_of_ending)
{
    everywhere(ends_in_order);
}

static void *note(void *argument)
{
    static uint64_t order;
    *(uint64_t *)argument = __atomic_add_fetch(&order, 1, __ATOMIC_RELAXED);
    return NULL;
}

/* Those that have ended before anybody asks. */
static void ends_are_kept_in_order(void *unused)
{
    (void)unused;
    enum { COUNT = 50 };
    uint64_t orders[COUNT], before = 0;
    struct filch_task_end end;
    struct filch_pool *outer = pool;
    pool = create(1); /* so that the order of their bodies is that of their ends */
    struct filch_task_set *set = new_set();
    for (size_t i = 0; i < COUNT; i++)
        xt_expect_equal(filch_task_set_spawn(set, NULL, note, &orders[i]), 0);
    while (filch_task_set_next(set, &end) == 0) {
        xt_expect(*(uint64_t *)end.arg > before);
        before = *(uint64_t *)end.arg;
    }
    filch_task_set_drop(set);
    assert_int_equal(filch_pool_destroy(pool), 0);
    pool = outer;
}

xt_define(ends_that_nobody_asked_for_keep_their_order)
{
    ends_are_kept_in_order(NULL);
}

static void *panic_with(void *argument)
{
    filch_panic("task %d", *(int *)argument);
}

static void panics(void *unused)
{
    (void)unused;
    int number = 42;
    struct filch_task_set *set = new_set();
    struct filch_task_end end;
    xt_expect_equal(filch_task_set_spawn(set, NULL, panic_with, &number), 0);
    xt_expect_equal(filch_task_set_next(set, &end), 0);
    xt_expect_equal(end.error, EOWNERDEAD);
    xt_expect(end.arg == &number && end.result == NULL && end.panic != NULL);
    if (end.panic != NULL)
        xt_expect(strcmp(filch_panic_message(end.panic), "task 42") == 0);
    filch_panic_free(end.panic);
    xt_expect_equal(filch_task_set_spawn(set, NULL, panic_with, &number), 0);
    filch_task_set_drop(set); /* with the panic in it, which asan would miss */
}

static void say_nothing(const struct filch_panic *panic)
{
    (void)panic;
}

xt_define(panics_are_handed_over)
{
    (void)filch_panic_set_hook(say_nothing);
    everywhere(panics);
    (void)filch_panic_set_hook(NULL);
}

/* --- cancelling and dropping --- */

static void cancel_the_rest(void *unused)
{
    (void)unused;
    struct gate gate = {.latch = FILCH_LATCH_INIT(1)};
    uint64_t ran = 0, arg_dropped = 0;
    struct filch_task_attr attr = {0};
    struct filch_task_set *set = new_set();
    struct filch_task_end end;
    size_t width = filch_pool_width(pool), blocking = 3 * width, done = 0, cancelled = 0;
    for (size_t i = 0; i < blocking; i++)
        xt_expect_equal(filch_task_set_spawn(set, NULL, pass, &gate), 0);
    xt_expect_equal(filch_task_set_spawn(set, NULL, count_one, &ran), 0);
    do {
        xt_expect_equal(filch_task_set_next(set, &end), 0);
    } while (end.arg != &ran);
    filch_task_set_cancel(set);
    xt_expect_equal(filch_task_set_spawn(set, &attr, give_back, NULL), ECANCELED);
    attr.arg_drop = count_drop;
    xt_expect_equal(filch_task_set_spawn(set, &attr, give_back, &arg_dropped), ECANCELED);
    xt_expect_equal(arg_dropped, 1);
    filch_latch_count_down(&gate.latch);
    while (filch_task_set_next(set, &end) == 0) {
        xt_expect(end.error == 0 ? end.result == &gate : end.error == ECANCELED);
        done += end.error == 0;
        cancelled += end.error == ECANCELED;
    }
    xt_expect_equal(done + cancelled, blocking);
    filch_task_set_drop(set);
}

xt_define(a_cancelled_set_takes_no_more)
{
    everywhere(cancel_the_rest);
}

/* Holds its worker, so that nothing else begins there. */
static void *pass_without_parking(void *argument)
{
    struct gate *gate = argument;
    __atomic_store_n(&gate->has_begun, true, __ATOMIC_RELEASE);
    while (!__atomic_load_n(&gate->is_open, __ATOMIC_ACQUIRE))
        xt_sleep_ns(100 * FILCH_US);
    return gate;
}

/* Spawns it, and returns when it has begun. */
static void block_worker(struct filch_task_set *set, struct gate *gate)
{
    assert_int_equal(filch_task_set_spawn(set, NULL, pass_without_parking, gate), 0);
    while (!__atomic_load_n(&gate->has_begun, __ATOMIC_ACQUIRE))
        xt_sleep_ns(100 * FILCH_US);
}

xt_define(what_has_not_begun_is_dropped)
{
    enum { COUNT = 100 };
    struct gate gate = {.is_open = false};
    uint64_t dropped = 0, arg_dropped = 0;
    struct filch_task_attr attr = {.name = "named", .drop = count_drop};
    struct filch_task_attr owning = {.arg_drop = count_drop};
    struct filch_task_end end;
    pool = create(1);
    struct filch_task_set *set = new_set();
    block_worker(set, &gate);
    for (size_t i = 0; i < COUNT; i++) {
        attr.name = i % 2 == 0 ? NULL : "named";
        assert_int_equal(filch_task_set_spawn(set, &attr, count_one, &dropped), 0);
        assert_int_equal(filch_task_set_spawn(set, &owning, count_one, &arg_dropped), 0);
    }
    filch_task_set_cancel(set);
    __atomic_store_n(&gate.is_open, true, __ATOMIC_RELEASE);
    size_t cancelled = 0;
    while (filch_task_set_next(set, &end) == 0) {
        if (end.arg == &gate) {
            assert_int_equal(end.error, 0); /* what runs goes on */
            continue;
        }
        xt_expect_equal(end.error, ECANCELED);
        xt_expect(end.result == NULL && end.panic == NULL);
        cancelled++;
    }
    assert_int_equal(cancelled, 2 * COUNT);
    assert_int_equal(dropped, COUNT);
    assert_int_equal(arg_dropped, COUNT);
    filch_task_set_drop(set);
    assert_int_equal(filch_pool_destroy(pool), 0);
}

static void *work_late(void *argument)
{
    xt_sleep_ns(FILCH_MS);
    return count_one(argument);
}

static void drop_waits(void *unused)
{
    (void)unused;
    uint64_t ran = 0; /* of this frame, as whatever a task borrows */
    struct filch_task_attr attr = {.drop = count_drop};
    struct filch_task_set *set = new_set();
    for (int i = 0; i < 20; i++)
        xt_expect_equal(filch_task_set_spawn(set, &attr, i % 2 == 0 ? work_late : count_one, &ran),
                        0);
    filch_task_set_drop(set);
    xt_expect_equal(__atomic_load_n(&ran, __ATOMIC_RELAXED), 20); /* run or dropped */
}

xt_define(a_set_is_dropped_when_all_have_ended)
{
    everywhere(drop_waits);
}

static uint64_t results_dropped;

static void drop_result(void *result)
{
    xt_expect(result == &results_dropped);
    results_dropped++;
}

xt_define(results_that_nobody_took_are_dropped)
{
    pool = create(2);
    struct filch_task_set *set;
    struct filch_task_set_config config = {.pool = pool, .result_drop = drop_result};
    struct filch_task_end end;
    results_dropped = 0;
    assert_int_equal(filch_task_set_create(&set, &config), 0);
    for (int i = 0; i < 10; i++)
        assert_int_equal(filch_task_set_spawn(set, NULL, give_back, &results_dropped), 0);
    for (int i = 0; i < 4; i++)
        assert_int_equal(filch_task_set_next(set, &end), 0);
    assert_int_equal(results_dropped, 0);
    assert_int_equal(filch_pool_shutdown(pool, FILCH_DRAIN, FILCH_FOREVER), 0); /* all have run */
    filch_task_set_drop(set);
    assert_int_equal(results_dropped, 6);
    assert_int_equal(filch_pool_destroy(pool), 0);
}

struct guarded {
    uint64_t ran;
};

static void leave_by_panic(void *argument)
{
    struct guarded *g = argument;
    FILCH_TASK_SET_GUARD(set);
    set = new_set();
    for (int i = 0; i < 5; i++)
        xt_expect_equal(filch_task_set_spawn(set, &(struct filch_task_attr){.drop = count_drop},
                                             work_late, &g->ran),
                        0);
    filch_panic("out");
}

static void guards(void *unused)
{
    (void)unused;
    struct guarded g = {0};
    xt_expect_equal(filch_catch_unwind(leave_by_panic, &g, NULL), EOWNERDEAD);
    xt_expect_equal(__atomic_load_n(&g.ran, __ATOMIC_RELAXED), 5);
}

xt_define(a_guard_waits_however_the_block_is_left)
{
    (void)filch_panic_set_hook(say_nothing);
    everywhere(guards);
    (void)filch_panic_set_hook(NULL);
}

/* --- from inside --- */

struct tree {
    struct filch_task_set *set;
    uint64_t ran;
};

struct node {
    struct tree *tree;
    int depth;
};

static void *grow(void *argument)
{
    struct node *node = argument;
    for (int i = 0; i < 2 && node->depth > 0; i++) {
        struct node *child = malloc(sizeof *child);
        *child = (struct node){.tree = node->tree, .depth = node->depth - 1};
        struct filch_task_attr attr = {.arg_drop = free};
        xt_expect_equal(filch_task_set_spawn(node->tree->set, &attr, grow, child), 0);
    }
    return count_one(&node->tree->ran);
}

static void tasks_spawn(void *unused)
{
    (void)unused;
    struct tree tree = {.set = new_set()};
    struct node root = {.tree = &tree, .depth = 8};
    struct filch_task_end end;
    size_t ends = 0;
    xt_expect_equal(filch_task_set_spawn(tree.set, NULL, grow, &root), 0);
    while (filch_task_set_next(tree.set, &end) == 0)
        ends++;
    xt_expect_equal(ends, 511);
    xt_expect_equal(tree.ran, 511);
    filch_task_set_drop(tree.set);
}

xt_define(tasks_spawn_into_their_set)
{
    everywhere(tasks_spawn);
}

static void *collect(void *argument)
{
    struct tree *tree = argument;
    struct filch_task_end end;
    while (filch_task_set_next(tree->set, &end) == 0)
        (void)count_one(&tree->ran);
    return NULL;
}

static void collect_as_task(void *argument)
{
    (void)collect(argument);
}

static void many_collect(void *unused)
{
    (void)unused;
    enum { COUNT = 300 };
    struct tree tree = {.set = new_set()};
    struct filch_task *tasks[2];
    struct filch_thread *thread;
    for (int i = 0; i < COUNT; i++)
        xt_expect_equal(filch_task_set_spawn(tree.set, NULL, give_back, NULL), 0);
    for (int i = 0; i < 2; i++)
        xt_expect_equal(filch_pool_spawn(pool, &tasks[i], NULL, collect_as_task, &tree), 0);
    xt_expect_equal(filch_thread_spawn(&thread, NULL, collect, &tree), 0);
    for (int i = 0; i < 2; i++)
        xt_expect_equal(filch_task_join(tasks[i]), 0);
    xt_expect_equal(filch_thread_join(thread, NULL, NULL), 0);
    xt_expect_equal(tree.ran, COUNT);
    filch_task_set_drop(tree.set);
}

xt_define(several_collect_from_one_set)
{
    everywhere(many_collect);
}

/* --- the pool ends, memory ends --- */

xt_define(a_cancelled_pool_is_reported)
{
    struct gate gate = {.is_open = false};
    uint64_t dropped = 0;
    struct filch_task_attr attr = {.drop = count_drop};
    struct filch_task_end end;
    size_t cancelled = 0;
    pool = create(1);
    struct filch_task_set *set = new_set();
    block_worker(set, &gate);
    for (int i = 0; i < 10; i++)
        assert_int_equal(filch_task_set_spawn(set, &attr, give_back, &dropped), 0);
    assert_int_equal(filch_pool_shutdown(pool, FILCH_CANCEL, filch_now_ns()), ETIMEDOUT);
    assert_int_equal(filch_task_set_spawn(set, &attr, give_back, &dropped), ESHUTDOWN);
    __atomic_store_n(&gate.is_open, true, __ATOMIC_RELEASE);
    assert_int_equal(filch_pool_shutdown(pool, FILCH_CANCEL, FILCH_FOREVER), 0);
    while (filch_task_set_next(set, &end) == 0)
        cancelled += end.error == ECANCELED && end.arg == &dropped;
    assert_int_equal(cancelled, 10);
    assert_int_equal(dropped, 10);
    filch_task_set_drop(set);
    assert_int_equal(filch_pool_destroy(pool), 0);
}

xt_define(without_memory_nothing_is_spawned)
{
    struct filch_task_set *set = NULL;
    struct filch_task_set_config config;
    struct filch_task_end end;
    uint64_t dropped = 0;
    struct filch_task_attr attr = {.arg_drop = count_drop};
    xt_faults_install(); /* before any thread of the library runs */
    pool = create(1);
    assert_int_equal(filch_pool_install(pool, count_drop, &dropped), 0); /* its worker has begun */
    dropped = 0;
    config = (struct filch_task_set_config){.pool = pool};
    int64_t before = xt_faults_live_blocks();
    xt_faults_arm(XT_ALLOC, 1, XT_FAULT_ONCE);
    assert_int_equal(filch_task_set_create(&set, &config), ENOMEM);
    assert_null(set);
    assert_int_equal(xt_faults_disarm(), 1);
    assert_int_equal(filch_task_set_create(&set, &config), 0);
    xt_faults_arm(XT_ALLOC, 1, XT_FAULT_ONWARD);
    assert_int_equal(filch_task_set_spawn(set, &attr, give_back, &dropped), ENOMEM);
    assert_int_equal(xt_faults_disarm(), 1);
    assert_int_equal(dropped, 1);
    attr.name = "named"; /* the pool, too, asks for memory */
    xt_faults_arm(XT_ALLOC, 2, XT_FAULT_ONWARD);
    assert_int_equal(filch_task_set_spawn(set, &attr, give_back, &dropped), ENOMEM);
    assert_int_equal(xt_faults_disarm(), 1);
    assert_int_equal(dropped, 2);
    assert_int_equal(filch_task_set_next(set, &end), ENOENT);
    filch_task_set_drop(set);
    assert_int_equal(xt_faults_live_blocks(), before);
    assert_int_equal(filch_pool_destroy(pool), 0);
    xt_faults_remove();
}

static void use_in_child(void *argument)
{
    struct filch_task_set *set = argument;
    struct filch_task_end end;
    xt_expect_equal(filch_task_set_spawn(set, NULL, give_back, NULL), EPERM);
    xt_expect_equal(filch_task_set_next(set, &end), EPERM);
    filch_task_set_cancel(set);
    filch_task_set_drop(set); /* does not wait for what is not here */
}

xt_define(a_forked_child_leaves_the_set_alone)
{
    struct gate gate = {.latch = FILCH_LATCH_INIT(1)};
    struct filch_task_end end;
    xt_skip_if_emulated();
    pool = create(1);
    struct filch_task_set *set = new_set();
    assert_int_equal(filch_task_set_spawn(set, NULL, pass, &gate), 0);
    xt_expect_child(use_in_child, set, "a task set in a forked child");
    filch_latch_count_down(&gate.latch);
    assert_int_equal(filch_task_set_next(set, &end), 0);
    assert_int_equal(end.error, 0);
    filch_task_set_drop(set);
    assert_int_equal(filch_pool_destroy(pool), 0);
}

xt_define(waiting_costs_no_cpu_time)
{
    struct gate gate = {.latch = FILCH_LATCH_INIT(1)};
    struct tree tree;
    struct filch_thread *thread;
    pool = create(2);
    tree = (struct tree){.set = new_set()};
    assert_int_equal(filch_task_set_spawn(tree.set, NULL, pass, &gate), 0);
    assert_int_equal(filch_thread_spawn(&thread, NULL, collect, &tree), 0);
    xt_sleep_ns(20 * FILCH_MS);
    int64_t before_ns = xt_cpu_ns();
    xt_sleep_ns(100 * FILCH_MS);
    assert_true(xt_cpu_ns() - before_ns < 50 * FILCH_MS); /* one that spins uses all of them */
    filch_latch_count_down(&gate.latch);
    assert_int_equal(filch_thread_join(thread, NULL, NULL), 0);
    assert_int_equal(tree.ran, 1);
    filch_task_set_drop(tree.set);
    assert_int_equal(filch_pool_destroy(pool), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        xt_test(without_memory_nothing_is_spawned), /* first: no default pool yet */
        xt_test(bad_arguments_are_refused),
        xt_test(every_end_is_handed_over_once),
        xt_test(ends_come_in_the_order_of_ending),
        xt_test(ends_that_nobody_asked_for_keep_their_order),
        xt_test(panics_are_handed_over),
        xt_test(a_cancelled_set_takes_no_more),
        xt_test(what_has_not_begun_is_dropped),
        xt_test(a_set_is_dropped_when_all_have_ended),
        xt_test(results_that_nobody_took_are_dropped),
        xt_test(a_guard_waits_however_the_block_is_left),
        xt_test(tasks_spawn_into_their_set),
        xt_test(several_collect_from_one_set),
        xt_test(a_cancelled_pool_is_reported),
        xt_test(a_forked_child_leaves_the_set_alone),
        xt_test(waiting_costs_no_cpu_time),
    };
    return xt_run(tests);
}
