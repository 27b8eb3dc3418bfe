/* SPDX-License-Identifier: Apache-2.0 */
/* The switch beneath the tasks: the one thing measured here that is not in the public headers. */
#include "filch/cases.h"
#include "tasks/switching.h"

#include "fiber/context.h"

#include <stddef.h>

static void *home, *other;

static void switch_back(void *argument)
{
    struct switching_data *d = argument;
    for (;;) {
        d->done[1]++;
        filch__context_switch(&other, home);
    }
}

void filch_case_switch(void *data)
{
    static char stack[65536] __attribute__((aligned(16)));
    struct switching_data *d = data;
    other = filch__context_make(stack, stack + sizeof stack, switch_back, d);
    for (uint64_t i = 0; i < d->rounds; i++) {
        filch__context_switch(&home, other);
        d->done[0]++;
    }
}
