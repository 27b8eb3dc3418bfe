/* SPDX-License-Identifier: Apache-2.0 */
/* Settings from the environment. These two files are the only ones that read it. */
#ifndef FILCH_OS_ENV_H
#define FILCH_OS_ENV_H

#include <stdbool.h>
#include <stddef.h>

/* Reads a size or count: decimal digits, with an optional K, M or G for 2^10, 2^20, 2^30.
 *   name      of the variable                                                               [in]
 *   fallback  the value where it is not set or empty
 *   value     receives the number                                                          [out]
 * Returns 0; EINVAL (set, but no such number, or 0). Blocks: never. Panics: never.
 * Callable from: threads, while nobody changes the environment. */
int filch__env_size(const char *name, size_t fallback, size_t *value);

/* Reads one of several words.
 *   name    of the variable                                                                 [in]
 *   words   the words, `count` of them                                                      [in]
 *   chosen  receives the index of the word; unchanged where the variable is not set or empty [out]
 * Returns 0; EINVAL (set to something else). Blocks: never. Panics: never. */
int filch__env_word(const char *name, const char *const *words, size_t count, size_t *chosen);

/* Whether a variable is set whose name begins so. Blocks: never. Panics: never. */
bool filch__env_has_any(const char *prefix);

#endif
