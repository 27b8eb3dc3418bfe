/* SPDX-License-Identifier: Apache-2.0 */
#include "filch/cases.h"
#include "filch/parties.h"

#include <filch/filch.h>

static struct filch_rwlock rwlock = FILCH_RWLOCK_INIT;
static struct filch_condvar condvar = FILCH_CONDVAR_INIT;
static struct filch_barrier barrier;

#define LOCKS_MUTEX struct filch_mutex
#define LOCKS_MUTEX_INIT FILCH_MUTEX_INIT
#define LOCKS_LOCK(mutex) must(filch_mutex_lock(mutex))
#define LOCKS_UNLOCK(mutex) filch_mutex_unlock(mutex)
#define LOCKS_READ() must(filch_rwlock_read(&rwlock))
#define LOCKS_READ_END() filch_rwlock_unlock_read(&rwlock)
#define LOCKS_WRITE() must(filch_rwlock_write(&rwlock))
#define LOCKS_WRITE_END() filch_rwlock_unlock_write(&rwlock)
#define LOCKS_WAIT(mutex) must(filch_condvar_wait(&condvar, mutex))
#define LOCKS_NOTIFY() filch_condvar_notify_one(&condvar)
#define LOCKS_MEET() must(filch_barrier_wait(&barrier, NULL))
#include "locks/parties.h"

void filch_case_mutex(void *data)
{
    locks_lock(data);
}

void filch_case_rwlock_read(void *data)
{
    locks_read(data);
}

void filch_case_rwlock_write(void *data)
{
    locks_write(data);
}

struct call {
    struct locks_data *d;
    locks_party *party;
};

static void call_party(void *ctx, unsigned number)
{
    const struct call *call = ctx;
    call->party(call->d, number);
}

static void locks_on_tasks(struct locks_data *d, locks_party *party)
{
    struct call call = {d, party};
    parties_on_tasks(d->parties, call_party, &call);
}

void filch_case_mutex_threads(void *data)
{
    locks_contend(data, locks_mutex_party, locks_on_threads);
}

void filch_case_mutex_tasks(void *data)
{
    locks_contend(data, locks_mutex_party, locks_on_tasks);
}

void filch_case_mutex_handoff(void *data)
{
    barrier = (struct filch_barrier)FILCH_BARRIER_INIT(2);
    locks_on_tasks(data, locks_handoff_party);
}

void filch_case_rwlock_threads(void *data)
{
    locks_contend(data, locks_rwlock_party, locks_on_threads);
}

void filch_case_condvar_threads(void *data)
{
    locks_on_threads(data, locks_condvar_party);
}

void filch_case_condvar_tasks(void *data)
{
    locks_on_tasks(data, locks_condvar_party);
}

static void barrier_party(struct locks_data *d, unsigned number)
{
    for (uint64_t i = 0; i < d->rounds; i++) {
        must(filch_barrier_wait(&barrier, NULL));
        d->counts[number]++;
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
    locks_on_tasks(d, barrier_party);
}
