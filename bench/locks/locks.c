/* SPDX-License-Identifier: Apache-2.0 */
#include "locks/locks.h"

#include "peer/peer.h"
#include "peer/workloads.h"

#include <pthread.h>
#include <string.h>
#include <time.h>

enum { SHORT_NS = 20, LONG_NS = 500 };

static void *ring_the_bell(void *argument)
{
    struct locks_data *d = argument;
    const struct timespec run = {0, (long)d->run_ns};
    nanosleep(&run, NULL);
    __atomic_store_n(&d->stop, 1, __ATOMIC_RELAXED);
    return NULL;
}

void locks_contend(struct locks_data *d, locks_party *party,
                   void (*run)(struct locks_data *d, locks_party *party))
{
    pthread_t bell;
    const int64_t begin_ns = bench_now_ns();
    pthread_create(&bell, NULL, ring_the_bell, d);
    run(d, party);
    const int64_t end_ns = bench_now_ns();
    pthread_join(bell, NULL);
    uint64_t sum = 0, least = UINT64_MAX, most = 1;
    for (unsigned i = 0; i < d->parties; i++) {
        const uint64_t count = d->counts[i] + d->reads[i];
        sum += count;
        least = count < least ? count : least;
        most = count > most ? count : most;
    }
    if (d->reports_fairness)
        bench_report((double)most / (double)(least > 0 ? least : 1));
    else
        bench_report(1e-9 * (double)(end_ns - begin_ns) / (double)(sum > 0 ? sum : 1));
}

struct start {
    struct locks_data *d;
    locks_party *party;
};

static void *party_main(void *argument)
{
    const struct start *start = argument;
    start->party(start->d, __atomic_fetch_add(&start->d->joined, 1, __ATOMIC_RELAXED));
    return NULL;
}

void locks_on_threads(struct locks_data *d, locks_party *party)
{
    pthread_t threads[LOCKS_PARTIES_MAX];
    struct start start = {d, party};
    for (unsigned i = 0; i < d->parties; i++)
        pthread_create(&threads[i], NULL, party_main, &start);
    for (unsigned i = 0; i < d->parties; i++)
        pthread_join(threads[i], NULL);
}

/* --- workloads --- */

/* How many units of work last that long here. */
static uint32_t units_of(int64_t duration_ns)
{
    enum { UNITS = 2000000 };
    int64_t best_ns = INT64_MAX;
    for (int i = 0; i < 5; i++) {
        const int64_t begin_ns = bench_now_ns();
        locks_work(UNITS);
        const int64_t taken_ns = bench_now_ns() - begin_ns;
        best_ns = taken_ns < best_ns ? taken_ns : best_ns;
    }
    return (uint32_t)(duration_ns * UNITS / best_ns);
}

static struct locks_data *make(const struct bench_setup *setup, unsigned parties, int64_t inside_ns,
                               unsigned read_percent)
{
    struct locks_data *d = bench_alloc(sizeof *d);
    memset(d, 0, sizeof *d);
    d->parties = parties;
    d->inside = units_of(inside_ns);
    d->read_percent = read_percent;
    d->run_ns = setup->quick ? 20000000 : 150000000;
    return d;
}

static void reset(void *data)
{
    struct locks_data *d = data;
    d->stop = 0;
    d->joined = 0;
    d->shared = 0;
    memset(d->counts, 0, sizeof d->counts);
    memset(d->reads, 0, sizeof d->reads);
}

static const char *check(const void *data)
{
    const struct locks_data *d = data;
    uint64_t sum = 0;
    for (unsigned i = 0; i < d->parties; i++)
        sum += d->counts[i];
    return sum == d->shared ? NULL : "two had the lock at the same time";
}

#define CONTENDED(identifier, name, parties, inside_ns, read_percent, fairness)                    \
    static const char *identifier##_prepare(const struct bench_setup *setup, void **data,          \
                                            uint64_t *operations)                                  \
    {                                                                                              \
        struct locks_data *d = make(setup, parties, inside_ns, read_percent);                      \
        d->reports_fairness = fairness;                                                            \
        *data = d;                                                                                 \
        *operations = 1;                                                                           \
        return NULL;                                                                               \
    }                                                                                              \
    const struct bench_workload identifier##_workload = {name, identifier##_prepare, reset, check, \
                                                         false};

CONTENDED(mutex_2_short, "mutex-2-short", 2, SHORT_NS, 0, false)
CONTENDED(mutex_4_short, "mutex-4-short", 4, SHORT_NS, 0, false)
CONTENDED(mutex_16_short, "mutex-16-short", 16, SHORT_NS, 0, false)
CONTENDED(mutex_2_long, "mutex-2-long", 2, LONG_NS, 0, false)
CONTENDED(mutex_4_long, "mutex-4-long", 4, LONG_NS, 0, false)
CONTENDED(mutex_16_long, "mutex-16-long", 16, LONG_NS, 0, false)
CONTENDED(mutex_16_short_fair, "mutex-16-short-fair", 16, SHORT_NS, 0, true)
CONTENDED(mutex_16_long_fair, "mutex-16-long-fair", 16, LONG_NS, 0, true)
CONTENDED(rwlock_90_short, "rwlock-90-short", 4, SHORT_NS, 90, false)
CONTENDED(rwlock_90_long, "rwlock-90-long", 4, LONG_NS, 90, false)
CONTENDED(rwlock_99_short, "rwlock-99-short", 4, SHORT_NS, 99, false)
CONTENDED(rwlock_99_long, "rwlock-99-long", 4, LONG_NS, 99, false)

#define COUNTED(identifier, name, parties, full, quick_rounds)                                     \
    static const char *identifier##_prepare(const struct bench_setup *setup, void **data,          \
                                            uint64_t *operations)                                  \
    {                                                                                              \
        struct locks_data *d = make(setup, parties, 0, 0);                                         \
        d->rounds = setup->quick ? quick_rounds : full;                                            \
        *data = d;                                                                                 \
        *operations = d->rounds;                                                                   \
        return NULL;                                                                               \
    }                                                                                              \
    const struct bench_workload identifier##_workload = {name, identifier##_prepare, reset, check, \
                                                         false};

COUNTED(mutex, "mutex", 1, 10000000, 100000)
COUNTED(rwlock_read, "rwlock-read", 1, 10000000, 100000)
COUNTED(rwlock_write, "rwlock-write", 1, 10000000, 100000)
COUNTED(condvar_threads, "condvar-threads", 2, 5000, 100)
COUNTED(condvar_tasks, "condvar-tasks", 2, 200000, 1000)
COUNTED(barrier_2, "barrier-2", 2, 5000, 100)
COUNTED(barrier_8, "barrier-8", 8, 2000, 50)
