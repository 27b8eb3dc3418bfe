/* SPDX-License-Identifier: Apache-2.0 */
#include "canary.h"

#include "peer/peer.h"

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>

enum { CANARY_FIB = 32 };

struct canary {
    pthread_barrier_t *start;
    size_t cpu;
    int64_t begin_ns;
    int64_t end_ns;
    unsigned result;
};

unsigned canary_cpus(void)
{
    cpu_set_t allowed;
    if (sched_getaffinity(0, sizeof allowed, &allowed) != 0)
        return 1;
    return (unsigned)CPU_COUNT(&allowed);
}

static size_t nth_cpu(const cpu_set_t *allowed, unsigned n)
{
    size_t cpu = 0;
    while (cpu < CPU_SETSIZE - 1 && !(CPU_ISSET(cpu, allowed) && n-- == 0))
        cpu++;
    return cpu;
}

/* Calls, returns and additions, without memory: what an unspoilt serial program does. */
static __attribute__((noinline)) unsigned fib(unsigned n)
{
    return n < 2 ? n : fib(n - 1) + fib(n - 2);
}

static void *run(void *argument)
{
    struct canary *canary = argument;
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(canary->cpu, &one);
    pthread_setaffinity_np(pthread_self(), sizeof one, &one);
    pthread_barrier_wait(canary->start);
    canary->begin_ns = bench_now_ns();
    canary->result = fib(CANARY_FIB);
    canary->end_ns = bench_now_ns();
    return NULL;
}

/* Returns the time from the first begin to the last end, in ns. */
static double together(unsigned threads, const cpu_set_t *allowed)
{
    struct canary *canaries = calloc(threads, sizeof *canaries);
    pthread_t *ids = calloc(threads, sizeof *ids);
    pthread_barrier_t start;
    if (!canaries || !ids || pthread_barrier_init(&start, NULL, threads) != 0)
        abort();
    for (unsigned i = 0; i < threads; i++) {
        canaries[i] = (struct canary){&start, nth_cpu(allowed, i), 0, 0, 0};
        /* The threads before it wait at the barrier for ever: there is no way to go on. */
        if (pthread_create(&ids[i], NULL, run, &canaries[i]) != 0)
            abort();
    }
    int64_t begin_ns = INT64_MAX;
    int64_t end_ns = 0;
    for (unsigned i = 0; i < threads; i++) {
        pthread_join(ids[i], NULL);
        begin_ns = canaries[i].begin_ns < begin_ns ? canaries[i].begin_ns : begin_ns;
        end_ns = canaries[i].end_ns > end_ns ? canaries[i].end_ns : end_ns;
    }
    pthread_barrier_destroy(&start);
    free(canaries);
    free(ids);
    return (double)(end_ns - begin_ns);
}

double canary_speedup(unsigned threads)
{
    cpu_set_t allowed;
    if (sched_getaffinity(0, sizeof allowed, &allowed) != 0)
        return 1;
    const unsigned cpus = (unsigned)CPU_COUNT(&allowed);
    const unsigned count = threads < cpus ? threads : cpus;
    /* Alone before and after, and the better of the two: an interruption of the one would look like
     * a speed-up of the many. */
    const double before = together(1, &allowed);
    const double many = together(count, &allowed);
    const double after = together(1, &allowed);
    return count * (before < after ? before : after) / many;
}
