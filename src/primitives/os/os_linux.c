/* SPDX-License-Identifier: Apache-2.0 */
#include "os/os.h"

#include "os/syscalls.h"

#include "base/section.h"

#include <errno.h>
#include <sched.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

static void *linux_alloc(size_t size_bytes, size_t align_bytes)
{
    int saved_errno = errno;
    void *memory = NULL;
    if (align_bytes < sizeof(void *))
        align_bytes = sizeof(void *);
    if (posix_memalign(&memory, align_bytes, size_bytes) != 0)
        memory = NULL;
    errno = saved_errno;
    return memory;
}

static void linux_free(void *memory)
{
    int saved_errno = errno;
    free(memory);
    errno = saved_errno;
}

/* Turns a call that sets errno into one that returns it and leaves errno alone. */
static int result_of(long result, int saved_errno)
{
    int error = result == -1 ? errno : 0;
    errno = saved_errno;
    return error;
}

static void *linux_map(size_t size_bytes)
{
    int saved_errno = errno;
    void *pages = mmap(NULL, size_bytes, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    errno = saved_errno;
    return pages == MAP_FAILED ? NULL : pages;
}

static int linux_unmap(void *pages, size_t size_bytes)
{
    int saved_errno = errno;
    return result_of(munmap(pages, size_bytes), saved_errno);
}

static int linux_advise(void *pages, size_t size_bytes, int advice)
{
    int saved_errno = errno;
    return result_of(madvise(pages, size_bytes, advice), saved_errno);
}

static int linux_protect(void *pages, size_t size_bytes, int protection)
{
    int saved_errno = errno;
    return result_of(mprotect(pages, size_bytes, protection), saved_errno);
}

static int64_t read_clock(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

FILCH_WAKE_PATH static int64_t linux_now_ns(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

static int64_t linux_coarse_now_ns(void)
{
    return read_clock(CLOCK_MONOTONIC_COARSE);
}

static int64_t linux_thread_ran_ns(pthread_t thread)
{
    clockid_t clock;
    struct timespec ran;
    int saved_errno = errno;
    bool is_known = pthread_getcpuclockid(thread, &clock) == 0 && clock_gettime(clock, &ran) == 0;
    errno = saved_errno;
    return is_known ? (int64_t)ran.tv_sec * 1000000000 + ran.tv_nsec : 0;
}

static void linux_yield(void)
{
    (void)sched_yield(); /* it cannot fail */
}

static int linux_write(int file, const void *data, size_t size_bytes, size_t *written)
{
    int saved_errno = errno;
    ssize_t count = write(file, data, size_bytes);
    int error = result_of(count, saved_errno);
    if (error == 0)
        *written = (size_t)count;
    return error;
}

const struct os_table filch__os_linux = {
    .alloc = linux_alloc,
    .free = linux_free,
    .map = linux_map,
    .unmap = linux_unmap,
    .advise = linux_advise,
    .protect = linux_protect,
    .advise_batch = filch__syscall_advise_batch,
    .thread_create = pthread_create,
    .thread_join = pthread_join,
    .futex_wait = filch__syscall_futex_wait,
    .futex_wake = filch__syscall_futex_wake,
    .now_ns = linux_now_ns,
    .coarse_now_ns = linux_coarse_now_ns,
    .thread_ran_ns = linux_thread_ran_ns,
    .yield = linux_yield,
    .write = linux_write,
    .barrier = filch__syscall_barrier,
    .barrier_ready = filch__syscall_barrier_ready,
};

const struct os_table *filch__os = &filch__os_linux;

void filch__os_replace(const struct os_table *table)
{
    filch__os = table != NULL ? table : &filch__os_linux;
}

void *filch__os_alloc_zeroed(size_t count, size_t size_bytes, size_t align_bytes)
{
    size_t total_bytes;
    if (__builtin_mul_overflow(count, size_bytes, &total_bytes) || total_bytes == 0)
        return NULL;
    void *memory = filch__os->alloc(total_bytes, align_bytes);
    if (memory != NULL)
        memset(memory, 0, total_bytes);
    return memory;
}

size_t filch__page_size_bytes(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}
