/* SPDX-License-Identifier: Apache-2.0 */
/* Tasks with a handle, as the pool makes them. */
#ifndef FILCH_POOL_TASK_H
#define FILCH_POOL_TASK_H

#include "cancel.h"
#include "deque.h"
#include "level.h"
#include "strand.h"
#include "task_place.h"

/* Inside, a `struct filch_task *` points to this; what users have is its handle (task_place.h). */
struct filch_task {
    struct task_place place; /* first */
    void (*fn)(void *);
    void *arg;
    void (*drop)(void *);
    void (*arg_drop)(void *);
    const char *name;
    uint64_t process; /* const: that spawned it */
    struct cancel cancel;
    struct filch_panic *panic; /* written before it ends; NULL: none, or it has been taken */
    int result;                /* the same */
    bool may_migrate;          /* const */
};

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

/* The task has been cancelled before it began. Returns its result. */
FILCH_COLD int filch__task_drop(struct filch_task *task);

/* The task has ended, or been dropped: whoever waits for it goes on. */
void filch__task_end(struct filch_task *task, int result);

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
 * would have to return through.
 *   call  what to call                                                                      [out]
 * Returns false: the task has been cancelled, and is over. */
static FILCH_ALWAYS_INLINE bool
filch__task_begins_in_loop(const struct task_run *run, struct strand *s, struct fiber_call *call)
{
    struct filch_task *task = run->item.arg;
    if (FILCH_UNLIKELY(filch__cancel_look(&task->cancel) != 0)) {
        filch__task_end(task, filch__task_drop(task));
        return false;
    }
    struct level *level = &run->loop->level;
    level->item = NULL;
    level->cancel = &task->cancel;
    s->task = task;
    *call = (struct fiber_call){task->fn, task->arg};
    return true;
}

/* Its function has returned. The task is found again: registers that kept it would be saved for all tasks. */
static FILCH_ALWAYS_INLINE void filch__task_ends_in_loop(const struct task_run *run,
                                                         struct strand *s)
{
    filch__task_leaves_loop(run, s);
    filch__task_end(run->item.arg, 0);
}

/* Spawns a task of the worker's pool with a handle, and nothing that is not the default: as
 * filch_pool_spawn. The worker is the caller's, and no guest. */
FILCH_NODISCARD int filch__task_spawn_here(struct worker *w, struct filch_task **handle,
                                           void (*fn)(void *), void *arg);

#endif
