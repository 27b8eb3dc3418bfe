/* SPDX-License-Identifier: Apache-2.0 */
/* A thread beside the main one, and waiting for it: without the join, the end of main would end it. */
#include "must.h"

#include <filch/filch.h>

static void *say_hi(void *unused)
{
    (void)unused;
    for (int i = 1; i <= 5; i++) {
        filch_print("Hi number %d from the spawned thread!\n", i);
        filch_sleep_ns(FILCH_MS);
    }
    return NULL;
}

int main(void)
{
    struct filch_thread *thread;
    MUST(filch_thread_spawn(&thread, NULL, say_hi, NULL));
    for (int i = 1; i <= 3; i++) {
        filch_print("Hi number %d from the main thread!\n", i);
        filch_sleep_ns(FILCH_MS);
    }
    MUST(filch_thread_join(thread, NULL, NULL));
    filch_print("Spawned thread finished.\n");
    return 0;
}
