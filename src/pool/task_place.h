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

#include "ending.h"

#include "base/atomic.h"

#include <filch/task.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    TASK_INDEX_BITS = sizeof(uintptr_t) == 8 ? 26 : 16,
    TASK_PLACES_KEPT_MAX = 64, /* by a worker; above that it gives some back */
};

/* One use more, in a handle. What lies below is the place's number. */
#define TASK_USE ((uintptr_t)1 << (TASK_INDEX_BITS + 1))

/* First in struct filch_task. */
struct task_place {
    FILCH_SHARED(uintptr_t) number; /* the last handle that it had; owner of the place writes */
    struct filch_task *next;        /* in a list of free places */
    struct ending ending;           /* whether the handle is still held, and what ends the use */
};

/* Free places that one worker keeps. Owner only. */
struct task_places {
    struct filch_task *first;
    size_t count;
};

/* A place for a task. What it held before is still there; at first, zeros. (struct filch_task says what is so
 * in each that is free.)
 * Returns NULL: no memory. Callable from: threads and tasks. */
struct filch_task *filch__task_place_take(void);

/* The place is free: its task has ended, and its handle been given up. */
void filch__task_place_give(struct filch_task *task);

/* The places of a worker that ends become everybody's. */
void filch__task_places_drain(struct task_places *places);

/* Which use of its place the handle is of. */
static FILCH_ALWAYS_INLINE uintptr_t filch__task_use(const struct filch_task *handle)
{
    return (uintptr_t)handle & ~(TASK_USE - 1);
}

/* Makes the next handle of the place valid. Returns it. */
static FILCH_ALWAYS_INLINE struct filch_task *filch__task_handle_begin(struct filch_task *task)
{
    struct task_place *place = (struct task_place *)(void *)task;
    uintptr_t number = FILCH_LOAD_RELAXED(&place->number) /* owner */ + TASK_USE;
    FILCH_STORE_RELAXED(&place->number, number); /* handed over with the handle */
    filch__ending_begin(&place->ending, number & ~(TASK_USE - 1));
    return (struct filch_task *)number;
}

/* Whether this is the latest handle of the place. Others may be making the next one. */
static FILCH_ALWAYS_INLINE bool filch__task_handle_is_of(const struct filch_task *handle,
                                                         struct filch_task *task)
{
    struct task_place *place = (struct task_place *)(void *)task;
    return FILCH_LOAD_RELAXED(&place->number) == (uintptr_t)handle; /* a number */
}

/* Whether no number is left for the place. */
static FILCH_ALWAYS_INLINE bool filch__task_place_is_worn(struct filch_task *task)
{
    struct task_place *place = (struct task_place *)(void *)task;
    uintptr_t number = FILCH_LOAD_RELAXED(&place->number); /* owner */
    return number + TASK_USE < number;
}

/* The task of a handle; NULL: it has been given up, or is none. */
struct filch_task *filch__task_handle_find(const struct filch_task *handle);

/* What a handle has below its use: the number of its place, with the lowest bit set. */
static FILCH_ALWAYS_INLINE uintptr_t filch__task_number(uintptr_t handle)
{
    return (handle & (TASK_USE - 1)) | 1;
}

/* In which chunk the place of a handle lies, or of its number; 0: in none. */
static FILCH_ALWAYS_INLINE unsigned filch__task_chunk_of(uintptr_t handle)
{
    return 63 ^ (unsigned)__builtin_clzll(filch__task_number(handle));
}

/* The places. Chunk k has those whose numbers, lowest bit included, have k as their highest bit. */
extern FILCH_SHARED(struct filch_task *) filch__task_chunks[TASK_INDEX_BITS + 1];

/* Frees all places: for tests that count memory, while there is no task with a handle. */
void filch__task_places_free(void);

/* In a forked child. */
void filch__task_places_after_fork(void);

#endif
