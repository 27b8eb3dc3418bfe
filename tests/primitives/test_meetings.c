/* SPDX-License-Identifier: Apache-2.0 */
/* Barrier, semaphore and latch among OS threads. */
#include "test.h"

#include <filch/barrier.h>
#include <filch/latch.h>
#include <filch/semaphore.h>
#include <stdlib.h>
#include <string.h>

struct meeting {
    struct filch_barrier b;
    struct filch_semaphore s;
    struct filch_latch l;
    size_t rounds;
    uint64_t parties;
    uint64_t arrivals; /* atomic, as the rest */
    uint64_t leaders;
    uint64_t inside;
    uint64_t acquired;
    uint64_t late;
    uint64_t turn;
    uint64_t payload; /* plain */
};

static uint64_t add(uint64_t *number)
{
    return __atomic_add_fetch(number, 1, __ATOMIC_RELAXED);
}

/* --- barrier --- */

static void *meet(void *argument)
{
    struct meeting *m = argument;
    for (size_t i = 0; i < m->rounds; i++) {
        int is_leader = 2;
        add(&m->arrivals);
        xt_expect_equal(filch_barrier_wait(&m->b, &is_leader), 0);
        xt_expect(__atomic_load_n(&m->arrivals, __ATOMIC_RELAXED) >= (i + 1) * m->parties);
        xt_expect(is_leader == 0 || is_leader == 1);
        if (is_leader == 1)
            add(&m->leaders);
    }
    return NULL;
}

xt_define(all_parties_meet_round_after_round_with_one_leader_each)
{
    for (uint64_t parties = 1; parties <= 8; parties *= 2) {
        struct meeting m = {.b = FILCH_BARRIER_INIT(parties), .parties = parties};
        m.rounds = xt_scaled(500);
        xt_run_threads(parties, meet, &m, 0);
        assert_int_equal(m.leaders, m.rounds);
        assert_int_equal(m.b.filch__word, 0);
    }
}

xt_define(a_barrier_for_nobody_is_one_for_one)
{
    struct filch_barrier b = FILCH_BARRIER_INIT(0);
    int is_leader = 0;
    assert_int_equal(filch_barrier_wait(&b, &is_leader), 0);
    assert_int_equal(is_leader, 1);
    assert_int_equal(filch_barrier_wait(&b, NULL), 0);
    assert_int_equal(filch_barrier_wait(NULL, &is_leader), EINVAL);
}

static void *meet_once(void *argument)
{
    struct meeting *m = argument;
    xt_expect_equal(filch_barrier_wait(&m->b, NULL), 0);
    return NULL;
}

xt_define(who_leaves_a_barrier_has_not_come)
{
    struct meeting m = {.b = FILCH_BARRIER_INIT(2)};
    int is_leader = 7;
    assert_int_equal(filch_barrier_wait_until(&m.b, &is_leader, 0), ETIMEDOUT);
    assert_int_equal(filch_barrier_wait_until(&m.b, &is_leader, filch_deadline_in(FILCH_MS)),
                     ETIMEDOUT);
    assert_int_equal(is_leader, 7);
    assert_int_equal(m.b.filch__word, 0);
    xt_run_threads(2, meet_once, &m, 0);
}

/* --- semaphore --- */

enum { PERMITS = 3 };

static void *hold_a_permit(void *argument)
{
    struct meeting *m = argument;
    uint64_t seed = xt_seed() + add(&m->turn);
    for (size_t i = 0; i < m->rounds; i++) {
        int64_t deadline = FILCH_FOREVER;
        if (m->parties == 1)
            deadline = xt_now_ns() + (int64_t)(xt_random(&seed) % 60000);
        int error = filch_semaphore_acquire_until(&m->s, deadline);
        if (error == ETIMEDOUT) {
            xt_expect(xt_now_ns() >= deadline);
            add(&m->late);
            continue;
        }
        xt_expect_equal(error, 0);
        xt_expect(add(&m->inside) <= PERMITS);
        add(&m->acquired);
        if (m->parties == 1 && xt_random(&seed) % 4 == 0)
            xt_sleep_ns((int64_t)(xt_random(&seed) % 30000));
        __atomic_sub_fetch(&m->inside, 1, __ATOMIC_RELAXED);
        filch_semaphore_release(&m->s, 1);
    }
    return NULL;
}

xt_define(no_more_than_there_are_permits)
{
    (void)xt_seed();
    for (uint64_t with_deadlines = 0; with_deadlines < 2; with_deadlines++) {
        struct meeting m = {.s = FILCH_SEMAPHORE_INIT(PERMITS), .parties = with_deadlines};
        m.rounds = xt_scaled(with_deadlines ? 2000 : 10000);
        xt_run_threads(8, hold_a_permit, &m, 0);
        assert_int_equal(m.acquired + m.late, 8 * m.rounds);
        assert_int_equal(filch_semaphore_permits(&m.s), PERMITS);
        assert_null(m.s.filch__queue);
    }
}

static void *take_one(void *argument)
{
    struct meeting *m = argument;
    xt_expect_equal(filch_semaphore_acquire(&m->s), 0);
    xt_expect_equal(m->payload, 42);
    return NULL;
}

xt_define(permits_that_nobody_had_before)
{
    struct meeting m = {.payload = 0};
    pthread_t threads[4];
    assert_int_equal(filch_semaphore_try_acquire(&m.s), EBUSY);
    assert_int_equal(filch_semaphore_acquire_until(&m.s, 0), ETIMEDOUT);
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, take_one, &m), 0);
    m.payload = 42;
    filch_semaphore_release(&m.s, 6);
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(filch_semaphore_permits(&m.s), 2);
    assert_int_equal(filch_semaphore_try_acquire(&m.s), 0);
    assert_int_equal(filch_semaphore_acquire(NULL), EINVAL);
    assert_int_equal(filch_semaphore_try_acquire(NULL), EINVAL);
    filch_semaphore_release(NULL, 1);
    filch_semaphore_release(&m.s, 0);
    assert_int_equal(filch_semaphore_permits(&m.s), 1);
    assert_int_equal(filch_semaphore_permits(NULL), 0);
}

/* --- latch --- */

static void *count_down(void *argument)
{
    struct meeting *m = argument;
    uint64_t mine = add(&m->turn);
    if (mine % 2 == 0)
        xt_sleep_ns(200000);
    add(&m->arrivals);
    filch_latch_count_down(&m->l);
    if (mine % 3 == 0) {
        xt_expect_equal(filch_latch_wait(&m->l), 0);
        xt_expect_equal(__atomic_load_n(&m->arrivals, __ATOMIC_RELAXED), 8);
    }
    return NULL;
}

xt_define(a_latch_waits_for_all)
{
    for (size_t round = 0; round < xt_scaled(50); round++) {
        struct meeting m = {.l = FILCH_LATCH_INIT(8)};
        xt_run_threads(8, count_down, &m, 0);
        assert_int_equal(filch_latch_wait(&m.l), 0);
        assert_null(m.l.filch__queue);
        filch_latch_add(&m.l, 2); /* again */
        assert_int_equal(filch_latch_wait_until(&m.l, filch_deadline_in(100000)), ETIMEDOUT);
        filch_latch_count_down(&m.l);
        assert_int_equal(filch_latch_wait_until(&m.l, 0), ETIMEDOUT);
        filch_latch_count_down(&m.l);
        assert_int_equal(filch_latch_wait_until(&m.l, 0), 0);
    }
}

static void count_below_zero(void *l)
{
    filch_latch_count_down(l);
}

xt_define(a_latch_that_is_misused)
{
    struct filch_latch l = FILCH_LATCH_INIT(0);
    struct xt_child child;
    xt_run_child(&child, count_below_zero, &l);
    assert_true(xt_child_aborted(&child, "filch_latch_count_down: the count is 0 already"));
    xt_run_child(&child, count_below_zero, NULL);
    assert_true(xt_child_aborted(&child, "filch_latch_count_down: the latch is NULL"));
    assert_int_equal(filch_latch_wait(NULL), EINVAL);
    filch_latch_add(NULL, 1);
}

static void *finish(void *l)
{
    filch_latch_count_down(l);
    return NULL;
}

xt_define(counting_down_leaves_the_latch_alone_once_it_may_be_freed)
{
    for (size_t round = 0; round < xt_scaled(1000); round++) {
        struct filch_latch *l = malloc(sizeof *l);
        *l = (struct filch_latch)FILCH_LATCH_INIT(1);
        pthread_t thread;
        assert_int_equal(pthread_create(&thread, NULL, finish, l), 0);
        assert_int_equal(filch_latch_wait(l), 0);
        memset(l, 0xff, sizeof *l);
        free(l);
        assert_int_equal(pthread_join(thread, NULL), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        xt_test(all_parties_meet_round_after_round_with_one_leader_each),
        xt_test(a_barrier_for_nobody_is_one_for_one),
        xt_test(who_leaves_a_barrier_has_not_come),
        xt_test(no_more_than_there_are_permits),
        xt_test(permits_that_nobody_had_before),
        xt_test(a_latch_waits_for_all),
        xt_test(a_latch_that_is_misused),
        xt_test(counting_down_leaves_the_latch_alone_once_it_may_be_freed),
    };
    return xt_run(tests);
}
