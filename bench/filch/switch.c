/* SPDX-License-Identifier: Apache-2.0 */
/* The switch beneath the tasks: the one thing measured here that is not in the public headers. */
#include "filch/cases.h"
#include "tasks/switching.h"

#include "fiber/context.h"

#include <stddef.h>

static void *contexts[2];
static int arrived;

/* Both are in the same loop, as the tasks of a pool are: the processor predicts where a switch returns to by
 * what was called last (fiber/context.h). */
static __attribute__((noinline)) void take_turns(struct switching_data *d)
{
    const int number = arrived++;
    for (uint64_t i = 0; i < d->rounds; i++) {
        d->done[number]++;
        filch__context_switch(&contexts[number], contexts[1 - number]);
    }
}

static void other(void *argument)
{
    take_turns(argument); /* its last switch is never answered */
}

void filch_case_switch(void *data)
{
    static char stack[65536] __attribute__((aligned(16)));
    contexts[1] = filch__context_make(stack, stack + sizeof stack, other, data);
    arrived = 0;
    take_turns(data);
}
