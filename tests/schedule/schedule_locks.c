/* SPDX-License-Identifier: Apache-2.0 */
/* Locks and what else waits under simulated schedules: nobody is left asleep, and time-outs lose
 * nothing. */
#include "test.h"

#include "simulate.h"

#include "base/atomic.h"

#include <errno.h>
#include <filch/barrier.h>
#include <filch/condvar.h>
#include <filch/latch.h>
#include <filch/mutex.h>
#include <filch/once.h>
#include <filch/rwlock.h>
#include <filch/semaphore.h>
#include <filch/thread.h>

enum { THREADS = 3, ROUNDS = 2, SCHEDULES = 4000 };

static void run_threads(void *(*fn)(void *), void *argument)
{
    struct filch_thread *threads[THREADS];
    for (size_t i = 0; i < THREADS; i++)
        xt_expect_equal(filch_thread_spawn(&threads[i], NULL, fn, argument), 0);
    for (size_t i = 0; i < THREADS; i++)
        xt_expect_equal(filch_thread_join(threads[i], NULL, NULL), 0);
}

static int64_t some_deadline(void)
{
    return simulate_choice(2) == 0 ? FILCH_FOREVER
                                   : filch_deadline_in((int64_t)simulate_choice(20000));
}

static void maybe_dawdle(void)
{
    if (simulate_choice(3) == 0)
        simulate_sleep((int64_t)simulate_choice(30000));
}

struct contest {
    struct filch_mutex m;
    struct filch_rwlock l;
    struct filch_condvar cv;
    struct filch_semaphore s;
    struct filch_barrier b;
    struct filch_latch latch;
    struct filch_once once;
    uint32_t value; /* plain: the lock guards it */
    uint32_t tokens;
    uint32_t late;
    uint32_t joined;
    int64_t deadline_ns; /* const */
};

/* A lock that its owner has given back is free, whatever one that waits in vain does meanwhile. */
static void *wait_in_vain(void *argument)
{
    struct contest *c = argument;
    int error = filch_mutex_lock_until(&c->m, c->deadline_ns);
    xt_expect(error == 0 || error == ETIMEDOUT);
    if (error == 0)
        filch_mutex_unlock(&c->m);
    else
        c->late++; /* read after the join */
    return NULL;
}

static void try_again(void)
{
    struct contest c = {.deadline_ns = filch_deadline_in(FILCH_MS)};
    struct filch_thread *thread;
    xt_expect_equal(filch_mutex_lock(&c.m), 0);
    xt_expect_equal(filch_thread_spawn(&thread, NULL, wait_in_vain, &c), 0);
    simulate_sleep(c.deadline_ns - filch_deadline_in(0));
    filch_mutex_unlock(&c.m);
    int error = filch_mutex_try_lock(&c.m);
    if (error == 0)
        filch_mutex_unlock(&c.m);
    xt_expect_equal(filch_thread_join(thread, NULL, NULL), 0);
    xt_expect(error == 0 || (error == EBUSY && c.late == 0));
}

static void *count_up(void *argument)
{
    struct contest *c = argument;
    for (int i = 0; i < ROUNDS; i++) {
        int error = filch_mutex_lock_until(&c->m, some_deadline());
        xt_expect(error == 0 || error == ETIMEDOUT);
        if (error != 0) {
            (void)FILCH_FETCH_ADD_RELAXED(&c->late, 1); /* read after a join */
            continue;
        }
        c->value++;
        maybe_dawdle();
        filch_mutex_unlock(&c->m);
    }
    return NULL;
}

static void lock_and_unlock(void)
{
    struct contest c = {.value = 0};
    run_threads(count_up, &c);
    xt_expect_equal(c.value + c.late, THREADS * ROUNDS);
    xt_expect_equal(c.m.filch__word, 0);
}

static void *read_or_write(void *argument)
{
    struct contest *c = argument;
    for (int i = 0; i < ROUNDS; i++) {
        int64_t deadline = some_deadline();
        bool writes = simulate_choice(2) == 0;
        int error = writes ? filch_rwlock_write_until(&c->l, deadline)
                           : filch_rwlock_read_until(&c->l, deadline);
        xt_expect(error == 0 || error == ETIMEDOUT);
        if (error != 0)
            continue;
        uint32_t seen = c->value;
        maybe_dawdle();
        if (writes) {
            c->value = seen + 1;
            seen++;
            if (simulate_choice(2) == 0) {
                filch_rwlock_downgrade(&c->l);
                writes = false;
                maybe_dawdle();
            }
        }
        xt_expect_equal(c->value, seen);
        if (writes)
            filch_rwlock_unlock_write(&c->l);
        else
            filch_rwlock_unlock_read(&c->l);
    }
    return NULL;
}

static void readers_and_writers(void)
{
    struct contest c = {.value = 0};
    run_threads(read_or_write, &c);
    xt_expect_equal(c.l.filch__word, 0);
    xt_expect(c.l.filch__queue == NULL);
}

/* The first puts as many tokens as the others take, whose deadlines may pass. */
static void *put_or_take(void *argument)
{
    struct contest *c = argument;
    xt_expect_equal(filch_mutex_lock(&c->m), 0);
    bool puts = c->joined++ == 0;
    filch_mutex_unlock(&c->m);
    for (int i = 0; i < ROUNDS; i++) {
        int error = 0;
        int64_t deadline = some_deadline();
        xt_expect_equal(filch_mutex_lock(&c->m), 0);
        if (puts) {
            c->tokens += THREADS - 1;
            if (simulate_choice(2) == 0) {
                filch_condvar_notify_all(&c->cv);
            } else {
                for (int k = 0; k < THREADS - 1; k++)
                    filch_condvar_notify_one(&c->cv);
            }
        } else {
            while (c->tokens == 0 && error == 0)
                error = filch_condvar_wait_until(&c->cv, &c->m, deadline);
            xt_expect(error == 0 || error == ETIMEDOUT);
            c->tokens -= error == 0;
            c->value++;
        }
        filch_mutex_unlock(&c->m);
        maybe_dawdle();
    }
    return NULL;
}

static void waits_and_notifications(void)
{
    struct contest c = {.value = 0};
    run_threads(put_or_take, &c);
    xt_expect_equal(c.value, (THREADS - 1) * ROUNDS);
    xt_expect_equal(c.m.filch__word, 0);
    xt_expect_equal(c.cv.filch__word, 0);
}

static void load(void *argument)
{
    struct contest *c = argument;
    maybe_dawdle();
    c->value++;
}

static void *meet(void *argument)
{
    struct contest *c = argument;
    xt_expect_equal(filch_once_call(&c->once, load, c), 0);
    xt_expect_equal(c->value, 1);
    for (int i = 0; i < ROUNDS; i++) {
        int is_leader = 0;
        xt_expect_equal(filch_barrier_wait(&c->b, &is_leader), 0);
        (void)FILCH_FETCH_ADD_RELAXED(&c->tokens, (uint32_t)is_leader); /* read after a join */
        int error = filch_semaphore_acquire_until(&c->s, some_deadline());
        xt_expect(error == 0 || error == ETIMEDOUT);
        maybe_dawdle();
        if (error == 0)
            filch_semaphore_release(&c->s, 1);
    }
    filch_latch_count_down(&c->latch);
    xt_expect_equal(filch_latch_wait(&c->latch), 0);
    return NULL;
}

static void meetings(void)
{
    struct contest c = {.s = FILCH_SEMAPHORE_INIT(1),
                        .b = FILCH_BARRIER_INIT(THREADS),
                        .latch = FILCH_LATCH_INIT(THREADS)};
    run_threads(meet, &c);
    xt_expect_equal(c.tokens, ROUNDS);
    xt_expect_equal(filch_semaphore_permits(&c.s), 1);
}

xt_define(mutexes)
{
    simulate("mutexes", SCHEDULES, lock_and_unlock);
    simulate("mutexes_tried", SCHEDULES, try_again);
}

xt_define(rwlocks)
{
    simulate("rwlocks", SCHEDULES, readers_and_writers);
}

xt_define(condvars)
{
    simulate("condvars", SCHEDULES, waits_and_notifications);
}

xt_define(others)
{
    simulate("others", SCHEDULES, meetings);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        xt_test(mutexes),
        xt_test(rwlocks),
        xt_test(condvars),
        xt_test(others),
    };
    return xt_run(tests);
}
