/* SPDX-License-Identifier: Apache-2.0 */
/* Migration: a task that has been allowed to goes on with another worker of its pool than the one on which
 * it began to wait.
 *
 * While such a task waits, its strand is nobody's. Whoever wakes it makes it a task: in its own deque where
 * it is a worker of the pool, so thieves find it, else in the injector. The worker that takes this task
 * goes on with the strand, which is its own from then on. The state of the waiter says who does that:
 *
 *     EMPTY --left--> PARKED --woken--> WOKEN             the waker makes the task
 *     EMPTY --woken--> WOKEN                              the worker goes on with it at once
 *     PARKED --cancelled, out of time--> EMPTY            the worker that it left goes on with it, or offers it
 *
 * It becomes PARKED when its worker stands on another stack (filch__roam_settle), so whoever sees that may
 * go on with the strand at once. The worker that it has left looks after its deadline and after what can
 * cancel it, in lists of its own, under a lock, since the waker takes the wait out.
 *
 * A wait migrates only where nothing on the strand depends on the worker: see filch__roam_may. All others
 * of such a task end where they began, but with the same states: a waker cannot know which it is.
 *
 * What runs on a strand that may migrate finds its worker anew after each call that could wait: functions
 * of this library that call the user's code do so by way of the strand. Thread-local variables are used
 * only in functions that begin after the wait, or by accesses of which no address is kept, which is what
 * compilers make of them on x86-64. Elsewhere, nothing migrates. */
#ifndef FILCH_POOL_ROAM_H
#define FILCH_POOL_ROAM_H

#include "park/lock.h"
#include "park/waiter.h"
#include "timer.h"

#include <stdbool.h>

struct filch_task;
struct roam_wait;
struct strand;
struct wait;
struct worker;

/* A worker's. */
struct roam {
    struct lock lock;
    struct timer_list timers; /* under the lock, of waits that began here and may end elsewhere */
    struct wait *waits;       /* the same, of those that can be cancelled */
    struct timer due;         /* owner only, as what follows: stands for the first of the timers */
    struct waiter due_waiter; /* what it "wakes" */
    struct roam_wait *departing; /* of the strand that has just been left */
};

/* Suspends the running strand, which may migrate; as the suspend of its kind of waiter. */
int filch__roam_suspend(struct waiter *waiter, int64_t deadline_ns);

/* Wakes the waiter of a strand that may migrate. */
void filch__roam_wake(struct waiter *waiter);

/* The wait, on the calling worker, of a strand that may migrate is to end without a wake-up. Returns false:
 * it has been woken. */
bool filch__roam_end(struct waiter *waiter);

/* The worker stands on the stack of a strand in the loop: the one that it has left may go on. */
void filch__roam_settle_slow(struct worker *w);

/* The deadline of a wait that began on the worker has passed, or may have. */
void filch__roam_fire(struct worker *w);

/* As filch__cancel_answer, for the waits here. */
void filch__roam_answer(struct worker *w);

/* For a worker without a stack to begin tasks on: a strand to go on with, from its deque or from outside,
 * where the tasks go. NULL: there is none. */
struct strand *filch__roam_take(struct worker *w);

/* The worker is about to end. */
void filch__roam_end_worker(struct worker *w);

/* Runs a task that may migrate, in a pool where not all may. Within filch__worker_run. */
void filch__roam_run(struct filch_task *task, void (*run)(struct filch_task *task));

/* Where all tasks may, a worker leaves the stack of its thread, which cannot, until it ends. */
void filch__roam_leave_base(struct worker *w);

#endif
