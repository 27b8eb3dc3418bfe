/* SPDX-License-Identifier: Apache-2.0 */
/* Going from one stack to another. `switch`: two stacks switch to and fro, with no scheduler; `task-yield`: two
 * tasks let each other run; `task-pingpong`: two tasks wake each other in turn; `task-run`: a task creates
 * another one and waits for its end, and `task-wait`: the other one tells that it runs, and waits once for an
 * answer. */
#ifndef FILCH_BENCH_TASKS_SWITCHING_H
#define FILCH_BENCH_TASKS_SWITCHING_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct switching_data {
    uint64_t rounds;
    uint64_t
        done[2]; /* out: by either of the two; of `run` and `wait` the first by those created */
};

#ifdef __cplusplus
}
#endif

#endif
