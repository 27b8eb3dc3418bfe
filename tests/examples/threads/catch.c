/* SPDX-License-Identifier: Apache-2.0 */
/* A panic ends its thread, or is contained before: by whoever calls what may panic. */
#include "must.h"

#include <filch/filch.h>

static void *oops(void *unused)
{
    (void)unused;
    filch_panic("Oops!");
}

static void risky(void *is_bad)
{
    if (*(int *)is_bad)
        filch_panic("inside");
}

static void *contain(void *unused)
{
    (void)unused;
    for (int is_bad = 0; is_bad <= 1; is_bad++) {
        struct filch_panic *panic = NULL;
        if (filch_catch_unwind(risky, &is_bad, &panic) == 0) {
            filch_print("Thread completed successfully\n");
        } else {
            filch_print("Thread caught a panic internally: %s\n", filch_panic_message(panic));
            filch_panic_free(panic);
        }
    }
    return NULL;
}

int main(void)
{
    struct filch_thread *thread;
    struct filch_panic *panic;
    MUST(filch_thread_spawn(&thread, NULL, oops, NULL));
    if (filch_thread_join(thread, NULL, &panic) != EOWNERDEAD)
        return 1;
    filch_print("Caught panic from spawned thread: %s\n", filch_panic_message(panic));
    filch_panic_free(panic);

    MUST(filch_thread_spawn(&thread, NULL, contain, NULL));
    MUST(filch_thread_join(thread, NULL, NULL));
    return 0;
}
