/* SPDX-License-Identifier: Apache-2.0 */
/* A waiter: whoever waits, once, for one event. It lives in the frame of the one that waits.
 *
 * The life of `state`:
 *
 *     EMPTY --park--> PARKED --unpark--> WOKEN       the usual wait
 *     EMPTY --unpark--> WOKEN                        the event came first; park returns at once
 *     PARKED --deadline--> EMPTY                     park returns ETIMEDOUT
 *     PARKED --cancelled--> EMPTY                    park returns ECANCELED
 *
 * Who may touch what: `ops` and the fields behind it are the waiting side's, written before the
 * waiter is shown to anybody. `state` is everybody's; that of a task is its worker's, which wakers tell
 * through a queue. Once unpark has set WOKEN, or put the waiter into that queue, the waiter's memory may
 * be gone: it first copies what it needs to wake the sleeper. So whoever has been unparked parks, at
 * once or when it comes to that: only then is its waiter in nobody's hands.
 */
#ifndef FILCH_PARK_WAITER_H
#define FILCH_PARK_WAITER_H

#include "base/atomic.h"

#include <stdbool.h>
#include <stdint.h>

struct waiter;

/* Where a row of waiters that are woken in one go is to go on: it is walked from both ends at once, and they
 * go on in its order. All zero before the first one is woken. */
struct waiter_row {
    void *middle; /* behind it comes whoever is woken next, from whichever end */
    bool has_begun;
    bool is_over; /* nobody else of it can be woken so */
};

/* How a kind of waiter sleeps and is woken. The default is an OS thread; the pool installs another
 * one while a worker runs tasks, and no primitive ever knows the difference. */
struct waiter_ops {
    /* Sleeps until the waiter is WOKEN, the deadline has passed, or, unless the waiter resists, what it
     * waits in is cancelled; the state is EMPTY or PARKED when it is called, and the implementation moves
     * it to PARKED itself. May return early, but never ETIMEDOUT.
     * Returns 0, ETIMEDOUT or ECANCELED. */
    int (*suspend)(struct waiter *w, int64_t deadline_ns);
    /* Called by filch__unpark instead of touching the waiter itself: sets WOKEN and makes the sleeper
     * run. The waiter may be gone as soon as WOKEN is set. */
    void (*wake)(struct waiter *w);
    /* Whether a wake-up by the caller makes it run as soon as that waits. May be NULL: never. */
    bool (*runs_next)(const struct waiter *w);
    /* Wakes the waiter if what it waits in goes on on the calling thread only, so when the caller waits: until
     * then its memory stays. Of a row, see struct waiter_row. Returns false: another thread may go on with
     * it, nothing was done. May be NULL: always so. */
    bool (*wake_here)(struct waiter *w, struct waiter_row *row, bool is_front);
    /* Lets others run, now or soon. May be NULL: only the operating system knows any. */
    void (*yield)(void);
    /* What follows needs its thread, where `change` is 1: no wait of the caller ends on another one; until
     * that has been taken back, by -1. May be NULL: none ever does. */
    void (*stay)(int change);
    /* The name of the running task, for reports. Returns NULL for none; may be NULL itself. */
    const char *(*task_name)(void);
    /* Whether an address that could not be accessed lies below the stack of the running task. Called in
     * a signal handler. May be NULL. */
    bool (*is_guard)(const void *address);
};

enum waiter_state { WAITER_EMPTY, WAITER_PARKED, WAITER_WOKEN };

struct waiter {
    FILCH_SHARED(uint32_t) state;
    bool resists;                 /* own: nothing but a wake-up or its own deadline ends the wait */
    const struct waiter_ops *ops; /* const after init */
    void *sleeper;                /* const after init: what `ops` suspends (a task: its fiber) */
    struct waiter *next; /* in a resume queue; the waker's until it is there, then the queue's */
};

/* The kind of waiter that the running code is, and its `sleeper`. */
struct waiter_kind {
    const struct waiter_ops *ops;
    void *sleeper;
};

/* What filch__waiter_init takes the kind from; a worker replaces it around its tasks. Owner only. */
extern __thread struct waiter_kind filch__waiter_kind __attribute__((tls_model("initial-exec")));

/* An OS thread, asleep on the state word of the waiter. */
extern const struct waiter_ops filch__waiter_thread_ops;

/* The same for one that has looked for long enough already: it sleeps at once. */
extern const struct waiter_ops filch__waiter_worker_ops;

#endif
