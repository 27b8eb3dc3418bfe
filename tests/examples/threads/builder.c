/* SPDX-License-Identifier: Apache-2.0 */
/* Threads with names, which debuggers, ps and panic messages show, and with stacks of a given size; and a
 * thread that cannot be had, which is an error that is returned. */
#include "must.h"

#include <filch/filch.h>

static void *say_name(void *unused)
{
    (void)unused;
    char deep[3 * 1024 * 1024]; /* more than a default stack has */
    memset(deep, 1, sizeof deep);
    filch_print("Running on thread: %s, %d\n", filch_thread_name(filch_thread_current()),
                deep[sizeof deep / 2]);
    return NULL;
}

int main(void)
{
    struct filch_thread_attr attr = {.name = "worker-1", .stack_size_bytes = 4 * 1024 * 1024};
    struct filch_thread *thread;
    MUST(filch_thread_spawn(&thread, &attr, say_name, NULL));
    MUST(filch_thread_join(thread, NULL, NULL));
    filch_print("Thread finished.\n");

    attr.stack_size_bytes = (size_t)1 << 60;
    int error = filch_thread_spawn(&thread, &attr, say_name, NULL);
    filch_print("Failed to spawn thread: %s\n", error == 0 ? "no" : "an error was returned");
    return 0;
}
