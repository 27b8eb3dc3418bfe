/* SPDX-License-Identifier: Apache-2.0 */
#include "injector.h"

#include <string.h>

void filch__injector_init(struct injector *q)
{
    memset(q, 0, sizeof *q);
}

static void free_blocks(struct injector_block *block)
{
    while (block != NULL) {
        struct injector_block *next = block->next;
        filch__os->free(block);
        block = next;
    }
}

void filch__injector_destroy(struct injector *q)
{
    free_blocks(q->first);
    free_blocks(q->spare);
}

static struct injector_block *block_new(struct injector *q)
{
    struct injector_block *block = q->spare;
    if (block != NULL)
        q->spare = NULL;
    else
        block = filch__os->alloc(sizeof *block, FILCH_CACHE_LINE);
    if (block != NULL)
        block->next = NULL;
    return block;
}

/* Blocks for what does not fit into the last one. Returns the first of them; NULL: none needed, or
 * none to be had (*error says which). Under lock. */
static struct injector_block *blocks_for(struct injector *q, size_t count, int *error)
{
    size_t room = q->first == NULL ? 0 : INJECTOR_BLOCK_TASKS - q->last_used;
    struct injector_block *first = NULL;
    struct injector_block **link = &first;
    *error = 0;
    for (size_t have = room; have < count; have += INJECTOR_BLOCK_TASKS) {
        *link = block_new(q);
        if (*link == NULL) {
            free_blocks(first);
            *error = ENOMEM;
            return NULL;
        }
        link = &(*link)->next;
    }
    return first;
}

/* Makes `next` the last block. Under lock. */
static void append_block(struct injector *q, struct injector_block *next)
{
    if (q->first == NULL) {
        q->first = next;
        q->first_used = 0;
    } else {
        q->last->next = next;
    }
    q->last = next;
    q->last_used = 0;
}

int filch__injector_put(struct injector *q, const struct task_item *model, void *const *args,
                        size_t count)
{
    int error;
    filch__lock(&q->lock);
    struct injector_block *fresh = blocks_for(q, count, &error);
    if (error != 0) {
        filch__unlock(&q->lock);
        return error;
    }
    for (size_t i = 0; i < count; i++) {
        if (q->first == NULL || q->last_used == INJECTOR_BLOCK_TASKS) {
            struct injector_block *next = fresh;
            fresh = next->next;
            next->next = NULL;
            append_block(q, next);
        }
        struct task_item *task = &q->last->tasks[q->last_used++];
        *task = *model;
        task->arg = args[i];
    }
    /* Sequentially consistent: the putter then looks for sleepers, and a sleeper that has announced
     * itself looks here. */
    (void)FILCH_FETCH_ADD(&q->size, count, IJ_put, seq_cst);
    filch__unlock(&q->lock);
    return 0;
}

/* The first block is drained: keeps it as the spare one, or frees it. Under lock. */
static void drop_first(struct injector *q)
{
    struct injector_block *drained = q->first;
    q->first = drained->next;
    q->first_used = 0;
    if (q->first == NULL)
        q->last = NULL;
    drained->next = NULL;
    if (q->spare == NULL)
        q->spare = drained;
    else
        filch__os->free(drained);
}

size_t filch__injector_take(struct injector *q, struct task_item *tasks, size_t max)
{
    size_t taken = 0;
    if (!filch__injector_has_any(q))
        return 0;
    filch__lock(&q->lock);
    while (taken < max && q->first != NULL) {
        size_t used = q->first == q->last ? q->last_used : (size_t)INJECTOR_BLOCK_TASKS;
        if (q->first_used < used)
            tasks[taken++] = q->first->tasks[q->first_used++];
        if (q->first_used == used && (q->first != q->last || used == INJECTOR_BLOCK_TASKS))
            drop_first(q);
        else if (q->first_used == used)
            break;
    }
    (void)FILCH_FETCH_SUB(&q->size, taken, IJ_put, seq_cst);
    filch__unlock(&q->lock);
    return taken;
}
