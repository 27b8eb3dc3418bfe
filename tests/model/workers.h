/* SPDX-License-Identifier: Apache-2.0 */
/* A pool for the models of its parts: workers that are threads of the model, with what the files of
 * src/pool need to be read by the checker. */
#ifndef FILCH_MODEL_WORKERS_H
#define FILCH_MODEL_WORKERS_H

#include "stand_ins.h"

#define FILCH_DEQUE_CAPACITY_MIN 32 /* room for a batch from the injector */
#include "pool/pool.h"
#include "pool/steal.h"
#include "pool/strand.h"

enum { MODEL_FORKS = 2 };

/* The thread-local variable that is not the same for all threads of a model. worker.c, which defines
 * it, is to be included before this file's users. */
static struct worker *model_workers[MODEL_THREADS_MAX];
#define filch__worker (model_workers[model_self])

/* A new pool of WIDTH workers, all of which are awake and search. Initialised here, since what main
 * writes costs the checker time in every execution. */
static struct filch_pool pool;
static struct worker workers[3];
static struct strand bases[3];
static struct filch__slot slots[3][MODEL_FORKS + 1];
static struct {
    uint64_t capacity; /* as in struct deque_array, whose last member is of no size */
    struct deque_array *previous;
    struct deque_slot slots[FILCH_DEQUE_CAPACITY_MIN];
} arrays[3] = {{.capacity = 32}, {.capacity = 32}, {.capacity = 32}};
static uint32_t victims[3][2] = {{1, 2}, {0, 2}, {0, 1}};
static struct worker *places[3] = {&workers[0], &workers[1], &workers[2]};
static struct placement placements[3];

#define MODEL_ROOM(i)                                                                              \
    {                                                                                              \
        .forks = {.owner = {.tail = slots[i], .end = slots[i] + MODEL_FORKS, .split = slots[i]},   \
                  .base = slots[i],                                                                \
                  .floor = slots[i]},                                                              \
    }
static struct fork_room rooms[3] = {MODEL_ROOM(0), MODEL_ROOM(1), MODEL_ROOM(2)};
static struct strand bases[3] = {
    {.worker = &workers[0]}, {.worker = &workers[1]}, {.worker = &workers[2]}};

#define MODEL_WORKER(i)                                                                            \
    {                                                                                              \
        .room = &rooms[i], .has_started = true, .deque = {.array = (void *)&arrays[i]},            \
        .pool = &pool, .idle_word = &pool.idle.word, .width = WIDTH, .strand = &bases[i],          \
        .base = &bases[i], .victims = victims[i], .victim_count = WIDTH - 1, .index = i,           \
        .is_searching = true, .trim_ns = FILCH_FOREVER,                                            \
    }
static struct worker workers[3] = {MODEL_WORKER(0), MODEL_WORKER(1), MODEL_WORKER(2)};

static struct filch_pool pool = {
    .idle = {.word = WIDTH * (IDLE_SEAT + IDLE_SEARCHING)},
    .state = POOL_OPEN,
    .width = WIDTH,
    .places = places,
    .machine.placements = placements,
    .places_used = WIDTH,
};

/* The worker has something to do, and does not search. */
static void model_is_busy(struct worker *w)
{
    w->is_searching = false;
    pool.idle.word -= IDLE_SEARCHING;
}

#endif
