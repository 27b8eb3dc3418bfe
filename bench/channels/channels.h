/* SPDX-License-Identifier: Apache-2.0 */
/* Channels, for a fixed time: messages are sent and received, counted and summed up on both sides. `1t`: one
 * party sends a message and receives it. `spsc`, `mpsc`, `mpmc`: 1 to 1, 4 to 1, 4 to 4. `pingpong`: a
 * message goes to and fro over two channels. `select-ready`: one party sends to each of four channels in
 * turn and receives by a select over all; `select-none`: a select that finds nothing and does not wait;
 * `select-4`: four senders with a channel each, one receiver that selects. Senders look whether the time is
 * over after each batch, and send one at least. `chan-memory`: ten million
 * messages are sent before the first is received. */
#ifndef FILCH_BENCH_CHANNELS_CHANNELS_H
#define FILCH_BENCH_CHANNELS_CHANNELS_H

#include "peer/parties.h"

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { CHANNELS_SELECT = 4, CHANNELS_BATCH = 64, CHANNELS_WORDS_MAX = 128 };

/* A capacity: none is too large. */
#define CHANNELS_UNBOUNDED SIZE_MAX

/* What a party of `select-4` sends as its last. */
#define CHANNELS_LAST UINT64_MAX

enum channels_kind {
    CHANNELS_ONE_PARTY,
    CHANNELS_STREAM,
    CHANNELS_PING_PONG,
    CHANNELS_SELECT_READY,
    CHANNELS_SELECT_NONE,
    CHANNELS_SELECT_STREAM,
    CHANNELS_MEMORY,
};

/* What a party has sent, or received; in `pingpong` received, in `select-none` tried, or not found. */
struct channels_tally {
    uint64_t count;
    uint64_t sum; /* of the messages' first words */
    uint64_t padding[6];
};

struct channels_data {
    uint32_t kind;
    uint32_t senders;
    uint32_t receivers;
    uint32_t message_bytes; /* whole words; the first is a number, the others are copied along */
    size_t capacity;
    uint64_t messages; /* CHANNELS_MEMORY */
    struct parties_time time;
    struct channels_tally tallies[8]; /* out: of the senders, then of the receivers */
};

/* What a party does: party 0 to `senders` - 1 sends, the others receive. In a case with one party, it has
 * the tallies 0 and 1. */
typedef void channels_party(struct channels_data *d, unsigned number);

/* How many there are of them, and how many channels. */
unsigned channels_parties(const struct channels_data *d);
unsigned channels_count(const struct channels_data *d);

/* Runs a case on pinned threads, or as `run` does, and reports. */
void channels_on_threads(struct channels_data *d, channels_party *party);
void channels_measure(struct channels_data *d, void (*run)(void *ctx), void *ctx);

/* CHANNELS_MEMORY: between sending and receiving. */
void channels_are_full(void);

#ifdef __cplusplus
}
#endif

#endif
