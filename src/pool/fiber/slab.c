/* SPDX-License-Identifier: Apache-2.0 */
#include "fiber/slab.h"

#include "base/check.h"
#include "fiber/annotate.h"
#include "os/os.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/uio.h>

enum {
    COLOUR_STEP_BYTES = 320,
    GUARD_BATCH_MAX = 32,
    DROP_BATCH_MAX = 64,
    /* Of slabs of so many stacks, which come when a thousand are in use, each will be used soon. */
    POPULATED_STACKS = 1024,
    /* Advice that the headers of older C libraries do not name. */
    ADVICE_POPULATE_READ = 22,
    ADVICE_POPULATE_WRITE = 23,
    ADVICE_GUARD_INSTALL = 102,
};

/* Whether the kernel really guards: an emulator may take advice that it does not know for a hint,
 * and report success. A page that is guarded cannot be read, not even ahead of time. */
static bool guards_work_at(const struct stack_geometry *geometry, char *pages)
{
    return filch__os->advise(pages, geometry->guard_bytes, ADVICE_GUARD_INSTALL) == 0 &&
           filch__os->advise(pages, geometry->page_bytes, ADVICE_POPULATE_READ) == EFAULT;
}

struct stack_slab *filch__slab_map(const struct stack_geometry *geometry, size_t stacks_max)
{
    size_t page_bytes = geometry->page_bytes;
    size_t header_bytes = sizeof(struct stack_slab) + stacks_max * sizeof(struct stack);
    header_bytes = (header_bytes + page_bytes - 1) / page_bytes * page_bytes;
    size_t map_bytes;
    if (__builtin_mul_overflow(stacks_max, geometry->stride_bytes, &map_bytes) ||
        __builtin_add_overflow(map_bytes, header_bytes, &map_bytes))
        return NULL;
    struct stack_slab *slab = filch__os->map(map_bytes);
    if (slab == NULL)
        return NULL;
    /* A huge page would make one touched byte cost 2 MiB. A kernel without them refuses: fine. */
    (void)filch__os->advise(slab, map_bytes, MADV_NOHUGEPAGE);
    slab->area = (char *)slab + header_bytes;
    slab->map_bytes = map_bytes;
    slab->stacks_max = stacks_max;
    slab->light_guards = guards_work_at(geometry, slab->area);
    return slab; /* the rest is zero, as fresh pages are */
}

void filch__slab_unmap(struct stack_slab *slab)
{
    size_t map_bytes = slab->map_bytes;
    /* Fails only if the kernel must split a mapping and has none left; then the pages at least go,
     * and the address space stays with the process. */
    if (filch__os->unmap(slab, map_bytes) != 0)
        (void)filch__os->advise(slab, map_bytes, MADV_DONTNEED);
}

struct stack *filch__slab_take_idle(struct stack_slab *slab)
{
    bool warm = slab->warm != NULL;
    struct stack **list = warm ? &slab->warm : &slab->clean;
    struct stack *stack = *list;
    *list = stack->next;
    slab->warm_count -= warm;
    slab->out++;
    return stack;
}

struct stack *filch__slab_take_new(struct stack_slab *slab, const struct stack_geometry *geometry)
{
    slab->out++;
    struct stack *stack = slab->bare;
    if (stack != NULL) {
        slab->bare = stack->next;
        return stack;
    }
    size_t index = slab->carved++;
    char *bottom = slab->area + index * geometry->stride_bytes;
    size_t colour_bytes = index * COLOUR_STEP_BYTES % FILCH_STACK_COLOUR_RANGE_BYTES;
    stack = &slab->stacks[index];
    *stack = (struct stack){
        .low = bottom + geometry->guard_bytes,
        .top = bottom + geometry->stride_bytes - colour_bytes,
        .slab = slab,
        .guard = STACK_GUARD_NONE,
    };
    return stack;
}

void filch__slab_give(struct stack *stack)
{
    struct stack_slab *slab = stack->slab;
    FILCH_DCHECK(slab->out > 0);
    bool warm = stack->guard != STACK_GUARD_NONE;
    struct stack **list = warm ? &slab->warm : &slab->bare;
    stack->next = *list;
    *list = stack;
    slab->warm_count += warm;
    slab->out--;
}

struct stack *filch__slab_take_warm(struct stack_slab *slab)
{
    struct stack *list = slab->warm;
    slab->warm = NULL;
    slab->out += slab->warm_count;
    slab->warm_count = 0;
    return list;
}

void filch__slab_give_clean(struct stack_slab *slab, struct stack *list)
{
    while (list != NULL) {
        struct stack *stack = list;
        list = stack->next;
        stack->next = slab->clean;
        slab->clean = stack;
        slab->out--;
    }
}

/* In batches: else each stack makes all processors forget their pages. A kernel before 6.13 refuses this
 * advice in batches. */
void filch__slab_drop_pages(const struct stack_geometry *geometry, const struct stack *list)
{
    struct iovec ranges[DROP_BATCH_MAX];
    bool in_batches = !filch__annotate_on_valgrind();
    while (list != NULL) {
        size_t count = 0;
        for (; list != NULL && count < DROP_BATCH_MAX; list = list->next)
            ranges[count++] = (struct iovec){
                .iov_base = list->low,
                .iov_len = geometry->stride_bytes - geometry->guard_bytes,
            };
        in_batches =
            in_batches && count > 1 && filch__os->advise_batch(ranges, count, MADV_DONTNEED) == 0;
        for (size_t i = 0; i < count && !in_batches; i++)
            (void)filch__os->advise(ranges[i].iov_base, ranges[i].iov_len, MADV_DONTNEED);
    }
}

bool filch__slab_guard(const struct stack_geometry *geometry, struct stack *stack)
{
    char *pages = stack->low - geometry->guard_bytes;
    size_t size_bytes = geometry->guard_bytes;
    /* Locked memory refuses the light kind even where the kernel has it. */
    if (stack->slab->light_guards &&
        filch__os->advise(pages, size_bytes, ADVICE_GUARD_INSTALL) == 0)
        stack->guard = STACK_GUARD_LIGHT;
    else if (filch__os->protect(pages, size_bytes, PROT_NONE) == 0)
        stack->guard = STACK_GUARD_PROTECTED;
    return stack->guard != STACK_GUARD_NONE;
}

/* Gives the stacks their first pages, which costs less at once than by faults; where it fails, there will be
 * faults. */
static void populate(const struct stack_geometry *geometry, struct stack *const *stacks,
                     struct iovec *ranges, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        uintptr_t last = (uintptr_t)stacks[i]->top - 1;
        ranges[i].iov_base = stacks[i]->top - 1 - last % geometry->page_bytes;
        ranges[i].iov_len = geometry->page_bytes;
    }
    (void)filch__os->advise_batch(ranges, count, ADVICE_POPULATE_WRITE);
}

void filch__slab_guard_many(const struct stack_geometry *geometry, struct stack *list)
{
    if (filch__annotate_on_valgrind())
        return;
    struct iovec ranges[GUARD_BATCH_MAX];
    struct stack *stacks[GUARD_BATCH_MAX];
    size_t count = 0;
    for (struct stack *s = list; s != NULL && count < GUARD_BATCH_MAX; s = s->next) {
        if (s->guard != STACK_GUARD_NONE || !s->slab->light_guards)
            continue;
        ranges[count].iov_base = s->low - geometry->guard_bytes;
        ranges[count].iov_len = geometry->guard_bytes;
        stacks[count++] = s;
    }
    if (count < 2 || filch__os->advise_batch(ranges, count, ADVICE_GUARD_INSTALL) != 0)
        return;
    for (size_t i = 0; i < count; i++)
        stacks[i]->guard = STACK_GUARD_LIGHT;
    if (stacks[0]->slab->stacks_max >= POPULATED_STACKS)
        populate(geometry, stacks, ranges, count);
}
