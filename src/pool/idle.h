/* SPDX-License-Identifier: Apache-2.0 */
/* Who is awake, who searches, who sleeps, and whom to wake.
 *
 * One word per pool counts, 13 bits each, of the last one 11:
 *
 *     seats      threads that are awake: workers and guests; more than the width only while a worker
 *                that found all seats taken finishes its present task, or resumes one
 *     searching  workers that are awake and have no work, those on their way from a wake-up included
 *     sleeping   workers that sleep, or are about to, and could run whatever there is
 *     guests     threads from outside that are inside a call
 *     stackless  workers that sleep, or are about to, and can only go on with what waits on them
 *
 * and a bit says that a task is on its way to a worker with the wake-up. Until it has arrived, that worker is as
 * good as one that searches for whatever comes from outside, and for nothing else.
 *
 * The rule: work that can be taken while a worker sleeps, a seat is free and nobody searches is
 * noticed by somebody. The argument is in src/pool/README.md.
 */
#ifndef FILCH_POOL_IDLE_H
#define FILCH_POOL_IDLE_H

#include "base/atomic.h"

#include <stdbool.h>
#include <stddef.h>

struct filch_pool;
struct task_item;
struct worker;

struct idle {
    _Alignas(FILCH_CACHE_LINE) FILCH_SHARED(uint64_t) word;
    FILCH_SHARED(struct worker *) napper; /* asleep for a moment, while it counts as searching */
};

#define IDLE_SEAT UINT64_C(1)
#define IDLE_SEARCHING (UINT64_C(1) << 13)
#define IDLE_SLEEPING (UINT64_C(1) << 26)
#define IDLE_GUEST (UINT64_C(1) << 39)
#define IDLE_STACKLESS (UINT64_C(1) << 52)
#define IDLE_GIFT (UINT64_C(1) << 63)

static inline size_t filch__idle_seats(uint64_t word)
{
    return word & 0x1fff;
}

static inline size_t filch__idle_searching(uint64_t word)
{
    return word >> 13 & 0x1fff;
}

static inline size_t filch__idle_sleeping(uint64_t word)
{
    return word >> 26 & 0x1fff;
}

static inline size_t filch__idle_guests(uint64_t word)
{
    return word >> 39 & 0x1fff;
}

static inline size_t filch__idle_stackless(uint64_t word)
{
    return word >> 52 & 0x7ff;
}

/* Whether no worker is awake. */
static inline bool filch__idle_all_sleep(uint64_t word, size_t width)
{
    return filch__idle_sleeping(word) + filch__idle_stackless(word) >= width;
}

/* Whether a worker should be woken for work that has just been put. */
static inline bool filch__idle_wants_waking(uint64_t word, size_t width)
{
    return filch__idle_sleeping(word) > 0 && filch__idle_searching(word) == 0 &&
           filch__idle_seats(word) < width;
}

/* The same for a task from outside, which no guest runs: one worker may always be awake for it, even
 * where guests have all seats. Not where one is on its way with another task: it looks when it arrives. */
static inline bool filch__idle_wants_server(uint64_t word, size_t width)
{
    return filch__idle_sleeping(word) > 0 && filch__idle_searching(word) == 0 &&
           (filch__idle_seats(word) < width || filch__idle_all_sleep(word, width)) &&
           (word & IDLE_GIFT) == 0;
}

/* Wakes this worker if it sleeps: it has something to resume, or the pool stops. Any thread. */
void filch__idle_wake(struct worker *w);

/* Wakes one worker if one sleeps, a seat is free and nobody searches. Any thread, after it has put
 * work where a searcher finds it, by a sequentially consistent access. */
void filch__idle_wake_one(struct filch_pool *pool);

/* The same after something was put into the injector: there, no seat need be free if no worker is
 * awake. */
void filch__idle_wake_server(struct filch_pool *pool);

/* Wakes all workers that sleep without a stack, after a strand that could go on with any of them was put into
 * the injector. */
void filch__idle_wake_stackless(struct filch_pool *pool);

/* Where the word has said that a server is wanted: wakes a worker with a task that is the first that it runs, so
 * that it need not look for it. Returns false where that cannot be, or tasks wait from outside already: the task
 * is to be put there, too. */
bool filch__idle_give(struct filch_pool *pool, const struct task_item *task);

/* The worker has woken up with a task. Before it runs it: whoever was wanted for tasks from outside meanwhile is
 * woken. */
void filch__idle_gift_arrived(struct worker *w);

/* The same for a worker that has pushed with plain stores and has seen, behind a light fence, that
 * somebody is to be woken; filch__worker_push does that. */
void filch__idle_notify(struct worker *w);

/* The worker has no work and will look for some; it has, or has given up looking. Does nothing where
 * that has been said already. */
void filch__idle_search_begin(struct worker *w);
void filch__idle_search_end(struct worker *w);

/* Whether more threads are awake than the pool is wide, so that a worker without work should not
 * even search. */
bool filch__idle_is_crowded(struct filch_pool *pool);

/* Sleeps until there may be work, something to resume, a timer is due, or the pool stops; no longer than until
 * latest_ns. Called while searching; returns while searching. */
void filch__idle_sleep(struct worker *w, int64_t latest_ns);

/* Sleeps for a moment without saying so: the worker counts as searching. A task from outside ends that, so
 * not more than one does it at a time; for another one it returns at once. Not where there may be something
 * to resume. */
void filch__idle_nap(struct worker *w, int64_t deadline_ns);

/* Sleeps until there is something to resume: for a worker that cannot go on with anything else. It is not
 * woken for work, nor for memory to give back. Not while searching. */
void filch__idle_sleep_until_ready(struct worker *w);

/* A guest comes, and goes. */
void filch__idle_guest_enter(struct filch_pool *pool);
void filch__idle_guest_leave(struct filch_pool *pool);

/* Asks every worker to publish its forks. */
void filch__idle_ask_all(struct filch_pool *pool);

#endif
