/* SPDX-License-Identifier: Apache-2.0 */
/* Each macro of the public headers once, in what C and C++ have in common: that it compiles without a
 * warning, and does what it says. */
#ifndef FILCH_TESTS_ABI_MACROS_H
#define FILCH_TESTS_ABI_MACROS_H

#include <filch/filch.h>
#include <stdio.h>

static int failures;

#define EXPECT(condition)                                                                          \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            failures++;                                                                            \
            fprintf(stderr, "line %d: %s\n", __LINE__, #condition);                                \
        }                                                                                          \
    } while (0)

/* --- what is defined in files --- */

struct job {
    int id;
    double weight;
};

FILCH_CHANNEL_TYPE(jobs, struct job);

static void start_at_seven(void *value)
{
    *(int *)value = 7;
}

static void ignore(void *value)
{
    (void)value;
}

static FILCH_LOCAL(int, seven, start_at_seven, ignore);
static FILCH_LOCAL(struct job, zero, NULL, NULL);

static long fib(long n);
FILCH_FORKABLE(long, fib, long)

static long fib(long n)
{
    if (n < 2)
        return n;
    FILCH_FORK(right, fib, n - 1);
    long left = fib(n - 2);
    return left + FILCH_SYNC(right, fib);
}

static void halve(float *x, size_t n);
FILCH_FORKABLE_VOID(halve, float *, size_t)

static void halve(float *x, size_t n)
{
    if (n == 1) {
        *x /= 2;
        return;
    }
    FILCH_FORK(right, halve, x + n / 2, n - n / 2);
    halve(x, n / 2);
    FILCH_SYNC(right, halve);
}

static void *give_back(void *value)
{
    return value;
}

static struct filch_once once = FILCH_ONCE_INIT;
static struct filch_once_cell cell = FILCH_ONCE_CELL_INIT;
static struct filch_lazy lazy = FILCH_LAZY_INIT(give_back, &once);
static struct filch_barrier barrier = FILCH_BARRIER_INIT(1);
static struct filch_semaphore semaphore = FILCH_SEMAPHORE_INIT(1);
static struct filch_latch latch = FILCH_LATCH_INIT(0);
static struct filch_rwlock rwlock = FILCH_RWLOCK_INIT;
static struct filch_mutex mutex = FILCH_MUTEX_INIT;
static struct filch_condvar condvar = FILCH_CONDVAR_INIT;

/* --- and what in functions --- */

static void try_channels(void)
{
    struct jobs_sender tx;
    struct jobs_receiver rx;
    if (jobs_create(&tx, &rx, 4) != 0) {
        failures++;
        return;
    }
    struct job job = {1, 2.0};
    EXPECT(jobs_send(tx, job) == 0);
    job.id = 0;
    EXPECT(jobs_recv(rx, &job) == 0 && job.id == 1);
    EXPECT(jobs_send(tx, job) == 0);
    filch_sender_drop(tx.handle);
    int received = 0;
    FILCH_RECV_EACH(rx.handle, &job)
    received++;
    EXPECT(received == 1);
    filch_receiver_drop(rx.handle);

    struct filch_select_case cases[2] = {{NULL, NULL, NULL, 0}, {NULL, NULL, NULL, 0}};
    size_t index;
    EXPECT(filch_try_select(cases, 2, &index) == EAGAIN);
}

static void try_values(void)
{
    EXPECT(*FILCH_LOCAL_GET(seven) == 7);
    struct job *job = NULL;
    EXPECT(FILCH_LOCAL_TRY(zero, &job) == 0 && job->id == 0);

    int *shared = NULL;
    EXPECT(FILCH_ARC_CREATE(&shared, ignore) == 0);
    int *other = FILCH_ARC_CLONE(shared);
    struct filch_weak *weak = filch_arc_downgrade(shared);
    EXPECT(other == shared && FILCH_ARC_GET_MUT(shared) == NULL);
    filch_arc_drop(other);
    other = FILCH_WEAK_UPGRADE(int, weak);
    EXPECT(other == shared);
    filch_arc_drop(other);
    filch_weak_drop(weak);
    filch_arc_drop(shared);
}

static void set(void *flag)
{
    *(int *)flag = 1;
}

static void *set_too(void *flag)
{
    set(flag);
    return flag;
}

static void try_scopes(void)
{
    int in_scope = 0, in_thread = 0, in_join = 0, in_set = 0;
    FILCH_SCOPE (s) {
        FILCH_SCOPE (inner)
            EXPECT(filch_scope_spawn(inner, set, &in_scope) == 0);
        EXPECT(in_scope == 1 && filch_scope_spawn(s, set, &in_scope) == 0);
    }
    FILCH_THREAD_SCOPE (s) {
        EXPECT(filch_thread_scope_spawn(s, NULL, NULL, set_too, &in_thread) == 0);
    }
    filch_join(set, &in_join, ignore, NULL);
    (filch_join)(ignore, NULL, set, &in_join);
    EXPECT(in_thread == 1 && in_join == 1);
    EXPECT(fib(15) == 610);
    float x[8] = {2, 2, 2, 2, 2, 2, 2, 2};
    halve(x, 8);
    EXPECT(x[0] > 0.9F && x[0] < 1.1F && x[7] > 0.9F && x[7] < 1.1F);
    FILCH_TASK_SET_GUARD(tasks);
    EXPECT(filch_task_set_create(&tasks, NULL) == 0);
    EXPECT(filch_task_set_spawn(tasks, NULL, set_too, &in_set) == 0);
    struct filch_task_end end;
    EXPECT(filch_task_set_next(tasks, &end) == 0 && end.result == &in_set && in_set == 1);
}

static int is_zero(void *x)
{
    return *(int *)x == 0;
}

static void try_locks(void)
{
    int one = 1, is_leader = 0;
    {
        FILCH_LOCK_GUARD(&mutex);
        FILCH_READ_GUARD(&rwlock);
    }
    {
        FILCH_WRITE_GUARD(&rwlock);
    }
    EXPECT(filch_mutex_try_lock(&mutex) == 0);
    EXPECT(filch_condvar_wait_while(&condvar, &mutex, is_zero, &one, FILCH_FOREVER) == 0);
    filch_mutex_unlock(&mutex);
    EXPECT(filch_once_call(&once, ignore, NULL) == 0);
    EXPECT(filch_once_cell_set(&cell, &once) == 0 && filch_once_cell_get(&cell) == &once);
    void *value = NULL;
    EXPECT(filch_lazy_get(&lazy, &value) == 0 && value == &once);
    EXPECT(filch_barrier_wait(&barrier, &is_leader) == 0 && is_leader == 1);
    EXPECT(filch_semaphore_acquire(&semaphore) == 0);
    EXPECT(filch_latch_wait(&latch) == 0);
}

static void say_nothing(const struct filch_panic *panic)
{
    (void)panic;
}

static void panic_with_message(void *unused)
{
    (void)unused;
    filch_panic("%d", 5);
}

static void panic_with_payload(void *payload)
{
    filch_panic_any(payload, "int", NULL);
}

static void try_panics(void)
{
    (void)filch_panic_set_hook(say_nothing);
    int payload = 0;
    struct filch_panic *panic = NULL;
    EXPECT(filch_catch_unwind(panic_with_payload, &payload, &panic) == EOWNERDEAD);
    EXPECT(filch_panic_payload(panic, "int") == &payload && !filch_panicking());
    filch_panic_free(panic);
    EXPECT(filch_catch_unwind(panic_with_message, NULL, NULL) == EOWNERDEAD);
}

int main(void)
{
    try_channels();
    try_values();
    try_scopes();
    try_locks();
    try_panics();
    FILCH_STDOUT_LOCK
    {
        filch_print("%d failures", failures);
    }
    return failures != 0;
}

#endif
