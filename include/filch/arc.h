/* SPDX-License-Identifier: Apache-2.0 */
/* Values that several owners share: the last one to give up its reference drops the value.
 *
 *     struct image *image;
 *     int error = FILCH_ARC_CREATE(&image, image_close);
 *     ...                                                   // fill it in while nobody else has it
 *     error = filch_thread_spawn(&thread, &attr, show, FILCH_ARC_CLONE(image));
 *     filch_arc_drop(image);                                // show() drops its own reference
 *
 * A reference is a plain pointer to the value. Each one is given up exactly once: dropped, unwrapped,
 * or handed on. A weak reference (`struct filch_weak *`) keeps the memory, not the value, and becomes a
 * reference as long as there is one: what points back at its owner does so weakly, or both stay for
 * ever.
 *
 * References may be cloned and dropped by any threads and tasks at the same time; the value itself is
 * as safe as it is made. A value that is shared is changed under a lock, or by whoever has found that
 * nobody else has it (filch_arc_get_mut).
 */
#ifndef FILCH_ARC_H
#define FILCH_ARC_H

#include <filch/attr.h>
#include <filch/errors.h>
#include <filch/inline/arc.h>
#include <stddef.h>
#include <stdint.h>

FILCH_EXTERN_C_BEGIN

struct filch_weak;

/* Makes a shared value, all zero, and the first reference to it.
 *   value        receives the reference                                                    [out]
 *   size_bytes   of the value; may be 0
 *   align_bytes  of the value: a power of two
 *   drop         called on the value when the last reference has gone; NULL: nothing is called
 * Returns 0; EINVAL (value NULL, no power of two); ENOMEM. Ownership: the caller drops *value.
 * Blocks: never. Panics: never. Callable from: threads and tasks. */
FILCH_API FILCH_NODISCARD int filch_arc_create(void **value, size_t size_bytes, size_t align_bytes,
                                               void (*drop)(void *value));

/* The same, for the address of a `type *`. */
#define FILCH_ARC_CREATE(pointer, drop)                                                            \
    filch__arc_create_at((pointer), sizeof **(pointer), __alignof__(**(pointer)), (drop))

/* Another reference to the same value.
 *   value  a reference; NULL is allowed
 * Returns value; aborts with a message before the count could overflow. Ownership: the caller drops
 * it. Blocks: never. Panics: never. Callable from: threads and tasks. Ordering: none. */
static inline void *filch_arc_clone(const void *value)
{
    if (FILCH_LIKELY(value != NULL))
        filch__arc_add(filch__arc_of(value));
    return (void *)(size_t)value;
}

/* The same, of the pointer's own type. */
#define FILCH_ARC_CLONE(pointer) ((__typeof__(pointer))filch_arc_clone(pointer))

/* Gives a reference up; where it is the last one, drops the value.
 *   value  gone afterwards; NULL is allowed
 * Blocks: as the value's drop function. Panics: likewise. Callable from: threads and tasks.
 * Ordering: what was done with the value through other references happens before it is dropped. */
static inline void filch_arc_drop(void *value)
{
    if (FILCH_LIKELY(value != NULL) && filch__arc_sub(filch__arc_of(value)))
        filch__arc_drop_value(filch__arc_of(value));
}

/* The value, to be changed, where this reference is the only one of any kind, weak ones included.
 *   value  a reference; NULL is allowed
 * Returns value; NULL where somebody else has a reference. Blocks: never. Panics: never.
 * Callable from: threads and tasks. Ordering: what was done through references that have gone happens
 * before a return of the value. */
FILCH_API FILCH_NODISCARD void *filch_arc_get_mut(void *value);

/* The same, of the pointer's own type. */
#define FILCH_ARC_GET_MUT(pointer) ((__typeof__(pointer))filch_arc_get_mut(pointer))

/* Moves the value out, where this reference is the only one; weak ones find nothing any more. The drop
 * function is not called.
 *   value  a reference; gone after a return of 0                                            [in]
 *   out    room for the value, copied byte by byte                                         [out]
 * Returns 0; EBUSY (there are others; the reference stays); EINVAL. Blocks: never. Panics: never.
 * Callable from: threads and tasks. Ordering: as filch_arc_drop. */
FILCH_API FILCH_NODISCARD int filch_arc_try_unwrap(void *value, void *out);

/* Gives the reference up and moves the value out, where it was the last one. When all owners do so,
 * exactly one of them gets the value, however they race.
 *   value  a reference; gone afterwards, whatever is returned                               [in]
 *   out    room for the value, copied byte by byte                                         [out]
 * Returns 0; EBUSY (there are others: nothing was moved); EINVAL (NULL: nothing was changed). Blocks:
 * never. Panics: never. Callable from: threads and tasks. Ordering: as filch_arc_drop. */
FILCH_API FILCH_NODISCARD int filch_arc_into_inner(void *value, void *out);

/* How many references there are, or weak ones. Others may change it at any time.
 *   value  a reference                                                                      [in]
 * Returns the number; 0 for NULL. Blocks: never. Panics: never. Callable from: threads and tasks. */
FILCH_API size_t filch_arc_strong_count(const void *value);

/* The same of weak references. */
FILCH_API size_t filch_arc_weak_count(const void *value);

/* --- weak references --- */

/* A weak reference to the value.
 *   value  a reference; it stays; NULL is allowed                                           [in]
 * Returns the weak reference; NULL for NULL; aborts with a message before the count could overflow.
 * Ownership: the caller drops it. Blocks: never. Panics: never. Callable from: threads and tasks. */
FILCH_API FILCH_NODISCARD struct filch_weak *filch_arc_downgrade(const void *value);

/* A reference to the value, if it is still there.
 *   weak  a weak reference; it stays; NULL is allowed                                       [in]
 * Returns the reference; NULL where the value has been dropped or moved out. Ownership: the caller
 * drops it. Blocks: never. Panics: never. Callable from: threads and tasks. Ordering: what the owners
 * did before they handed the weak reference on happens before the return. */
FILCH_API FILCH_NODISCARD void *filch_weak_upgrade(const struct filch_weak *weak);

/* The same, as a pointer to a type. */
#define FILCH_WEAK_UPGRADE(type, weak) ((type *)filch_weak_upgrade(weak))

/* Another weak reference; as filch_arc_downgrade. */
FILCH_API FILCH_NODISCARD struct filch_weak *filch_weak_clone(const struct filch_weak *weak);

/* Gives a weak reference up.
 *   weak  gone afterwards; NULL is allowed                                                  [in]
 * Blocks: never. Panics: never. Callable from: threads and tasks. */
FILCH_API void filch_weak_drop(struct filch_weak *weak);

/* What FILCH_ARC_CREATE calls.
 *   pointer  of a `type *`, whatever the type is */
FILCH_NODISCARD static inline int filch__arc_create_at(void *pointer, size_t size_bytes,
                                                       size_t align_bytes, void (*drop)(void *))
{
    void *value = NULL;
    int error = filch_arc_create(&value, size_bytes, align_bytes, drop);
    if (error == 0)
        __builtin_memcpy(pointer, &value, sizeof value);
    return error;
}

FILCH_EXTERN_C_END

#endif
