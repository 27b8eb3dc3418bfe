/* SPDX-License-Identifier: Apache-2.0 */
/* Who runs here: the word by which a lock knows its owner. Private, although public headers include
 * it: the inline code of locks has to see it.
 *
 * A thread has one, and so has every stack that a pool's worker runs tasks on, so that a task keeps
 * its own wherever it waits. It consists of a number that is never used again, and of two bits:
 *
 *     FILCH__SELF_PANICKING   a panic unwinds this stack now: a lock that is taken now will not be
 *                             poisoned by that panic, one that was taken before will
 *     FILCH__SELF_TASK        the owner may be set aside while it holds a lock
 */
#ifndef FILCH_INLINE_SELF_H
#define FILCH_INLINE_SELF_H

#include <filch/attr.h>
#include <stdint.h>

FILCH_EXTERN_C_BEGIN

#define FILCH__SELF_PANICKING (UINT64_C(1) << 63) /* the sign: see filch__self_is_usual */
#define FILCH__SELF_TASK UINT64_C(2)
/* The bits below the number; those that are not listed here are for whatever word holds an owner. */
#define FILCH__SELF_SHIFT 8
#define FILCH__SELF_BITS (FILCH__SELF_PANICKING | FILCH__SELF_TASK)

/* The word of what runs on this thread now; 0: it has none yet. Changes where stacks are switched, so
 * it is read anew after every call that may wait. */
extern FILCH_API __thread uint64_t filch__self __attribute__((tls_model("initial-exec")));

/* Whether there is an identity already, and no panic. */
static FILCH_ALWAYS_INLINE int filch__self_is_usual(uint64_t self)
{
    return (int64_t)self > 0;
}

FILCH_EXTERN_C_END

#endif
