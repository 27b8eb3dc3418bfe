/* SPDX-License-Identifier: Apache-2.0 */
/* Everything that the library asks of the operating system, as one replaceable table.
 *
 * The library calls `filch__os->...` and nothing else for memory, mappings, threads, sleeping and
 * time. Tests put their own table there: the k-th call fails, a clock stands still, a futex wakes
 * without reason. The real one is filch__os_linux.
 *
 * All entries return 0 or a positive errno value, or a pointer that is NULL on failure, and leave
 * the variable `errno` as they found it.
 */
#ifndef FILCH_OS_OS_H
#define FILCH_OS_OS_H

#include "base/check.h"

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

struct iovec;

struct os_table {
    /* size_bytes > 0 of memory, uninitialised, aligned to align_bytes (a power of two); NULL: none
     * to be had. */
    void *(*alloc)(size_t size_bytes, size_t align_bytes);
    void (*free)(void *memory); /* NULL is allowed */

    /* Anonymous private pages, read-write, lazily backed, not counted against overcommit. */
    void *(*map)(size_t size_bytes);
    int (*unmap)(void *pages, size_t size_bytes);
    int (*advise)(void *pages, size_t size_bytes, int advice);      /* madvise(2) */
    int (*protect)(void *pages, size_t size_bytes, int protection); /* mprotect(2) */
    /* The same advice for many ranges of this process in as few calls as the kernel allows.
     * ENOSYS, EINVAL or EPERM: the kernel does not do it; nothing can be said about the ranges. */
    int (*advise_batch)(const struct iovec *ranges, size_t count, int advice);

    /* pthread_create(3) and pthread_join(3). */
    int (*thread_create)(pthread_t *thread, const pthread_attr_t *attributes,
                         void *(*entry)(void *), void *argument);
    int (*thread_join)(pthread_t thread, void **result);

    /* Sleeps while *word == expected, until woken or until deadline_ns on CLOCK_MONOTONIC (INT64_MAX:
     * none). 0 woken, perhaps without reason; EAGAIN the word differs; EINTR; ETIMEDOUT. */
    int (*futex_wait)(uint32_t *word, uint32_t expected, int64_t deadline_ns);
    /* Wakes up to count sleepers on word. Never touches *word: it may be unmapped by now. */
    void (*futex_wake)(uint32_t *word, int count);

    /* Nanoseconds on CLOCK_MONOTONIC. */
    int64_t (*now_ns)(void);
    /* The same clock as of the kernel's last tick, some milliseconds ago: four times as cheap. */
    int64_t (*coarse_now_ns)(void);
    /* CPU time that a thread has used, up to this moment; 0: the system does not say. */
    int64_t (*thread_ran_ns)(pthread_t thread);

    /* sched_yield(2). */
    void (*yield)(void);

    /* write(2): writes at least one byte of size_bytes > 0. Returns how many in *written; 0, or what
     * went wrong with nothing written. */
    int (*write)(int file, const void *data, size_t size_bytes, size_t *written);

    /* The dear side of an asymmetric fence: when it returns, every running thread of this process
     * has executed a full memory barrier. ENOSYS: not to be had; barrier_ready says so beforehand.
     * Called through filch__os_barrier. */
    int (*barrier)(void);
    /* Prepares barrier(), in a process and its forked children; 0, or ENOSYS where the kernel or a
     * sandbox forbids it. Idempotent. */
    int (*barrier_ready)(void);
};

extern const struct os_table filch__os_linux;
extern const struct os_table *filch__os;

/* Replaces the table; NULL puts the real one back. For tests, while no other thread is in the
 * library. */
void filch__os_replace(const struct os_table *table);

/* alloc() of count * size_bytes, zeroed; NULL where it is too much or not to be had. */
void *filch__os_alloc_zeroed(size_t count, size_t size_bytes, size_t align_bytes);

/* The barrier where barrier_ready has said that there is one: others rely on it already. A sandbox that
 * was entered since may have taken it away. */
static inline void filch__os_barrier(void)
{
    FILCH_CHECK(filch__os->barrier() == 0,
                "membarrier(2) is refused, which was to be had before: a "
                "sandbox has to be entered before the first pool or channel");
}

/* The size of a page of memory in bytes. */
size_t filch__page_size_bytes(void);

#endif
