/* SPDX-License-Identifier: Apache-2.0 */
#include "task_place.h"

#include "task.h"
#include "worker.h"

#include "base/check.h"
#include "base/section.h"
#include "os/os.h"
#include "park/lock.h"

#include <string.h>

enum {
    CHUNK_FIRST =
        64, /* places of the first chunk, and its first number; each next one has twice as many */
    TAKE_AT_ONCE = 16, /* by a worker, from the common list */
};

static struct {
    struct lock lock;
    struct filch_task *free; /* under lock */
    size_t made;             /* under lock: so many places have been used */
} all;

FILCH_SHARED(struct filch_task *)
filch__task_chunks[TASK_INDEX_BITS + 1]; /* written under lock, once */

/* --- places --- */

/* A place that nobody has had. Returns NULL: no memory. Under lock. */
static struct filch_task *make(void)
{
    size_t index = all.made + CHUNK_FIRST;
    if (index >> TASK_INDEX_BITS != 0)
        return NULL;
    uintptr_t number = (uintptr_t)index << 1 | 1;
    unsigned k = filch__task_chunk_of(number);
    size_t count = (size_t)1 << (k - 1);
    struct filch_task *chunk = FILCH_LOAD_RELAXED(&filch__task_chunks[k]); /* under lock */
    if (chunk == NULL) {
        chunk = filch__os->alloc(count * sizeof *chunk, FILCH_CACHE_LINE);
        if (chunk == NULL)
            return NULL;
        FILCH_STORE_RELAXED(&filch__task_chunks[k], chunk); /* handed over with each handle */
    }
    struct filch_task *task = &chunk[index - count];
    memset(task, 0, sizeof *task);
    task->place.number = number;
    filch__cancel_init(&task->cancel, NULL, NULL);
    all.made++;
    return task;
}

/* The free place that was used last, or one that nobody has had. Returns NULL: no memory. Under lock. */
FILCH_WAKE_PATH static struct filch_task *take(void)
{
    struct filch_task *task = all.free;
    if (task == NULL)
        return make();
    all.free = task->place.next;
    return task;
}

static FILCH_COLD struct filch_task *refill(struct task_places *places)
{
    filch__lock(&all.lock);
    struct filch_task *task = take();
    while (task != NULL && places->count < TAKE_AT_ONCE && all.free != NULL) {
        struct filch_task *more = take();
        more->place.next = places->first;
        places->first = more;
        places->count++;
    }
    filch__unlock(&all.lock);
    return task;
}

/* A free place, or a worn one. Returns NULL: no memory. */
static FILCH_ALWAYS_INLINE struct filch_task *take_any(struct worker *w)
{
    if (w == NULL) {
        filch__lock(&all.lock);
        struct filch_task *task = take();
        filch__unlock(&all.lock);
        return task;
    }
    struct filch_task *task = w->task_places.first;
    if (FILCH_UNLIKELY(task == NULL))
        return refill(&w->task_places);
    w->task_places.first = task->place.next;
    w->task_places.count--;
    return task;
}

FILCH_WAKE_PATH struct filch_task *filch__task_place_take(void)
{
    struct filch_task *task;
    do
        task = take_any(filch__worker);
    while (task != NULL && FILCH_UNLIKELY(filch__task_place_is_worn(task))); /* given up for good */
    return task;
}

/* Gives all but the `keep` places that were used last to everybody. */
static FILCH_COLD void spill(struct task_places *places, size_t keep)
{
    struct filch_task **end = &places->first;
    for (size_t i = 0; i < keep; i++)
        end = &(*end)->place.next;
    struct filch_task *list = *end;
    *end = NULL;
    places->count = keep;
    if (list == NULL)
        return;
    struct filch_task *last = list;
    while (last->place.next != NULL)
        last = last->place.next;
    filch__lock(&all.lock);
    last->place.next = all.free;
    all.free = list;
    filch__unlock(&all.lock);
}

void filch__task_place_give(struct filch_task *task)
{
    FILCH_DCHECK((FILCH_LOAD_RELAXED(&task->place.ending.word) & ENDING_HELD) == 0); /* a check */
    struct worker *w = filch__worker;
    if (w == NULL) {
        filch__lock(&all.lock);
        task->place.next = all.free;
        all.free = task;
        filch__unlock(&all.lock);
        return;
    }
    task->place.next = w->task_places.first;
    w->task_places.first = task;
    if (FILCH_UNLIKELY(++w->task_places.count > TASK_PLACES_KEPT_MAX))
        spill(&w->task_places, TASK_PLACES_KEPT_MAX / 2);
}

void filch__task_places_drain(struct task_places *places)
{
    spill(places, 0);
}

void filch__task_places_free(void)
{
    for (unsigned k = 0; k <= TASK_INDEX_BITS; k++) {
        filch__os->free(filch__task_chunks[k]);
        filch__task_chunks[k] = NULL;
    }
    all.free = NULL;
    all.made = 0;
}

void filch__task_places_after_fork(void)
{
    /* Whoever held the lock is not here, and the list is as it happened to be. */
    if (FILCH_LOAD_RELAXED(&all.lock.word) != 0) /* one thread */
        all.free = NULL;
    all.lock = (struct lock){0};
}

/* --- handles --- */

FILCH_WAKE_PATH struct filch_task *filch__task_handle_find(const struct filch_task *handle)
{
    struct filch_task *task = filch__task_at((uintptr_t)handle);
    if (task == NULL)
        return NULL;
    return filch__ending_is_held(&task->place.ending, filch__task_use(handle)) ? task : NULL;
}
