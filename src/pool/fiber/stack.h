/* SPDX-License-Identifier: Apache-2.0 */
/* Stacks for tasks that wait: mapped lazily, guarded, reused.
 *
 *     struct stack_store store;                    one for each pool
 *     filch__stack_store_init(&store, 0);
 *     struct stack_cache cache;                    one for each worker
 *     filch__stack_cache_init(&cache, &store);
 *     struct stack *stack;
 *     int error = filch__stack_get(&cache, &stack);
 *     ...                                          use stack->low up to stack->top
 *     filch__stack_put(&cache, stack);
 *     filch__stack_cache_drain(&cache);
 *     filch__stack_store_destroy(&store);
 *
 * The store is safe from all threads; a cache and the stacks got from it belong to one thread at a
 * time. A stack may be put into another cache of the same store than the one it came from.
 *
 * One mapping, a slab, holds 16 to 1,024 stacks. What is not touched costs address space only.
 * Below each stack lies a guard that no access survives. Where the kernel has MADV_GUARD_INSTALL
 * (Linux 6.13) guards cost no mapping, so that a million stacks fit into the default
 * vm.max_map_count of 65,530; elsewhere each is an mprotect and a process ends near 32,700 stacks,
 * with ENOMEM.
 *
 * The default of 1 MiB is what recursive and numeric code needs that was written for threads, and
 * address space is free. What the size does cost is page tables: a waiting task whose frames fit
 * into half a page takes 4,096 bytes, a line for its struct stack, and 8 bytes for each page of its
 * stack, used or not, up to 4,096. That is 150 at 64 KiB, 2,200 at the default. Programs with a
 * million waiting tasks ask for 64 KiB.
 *
 * The guard is a sixteenth of the stack, but one page at least and 64 KiB at most: a local array of
 * that size which is not written from its high end still hits it. On a fresh stack 64 KiB cost 280
 * ns more than one page, once.
 *
 * Two stacks never meet in the same sets of the processor's caches more often than chance wants it:
 * the number of pages from one to the next is odd (page translation), and tops differ by multiples
 * of 320 bytes within 2 KiB (level 1), which leaves half a page for the first frames. Measured, as
 * ns per direct switch among 16, 256 and 1,000 stacks: 7.2, 6.3, 7.0 with neither, 2.4, 3.6, 3.5
 * with both (EPYC of family 25).
 *
 * It promises nothing about the contents of a stack.
 */
#ifndef FILCH_FIBER_STACK_H
#define FILCH_FIBER_STACK_H

#include "park/lock.h"

#include <filch/attr.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    FILCH_STACK_SIZE_DEFAULT_BYTES = 1024 * 1024,
    /* Room for a signal handler's frame with AVX-512 or AMX state on top of a task's own. */
    FILCH_STACK_SIZE_MIN_BYTES = 32 * 1024,
    /* Tops differ by up to this. */
    FILCH_STACK_COLOUR_RANGE_BYTES = 2048,
    /* More than this a cache does not keep; it then gives half of them back to the store. */
    FILCH_STACK_CACHE_MAX = 32,
};

/* What lies below a stack. */
enum stack_guard {
    STACK_GUARD_NONE,      /* not yet; a stack that was handed out has one of the others */
    STACK_GUARD_LIGHT,     /* MADV_GUARD_INSTALL: no mapping of its own */
    STACK_GUARD_PROTECTED, /* mprotect: splits the mapping */
};

struct stack_slab;

/* One stack. It does not lie on the stack itself, so an idle one needs no page, and one that ran
 * over cannot spoil it. */
struct stack {
    _Alignas(FILCH_CACHE_LINE) char *low; /* lowest usable byte, above the guard; const */
    char *top;                            /* one past the highest; a multiple of 64; const */
    struct stack_slab *slab;              /* const */
    struct stack *next;                   /* link of whoever holds it */
    enum stack_guard guard;               /* holder only */
};

/* A node in the ring of slabs. */
struct stack_slab_link {
    struct stack_slab_link *previous;
    struct stack_slab_link *next;
};

/* Sizes that all stacks of a store share. */
struct stack_geometry {
    size_t page_bytes;
    size_t guard_bytes;
    size_t stride_bytes; /* from one stack to the next */
};

/* What a pool shares. Fields are private to stack.c. */
struct stack_store {
    struct lock lock;
    struct stack_slab_link reusable; /* under lock: slabs with idle stacks */
    struct stack_slab_link rest;     /* under lock: the others */
    size_t slab_count;               /* under lock */
    size_t slab_stacks_next;         /* under lock: size of the next slab, in stacks */
    struct stack_geometry geometry;  /* const after init */
};

/* What one worker keeps. Owner only; fields are private to stack.c. */
struct stack_cache {
    struct stack_store *store;
    struct stack *first; /* the one put last comes first: its pages are the warmest */
    size_t count;
};

/* What a store holds at a moment; other threads may have changed it by the time it is read. */
struct stack_counts {
    size_t carved; /* stacks that exist */
    size_t out;    /* of these, in caches or in use */
    size_t warm;   /* of these, idle in the store with pages of memory behind them */
    size_t slabs;  /* mappings */
};

/* Prepares a store that maps nothing yet.
 *   store        not initialised                                                           [out]
 *   size_bytes   usable bytes of each stack, rounded up to pages; 0: the default             [in]
 * Returns 0; EINVAL (size below the minimum, or too large to be added up).
 * Ownership: the caller's memory, until filch__stack_store_destroy. Blocks: never. Panics: never.
 * Callable from: threads and tasks. */
FILCH_NODISCARD int filch__stack_store_init(struct stack_store *store, size_t size_bytes);

/* Unmaps everything. A stack that is still out ends the program: it would be pulled from under
 * somebody's feet.
 *   store   all stacks given back, all caches drained; no other thread uses it            [in,out]
 * Blocks: never. Panics: never; aborts if a stack is out. Callable from: threads. */
void filch__stack_store_destroy(struct stack_store *store);

/* Gives memory of idle stacks back to the system, those of one slab: unmaps one that has none out, or
 * drops the pages of the idle ones, at about 1.6 us for each, a millisecond or two for all. So it is for a
 * worker that has become idle, which looks for work in between. What the caches hold stays.
 *   store   initialised                                                                   [in,out]
 * Returns true; false: there was nothing to give. Blocks: briefly, on the store's lock. Panics: never.
 * Callable from: threads and tasks. */
bool filch__stack_store_trim(struct stack_store *store);

/* Counts what is there, by a walk over the slabs: for statistics and tests.
 *   store   initialised                                                                       [in]
 * Returns the counts. Blocks: briefly. Panics: never. Callable from: threads and tasks. */
FILCH_NODISCARD struct stack_counts filch__stack_store_counts(struct stack_store *store);

/* Prepares an empty cache.
 *   cache   not initialised                                                                [out]
 *   store   initialised; outlives the cache                                                 [in]
 * Blocks: never. Panics: never. Callable from: threads and tasks. */
void filch__stack_cache_init(struct stack_cache *cache, struct stack_store *store);

/* Gives all that the cache holds back to the store.
 *   cache   empty afterwards, and still usable                                            [in,out]
 * Blocks: briefly, on the store's lock. Panics: never. Callable from: the owner. */
void filch__stack_cache_drain(struct stack_cache *cache);

/* Whether an address lies in the guard of a stack. */
static inline bool filch__stack_is_guard(const struct stack_cache *cache, const struct stack *stack,
                                         const void *address)
{
    uintptr_t low = (uintptr_t)stack->low;
    return (uintptr_t)address < low &&
           (uintptr_t)address >= low - cache->store->geometry.guard_bytes;
}

/* Gets a guarded stack, from the cache if it can.
 *   cache   the caller's                                                                  [in,out]
 *   stack   the stack, on success only                                                       [out]
 * Returns 0; ENOMEM (no address space, or no mapping for a guard; nothing is lost by it).
 * Ownership: the caller's until filch__stack_put. Blocks: briefly, when the cache is empty.
 * Panics: never. Callable from: the owner of the cache. */
FILCH_NODISCARD int filch__stack_get(struct stack_cache *cache, struct stack **stack);

/* Puts a stack back that nothing runs on.
 *   cache   the caller's, of the same store as the stack                                  [in,out]
 *   stack   from filch__stack_get                                                            [in]
 * Ownership: takes the stack. Blocks: briefly, when the cache is full. Panics: never.
 * Callable from: the owner of the cache. */
void filch__stack_put(struct stack_cache *cache, struct stack *stack);

/* How much of a stack has been used since its pages were last dropped, to the lowest byte that is
 * not zero: an estimate for statistics. Pages that were swapped out count as not used. About 3 us.
 *   stack   held by the caller                                                               [in]
 * Returns bytes. Blocks: never. Panics: never. Callable from: whoever holds the stack. */
FILCH_NODISCARD size_t filch__stack_used_max_bytes(const struct stack *stack);

#endif
