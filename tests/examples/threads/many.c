/* SPDX-License-Identifier: Apache-2.0 */
/* Start all of them, then join all of them: the other way round, in one loop, each would wait for the one
 * before it. That they do run at the same time is shown by a barrier that all have to reach. */
#include "must.h"

#include <filch/filch.h>
#include <stdint.h>

enum { THREADS = 100, SHOWN = 8 };

static struct filch_barrier all = FILCH_BARRIER_INIT(THREADS);

static void *square(void *number)
{
    MUST(filch_barrier_wait(&all, NULL));
    return (void *)((uintptr_t)number * (uintptr_t)number);
}

int main(void)
{
    struct filch_thread *threads[THREADS];
    uintptr_t results[THREADS];
    for (uintptr_t i = 0; i < THREADS; i++)
        MUST(filch_thread_spawn(&threads[i], NULL, square, (void *)i));
    for (size_t i = 0; i < THREADS; i++) {
        void *result;
        MUST(filch_thread_join(threads[i], &result, NULL));
        results[i] = (uintptr_t)result;
    }
    for (size_t i = 0; i < SHOWN; i++)
        filch_print("Thread %zu computed %zu\n", i, (size_t)results[i]);
    filch_print("Processed %d items\n", THREADS);
    return 0;
}
