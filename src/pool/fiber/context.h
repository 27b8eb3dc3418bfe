/* SPDX-License-Identifier: Apache-2.0 */
/* The raw switch: leave the stack that this code runs on and go on with another one.
 *
 *     static void *main_context, *other_context;
 *     static void other(void *argument)
 *     {
 *         ...
 *         filch__context_switch(&other_context, main_context);
 *     }
 *     other_context = filch__context_make(low, top, other, argument);
 *     filch__context_switch(&main_context, other_context);
 *
 * A context is one pointer to what a stopped stack needs to go on; it lies on that stack. It is
 * good for one switch, by the thread that stopped. Exactly one implementation is compiled in:
 *
 *     context_x86_64.S, context_aarch64.S   hand-written
 *     context_ucontext.c                    everything else, and -DFILCH_PORTABLE_CONTEXT=1
 *
 * What a switch carries over are the registers that a C function may expect to keep: on x86-64 rbp, and by
 * way of the compiler rbx and r12 to r15; on aarch64 x19 to x29 and d8 to d15. What it does not carry over is `errno`
 * and the floating-point modes (rounding, flush to zero), because reading the modes takes longer
 * than the whole switch (figures in ambient.h). Whoever sets a task aside keeps those with
 * ambient.h; a switch inside the scheduler needs neither. The signal mask belongs to the thread,
 * not to the stack; only context_ucontext.c swaps it, since the C library's calls do.
 *
 * The processor predicts the target of a return from the calls it has seen, on whatever stack. So a switch must
 * neither call without a return nor return without a call, or the prediction of every later return is one call
 * off. That of aarch64 is a function, which ends in a return: it is predicted where the caller that goes on is the
 * one that has stopped. That of x86-64 is in line and ends in a jump, with neither call nor return, and the
 * compiler saves what it needs: predicted in both cases. Measured, as ns on an EPYC of family 25: a yield of a
 * task 10.3 with a function that returns, 18.1 with one that jumps; a bare switch between two different callers 8
 * and 2.5, 227 with swapcontext, between stacks in the same loop 2.2 with a return; what the one in line gains, and
 * a call that leaves the stack, is in the pool's README. The unwind tables are exact at each instruction, so that a
 * debugger, a profiler or a panic can walk out of a switch; the frame at the base of a stack has no caller, and says
 * so.
 *
 * Shadow stacks (Intel CET, ARM GCS) do not know these switches: the objects of assembly that belong to
 * them carry no such mark, and must not: the linker therefore leaves the feature off for what they are
 * linked into.
 */
#ifndef FILCH_FIBER_CONTEXT_H
#define FILCH_FIBER_CONTEXT_H

#ifndef FILCH_PORTABLE_CONTEXT
#define FILCH_PORTABLE_CONTEXT 0
#endif

/* Which implementation: the first line of each of the three files asks this. */
#if FILCH_PORTABLE_CONTEXT
#define FILCH_CONTEXT_X86_64 0
#define FILCH_CONTEXT_AARCH64 0
#elif defined(__x86_64__) && defined(__LP64__)
#define FILCH_CONTEXT_X86_64 1
#define FILCH_CONTEXT_AARCH64 0
#elif defined(__aarch64__) && defined(__LP64__)
#define FILCH_CONTEXT_X86_64 0
#define FILCH_CONTEXT_AARCH64 1
#else
#define FILCH_CONTEXT_X86_64 0
#define FILCH_CONTEXT_AARCH64 0
#endif
#define FILCH_CONTEXT_UCONTEXT (!FILCH_CONTEXT_X86_64 && !FILCH_CONTEXT_AARCH64)

#ifndef __ASSEMBLER__

#include <filch/attr.h>
#include <stddef.h>

/* Stops the running stack and goes on with another one; returns when something switches back.
 *   saved   where the context of the running stack is stored, before it is left            [out]
 *   to      from filch__context_make, or stored by an earlier switch of this thread; used up [in]
 * Ownership: borrows *saved until it is switched to. Blocks: no; returns when switched to.
 * Panics: never. Callable from: threads and tasks. Ordering: none, it is one thread throughout. */
#if FILCH_CONTEXT_X86_64 && !defined(FILCH_MODEL)
#include "fiber/context_x86_64.h"
#else
void filch__context_switch(void **saved, void *to);

#define FILCH_CONTEXT_LEAVE ((void (*)(void *))NULL)

static FILCH_ALWAYS_INLINE void filch__context_call(void (*fn)(void *), void *arg, void **saved)
{
    if (fn == FILCH_CONTEXT_LEAVE)
        filch__context_switch(saved, arg);
    else
        fn(arg);
}
#endif

/* filch__context_call(fn, arg, saved) calls fn(arg), which may panic, where no handler is in the caller;
 * filch__context_call(FILCH_CONTEXT_LEAVE, to, saved) is filch__context_switch(saved, to). On x86-64 both are one
 * instruction, so that it is not known to the processor which it was. A loop that begins and resumes with the same one
 * has, whatever it goes on with, made the call from which the return of what it began there is predicted. */

/* Prepares a stack so that the first switch to it calls entry(argument) there.
 *   low, top   the lowest byte of the stack, and one past the highest; at least 8 KiB apart; memory
 *              just below `top` is written                                                   [in]
 *   entry      must never return: it switches away for the last time                         [in]
 *   argument   passed on                                                                     [in]
 * Returns the context. Ownership: borrows the stack for as long as the context is in use.
 * Blocks: never. Panics: never. Callable from: threads and tasks. */
FILCH_NODISCARD void *filch__context_make(void *low, void *top, void (*entry)(void *),
                                          void *argument);

#endif
#endif
