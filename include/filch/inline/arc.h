/* SPDX-License-Identifier: Apache-2.0 */
/* The counts of a shared value, and what is inline of them. Private, although public headers include
 * it. Needs nothing but filch/attr.h and filch/inline/atomic.h, so that a model checker can read it. */
#ifndef FILCH_INLINE_ARC_H
#define FILCH_INLINE_ARC_H

#include <filch/attr.h>
#include <filch/inline/atomic.h>
#include <stddef.h>
#include <stdint.h>

FILCH_EXTERN_C_BEGIN

/* Lies before the value.
 *
 * `strong` counts the references; at 0 the value is dropped. `weak` counts the weak ones, and one for
 * all references together; at 0 the memory is freed. FILCH__ARC_LOCKED in `weak` says that somebody
 * looks whether the reference is the only one of any kind: no weak one may be made meanwhile. */
struct filch__arc {
    FILCH_SHARED(size_t) strong;
    FILCH_SHARED(size_t) weak;
    void (*drop)(void *value); /* const */
    size_t size_bytes;         /* const: of the value */
    void *block;               /* const: what is to be freed */
};

#define FILCH__ARC_LOCKED SIZE_MAX
/* A count beyond this is an overflow under way; there is room for all threads to notice it. */
#define FILCH__ARC_MAX (SIZE_MAX / 2)

static FILCH_ALWAYS_INLINE struct filch__arc *filch__arc_of(const void *value)
{
    return (struct filch__arc *)(void *)((char *)(size_t)value - sizeof(struct filch__arc));
}

/* A count has overflowed: ends the process with a message. */
FILCH_API FILCH_COLD FILCH_NORETURN void filch__arc_overflow(void);

/* The last reference has gone: drops the value, and gives the references' weak one back. */
FILCH_API void filch__arc_drop_value(struct filch__arc *arc);

static FILCH_ALWAYS_INLINE void filch__arc_add(struct filch__arc *arc)
{
    /* The caller's own reference keeps the value; whoever gets the new one gets it from us. As a number
     * with a sign, since the addition itself tells that: gcc needs no second look at the count. */
    if (FILCH_UNLIKELY((ptrdiff_t)(FILCH_FETCH_ADD_RELAXED(&arc->strong, 1) + 1) < 0))
        filch__arc_overflow();
}

/* Returns whether it was the last one: then all that the others did has happened before. */
static FILCH_ALWAYS_INLINE int filch__arc_sub(struct filch__arc *arc)
{
    if (FILCH_LIKELY(FILCH_FETCH_SUB(&arc->strong, 1, AR_sub, release) != 1))
        return 0;
    /* A load, not a fence: ThreadSanitizer knows what it means. */
    (void)FILCH_LOAD(&arc->strong, AR_last, acquire);
    return 1;
}

FILCH_EXTERN_C_END

#endif
