/* SPDX-License-Identifier: Apache-2.0 */
#include "locks/locks.h"

#include "peer/peer.h"
#include "peer/workloads.h"

#include <string.h>

struct call {
    struct locks_data *d;
    locks_party *party;
    locks_runner *run;
};

static void call_party(void *ctx, unsigned number)
{
    const struct call *call = ctx;
    call->party(call->d, number);
}

void locks_on_threads(struct locks_data *d, locks_party *party)
{
    struct call call = {d, party, NULL};
    parties_on_threads(d->parties, PARTIES_FREE, call_party, &call);
}

static void call_run(void *ctx)
{
    const struct call *call = ctx;
    call->run(call->d, call->party);
}

void locks_contend(struct locks_data *d, locks_party *party, locks_runner *run)
{
    struct call call = {d, party, run};
    const double seconds = parties_run(&d->time, call_run, &call);
    uint64_t sum = 0, least = UINT64_MAX, most = 1;
    for (unsigned i = 0; i < d->parties; i++) {
        const uint64_t count = d->counts[i] + d->reads[i];
        sum += count;
        least = count < least ? count : least;
        most = count > most ? count : most;
    }
    bench_report(seconds / (double)(sum > 0 ? sum : 1));
    bench_report_also("max_min", (double)most / (double)(least > 0 ? least : 1));
}

/* --- workloads --- */

enum { SHORT_NS = 20, LONG_NS = 500 };

struct locks_parameters {
    unsigned parties;
    unsigned inside_ns;    /* contended; else 0 */
    unsigned read_percent; /* contended */
    unsigned rounds;       /* else */
    unsigned per_round;    /* operations */
};

/* How many units of work last about that long. Not measured: each process would find another number,
 * depending on what the machine's neighbours did just then (up to 1.9 times as many have been seen), and all
 * of them would have different work for as long as they run. */
static uint32_t units_of(unsigned duration_ns)
{
    return duration_ns * 10 / 3; /* a cycle each, at 3.3 GHz */
}

static const char *prepare(const struct bench_setup *setup, void **data, uint64_t *operations)
{
    const struct locks_parameters *parameters = setup->parameters;
    struct locks_data *d = bench_alloc(sizeof *d);
    d->parties = parameters->parties;
    d->inside = units_of(parameters->inside_ns);
    d->read_percent = parameters->read_percent;
    /* The more there are, the longer it takes until each has had the processor. */
    d->time.run_ns = setup->quick ? 10000000 : parameters->parties > 4 ? 250000000 : 40000000;
    d->rounds = setup->quick ? parameters->rounds / 50 : parameters->rounds;
    *operations = parameters->inside_ns ? 1 : d->rounds * parameters->per_round;
    *data = d;
    return NULL;
}

static void reset(void *data)
{
    struct locks_data *d = data;
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

static const char *check_rounds(const void *data)
{
    const struct locks_data *d = data;
    for (unsigned i = 0; i < d->parties; i++) {
        if (d->counts[i] != d->rounds)
            return "a party has not had all of its turns";
    }
    return NULL;
}

#define CONTENDED(name, parties, inside_ns, read_percent)                                          \
    {                                                                                              \
        name, prepare, reset, check, false, &(const struct locks_parameters)                       \
        {                                                                                          \
            parties, inside_ns, read_percent, 0, 0                                                 \
        }                                                                                          \
    }
#define TURNS(name, parties, rounds, per_round)                                                    \
    {                                                                                              \
        name, prepare, reset, check_rounds, true, &(const struct locks_parameters)                 \
        {                                                                                          \
            parties, 0, 0, rounds, per_round                                                       \
        }                                                                                          \
    }

static const struct bench_workload workloads[] = {
    TURNS("mutex", 1, 2000000, 1),
    TURNS("rwlock-read", 1, 2000000, 1),
    TURNS("rwlock-write", 1, 2000000, 1),
    CONTENDED("mutex-2-short", 2, SHORT_NS, 0),
    CONTENDED("mutex-4-short", 4, SHORT_NS, 0),
    CONTENDED("mutex-16-short", 16, SHORT_NS, 0),
    CONTENDED("mutex-2-long", 2, LONG_NS, 0),
    CONTENDED("mutex-4-long", 4, LONG_NS, 0),
    CONTENDED("mutex-16-long", 16, LONG_NS, 0),
    CONTENDED("rwlock-90-short", 4, SHORT_NS, 90),
    CONTENDED("rwlock-90-long", 4, LONG_NS, 90),
    CONTENDED("rwlock-99-short", 4, SHORT_NS, 99),
    CONTENDED("rwlock-99-long", 4, LONG_NS, 99),
    TURNS("mutex-handoff", 2, 100000, 2),
    TURNS("condvar-threads", 2, 1000, 1),
    TURNS("condvar-tasks", 2, 50000, 1),
    TURNS("barrier-2", 2, 2000, 1),
    TURNS("barrier-8", 8, 1000, 1),
};

const struct bench_family locks_family = {workloads, sizeof workloads / sizeof workloads[0]};
