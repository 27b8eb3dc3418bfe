/* SPDX-License-Identifier: Apache-2.0 */
/* A variable of which each thread has its own, made at first use, dropped when the thread ends. */
#include "must.h"

#include <filch/filch.h>

static void bye(void *id)
{
    filch_print("Dropped with ID: %u\n", *(unsigned *)id);
}

static FILCH_LOCAL(unsigned, thread_id, NULL, bye);

static void *change(void *unused)
{
    (void)unused;
    *FILCH_LOCAL_GET(thread_id) = 2;
    filch_print("Spawned thread ID: %u\n", *FILCH_LOCAL_GET(thread_id));
    *FILCH_LOCAL_GET(thread_id) += 5;
    filch_print("Spawned thread ID incremented: %u\n", *FILCH_LOCAL_GET(thread_id));
    return NULL;
}

int main(void)
{
    *FILCH_LOCAL_GET(thread_id) = 1;
    filch_print("Main thread ID: %u\n", *FILCH_LOCAL_GET(thread_id));
    struct filch_thread *thread;
    MUST(filch_thread_spawn(&thread, NULL, change, NULL));
    MUST(filch_thread_join(thread, NULL, NULL));
    filch_print("Main thread ID after spawned thread finished: %u\n", *FILCH_LOCAL_GET(thread_id));
    return 0;
}
