/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FILCH_BENCH_PTHREAD_THREADS_H
#define FILCH_BENCH_PTHREAD_THREADS_H

void pthread_case_thread_spawn(void *data);

#endif
