/* SPDX-License-Identifier: Apache-2.0 */
/* Fibonacci numbers the slow way, without a cut-off: one spawn and one call per node and next to no
 * work, so that the time per spawn is the scheduler's. An implementation may choose its own n, as
 * the time is divided by the number of spawns. `fib-typed` is for a typed form of join. */
#ifndef FILCH_BENCH_FORKJOIN_FIB_H
#define FILCH_BENCH_FORKJOIN_FIB_H

#include <stdint.h>

struct fib_data {
    unsigned n;
    uint64_t result; /* out */
};

/* The reference, with real calls. */
uint64_t fib_serial(unsigned n);

#endif
