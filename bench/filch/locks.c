/* SPDX-License-Identifier: Apache-2.0 */
#include "locks/locks.h"
#include "filch/cases.h"

#include <filch/filch.h>
#include <stdlib.h>

static struct filch_mutex mutex = FILCH_MUTEX_INIT;
static struct filch_rwlock rwlock = FILCH_RWLOCK_INIT;
static struct filch_condvar condvar = FILCH_CONDVAR_INIT;
static struct filch_barrier barrier;
static unsigned turn; /* under mutex */

void filch_case_mutex(void *data)
{
    const struct locks_data *d = data;
    for (uint64_t i = 0; i < d->rounds; i++) {
        if (filch_mutex_lock(&mutex) != 0)
            abort();
        filch_mutex_unlock(&mutex);
    }
}

void filch_case_rwlock_read(void *data)
{
    const struct locks_data *d = data;
    for (uint64_t i = 0; i < d->rounds; i++) {
        if (filch_rwlock_read(&rwlock) != 0)
            abort();
        filch_rwlock_unlock_read(&rwlock);
    }
}

void filch_case_rwlock_write(void *data)
{
    const struct locks_data *d = data;
    for (uint64_t i = 0; i < d->rounds; i++) {
        if (filch_rwlock_write(&rwlock) != 0)
            abort();
        filch_rwlock_unlock_write(&rwlock);
    }
}

static void mutex_party(struct locks_data *d, unsigned number)
{
    uint64_t count = 0;
    for (; !locks_stop(d); count++) {
        if (filch_mutex_lock(&mutex) != 0)
            abort();
        d->shared++;
        locks_work(d->inside);
        filch_mutex_unlock(&mutex);
        locks_work(d->inside);
    }
    d->counts[number] = count;
}

static void rwlock_party(struct locks_data *d, unsigned number)
{
    uint64_t counts[2] = {0, 0};
    uint32_t random = number + 1;
    while (!locks_stop(d)) {
        const bool reads = locks_reads(d, &random);
        if ((reads ? filch_rwlock_read(&rwlock) : filch_rwlock_write(&rwlock)) != 0)
            abort();
        d->shared += !reads;
        locks_work(d->inside);
        if (reads)
            filch_rwlock_unlock_read(&rwlock);
        else
            filch_rwlock_unlock_write(&rwlock);
        locks_work(d->inside);
        counts[reads]++;
    }
    d->counts[number] = counts[0];
    d->reads[number] = counts[1];
}

struct party {
    struct locks_data *d;
    locks_party *body;
};

static void party_task(void *argument)
{
    const struct party *party = argument;
    party->body(party->d, __atomic_fetch_add(&party->d->joined, 1, __ATOMIC_RELAXED));
}

static void all_parties(void *argument)
{
    const struct party *party = argument;
    FILCH_SCOPE (s) {
        for (unsigned i = 0; i < party->d->parties; i++) {
            if (filch_scope_spawn(s, party_task, argument) != 0)
                abort();
        }
    }
}

static void on_tasks(struct locks_data *d, locks_party *body)
{
    struct party party = {d, body};
    if (filch_pool_install(NULL, all_parties, &party) != 0)
        abort();
}

void filch_case_mutex_threads(void *data)
{
    locks_contend(data, mutex_party, locks_on_threads);
}

void filch_case_mutex_tasks(void *data)
{
    locks_contend(data, mutex_party, on_tasks);
}

void filch_case_rwlock_threads(void *data)
{
    locks_contend(data, rwlock_party, locks_on_threads);
}

static void condvar_party(struct locks_data *d, unsigned number)
{
    if (filch_mutex_lock(&mutex) != 0)
        abort();
    for (uint64_t i = 0; i < d->rounds; i++) {
        while (turn != number) {
            if (filch_condvar_wait(&condvar, &mutex) != 0)
                abort();
        }
        turn = 1 - number;
        filch_condvar_notify_one(&condvar);
    }
    filch_mutex_unlock(&mutex);
}

void filch_case_condvar_threads(void *data)
{
    locks_on_threads(data, condvar_party);
}

void filch_case_condvar_tasks(void *data)
{
    on_tasks(data, condvar_party);
}

static void barrier_party(struct locks_data *d, unsigned number)
{
    (void)number;
    for (uint64_t i = 0; i < d->rounds; i++) {
        if (filch_barrier_wait(&barrier, NULL) != 0)
            abort();
    }
}

void filch_case_barrier(void *data)
{
    struct locks_data *d = data;
    barrier = (struct filch_barrier)FILCH_BARRIER_INIT(d->parties);
    locks_on_threads(d, barrier_party);
}

void filch_case_barrier_tasks(void *data)
{
    struct locks_data *d = data;
    barrier = (struct filch_barrier)FILCH_BARRIER_INIT(d->parties);
    on_tasks(d, barrier_party);
}
