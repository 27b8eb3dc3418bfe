/* SPDX-License-Identifier: Apache-2.0 */
/* Handles of tasks: wait for one task, or give the handle up.
 *
 *     struct filch_task *task;
 *     int error = filch_pool_spawn(NULL, &task, NULL, compress, block);
 *     if (error == 0)
 *         error = filch_task_join(task);
 *
 * A handle belongs to one owner; different handles may be used at the same time. Leaking a handle
 * leaks its memory, and changes nothing about the task. Using one again that was joined or detached
 * aborts with a message, however long ago that was.
 */
#ifndef FILCH_TASK_H
#define FILCH_TASK_H

#include <filch/attr.h>
#include <filch/errors.h>
#include <filch/panic.h>
#include <filch/time.h>
#include <stdint.h>

FILCH_EXTERN_C_BEGIN

struct filch_task;

/* What a task is besides its function. Zero-initialised, every field has its default. */
struct filch_task_attr {
    const char *name;     /* for reports; not copied: it outlives the task; NULL: unnamed */
    void (*drop)(void *); /* called on the argument instead of the body, where that cannot run */
    /* Called on the argument exactly once, in any case: when the body has returned or panicked, on its
     * worker, before a join of the task returns; where the task is cancelled; where it cannot be
     * spawned, before the call returns its error. Must not panic: that aborts. NULL: nothing is called. */
    void (*arg_drop)(void *);
    /* Not 0: where it has to wait, the task may go on with another worker of its pool, the one that wakes it
     * or one that has nothing to do. By default a task that has begun stays on its worker.
     *
     * Any call that says "Blocks: yes" may move it, and none else: a lock, a channel, a join, the end of a
     * scope, a sleep, filch_blocking. These do not: a wait between a fork and its sync, or in the first half
     * of filch_join; of filch_thread_park; in the init function of a FILCH_LOCAL; of a task of a scope that
     * runs on top of the one that ends it; where the task began on a worker's own stack or no other stack is
     * to be had; and filch_yield. That it is cancelled or out of time is noticed by the worker that it left.
     * Today all this is so on x86-64 and without ThreadSanitizer; elsewhere a task always stays.
     *
     * It keeps what is its own: locks that it holds, its levels of scopes, the panic or C++ exception that
     * it handles, the floating-point modes and the value of errno. What belongs to the thread changes, so
     * such a task must not keep across a wait
     *   - a pointer to, or a value that stands for, a thread-local: __thread, _Thread_local, FILCH_LOCAL. The
     *     compiler may keep the address itself, within one function: so use them in functions that wait for
     *     nothing, which are not inlined. errno is one of them, since C libraries call its address a constant;
     *   - filch_worker_index(), the identity of the thread (pthread_self, gettid, filch_thread_current), and
     *     what is tied to it: a lock of pthreads or of another library, a robust or recursive one above all;
     *   - a processor: affinity, sched_getcpu(). */
    int may_migrate;
};

/* Waits until the task has ended.
 *   task  the handle; gone after 0, EOWNERDEAD or ECANCELED                                [in]
 * Returns 0; EOWNERDEAD (it panicked; the panic is freed, filch_task_join_panic hands it over);
 * ECANCELED (it was cancelled before it started; or the caller is cancelled: then the task is detached and
 * goes on); ETIMEDOUT (the caller's scope is out of time; the handle stays); EINVAL (task NULL); EDEADLK (the
 * task joins itself; the handle stays); EPERM (in a forked child: a task of the parent; the handle
 * stays).
 * Ownership: takes the handle. Blocks: yes; a task suspends, its worker goes on. Panics: never.
 * Callable from: threads and tasks. Ordering: what the task did happens before the return. */
FILCH_API FILCH_NODISCARD int filch_task_join(struct filch_task *task);

/* The same, at most until a deadline.
 *   task      the handle; it stays with the caller after ETIMEDOUT                          [in]
 *   deadline  absolute ns on CLOCK_MONOTONIC; FILCH_FOREVER for none
 * Returns as filch_task_join; ETIMEDOUT. Everything else as filch_task_join. */
FILCH_API FILCH_NODISCARD int filch_task_join_until(struct filch_task *task, int64_t deadline);

/* The same, and hands over the panic that ended the task.
 *   task      the handle; it stays with the caller after ETIMEDOUT                          [in]
 *   deadline  absolute ns on CLOCK_MONOTONIC; FILCH_FOREVER for none
 *   panic     receives the panic, on EOWNERDEAD; NULL: it is freed                         [out]
 * Returns as filch_task_join_until. Ownership: takes the handle; the caller owns *panic. Everything
 * else as filch_task_join. */
FILCH_API FILCH_NODISCARD int filch_task_join_panic(struct filch_task *task, int64_t deadline,
                                                    struct filch_panic **panic);

/* Cancels a task: if it has not started, it never will, its drop function runs, and its join returns
 * ECANCELED; else every wait inside it does, as filch_scope_cancel says.
 *   task  the handle; it stays with the caller                                          [in,out]
 * Returns 0, also where it has ended; EINVAL (task NULL); EPERM (in a forked child).
 * Blocks: never. Panics: never. Callable from: threads and tasks. Ordering: the caller's past happens
 * before a return of ECANCELED inside. */
FILCH_API int filch_task_cancel(struct filch_task *task);

/* Whether to stop: for code that computes for long without a wait.
 * Returns 0; ECANCELED (a scope, task or pool that the caller runs in has been cancelled); ETIMEDOUT (one
 * is out of time). Blocks: never. Panics: never. Callable from: anywhere; 0 outside of every pool. */
FILCH_API int filch_canceled(void);

/* Gives the handle up; the task goes on.
 *   task  gone afterwards; NULL is allowed                                                  [in]
 * Ownership: takes the handle. Blocks: never. Panics: never. Callable from: threads and tasks. */
FILCH_API void filch_task_detach(struct filch_task *task);

/* Whether the task has ended: a join would not wait.
 *   task  the handle; it stays with the caller                                              [in]
 * Returns 1 or 0; 0 for NULL. Blocks: never. Panics: never. Callable from: threads and tasks.
 * Ordering: what the task did happens before a return of 1. */
FILCH_API int filch_task_is_finished(const struct filch_task *task);

FILCH_EXTERN_C_END

#endif
