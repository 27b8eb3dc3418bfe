/* SPDX-License-Identifier: Apache-2.0 */
/* A deadline against the wake-up, again and again: of two parties one waits, with a deadline that passes
 * just when the other one ends the wait. Whatever was given must be had: by the wait, where it says so, or
 * by the one after it, where the first says ETIMEDOUT. The parties are threads, tasks, or one of each. */
#include "perturbed.h"

#include "../scope/locks.h"

#include <filch/filch.h>
#include <stdatomic.h>

enum {
    PAIRS = 4,   /* at once: while one naps, others race */
    RACES = 200, /* of each pair, in a round */
    LEAD_NS_MAX = 8000,
    SHIFT_NS_MAX = 200000,
};

struct race {
    const struct kind *kind;
    atomic_uint began, prepared; /* races */
    atomic_uint finished;
    int64_t end_ns;   /* when the other party is to end the wait */
    int64_t shift_ns; /* of that after the deadline; adapts, so that each outcome is as frequent */
    uint64_t late;    /* deadlines that have passed, the waiting one's */
    uint64_t had;     /* what the waiting party got, its own */
    bool is_given;    /* under mutex */
    int led[2];
    uint32_t called;
    struct filch_mutex mutex;
    struct filch_rwlock rwlock;
    struct filch_condvar condvar;
    struct filch_semaphore semaphore;
    struct filch_barrier barrier;
    struct filch_latch latch;
    struct filch_once once;
};

/* What is raced for. `prepare` is the other party's, before the race; `wait` the waiting party's, with each
 * deadline that it tries; `end` the other party's; `settle` is run when both are through. */
struct kind {
    const char *name;
    void (*prepare)(struct race *r);
    int (*wait)(struct race *r, int64_t deadline);
    void (*end)(struct race *r);
    void (*settle)(struct race *r);
};

static void nothing(struct race *r)
{
    (void)r;
}

/* --- mutex --- */

static void hold_mutex(struct race *r)
{
    xt_expect_equal(filch_mutex_lock(&r->mutex), 0);
}

static int wait_mutex(struct race *r, int64_t deadline)
{
    int error = filch_mutex_lock_until(&r->mutex, deadline);
    if (error == 0) {
        r->had++;
        filch_mutex_unlock(&r->mutex);
    }
    return error;
}

static void end_mutex(struct race *r)
{
    filch_mutex_unlock(&r->mutex);
}

static void settle_mutex(struct race *r)
{
    xt_expect_equal(filch_mutex_destroy(&r->mutex), 0);
}

/* --- rwlock --- */

static void hold_writing(struct race *r)
{
    xt_expect_equal(filch_rwlock_write(&r->rwlock), 0);
}

static void hold_reading(struct race *r)
{
    xt_expect_equal(filch_rwlock_read(&r->rwlock), 0);
}

static int wait_reading(struct race *r, int64_t deadline)
{
    int error = filch_rwlock_read_until(&r->rwlock, deadline);
    if (error == 0) {
        r->had++;
        filch_rwlock_unlock_read(&r->rwlock);
    }
    return error;
}

static int wait_writing(struct race *r, int64_t deadline)
{
    int error = filch_rwlock_write_until(&r->rwlock, deadline);
    if (error == 0) {
        r->had++;
        filch_rwlock_unlock_write(&r->rwlock);
    }
    return error;
}

static void end_writing(struct race *r)
{
    filch_rwlock_unlock_write(&r->rwlock);
}

static void end_reading(struct race *r)
{
    filch_rwlock_unlock_read(&r->rwlock);
}

static void settle_rwlock(struct race *r)
{
    xt_expect_equal(filch_rwlock_destroy(&r->rwlock), 0);
}

/* --- condvar --- */

static int wait_condvar(struct race *r, int64_t deadline)
{
    int error = filch_mutex_lock(&r->mutex);
    xt_expect_equal(error, 0);
    while (!r->is_given && error == 0)
        error = filch_condvar_wait_until(&r->condvar, &r->mutex, deadline);
    if (r->is_given) {
        error = 0;
        r->is_given = false;
        r->had++;
    }
    filch_mutex_unlock(&r->mutex);
    return error;
}

static void end_condvar(struct race *r)
{
    xt_expect_equal(filch_mutex_lock(&r->mutex), 0);
    r->is_given = true;
    filch_condvar_notify_one(&r->condvar);
    filch_mutex_unlock(&r->mutex);
}

static void settle_condvar(struct race *r)
{
    xt_expect(r->condvar.filch__word == 0 && r->condvar.filch__queue == NULL);
    settle_mutex(r);
}

/* --- semaphore --- */

static int wait_semaphore(struct race *r, int64_t deadline)
{
    int error = filch_semaphore_acquire_until(&r->semaphore, deadline);
    r->had += error == 0;
    return error;
}

static void end_semaphore(struct race *r)
{
    filch_semaphore_release(&r->semaphore, 1);
}

static void settle_semaphore(struct race *r)
{
    xt_expect_equal(filch_semaphore_permits(&r->semaphore), 0);
}

/* --- barrier --- */

static void prepare_barrier(struct race *r)
{
    r->barrier = (struct filch_barrier)FILCH_BARRIER_INIT(2);
}

static int wait_barrier(struct race *r, int64_t deadline)
{
    int error = filch_barrier_wait_until(&r->barrier, &r->led[0], deadline);
    r->had += error == 0;
    return error;
}

static void end_barrier(struct race *r)
{
    xt_expect_equal(filch_barrier_wait(&r->barrier, &r->led[1]), 0);
}

static void settle_barrier(struct race *r)
{
    xt_expect_equal(r->led[0] + r->led[1], 1);
}

/* --- latch --- */

static void prepare_latch(struct race *r)
{
    r->latch = (struct filch_latch)FILCH_LATCH_INIT(1);
}

static int wait_latch(struct race *r, int64_t deadline)
{
    int error = filch_latch_wait_until(&r->latch, deadline);
    r->had += error == 0;
    return error;
}

static void end_latch(struct race *r)
{
    filch_latch_count_down(&r->latch);
}

/* --- once --- */

static void count_call(void *argument)
{
    struct race *r = argument;
    r->called++;
}

static void prepare_once(struct race *r)
{
    r->once = (struct filch_once)FILCH_ONCE_INIT;
    r->called = 0;
}

static int wait_once(struct race *r, int64_t deadline)
{
    int error = filch_once_wait_until(&r->once, deadline);
    r->had += error == 0 && r->called == 1;
    return error;
}

static void end_once(struct race *r)
{
    xt_expect_equal(filch_once_call(&r->once, count_call, r), 0);
}

/* --- the race --- */

static void await(atomic_uint *number, unsigned least)
{
    while (atomic_load_explicit(number, memory_order_acquire) < least)
        filch_yield();
}

/* What ends too late for the deadline shall come earlier from now on, and the other way round. */
static void shift(struct race *r, bool is_late)
{
    int64_t step_ns = llabs(r->shift_ns) / 8 + 50;
    int64_t shift_ns = r->shift_ns + (is_late ? -step_ns : step_ns);
    if (llabs(shift_ns) <= SHIFT_NS_MAX)
        r->shift_ns = shift_ns;
}

static void wait_each(struct race *r)
{
    uint64_t random = xt_seed() - (uintptr_t)r;
    for (unsigned i = 1; i <= RACES; i++) {
        await(&r->prepared, i);
        int64_t deadline = filch_now_ns() + (int64_t)(xt_random(&random) % LEAD_NS_MAX);
        if (r->shift_ns < 0)
            deadline -= r->shift_ns; /* the wait has begun when it is ended */
        r->end_ns = deadline + r->shift_ns;
        atomic_store_explicit(&r->began, i, memory_order_release);
        int error = r->kind->wait(r, deadline);
        shift(r, error == ETIMEDOUT);
        if (error == ETIMEDOUT) {
            r->late++;
            error = r->kind->wait(r, FILCH_FOREVER);
        }
        xt_expect_equal(error, 0);
        xt_expect_equal(r->had, i);
        atomic_store_explicit(&r->finished, i, memory_order_release);
    }
}

static void end_each(struct race *r)
{
    for (unsigned i = 1; i <= RACES; i++) {
        r->kind->prepare(r);
        atomic_store_explicit(&r->prepared, i, memory_order_release);
        await(&r->began, i);
        while (filch_now_ns() < r->end_ns)
            filch_yield();
        r->kind->end(r);
        await(&r->finished, i);
        r->kind->settle(r);
    }
}

struct pairs {
    struct race races[PAIRS];
    atomic_uint parties; /* that have come so far: two after each other are a pair */
};

static void race(void *argument)
{
    struct pairs *pairs = argument;
    unsigned party = atomic_fetch_add(&pairs->parties, 1);
    if (party % 2 == 0)
        wait_each(&pairs->races[party / 2]);
    else
        end_each(&pairs->races[party / 2]);
}

static const struct kind *racing;
static uint64_t races, late;

static void race_round(uint64_t *random)
{
    static const size_t widths[] = {1, 2, 8};
    size_t tasks = xt_random(random) % 3 * PAIRS;
    static struct pairs pairs;
    pairs = (struct pairs){.parties = 0};
    for (int i = 0; i < PAIRS; i++)
        pairs.races[i] = (struct race){.kind = racing};
    locks_mixed(widths[xt_random(random) % 3], tasks, 2 * PAIRS - tasks, race, &pairs);
    for (int i = 0; i < PAIRS; i++) {
        assert_int_equal(pairs.races[i].had, RACES);
        late += pairs.races[i].late;
    }
    races += PAIRS * RACES;
}

static void run(const struct kind *kind)
{
    racing = kind;
    races = late = 0;
    perturbed_run_counting(kind->name, race_round, PAIRS * RACES);
    for (uint64_t random = xt_seed(); late == 0 || late == races;)
        race_round(&random); /* on a busy machine, one of both may win for long */
    printf("%s: %ju races, %ju won by the deadline\n", kind->name, (uintmax_t)races,
           (uintmax_t)late);
}

xt_define(mutexes)
{
    static const struct kind kind = {"mutex", hold_mutex, wait_mutex, end_mutex, settle_mutex};
    run(&kind);
}

xt_define(readers)
{
    static const struct kind kind = {"rwlock, reading", hold_writing, wait_reading, end_writing,
                                     settle_rwlock};
    run(&kind);
}

xt_define(writers)
{
    static const struct kind kind = {"rwlock, writing", hold_reading, wait_writing, end_reading,
                                     settle_rwlock};
    run(&kind);
}

xt_define(condvars)
{
    static const struct kind kind = {"condvar", nothing, wait_condvar, end_condvar, settle_condvar};
    run(&kind);
}

xt_define(semaphores)
{
    static const struct kind kind = {"semaphore", nothing, wait_semaphore, end_semaphore,
                                     settle_semaphore};
    run(&kind);
}

xt_define(barriers)
{
    static const struct kind kind = {"barrier", prepare_barrier, wait_barrier, end_barrier,
                                     settle_barrier};
    run(&kind);
}

xt_define(latches)
{
    static const struct kind kind = {"latch", prepare_latch, wait_latch, end_latch, nothing};
    run(&kind);
}

xt_define(onces)
{
    static const struct kind kind = {"once", prepare_once, wait_once, end_once, nothing};
    run(&kind);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        xt_test(mutexes),    xt_test(readers),  xt_test(writers), xt_test(condvars),
        xt_test(semaphores), xt_test(barriers), xt_test(latches), xt_test(onces),
    };
    return xt_run(tests);
}
