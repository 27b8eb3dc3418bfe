/* SPDX-License-Identifier: Apache-2.0 */
/* The end of a task and of its handle: the place is used by one at a time and given back once, no wake-up is
 * lost, no time-out swallows one, and whoever comes with a handle that is over touches nothing. */
#include "model.h"

#include "base/atomic.h"

/* Whoever has it locked gives it back: the checker sees for itself that a loop which only looks ends. */
#include "park/spin.h"
#define filch__spin_on(step) ((void)0)

#include "park/park.c"
#include "park/park_thread.c"

#include "pool/ending.h"

#include "pool/ending.c"

enum { FIRST = 1 * 16, SECOND = 2 * 16 };

static struct ending *e; /* where it is given back, that is freed */
static int data;         /* plain: what the task does */
static int note;         /* plain: what a canceller writes, and who begins the next use */

static void *ends(void *unused)
{
    (void)unused;
    data = 1;
    if (!filch__ending_set_held(e) && filch__ending_set(e))
        free(e);
    return NULL;
}

static void join(void)
{
    assert(filch__ending_wait(e, FIRST, FILCH_FOREVER) == 0);
    assert(data == 1);
}

static void *joins(void *unused)
{
    (void)unused;
    join();
    if (!filch__ending_take(e, FIRST))
        assert(filch__ending_give_up(e, FIRST) == ENDING_IS_OVER);
    free(e);
    return NULL;
}

/* One that finds that it has ended does not wait. */
static void *takes(void *unused)
{
    (void)unused;
    if (!filch__ending_take(e, FIRST))
        return joins(NULL);
    assert(data == 1);
    free(e);
    return NULL;
}

/* A join; then the place is used again. */
static void *joins_and_begins(void *unused)
{
    (void)unused;
    join();
    assert(filch__ending_give_up(e, FIRST) == ENDING_IS_OVER);
    note = 0;
    filch__ending_begin(e, SECOND);
    return NULL;
}

static void *joins_in_time(void *unused)
{
    (void)unused;
    int error = filch__ending_wait(e, FIRST, 1);
    assert(error == 0 || error == ETIMEDOUT);
    return joins(NULL);
}

static void *detaches(void *unused)
{
    (void)unused;
    note = 1; /* before it is given up */
    enum ending_given_up given_up = filch__ending_give_up(e, FIRST);
    assert(given_up != ENDING_NOT_HELD);
    if (given_up == ENDING_IS_OVER) {
        assert(data == 1);
        free(e);
    }
    return NULL;
}

static void *ends_detached(void *unused)
{
    (void)unused;
    data = 1;
    if (!filch__ending_set_held(e) && filch__ending_set(e)) {
        assert(note == 1);
        free(e);
    }
    return NULL;
}

/* Runs the task, and has its handle; then the place is used again. */
static void *runs_and_begins(void *unused)
{
    (void)unused;
    data = 1;
    assert(filch__ending_both(e, FIRST));
    note = 0;
    filch__ending_begin(e, SECOND);
    return NULL;
}

static void write_note(void *unused)
{
    (void)unused;
    note++;
}

static void *cancels(void *unused)
{
    (void)unused;
    filch__ending_precede(e, FIRST, write_note, NULL);
    return NULL;
}

/* Comes with a handle that another one may be ending: whatever it is told, it is told. */
static void *waits_in_vain(void *unused)
{
    (void)unused;
    int error = filch__ending_wait(e, FIRST, FILCH_FOREVER);
    assert(error == 0 || error == EINVAL);
    return NULL;
}

#if SCENARIO == 1 /* a join */
#define BODIES ends, joins
#elif SCENARIO == 2 /* one with a deadline, then one without */
#define BODIES ends, time_passes, joins_in_time
#elif SCENARIO == 3 /* a detached task */
#define BODIES ends_detached, detaches
#elif SCENARIO == 4 /* one that cancels until after the place is used again */
#define BODIES ends, joins_and_begins, cancels
#elif SCENARIO == 5 /* the same where the joiner runs it */
#define BODIES runs_and_begins, cancels
#elif SCENARIO == 6 /* one that waits meanwhile, although it is joined */
#define BODIES runs_and_begins, waits_in_vain
#elif SCENARIO == 7 /* and one that cancels */
#define BODIES runs_and_begins, waits_in_vain, cancels
#elif SCENARIO == 8 /* a join of one that may have ended */
#define BODIES ends, takes
#endif

int main(void)
{
    e = malloc(sizeof *e);
    e->waiters = NULL;
    filch__ending_begin(e, FIRST);
    MODEL_RUN(BODIES);
    return 0;
}
