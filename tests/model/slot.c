/* SPDX-License-Identifier: Apache-2.0 */
/* A claimed half: the owner waits for it, or takes it back from its own deque; the result is there
 * when it goes on, and the claimer touches nothing of the owner's frame after that. */
#include "model.h"

#include "../../src/primitives/park/park.c"
#include "../../src/primitives/park/park_thread.c"
#include <filch/inline/fork.h>

/* struct slot_waiter, filch__slot_execute and wait_for: the runner cuts them out of worker.h, worker.c
 * and fork.c, of which the checker does not read the whole. */
#include "slot_code.h"

static struct filch__slot slot;
static struct filch__slot *offered; /* stands for the fork stack: whoever has it has claimed it */
static int argument;
static int result;
static int runs;

static void run_half(struct filch__slot *s)
{
    int *p = (int *)s->args[0];
    assert(*p == 7);
    *p = 0;
    result = 8;
    runs++;
}

static void *thief(void *unused)
{
    (void)unused;
    if (FILCH_EXCHANGE(&offered, NULL, FK_claim, acquire) != NULL)
        filch__slot_execute(&slot);
    return NULL;
}

static void fork_and_sync(void)
{
    argument = 7;
    slot.args[0] = (uintptr_t)&argument;
    FILCH_STORE_RELAXED(&slot.run, (uintptr_t)run_half);
    FILCH_STORE(&offered, &slot, FK_publish, release);
    if (FILCH_EXCHANGE(&offered, NULL, FK_claim, acquire) != NULL)
        run_half(&slot);
    else
        wait_for(&slot);
    assert(result == 8 && argument == 0);
    result = 0;
}

#if SCENARIO == 1 /* one half, one thief */
#define THIEVES thief
enum { HALVES = 1 };
#elif SCENARIO == 2 /* the slot is used again for the next half, and stolen again */
#define THIEVES thief, thief
enum { HALVES = 2 };
#endif

static void *owner(void *unused)
{
    (void)unused;
    for (int i = 0; i < HALVES; i++)
        fork_and_sync();
    return NULL;
}

int main(void)
{
    MODEL_RUN(THIEVES, owner);
    assert(runs == HALVES);
    return 0;
}
