/* SPDX-License-Identifier: Apache-2.0 */
/* Slabs: one mapping each, which holds many stacks and their guards. Private to the stack store,
 * under whose lock everything here happens unless it says otherwise. From its low end:
 *
 *     struct stack_slab and its array of stacks | guard 0 | stack 0 | guard 1 | stack 1 | ...
 *
 * Stacks are carved from it in order. Each is in one of five places: not carved yet; out (in a
 * cache or in use); in the warm list (idle, with pages of memory behind it); in the clean list
 * (idle, none behind it); in the bare list (given back without a guard, because none could be had).
 */
#ifndef FILCH_FIBER_SLAB_H
#define FILCH_FIBER_SLAB_H

#include "fiber/stack.h"

#include <filch/attr.h>
#include <stdbool.h>
#include <stddef.h>

struct stack_slab {
    struct stack_slab_link link; /* the store's */
    char *area;                  /* const: the guard of stack 0 */
    size_t map_bytes;            /* const */
    size_t stacks_max;           /* const */
    bool light_guards;           /* const: the kernel does MADV_GUARD_INSTALL here */
    size_t carved;
    size_t out;
    size_t warm_count;
    struct stack *warm;
    struct stack *clean;
    struct stack *bare;
    struct stack stacks[];
};

/* Maps a slab and finds out what guards it can have; without the lock.
 *   geometry     of the store                                                               [in]
 *   stacks_max   how many stacks, at least 1                                                [in]
 * Returns it, in no ring; NULL: no address space. Blocks: never. Panics: never. */
FILCH_NODISCARD struct stack_slab *filch__slab_map(const struct stack_geometry *geometry,
                                                   size_t stacks_max);

/* Unmaps a slab; without the lock.
 *   slab   in no ring, with no stack out                                                    [in]
 * Blocks: never. Panics: never. */
void filch__slab_unmap(struct stack_slab *slab);

/* Whether an idle stack, which has a guard, can be taken. */
static inline bool filch__slab_has_idle(const struct stack_slab *slab)
{
    return slab->warm != NULL || slab->clean != NULL;
}

/* Whether a stack without a guard can be taken. */
static inline bool filch__slab_has_room(const struct stack_slab *slab)
{
    return slab->bare != NULL || slab->carved < slab->stacks_max;
}

/* Takes an idle stack, the warm ones first.
 *   slab   has an idle stack                                                            [in,out]
 * Returns it; it counts as out. Blocks: never. Panics: never. */
FILCH_NODISCARD struct stack *filch__slab_take_idle(struct stack_slab *slab);

/* Takes a stack that has no guard yet.
 *   slab       has room                                                                 [in,out]
 *   geometry   of the store                                                                 [in]
 * Returns it; it counts as out. Blocks: never. Panics: never. */
FILCH_NODISCARD struct stack *filch__slab_take_new(struct stack_slab *slab,
                                                   const struct stack_geometry *geometry);

/* Puts a stack back into its slab, into the list that fits it. Blocks: never. Panics: never. */
void filch__slab_give(struct stack *stack);

/* Takes all warm stacks out of a slab, and puts them back, as clean, when their pages are gone.
 * Between the two they count as out, so that nobody takes them and nobody unmaps the slab. */
FILCH_NODISCARD struct stack *filch__slab_take_warm(struct stack_slab *slab);
void filch__slab_give_clean(struct stack_slab *slab, struct stack *list);

/* Drops the pages behind all stacks of a list that the caller holds; without the lock. Their
 * guards, which lie outside, stay. Blocks: never. Panics: never. */
void filch__slab_drop_pages(const struct stack_geometry *geometry, const struct stack *list);

/* Installs the guard of one stack that the caller holds; without the lock.
 * Returns false where the kernel has no mapping left for it. Blocks: never. Panics: never. */
FILCH_NODISCARD bool filch__slab_guard(const struct stack_geometry *geometry, struct stack *stack);

/* Installs the guards of the first stacks of a list that the caller holds with one system call,
 * where the kernel can do that; otherwise they are left as they are. Where many are in use, another call
 * gives them their first pages. Without the lock. Blocks: never. Panics: never. */
void filch__slab_guard_many(const struct stack_geometry *geometry, struct stack *list);

#endif
