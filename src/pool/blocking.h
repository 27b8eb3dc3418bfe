/* SPDX-License-Identifier: Apache-2.0 */
/* Spare threads: they run calls that block the OS thread, so that only the task that asked waits.
 *
 * They are a pool's own, started when a call finds none idle, up to a limit, and end after some seconds
 * without a call, or with the pool. A call waits in a queue for one of them; where none can be started
 * and there is none, its task runs it itself, on its worker.
 */
#ifndef FILCH_POOL_BLOCKING_H
#define FILCH_POOL_BLOCKING_H

#include "fiber/ambient.h"
#include "park/lock.h"
#include "park/park.h"

#include <stdbool.h>
#include <stddef.h>

struct filch_panic;
struct filch_pool;
struct filch_thread;

enum {
    BLOCKING_THREADS_DEFAULT = 64,
    BLOCKING_THREADS_MAX = 4096,
};

/* A call; lives in the frame of the task, which waits until it has ended. */
struct blocking_call {
    void *(*fn)(void *);
    void *arg;
    void *result;
    struct filch_panic *panic;  /* NULL: none */
    struct ambient ambient;     /* that fn begins with, then what it leaves */
    struct waiter *waiter;      /* the task */
    struct blocking_call *next; /* under lock, like the next two: in the queue */
    struct blocking_call **link;
    bool is_queued;
    bool is_refused; /* written before it is woken: no thread can be had */
};

/* A place for a spare thread. */
struct spare {
    struct filch_pool *pool;     /* const once used */
    struct blocking_call *call;  /* under lock: handed over; NULL: to end */
    struct waiter *waiter;       /* under lock: of an idle one; NULL: it is not idle */
    struct spare *next;          /* under lock: of the idle ones */
    bool is_used;                /* under lock, like the next three: it has a thread, or had one */
    bool has_ended;              /* the thread is about to end, and known */
    struct filch_thread *thread; /* NULL: not known yet to the one that starts it */
};

struct blocking {
    struct lock lock;
    struct blocking_call *first; /* under lock: no thread has begun them; oldest first */
    struct blocking_call **end;  /* under lock */
    struct spare *idle;          /* under lock: the latest first */
    struct spare *spares;        /* const: `max` of them */
    size_t max;                  /* const */
    size_t threads;              /* under lock: that run, or are being started */
    bool is_over;                /* under lock: the pool has no task left */
    uint64_t calls;              /* under lock */
    uint64_t refused;            /* under lock: calls that their tasks ran themselves */
};

/* How long a spare thread waits for its next call; shorter in tests. */
extern int64_t filch__blocking_idle_ns;

/* Prepares room for `max` threads. Returns 0; ENOMEM. */
FILCH_NODISCARD int filch__blocking_init(struct blocking *b, size_t max);

/* No task of the pool is left: the threads, all idle by now or about to be, end. */
void filch__blocking_stop(struct blocking *b);

/* Joins the threads, which have ended, and frees their room. Does nothing to what is all zero. */
void filch__blocking_destroy(struct blocking *b);

/* Waits for the end of a thread of the pool, which is near: not even a cancelled task leaves it.
 * Blocks: yes; a task suspends. Panics: never. */
void filch__pool_join_thread(struct filch_thread *thread);

#endif
