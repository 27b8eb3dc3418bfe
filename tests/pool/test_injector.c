/* SPDX-License-Identifier: Apache-2.0 */
/* The queue for tasks from outside: order, blocks, batches that are put whole or not at all, and any
 * number of threads on both sides. */
#include "test.h"

#include "injector.h"
#include "pool.h"

#include <filch/pool.h>
#include <semaphore.h>
#include <stdlib.h>

static void nothing(void *argument)
{
    (void)argument;
}

static const struct task_item model = {.fn = nothing, .drop = nothing};

static int put(struct injector *q, uintptr_t number)
{
    void *arg = (void *)number;
    return filch__injector_put(q, &model, &arg, 1);
}

static void expect_take(struct injector *q, uintptr_t number)
{
    struct task_item item;
    assert_int_equal(filch__injector_take(q, &item, 1), 1);
    assert_int_equal((uintptr_t)item.arg, number);
    assert_true(item.fn == nothing && item.drop == nothing && item.tally == NULL);
}

xt_define(an_empty_queue)
{
    struct injector q;
    struct task_item item;
    filch__injector_init(&q);
    assert_false(filch__injector_has_any(&q));
    assert_int_equal(filch__injector_take(&q, &item, 1), 0);
    assert_int_equal(put(&q, 1), 0);
    assert_true(filch__injector_has_any(&q));
    assert_int_equal(filch__injector_take(&q, &item, 0), 0);
    expect_take(&q, 1);
    assert_false(filch__injector_has_any(&q));
    filch__injector_destroy(&q);
}

/* Fills and drains by so many at a time: every position within the blocks is met. */
static void run_in_steps(size_t put_count, size_t take_count, size_t total)
{
    struct injector q;
    struct task_item *items = calloc(take_count, sizeof *items);
    void **args = calloc(put_count, sizeof *args);
    uintptr_t next_in = 0;
    uintptr_t next_out = 0;
    assert_true(items != NULL && args != NULL);
    filch__injector_init(&q);
    while (next_out < total) {
        for (size_t i = 0; i < put_count; i++)
            args[i] = (void *)next_in++;
        assert_int_equal(filch__injector_put(&q, &model, args, put_count), 0);
        size_t taken = filch__injector_take(&q, items, take_count);
        uintptr_t there = next_in - next_out;
        assert_true(taken >= 1 && taken <= there && taken <= take_count);
        for (size_t i = 0; i < taken; i++)
            assert_int_equal((uintptr_t)items[i].arg, next_out++);
        assert_int_equal(filch__injector_has_any(&q), next_in != next_out);
    }
    filch__injector_destroy(&q); /* with what is left in it */
    free(args);
    free(items);
}

xt_define(first_in_first_out)
{
    static const size_t steps[] = {1, 2, 3, 32, 125, 126, 127, 252, 253, 1000};
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        for (size_t k = 0; k < sizeof steps / sizeof steps[0]; k++)
            run_in_steps(steps[i], steps[k], 2000);
    }
}

xt_define(a_batch_is_put_whole_or_not_at_all)
{
    static void *args[1000];
    struct injector q;
    xt_faults_install();
    filch__injector_init(&q);
    assert_int_equal(put(&q, 7), 0);
    xt_faults_arm(XT_ALLOC, 1, XT_FAULT_ONCE);
    assert_int_equal(filch__injector_put(&q, &model, args, 1000), ENOMEM);
    assert_int_equal(xt_faults_disarm(), 1);
    assert_int_equal(filch__injector_put(&q, &model, args, SIZE_MAX / 2), ENOMEM);
    assert_int_equal(q.size, 1);
    xt_faults_arm(XT_ALLOC, 1, XT_FAULT_ONWARD);
    for (uintptr_t i = 1; i < INJECTOR_BLOCK_TASKS; i++)
        assert_int_equal(put(&q, 7 + i), 0); /* there is room in the block */
    assert_int_equal(put(&q, 1), ENOMEM);
    (void)xt_faults_disarm();
    for (uintptr_t i = 0; i < INJECTOR_BLOCK_TASKS; i++)
        expect_take(&q, 7 + i);
    assert_false(filch__injector_has_any(&q));
    filch__injector_destroy(&q);
    assert_int_equal(xt_faults_live_blocks(), 0);
    xt_faults_remove();
}

xt_define(drained_blocks_are_given_back)
{
    struct injector q;
    xt_faults_install();
    filch__injector_init(&q);
    for (uintptr_t i = 0; i < 100000; i++)
        assert_int_equal(put(&q, i), 0);
    for (uintptr_t i = 0; i < 100000; i++)
        expect_take(&q, i);
    assert_true(xt_faults_live_blocks() <= 2);
    filch__injector_destroy(&q);
    assert_int_equal(xt_faults_live_blocks(), 0);
    xt_faults_remove();
}

enum { SIDES = 3, BATCH_MAX = 200 };

struct traffic {
    struct injector q;
    uint8_t *seen;
    size_t each; /* what each putter puts */
    uint64_t turn;
    uint64_t taken;
};

static void put_all(struct traffic *t, uintptr_t first)
{
    uint64_t seed = xt_seed() + first;
    void *args[BATCH_MAX];
    for (size_t done = 0; done < t->each;) {
        size_t count = 1 + xt_random(&seed) % (xt_random(&seed) % 4 == 0 ? BATCH_MAX : 2);
        if (count > t->each - done)
            count = t->each - done;
        for (size_t i = 0; i < count; i++)
            args[i] = (void *)(first + done + i);
        xt_expect_equal(filch__injector_put(&t->q, &model, args, count), 0);
        done += count;
    }
}

static void take_all(struct traffic *t, uint64_t seed)
{
    struct task_item items[BATCH_MAX];
    uintptr_t last[SIDES] = {0};
    while (__atomic_load_n(&t->taken, __ATOMIC_RELAXED) < SIDES * t->each) {
        size_t count = filch__injector_take(&t->q, items, 1 + xt_random(&seed) % BATCH_MAX);
        for (size_t i = 0; i < count; i++) {
            uintptr_t number = (uintptr_t)items[i].arg;
            __atomic_fetch_add(&t->seen[number], 1, __ATOMIC_RELAXED);
            /* What one thread has put, one thread takes in the same order. */
            size_t side = number / t->each;
            xt_expect(number >= last[side]);
            last[side] = number;
        }
        __atomic_fetch_add(&t->taken, count, __ATOMIC_RELAXED);
    }
}

static void *put_or_take(void *argument)
{
    struct traffic *t = argument;
    uint64_t turn = __atomic_fetch_add(&t->turn, 1, __ATOMIC_RELAXED);
    if (turn < SIDES)
        put_all(t, turn * t->each);
    else
        take_all(t, xt_seed() + turn);
    return NULL;
}

xt_define(many_threads_on_both_sides)
{
    struct traffic t = {.each = xt_scaled(100000)};
    t.seen = calloc(SIDES * t.each, 1);
    assert_non_null(t.seen);
    (void)xt_seed();
    xt_run_threads(2 * SIDES, put_or_take, &t, 0);
    size_t wrong = 0;
    for (size_t i = 0; i < SIDES * t.each; i++)
        wrong += t.seen[i] != 1;
    assert_int_equal(wrong, 0);
    assert_int_equal(t.q.size, 0);
    filch__injector_destroy(&t.q);
    free(t.seen);
}

/* --- what a worker takes --- */

static void wait_for(sem_t *semaphore)
{
    while (sem_wait(semaphore) != 0)
        continue;
}

struct gate {
    sem_t reached;
    sem_t opened;
};

static void gate(void *argument)
{
    struct gate *g = argument;
    xt_expect_equal(sem_post(&g->reached), 0);
    wait_for(&g->opened);
}

static uintptr_t run_so_far; /* by the one worker */

static void run_in_order(void *number)
{
    xt_expect_equal((uintptr_t)number, run_so_far);
    run_so_far++;
}

/* The worker takes some at a time, and looks outside now and then while it runs them. */
xt_define(a_flood_stays_outside_and_is_run_in_order)
{
    enum { FLOOD = 100000 };
    struct filch_pool *pool = NULL;
    struct filch_pool_config config = {.name = "flood", .workers = 1};
    struct gate g;
    assert_int_equal(sem_init(&g.reached, 0, 0), 0);
    assert_int_equal(sem_init(&g.opened, 0, 0), 0);
    assert_int_equal(filch_pool_create(&pool, &config), 0);
    assert_int_equal(filch_pool_spawn(pool, NULL, NULL, gate, &g), 0);
    wait_for(&g.reached);
    run_so_far = 0;
    for (uintptr_t i = 0; i < FLOOD; i++)
        assert_int_equal(filch_pool_spawn(pool, NULL, NULL, run_in_order, (void *)i), 0);
    assert_int_equal(sem_post(&g.opened), 0);
    assert_int_equal(filch_pool_shutdown(pool, FILCH_DRAIN, FILCH_FOREVER), 0);
    assert_int_equal(run_so_far, FLOOD);
    assert_int_equal(xt_take_failures(), 0);
    assert_true(pool->places[0]->deque.array->capacity <= FILCH_DEQUE_CAPACITY_MIN);
    assert_int_equal(filch_pool_destroy(pool), 0);
    assert_int_equal(sem_destroy(&g.reached), 0);
    assert_int_equal(sem_destroy(&g.opened), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        xt_test(an_empty_queue),
        xt_test(first_in_first_out),
        xt_test(a_batch_is_put_whole_or_not_at_all),
        xt_test(drained_blocks_are_given_back),
        xt_test(many_threads_on_both_sides),
        xt_test(a_flood_stays_outside_and_is_run_in_order),
    };
    return xt_run(tests);
}
