/* SPDX-License-Identifier: Apache-2.0 */
/* Several who do something at the same time, for a time that is set: so a sample takes as long for those
 * that are slow. */
#ifndef FILCH_BENCH_PEER_PARTIES_H
#define FILCH_BENCH_PEER_PARTIES_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { PARTIES_MAX = 16 };

/* How long they go on. */
struct parties_time {
    int64_t run_ns;
    uint32_t stop; /* out, atomic: the time is over */
};

static inline bool parties_stop(const struct parties_time *time)
{
    return __atomic_load_n(&time->stop, __ATOMIC_RELAXED) != 0;
}

/* Calls run(ctx), in which the parties go on until parties_stop(). Returns how many seconds it took. */
double parties_run(struct parties_time *time, void (*run)(void *ctx), void *ctx);

enum parties_place {
    PARTIES_FREE,   /* the system chooses where threads run */
    PARTIES_PINNED, /* thread i runs on the i-th CPU of those allowed, and round again */
};

/* Calls body(ctx, number) on a thread of its own for each number below `count`, and waits for them. */
void parties_on_threads(unsigned count, enum parties_place place,
                        void (*body)(void *ctx, unsigned number), void *ctx);

#ifdef __cplusplus
}
#endif

#endif
