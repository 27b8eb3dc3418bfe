/* SPDX-License-Identifier: Apache-2.0 */
/* Scopes: many tasks that may borrow the caller's locals, since every one of them has ended when
 * the scope is left, however it is left.
 *
 *     FILCH_SCOPE(s) {
 *         for (size_t i = 0; i < n; i++)
 *             if (filch_scope_spawn(s, work, &items[i]) != 0)
 *                 break;
 *     }   // all that were spawned are done
 *
 * and filch_join, for two halves. A thread outside the pool takes part in its own scope, join or
 * loop. Tasks may spawn on their own scope and open scopes of their own. Not promised: the order in
 * which tasks run, and that two of them ever run at the same time.
 */
#ifndef FILCH_SCOPE_H
#define FILCH_SCOPE_H

#include <filch/attr.h>
#include <filch/errors.h>
#include <filch/inline/fork.h>
#include <filch/inline/scope.h>
#include <filch/pool.h>

FILCH_EXTERN_C_BEGIN

struct filch_scope;

/* Spawns fn(arg) on the scope.
 *   s    a scope that has not been left: the caller is its body, or runs within it        [in,out]
 *   fn   the body
 *   arg  handed to fn; may point to what outlives the scope: variables declared before it, not in
 *        its block
 * Returns 0; EINVAL (s or fn NULL); ENOMEM; EPERM (in a forked child: a scope of the parent). On
 * failure nothing was spawned.
 * Blocks: never; with too many of its tasks waiting, the caller is set aside and some of them run
 * first, so that memory stays bounded. Panics: never. Callable from: the body of the scope, its
 * tasks, and whatever runs within them. Ordering: the caller's past happens before fn; fn happens
 * before the scope is left. */
FILCH_API FILCH_NODISCARD int filch_scope_spawn(struct filch_scope *s, void (*fn)(void *),
                                                void *arg);

/* The same for a task with a handle, or a drop function.
 *   task  receives the handle, which may outlive the scope; not NULL                       [out]
 *   attr  name, drop functions; NULL: the defaults; read before the call returns             [in]
 * A panic of the task goes to whoever joins it, not to the scope.
 * Returns as filch_scope_spawn; EINVAL (task NULL).
 * Ownership: the caller owns *task until filch_task_join or filch_task_detach. Everything else as
 * filch_scope_spawn. */
FILCH_API FILCH_NODISCARD int filch_scope_spawn_task(struct filch_scope *s,
                                                     struct filch_task **task,
                                                     const struct filch_task_attr *attr,
                                                     void (*fn)(void *), void *arg);

/* Cancels what is inside the scope: its body, its tasks, and all that runs within them, on whatever
 * worker.
 *   s  has not been left, nor will be before the return                                 [in,out]
 * A task that has not begun does not run: its drop function does, where it has one (see
 * filch_scope_spawn_task). Every wait inside ends with ECANCELED unless it has what it waits for, and so
 * does every later one that would have to wait; loops hand out no more ranges. filch_canceled says so to
 * code that does none of this. Not ended: the waits of scopes, joins and loops for their own parts, the
 * return of a condition variable to its mutex, guards, filch_pool_install, a join that runs the task which it
 * waits for itself, and whatever a raw thread does.
 * The scope still ends when all of its tasks have.
 * Returns 0, also where it was cancelled before; EINVAL (s NULL); EPERM (in a forked child).
 * Blocks: never. Panics: never. Callable from: anywhere, signal handlers excepted. Ordering: the caller's
 * past happens before a return of ECANCELED. */
FILCH_API int filch_scope_cancel(struct filch_scope *s);

/* From a point in time on, the same with ETIMEDOUT; in place of the deadline set before. A deadline
 * around the scope that is earlier holds, too.
 *   s         as in filch_scope_cancel                                                  [in,out]
 *   deadline  absolute ns on CLOCK_MONOTONIC; FILCH_FOREVER: none of its own
 * Returns 0; EINVAL (s NULL); EPERM (in a forked child). Everything else as filch_scope_cancel. */
FILCH_API int filch_scope_set_deadline(struct filch_scope *s, int64_t deadline);

/* Opens a scope on the pool that the caller works for (else the default pool), calls body(s, ctx),
 * waits for all tasks of the scope.
 *   body  called on this thread
 *   ctx   handed to body; borrowed
 * Returns 0; ECANCELED, ETIMEDOUT (something in it was not done, or waited for in vain, because the scope,
 * or what is around it, was cancelled or out of time); EINVAL (body NULL); ENOMEM, EAGAIN and what
 * filch_pool_default returns (body was not called). Blocks: yes; a task suspends, its worker goes on.
 * Panics: with the panic of body, else with the first one of a task, when all have ended.
 * Callable from: threads and tasks. Ordering: all tasks happen before the return. */
FILCH_API FILCH_NODISCARD int filch_scope_run(void (*body)(struct filch_scope *s, void *ctx),
                                              void *ctx);

/* FILCH_SCOPE(s) { ... } opens a scope for the block that follows; in it, `s` is a
 * `struct filch_scope *`. The block may be left at its end or by return, break (out of the scope),
 * continue (also: out of the scope), goto or a panic; each waits for the tasks first. Where a task has
 * panicked and the block has not, the first panic goes on where the block is left. Where no pool can be
 * had, the process ends with a message; use filch_scope_run to handle that. Needs -fexceptions in
 * the file that uses it. */
#define FILCH_SCOPE(s) FILCH__SCOPE(s)

/* Runs a(x) and b(y), at the same time where a worker is free, and returns when both have ended.
 *   a, b  the halves; a runs on this thread at once                          not NULL (checked)
 *   x, y  handed to them; borrowed
 * A stolen half runs on the stack of a worker, which is as large as its pool's stack_size_bytes.
 * Blocks: yes; a task suspends, its worker goes on. Panics: with the panic of a half, that of a before
 * that of b, when both have ended; where a panics and nobody has begun b, b does not run. Aborts with a
 * message where a or b is NULL. Where no pool can be had, b runs after a. Callable from: threads and tasks.
 * Ordering: the caller's past happens before both; both before the return. */
FILCH_API void filch_join(void (*a)(void *), void *x, void (*b)(void *), void *y);

#ifdef __EXCEPTIONS
/* Inline, so that halves known to the compiler are called directly; (filch_join) is the function. */
#define filch_join(a, x, b, y) filch__join((a), (x), (b), (y))
#endif

FILCH_EXTERN_C_END

#endif
