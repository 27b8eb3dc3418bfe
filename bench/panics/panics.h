/* SPDX-License-Identifier: Apache-2.0 */
/* Failure that unwinds. `catch`: a call within a boundary, and nothing fails. `panic-N`: the innermost
 * of N frames fails, each frame has something to clean up, and the caller catches it. */
#ifndef FILCH_BENCH_PANICS_PANICS_H
#define FILCH_BENCH_PANICS_PANICS_H

#include <stdint.h>

struct panics_data {
    uint64_t count;    /* calls */
    uint64_t frames;   /* of each call; 0: `catch` */
    uint64_t returned; /* out: calls that returned */
    uint64_t caught;   /* out: calls that failed */
    uint64_t cleaned;  /* out: frames that were cleaned up */
};

#endif
