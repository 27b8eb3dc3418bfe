/* SPDX-License-Identifier: Apache-2.0 */
/* A number that ten threads change, one at a time. The guard gives the lock back where its block ends. */
#include "must.h"

#include <filch/filch.h>

enum { THREADS = 10 };

struct counter {
    struct filch_mutex lock;
    int value; /* under lock */
};

static void *add_one(void *argument)
{
    struct counter *counter = argument;
    {
        FILCH_LOCK_GUARD(&counter->lock);
        counter->value++;
    }
    filch_arc_drop(counter);
    return NULL;
}

int main(void)
{
    struct counter *counter;
    MUST(FILCH_ARC_CREATE(&counter, NULL)); /* all zero: a lock that is free */
    struct filch_thread *threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        MUST(filch_thread_spawn(&threads[i], NULL, add_one, FILCH_ARC_CLONE(counter)));
    for (int i = 0; i < THREADS; i++)
        MUST(filch_thread_join(threads[i], NULL, NULL));
    MUST(filch_mutex_lock(&counter->lock));
    filch_print("Result: %d\n", counter->value);
    filch_mutex_unlock(&counter->lock);
    filch_arc_drop(counter);
    return 0;
}
