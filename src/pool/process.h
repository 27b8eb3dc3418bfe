/* SPDX-License-Identifier: Apache-2.0 */
/* Which process this is: a forked child has the memory of its parent's pools, but not their threads.
 */
#ifndef FILCH_POOL_PROCESS_H
#define FILCH_POOL_PROCESS_H

#include <filch/attr.h>
#include <stdint.h>

/* Arranges that a forked child notices. Returns 0; ENOMEM. Once is enough; more do no harm. */
FILCH_NODISCARD int filch__process_init(void);

/* How many forks lie between the first process that used the library and this one. */
uint64_t filch__process_generation(void);

#endif
