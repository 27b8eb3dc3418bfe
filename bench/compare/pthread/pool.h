/* SPDX-License-Identifier: Apache-2.0 */
/* What many programs have instead of a library: threads that take jobs from one list under one
 * mutex, with a condition variable. Done well, so far as that goes: the list is a growing ring, so
 * that a job costs no allocation, and nobody is signalled while nobody sleeps. */
#ifndef FILCH_BENCH_COMPARE_PTHREAD_POOL_H
#define FILCH_BENCH_COMPARE_PTHREAD_POOL_H

#include <stddef.h>

/* Starts the threads of the one pool. Ends the process with a message where that fails. */
void pool_start(unsigned workers);

/* Hands in `count` jobs at once: fn(args[i]). */
void pool_submit(void (*fn)(void *), void *const *args, size_t count);

/* Waits until all jobs so far have run. */
void pool_wait(void);

#endif
