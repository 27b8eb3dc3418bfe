/* SPDX-License-Identifier: Apache-2.0 */
/* The mutex: one owner at a time sees what the last one did, nobody is left asleep beside a free lock, and
 * time-outs and hand-overs lose nothing. */
#include "locks.h"

#if SCENARIO == 4
#define ATTEMPTS_MAX 0u /* handed over at once */
#endif

#include "park/park.c"
#include "park/park_thread.c"
/* Swaps are tried again where another thread was quicker, which is followed only so far. */
/* clang-format off */
#define while(condition) MODEL_BOUNDED(condition)
/* clang-format on */
#include "primitives/sync/mutex.c"
#include "primitives/sync/queue.c"
#undef while

static struct filch_mutex *m;
static int model_timeouts;
static int data; /* plain: the lock guards it */

static void begin(int number)
{
    filch__self = (uint64_t)number << FILCH__SELF_SHIFT;
}

static void add(int number)
{
    begin(number);
    int error = filch__mutex_lock(m);
    assert(error == 0);
    data++;
    filch__mutex_unlock(m);
}

static void *first(void *unused)
{
    (void)unused;
    add(1);
    return NULL;
}

static void *second(void *unused)
{
    (void)unused;
    add(2);
    return NULL;
}

/* Two that wait already. */
static struct lock_waiter waiting[2];

static void prepare(int i)
{
    waiting[i].self = (uint64_t)(i + 1) << FILCH__SELF_SHIFT;
    filch__lock_waiter_renew(&waiting[i]);
    waiting[i].home = &m->filch__word;
    filch__queue_append(&m->filch__queue, &waiting[i]);
}

static void go_on(int i)
{
    struct lock_waiter *w = &waiting[i];
    begin(i + 1);
    int error = wait(m, w, FILCH_FOREVER);
    w->attempts++;
    if (error == 0 && !w->is_handed) {
        filch__lock_waiter_renew(w);
        error = lock_with(m, w, FILCH_FOREVER);
    }
    assert(error == 0);
    data++;
    filch__mutex_unlock(m);
}

/* The owner gives the lock back and wakes the first, by a word that does not tell of the second; its thread
 * goes on as the first. */
static void *under_way(void *unused)
{
    (void)unused;
    begin(3);
    filch__mutex_unlock(m);
    go_on(0);
    return NULL;
}

static void *gives_back(void *unused)
{
    (void)unused;
    begin(3);
    filch__mutex_unlock(m);
    return NULL;
}

static void *woken(void *unused)
{
    (void)unused;
    go_on(0);
    return NULL;
}

static void *asleep(void *unused)
{
    (void)unused;
    go_on(1);
    return NULL;
}

static void *in_time(void *unused)
{
    (void)unused;
    begin(3);
    int error = filch_mutex_lock_until(m, 1);
    assert(error == 0 || error == ETIMEDOUT);
    if (error == 0) {
        data++;
        filch__mutex_unlock(m);
    } else {
        __atomic_fetch_add(&model_timeouts, 1, __ATOMIC_RELAXED);
    }
    return NULL;
}

#if SCENARIO == 1 || SCENARIO == 4 /* two; the lock is handed over */
enum { ADDERS = 2 };
#define BODIES first, second
#elif SCENARIO == 2 /* one is woken, one forgotten */
enum { ADDERS = 2 };
#define BODIES under_way, asleep
#elif SCENARIO == 5 /* one comes while the lock is given back */
enum { ADDERS = 2 };
#define BODIES gives_back, woken, second
#elif SCENARIO == 3 /* a deadline beside them */
enum { ADDERS = 2 };
#define BODIES time_passes, first, in_time
#endif

int main(void)
{
    m = malloc(sizeof *m);
    m->filch__word = 0;
    m->filch__queue = NULL;
    if (SCENARIO == 2 || SCENARIO == 5) {
        m->filch__word = UINT64_C(3) << FILCH__SELF_SHIFT | FILCH__LOCK_WAITERS;
        prepare(0);
    }
    if (SCENARIO == 2)
        prepare(1);
    MODEL_RUN(BODIES);
    assert(data + model_timeouts == ADDERS);
    assert(m->filch__word == 0);
    assert(m->filch__queue == NULL);
    return 0;
}
