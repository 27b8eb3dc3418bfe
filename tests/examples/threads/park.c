/* SPDX-License-Identifier: Apache-2.0 */
/* A thread that waits for its token until what it needs is there, and another one that gives it. The token
 * may come first: then the next park returns at once. */
#include "must.h"

#include <filch/filch.h>
#include <stdatomic.h>
#include <stdbool.h>

static atomic_bool flag;

static void *wait_for_flag(void *unused)
{
    (void)unused;
    while (!atomic_load_explicit(&flag, memory_order_acquire)) /* a park may return for no reason */
        filch_thread_park();
    filch_print("Flag received\n");
    return NULL;
}

int main(void)
{
    struct filch_thread *thread;
    MUST(filch_thread_spawn(&thread, NULL, wait_for_flag, NULL));
    filch_sleep_ns(10 * FILCH_MS);
    filch_print("Setting the flag\n");
    atomic_store_explicit(&flag, true, memory_order_release);
    filch_thread_unpark(thread);
    MUST(filch_thread_join(thread, NULL, NULL));

    filch_thread_unpark(filch_thread_current());
    filch_thread_unpark(filch_thread_current()); /* there is one token, not two */
    filch_thread_park();
    filch_print("The token was there\n");
    if (filch_thread_park_until(filch_now_ns() + FILCH_MS) == ETIMEDOUT)
        filch_print("and it was one\n");
    return 0;
}
