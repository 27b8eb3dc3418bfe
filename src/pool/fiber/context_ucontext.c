/* SPDX-License-Identifier: Apache-2.0 */
/* The switch where nobody has written one: the C library's. Each switch costs a system call for
 * the signal mask. A context points to the ucontext_t of its stack, which lies on that stack: of
 * a fresh one at the top, of a stopped one in the frame of filch__context_switch. */
#include "fiber/context.h"

#if FILCH_CONTEXT_UCONTEXT

#include "base/check.h"
#include "fiber/annotate.h"

#include <stddef.h>
#include <stdint.h>
#include <ucontext.h>

/* makecontext(3) passes on nothing but ints, so the two pointers travel in halves. */
FILCH_NO_SANITIZE static void context_base(unsigned entry_high, unsigned entry_low,
                                           unsigned argument_high, unsigned argument_low)
{
    uint64_t entry_bits = (uint64_t)entry_high << 32 | entry_low;
    uint64_t argument_bits = (uint64_t)argument_high << 32 | argument_low;
    void (*entry)(void *) = (void (*)(void *))(uintptr_t)entry_bits;
    entry((void *)(uintptr_t)argument_bits);
    filch__abort("the entry function of a stack returned", __FILE__, __LINE__);
}

/* Left on one stack and returned from on another: nothing for a sanitizer to count. */
FILCH_NO_SANITIZE void filch__context_switch(void **saved, void *to)
{
    ucontext_t here;
    *saved = &here;
    FILCH_CHECK(swapcontext(&here, to) == 0, "swapcontext failed");
}

void *filch__context_make(void *low, void *top, void (*entry)(void *), void *argument)
{
    uintptr_t place = ((uintptr_t)top - sizeof(ucontext_t)) & ~(uintptr_t)63;
    ucontext_t *context = (ucontext_t *)place;
    FILCH_CHECK(getcontext(context) == 0, "getcontext failed");
    context->uc_stack.ss_sp = low;
    context->uc_stack.ss_size = place - (uintptr_t)low;
    context->uc_link = NULL;
    uint64_t entry_bits = (uintptr_t)entry;
    uint64_t argument_bits = (uintptr_t)argument;
    makecontext(context, (void (*)(void))context_base, 4, (unsigned)(entry_bits >> 32),
                (unsigned)entry_bits, (unsigned)(argument_bits >> 32), (unsigned)argument_bits);
    return context;
}

#endif
