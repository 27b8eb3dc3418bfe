/* SPDX-License-Identifier: Apache-2.0 */
/* The C side of the peer that is Rust's standard library. */
#include "peer/peer.h"

/* Defined in Rust. */
void std_thread_spawn(void *data);
void std_park(void *data);
void std_park_pair(void *data);
void std_arc(void *data);
void std_arc_2(void *data);
void std_catch(void *data);
void std_panic(void *data);

static void start(unsigned workers, const char *case_name)
{
    (void)workers;
    (void)case_name;
}

static const struct bench_impl impls[] = {
    {"thread-spawn", "", "", std_thread_spawn, 0},
    {"park", "", "", std_park, 0},
    {"park-pair", "", "", std_park_pair, 0},
    {"arc", "", "", std_arc, 0},
    {"arc-2", "", "", std_arc_2, 0},
    {"catch", "", "", std_catch, 0},
    {"panic-1", "", "", std_panic, 0},
    {"panic-10", "", "", std_panic, 0},
    {"panic-100", "", "", std_panic, 0},
};

const struct bench_peer bench_peer = {
    "std", BENCH_STD_VERSION, impls, sizeof impls / sizeof impls[0], 0, start, NULL,
};
