/* SPDX-License-Identifier: Apache-2.0 */
/* Raw OS threads, for work that runs long or blocks: start one, give it a name, join it.
 *
 *     struct filch_thread *thread;
 *     struct filch_thread_attr attr = {.name = "reader"};
 *     int error = filch_thread_spawn(&thread, &attr, read_all, &input);
 *     if (error == 0)
 *         error = filch_thread_join(thread, &result);
 *
 * All functions may be called from several threads at once, each handle by one thread at a time.
 * Not promised: any order between threads; use the pool for short work.
 */
#ifndef FILCH_THREAD_H
#define FILCH_THREAD_H

#include <filch/attr.h>
#include <filch/errors.h>
#include <stddef.h>
#include <stdint.h>

FILCH_EXTERN_C_BEGIN

/* The owner's handle of a thread: joined or detached exactly once, after which it is gone. */
struct filch_thread;

/* How a thread starts. Zero-initialised, every field has its default. */
struct filch_thread_attr {
    const char *name;           /* copied whole; the OS shows its first 15 bytes; NULL: unnamed */
    size_t stack_size_bytes;    /* a minimum, rounded up to pages; 0: 2 MiB, or $FILCH_STACK_SIZE */
    const void *affinity;       /* a cpu_set_t that the thread is bound to; NULL: as the caller */
    size_t affinity_size_bytes; /* of *affinity */
};

/* Starts a thread that runs fn(arg).
 *   thread  receives the handle                                                            [out]
 *   attr    how to start it; NULL: the defaults; read before the call returns               [in]
 *   fn      the body, as in pthreads
 *   arg     handed to fn; the thread's from now on
 * Returns 0; EINVAL (thread or fn NULL); EAGAIN (no more threads allowed); ENOMEM; EPERM or EINVAL
 * from the OS for the affinity. Ownership: the caller owns *thread until join or detach.
 * Blocks: never. Panics: never. Callable from: threads and tasks.
 * Ordering: what the caller did before happens before fn. */
FILCH_API FILCH_NODISCARD int filch_thread_spawn(struct filch_thread **thread,
                                                 const struct filch_thread_attr *attr,
                                                 void *(*fn)(void *), void *arg);

/* Waits until the thread has ended and takes its result.
 *   thread  the handle; gone after a return of 0                                            [in]
 *   result  receives what fn returned; NULL: not wanted                                    [out]
 * Returns 0; EINVAL (thread NULL); EDEADLK (the thread joins itself; the handle stays).
 * Ownership: takes the handle. Blocks: yes, the OS thread. Panics: never.
 * Callable from: threads and tasks. Ordering: what fn did happens before the return. */
FILCH_API FILCH_NODISCARD int filch_thread_join(struct filch_thread *thread, void **result);

/* Gives the handle up; the thread goes on and cleans up after itself.
 *   thread  the handle; gone after a return of 0                                            [in]
 * Returns 0; EINVAL (thread NULL). Ownership: takes the handle. Blocks: never. Panics: never.
 * Callable from: threads and tasks. */
FILCH_API FILCH_NODISCARD int filch_thread_detach(struct filch_thread *thread);

/* The full name of a thread.
 *   thread  a handle that is neither joined nor detached                                    [in]
 * Returns the name, valid as long as the handle; NULL for an unnamed thread or a NULL handle.
 * Blocks: never. Panics: never. Callable from: anywhere. */
FILCH_API const char *filch_thread_name(const struct filch_thread *thread);

FILCH_EXTERN_C_END

#endif
