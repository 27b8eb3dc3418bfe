/* SPDX-License-Identifier: Apache-2.0 */
/* Raw OS threads, for work that runs long or blocks: start one, give it a name, join it.
 *
 *     struct filch_thread *thread;
 *     struct filch_thread_attr attr = {.name = "reader"};
 *     int error = filch_thread_spawn(&thread, &attr, read_all, &input);
 *     if (error == 0)
 *         error = filch_thread_join(thread, &result, NULL);
 *
 * Several at once: spawn them all, then join them all. A join inside the loop that spawns runs them
 * one after the other.
 *
 * A `struct filch_thread *` is one of two things. The *handle* that filch_thread_spawn gives out has
 * one owner and is joined or detached exactly once; using it afterwards aborts with a message, whenever
 * that is. Debug builds name at exit the handles that nobody joined or detached. A *reference*
 * (filch_thread_current, filch_thread_clone) serves to name and to unpark a thread, which may have
 * ended. All functions may be called from several threads at once, each handle by one thread at a time.
 *
 * A thread, or a task on it, whose stack overflows says so by name before it dies of SIGSEGV: for that,
 * the first thread that is started, by a pool or by the program, installs a handler of that signal, if
 * the program has none by then. A handler that the program installs later replaces it. Main's thread is
 * included from the first thread on that it starts; another thread that was not started here, when it
 * first asks who it is or parks, if there is the handler by then. One that does neither, also where it
 * takes part in a pool, dies of SIGSEGV without a word. A thread that has an alternate signal stack
 * (sigaltstack(2)) keeps it.
 *
 * When main returns, the process ends, and with it every thread, wherever it is: what has to be
 * finished is joined before. Not promised: any order between threads; use the pool for short work.
 */
#ifndef FILCH_THREAD_H
#define FILCH_THREAD_H

#include <filch/attr.h>
#include <filch/errors.h>
#include <filch/inline/thread.h>
#include <filch/time.h>
#include <stddef.h>
#include <stdint.h>

FILCH_EXTERN_C_BEGIN

struct filch_thread;
struct filch_panic;

/* How a thread starts. Zero-initialised, every field has its default. */
struct filch_thread_attr {
    const char *name;        /* copied whole; the OS shows its first 15 bytes; NULL: unnamed */
    size_t stack_size_bytes; /* a minimum, at least PTHREAD_STACK_MIN, rounded up to pages, with a
                                   guard page below; 0: $FILCH_STACK_SIZE, read once, or 2 MiB */
    const void *affinity;    /* a cpu_set_t that the thread is bound to; NULL: as the caller */
    size_t affinity_size_bytes; /* of *affinity */
    /* Called on the argument exactly once, in any case: when fn has returned, or been left otherwise,
     * on that thread; where the thread cannot be started, before the call returns its error. NULL:
     * nothing is called. */
    void (*arg_drop)(void *arg);
    /* Called on a result that is not NULL and that nobody takes: at the end of fn where the thread
     * is detached, else by filch_thread_detach or by the join that does not want it. NULL: nothing is
     * called. */
    void (*result_drop)(void *result);
};

/* Starts a thread that runs fn(arg).
 *   thread  receives the handle                                                            [out]
 *   attr    how to start it; NULL: the defaults; read before the call returns               [in]
 *   fn      the body, as in pthreads
 *   arg     handed to fn; the thread's from now on
 * Returns 0; EINVAL (thread or fn NULL, a stack of impossible size, a bad $FILCH_STACK_SIZE); EAGAIN
 * (no more threads allowed); ENOMEM; EPERM or EINVAL from the OS for the affinity.
 * Ownership: the caller owns *thread until join or detach; attr->arg_drop says who owns arg.
 * Blocks: never. Panics: never. Callable from: threads and tasks.
 * Ordering: what the caller did before happens before fn. */
FILCH_API FILCH_NODISCARD int filch_thread_spawn(struct filch_thread **thread,
                                                 const struct filch_thread_attr *attr,
                                                 void *(*fn)(void *), void *arg);

/* Waits until the thread has gone, the destructors of its thread-locals included, and takes its
 * result.
 *   thread  the handle; gone after a return of 0 or EOWNERDEAD                              [in]
 *   result  receives what fn returned or gave to pthread_exit, after a return of 0; NULL: not
 *           wanted                                                                         [out]
 *   panic   receives what fn panicked with, after EOWNERDEAD; NULL: not wanted             [out]
 * Returns 0; EOWNERDEAD (fn has panicked); EINVAL (thread NULL, or no handle); EDEADLK (the thread
 * joins itself or, as far as the system notices, one that joins it; the handle stays); EPERM (in a
 * forked child: a thread of the parent; the handle stays). Aborts with a message where the handle is
 * gone already.
 * Ownership: takes the handle. Blocks: yes; a task suspends until the thread has only its exit left.
 * Panics: never. Callable from: threads and tasks. Ordering: what the thread did happens before the
 * return. */
FILCH_API FILCH_NODISCARD int filch_thread_join(struct filch_thread *thread, void **result,
                                                struct filch_panic **panic);

/* The same, at most until a deadline.
 *   deadline  absolute ns on CLOCK_MONOTONIC; FILCH_FOREVER for none
 * Returns as filch_thread_join; ETIMEDOUT (the handle stays). Everything else as there. */
FILCH_API FILCH_NODISCARD int filch_thread_join_until(struct filch_thread *thread, int64_t deadline,
                                                      void **result, struct filch_panic **panic);

/* Gives the handle up; the thread goes on and cleans up after itself.
 *   thread  the handle; gone after a return of 0                                            [in]
 * Returns 0; EINVAL (thread NULL, or no handle); EPERM as filch_thread_join. Aborts with a message
 * where the handle is gone already. Ownership: takes the handle. Blocks: never, but for
 * a thread that is just about to have gone. Panics: never. Callable from: threads and tasks. */
FILCH_API FILCH_NODISCARD int filch_thread_detach(struct filch_thread *thread);

/* Whether the body of the thread has been left: a join waits no longer than for its destructors.
 *   thread  a handle or reference; it stays with the caller                                 [in]
 * Returns 1 or 0; 0 for NULL. Blocks: never. Panics: never. Callable from: threads and tasks.
 * Ordering: what fn did happens before a return of 1. */
FILCH_API int filch_thread_is_finished(const struct filch_thread *thread);

/* --- who is who --- */

/* The calling thread: also one that was not started here, and also in destructors of thread-locals. A
 * task sees the worker that it runs on.
 * Returns a reference that is good as long as the thread runs; filch_thread_clone makes one that
 * lasts. NULL: no memory for a thread that asks for the first time; or one of the last destructors of
 * the thread asks. Blocks: never. Panics: never. Callable from: threads and tasks. */
FILCH_API struct filch_thread *filch_thread_current(void);

/* A reference that outlives the thread.
 *   thread  a handle or reference; NULL is allowed                                          [in]
 * Returns the reference; NULL for NULL. Ownership: the caller drops it. Blocks: never. Panics: never.
 * Callable from: threads and tasks. */
FILCH_API FILCH_NODISCARD struct filch_thread *filch_thread_clone(struct filch_thread *thread);

/* Gives a reference back that filch_thread_clone has made.
 *   thread  gone afterwards; NULL is allowed; a handle aborts with a message                [in]
 * Blocks: never. Panics: never. Callable from: threads and tasks. */
FILCH_API void filch_thread_drop(struct filch_thread *thread);

/* The number of a thread: not 0, never used again in this process, and no number of the system's.
 *   thread  a handle or reference                                                           [in]
 * Returns the number; 0 for NULL. Blocks: never. Panics: never. Callable from: threads and tasks. */
FILCH_API uint64_t filch_thread_id(const struct filch_thread *thread);

/* The full name of a thread. The main thread's is "main".
 *   thread  a handle or reference                                                           [in]
 * Returns the name, valid as long as the handle or reference; NULL for an unnamed thread or NULL.
 * Blocks: never. Panics: never. Callable from: threads and tasks. */
FILCH_API const char *filch_thread_name(const struct filch_thread *thread);

/* How many threads can run at the same time: the CPUs that the calling thread may use (a worker: that
 * the main thread may), or less where a control group's quota pays for less. Asked anew at each call.
 * Returns at least 1; an estimate where the system hides its control groups. Blocks: for the reading
 * of kernel files. Panics: never. Callable from: threads and tasks. */
FILCH_API size_t filch_available_parallelism(void);

/* --- waiting --- */

/* Waits for the token of the calling thread, and takes it. Each thread has at most one, at first none;
 * filch_thread_unpark gives it. May return without it, so what is waited for is looked at in a loop:
 *
 *     while (!is_done(x))
 *         filch_thread_park();
 *
 * The tasks of one worker share its token: each is woken by every unpark of the worker. Returns at
 * once, having yielded, where there is no memory for a thread that has never asked who it is.
 * Blocks: yes; a task suspends, its worker goes on. Panics: never. Callable from: threads and tasks.
 * Ordering: what the one that gave the token did before happens before the return. */
FILCH_API void filch_thread_park(void);

/* The same, at most until a deadline.
 *   deadline  absolute ns on CLOCK_MONOTONIC; FILCH_FOREVER for none
 * Returns 0; ETIMEDOUT. Everything else as filch_thread_park. */
FILCH_API FILCH_NODISCARD int filch_thread_park_until(int64_t deadline);

/* Gives a thread its token: its park returns, or the next one will. A second one before that changes
 * nothing, and so does one for a thread that has ended.
 *   thread  a handle or reference; NULL is allowed
 * Blocks: never. Panics: never. Callable from: threads and tasks. Ordering: see filch_thread_park. */
FILCH_API void filch_thread_unpark(struct filch_thread *thread);

/* Sleeps, whatever signals arrive.
 *   duration_ns  at least so long; 0 or less returns at once
 * Returns 0; a task whose scope or pool has been cancelled, or is out of time: ECANCELED, ETIMEDOUT (it
 * has not slept for as long). Blocks: yes; a task suspends, its worker goes on. Panics: never. Callable
 * from: threads and tasks. */
FILCH_API int filch_sleep_ns(int64_t duration_ns);

/* The same, until a point in time.
 *   deadline  absolute ns on CLOCK_MONOTONIC; FILCH_FOREVER returns only when
 *             it is cancelled
 * Everything else as filch_sleep_ns. */
FILCH_API int filch_sleep_until(int64_t deadline);

/* Lets others run first. In a task: those of its worker that are ready to go on, in turn, and now and
 * then, or where there are none, tasks that wait to begin; where there are none either, every so often,
 * and in a thread, other threads of the system, as sched_yield(2). So what a task awaits in a loop with this happens, even
 * on one worker; but a wait says better what for.
 * Blocks: never. Panics: never. errno is preserved. Callable from: threads and tasks. */
FILCH_API void filch_yield(void);

/* --- scopes of threads --- */

/* FILCH_THREAD_SCOPE(s) { ... } opens a scope for the block that follows; in it, `s` is a
 * `struct filch_thread_scope *`. The threads spawned on it may use what was declared before the block,
 * since all of them have left their bodies when the block is left, by its end, return, break (out of
 * the scope), continue (likewise), goto, or a panic. Where the block has not panicked, the first panic of
 * a thread that is not joined goes on where the block is left. Needs -fexceptions in the file that uses it. */
#define FILCH_THREAD_SCOPE(s) FILCH__THREAD_SCOPE(s)

struct filch_thread_scope;

/* Starts a thread that the end of the scope waits for.
 *   s       a scope that has not been left: the caller is its body, or one of its threads [in,out]
 *   thread  receives a handle, for a join within the scope; NULL: none is needed           [out]
 *   attr, fn, arg  as in filch_thread_spawn
 * Returns as filch_thread_spawn; EINVAL where s or fn is NULL; EPERM (in a forked child: a scope of
 * the parent). Everything else as there. The end of the scope waits for fn and attr->arg_drop, not for
 * destructors of thread-locals; a join waits for both. */
FILCH_API FILCH_NODISCARD int filch_thread_scope_spawn(struct filch_thread_scope *s,
                                                       struct filch_thread **thread,
                                                       const struct filch_thread_attr *attr,
                                                       void *(*fn)(void *), void *arg);

/* Opens a scope, calls body(s, ctx), waits for all threads of the scope.
 *   body  called on this thread
 *   ctx   handed to body; borrowed
 * Returns 0; EINVAL (body NULL). Blocks: yes; a task suspends, its worker goes on. Panics: with the
 * panic of body, else with the first one of a thread that is not joined, when all have left their bodies.
 * Callable from: threads and tasks. Ordering: what the threads did happens before the return. */
FILCH_API FILCH_NODISCARD int
filch_thread_scope_run(void (*body)(struct filch_thread_scope *s, void *ctx), void *ctx);

FILCH_EXTERN_C_END

#endif
