/* SPDX-License-Identifier: Apache-2.0 */
/* What a join brings: the result of the thread, or the panic that ended it. */
#include "must.h"

#include <filch/filch.h>

static void *greet(void *unused)
{
    (void)unused;
    return "Hello from spawned thread";
}

static void *fail(void *unused)
{
    (void)unused;
    filch_panic("Something went wrong!");
}

int main(void)
{
    struct filch_thread *thread;
    struct filch_panic *panic;
    void *result;
    MUST(filch_thread_spawn(&thread, NULL, greet, NULL));
    MUST(filch_thread_join(thread, &result, &panic));
    filch_print("%s\n", (char *)result);

    MUST(filch_thread_spawn(&thread, NULL, fail, NULL));
    if (filch_thread_join(thread, &result, &panic) != EOWNERDEAD)
        return 1; /* it had to panic */
    filch_print("Caught panic from another thread: %s\n", filch_panic_message(panic));
    filch_panic_free(panic);
    filch_print("Main thread continues fine\n");
    return 0;
}
