/* SPDX-License-Identifier: Apache-2.0 */
/* The identity of what runs on a thread; filch/inline/self.h says what its word consists of.
 *
 * Whoever switches stacks keeps the word with the stack that it leaves; a stack starts with 0. */
#ifndef FILCH_PARK_SELF_H
#define FILCH_PARK_SELF_H

#include <filch/inline/self.h>
#include <stdbool.h>

/* The word of what runs here, made where there is none yet.
 * Returns it; never 0. Blocks: never. Panics: never. Callable from: threads and tasks. */
uint64_t filch__self_get(void);

/* A panic begins or has ended to unwind this stack.
 * Blocks: never. Panics: never. Callable from: threads and tasks. */
void filch__self_set_panicking(bool is_panicking);

#endif
