/* SPDX-License-Identifier: Apache-2.0 */
/* A million tiny tasks. `flat`: one task of the pool spawns them all and waits for all. `submit`: a
 * thread outside the pool hands them in one by one, `submit-batch` many at a time, and waits until
 * all have run. Each task increments a counter of its own. */
#ifndef FILCH_BENCH_TASKS_FLAT_H
#define FILCH_BENCH_TASKS_FLAT_H

#include <semaphore.h>
#include <stddef.h>
#include <stdint.h>

struct flat_data {
    size_t count;
    size_t left;   /* `submit`: tasks that have not run yet; shared by all of them */
    sem_t done;    /* `submit`: posted by the last task */
    uint32_t *ran; /* out: how often each task ran */
};

/* The body of one task; `argument` is the address of its counter. */
static inline void flat_task(void *argument)
{
    uint32_t *ran = (uint32_t *)argument;
    ++*ran;
}

/* `submit` where the runtime has no wait of its own for tasks that were handed in from outside: set
 * before, called at the end of each task, waited for after. */
static inline void flat_left_set(struct flat_data *flat)
{
    __atomic_store_n(&flat->left, flat->count, __ATOMIC_RELAXED); /* before any task exists */
}

static inline void flat_left_down(struct flat_data *flat)
{
    /* Each task releases what it did to the last one, which passes it on through the semaphore. */
    if (__atomic_fetch_sub(&flat->left, 1, __ATOMIC_ACQ_REL) == 1)
        sem_post(&flat->done);
}

static inline void flat_left_wait(struct flat_data *flat)
{
    while (sem_wait(&flat->done) != 0)
        continue;
}

#endif
