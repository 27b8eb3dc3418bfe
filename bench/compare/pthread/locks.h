/* SPDX-License-Identifier: Apache-2.0 */
/* The C library's locks. */
#ifndef FILCH_BENCH_COMPARE_PTHREAD_LOCKS_H
#define FILCH_BENCH_COMPARE_PTHREAD_LOCKS_H

void pthread_case_mutex(void *data);
void pthread_case_rwlock_read(void *data);
void pthread_case_rwlock_write(void *data);
void pthread_case_mutex_threads(void *data);
void pthread_case_rwlock_threads(void *data);
void pthread_case_condvar(void *data);
void pthread_case_barrier(void *data);

#endif
