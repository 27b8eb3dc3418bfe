/* SPDX-License-Identifier: Apache-2.0 */
/* The atomic accesses (see filch/inline/atomic.h), and what goes with them: the width of a cache
 * line and the hint to a processor that it spins. */
#ifndef FILCH_BASE_ATOMIC_H
#define FILCH_BASE_ATOMIC_H

#include <filch/attr.h>
#include <filch/inline/atomic.h>
#include <stdint.h>

/* Two threads that write within one of these disturb each other. The adjacent-line prefetcher of
 * x86 makes pairs of lines travel together, but padding to 128 bytes measured no better here. */
#define FILCH_CACHE_LINE 64

#if FILCH_TEST_HOOKS
void filch__sched_relax(void);
static FILCH_ALWAYS_INLINE void filch__cpu_relax(void)
{
    filch__sched_relax(); /* a schedule of one thread at a time lets another one go on here */
}
#elif defined(__x86_64__) || defined(__i386__)
static FILCH_ALWAYS_INLINE void filch__cpu_relax(void)
{
    __builtin_ia32_pause();
}
#elif defined(__aarch64__)
static FILCH_ALWAYS_INLINE void filch__cpu_relax(void)
{
    __asm__ volatile("isb" ::: "memory"); /* `yield` does nothing on most of these processors */
}
#else
static FILCH_ALWAYS_INLINE void filch__cpu_relax(void)
{
    __asm__ volatile("" ::: "memory");
}
#endif

#endif
