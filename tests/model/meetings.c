/* SPDX-License-Identifier: Apache-2.0 */
/* Once, semaphore, latch and barrier: whoever goes on has seen what it waited for, and nobody waits in
 * vain. */
#include "locks.h"

#ifndef EINPROGRESS
#define EINPROGRESS 115
#endif

#include "park/park.c"
#include "park/park_thread.c"
/* Swaps are tried again where another thread was quicker, which is followed only so far. */
/* clang-format off */
#define while(condition) MODEL_BOUNDED(condition)
/* clang-format on */
#include "primitives/sync/queue.c"
#if SCENARIO == 1 || SCENARIO == 9 || SCENARIO == 10
#include "primitives/sync/once.c"
#elif SCENARIO <= 3 || SCENARIO == 6
#include "primitives/sync/semaphore.c"
#elif SCENARIO == 4 || SCENARIO == 7
#include "primitives/sync/latch.c"
#else
#include "primitives/sync/barrier.c"
#endif
#undef while

/* A deadline that passes as soon as it is slept for; until it is tried again without one. */
#define IN_TIME_OR_LATER(wait_until)                                                               \
    do {                                                                                           \
        int64_t deadline = 1;                                                                      \
        int error = wait_until;                                                                    \
        if (error == ETIMEDOUT) {                                                                  \
            deadline = FILCH_FOREVER;                                                              \
            error = wait_until;                                                                    \
        }                                                                                          \
        assert(error == 0);                                                                        \
    } while (0)

static int data; /* plain */

#if SCENARIO == 1 /* two calls */

static struct filch_once once;

static void fill(void *unused)
{
    (void)unused;
    data++;
}

static void *calls(void *unused)
{
    static int number;
    (void)unused;
    filch__self = (uint64_t)(1 + __atomic_fetch_add(&number, 1, __ATOMIC_RELAXED))
                  << FILCH__SELF_SHIFT;
    int error = filch_once_call(&once, fill, NULL);
    assert(error == 0);
    assert(data == 1);
    return NULL;
}

#define BODIES calls, calls

#elif SCENARIO <= 3 /* a permit for two, one of which gives it; or given, then waited for */

static struct filch_semaphore s = FILCH_SEMAPHORE_INIT(SCENARIO == 2 ? 1 : 0);

static void *takes(void *unused)
{
    (void)unused;
    int error = filch_semaphore_acquire(&s);
    assert(error == 0);
    data++;
    filch_semaphore_release(&s, 1);
    return NULL;
}

static void *gives(void *unused)
{
    (void)unused;
    data++;
    filch_semaphore_release(&s, 1);
    return NULL;
}

#if SCENARIO == 2
#define BODIES takes, takes
#else
#define BODIES gives, takes
#endif

#elif SCENARIO == 4 /* two count down, one waits */

static struct filch_latch *l;
static int parts[2]; /* plain */

static void *first(void *unused)
{
    (void)unused;
    parts[0] = 1;
    filch_latch_count_down(l);
    return NULL;
}

static void *second(void *unused)
{
    (void)unused;
    parts[1] = 1;
    filch_latch_count_down(l);
    return NULL;
}

static void *waits(void *unused)
{
    (void)unused;
    int error = filch_latch_wait(l);
    assert(error == 0);
    assert(parts[0] + parts[1] == 2);
    free(l);
    return NULL;
}

#define BODIES first, second, waits

#elif SCENARIO == 5 /* two parties */

static struct filch_barrier b = FILCH_BARRIER_INIT(2);
static int leaders;
static int parts[2]; /* plain */

static void meet(int mine)
{
    int is_leader = 0;
    parts[mine] = 1;
    int error = filch_barrier_wait(&b, &is_leader);
    assert(error == 0);
    assert(parts[1 - mine] == 1);
    __atomic_fetch_add(&leaders, is_leader, __ATOMIC_RELAXED);
}

static void *first(void *unused)
{
    (void)unused;
    meet(0);
    return NULL;
}

static void *second(void *unused)
{
    (void)unused;
    meet(1);
    return NULL;
}

#define BODIES first, second

#elif SCENARIO == 6 /* a permit for one that is late, and tries again */

static struct filch_semaphore s = FILCH_SEMAPHORE_INIT(0);

static void *gives(void *unused)
{
    (void)unused;
    data++;
    filch_semaphore_release(&s, 1);
    return NULL;
}

static void *takes(void *unused)
{
    (void)unused;
    IN_TIME_OR_LATER(filch_semaphore_acquire_until(&s, deadline));
    assert(data == 1);
    return NULL;
}

#define BODIES gives, takes

#elif SCENARIO ==                                                                                  \
    7 /* a wait that is late, and begins again; after it the latch may be freed at once */

static struct filch_latch *l;

static void *counts(void *unused)
{
    (void)unused;
    data = 1;
    filch_latch_count_down(l);
    return NULL;
}

static void *waits(void *unused)
{
    (void)unused;
    IN_TIME_OR_LATER(filch_latch_wait_until(l, deadline));
    assert(data == 1);
    free(l);
    return NULL;
}

#define BODIES counts, waits

#elif SCENARIO == 8 /* two parties, one of which is late, has not come then, and comes again */

static struct filch_barrier b = FILCH_BARRIER_INIT(2);
static int leaders;
static int parts[2]; /* plain */

static void *first(void *unused)
{
    int is_leader = 0;
    (void)unused;
    parts[0] = 1;
    int error = filch_barrier_wait(&b, &is_leader);
    assert(error == 0);
    assert(parts[1] == 1);
    __atomic_fetch_add(&leaders, is_leader, __ATOMIC_RELAXED);
    return NULL;
}

static void *second(void *unused)
{
    int is_leader = 0;
    (void)unused;
    parts[1] = 1;
    IN_TIME_OR_LATER(filch_barrier_wait_until(&b, &is_leader, deadline));
    assert(parts[0] == 1);
    __atomic_fetch_add(&leaders, is_leader, __ATOMIC_RELAXED);
    return NULL;
}

#define BODIES first, second

#elif SCENARIO == 9 /* a wait for a call, that is late */

static struct filch_once once;

static void fill(void *unused)
{
    (void)unused;
    data++;
}

static void *calls(void *unused)
{
    (void)unused;
    filch__self = (uint64_t)1 << FILCH__SELF_SHIFT;
    int error = filch_once_call(&once, fill, NULL);
    assert(error == 0);
    return NULL;
}

static void *waits(void *unused)
{
    (void)unused;
    filch__self = (uint64_t)2 << FILCH__SELF_SHIFT;
    int error = filch_once_wait_until(&once, 1);
    assert(error == 0 || error == ETIMEDOUT);
    if (error == 0)
        assert(data == 1);
    return NULL;
}

#define BODIES calls, waits

#else /* a call that ends as by a panic, and one that forces its way; one has panicked before */

static struct filch_once once = {.filch__word = FILCH__LOCK_POISONED};

static void *panics(void *unused)
{
    bool was_poisoned;
    (void)unused;
    filch__self = (uint64_t)1 << FILCH__SELF_SHIFT;
    int error = begin_call(&once, TO_FORCE, &was_poisoned, FILCH_FOREVER);
    assert(error == 0 || error == EINPROGRESS);
    if (error == EINPROGRESS) {
        data++;
        end_call(&(struct call){&once, FILCH__LOCK_POISONED});
    }
    return NULL;
}

static void fill(void *unused, int is_poisoned)
{
    (void)unused;
    assert(is_poisoned);
    data++;
}

static void *forces(void *unused)
{
    (void)unused;
    filch__self = (uint64_t)2 << FILCH__SELF_SHIFT;
    int error = filch_once_call_force(&once, fill, NULL);
    assert(error == 0);
    return NULL;
}

#define BODIES panics, forces

#endif

int main(void)
{
#if SCENARIO == 4 || SCENARIO == 7
    l = malloc(sizeof *l);
    l->filch__word = (SCENARIO == 4 ? 2 : 1) * FILCH__LOCK_READER;
    l->filch__queue = NULL;
#endif
#if SCENARIO >= 6
    model_late = 1;
#endif
    MODEL_RUN(BODIES);
#if SCENARIO == 2 || SCENARIO == 3
    assert(data == 2);
#elif SCENARIO == 5 || SCENARIO == 8
    assert(leaders == 1);
    assert(b.filch__word == 0);
    assert(b.filch__queue == NULL);
#elif SCENARIO == 6
    assert(s.filch__word == 0);
    assert(s.filch__queue == NULL);
#elif SCENARIO >= 9
    assert(once.filch__word == FILCH__ONCE_DONE);
    assert(once.filch__queue == NULL);
#endif
    return 0;
}
