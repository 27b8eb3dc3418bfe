/* SPDX-License-Identifier: Apache-2.0 */
/* Task sets: tasks whose ends are handed over one by one, in the order in which they end. When the set is
 * dropped, all of them have ended.
 *
 *     FILCH_TASK_SET_GUARD(set);                        dropped where this block is left
 *     int error = filch_task_set_create(&set, NULL);
 *     for (size_t i = 0; i < n && error == 0; i++)
 *         error = filch_task_set_spawn(set, NULL, fetch, &mirrors[i]);
 *     struct filch_task_end end;
 *     while (filch_task_set_next(set, &end) == 0) {
 *         if (end.error == 0 && end.result != NULL) {
 *             use(end.arg, end.result);                 the first that has it
 *             filch_task_set_cancel(set);               the others need not begin
 *         }
 *     }
 *
 * All functions may be called from threads and tasks, those of the set included, and a set may be used by
 * many at the same time; it is dropped once, by nobody else's last use. Not promised: the order in which
 * tasks begin.
 */
#ifndef FILCH_TASK_SET_H
#define FILCH_TASK_SET_H

#include <filch/attr.h>
#include <filch/errors.h>
#include <filch/panic.h>
#include <filch/pool.h>
#include <filch/task.h>
#include <filch/time.h>
#include <stddef.h>
#include <stdint.h>

FILCH_EXTERN_C_BEGIN

struct filch_task_set;

/* What a set is. Zero-initialised, every field has its default. */
struct filch_task_set_config {
    struct filch_pool *pool; /* where its tasks run; it outlives the set; NULL: the default pool */
    /* Called on each result that nobody has been handed, when the set is dropped. Must not panic: that
     * aborts. NULL: results are forgotten. */
    void (*result_drop)(void *result);
};

/* How a task has ended. */
struct filch_task_end {
    void *arg;                 /* as it was spawned with; attr->arg_drop has been called on it */
    void *result;              /* what it has returned; NULL where it has not */
    int error;                 /* 0; EOWNERDEAD: it panicked; ECANCELED: it has not run */
    struct filch_panic *panic; /* with EOWNERDEAD, the receiver's; else NULL */
};

/* Makes a set without tasks.
 *   set     receives it                                                                    [out]
 *   config  NULL: the defaults; read before the call returns                                [in]
 * Returns 0; EINVAL (set NULL); ENOMEM; else as filch_pool_default. Ownership: the caller drops it. Blocks:
 * as filch_pool_default. Panics: never. Callable from: threads and tasks. */
FILCH_API FILCH_NODISCARD int filch_task_set_create(struct filch_task_set **set,
                                                    const struct filch_task_set_config *config);

/* Cancels the set, waits until all its tasks have ended, and frees it. Ends that nobody has been handed
 * are given up: panics are freed, results as the set's result_drop says. In a forked child it does
 * nothing: the tasks are the parent's.
 *   set  gone afterwards; NULL is allowed                                                   [in]
 * Aborts with a message where one of the set's tasks drops it, which would wait for itself. Ownership: takes
 * the set. Blocks: yes; a task suspends, its worker goes on. Panics: never. Callable from: threads and
 * tasks. Ordering: what all tasks did happens before the return. */
FILCH_API void filch_task_set_drop(struct filch_task_set *set);

/* Gives a task to the set.
 *   set   it                                                                            [in,out]
 *   attr  name, drop functions; NULL: the defaults; read before the call returns            [in]
 *   fn    the body; what it returns is the task's result
 *   arg   handed to fn. Once accepted, either fn or attr->drop is called on it, exactly once; and
 *         attr->arg_drop in any case
 * Returns 0; ECANCELED (the set is cancelled); EINVAL (set or fn NULL); ENOMEM; ESHUTDOWN; EPERM (in a
 * forked child: a set of the parent). On failure nothing has changed and arg is still the caller's,
 * unless attr->arg_drop has been called on it.
 * Blocks: never; with too many of its tasks waiting, the caller is set aside and some of them run first.
 * Panics: never. Callable from: threads and tasks. Ordering: the caller's past happens before fn. */
FILCH_API FILCH_NODISCARD int filch_task_set_spawn(struct filch_task_set *set,
                                                   const struct filch_task_attr *attr,
                                                   void *(*fn)(void *), void *arg);

/* Waits until a task has ended whose end nobody has been handed, and hands that over: of several the one
 * that ended first.
 *   set  it                                                                             [in,out]
 *   end  receives how it has ended                                                         [out]
 * Returns 0; ENOENT (all that were spawned have been handed over); ECANCELED (the caller is cancelled);
 * EINVAL (an argument is NULL); EPERM (as filch_task_set_spawn).
 * Ownership: the caller owns end->panic and, as agreed with the task, end->result. Blocks: yes; a task
 * suspends, its worker goes on; a task of the set that is the last one waits for itself. Panics: never.
 * Callable from: threads and tasks. Ordering: what the task did happens before the return. */
FILCH_API FILCH_NODISCARD int filch_task_set_next(struct filch_task_set *set,
                                                  struct filch_task_end *end);

/* The same without waiting. Returns as filch_task_set_next; EAGAIN (none has ended). */
FILCH_API FILCH_NODISCARD int filch_task_set_try_next(struct filch_task_set *set,
                                                      struct filch_task_end *end);

/* The same, at most until a deadline (absolute ns on CLOCK_MONOTONIC).
 * Returns as filch_task_set_next; ETIMEDOUT. */
FILCH_API FILCH_NODISCARD int
filch_task_set_next_until(struct filch_task_set *set, struct filch_task_end *end, int64_t deadline);

/* How many tasks were spawned whose ends nobody has been handed, at some moment during the call; 0 for
 * NULL. Blocks: never. Panics: never. Callable from: threads and tasks. */
FILCH_API size_t filch_task_set_left(const struct filch_task_set *set);

/* Cancels the rest: tasks that have not begun do not, their drop functions run and they end with
 * ECANCELED; the set takes no more. Those that run go on.
 *   set  it; NULL is allowed                                                            [in,out]
 * Blocks: never. Panics: never. Callable from: threads and tasks. */
FILCH_API void filch_task_set_cancel(struct filch_task_set *set);

/* FILCH_TASK_SET_GUARD(set) declares `struct filch_task_set *set = NULL`, which is dropped however the
 * block is left: at its end, by return, break, goto or a panic. Needs -fexceptions in the file that uses
 * it. */
#ifdef __EXCEPTIONS
#define FILCH_TASK_SET_GUARD(set)                                                                  \
    struct filch_task_set *set __attribute__((cleanup(filch__task_set_leave))) = NULL
#else
#define FILCH_TASK_SET_GUARD(set)                                                                  \
    FILCH__STATIC_ASSERT(                                                                          \
        0, "FILCH_TASK_SET_GUARD needs -fexceptions: a panic would leave the tasks behind")
#endif

static inline void filch__task_set_leave(struct filch_task_set **set)
{
    filch_task_set_drop(*set);
}

FILCH_EXTERN_C_END

#endif
