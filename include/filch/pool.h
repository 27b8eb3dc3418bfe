/* SPDX-License-Identifier: Apache-2.0 */
/* A fixed pool of named worker threads that steal work from each other.
 *
 *     struct filch_pool *pool;
 *     struct filch_pool_config config = {.name = "solver", .workers = 8};
 *     int error = filch_pool_create(&pool, &config);
 *     if (error != 0)
 *         return error;
 *     error = filch_pool_spawn(pool, NULL, NULL, compress, block);
 *     ...
 *     error = filch_pool_destroy(pool);        // after all its tasks have run
 *
 * Most programs need none of this: filch_for, filch_join and scopes start a default pool at first
 * use. All functions may be called from any thread or task, except as each says. Not promised: the
 * order in which tasks run.
 */
#ifndef FILCH_POOL_H
#define FILCH_POOL_H

#include <filch/attr.h>
#include <filch/errors.h>
#include <filch/task.h>
#include <filch/time.h>
#include <stddef.h>
#include <stdint.h>

FILCH_EXTERN_C_BEGIN

struct filch_pool;

/* Where workers run. The environment variable FILCH_BIND (`cores` or `none`) replaces
 * FILCH_BIND_DEFAULT. A worker that is tied to a core leaves it for 10 ms at a time at most: where another program has
 * taken that core, and somebody who waits for a half of the worker's lends it his own; what the worker starts meanwhile,
 * threads or processes, inherits that one. A worker that the program has bound otherwise stays where it is. */
enum filch_bind {
    FILCH_BIND_DEFAULT, /* one worker per core where the pool covers all that the process may use */
    FILCH_BIND_CORES,   /* one worker per core, or with more workers per hardware thread, wherever
                           there are enough */
    FILCH_BIND_NONE,    /* every worker on the whole allowed set; the OS places them */
};

/* How a pool starts. Zero-initialised, every field has its default. */
struct filch_pool_config {
    const char *name; /* copied; worker i is the thread NAME-i; NULL: "filch" */
    size_t workers;   /* 0: $FILCH_WORKERS, else what the machine grants; at most 1024 */
    enum filch_bind bind;
    size_t stack_size_bytes; /* of workers and of tasks that wait; 0: 1 MiB, or $FILCH_STACK_SIZE */
    void *hwloc_topology;    /* a loaded hwloc_topology_t to place workers by; NULL: load our own.
                                Borrowed until the call returns */
    size_t blocking_threads_max; /* spare threads for filch_blocking at most; 0: 64; at most 4096 */
    int tasks_may_migrate; /* not 0: of every task, however it is spawned: see may_migrate in task.h */
};

/* How a pool ends. */
enum filch_shutdown {
    FILCH_DRAIN,  /* every task that was accepted runs first */
    FILCH_CANCEL, /* tasks that have not started are dropped: their drop functions run */
};

/* Starts a pool.
 *   pool    receives the pool                                                              [out]
 *   config  how to start it; NULL: the defaults; read before the call returns               [in]
 * Returns 0; EINVAL (pool NULL, more than 1024 workers or 4096 spare threads, an unknown bind policy, a
 * bad value in FILCH_WORKERS, FILCH_BIND or FILCH_STACK_SIZE); ENOMEM; EAGAIN (not all threads could be
 * started; none is left behind).
 * Ownership: the caller destroys the pool. Blocks: briefly, until the workers run.
 * Panics: never. Callable from: threads and tasks. */
FILCH_API FILCH_NODISCARD int filch_pool_create(struct filch_pool **pool,
                                                const struct filch_pool_config *config);

/* The default pool, started by the first call. In a forked child it is started anew. The call does not wait
 * until hwloc has described the machine: in the first milliseconds its workers run unbound, while the last
 * one asks, which reads hwloc's variables in the environment; then all are bound. Who changes the
 * environment then (setenv(3) is not safe beside readers) calls filch_pool_describe first, which waits for
 * that. Where a variable is set whose name begins with HWLOC_, and in filch_pool_create, the call waits too.
 *   pool  receives the pool                                                                [out]
 * Returns 0; EINVAL (pool NULL); else as filch_pool_create, and the next call tries again.
 * Ownership: the library's; it is shut down at exit() without waiting for detached tasks, and may
 * be neither shut down nor destroyed by the caller (EPERM). Blocks: as filch_pool_create.
 * Panics: never. Callable from: threads and tasks. */
FILCH_API FILCH_NODISCARD int filch_pool_default(struct filch_pool **pool);

/* Stops a pool: no new work from outside is taken (ESHUTDOWN); returns when the workers have ended.
 *   pool      the pool                                                                  [in,out]
 *   how       FILCH_DRAIN or FILCH_CANCEL; a later FILCH_CANCEL overrides a drain under way
 *   deadline  absolute ns on CLOCK_MONOTONIC; FILCH_FOREVER for none
 * Returns 0, also where it has ended already; ETIMEDOUT (it goes on ending; call again); EINVAL;
 * EPERM (the default pool; a pool of the process that forked this one); EDEADLK (called from one of
 * its own workers). Blocks: yes, the OS thread. Panics: never. Callable from: threads, and tasks of
 * other pools. Ordering: what the tasks did happens before the return of 0. */
FILCH_API FILCH_NODISCARD int filch_pool_shutdown(struct filch_pool *pool, enum filch_shutdown how,
                                                  int64_t deadline);

/* Frees a pool that has been shut down; one that has not is drained first. In a forked child, only
 * what belongs to the child is freed.
 *   pool  gone after a return of 0; NULL is allowed                                         [in]
 * Returns 0; EPERM (the default pool); EDEADLK (called from one of its own workers); EBUSY (a
 * thread outside is inside a call on the pool).
 * Ownership: takes the pool. Blocks: yes, as filch_pool_shutdown. Panics: never.
 * Callable from: threads, and tasks of other pools. */
FILCH_API FILCH_NODISCARD int filch_pool_destroy(struct filch_pool *pool);

/* Gives a task to the pool.
 *   pool  where it shall run; NULL: the default pool                                    [in,out]
 *   task  receives the handle; NULL: the task is detached                                  [out]
 *   attr  name, drop function; NULL: the defaults; read before the call returns             [in]
 *   fn    the body
 *   arg   handed to fn. Once accepted, either fn or attr->drop is called on it, exactly once; and
 *         attr->arg_drop in any case
 * Returns 0; EINVAL (fn NULL); ENOMEM; ESHUTDOWN; EPERM (a pool of the process that forked this
 * one); else as filch_pool_default. On failure nothing has changed and arg is still the
 * caller's, unless attr->arg_drop has been called on it.
 * Ownership: the caller owns *task until filch_task_join or filch_task_detach.
 * Blocks: never; called in a task with too many children waiting, it runs some of them first.
 * Panics: never; where a detached task panics, the report is all, and its worker goes on.
 * Callable from: threads and tasks. Ordering: what the caller did before happens before fn. */
FILCH_API FILCH_NODISCARD int filch_pool_spawn(struct filch_pool *pool, struct filch_task **task,
                                               const struct filch_task_attr *attr,
                                               void (*fn)(void *), void *arg);

/* Gives `count` detached tasks to the pool at once: fn(args[0]), fn(args[1]), ...
 *   pool   as in filch_pool_spawn                                                       [in,out]
 *   fn     the body
 *   args   `count` arguments, copied before the call returns; NULL only where count is 0    [in]
 *   count  number of tasks; 0 does nothing
 * Returns 0: all were accepted; else none was: EINVAL, ENOMEM, ESHUTDOWN, EPERM.
 * Blocks: as filch_pool_spawn. Panics: never. Callable from: threads and tasks. */
FILCH_API FILCH_NODISCARD int filch_pool_spawn_batch(struct filch_pool *pool, void (*fn)(void *),
                                                     void *const *args, size_t count);

/* Runs fn(arg) as a task of the pool and waits for it here. In a task of that very pool it is a
 * plain call.
 *   pool  where it shall run; NULL: the default pool                                    [in,out]
 *   fn    the body
 *   arg   handed to fn; borrowed
 * Returns 0; EINVAL; ENOMEM; ESHUTDOWN; ECANCELED (the pool was cancelled before it started); EPERM.
 * Blocks: yes; a task of another pool suspends, its worker goes on. Panics: with the panic of fn.
 * Callable from: threads and tasks. Ordering: the caller's past happens before fn, fn before the
 * return. */
FILCH_API FILCH_NODISCARD int filch_pool_install(struct filch_pool *pool, void (*fn)(void *),
                                                 void *arg);

/* Runs fn(arg), which may block its OS thread (a system call, a foreign lock, another library's wait), on
 * a spare thread, so that only the calling task waits; its worker goes on. On a thread that computes for
 * no pool it is a plain call.
 *   fn      the body. There, the caller's thread-locals, filch_worker_index() and locks are another
 *           thread's; errno and the floating-point modes are the caller's, and come back as fn leaves them
 *   arg     handed to fn; borrowed
 *   result  receives what fn returns; NULL: nobody wants it                                [out]
 * A pool starts such threads when none is idle, at most blocking_threads_max; further calls wait for one,
 * the oldest first. They are named NAME-block-0, NAME-block-1, ..., have stacks like the workers', run on
 * every processor that the pool may use, and end with the pool or after 10 s without a call. Where there is
 * none and none can be started, fn runs here, and the worker waits with it (counted, see stats.h).
 * Returns 0; EINVAL (fn NULL). Blocks: yes; a task suspends until fn has returned, also where it is
 * cancelled: fn borrows from it. Panics: with the panic of fn. Callable from: threads and tasks.
 * Ordering: the caller's past happens before fn, fn before the return. */
FILCH_API FILCH_NODISCARD int filch_blocking(void *(*fn)(void *), void *arg, void **result);

/* The same, where fn begins before a deadline; once begun, it is waited for.
 *   deadline  absolute ns on CLOCK_MONOTONIC; FILCH_FOREVER for none
 * Returns 0; ETIMEDOUT (no thread was free in time; fn has not been called, and will not be); EINVAL.
 * Everything else as filch_blocking. */
FILCH_API FILCH_NODISCARD int filch_blocking_until(void *(*fn)(void *), void *arg, int64_t deadline,
                                                   void **result);

/* The number of threads of the pool that compute at the same time.
 *   pool  NULL: the default pool                                                            [in]
 * Returns the width; 0 where pool is NULL and no default pool can be had, and in a forked child for a
 * pool of the parent.
 * Blocks: never. Panics: never. Callable from: anywhere, signal handlers excepted. */
FILCH_API size_t filch_pool_width(struct filch_pool *pool);

/* The pool whose work the caller is doing: of a worker, or of a thread inside filch_for,
 * filch_join or a scope.
 * Returns the pool; NULL outside. Blocks: never. Panics: never. Callable from: anywhere. */
FILCH_API struct filch_pool *filch_pool_current(void);

/* Value of filch_worker_index() outside of every pool. */
#define FILCH_NOT_A_WORKER SIZE_MAX

/* Which of the pool's places the caller computes on: distinct among all that run at the same time,
 * and below filch_pool_places(). Workers have 0 to width - 1; threads that take part from outside
 * have the places after those. It does not change while a task runs, but for one that may migrate.
 * Returns the index; FILCH_NOT_A_WORKER outside, and in the halves of a filch_join whose thread found no
 * free place (more threads from outside than there are places for them, at the same time) or no pool, or
 * in the body of a filch_for where no pool can be had. Blocks: never. Panics: never.
 * Callable from: anywhere. */
FILCH_API size_t filch_worker_index(void);

/* One more than the largest filch_worker_index() in this pool: for arrays with an entry per place.
 *   pool  NULL: the default pool                                                            [in]
 * Returns the number of places; 0 as filch_pool_width. Blocks: never. Panics: never.
 * Callable from: anywhere, signal handlers excepted. */
FILCH_API size_t filch_pool_places(struct filch_pool *pool);

FILCH_EXTERN_C_END

#endif
