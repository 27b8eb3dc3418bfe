/* SPDX-License-Identifier: Apache-2.0 */
/* Condition variables: nothing is missed between unlock and wait, and a deadline takes no notification
 * with it. */
#include "locks.h"

#include "park/park.c"
#include "park/park_thread.c"
/* Swaps are tried again where another thread was quicker, which is followed only so far. */
/* clang-format off */
#define while(condition) MODEL_BOUNDED(condition)
/* clang-format on */
#include "primitives/sync/condvar.c"
#include "primitives/sync/mutex.c"
#include "primitives/sync/queue.c"
#undef while

static struct filch_mutex m;
static struct filch_condvar *cv; /* gone when the last wait has ended */
static int tokens;               /* plain: the lock guards it */
static int left;
static int late;

static void begin(int number)
{
    filch__self = (uint64_t)number << FILCH__SELF_SHIFT;
    int error = filch__mutex_lock(&m);
    assert(error == 0);
}

static void take(int64_t deadline)
{
    int error = 0;
    for (int round = 0; tokens == 0 && error == 0; round++) {
        __VERIFIER_assume(round < 2);
        error = filch_condvar_wait_until(cv, &m, deadline);
    }
    assert(error == 0 || error == ETIMEDOUT);
    if (error == 0)
        tokens--;
    else
        late++;
#if SCENARIO == 1
    free(cv);
#endif
    filch__mutex_unlock(&m);
}

static void *takes(void *unused)
{
    (void)unused;
    begin(1);
    take(FILCH_FOREVER);
    return NULL;
}

static void *takes_in_time(void *unused)
{
    (void)unused;
    filch__self = (uint64_t)2 << FILCH__SELF_SHIFT; /* it has the lock from the beginning */
    take(1);
    return NULL;
}

static void *notifies(void *unused)
{
    (void)unused;
    filch_condvar_notify_one(cv);
    return NULL;
}

static void *waits_in_time(void *unused)
{
    (void)unused;
    filch__self = (uint64_t)2 << FILCH__SELF_SHIFT; /* it has the lock from the beginning */
    int error = filch_condvar_wait_until(cv, &m, 1);
    assert(error == 0 || error == ETIMEDOUT);
    filch__mutex_unlock(&m);
    return NULL;
}

static void *puts(void *unused)
{
    (void)unused;
#if SCENARIO == 3 /* does not wait for the lock: the model of the mutex does */
    filch__self = (uint64_t)3 << FILCH__SELF_SHIFT;
    __VERIFIER_assume(filch_mutex_try_lock(&m) == 0);
#else
    begin(3);
#endif
    tokens += left;
#if SCENARIO == 1
    filch_condvar_notify_all(cv);
#else
    filch_condvar_notify_one(cv);
#endif
    filch__mutex_unlock(&m);
    return NULL;
}

#if SCENARIO == 1 /* a wait, after which it may be freed at once */
enum { TOKENS = 1 };
#define BODIES puts, takes
#elif SCENARIO == 2 /* one whose deadline passes as soon as it sleeps */
enum { TOKENS = 1 };
#define BODIES notifies, waits_in_time
#elif SCENARIO == 3 /* likewise, and there is something to take */
enum { TOKENS = 1 };
#define BODIES puts, takes_in_time
#endif

int main(void)
{
    left = TOKENS;
    cv = malloc(sizeof *cv);
#if SCENARIO != 1
    model_late = 1;
    m.filch__word = (uint64_t)2 << FILCH__SELF_SHIFT;
#endif
    cv->filch__word = 0;
    cv->filch__queue = NULL;
    MODEL_RUN(BODIES);
    assert(SCENARIO == 2 || tokens == late);
    assert(m.filch__word == 0);
#if SCENARIO != 1
    assert(cv->filch__word == 0);
    assert(cv->filch__queue == NULL);
#endif
    return 0;
}
