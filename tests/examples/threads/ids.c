/* SPDX-License-Identifier: Apache-2.0 */
/* Every thread has a number that no other one ever has, before or after. */
#include "must.h"

#include <filch/filch.h>

enum { THREADS = 50 };

static void *own_id(void *id)
{
    *(uint64_t *)id = filch_thread_id(filch_thread_current());
    return NULL;
}

int main(void)
{
    uint64_t ids[THREADS + 1] = {filch_thread_id(filch_thread_current())};
    for (int i = 1; i <= THREADS;
         i++) { /* one after the other: the system uses its numbers again */
        struct filch_thread *thread;
        MUST(filch_thread_spawn(&thread, NULL, own_id, &ids[i]));
        MUST(filch_thread_join(thread, NULL, NULL));
    }
    int same = 0;
    for (int i = 0; i <= THREADS; i++)
        for (int j = 0; j < i; j++)
            same += ids[i] == ids[j];
    filch_print("%d threads, %d numbers used twice\n", THREADS + 1, same);
    return 0;
}
