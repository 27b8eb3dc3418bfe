/* SPDX-License-Identifier: Apache-2.0 */
/* Once, barrier, semaphore and latch in tasks, and between tasks and threads. */
#include "locks.h"

struct meeting {
    struct filch_once once;
    struct filch_barrier b;
    struct filch_semaphore s;
    struct filch_latch l;
    size_t rounds;
    uint64_t parties;
    uint64_t loaded;   /* plain: the once orders it */
    uint64_t arrivals; /* atomic, as the rest */
    uint64_t leaders;
    uint64_t inside;
};

static void load(void *argument)
{
    struct meeting *m = argument;
    xt_sleep_ns(500000);
    m->loaded++;
}

static void meet(void *argument)
{
    struct meeting *m = argument;
    xt_expect_equal(filch_once_call(&m->once, load, m), 0);
    xt_expect_equal(m->loaded, 1);
    for (size_t i = 0; i < m->rounds; i++) {
        int is_leader;
        __atomic_add_fetch(&m->arrivals, 1, __ATOMIC_RELAXED);
        xt_expect_equal(filch_barrier_wait(&m->b, &is_leader), 0);
        xt_expect(__atomic_load_n(&m->arrivals, __ATOMIC_RELAXED) >= (i + 1) * m->parties);
        __atomic_add_fetch(&m->leaders, (uint64_t)is_leader, __ATOMIC_RELAXED);
        xt_expect_equal(filch_semaphore_acquire(&m->s), 0);
        xt_expect(__atomic_add_fetch(&m->inside, 1, __ATOMIC_RELAXED) <= 2);
        __atomic_sub_fetch(&m->inside, 1, __ATOMIC_RELAXED);
        filch_semaphore_release(&m->s, 1);
    }
    filch_latch_count_down(&m->l);
    xt_expect_equal(filch_latch_wait(&m->l), 0);
    xt_expect_equal(__atomic_load_n(&m->leaders, __ATOMIC_RELAXED), m->rounds);
}

/* More parties than workers: each is set aside where it waits. */
xt_define(tasks_and_threads_meet)
{
    static const size_t widths[] = {1, 2, 8};
    for (size_t i = 0; i < sizeof widths / sizeof widths[0]; i++) {
        for (size_t threads = 0; threads <= 4; threads += 2) {
            struct meeting m = {.b = FILCH_BARRIER_INIT(8 + threads),
                                .s = FILCH_SEMAPHORE_INIT(2),
                                .l = FILCH_LATCH_INIT(8 + threads),
                                .rounds = xt_scaled(100),
                                .parties = 8 + threads};
            locks_mixed(widths[i], 8, threads, meet, &m);
            assert_int_equal(m.leaders, m.rounds);
            assert_int_equal(filch_semaphore_permits(&m.s), 2);
        }
    }
}

/* Tasks of a pool with one worker: they come to the latch one after the other. */
struct row {
    struct filch_latch *gate;
    size_t come; /* plain, as the next: the worker's */
    size_t gone_on;
    uint64_t *all; /* atomic: of both rows */
};

static void stand_in_row(void *argument)
{
    struct row *row = argument;
    const size_t mine = row->come++;
    __atomic_add_fetch(row->all, 1, __ATOMIC_RELAXED);
    xt_expect_equal(filch_latch_wait(row->gate), 0);
    xt_expect_equal(row->gone_on++, mine);
}

static void *stand_beside(void *gate)
{
    xt_expect_equal(filch_latch_wait(gate), 0);
    return NULL;
}

static void open_gate(void *gate)
{
    filch_latch_count_down(gate);
}

/* The worker of whoever opens it wakes its own tasks in one go where they are many, and the others' one by one. */
xt_define(a_latch_lets_them_go_on_in_their_order)
{
    static const size_t counts[] = {0, 1, 5, 40, 41}; /* 32 are many */
    for (size_t k = 0; k < sizeof counts / sizeof counts[0]; k++) {
        const size_t count = counts[k];
        struct filch_latch gate = FILCH_LATCH_INIT(1);
        uint64_t all = 0;
        struct row rows[2] = {{.gate = &gate, .all = &all}, {.gate = &gate, .all = &all}};
        struct filch_pool *pools[2] = {locks_pool(1), locks_pool(1)};
        pthread_t beside[2];
        for (size_t i = 0; i < 2; i++)
            assert_int_equal(pthread_create(&beside[i], NULL, stand_beside, &gate), 0);
        for (size_t i = 0; i < 2 * count; i++)
            assert_int_equal(filch_pool_spawn(pools[i % 2], NULL, NULL, stand_in_row, &rows[i % 2]),
                             0);
        while (__atomic_load_n(&all, __ATOMIC_RELAXED) < 2 * count)
            xt_sleep_ns(100000);
        assert_int_equal(filch_pool_install(pools[0], open_gate, &gate), 0);
        for (size_t i = 0; i < 2; i++) {
            assert_int_equal(pthread_join(beside[i], NULL), 0);
            assert_int_equal(filch_pool_destroy(pools[i]), 0);
            assert_int_equal(rows[i].gone_on, count);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        xt_test(tasks_and_threads_meet),
        xt_test(a_latch_lets_them_go_on_in_their_order),
    };
    return xt_run(tests);
}
