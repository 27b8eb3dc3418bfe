/* SPDX-License-Identifier: Apache-2.0 */
/* The internal locks, the waiter that is a thread, and events: no wake-up is lost, no time-out
 * swallows one, and what was written before is seen after. */
#include "model.h"

#include "base/atomic.h"

/* The slow path of the lock spins, then retries; both are followed only so far. */
#define filch__cpu_relax()                                                                         \
    if (i > 0)                                                                                     \
    break
/* clang-format off */
#define while(condition) MODEL_BOUNDED(condition)
/* clang-format on */
#include "park/lock.c"
#undef while
#undef filch__cpu_relax

#include "park/event.c"
#include "park/park.c"
#include "park/park_thread.c"

/* Whoever has it gives it back: the checker sees for itself that a loop which only looks ends. */
#include "park/spin.h"
#define filch__spin_on(step) ((void)0)
#include "park/brief.c"

static int data; /* plain */

#if SCENARIO <= 2

static struct lock the_lock;

static void *adds(void *unused)
{
    (void)unused;
    filch__lock(&the_lock);
    data++;
    filch__unlock(&the_lock);
    return NULL;
}

#if SCENARIO == 1 /* two threads */
enum { ADDERS = 2 };
#define BODIES adds, adds
#else /* three: one sleeps while another one takes the lock over */
enum { ADDERS = 3 };
#define BODIES adds, adds, adds
#endif

int main(void)
{
    MODEL_RUN(BODIES);
    assert(data == ADDERS);
    assert(the_lock.word == FREE);
    return 0;
}

#elif SCENARIO <= 4

static struct waiter *w; /* gone when the wait has ended */

static void *wakes(void *unused)
{
    (void)unused;
    data = 1;
    filch__unpark(w);
    return NULL;
}

static void *waits(void *unused)
{
    (void)unused;
    int error = ETIMEDOUT;
#if SCENARIO == 4
    error = filch__park(w, 1);
#endif
    if (error == ETIMEDOUT)
        error = filch__park(w, FILCH_FOREVER);
    assert(error == 0);
    assert(data == 1);
    free(w);
    return NULL;
}

#if SCENARIO == 3 /* a wait */
#define BODIES wakes, waits
#else /* one whose deadline may pass first */
#define BODIES wakes, time_passes, waits
#endif

int main(void)
{
    w = malloc(sizeof *w);
    filch__waiter_init(w);
    MODEL_RUN(BODIES);
    return 0;
}

#elif SCENARIO == 7 /* the brief lock, of three threads */

static struct brief the_brief;

static void *adds(void *unused)
{
    (void)unused;
    filch__brief_enter(&the_brief);
    data++;
    filch__brief_leave(&the_brief);
    return NULL;
}

int main(void)
{
    MODEL_RUN(adds, adds, adds);
    assert(data == 3);
    assert(the_brief.word == 0);
    return 0;
}

#else

static struct event event;

static void *sets(void *unused)
{
    (void)unused;
    data = 1;
    filch__event_set(&event);
    return NULL;
}

static void *waits(void *unused)
{
    (void)unused;
    int error = filch__event_wait(&event, FILCH_FOREVER);
    assert(error == 0);
    assert(data == 1);
    return NULL;
}

static void *waits_in_time(void *unused)
{
    (void)unused;
    int error = filch__event_wait(&event, 1);
    assert(error == 0 || error == ETIMEDOUT);
    if (error == 0)
        assert(data == 1);
    return NULL;
}

static void *looks(void *unused)
{
    (void)unused;
    if (filch__event_has_happened(&event))
        assert(data == 1);
    return NULL;
}

#if SCENARIO == 5 /* one waiter, one that only looks */
#define BODIES sets, looks, waits
#elif SCENARIO == 6 /* a time-out beside the event */
#define BODIES sets, time_passes, waits_in_time
#endif

int main(void)
{
    MODEL_RUN(BODIES);
    assert(event.waiters == NULL);
    return 0;
}

#endif
