/* SPDX-License-Identifier: Apache-2.0 */
/* Tasks with a handle, as the pool makes them. */
#ifndef FILCH_POOL_TASK_H
#define FILCH_POOL_TASK_H

#include "cancel.h"
#include "deque.h"
#include "level.h"
#include "pool.h"
#include "process.h"
#include "strand.h"
#include "task_place.h"

/* Inside, a `struct filch_task *` points to this; what users have is its handle (task_place.h). */
struct filch_task {
    struct task_place place; /* first */
    void (*fn)(void *);
    void *arg;
    uint64_t process; /* const: that spawned it */
    int result;       /* written before it ends; in a free place 0 */
    bool has_attr;    /* the last four say something; until it has ended, then they are 0 */
    struct cancel cancel;
    struct filch_panic *panic; /* with the result EOWNERDEAD; else NULL */
    void (*drop)(void *);
    void (*arg_drop)(void *);
    const char *name;
    bool may_migrate;
};

/* The place that a handle, or its number, names; NULL: there is none. Whether the task there is that of the handle
 * its ending says. */
static FILCH_ALWAYS_INLINE struct filch_task *filch__task_at(uintptr_t handle)
{
    unsigned k = filch__task_chunk_of(handle);
    uintptr_t index = (filch__task_number(handle) ^ (uintptr_t)1 << k) >> 1;
    struct filch_task *chunk = FILCH_LOAD_RELAXED(&filch__task_chunks[k]); /* as the handle */
    return chunk == NULL ? NULL : &chunk[index];
}

/* Makes a task that nobody has spawned, within `around` and without a handle. Returns NULL: no memory. */
struct filch_task *filch__task_new(const struct filch_task_attr *attr, void (*fn)(void *),
                                   void *arg, struct cancel *around);

/* Frees a task that could not be spawned. */
void filch__task_free_unspawned(struct filch_task *task);

/* As it was named; NULL: unnamed. */
const char *filch__task_name(const struct filch_task *task);

/* What a queue holds of the task. */
struct task_item filch__task_item(struct filch_task *task, struct tally *tally);

/* What items of tasks have as their function, but for those that may migrate where not all may. */
void filch__task_run(void *task);

/* The task has ended, or been dropped: whoever waits for it goes on. */
void filch__task_end(struct filch_task *task, int result);

/* The same, with the result 0. */
static FILCH_ALWAYS_INLINE void filch__task_end_well(struct filch_task *task)
{
    if (FILCH_UNLIKELY(task->has_attr) || !filch__ending_set_held(&task->place.ending))
        filch__task_end(task, 0);
}

/* The same of one that has panicked, begun by filch__task_begins_in_loop. */
void filch__task_panicked(struct filch_task *task, struct filch_panic *panic);

/* A task with a handle is over that a loop of tasks has run. */
static FILCH_ALWAYS_INLINE void filch__task_leaves_loop(const struct task_run *run,
                                                        struct strand *s)
{
    struct task_loop *loop = run->loop;
    s->task = loop->below;
    loop->level.item = &run->item;
    loop->level.cancel = NULL;
}

/* The loop is about to call the function of run->item, a task with a handle. The loop's boundary and level are the
 * task's as well. So between the loop and the function of the task there is no frame that a task which has waited
 * would have to return through. Returns what to call. */
static FILCH_ALWAYS_INLINE struct fiber_call filch__task_begins_in_loop(const struct task_run *run,
                                                                        struct strand *s)
{
    struct filch_task *task = run->item.arg;
    struct level *level = &run->loop->level;
    level->item = NULL;
    level->cancel = &task->cancel;
    s->task = task;
    return (struct fiber_call){task->fn, task->arg};
}

/* Its function has returned. The task is found again: registers that kept it would be saved for all tasks. */
static FILCH_ALWAYS_INLINE void filch__task_ends_in_loop(const struct task_run *run,
                                                         struct strand *s)
{
    filch__task_leaves_loop(run, s);
    filch__task_end_well(run->item.arg);
}

/* What is called where the item of a task is cancelled. */
void filch__task_cancel_item(void *task);

/* Spawns a task of the worker's pool with a handle, and nothing that is not the default, where all that it needs is at
 * hand. The worker is the caller's, and no guest. Returns whether it has: then
 * filch__strand_has_spawned comes next. */
static FILCH_ALWAYS_INLINE bool filch__task_spawn_here(struct worker *w, struct filch_task **handle,
                                                       void (*fn)(void *), void *arg)
{
    struct filch_task *task = w->task_places.first;
    struct tally *tally = &w->pool->tally;
    struct task_item item = {
        .fn = filch__task_run, .arg = task, .tally = tally, .drop = filch__task_cancel_item};
    if (FILCH_UNLIKELY(task == NULL) || FILCH_UNLIKELY(filch__task_place_is_worn(task)) ||
        FILCH_UNLIKELY(!filch__tally_has_credit(&w->credits, tally)) ||
        FILCH_UNLIKELY(!filch__deque_put(&w->deque, &item)))
        return false;
    w->credits.held--;
    w->task_places.first = task->place.next;
    w->task_places.count--;
    *handle = filch__task_handle_begin(task); /* it may end before the spawn does */
    task->fn = fn;
    task->arg = arg;
    task->process = w->pool->process;
    filch__cancel_renew_at(&task->cancel, &tally->cancel, w->pool, w->index);
    filch__deque_show(&w->deque);
    return true;
}

#endif
