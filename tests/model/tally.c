/* SPDX-License-Identifier: Apache-2.0 */
/* Tallies: the wait ends when every task has ended, not before, and what they did is seen then. */
#include "model.h"

#include "park/park.c"
#include "park/park_thread.c"
#include "pool/tally.c"

static struct tally *t; /* in the frame of the waiter, and gone when it returns */
static int work[3];     /* plain: written by tasks, read after the wait */
static int spawned;

/* A worker runs a task that was counted for it. */
static void *ends_one(void *unused)
{
    struct tally_credits credits = {0};
    (void)unused;
    work[0] = 1;
    filch__tally_ended(&credits, t);
    filch__tally_flush(&credits);
    return NULL;
}

static void *ends_another(void *unused)
{
    struct tally_credits credits = {0};
    (void)unused;
    work[1] = 1;
    filch__tally_ended(&credits, t);
    filch__tally_flush(&credits);
    return NULL;
}

/* A task that spawns another one, which it hands to the next thread. */
static void *spawns(void *unused)
{
    struct tally_credits credits = {0};
    (void)unused;
    work[0] = 1;
    filch__tally_spawned(&credits, t);
    FILCH_STORE(&spawned, 1, TEST_hand, release);
    filch__tally_ended(&credits, t);
    filch__tally_flush(&credits);
    return NULL;
}

static void *runs_spawned(void *unused)
{
    struct tally_credits credits = {0};
    (void)unused;
    if (!FILCH_LOAD(&spawned, TEST_hand, acquire))
        __VERIFIER_assume(0);
    work[1] = 1;
    filch__tally_ended(&credits, t);
    filch__tally_flush(&credits);
    return NULL;
}

#if SCENARIO == 1
#define TASKS 1
#define OTHERS ends_one
#elif SCENARIO == 2
#define TASKS 2
#define OTHERS ends_one, ends_another
#elif SCENARIO == 3
#define TASKS 1
#define WORK 2
#define OTHERS spawns, runs_spawned
#elif SCENARIO == 4 /* deadlines that pass beside the last end; then without one */
#define TASKS 1
#define TIMED 1
#define OTHERS ends_one, time_passes
#elif SCENARIO == 5
#define TASKS 2
#define TIMED 1
#define OTHERS ends_one, ends_another, time_passes
#endif
#ifndef WORK
#define WORK TASKS
#endif
#ifndef TIMED
#define TIMED 0
#endif

static void *waiter(void *unused)
{
    (void)unused;
    int error = ETIMEDOUT;
    if (TIMED)
        error = filch__tally_wait(t, 1);
    if (error == ETIMEDOUT)
        error = filch__tally_wait(t, FILCH_FOREVER);
    assert(error == 0);
    for (int i = 0; i < WORK; i++)
        assert(work[i] == 1);
    free(t);
    return NULL;
}

int main(void)
{
    t = malloc(sizeof *t);
    filch__tally_init(t);
    filch__tally_add(t, TASKS);
    MODEL_RUN(OTHERS, waiter);
    return 0;
}
