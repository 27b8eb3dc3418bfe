/* SPDX-License-Identifier: Apache-2.0 */
/* Going from one stack to another. `switch`: two stacks switch to and fro, with no scheduler; `task-yield`: two
 * tasks let each other run; `task-pingpong`: two tasks wake each other in turn; `task-run`: a task creates
 * another one and waits for its end; `task-wait`: a task creates a group, waits until all of it are there,
 * opens the gate that each of them waits at, and waits for their ends: one wait for each, and a few for the
 * group. `task-wait-alone`: a group of one, so there are three waits to a task. */
#ifndef FILCH_BENCH_TASKS_SWITCHING_H
#define FILCH_BENCH_TASKS_SWITCHING_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { SWITCHING_GROUP = 16 };

struct switching_data {
    uint64_t rounds;
    uint64_t done
        [2]; /* out: by either of the two; in `run` and `wait-alone` the first by those created */
    uint64_t ran[SWITCHING_GROUP]; /* out: by each of the group in its turn */
};

#ifdef __cplusplus
}
#endif

#endif
