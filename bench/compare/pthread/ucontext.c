/* SPDX-License-Identifier: Apache-2.0 */
#include "compare/pthread/channels.h"

#include "tasks/switching.h"

#include <stddef.h>
#include <ucontext.h>

static ucontext_t home, other;
static struct switching_data *switching;

static void switch_back(void)
{
    for (;;) {
        switching->done[1]++;
        swapcontext(&other, &home);
    }
}

void pthread_case_switch(void *data)
{
    static char stack[65536];
    switching = data;
    getcontext(&other);
    other.uc_stack.ss_sp = stack;
    other.uc_stack.ss_size = sizeof stack;
    makecontext(&other, switch_back, 0);
    for (uint64_t i = 0; i < switching->rounds; i++) {
        swapcontext(&home, &other);
        switching->done[0]++;
    }
}
