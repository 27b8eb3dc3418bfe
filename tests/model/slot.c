/* SPDX-License-Identifier: Apache-2.0 */
/* A claimed half: the owner waits for it, or takes it back from its own deque; the result is there
 * when it goes on, and the claimer touches nothing of the owner's frame after that. */
#include "model.h"

#include "halves.h"

#include "park/park.c"
#include "park/park_thread.c"
#include "pool/slot.c"

static struct filch__fork_stack forks;
struct filch__fork_stack *filch__forks = &forks;

void filch__run_call(struct filch__slot *s)
{
    (void)s;
}

static struct filch__slot slot;
static struct filch__slot *offered; /* stands for the fork stack: whoever has it has claimed it */
static int argument;
static int result;
static int runs;

static void half(struct filch__slot *s)
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
    FILCH_STORE_RELAXED(&slot.run, (uintptr_t)half);
    FILCH_STORE(&offered, &slot, FK_publish, release);
    if (FILCH_EXCHANGE(&offered, NULL, FK_claim, acquire) != NULL)
        half(&slot);
    else
        filch__slot_wait(&slot);
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
