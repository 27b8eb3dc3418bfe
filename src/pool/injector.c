/* SPDX-License-Identifier: Apache-2.0 */
#include "injector.h"

#include <string.h>

void filch__injector_init(struct injector *q)
{
    memset(q, 0, sizeof *q);
}

enum {
    /* Tasks that are copied under lock, at most: four words each, or one. */
    COPIED_MAX = 32,
    COPIED_PACKED_MAX = 4 * COPIED_MAX,
};

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
    filch__os->free(q->spare);
}

static struct task_item *tasks_of(struct injector_block *block)
{
    return (struct task_item *)(void *)(block + 1);
}

static void **args_of(struct injector_block *block)
{
    return (void **)(void *)(block + 1);
}

/* A block for tasks that come one by one. Under lock. NULL: no memory. */
static struct injector_block *block_new(struct injector *q)
{
    struct injector_block *block = NULL;
    size_t bytes = sizeof *block + INJECTOR_BLOCK_TASKS * sizeof(struct task_item);
    if (FILCH_LOAD_RELAXED(&q->spare) != NULL) /* a look */
        block = FILCH_EXCHANGE(&q->spare, NULL, IJ_spare, acquire);
    if (block == NULL)
        block = filch__os->alloc(bytes, _Alignof(struct task_item));
    if (block != NULL)
        *block = (struct injector_block){.is_packed = false};
    return block;
}

/* A block with all of a batch. NULL: no memory. */
static struct injector_block *block_pack(const struct task_item *model, void *const *args,
                                         size_t count)
{
    struct injector_block *block = NULL;
    if (count <= (SIZE_MAX - sizeof *block) / sizeof *args)
        block = filch__os->alloc(sizeof *block + count * sizeof *args, _Alignof(struct task_item));
    if (block == NULL)
        return NULL;
    *block = (struct injector_block){.put = count, .is_packed = true, .model = *model};
    memcpy(args_of(block), args, count * sizeof *args);
    return block;
}

/* Makes `next` the last block. Under lock. */
static void append_block(struct injector *q, struct injector_block *next)
{
    if (q->first == NULL)
        q->first = next;
    else
        q->last->next = next;
    q->last = next;
}

/* Counts what has been put. Sequentially consistent: the putter then looks for sleepers, and a sleeper
 * that has announced itself looks here. Under lock. */
static void count_put(struct injector *q, size_t count)
{
    (void)FILCH_FETCH_ADD(&q->size, count, IJ_put, seq_cst);
}

static int put_batch(struct injector *q, const struct task_item *model, void *const *args,
                     size_t count)
{
    struct injector_block *batch = block_pack(model, args, count);
    if (batch == NULL)
        return ENOMEM;
    filch__lock(&q->lock);
    append_block(q, batch);
    count_put(q, count);
    filch__unlock(&q->lock);
    return 0;
}

static int put_one(struct injector *q, const struct task_item *model, void *arg)
{
    int error = 0;
    filch__lock(&q->lock);
    if (q->first == NULL || q->last->is_packed || q->last->put == INJECTOR_BLOCK_TASKS) {
        struct injector_block *next = block_new(q);
        if (next != NULL)
            append_block(q, next);
        else
            error = ENOMEM;
    }
    if (error == 0) {
        struct task_item *task = &tasks_of(q->last)[q->last->put++];
        *task = *model;
        task->arg = arg;
        count_put(q, 1);
    }
    filch__unlock(&q->lock);
    return error;
}

int filch__injector_put(struct injector *q, const struct task_item *model, void *const *args,
                        size_t count)
{
    return count == 1 ? put_one(q, model, args[0]) : put_batch(q, model, args, count);
}

/* Copies the oldest `count` tasks of the block that have not been taken. */
static void copy_tasks(struct injector_block *block, struct task_item *tasks, size_t count)
{
    if (block->is_packed) {
        struct task_item model = block->model;
        void *const *args = args_of(block) + block->taken;
        for (size_t i = 0; i < count; i++) {
            tasks[i].fn = model.fn;
            tasks[i].arg = args[i];
            tasks[i].tally = model.tally;
            tasks[i].drop = model.drop;
        }
    } else {
        memcpy(tasks, tasks_of(block) + block->taken, count * sizeof *tasks);
    }
    block->taken += count;
}

/* The block is drained, and out of the queue. */
static void block_drop(struct injector *q, struct injector_block *block)
{
    if (!block->is_packed)
        block = FILCH_EXCHANGE(&q->spare, block, IJ_spare, acq_rel);
    filch__os->free(block);
}

/* Blocks are taken out of the queue whole where that is not too much, and copied when the lock has been
 * given back: what another thread has just written comes slowly, and whoever puts must not wait for it. */
size_t filch__injector_take(struct injector *q, struct task_item *tasks, size_t max)
{
    size_t taken = 0;
    if (!filch__injector_has_any(q) || max == 0)
        return 0;
    filch__lock(&q->lock);
    struct injector_block *block = q->first;
    size_t left = block == NULL ? 0 : block->put - block->taken;
    bool takes_whole = left > 0 && left <= max;
    if (takes_whole) {
        taken = left;
        q->first = block->next;
    } else if (left > 0) {
        size_t most = block->is_packed ? COPIED_PACKED_MAX : COPIED_MAX;
        taken = max < most ? max : most;
        copy_tasks(block, tasks, taken);
    }
    (void)FILCH_FETCH_SUB(&q->size, taken, IJ_put, seq_cst);
    filch__unlock(&q->lock);
    if (takes_whole) {
        copy_tasks(block, tasks, taken);
        block_drop(q, block);
    }
    return taken;
}
