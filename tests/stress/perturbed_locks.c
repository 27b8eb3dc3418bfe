/* SPDX-License-Identifier: Apache-2.0 */
/* Locks and their kin, between threads and tasks at once, with deadlines that pass just when somebody
 * wakes the waiter, under a storm of signals: whatever was given must have arrived, exactly. */
#include "perturbed.h"

#include "../scope/locks.h"

#include <filch/filch.h>
#include <stdatomic.h>
#include <string.h>

enum {
    TASKS = 4,
    THREADS = 2,
    PARTIES = TASKS + THREADS,
    OPERATIONS = 400, /* of each party, in a round */
};

static atomic_uint_fast64_t in_vain; /* waits whose deadline has passed */

/* About as far away as a wake-up. */
static int64_t soon(uint64_t *random)
{
    return filch_now_ns() + (int64_t)(xt_random(random) % 40000);
}

/* Further away with each that has passed: where many meet, most of the time goes by in waiting. */
static int64_t later(uint64_t *random, int passed)
{
    return filch_now_ns() + (int64_t)(xt_random(random) % (40000ull << (passed < 8 ? passed : 8)));
}

static uint64_t next_seed(void)
{
    static atomic_uint_fast64_t count;
    return xt_seed() + 7919 * atomic_fetch_add_explicit(&count, 1, memory_order_relaxed);
}

/* Whether the wait brought what it waited for; else its deadline has passed. */
static bool got(int error)
{
    if (error == ETIMEDOUT || error == EBUSY)
        atomic_fetch_add_explicit(&in_vain, 1, memory_order_relaxed);
    else
        xt_expect_equal(error, 0);
    return error == 0;
}

static void spend(uint64_t *random)
{
    if (xt_random(random) % 8 == 0)
        filch_yield();
}

static size_t only_width; /* 0: any */

static size_t choose_width(uint64_t *random)
{
    static const size_t widths[] = {1, 2, 8};
    return only_width != 0 ? only_width : widths[xt_random(random) % 3];
}

static void run_mixed(uint64_t *random, void (*body)(void *), void *argument)
{
    locks_mixed(choose_width(random), TASKS, THREADS, body, argument);
}

/* --- mutex --- */

struct guarded {
    struct filch_mutex mutex;
    struct filch_rwlock rwlock;
    uint64_t value; /* under the lock, as all that follows */
    uint64_t copy;
    atomic_uint_fast64_t taken;
};

static void use_mutex(void *argument)
{
    struct guarded *g = argument;
    uint64_t random = next_seed();
    for (int i = 0; i < OPERATIONS; i++) {
        int error;
        switch (xt_random(&random) % 4) {
        case 0:
            error = filch_mutex_try_lock(&g->mutex);
            break;
        case 1:
            error = filch_mutex_lock(&g->mutex);
            break;
        default:
            error = filch_mutex_lock_until(&g->mutex, soon(&random));
        }
        if (!got(error))
            continue;
        g->value++;
        spend(&random);
        g->copy++;
        xt_expect_equal(g->value, g->copy);
        filch_mutex_unlock(&g->mutex);
        atomic_fetch_add_explicit(&g->taken, 1, memory_order_relaxed);
    }
}

static void mutex_round(uint64_t *random)
{
    struct guarded g = {.mutex = FILCH_MUTEX_INIT};
    run_mixed(random, use_mutex, &g);
    assert_int_equal(g.value, g.taken);
    assert_int_equal(filch_mutex_destroy(&g.mutex), 0);
}

/* --- rwlock --- */

static void read_pair(struct guarded *g, uint64_t *random)
{
    int error = xt_random(random) % 2 == 0 ? filch_rwlock_read(&g->rwlock)
                                           : filch_rwlock_read_until(&g->rwlock, soon(random));
    if (!got(error))
        return;
    uint64_t value = g->value;
    spend(random);
    xt_expect_equal(g->copy, value);
    filch_rwlock_unlock_read(&g->rwlock);
}

static void write_pair(struct guarded *g, uint64_t *random)
{
    int error = xt_random(random) % 2 == 0 ? filch_rwlock_write(&g->rwlock)
                                           : filch_rwlock_write_until(&g->rwlock, soon(random));
    if (!got(error))
        return;
    g->value++;
    spend(random);
    g->copy++;
    uint64_t value = g->value;
    atomic_fetch_add_explicit(&g->taken, 1, memory_order_relaxed);
    if (xt_random(random) % 2 == 0) {
        filch_rwlock_unlock_write(&g->rwlock);
        return;
    }
    filch_rwlock_downgrade(&g->rwlock);
    spend(random);
    xt_expect_equal(g->copy, value); /* no writer came in between */
    filch_rwlock_unlock_read(&g->rwlock);
}

static void use_rwlock(void *argument)
{
    uint64_t random = next_seed();
    for (int i = 0; i < OPERATIONS; i++) {
        if (xt_random(&random) % 4 == 0)
            write_pair(argument, &random);
        else
            read_pair(argument, &random);
    }
}

static void rwlock_round(uint64_t *random)
{
    struct guarded g = {.rwlock = FILCH_RWLOCK_INIT};
    run_mixed(random, use_rwlock, &g);
    assert_int_equal(g.value, g.taken);
    assert_int_equal(filch_rwlock_destroy(&g.rwlock), 0);
}

/* --- condvar --- */

/* There are fewer tokens than parties; each takes one and puts it back. A notification that went to a waiter
 * whose deadline had passed, and to nobody else, would leave one waiting. */
enum { TOKENS = 2 };

struct tokens {
    struct filch_mutex mutex;
    struct filch_condvar some;
    uint64_t count; /* under mutex */
    atomic_uint_fast64_t put, taken;
};

static bool take_token(struct tokens *t, uint64_t *random)
{
    bool is_in_time = true;
    bool is_patient = xt_random(random) % 4 == 0;
    xt_expect_equal(filch_mutex_lock(&t->mutex), 0);
    while (t->count == 0 && is_in_time) {
        int64_t deadline = is_patient ? FILCH_FOREVER : soon(random);
        is_in_time = got(filch_condvar_wait_until(&t->some, &t->mutex, deadline));
    }
    bool has_one = t->count != 0;
    if (has_one)
        t->count--;
    filch_mutex_unlock(&t->mutex);
    if (has_one)
        atomic_fetch_add_explicit(&t->taken, 1, memory_order_relaxed);
    return has_one;
}

static void put_token(struct tokens *t, uint64_t *random)
{
    atomic_fetch_add_explicit(&t->put, 1, memory_order_relaxed);
    xt_expect_equal(filch_mutex_lock(&t->mutex), 0);
    t->count++;
    bool is_under_lock = xt_random(random) % 2 == 0;
    if (is_under_lock)
        filch_condvar_notify_one(&t->some);
    filch_mutex_unlock(&t->mutex);
    if (!is_under_lock)
        filch_condvar_notify_one(&t->some);
}

static void use_condvar(void *argument)
{
    struct tokens *t = argument;
    uint64_t random = next_seed();
    for (int i = 0; i < OPERATIONS; i++) {
        while (!take_token(t, &random))
            ;
        spend(&random);
        put_token(t, &random);
    }
}

static void condvar_round(uint64_t *random)
{
    struct tokens t = {.mutex = FILCH_MUTEX_INIT, .some = FILCH_CONDVAR_INIT, .count = TOKENS};
    run_mixed(random, use_condvar, &t);
    assert_int_equal(t.put, t.taken);
    assert_int_equal(t.count, TOKENS);
}

/* --- semaphore --- */

enum { PERMITS = 2 };

struct places {
    struct filch_semaphore semaphore;
    atomic_int inside;
};

static void use_semaphore(void *argument)
{
    struct places *p = argument;
    uint64_t random = next_seed();
    for (int i = 0; i < OPERATIONS; i++) {
        int error = xt_random(&random) % 4 == 0
                        ? filch_semaphore_acquire(&p->semaphore)
                        : filch_semaphore_acquire_until(&p->semaphore, soon(&random));
        if (!got(error))
            continue;
        int others = atomic_fetch_add_explicit(&p->inside, 1, memory_order_relaxed);
        xt_expect(others < PERMITS);
        spend(&random);
        atomic_fetch_sub_explicit(&p->inside, 1, memory_order_relaxed);
        filch_semaphore_release(&p->semaphore, 1);
    }
}

static void semaphore_round(uint64_t *random)
{
    struct places p = {.semaphore = FILCH_SEMAPHORE_INIT(PERMITS)};
    run_mixed(random, use_semaphore, &p);
    assert_int_equal(filch_semaphore_permits(&p.semaphore), PERMITS);
}

/* --- where all meet --- */

/* Nobody goes on before the last one has come, so there are several groups: while the parties of one are
 * asleep, others meet. Whoever comes belongs to the next one that is not complete. */
enum { GROUPS = 8, MEETINGS = OPERATIONS / 4 };

struct once {
    struct filch_once once;
    uint32_t called; /* written by whoever makes the call */
};

struct group {
    struct filch_barrier barrier;
    atomic_uint_fast64_t led, met;
    struct filch_latch latches[MEETINGS]; /* a party counts each down, and waits for it */
    struct once onces[MEETINGS];
};

struct groups {
    struct group group[GROUPS];
    atomic_uint parties; /* that have come so far */
};

static struct group *join_group(struct groups *groups)
{
    return &groups->group[atomic_fetch_add(&groups->parties, 1) / PARTIES];
}

static void run_groups(uint64_t *random, void (*body)(void *), struct groups *groups)
{
    atomic_store(&groups->parties, 0);
    locks_mixed(choose_width(random), GROUPS * TASKS, GROUPS * THREADS, body, groups);
}

/* Whoever's deadline has passed has not come: so as many as there are parties have met, each time, and one
 * of them has led. */
static void use_barrier(void *argument)
{
    struct group *g = join_group(argument);
    uint64_t random = next_seed();
    for (int i = 0; i < MEETINGS; i++) {
        int is_leader = 0, passed = 0;
        bool is_patient = xt_random(&random) % 2 == 0;
        while (!got(filch_barrier_wait_until(
            &g->barrier, &is_leader, is_patient ? FILCH_FOREVER : later(&random, passed++))))
            ;
        atomic_fetch_add_explicit(&g->met, 1, memory_order_relaxed);
        atomic_fetch_add_explicit(&g->led, (uint64_t)is_leader, memory_order_relaxed);
    }
}

static void barrier_round(uint64_t *random)
{
    static struct groups groups;
    for (int i = 0; i < GROUPS; i++)
        groups.group[i] = (struct group){.barrier = FILCH_BARRIER_INIT(PARTIES)};
    run_groups(random, use_barrier, &groups);
    for (int i = 0; i < GROUPS; i++) {
        assert_int_equal(groups.group[i].met, PARTIES * MEETINGS);
        assert_int_equal(groups.group[i].led, MEETINGS);
    }
}

static void use_latches(void *argument)
{
    struct group *g = join_group(argument);
    uint64_t random = next_seed();
    for (int i = 0; i < MEETINGS; i++) {
        int passed = 0;
        filch_latch_count_down(&g->latches[i]);
        while (!got(filch_latch_wait_until(&g->latches[i], later(&random, passed++))))
            ;
    }
}

static void latch_round(uint64_t *random)
{
    static struct groups groups;
    for (int i = 0; i < GROUPS; i++) {
        for (int k = 0; k < MEETINGS; k++)
            groups.group[i].latches[k] = (struct filch_latch)FILCH_LATCH_INIT(PARTIES);
    }
    run_groups(random, use_latches, &groups);
    for (int i = 0; i < GROUPS; i++) {
        for (int k = 0; k < MEETINGS; k++)
            assert_int_equal(filch_latch_wait_until(&groups.group[i].latches[k], 0), 0);
    }
}

static void count_call(void *called)
{
    filch_yield(); /* the others come meanwhile */
    ++*(uint32_t *)called;
}

static void use_onces(void *argument)
{
    struct group *g = join_group(argument);
    uint64_t random = next_seed();
    for (int i = 0; i < MEETINGS; i++) {
        struct once *o = &g->onces[i];
        int passed = 0;
        while (
            !got(filch_once_call_until(&o->once, count_call, &o->called, later(&random, passed++))))
            ;
        xt_expect_equal(o->called, 1);
    }
}

static void once_round(uint64_t *random)
{
    static struct groups groups;
    memset(&groups, 0, sizeof groups);
    run_groups(random, use_onces, &groups);
    for (int i = 0; i < GROUPS; i++) {
        for (int k = 0; k < MEETINGS; k++)
            assert_int_equal(groups.group[i].onces[k].called, 1);
    }
}

/* --- the tests --- */

static uint64_t rounds;
static void (*round_of_test)(uint64_t *random);

static void count_round(uint64_t *random)
{
    round_of_test(random);
    rounds++;
}

/* `operations`: in a round. */
static void run(const char *name, void (*round)(uint64_t *random), uint64_t operations)
{
    atomic_store(&in_vain, 0);
    rounds = 0;
    round_of_test = round;
    perturbed_run_counting(name, count_round, operations);
    printf("%s: %ju operations, %ju deadlines passed, %ju signals\n", name,
           (uintmax_t)(rounds * operations), (uintmax_t)atomic_load(&in_vain),
           (uintmax_t)xt_storm(true));
    if (xt_stress_count(0) != 0) /* where there is little time, none need have passed */
        assert_true(atomic_load(&in_vain) != 0);
}

xt_define(mutexes)
{
    run("mutex", mutex_round, PARTIES * OPERATIONS);
}

xt_define(rwlocks)
{
    run("rwlock", rwlock_round, PARTIES * OPERATIONS);
}

xt_define(condvars)
{
    run("condvar", condvar_round, PARTIES * OPERATIONS);
}

xt_define(semaphores)
{
    run("semaphore", semaphore_round, PARTIES * OPERATIONS);
}

xt_define(barriers)
{
    run("barrier", barrier_round, GROUPS * PARTIES * MEETINGS);
}

xt_define(latches)
{
    run("latch", latch_round, 2 * GROUPS * PARTIES * MEETINGS);
}

xt_define(onces)
{
    run("once", once_round, GROUPS * PARTIES * MEETINGS);
}

xt_define(many_workers_for_one_processor)
{
    static void (*const all[])(uint64_t *) = {mutex_round,     rwlock_round,  condvar_round,
                                              semaphore_round, barrier_round, latch_round,
                                              once_round};
    uint64_t random = xt_seed();
    xt_use_one_cpu(true);
    only_width = 64;
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        all[i](&random);
    only_width = 0;
    xt_use_one_cpu(false);
}

static int begin_storm(void **state)
{
    (void)state;
    (void)xt_storm(true);
    return 0;
}

static int end_storm(void **state)
{
    (void)state;
    (void)xt_storm(false);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        xt_test(mutexes),  xt_test(rwlocks),
        xt_test(condvars), xt_test(semaphores),
        xt_test(barriers), xt_test(latches),
        xt_test(onces),    xt_test(many_workers_for_one_processor),
    };
    cmocka_set_test_filter(getenv("FILCH_TEST_FILTER"));
    return cmocka_run_group_tests(tests, begin_storm, end_storm);
}
