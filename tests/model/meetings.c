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
#if SCENARIO == 1
#include "primitives/sync/once.c"
#elif SCENARIO <= 3
#include "primitives/sync/semaphore.c"
#elif SCENARIO == 4
#include "primitives/sync/latch.c"
#else
#include "primitives/sync/barrier.c"
#endif
#undef while

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

#else /* two parties */

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

#endif

int main(void)
{
#if SCENARIO == 4
    l = malloc(sizeof *l);
    l->filch__word = 2 * FILCH__LOCK_READER;
    l->filch__queue = NULL;
#endif
    MODEL_RUN(BODIES);
#if SCENARIO == 2 || SCENARIO == 3
    assert(data == 2);
#elif SCENARIO == 5
    assert(leaders == 1);
#endif
    return 0;
}
