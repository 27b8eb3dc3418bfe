/* SPDX-License-Identifier: Apache-2.0 */
/* The function form of join, with arguments and results in the caller's frame, and a scope. */
#include "filch/cases.h"

#include "forkjoin/fib.h"
#include "forkjoin/stuck.h"
#include "peer/peer.h"

#include <filch/filch.h>
#include <stdlib.h>

struct fib_call {
    uint64_t result; /* out */
    unsigned n;
};

static void fib(void *argument)
{
    struct fib_call *call = argument;
    if (call->n < 2) {
        call->result = call->n;
        return;
    }
    struct fib_call left;
    struct fib_call right;
    left.n = call->n - 1;
    right.n = call->n - 2;
    filch_join(fib, &left, fib, &right);
    call->result = left.result + right.result;
}

void filch_case_fib(void *data)
{
    struct fib_data *fib_data = data;
    struct fib_call call = {0, fib_data->n};
    fib(&call);
    fib_data->result = call.result;
}

void filch_case_stuck(void *data)
{
    struct stuck_data *stuck = data;
    struct stuck_task tasks[STUCK_TASKS];
    FILCH_SCOPE (scope) {
        for (int i = 0; i < STUCK_TASKS; i++) {
            tasks[i] = (struct stuck_task){stuck, i};
            if (filch_scope_spawn(scope, stuck_task_run, &tasks[i]) != 0)
                abort();
        }
        stuck_compute(stuck->own_ns);
    }
}
