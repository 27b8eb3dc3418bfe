/* SPDX-License-Identifier: Apache-2.0 */
/* What waking a thread costs with nothing around it: one futex each way, no pool. A thread sleeps on each
 * processor, bound to it, and the one where the caller runs is woken: the quickest way there is. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* sched_getcpu */
#endif
#include "compare/serial/futex.h"

#include "latency/latency.h"
#include "peer/peer.h"

#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

struct sleeper {
    _Alignas(128) uint32_t called; /* atomic */
    int cpu;
    struct wake_data *wake;
};

static struct sleeper *sleepers;
static int sleeper_count;
static _Alignas(128) uint32_t answered; /* atomic */

static void wait_while_0(uint32_t *word)
{
    while (__atomic_load_n(word, __ATOMIC_ACQUIRE) == 0)
        syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);
}

static void wake(uint32_t *word)
{
    __atomic_store_n(word, 1, __ATOMIC_RELEASE);
    syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

static void *sleep_and_answer(void *argument)
{
    struct sleeper *self = argument;
    for (;;) {
        wait_while_0(&self->called);
        wake_task(self->wake, bench_now_ns());
        __atomic_store_n(&self->called, 0, __ATOMIC_RELAXED);
        wake(&answered);
    }
    return NULL;
}

void futex_start(void)
{
    sleeper_count = (int)sysconf(_SC_NPROCESSORS_CONF);
    sleepers = aligned_alloc(128, (size_t)sleeper_count * sizeof *sleepers);
    if (!sleepers)
        abort();
    for (int cpu = 0; cpu < sleeper_count; cpu++) {
        sleepers[cpu] = (struct sleeper){.cpu = cpu};
        cpu_set_t set;
        CPU_ZERO(&set);
        CPU_SET((size_t)cpu, &set);
        pthread_attr_t attr;
        pthread_t id;
        pthread_attr_init(&attr);
        pthread_attr_setaffinity_np(&attr, sizeof set, &set);
        if (pthread_create(&id, &attr, sleep_and_answer, &sleepers[cpu]) != 0)
            sleepers[cpu].cpu = -1; /* not one of ours: nobody runs there */
        else
            pthread_detach(id);
        pthread_attr_destroy(&attr);
    }
}

static void round_trip(struct wake_data *data)
{
    const int cpu = sched_getcpu();
    if (cpu < 0 || cpu >= sleeper_count || sleepers[cpu].cpu < 0)
        abort();
    sleepers[cpu].wake = data;
    wake(&sleepers[cpu].called);
    wait_while_0(&answered);
    __atomic_store_n(&answered, 0, __ATOMIC_RELAXED);
}

void futex_wake(void *data)
{
    wake_measure(data, round_trip);
}
