/* SPDX-License-Identifier: Apache-2.0 */
/* A panic in main ends the process with status 101, whatever other threads do. */
#include "must.h"

#include <filch/filch.h>

static void *go_on(void *unused)
{
    (void)unused;
    filch_sleep_ns(60 * FILCH_S);
    filch_print("never printed\n");
    return NULL;
}

int main(void)
{
    struct filch_thread *thread;
    MUST(filch_thread_spawn(&thread, NULL, go_on, NULL));
    filch_print("main panics\n");
    filch_panic("at the end of its wits");
}
