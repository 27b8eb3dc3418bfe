/* SPDX-License-Identifier: Apache-2.0 */
/* Tasks with a handle, as the pool makes them. */
#ifndef FILCH_POOL_TASK_H
#define FILCH_POOL_TASK_H

#include "cancel.h"
#include "deque.h"
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

/* Spawns a task of the worker's pool with a handle, and nothing that is not the default: as
 * filch_pool_spawn. The worker is the caller's, and no guest. */
FILCH_NODISCARD int filch__task_spawn_here(struct worker *w, struct filch_task **handle,
                                           void (*fn)(void *), void *arg);

#endif
