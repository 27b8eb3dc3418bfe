/* SPDX-License-Identifier: Apache-2.0 */
/* The system calls that the C library does not wrap. Reached only through the table in os/os.h,
 * which says what each does. */
#ifndef FILCH_OS_SYSCALLS_H
#define FILCH_OS_SYSCALLS_H

#include <stddef.h>
#include <stdint.h>

struct iovec;

int filch__syscall_futex_wait(uint32_t *word, uint32_t expected, int64_t deadline_ns);
void filch__syscall_futex_wake(uint32_t *word, int count);
int filch__syscall_barrier_ready(void);
int filch__syscall_barrier(void);
int filch__syscall_advise_batch(const struct iovec *ranges, size_t count, int advice);

#endif
