/* SPDX-License-Identifier: Apache-2.0 */
/* What the models share: each is a small program for a model checker (GenMC), includes sources of the
 * library as they are, and gives them this model of the operating system. See tests/model/run.
 *
 * A scenario is chosen by -DSCENARIO=N. An execution in which a thread waits for something that never
 * comes is reported under --check-liveness. */
#ifndef FILCH_MODEL_MODEL_H
#define FILCH_MODEL_MODEL_H

#include <assert.h>
#include <errno.h>
#include <genmc.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

/* The checker knows neither a processor's hint nor the address of errno. */
#define __builtin_ia32_pause() ((void)0)
#undef errno
#define errno model_errno
#ifndef ECANCELED /* its <errno.h> is short */
#define ECANCELED 125
#endif
static _Thread_local int model_errno;
/* Nor does it initialise thread-local structs. All threads of a model are of one kind, so their
 * thread-local variables may be one. */
#define __thread
#define tls_model(model) unused

static void model_fence_light(void);
#define FILCH_FENCE_LIGHT() model_fence_light()

#include "base/check.h"
#include "os/os.h"

#include <filch/time.h>

/* The threads of a scenario have numbers; see model_run. */
#define MODEL_THREADS_MAX 4
static _Thread_local int model_self;
static int model_count;

/* A retry loop that waits for another thread is followed this far and no further: the checker takes
 * an endless one for a thread that waits in vain. */
#ifndef MODEL_ROUNDS
#define MODEL_ROUNDS 4
#endif
#define MODEL_BOUNDED(condition)                                                                   \
    for (int model_round = 0; (condition) && (__VERIFIER_assume(model_round++ < MODEL_ROUNDS), 1);)

void filch__abort(const char *message, const char *file, int line)
{
    (void)message;
    (void)file;
    (void)line;
    assert(0);
    __VERIFIER_assume(0);
    for (;;) {
    }
}

/* --- memory --- */

/* What the compiler makes of copying a struct, word by word: the models' structs that are copied
 * consist of 8-byte words. */
void *memcpy(void *restrict to, const void *restrict from, size_t size_bytes)
{
    uint64_t *out = to;
    const uint64_t *in = from;
    for (size_t i = 0; i < size_bytes / sizeof *out; i++)
        out[i] = in[i];
    return to;
}

void *memset(void *to, int byte, size_t size_bytes)
{
    uint64_t *out = to;
    assert(byte == 0);
    for (size_t i = 0; i < size_bytes / sizeof *out; i++)
        out[i] = 0;
    return to;
}

static void *model_alloc(size_t size_bytes, size_t align_bytes)
{
    (void)align_bytes;
    return malloc(size_bytes);
}

static void model_free(void *memory)
{
    if (memory != NULL)
        free(memory);
}

static void *model_map(size_t size_bytes)
{
    (void)size_bytes;
    return NULL;
}

void *filch__os_alloc_zeroed(size_t count, size_t size_bytes, size_t align_bytes)
{
    (void)align_bytes;
    uintptr_t *words = malloc(count * size_bytes);
    for (size_t i = 0; i < count * size_bytes / sizeof *words; i++)
        words[i] = 0;
    return words;
}

/* --- futex --- */

enum { MODEL_SLEEPERS = 6 };

static pthread_mutex_t model_futex_lock;
static struct {
    uint32_t *word;
    int is_asleep;
} model_sleepers[MODEL_SLEEPERS];
static int model_sleeper_count;
/* Written by a thread of the scenario, if it has deadlines: from then on they have passed. */
static int model_late;

static int model_futex_wait(uint32_t *word, uint32_t expected, int64_t deadline_ns)
{
#ifdef MODEL_POLLS /* deadlines are those of somebody who looks now and then */
    if (deadline_ns != FILCH_FOREVER)
        return ETIMEDOUT;
#endif
    pthread_mutex_lock(&model_futex_lock);
    if (__atomic_load_n(word, __ATOMIC_RELAXED) != expected) {
        pthread_mutex_unlock(&model_futex_lock);
        return EAGAIN;
    }
    if (deadline_ns != FILCH_FOREVER && __atomic_load_n(&model_late, __ATOMIC_RELAXED)) {
        pthread_mutex_unlock(&model_futex_lock);
        return ETIMEDOUT;
    }
    int mine = model_sleeper_count++;
    assert(mine < MODEL_SLEEPERS);
    model_sleepers[mine].word = word;
    __atomic_store_n(&model_sleepers[mine].is_asleep, 1, __ATOMIC_RELAXED);
    pthread_mutex_unlock(&model_futex_lock);
    while (__atomic_load_n(&model_sleepers[mine].is_asleep, __ATOMIC_RELAXED) == 1) {
    }
    return 0;
}

static void model_futex_wake(uint32_t *word, int count)
{
    pthread_mutex_lock(&model_futex_lock);
    for (int i = 0; i < model_sleeper_count && count > 0; i++) {
        if (model_sleepers[i].word != word ||
            __atomic_load_n(&model_sleepers[i].is_asleep, __ATOMIC_RELAXED) != 1)
            continue;
        __atomic_store_n(&model_sleepers[i].is_asleep, 0, __ATOMIC_RELAXED);
        count--;
    }
    pthread_mutex_unlock(&model_futex_lock);
}

/* --- the rest --- */

/* An asymmetric fence: each barrier falls somewhere between the light fences of each other thread.
 * What the thread did before it comes before what follows the barrier, and what came before the barrier
 * comes before what the thread does after it. Two light fences order nothing between their threads. */
static uint32_t
    model_fences[MODEL_THREADS_MAX]; /* one per thread: an order of fences and barriers */

static void model_fence_light(void)
{
    (void)__atomic_fetch_add(&model_fences[model_self], 1, __ATOMIC_ACQ_REL);
}

static int model_barrier(void)
{
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    for (int i = 0; i < model_count; i++) {
        if (i != model_self)
            (void)__atomic_fetch_add(&model_fences[i], 1, __ATOMIC_ACQ_REL);
    }
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    return 0;
}

static int64_t model_now_ns(void)
{
    return __atomic_load_n(&model_late, __ATOMIC_RELAXED);
}

static void model_yield(void)
{
}

static const struct os_table model_os = {
    .alloc = model_alloc,
    .free = model_free,
    .map = model_map,
    .futex_wait = model_futex_wait,
    .futex_wake = model_futex_wake,
    .now_ns = model_now_ns,
    .coarse_now_ns = model_now_ns,
    .yield = model_yield,
    .barrier = model_barrier,
};
const struct os_table *filch__os = &model_os;

/* --- threads --- */

static void *(*const *model_bodies)(void *);

static void *model_thread(void *number)
{
    model_self = (int)(intptr_t)number;
    return model_bodies[model_self](NULL);
}

/* One of the bodies: deadlines pass. */
static inline void *time_passes(void *unused)
{
    __atomic_store_n(&model_late, 1, __ATOMIC_RELAXED);
    return unused;
}

/* Runs the bodies as threads, numbered from 0, beside the last, which the caller runs. */
static void model_run(void *(*const *bodies)(void *), int count)
{
    pthread_t threads[MODEL_THREADS_MAX];
    assert(count <= MODEL_THREADS_MAX);
    model_bodies = bodies;
    model_count = count;
    for (int i = 0; i < count - 1; i++)
        pthread_create(&threads[i], NULL, model_thread, (void *)(intptr_t)i);
    (void)model_thread((void *)(intptr_t)(count - 1));
    for (int i = 0; i < count - 1; i++)
        pthread_join(threads[i], NULL);
}

#define MODEL_RUN(...)                                                                             \
    do {                                                                                           \
        static void *(*const bodies[])(void *) = {__VA_ARGS__};                                    \
        model_run(bodies, sizeof bodies / sizeof bodies[0]);                                       \
    } while (0)

#endif
