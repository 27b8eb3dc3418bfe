/* SPDX-License-Identifier: Apache-2.0 */
/* Starting threads from inside the library. */
#ifndef FILCH_THREAD_START_H
#define FILCH_THREAD_START_H

#include <filch/thread.h>
#include <stdbool.h>
#include <stdint.h>

/* What the public forms do not say. */
struct thread_start {
    struct filch_thread_scope *scope; /* whose end waits for the thread; NULL: none */
    bool is_internal;                 /* the library's own: no user could have leaked its handle */
};

/* As filch_thread_spawn, but that `thread` may be NULL: the thread is detached. */
FILCH_NODISCARD int filch__thread_start(struct filch_thread **thread,
                                        const struct filch_thread_attr *attr, void *(*fn)(void *),
                                        void *arg, const struct thread_start *start);

/* Binds a thread that was started here, and has not been joined or detached, to a set of CPUs, as
 * sched_setaffinity(2) reads it. Returns 0; what pthread_setaffinity_np(3) returns. Blocks: never. Panics:
 * never. */
FILCH_NODISCARD int filch__thread_bind(const struct filch_thread *thread, const void *set,
                                       size_t set_bytes);

/* Reads where such a thread may run.
 *   set   of unsigned longs, which are 0; at least as large as the kernel's own                  [out]
 * Returns 0; what sched_getaffinity(2) answers. Blocks: never. Panics: never. */
FILCH_NODISCARD int filch__thread_read_binding(const struct filch_thread *thread, void *set,
                                               size_t set_bytes);

/* CPU time that such a thread has used, up to this moment, in ns; 0: the system does not say. Blocks: never.
 * Panics: never. */
int64_t filch__thread_ran_ns(const struct filch_thread *thread);

#endif
