/* SPDX-License-Identifier: Apache-2.0 */
/* The deque: order, growth, indices that wrap, memory that cannot be had, and thieves. */
#include "test.h"

#include "deque.h"

#include <stdlib.h>

static void nothing(void *argument)
{
    (void)argument;
}

static struct task_item item_of(uintptr_t number)
{
    return (struct task_item){.fn = nothing, .arg = (void *)number};
}

static uintptr_t number_of(const struct task_item *item)
{
    return (uintptr_t)item->arg;
}

static void push(struct deque *q, uintptr_t number)
{
    struct task_item item = item_of(number);
    xt_expect_equal(filch__deque_push(q, &item), 0);
}

static void expect_pop(struct deque *q, uintptr_t number)
{
    struct task_item item = {0};
    assert_true(filch__deque_pop(q, &item));
    assert_int_equal(number_of(&item), number);
}

static void expect_steal(struct deque *q, uintptr_t number)
{
    struct task_item item = {0};
    assert_int_equal(filch__deque_steal(q, &item), DEQUE_STOLEN);
    assert_int_equal(number_of(&item), number);
}

/* Where the first index lies: nowhere special, and just before each point where a number wraps. */
static const uint64_t starts[] = {0,
                                  1,
                                  UINT64_MAX,
                                  UINT64_MAX - 1,
                                  UINT64_MAX - 100,
                                  (uint64_t)INT64_MAX,
                                  (uint64_t)INT64_MAX - 1,
                                  (uint64_t)INT64_MAX - 100,
                                  UINT32_MAX - 100};
enum { START_COUNT = sizeof starts / sizeof starts[0] };

xt_define(an_empty_deque)
{
    for (size_t i = 0; i < START_COUNT; i++) {
        struct deque q;
        struct task_item item = item_of(7);
        assert_int_equal(filch__deque_init(&q, starts[i]), 0);
        for (int k = 0; k < 5; k++) {
            assert_false(filch__deque_pop(&q, &item));
            assert_false(filch__deque_peek(&q, &item));
            assert_int_equal(filch__deque_steal(&q, &item), DEQUE_EMPTY);
            assert_int_equal(filch__deque_size(&q), 0);
        }
        assert_int_equal(number_of(&item), 7);
        filch__deque_destroy(&q);
    }
}

xt_define(the_owner_takes_the_newest_and_thieves_the_oldest)
{
    for (size_t i = 0; i < START_COUNT; i++) {
        struct deque q;
        struct task_item item = {0};
        assert_int_equal(filch__deque_init(&q, starts[i]), 0);
        for (uintptr_t n = 1; n <= 200; n++)
            push(&q, n);
        assert_int_equal(filch__deque_size(&q), 200);
        for (uintptr_t n = 1; n <= 99; n++) {
            expect_steal(&q, n);
            assert_true(filch__deque_peek(&q, &item));
            assert_int_equal(number_of(&item), 201 - n);
            expect_pop(&q, 201 - n);
            assert_int_equal(filch__deque_size(&q), 200 - 2 * n);
        }
        expect_steal(&q, 100);
        expect_pop(&q, 101);
        assert_false(filch__deque_pop(&q, &item));
        assert_int_equal(filch__deque_steal(&q, &item), DEQUE_EMPTY);
        push(&q, 300);
        expect_pop(&q, 300);
        push(&q, 301);
        expect_steal(&q, 301);
        assert_int_equal(filch__deque_size(&q), 0);
        filch__deque_destroy(&q);
    }
}

xt_define(all_four_words_travel)
{
    struct deque q;
    int x;
    assert_int_equal(filch__deque_init(&q, 0), 0);
    struct task_item in = {
        .fn = nothing, .arg = &x, .tally = (struct tally *)(void *)&q, .drop = nothing};
    struct task_item out = {0};
    for (int stolen = 0; stolen < 2; stolen++) {
        assert_int_equal(filch__deque_push(&q, &in), 0);
        if (stolen)
            assert_int_equal(filch__deque_steal(&q, &out), DEQUE_STOLEN);
        else
            assert_true(filch__deque_pop(&q, &out));
        assert_true(out.fn == in.fn && out.arg == in.arg && out.tally == in.tally &&
                    out.drop == in.drop);
    }
    filch__deque_destroy(&q);
}

xt_define(growth_keeps_everything)
{
    for (size_t i = 0; i < START_COUNT; i++) {
        struct deque q;
        uintptr_t count = (uintptr_t)FILCH_DEQUE_CAPACITY_MIN * 8 + 3;
        assert_int_equal(filch__deque_init(&q, starts[i]), 0);
        /* Some room at the beginning has been used before, so that the array is a ring. */
        for (uintptr_t n = 0; n < 100; n++) {
            push(&q, n);
            expect_steal(&q, n);
        }
        for (uintptr_t n = 0; n < count; n++)
            push(&q, n);
        for (uintptr_t n = 0; n < count / 2; n++)
            expect_steal(&q, n);
        for (uintptr_t n = count; n > count / 2; n--)
            expect_pop(&q, n - 1);
        assert_int_equal(filch__deque_size(&q), 0);
        filch__deque_destroy(&q);
    }
}

xt_define(room_that_is_reserved_needs_no_memory)
{
    struct deque q;
    xt_faults_install();
    assert_int_equal(filch__deque_init(&q, UINT64_MAX - 300), 0);
    assert_int_equal(filch__deque_reserve(&q, 0), 0);
    assert_int_equal(filch__deque_reserve(&q, 5000), 0);
    xt_faults_arm(XT_ALL_FAULTS, 1, XT_FAULT_ONWARD);
    assert_int_equal(filch__deque_reserve(&q, 5000), 0);
    for (uintptr_t n = 0; n < 5000; n++)
        push(&q, n);
    assert_int_equal(xt_faults_disarm(), 0);
    for (uintptr_t n = 5000; n > 0; n--)
        expect_pop(&q, n - 1);
    filch__deque_destroy(&q);
    assert_int_equal(xt_faults_live_blocks(), 0);
    xt_faults_remove();
}

xt_define(without_memory_nothing_changes)
{
    struct deque q;
    xt_faults_install();
    xt_faults_arm(XT_ALLOC, 1, XT_FAULT_ONWARD);
    assert_int_equal(filch__deque_init(&q, 0), ENOMEM);
    (void)xt_faults_disarm();
    assert_int_equal(filch__deque_init(&q, 0), 0);
    uintptr_t full = FILCH_DEQUE_CAPACITY_MIN;
    for (uintptr_t n = 0; n < full; n++)
        push(&q, n);
    xt_faults_arm(XT_ALLOC, 1, XT_FAULT_ONWARD);
    struct task_item item = item_of(full);
    assert_int_equal(filch__deque_push(&q, &item), ENOMEM);
    assert_int_equal(filch__deque_reserve(&q, 1), ENOMEM);
    assert_int_equal(filch__deque_size(&q), full);
    expect_steal(&q, 0);
    push(&q, full); /* the room of the stolen one */
    assert_int_equal(filch__deque_push(&q, &item), ENOMEM);
    (void)xt_faults_disarm();
    push(&q, full + 1);
    for (uintptr_t n = full + 1; n > 0; n--)
        expect_pop(&q, n);
    filch__deque_destroy(&q);
    assert_int_equal(xt_faults_live_blocks(), 0);
    xt_faults_remove();
}

/* --- thieves --- */

enum { THIEVES = 3 };

struct theft {
    struct deque q;
    uint8_t *taken; /* how often each number was */
    uintptr_t count;
    uint32_t is_over;
    uint64_t turn;
    uint64_t stolen;
};

static void note(struct theft *t, const struct task_item *item)
{
    uintptr_t number = number_of(item);
    xt_expect(item->fn == nothing);
    xt_expect(number < t->count);
    if (number < t->count)
        __atomic_fetch_add(&t->taken[number], 1, __ATOMIC_RELAXED);
}

static void steal_all(struct theft *t)
{
    struct task_item item = {0};
    for (;;) {
        bool is_over = __atomic_load_n(&t->is_over, __ATOMIC_ACQUIRE) != 0;
        enum deque_steal result = filch__deque_steal(&t->q, &item);
        if (result == DEQUE_STOLEN) {
            note(t, &item);
            __atomic_fetch_add(&t->stolen, 1, __ATOMIC_RELAXED);
        } else if (result == DEQUE_EMPTY && is_over) {
            return;
        }
    }
}

/* Pushes in bursts and pops in between, by a seeded pattern; often the deque is nearly empty, now and
 * then it grows. */
static void own(struct theft *t)
{
    uint64_t seed = xt_seed();
    uintptr_t next = 0;
    struct task_item item = {0};
    while (next < t->count) {
        uint64_t kind = xt_random(&seed) % 64;
        uint64_t burst = kind == 0 ? 1000 : kind < 32 ? 1 : kind % 8;
        for (; burst > 0 && next < t->count; burst--)
            push(&t->q, next++);
        for (uint64_t pops = xt_random(&seed) % 4; pops > 0; pops--) {
            if (filch__deque_pop(&t->q, &item))
                note(t, &item);
        }
    }
    while (filch__deque_pop(&t->q, &item))
        note(t, &item);
    __atomic_store_n(&t->is_over, 1, __ATOMIC_RELEASE);
}

static void *own_or_steal(void *argument)
{
    struct theft *t = argument;
    if (__atomic_fetch_add(&t->turn, 1, __ATOMIC_RELAXED) == 0)
        own(t);
    else
        steal_all(t);
    return NULL;
}

static void steal_from(uint64_t start, uintptr_t count)
{
    struct theft t = {.count = count, .taken = calloc(count, 1)};
    assert_non_null(t.taken);
    assert_int_equal(filch__deque_init(&t.q, start), 0);
    xt_run_threads(1 + THIEVES, own_or_steal, &t, 0);
    size_t wrong = 0;
    for (uintptr_t i = 0; i < count; i++)
        wrong += t.taken[i] != 1;
    assert_int_equal(wrong, 0);
    filch__deque_destroy(&t.q);
    free(t.taken);
}

xt_define(each_task_is_taken_once)
{
    steal_from(0, xt_scaled(400000));
    for (size_t i = 1; i < START_COUNT; i++)
        steal_from(starts[i] - 500, xt_scaled(40000));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        xt_test(an_empty_deque),
        xt_test(the_owner_takes_the_newest_and_thieves_the_oldest),
        xt_test(all_four_words_travel),
        xt_test(growth_keeps_everything),
        xt_test(room_that_is_reserved_needs_no_memory),
        xt_test(without_memory_nothing_changes),
        xt_test(each_task_is_taken_once),
    };
    return xt_run(tests);
}
