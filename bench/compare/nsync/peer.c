/* SPDX-License-Identifier: Apache-2.0 */
/* nsync's locks: its mutex is a reader-writer lock too. */
#include "peer/peer.h"

#include <nsync.h>

static nsync_mu rwlock = NSYNC_MU_INIT;
static nsync_cv condvar = NSYNC_CV_INIT;

#define LOCKS_MUTEX nsync_mu
#define LOCKS_MUTEX_INIT NSYNC_MU_INIT
#define LOCKS_LOCK(mutex) nsync_mu_lock(mutex)
#define LOCKS_UNLOCK(mutex) nsync_mu_unlock(mutex)
#define LOCKS_READ() nsync_mu_rlock(&rwlock)
#define LOCKS_READ_END() nsync_mu_runlock(&rwlock)
#define LOCKS_WRITE() nsync_mu_lock(&rwlock)
#define LOCKS_WRITE_END() nsync_mu_unlock(&rwlock)
#define LOCKS_WAIT(mutex) nsync_cv_wait(&condvar, mutex)
#define LOCKS_NOTIFY() nsync_cv_signal(&condvar)
#include "locks/parties.h"

static void mutex(void *data)
{
    locks_lock(data);
}

static void rwlock_read(void *data)
{
    locks_read(data);
}

static void rwlock_write(void *data)
{
    locks_write(data);
}

static void mutex_threads(void *data)
{
    locks_contend(data, locks_mutex_party, locks_on_threads);
}

static void rwlock_threads(void *data)
{
    locks_contend(data, locks_rwlock_party, locks_on_threads);
}

static void condvar_threads(void *data)
{
    locks_on_threads(data, locks_condvar_party);
}

static void start(unsigned workers, const char *case_name)
{
    (void)workers;
    (void)case_name;
}

static const struct bench_impl impls[] = {
    {"mutex", "", "", mutex, 0},
    {"mutex-*-*", "", "", mutex_threads, 0},
    {"rwlock-read", "", "", rwlock_read, 0},
    {"rwlock-write", "", "", rwlock_write, 0},
    {"rwlock-*-*", "", "", rwlock_threads, 0},
    {"condvar-threads", "", "", condvar_threads, 0},
};

const struct bench_peer bench_peer = {
    "nsync", BENCH_COMPILER, impls, sizeof impls / sizeof impls[0], 0, start, NULL,
};
