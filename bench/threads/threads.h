/* SPDX-License-Identifier: Apache-2.0 */
/* What threads cost. `thread-spawn`: a thread is started and joined. `park`: a thread gives itself its
 * token and takes it. `park-pair`: two threads hand a turn to and fro. `arc`: a reference to a shared
 * value is cloned and dropped; `arc-2`: by two threads at the same time, on one value. */
#ifndef FILCH_BENCH_THREADS_THREADS_H
#define FILCH_BENCH_THREADS_THREADS_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct threads_data {
    uint64_t count; /* operations of one thread */
    uint64_t done;  /* out: operations that were done, of all threads */
};

#ifdef __cplusplus
}
#endif

#endif
