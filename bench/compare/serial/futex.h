/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FILCH_BENCH_COMPARE_SERIAL_FUTEX_H
#define FILCH_BENCH_COMPARE_SERIAL_FUTEX_H

/* Starts the threads that sleep. */
void futex_start(void);

/* The run of `wake` and `wake-result`. */
void futex_wake(void *data);

#endif
