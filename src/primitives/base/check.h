/* SPDX-License-Identifier: Apache-2.0 */
/* Assertions.
 *
 *   FILCH_CHECK   always on: corruption, and misuse that cannot be reported to the caller
 *   FILCH_DCHECK  in debug builds (-DFILCH_DEBUG=1); elsewhere still compiled, never evaluated
 *
 * A failed check prints one line to standard error and aborts; it allocates nothing and may be used
 * on any stack, in any thread. Conditions have no side effects.
 */
#ifndef FILCH_BASE_CHECK_H
#define FILCH_BASE_CHECK_H

#include <filch/attr.h>

#ifndef FILCH_DEBUG
#define FILCH_DEBUG 0
#endif

/* Prints "filch: <message> (<file>:<line>)" and aborts.
 *   message  what went wrong, for the user who reads it                                      [in]
 * Blocks: never. Panics: never; the process ends. */
FILCH_COLD FILCH_NORETURN void filch__abort(const char *message, const char *file, int line);

#define FILCH_CHECK(condition, message)                                                            \
    (FILCH_LIKELY(condition) ? (void)0 : filch__abort((message), __FILE__, __LINE__))

#if FILCH_DEBUG
#define FILCH_DCHECK(condition)                                                                    \
    (FILCH_LIKELY(condition) ? (void)0 : filch__abort("broken: " #condition, __FILE__, __LINE__))
#else
#define FILCH_DCHECK(condition) ((void)sizeof(!(condition)))
#endif

/* The struct that contains `member`, from a pointer to that member. */
#define FILCH_CONTAINER_OF(pointer, type, member)                                                  \
    ((type *)(void *)((char *)(pointer) - __builtin_offsetof(type, member)))

#endif
