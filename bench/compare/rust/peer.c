/* SPDX-License-Identifier: Apache-2.0 */
/* The C side of the peers that are written in Rust: its standard library and one for each crate. CMake says
 * by macros what this one has: RUST_LOCKS and RUST_CHANNELS are the names that its functions begin with,
 * RUST_STD is set for the standard library, RUST_TRY_SELECT where there is a select that does not wait. */
#include "peer/peer.h"

#include "channels/channels.h"
#include "locks/locks.h"

#define JOIN(prefix, name) JOIN2(prefix, name)
#define JOIN2(prefix, name) prefix##name

#ifdef RUST_LOCKS
#define LOCKS(name) JOIN(RUST_LOCKS, name)

/* Defined in Rust, as all that follow without a body. */
void LOCKS(_mutex_party)(struct locks_data *d, unsigned number);
void LOCKS(_rwlock_party)(struct locks_data *d, unsigned number);
void LOCKS(_condvar_party)(struct locks_data *d, unsigned number);
void LOCKS(_mutex)(void *data);
void LOCKS(_rwlock_read)(void *data);
void LOCKS(_rwlock_write)(void *data);

static void mutex_threads(void *data)
{
    locks_contend(data, LOCKS(_mutex_party), locks_on_threads);
}

static void rwlock_threads(void *data)
{
    locks_contend(data, LOCKS(_rwlock_party), locks_on_threads);
}

static void condvar_threads(void *data)
{
    locks_on_threads(data, LOCKS(_condvar_party));
}
#endif

#ifdef RUST_CHANNELS
struct run;
struct run *JOIN(RUST_CHANNELS, _channels_open)(struct channels_data *d);
void rust_channels_party(struct run *run, unsigned number);
void rust_channels_close(struct run *run);

static struct run *run;

static void party(struct channels_data *d, unsigned number)
{
    (void)d;
    rust_channels_party(run, number);
}

static void channels(void *data)
{
    run = JOIN(RUST_CHANNELS, _channels_open)(data);
    channels_on_threads(data, party);
    rust_channels_close(run);
}
#endif

#ifdef RUST_STD
void std_thread_spawn(void *data);
void std_park(void *data);
void std_park_pair(void *data);
void std_arc(void *data);
void std_arc_2(void *data);
void std_catch(void *data);
void std_panic(void *data);
void std_barrier_open(struct locks_data *d);
void std_barrier_party(struct locks_data *d, unsigned number);

static void barrier(void *data)
{
    std_barrier_open(data);
    locks_on_threads(data, std_barrier_party);
}
#endif

static void start(unsigned workers, const char *case_name)
{
    (void)workers;
    (void)case_name;
}

static const struct bench_impl impls[] = {
#ifdef RUST_LOCKS
    {"mutex", "", "", LOCKS(_mutex), 0},
    {"mutex-*-*", "", "", mutex_threads, 0},
    {"rwlock-read", "", "", LOCKS(_rwlock_read), 0},
    {"rwlock-write", "", "", LOCKS(_rwlock_write), 0},
    {"rwlock-*-*", "", "", rwlock_threads, 0},
    {"condvar-threads", "", "", condvar_threads, 0},
#endif
#ifdef RUST_STD
    /* Its channels have one receiver, and no select. */
    {"chan-!(*-tasks|*-mpmc)", "", "", channels, 0},
    {"barrier-*", "", "", barrier, 0},
    {"thread-spawn", "", "", std_thread_spawn, 0},
    {"park", "", "", std_park, 0},
    {"park-pair", "", "", std_park_pair, 0},
    {"arc", "", "", std_arc, 0},
    {"arc-2", "", "", std_arc_2, 0},
    {"catch", "", "", std_catch, 0},
    {"panic-*", "", "", std_panic, 0},
#elif defined(RUST_CHANNELS)
    {"chan-!(*-tasks)", "", "", channels, 0},
    {"select-@(ready|4)", "", "", channels, 0},
#endif
#ifdef RUST_TRY_SELECT
    {"select-none", "", "", channels, 0},
#endif
};

const struct bench_peer bench_peer = {
    BENCH_PEER_NAME, BENCH_RUST_VERSION, impls, sizeof impls / sizeof impls[0], 0, start, NULL,
};
