/* SPDX-License-Identifier: Apache-2.0 */
/* Which process this is: a forked child has the memory of its parent's pools, but not their threads.
 */
#ifndef FILCH_POOL_PROCESS_H
#define FILCH_POOL_PROCESS_H

#include "base/atomic.h"

#include <filch/attr.h>
#include <stdint.h>

/* Arranges that a forked child notices. Returns 0; ENOMEM. Once is enough; more do no harm. */
FILCH_NODISCARD int filch__process_init(void);

/* Written only while the process has one thread. */
extern FILCH_SHARED(uint64_t) filch__process_forks;

/* How many forks lie between the first process that used the library and this one. */
static inline uint64_t filch__process_generation(void)
{
    return FILCH_LOAD_RELAXED(&filch__process_forks); /* changes only where there is one thread */
}

#endif
