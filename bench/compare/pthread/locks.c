/* SPDX-License-Identifier: Apache-2.0 */
#include "compare/pthread/locks.h"

#include <pthread.h>

static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
static pthread_cond_t condvar = PTHREAD_COND_INITIALIZER;
static pthread_barrier_t barrier;

#define LOCKS_MUTEX pthread_mutex_t
#define LOCKS_MUTEX_INIT PTHREAD_MUTEX_INITIALIZER
#define LOCKS_LOCK(mutex) pthread_mutex_lock(mutex)
#define LOCKS_UNLOCK(mutex) pthread_mutex_unlock(mutex)
#define LOCKS_READ() pthread_rwlock_rdlock(&rwlock)
#define LOCKS_READ_END() pthread_rwlock_unlock(&rwlock)
#define LOCKS_WRITE() pthread_rwlock_wrlock(&rwlock)
#define LOCKS_WRITE_END() pthread_rwlock_unlock(&rwlock)
#define LOCKS_WAIT(mutex) pthread_cond_wait(&condvar, mutex)
#define LOCKS_NOTIFY() pthread_cond_signal(&condvar)
#include "locks/parties.h"

void pthread_case_mutex(void *data)
{
    locks_lock(data);
}

void pthread_case_rwlock_read(void *data)
{
    locks_read(data);
}

void pthread_case_rwlock_write(void *data)
{
    locks_write(data);
}

void pthread_case_mutex_threads(void *data)
{
    locks_contend(data, locks_mutex_party, locks_on_threads);
}

void pthread_case_rwlock_threads(void *data)
{
    locks_contend(data, locks_rwlock_party, locks_on_threads);
}

void pthread_case_condvar(void *data)
{
    locks_on_threads(data, locks_condvar_party);
}

static void barrier_party(struct locks_data *d, unsigned number)
{
    for (uint64_t i = 0; i < d->rounds; i++) {
        pthread_barrier_wait(&barrier);
        d->counts[number]++;
    }
}

void pthread_case_barrier(void *data)
{
    struct locks_data *d = data;
    pthread_barrier_init(&barrier, NULL, d->parties);
    locks_on_threads(d, barrier_party);
    pthread_barrier_destroy(&barrier);
}
