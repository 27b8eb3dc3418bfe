/* SPDX-License-Identifier: Apache-2.0 */
#include "compare/pthread/pool.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

struct job {
    void (*fn)(void *);
    void *arg;
};

static struct {
    pthread_mutex_t lock;
    pthread_cond_t work;
    pthread_cond_t all_done;
    struct job *ring; /* under lock, as is all that follows */
    size_t capacity;  /* a power of two */
    size_t head;      /* next to run; both count on and on, and are masked on use */
    size_t tail;
    size_t running;
    size_t sleeping;
} pool = {.lock = PTHREAD_MUTEX_INITIALIZER,
          .work = PTHREAD_COND_INITIALIZER,
          .all_done = PTHREAD_COND_INITIALIZER};

static void *worker(void *unused)
{
    (void)unused;
    pthread_mutex_lock(&pool.lock);
    for (;;) {
        while (pool.head == pool.tail) {
            if (pool.running == 0)
                pthread_cond_broadcast(&pool.all_done);
            pool.sleeping++;
            pthread_cond_wait(&pool.work, &pool.lock);
            pool.sleeping--;
        }
        const struct job job = pool.ring[pool.head++ & (pool.capacity - 1)];
        pool.running++;
        pthread_mutex_unlock(&pool.lock);
        job.fn(job.arg);
        pthread_mutex_lock(&pool.lock);
        pool.running--;
    }
    return NULL;
}

static void ring_grow(void)
{
    const size_t capacity = pool.capacity ? 2 * pool.capacity : 1024;
    struct job *ring = malloc(capacity * sizeof *ring);
    if (!ring) {
        fputs("peer-pthread: out of memory\n", stderr);
        exit(1);
    }
    for (size_t i = pool.head; i != pool.tail; i++)
        ring[i & (capacity - 1)] = pool.ring[i & (pool.capacity - 1)];
    free(pool.ring);
    pool.ring = ring;
    pool.capacity = capacity;
}

void pool_start(unsigned workers)
{
    ring_grow();
    for (unsigned i = 0; i < workers; i++) {
        pthread_t id;
        if (pthread_create(&id, NULL, worker, NULL) != 0) {
            fputs("peer-pthread: cannot start a thread\n", stderr);
            exit(1);
        }
        pthread_detach(id);
    }
}

void pool_submit(void (*fn)(void *), void *const *args, size_t count)
{
    pthread_mutex_lock(&pool.lock);
    for (size_t i = 0; i < count; i++) {
        if (pool.tail - pool.head == pool.capacity)
            ring_grow();
        pool.ring[pool.tail++ & (pool.capacity - 1)] = (struct job){fn, args[i]};
    }
    const size_t wanted = count < pool.sleeping ? count : pool.sleeping;
    for (size_t i = 0; i < wanted; i++)
        pthread_cond_signal(&pool.work);
    pthread_mutex_unlock(&pool.lock);
}

void pool_wait(void)
{
    pthread_mutex_lock(&pool.lock);
    while (pool.head != pool.tail || pool.running > 0)
        pthread_cond_wait(&pool.all_done, &pool.lock);
    pthread_mutex_unlock(&pool.lock);
}
