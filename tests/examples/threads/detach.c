/* SPDX-License-Identifier: Apache-2.0 */
/* A thread that nobody waits for ends with the process, wherever it is: when main returns, it is gone. Keep
 * the handle of work that matters. */
#include "must.h"

#include <filch/filch.h>

static void *in_the_background(void *unused)
{
    (void)unused;
    for (int i = 1; i <= 10; i++) {
        filch_sleep_ns(60 * FILCH_S);
        filch_print("background: %d\n", i);
    }
    return NULL;
}

static void *important_work(void *unused)
{
    (void)unused;
    filch_print("important work is done\n");
    return NULL;
}

static void fire_and_forget(void)
{
    struct filch_thread *thread;
    MUST(filch_thread_spawn(&thread, NULL, in_the_background, NULL));
    MUST(filch_thread_detach(thread));
}

static struct filch_thread *tracked(void)
{
    struct filch_thread *thread;
    MUST(filch_thread_spawn(&thread, NULL, important_work, NULL));
    return thread;
}

int main(void)
{
    fire_and_forget();
    MUST(filch_thread_join(tracked(), NULL, NULL));
    filch_print("main is done\n");
    return 0;
}
