/* SPDX-License-Identifier: Apache-2.0 */
#include "peer/parties.h"

#include "peer/peer.h"

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static void thread_start(pthread_t *thread, void *(*fn)(void *), void *argument)
{
    if (pthread_create(thread, NULL, fn, argument) != 0) {
        fprintf(stderr, "peer-%s: cannot start a thread\n", bench_peer.name);
        exit(1);
    }
}

static void *ring_the_bell(void *argument)
{
    struct parties_time *time = argument;
    const struct timespec run = {0, (long)time->run_ns};
    nanosleep(&run, NULL);
    __atomic_store_n(&time->stop, 1, __ATOMIC_RELAXED);
    return NULL;
}

double parties_run(struct parties_time *time, void (*run)(void *ctx), void *ctx)
{
    pthread_t bell;
    time->stop = 0;
    const int64_t begin_ns = bench_now_ns();
    thread_start(&bell, ring_the_bell, time);
    run(ctx);
    const int64_t end_ns = bench_now_ns();
    pthread_join(bell, NULL);
    return 1e-9 * (double)(end_ns - begin_ns);
}

struct party {
    void (*body)(void *ctx, unsigned number);
    void *ctx;
    unsigned number;
    enum parties_place place;
};

/* Binds this thread to the CPU that is its turn among those that it may use. */
static void pin(unsigned number)
{
    cpu_set_t allowed;
    if (sched_getaffinity(0, sizeof allowed, &allowed) != 0)
        return;
    unsigned left = number % (unsigned)CPU_COUNT(&allowed);
    for (size_t cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (CPU_ISSET(cpu, &allowed) && left-- == 0) {
            CPU_ZERO(&allowed);
            CPU_SET(cpu, &allowed);
            sched_setaffinity(0, sizeof allowed, &allowed);
            return;
        }
    }
}

static void *party_main(void *argument)
{
    const struct party *party = argument;
    if (party->place == PARTIES_PINNED)
        pin(party->number);
    party->body(party->ctx, party->number);
    return NULL;
}

void parties_on_threads(unsigned count, enum parties_place place,
                        void (*body)(void *ctx, unsigned number), void *ctx)
{
    pthread_t threads[PARTIES_MAX];
    struct party parties[PARTIES_MAX];
    for (unsigned i = 0; i < count; i++) {
        parties[i] = (struct party){body, ctx, i, place};
        thread_start(&threads[i], party_main, &parties[i]);
    }
    for (unsigned i = 0; i < count; i++)
        pthread_join(threads[i], NULL);
}
