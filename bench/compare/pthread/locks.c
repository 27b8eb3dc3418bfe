/* SPDX-License-Identifier: Apache-2.0 */
#include "compare/pthread/locks.h"

#include "locks/locks.h"

#include <pthread.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
static pthread_cond_t condvar = PTHREAD_COND_INITIALIZER;
static pthread_barrier_t barrier;
static unsigned turn; /* under mutex */

static void *nothing(void *unused)
{
    return unused;
}

/* In a process that never had a second thread the C library leaves the lock prefix out. */
static void have_had_two_threads(void)
{
    pthread_t thread;
    pthread_create(&thread, NULL, nothing, NULL);
    pthread_join(thread, NULL);
}

void pthread_case_mutex(void *data)
{
    const struct locks_data *d = data;
    have_had_two_threads();
    for (uint64_t i = 0; i < d->rounds; i++) {
        pthread_mutex_lock(&mutex);
        pthread_mutex_unlock(&mutex);
    }
}

void pthread_case_rwlock_read(void *data)
{
    const struct locks_data *d = data;
    have_had_two_threads();
    for (uint64_t i = 0; i < d->rounds; i++) {
        pthread_rwlock_rdlock(&rwlock);
        pthread_rwlock_unlock(&rwlock);
    }
}

void pthread_case_rwlock_write(void *data)
{
    const struct locks_data *d = data;
    have_had_two_threads();
    for (uint64_t i = 0; i < d->rounds; i++) {
        pthread_rwlock_wrlock(&rwlock);
        pthread_rwlock_unlock(&rwlock);
    }
}

static void mutex_party(struct locks_data *d, unsigned number)
{
    uint64_t count = 0;
    for (; !locks_stop(d); count++) {
        pthread_mutex_lock(&mutex);
        d->shared++;
        locks_work(d->inside);
        pthread_mutex_unlock(&mutex);
        locks_work(d->inside);
    }
    d->counts[number] = count;
}

void pthread_case_mutex_threads(void *data)
{
    locks_contend(data, mutex_party, locks_on_threads);
}

static void rwlock_party(struct locks_data *d, unsigned number)
{
    uint64_t counts[2] = {0, 0};
    uint32_t random = number + 1;
    while (!locks_stop(d)) {
        const bool reads = locks_reads(d, &random);
        if (reads)
            pthread_rwlock_rdlock(&rwlock);
        else
            pthread_rwlock_wrlock(&rwlock);
        d->shared += !reads;
        locks_work(d->inside);
        pthread_rwlock_unlock(&rwlock);
        locks_work(d->inside);
        counts[reads]++;
    }
    d->counts[number] = counts[0];
    d->reads[number] = counts[1];
}

void pthread_case_rwlock_threads(void *data)
{
    locks_contend(data, rwlock_party, locks_on_threads);
}

static void condvar_party(struct locks_data *d, unsigned number)
{
    pthread_mutex_lock(&mutex);
    for (uint64_t i = 0; i < d->rounds; i++) {
        while (turn != number)
            pthread_cond_wait(&condvar, &mutex);
        turn = 1 - number;
        pthread_cond_signal(&condvar);
    }
    pthread_mutex_unlock(&mutex);
}

void pthread_case_condvar(void *data)
{
    locks_on_threads(data, condvar_party);
}

static void barrier_party(struct locks_data *d, unsigned number)
{
    (void)number;
    for (uint64_t i = 0; i < d->rounds; i++)
        pthread_barrier_wait(&barrier);
}

void pthread_case_barrier(void *data)
{
    struct locks_data *d = data;
    pthread_barrier_init(&barrier, NULL, d->parties);
    locks_on_threads(d, barrier_party);
    pthread_barrier_destroy(&barrier);
}
