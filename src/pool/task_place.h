/* SPDX-License-Identifier: Apache-2.0 */
/* Where tasks with a handle live, and what their handles are.
 *
 * A handle points to nothing: it is a number, with the lowest bit set, made of the task's place and of
 * how often that place has been used. Places lie in chunks that are kept as long as the process lives,
 * so a handle can be looked up at any time, and one that was joined or detached is recognised however
 * long ago that was: no number is used twice. A place that has run out of numbers is given up for good
 * (with 64 bits, after 2^37 tasks). So memory is bounded by the largest number of tasks with a handle at
 * one time.
 */
#ifndef FILCH_POOL_TASK_PLACE_H
#define FILCH_POOL_TASK_PLACE_H

#include "base/atomic.h"

#include <filch/task.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* First in struct filch_task. */
struct task_place {
    FILCH_SHARED(uintptr_t) valid; /* the handle; 0: none, or it has been given up */
    uintptr_t number;              /* owner of the place: the last handle that it had */
    struct filch_task *next;       /* in a list of free places */
};

/* Free places that one worker keeps. Owner only. */
struct task_places {
    struct filch_task *first;
    size_t count;
};

/* A place for a task. What it held before is still there; at first, zeros.
 * Returns NULL: no memory. Callable from: threads and tasks. */
struct filch_task *filch__task_place_take(void);

/* The place is free: its task has ended, and its handle been given up. */
void filch__task_place_give(struct filch_task *task);

/* The places of a worker that ends become everybody's. */
void filch__task_places_drain(struct task_places *places);

/* Makes the next handle of the place valid. Returns it. */
struct filch_task *filch__task_handle_begin(struct filch_task *task);

/* The task of a handle; NULL: it has been given up, or is none. */
struct filch_task *filch__task_handle_find(const struct filch_task *handle);

/* Gives the handle of a task up. Returns whether nobody had done so before. */
bool filch__task_handle_end(struct filch_task *task, const struct filch_task *handle);

/* Frees all places: for tests that count memory, while there is no task with a handle. */
void filch__task_places_free(void);

/* In a forked child. */
void filch__task_places_after_fork(void);

#endif
