/* SPDX-License-Identifier: Apache-2.0 */
/* The one file that calls the kernel by itself, and so the only place where a thread of the library sleeps. */
#include "os/syscalls.h"

#include "base/section.h"

#include <errno.h>
#include <filch/attr.h>
#include <limits.h>
#include <linux/futex.h>
#include <linux/membarrier.h>
#include <linux/time_types.h>
#include <stdbool.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum { NS_PER_S = 1000000000 };

/* process_madvise(2) takes this many ranges in one call (UIO_MAXIOV). */
enum { BATCH_MAX = 1024 };

/* PIDFD_SELF, since Linux 6.14: this process, without opening a descriptor. */
enum { PIDFD_OF_SELF = -10000 };

/* futex(2), without a detour through the C library and its errno: where a thread sleeps and wakes, none of that
 * is in a cache. Returns what it returns; a negative errno value where it fails. */
#if defined(__x86_64__) && defined(__LP64__)
static FILCH_ALWAYS_INLINE long futex(uint32_t *word, long operation, long value,
                                      const struct __kernel_timespec *timeout, long bits)
{
    long result;
    register const struct __kernel_timespec *r10 __asm__("r10") = timeout;
    register uint32_t *r8 __asm__("r8") = NULL;
    register long r9 __asm__("r9") = bits;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(SYS_futex), "D"(word), "S"(operation), "d"(value), "r"(r10), "r"(r8),
                       "r"(r9)
                     : "rcx", "r11", "memory");
    return result;
}
#else
static long futex(uint32_t *word, long operation, long value,
                  const struct __kernel_timespec *timeout, long bits)
{
    int saved_errno = errno;
#ifdef SYS_futex_time64 /* 32 bits: the other call has a time of two longs */
    long result = syscall(SYS_futex_time64, word, operation, value, timeout, NULL, bits);
#ifdef SYS_futex
    if (result == -1 && errno == ENOSYS) { /* before Linux 5.1 */
        struct __kernel_old_timespec narrow, *when = NULL;
        if (timeout != NULL) {
            bool is_far = timeout->tv_sec > LONG_MAX; /* 68 years after the start */
            narrow.tv_sec = is_far ? LONG_MAX : (long)timeout->tv_sec;
            narrow.tv_nsec = (long)timeout->tv_nsec;
            when = &narrow;
        }
        result = syscall(SYS_futex, word, operation, value, when, NULL, bits);
    }
#endif
#else
    long result = syscall(SYS_futex, word, operation, value, timeout, NULL, bits);
#endif
    if (result == -1)
        result = -errno;
    errno = saved_errno;
    return result;
}
#endif

FILCH_WAKE_PATH int filch__syscall_futex_wait(uint32_t *word, uint32_t expected,
                                              int64_t deadline_ns)
{
    struct __kernel_timespec deadline;
    struct __kernel_timespec *timeout = NULL;
    if (deadline_ns != INT64_MAX) {
        if (deadline_ns < 0)
            deadline_ns = 0;
        deadline.tv_sec = deadline_ns / NS_PER_S;
        deadline.tv_nsec = deadline_ns % NS_PER_S;
        timeout = &deadline;
    }
    /* The BITSET form takes an absolute time; without FUTEX_CLOCK_REALTIME it is CLOCK_MONOTONIC. */
    long result = futex(word, FUTEX_WAIT_BITSET | FUTEX_PRIVATE_FLAG, (long)expected, timeout,
                        (long)FUTEX_BITSET_MATCH_ANY);
    return result < 0 ? (int)-result : 0;
}

FILCH_WAKE_PATH void filch__syscall_futex_wake(uint32_t *word, int count)
{
    (void)futex(word, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, count, NULL, 0);
}

int filch__syscall_barrier_ready(void)
{
    int saved_errno = errno;
    long result = syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0);
    errno = saved_errno;
    return result == 0 ? 0 : ENOSYS;
}

int filch__syscall_barrier(void)
{
    int saved_errno = errno;
    long result;
    do
        result = syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0);
    while (result == -1 && errno == ENOMEM); /* for a moment: the kernel allocates for it */
    errno = saved_errno;
    return result == 0 ? 0 : ENOSYS;
}

int filch__syscall_advise_batch(const struct iovec *ranges, size_t count, int advice)
{
    int saved_errno = errno;
    int error = 0;
    for (size_t done = 0; done < count && error == 0; done += BATCH_MAX) {
        size_t batch = count - done < BATCH_MAX ? count - done : BATCH_MAX;
        size_t expected_bytes = 0;
        for (size_t i = 0; i < batch; i++)
            expected_bytes += ranges[done + i].iov_len;
        long advised_bytes =
            syscall(SYS_process_madvise, PIDFD_OF_SELF, ranges + done, batch, advice, 0);
        if (advised_bytes == -1)
            error = errno;
        else if ((size_t)advised_bytes != expected_bytes)
            error = EINVAL;
    }
    errno = saved_errno;
    return error;
}
