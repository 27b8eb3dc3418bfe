/* SPDX-License-Identifier: Apache-2.0 */
/* What a function call leaves alone although no register that a switch saves holds it: `errno`, and
 * the floating-point modes (rounding, flush to zero, unmasked exceptions).
 *
 * Whoever sets a task aside keeps them across the wait; nobody else does:
 *
 *     struct ambient mine;
 *     filch__ambient_save(&mine, &errno);
 *     filch__fiber_switch(this_fiber, next_fiber);
 *     filch__ambient_restore(&mine, &errno);
 *
 * and a worker restores its own (saved when it started) before it runs a new task on behalf of a
 * stack that a waiting task has left, so that one task's modes do not reach the next. So a task
 * that rounds upwards or flushes to zero still does so after a wait, and its neighbours do not.
 *
 * This is not part of the switch because of its price. Storing MXCSR takes 4.2 ns on an EPYC of family
 * 25, but the processor goes on meanwhile with whatever does not need the value; writing it, and both
 * for the x87 control word, 0.5 ns. So it is stored where it stays, and nobody looks at it: reading it
 * into a register at once costs 6 ns (measured; and so does comparing first, to write only a
 * difference). The address of errno is the caller's, which knows it without a call.
 *
 * Of the exception flags (fetestexcept) it promises nothing, as the ABIs do not.
 */
#ifndef FILCH_FIBER_AMBIENT_H
#define FILCH_FIBER_AMBIENT_H

#include "fiber/context.h"

#include <filch/attr.h>
#include <stdint.h>

#if defined(__x86_64__)

struct fp_modes {
    uint32_t mxcsr;
    uint16_t x87_control;
};

static FILCH_ALWAYS_INLINE void filch__fp_modes_save(struct fp_modes *modes)
{
    __asm__ volatile("stmxcsr %0\n\tfnstcw %1"
                     : "=m"(modes->mxcsr), "=m"(modes->x87_control)
                     :
                     : "memory");
}

static FILCH_ALWAYS_INLINE void filch__fp_modes_restore(const struct fp_modes *modes)
{
    __asm__ volatile("ldmxcsr %0\n\tfldcw %1"
                     :
                     : "m"(modes->mxcsr), "m"(modes->x87_control)
                     : "memory");
}

#elif defined(__aarch64__)

struct fp_modes {
    uint64_t fpcr;
};

static FILCH_ALWAYS_INLINE void filch__fp_modes_save(struct fp_modes *modes)
{
    __asm__ volatile("mrs %0, fpcr" : "=r"(modes->fpcr) : : "memory");
}

/* Writing drains the pipeline on many processors and reading does not, so it looks first. */
static FILCH_ALWAYS_INLINE void filch__fp_modes_restore(const struct fp_modes *modes)
{
    struct fp_modes now;
    filch__fp_modes_save(&now);
    if (FILCH_UNLIKELY(now.fpcr != modes->fpcr))
        __asm__ volatile("msr fpcr, %0" : : "r"(modes->fpcr) : "memory");
}

#else /* swapcontext(3) carries them, as far as the C library does */

struct fp_modes {
    char none;
};

static FILCH_ALWAYS_INLINE void filch__fp_modes_save(struct fp_modes *modes)
{
    (void)modes;
}

static FILCH_ALWAYS_INLINE void filch__fp_modes_restore(const struct fp_modes *modes)
{
    (void)modes;
}

#endif

struct ambient {
    struct fp_modes modes;
    int error_number;
};

/* Keeps errno and the floating-point modes of the running thread.
 *   ambient       where                                                                     [out]
 *   error_number  &errno                                                                     [in]
 * Blocks: never. Panics: never. Callable from: threads and tasks. */
static FILCH_ALWAYS_INLINE void filch__ambient_save(struct ambient *ambient,
                                                    const int *error_number)
{
    filch__fp_modes_save(&ambient->modes);
    ambient->error_number = *error_number;
}

/* Sets errno and the floating-point modes of the running thread.
 *   ambient       from filch__ambient_save                                                   [in]
 *   error_number  &errno                                                                    [out]
 * Blocks: never. Panics: never. Callable from: threads and tasks. */
static FILCH_ALWAYS_INLINE void filch__ambient_restore(const struct ambient *ambient,
                                                       int *error_number)
{
    filch__fp_modes_restore(&ambient->modes);
    *error_number = ambient->error_number;
}

#endif
