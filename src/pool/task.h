/* SPDX-License-Identifier: Apache-2.0 */
/* Tasks with a handle, as the pool makes them. */
#ifndef FILCH_POOL_TASK_H
#define FILCH_POOL_TASK_H

#include "deque.h"

#include <filch/task.h>

/* Makes a task that nobody has spawned, within `around`. Returns NULL: no memory. */
struct filch_task *filch__task_new(const struct filch_task_attr *attr, void (*fn)(void *),
                                   void *arg, struct cancel *around);

/* Frees a task that could not be spawned. */
void filch__task_free_unspawned(struct filch_task *task);

/* Frees the tasks that are kept to recognise handles that are used once too often: for tests that count
 * memory. */
void filch__task_free_retired(void);

/* In a forked child. */
void filch__task_after_fork(void);

/* As it was named; NULL: unnamed. */
const char *filch__task_name(const struct filch_task *task);

/* What a queue holds of the task. */
struct task_item filch__task_item(struct filch_task *task, struct tally *tally);

#endif
