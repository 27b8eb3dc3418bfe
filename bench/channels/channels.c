/* SPDX-License-Identifier: Apache-2.0 */
#include "channels/channels.h"

#include "peer/peer.h"
#include "peer/workloads.h"

#include <string.h>

unsigned channels_parties(const struct channels_data *d)
{
    switch (d->kind) {
    case CHANNELS_STREAM:
    case CHANNELS_PING_PONG:
    case CHANNELS_SELECT_STREAM:
        return d->senders + d->receivers;
    default:
        return 1;
    }
}

unsigned channels_count(const struct channels_data *d)
{
    switch (d->kind) {
    case CHANNELS_PING_PONG:
        return 2;
    case CHANNELS_SELECT_READY:
    case CHANNELS_SELECT_NONE:
    case CHANNELS_SELECT_STREAM:
        return CHANNELS_SELECT;
    default:
        return 1;
    }
}

struct call {
    struct channels_data *d;
    channels_party *party;
};

static void call_party(void *ctx, unsigned number)
{
    const struct call *call = ctx;
    call->party(call->d, number);
}

static void run_threads(void *ctx)
{
    const struct call *call = ctx;
    const unsigned parties = channels_parties(call->d);
    if (parties == 1)
        call->party(call->d, 0);
    else
        parties_on_threads(parties, PARTIES_PINNED, call_party, ctx);
}

void channels_on_threads(struct channels_data *d, channels_party *party)
{
    struct call call = {d, party};
    channels_measure(d, run_threads, &call);
}

static struct channels_tally total(const struct channels_tally *tallies, unsigned count)
{
    struct channels_tally sum = {0};
    for (unsigned i = 0; i < count; i++) {
        sum.count += tallies[i].count;
        sum.sum += tallies[i].sum;
    }
    return sum;
}

static double memory_before; /* before the first message of this process */
static double memory_full;

void channels_are_full(void)
{
    memory_full = bench_memory_bytes();
}

static double seconds_since(int64_t begin_ns)
{
    return 1e-9 * (double)(bench_now_ns() - begin_ns);
}

static void memory_measure(struct channels_data *d, void (*run)(void *ctx), void *ctx)
{
    const double messages = (double)d->messages;
    if (memory_before <= 0)
        memory_before = bench_memory_bytes();
    const int64_t begin_ns = bench_now_ns();
    run(ctx);
    bench_report_also("ns_per_op", 1e9 * seconds_since(begin_ns) / messages);
    bench_report((memory_full - memory_before) / messages);
    bench_report_also("kept_bytes_per_op", (bench_memory_bytes() - memory_before) / messages);
}

void channels_measure(struct channels_data *d, void (*run)(void *ctx), void *ctx)
{
    if (d->kind == CHANNELS_MEMORY) {
        memory_measure(d, run, ctx);
        return;
    }
    const double seconds = parties_run(&d->time, run, ctx);
    const uint64_t count = total(d->tallies + d->senders, d->receivers).count;
    bench_report(seconds / (double)(count > 0 ? count : 1));
}

/* --- workloads --- */

static const char *prepare(const struct bench_setup *setup, void **data, uint64_t *operations)
{
    struct channels_data *d = bench_alloc(sizeof *d);
    *d = *(const struct channels_data *)setup->parameters;
    d->time.run_ns = setup->quick ? 4000000 : 20000000;
    d->messages = setup->quick ? d->messages / 100 : d->messages;
    *operations = 1;
    *data = d;
    return NULL;
}

static void reset(void *data)
{
    struct channels_data *d = data;
    memset(d->tallies, 0, sizeof d->tallies);
}

static const char *check(const void *data)
{
    const struct channels_data *d = data;
    const struct channels_tally sent = total(d->tallies, d->senders);
    const struct channels_tally received = total(d->tallies + d->senders, d->receivers);
    if (received.count == 0)
        return "nothing was received";
    if (d->kind == CHANNELS_MEMORY && received.count != d->messages)
        return "not as many messages as there should be";
    return sent.count == received.count && sent.sum == received.sum
               ? NULL
               : "what was received is not what was sent";
}

#define CHANNEL(name, shape, from, to, bytes, room, total)                                         \
    {                                                                                              \
        name, prepare, reset, check, (shape) != CHANNELS_MEMORY, &(const struct channels_data)     \
        {                                                                                          \
            .kind = (shape), .senders = (from), .receivers = (to), .message_bytes = (bytes),       \
            .capacity = (room), .messages = (total)                                                \
        }                                                                                          \
    }
/* Between threads, and between tasks. */
#define BOTH(name, ...) CHANNEL(name, __VA_ARGS__, 0), CHANNEL(name "-tasks", __VA_ARGS__, 0)
#define STREAMS(name, capacity)                                                                    \
    BOTH(name "-1t", CHANNELS_ONE_PARTY, 1, 1, 8, capacity),                                       \
        BOTH(name "-spsc", CHANNELS_STREAM, 1, 1, 8, capacity),                                    \
        BOTH(name "-mpsc", CHANNELS_STREAM, 4, 1, 8, capacity),                                    \
        BOTH(name "-mpmc", CHANNELS_STREAM, 4, 4, 8, capacity),                                    \
        CHANNEL(name "-spsc-64", CHANNELS_STREAM, 1, 1, 64, capacity, 0),                          \
        CHANNEL(name "-spsc-1024", CHANNELS_STREAM, 1, 1, 1024, capacity, 0)

enum { CAPACITY = 1024 };

static const struct bench_workload workloads[] = {
    STREAMS("chan-unbounded", CHANNELS_UNBOUNDED),
    STREAMS("chan-bounded", CAPACITY),
    BOTH("chan-one", CHANNELS_STREAM, 1, 1, 8, 1),
    BOTH("chan-rendezvous", CHANNELS_STREAM, 1, 1, 8, 0),
    BOTH("chan-pingpong", CHANNELS_PING_PONG, 1, 1, 8, 1),
    CHANNEL("select-ready", CHANNELS_SELECT_READY, 1, 1, 8, CAPACITY, 0),
    CHANNEL("select-none", CHANNELS_SELECT_NONE, 1, 1, 8, CAPACITY, 0),
    CHANNEL("select-4", CHANNELS_SELECT_STREAM, CHANNELS_SELECT, 1, 8, CAPACITY, 0),
    CHANNEL("chan-memory", CHANNELS_MEMORY, 1, 1, 8, CHANNELS_UNBOUNDED, 10000000),
};

const struct bench_family channels_family = {workloads, sizeof workloads / sizeof workloads[0]};
