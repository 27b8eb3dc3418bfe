/* SPDX-License-Identifier: Apache-2.0 */
/* The C side of the peers `std` and `parking_lot`. */
#include "peer/peer.h"
#include "locks/locks.h"

/* The function `name` of the Rust side. */
#define RUST_NAME(name) JOIN(RUST_PREFIX, name)
#define JOIN(prefix, name) JOIN2(prefix, name)
#define JOIN2(prefix, name) prefix##name

struct rust_run {
    const uint32_t *stop;
    uint64_t *shared;
    uint32_t inside;
    uint32_t read_percent;
    uint64_t rounds;
};

uint64_t RUST_NAME(mutex_party)(const struct rust_run *run);
uint64_t RUST_NAME(rwlock_party)(const struct rust_run *run, uint32_t number, uint64_t *read);
void RUST_NAME(mutex)(uint64_t rounds);
void RUST_NAME(rwlock_read)(uint64_t rounds);
void RUST_NAME(rwlock_write)(uint64_t rounds);
void RUST_NAME(turns)(uint64_t rounds, uint32_t number);

static struct rust_run run_of(struct locks_data *d)
{
    return (struct rust_run){&d->stop, &d->shared, d->inside, d->read_percent, d->rounds};
}

static void mutex_party(struct locks_data *d, unsigned number)
{
    const struct rust_run run = run_of(d);
    d->counts[number] = RUST_NAME(mutex_party)(&run);
}

static void rwlock_party(struct locks_data *d, unsigned number)
{
    const struct rust_run run = run_of(d);
    d->counts[number] = RUST_NAME(rwlock_party)(&run, number, &d->reads[number]);
}

static void turns_party(struct locks_data *d, unsigned number)
{
    RUST_NAME(turns)(d->rounds, number);
}

static void mutex(void *data)
{
    RUST_NAME(mutex)(((struct locks_data *)data)->rounds);
}

static void rwlock_read(void *data)
{
    RUST_NAME(rwlock_read)(((struct locks_data *)data)->rounds);
}

static void rwlock_write(void *data)
{
    RUST_NAME(rwlock_write)(((struct locks_data *)data)->rounds);
}

static void mutex_threads(void *data)
{
    locks_contend(data, mutex_party, locks_on_threads);
}

static void rwlock_threads(void *data)
{
    locks_contend(data, rwlock_party, locks_on_threads);
}

static void turns(void *data)
{
    locks_on_threads(data, turns_party);
}

static void start(unsigned workers, const char *case_name)
{
    (void)workers;
    (void)case_name;
}

static const struct bench_impl impls[] = {
    {"mutex", "", "", mutex, 0},
    {"mutex-2-short", "", "", mutex_threads, 0},
    {"mutex-4-short", "", "", mutex_threads, 0},
    {"mutex-16-short", "", "", mutex_threads, 0},
    {"mutex-2-long", "", "", mutex_threads, 0},
    {"mutex-4-long", "", "", mutex_threads, 0},
    {"mutex-16-long", "", "", mutex_threads, 0},
    {"mutex-16-short-fair", "", "", mutex_threads, 0},
    {"mutex-16-long-fair", "", "", mutex_threads, 0},
    {"rwlock-read", "", "", rwlock_read, 0},
    {"rwlock-write", "", "", rwlock_write, 0},
    {"rwlock-90-short", "", "", rwlock_threads, 0},
    {"rwlock-90-long", "", "", rwlock_threads, 0},
    {"rwlock-99-short", "", "", rwlock_threads, 0},
    {"rwlock-99-long", "", "", rwlock_threads, 0},
    {"condvar-threads", "", "", turns, 0},
};

const struct bench_peer bench_peer = {
    BENCH_PEER_NAME, "rustc", impls, sizeof impls / sizeof impls[0], 0, start, 0,
};
