/* SPDX-License-Identifier: Apache-2.0 */
#include "fiber/fiber.h"

#include "base/section.h"

#include <stddef.h>
#include <stdint.h>

/* The lowest frame of each fiber but for the one of the switch, which ends every walk. */
static void fiber_base(void *argument)
{
    struct fiber *self = argument;
    filch__annotate_arrived(&self->annotation);
    struct fiber *next = self->entry(self->argument);
    FILCH_CHECK(next != NULL && next != self && !next->ended,
                "a fiber ended and named no other one to go on");
    self->ended = true;
    filch__annotate_leaves_for_good(&self->annotation, &next->annotation);
    filch__context_switch(&self->context, next->context);
    filch__abort("a fiber that had ended was switched to", __FILE__, __LINE__);
}

FILCH_WAKE_PATH void filch__fiber_adopt_thread(struct fiber *fiber)
{
    *fiber = (struct fiber){.context = NULL};
    filch__annotate_adopted(&fiber->annotation);
}

int filch__fiber_create(struct fiber **fiber, size_t size_bytes, struct stack_cache *cache,
                        fiber_entry *entry, void *argument)
{
    struct stack *stack;
    int error = filch__stack_get(cache, &stack);
    if (error != 0)
        return error;
    size_t place_bytes = (size_bytes + FILCH_CACHE_LINE - 1) / FILCH_CACHE_LINE * FILCH_CACHE_LINE;
    char *top = stack->top - place_bytes;
    struct fiber *created = (struct fiber *)(void *)top;
    *created = (struct fiber){.entry = entry, .argument = argument, .stack = stack};
    created->context = filch__context_make(stack->low, top, fiber_base, created);
    filch__annotate_created(&created->annotation, stack->low, (size_t)(top - stack->low));
    *fiber = created;
    return 0;
}

void filch__fiber_destroy(struct fiber *fiber, struct stack_cache *cache)
{
    FILCH_DCHECK(fiber->stack != NULL);
    filch__annotate_destroyed(&fiber->annotation, fiber->context);
    filch__stack_put(cache, fiber->stack);
}
