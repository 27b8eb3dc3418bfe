/* SPDX-License-Identifier: Apache-2.0 */
/* A set of CPUs by the numbers that Linux gives them, as large as the machine needs.
 *
 * The words are what sched_getaffinity(2) and sched_setaffinity(2) read and write. The fixed
 * cpu_set_t of the C library ends at CPU 1023, and CPU_ALLOC() does not use our allocator.
 */
#ifndef FILCH_OS_CPU_SET_H
#define FILCH_OS_CPU_SET_H

#include "os/os.h"

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { CPU_SET_WORD_BITS = sizeof(unsigned long) * CHAR_BIT };

struct cpu_set {
    size_t word_count;
    unsigned long *words; /* owned */
};

/* Makes an empty set with room for the CPUs 0 to cpu_limit - 1; false where memory is short. */
static inline bool filch__cpu_set_init(struct cpu_set *set, size_t cpu_limit)
{
    size_t word_count = cpu_limit / CPU_SET_WORD_BITS + 1;
    set->words = filch__os_alloc_zeroed(word_count, sizeof *set->words, sizeof *set->words);
    set->word_count = word_count;
    return set->words != NULL;
}

/* Makes the set of the CPUs that a thread may run on.
 *   set     not made yet                                                                   [out]
 *   thread  the kernel's number of it; 0 for the calling one
 * Returns 0; ENOMEM; ESRCH: there is no such thread. */
int filch__cpu_set_read(struct cpu_set *set, pid_t thread);

static inline void filch__cpu_set_fini(struct cpu_set *set)
{
    filch__os->free(set->words);
}

static inline size_t filch__cpu_set_limit(const struct cpu_set *set)
{
    return set->word_count * CPU_SET_WORD_BITS;
}

static inline bool filch__cpu_set_has(const struct cpu_set *set, size_t cpu)
{
    return cpu < filch__cpu_set_limit(set) &&
           ((set->words[cpu / CPU_SET_WORD_BITS] >> (cpu % CPU_SET_WORD_BITS)) & 1) != 0;
}

static inline size_t filch__cpu_set_count(const struct cpu_set *set)
{
    size_t count = 0;
    for (size_t i = 0; i < set->word_count; i++)
        count += (size_t)__builtin_popcountl(set->words[i]);
    return count;
}

/*   cpu   less than the limit */
static inline void filch__cpu_set_add(struct cpu_set *set, size_t cpu)
{
    set->words[cpu / CPU_SET_WORD_BITS] |= 1ul << (cpu % CPU_SET_WORD_BITS);
}

#endif
