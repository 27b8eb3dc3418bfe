/* SPDX-License-Identifier: Apache-2.0 */
/* Locks and their kin, between threads and tasks at once, with deadlines that pass just when somebody
 * wakes the waiter, under a storm of signals: whatever was given must have arrived, exactly. */
#include "perturbed.h"

#include "../scope/locks.h"

#include <filch/filch.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/time.h>

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

static void run_mixed(uint64_t *random, void (*body)(void *), void *argument)
{
    static const size_t widths[] = {1, 2, 8};
    locks_mixed(widths[xt_random(random) % 3], TASKS, THREADS, body, argument);
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

/* --- barrier --- */

/* Whoever's deadline has passed has not come: so as many as there are parties have met, in every round, and
 * one of them has led. */
struct rounds {
    struct filch_barrier barrier;
    atomic_uint_fast64_t led, met;
};

static void use_barrier(void *argument)
{
    struct rounds *r = argument;
    uint64_t random = next_seed();
    for (int i = 0; i < OPERATIONS; i++) {
        int is_leader = 0;
        bool is_patient = xt_random(&random) % 2 == 0;
        while (!got(filch_barrier_wait_until(&r->barrier, &is_leader,
                                             is_patient ? FILCH_FOREVER : soon(&random))))
            ;
        atomic_fetch_add_explicit(&r->met, 1, memory_order_relaxed);
        atomic_fetch_add_explicit(&r->led, (uint64_t)is_leader, memory_order_relaxed);
    }
}

static void barrier_round(uint64_t *random)
{
    struct rounds r = {.barrier = FILCH_BARRIER_INIT(PARTIES)};
    run_mixed(random, use_barrier, &r);
    assert_int_equal(r.met, PARTIES * OPERATIONS);
    assert_int_equal(r.led, OPERATIONS);
}

/* --- latch and once --- */

enum { STEPS = OPERATIONS / 4, STEP_OPERATIONS = 3 };

struct steps {
    struct filch_latch latches[STEPS]; /* all parties count each of them down */
    struct filch_once onces[STEPS];
    uint32_t called[STEPS]; /* written by whoever is the one */
};

static void count_call(void *called)
{
    ++*(uint32_t *)called;
}

static void use_steps(void *argument)
{
    struct steps *s = argument;
    uint64_t random = next_seed();
    for (int i = 0; i < STEPS; i++) {
        while (!got(filch_once_call_until(&s->onces[i], count_call, &s->called[i], soon(&random))))
            ;
        xt_expect_equal(s->called[i], 1);
        filch_latch_count_down(&s->latches[i]);
        while (!got(filch_latch_wait_until(&s->latches[i], soon(&random))))
            ;
    }
}

static void steps_round(uint64_t *random)
{
    static struct steps s;
    memset(&s, 0, sizeof s);
    for (int i = 0; i < STEPS; i++)
        s.latches[i] = (struct filch_latch)FILCH_LATCH_INIT(PARTIES);
    run_mixed(random, use_steps, &s);
    for (int i = 0; i < STEPS; i++)
        assert_int_equal(s.called[i], 1);
}

/* --- the storm --- */

static atomic_uint_fast64_t signals;

static void count_signal(int number)
{
    (void)number;
    atomic_fetch_add_explicit(&signals, 1, memory_order_relaxed);
}

/* A signal each 200 us, which interrupts system calls and does not restart them. */
static void storm(bool rages)
{
    struct sigaction action = {.sa_handler = count_signal};
    struct itimerval often = {{0, 200}, {0, 200}};
    struct itimerval never = {{0, 0}, {0, 0}};
    if (rages)
        assert_int_equal(sigaction(SIGALRM, &action, NULL), 0);
    assert_int_equal(setitimer(ITIMER_REAL, rages ? &often : &never, NULL), 0);
}

static uint64_t rounds;
static void (*round_of_test)(uint64_t *random);

static void count_round(uint64_t *random)
{
    round_of_test(random);
    rounds++;
}

/* `operations`: of each party, in a round. */
static void run(const char *name, void (*round)(uint64_t *random), uint64_t operations)
{
    atomic_store(&in_vain, 0);
    rounds = 0;
    round_of_test = round;
    perturbed_run_counting(name, count_round, operations * PARTIES);
    printf("%s: %ju operations, %ju deadlines passed, %ju signals\n", name,
           (uintmax_t)(rounds * operations * PARTIES), (uintmax_t)atomic_load(&in_vain),
           (uintmax_t)atomic_load(&signals));
    assert_true(atomic_load(&in_vain) != 0);
}

xt_define(mutexes)
{
    run("mutex", mutex_round, OPERATIONS);
}

xt_define(rwlocks)
{
    run("rwlock", rwlock_round, OPERATIONS);
}

xt_define(condvars)
{
    run("condvar", condvar_round, OPERATIONS);
}

xt_define(semaphores)
{
    run("semaphore", semaphore_round, OPERATIONS);
}

xt_define(barriers)
{
    run("barrier", barrier_round, OPERATIONS);
}

xt_define(latches_and_onces)
{
    run("latch and once", steps_round, (uint64_t)STEPS * STEP_OPERATIONS);
}

static int begin_storm(void **state)
{
    (void)state;
    storm(true);
    return 0;
}

static int end_storm(void **state)
{
    (void)state;
    storm(false);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        xt_test(mutexes),    xt_test(rwlocks),  xt_test(condvars),
        xt_test(semaphores), xt_test(barriers), xt_test(latches_and_onces),
    };
    cmocka_set_test_filter(getenv("FILCH_TEST_FILTER"));
    return cmocka_run_group_tests(tests, begin_storm, end_storm);
}
