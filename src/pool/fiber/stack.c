/* SPDX-License-Identifier: Apache-2.0 */
/* The store keeps its slabs in two rings: "reusable" are those with idle stacks, "rest" the
 * others, and there those with room for a new stack lie in front of those without. So the first
 * of each ring is all that one has to look at. System calls that may take long (map, guard, drop
 * pages) are made without the lock. */
#include "fiber/stack.h"

#include "base/check.h"
#include "fiber/annotate.h"
#include "fiber/slab.h"
#include "os/os.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/mman.h>

enum {
    SLAB_STACKS_FIRST = 16,
    SLAB_STACKS_MAX = 1024,
    /* How many stacks a cache takes from the store at once, few of them at first. */
    REFILL_STACKS = FILCH_STACK_CACHE_MAX / 2,
    REFILL_STACKS_MAX = FILCH_STACK_CACHE_MAX,
    GUARD_SHARE = 16,
    GUARD_MAX_BYTES = 64 * 1024,
};

/* ---- Rings of slabs: all under the store's lock ---------------------------------------------- */

static struct stack_slab *slab_of(struct stack_slab_link *link)
{
    return FILCH_CONTAINER_OF(link, struct stack_slab, link);
}

static void ring_init(struct stack_slab_link *ring)
{
    ring->previous = ring;
    ring->next = ring;
}

static void ring_insert_after(struct stack_slab_link *place, struct stack_slab_link *link)
{
    link->previous = place;
    link->next = place->next;
    place->next->previous = link;
    place->next = link;
}

static void ring_remove(struct stack_slab_link *link)
{
    link->previous->next = link->next;
    link->next->previous = link->previous;
}

static struct stack_slab *ring_first(struct stack_slab_link *ring)
{
    return ring->next == ring ? NULL : slab_of(ring->next);
}

/* Moves a slab to where it belongs after its lists have changed; among the reusable ones it becomes
 * the last. */
static void store_place(struct stack_store *store, struct stack_slab *slab)
{
    ring_remove(&slab->link);
    if (filch__slab_has_idle(slab))
        ring_insert_after(store->reusable.previous, &slab->link);
    else if (filch__slab_has_room(slab))
        ring_insert_after(&store->rest, &slab->link);
    else
        ring_insert_after(store->rest.previous, &slab->link);
}

/* ---- Single stacks: all under the store's lock ----------------------------------------------- */

/* Takes an idle stack from the store; NULL: there is none. */
static struct stack *store_take_idle(struct stack_store *store)
{
    struct stack_slab *slab = ring_first(&store->reusable);
    if (slab == NULL)
        return NULL;
    struct stack *stack = filch__slab_take_idle(slab);
    if (!filch__slab_has_idle(slab))
        store_place(store, slab);
    return stack;
}

/* Takes a stack without a guard from the store; NULL: it needs another slab. */
static struct stack *store_take_new(struct stack_store *store)
{
    struct stack_slab *slab = ring_first(&store->rest);
    if (slab == NULL || !filch__slab_has_room(slab))
        return NULL;
    struct stack *stack = filch__slab_take_new(slab, &store->geometry);
    if (!filch__slab_has_room(slab))
        store_place(store, slab);
    return stack;
}

static void store_give(struct stack_store *store, struct stack *stack)
{
    struct stack_slab *slab = stack->slab;
    bool had_idle = filch__slab_has_idle(slab);
    bool had_room = filch__slab_has_room(slab);
    filch__slab_give(stack);
    if (filch__slab_has_idle(slab) != had_idle || filch__slab_has_room(slab) != had_room)
        store_place(store, slab);
}

/* ---- Store ----------------------------------------------------------------------------------- */

int filch__stack_store_init(struct stack_store *store, size_t size_bytes)
{
    if (size_bytes == 0)
        size_bytes = FILCH_STACK_SIZE_DEFAULT_BYTES;
    /* Large enough for any use, small enough for the sums below. */
    if (size_bytes < FILCH_STACK_SIZE_MIN_BYTES || size_bytes > SIZE_MAX / 4)
        return EINVAL;
    size_t page_bytes = filch__page_size_bytes();
    size_t guard_bytes = size_bytes / GUARD_SHARE;
    if (guard_bytes > GUARD_MAX_BYTES)
        guard_bytes = GUARD_MAX_BYTES;
    size_t guard_pages = (guard_bytes + page_bytes - 1) / page_bytes;
    size_t size_pages = (size_bytes + FILCH_STACK_COLOUR_RANGE_BYTES + page_bytes - 1) / page_bytes;
    /* An odd number, so that the tops of many stacks spread over all sets of the translation
     * cache. */
    size_t stride_pages = (guard_pages + size_pages) | 1;
    *store = (struct stack_store){
        .slab_stacks_next = SLAB_STACKS_FIRST,
        .geometry = {.page_bytes = page_bytes,
                     .guard_bytes = guard_pages * page_bytes,
                     .stride_bytes = stride_pages * page_bytes},
    };
    ring_init(&store->reusable);
    ring_init(&store->rest);
    return 0;
}

/* Empties a ring and unmaps what was in it. */
static void unmap_ring(struct stack_slab_link *ring)
{
    for (struct stack_slab *slab = ring_first(ring); slab != NULL; slab = ring_first(ring)) {
        FILCH_CHECK(slab->out == 0, "a pool's stacks go while a task is still on one");
        ring_remove(&slab->link);
        filch__slab_unmap(slab);
    }
}

void filch__stack_store_destroy(struct stack_store *store)
{
    unmap_ring(&store->reusable);
    unmap_ring(&store->rest);
    store->slab_count = 0;
}

/* Drops the pages of one slab's warm stacks; called and returns with the lock held, gives it up in
 * between. */
static void store_trim_slab(struct stack_store *store, struct stack_slab *slab)
{
    struct stack *list = filch__slab_take_warm(slab);
    store_place(store, slab);
    filch__unlock(&store->lock);
    filch__slab_drop_pages(&store->geometry, list);
    filch__lock(&store->lock);
    filch__slab_give_clean(slab, list);
    store_place(store, slab);
}

/* A slab whose memory, or part of it, nobody needs; NULL: there is none. Those that have been trimmed go
 * to the end of their ring, so this looks at few. */
static struct stack_slab *store_find_idle(struct stack_store *store)
{
    struct stack_slab_link *link;
    for (link = store->reusable.next; link != &store->reusable; link = link->next) {
        if (slab_of(link)->out == 0 || slab_of(link)->warm != NULL)
            return slab_of(link);
    }
    /* Slabs that never gave a stack, or only such as could not be guarded. */
    for (link = store->rest.next; link != &store->rest; link = link->next) {
        if (slab_of(link)->out == 0)
            return slab_of(link);
        if (!filch__slab_has_room(slab_of(link)))
            break;
    }
    return NULL;
}

bool filch__stack_store_trim(struct stack_store *store)
{
    filch__lock(&store->lock);
    struct stack_slab *slab = store_find_idle(store);
    if (slab != NULL && slab->out > 0)
        store_trim_slab(store, slab);
    bool is_unused = slab != NULL && slab->out == 0;
    if (is_unused) {
        ring_remove(&slab->link);
        store->slab_count--;
    }
    filch__unlock(&store->lock);
    if (is_unused)
        filch__slab_unmap(slab);
    return slab != NULL;
}

static void count_ring(struct stack_slab_link *ring, struct stack_counts *counts)
{
    for (struct stack_slab_link *link = ring->next; link != ring; link = link->next) {
        const struct stack_slab *slab = slab_of(link);
        counts->carved += slab->carved;
        counts->out += slab->out;
        counts->warm += slab->warm_count;
        counts->slabs++;
    }
}

struct stack_counts filch__stack_store_counts(struct stack_store *store)
{
    struct stack_counts counts = {0};
    filch__lock(&store->lock);
    count_ring(&store->reusable, &counts);
    count_ring(&store->rest, &counts);
    filch__unlock(&store->lock);
    return counts;
}

/* ---- Cache ----------------------------------------------------------------------------------- */

void filch__stack_cache_init(struct stack_cache *cache, struct stack_store *store)
{
    *cache = (struct stack_cache){.store = store};
}

/* Takes up to REFILL_STACKS from the store into an empty cache, by one of the two ways; under the
 * store's lock. */
static void cache_take(struct stack_cache *cache, struct stack *(*take)(struct stack_store *))
{
    bool are_many = cache->store->slab_stacks_next >= SLAB_STACKS_MAX;
    size_t count_max = are_many ? REFILL_STACKS_MAX : REFILL_STACKS;
    struct stack *stack = take(cache->store);
    while (stack != NULL) {
        stack->next = cache->first;
        cache->first = stack;
        stack = ++cache->count < count_max ? take(cache->store) : NULL;
    }
}

/* Takes new stacks from a slab of its own; a smaller one where the address space is limited. Two
 * workers may come to this at once: then both slabs stay. */
static void cache_take_mapped(struct stack_cache *cache, size_t stacks_max)
{
    struct stack_store *store = cache->store;
    struct stack_slab *slab = NULL;
    for (; slab == NULL && stacks_max > 0; stacks_max /= 2)
        slab = filch__slab_map(&store->geometry, stacks_max);
    if (slab == NULL)
        return;
    filch__lock(&store->lock);
    ring_insert_after(&store->rest, &slab->link);
    store->slab_count++;
    if (store->slab_stacks_next < SLAB_STACKS_MAX)
        store->slab_stacks_next *= 2;
    cache_take(cache, store_take_new);
    filch__unlock(&store->lock);
}

/* Fills an empty cache, new stacks only where there is no idle one. False: no address space. */
static bool cache_refill(struct stack_cache *cache)
{
    struct stack_store *store = cache->store;
    filch__lock(&store->lock);
    cache_take(cache, store_take_idle);
    if (cache->first == NULL)
        cache_take(cache, store_take_new);
    size_t stacks_max = store->slab_stacks_next;
    filch__unlock(&store->lock);
    if (cache->first == NULL)
        cache_take_mapped(cache, stacks_max);
    filch__slab_guard_many(&store->geometry, cache->first);
    return cache->first != NULL;
}

/* Gives all but the `keep` warmest stacks back. */
static void cache_spill(struct stack_cache *cache, size_t keep)
{
    struct stack **end = &cache->first;
    for (size_t i = 0; i < keep; i++)
        end = &(*end)->next;
    struct stack *list = *end;
    *end = NULL;
    cache->count = keep;
    filch__lock(&cache->store->lock);
    while (list != NULL) {
        struct stack *stack = list;
        list = stack->next;
        store_give(cache->store, stack);
    }
    filch__unlock(&cache->store->lock);
}

void filch__stack_cache_drain(struct stack_cache *cache)
{
    cache_spill(cache, 0);
}

/* No guard could be had for a new stack: perhaps somebody has given a guarded one back
 * meanwhile. */
static FILCH_COLD bool cache_exchange(struct stack_cache *cache)
{
    filch__stack_cache_drain(cache);
    filch__lock(&cache->store->lock);
    cache_take(cache, store_take_idle);
    filch__unlock(&cache->store->lock);
    return cache->first != NULL;
}

int filch__stack_get(struct stack_cache *cache, struct stack **stack)
{
    if (FILCH_UNLIKELY(cache->first == NULL) && !cache_refill(cache))
        return ENOMEM;
    if (FILCH_UNLIKELY(cache->first->guard == STACK_GUARD_NONE) &&
        !filch__slab_guard(&cache->store->geometry, cache->first) && !cache_exchange(cache))
        return ENOMEM;
    struct stack *found = cache->first;
    cache->first = found->next;
    cache->count--;
    *stack = found;
    return 0;
}

void filch__stack_put(struct stack_cache *cache, struct stack *stack)
{
    FILCH_DCHECK(stack->guard != STACK_GUARD_NONE);
    stack->next = cache->first;
    cache->first = stack;
    if (FILCH_UNLIKELY(++cache->count > FILCH_STACK_CACHE_MAX))
        cache_spill(cache, FILCH_STACK_CACHE_MAX / 2);
}

/* ---- How much was used ----------------------------------------------------------------------- */

/* The lowest page from `low` on that has memory behind it, or `end`. */
static char *first_resident_page(char *low, char *end, size_t page_bytes)
{
    unsigned char resident[256];
    int saved_errno = errno;
    while (low < end) {
        size_t pages = ((size_t)(end - low) + page_bytes - 1) / page_bytes;
        if (pages > sizeof resident)
            pages = sizeof resident;
        if (mincore(low, pages * page_bytes, resident) != 0)
            break; /* not expected; then the rest counts as used */
        size_t i = 0;
        while (i < pages && (resident[i] & 1) == 0)
            i++;
        low += i * page_bytes;
        if (i < pages)
            break;
    }
    errno = saved_errno;
    return low < end ? low : end;
}

FILCH_NO_SANITIZE size_t filch__stack_used_max_bytes(const struct stack *stack)
{
    char *page = first_resident_page(stack->low, stack->top, filch__page_size_bytes());
    /* Volatile: no variable that the compiler knows of lives there. */
    volatile const uint64_t *word = (volatile const uint64_t *)(void *)page;
    volatile const uint64_t *end = (volatile const uint64_t *)(void *)stack->top;
    filch__annotate_scan_begins();
    while (word < end && *word == 0)
        word++;
    filch__annotate_scan_ends();
    return (size_t)((volatile const char *)stack->top - (volatile const char *)word);
}
