/* SPDX-License-Identifier: Apache-2.0 */
/* That the threads of a scope have ended does not hang on their handles: here the only handle is given up,
 * and the block is left in the middle; what the thread borrows is there until it has ended. */
#include "must.h"

#include <filch/filch.h>

static void *use(void *borrowed)
{
    filch_sleep_ns(20 * FILCH_MS);
    filch_print("borrowed: %d\n", *(int *)borrowed);
    *(int *)borrowed = 8;
    return NULL;
}

static int leave_early(int *mine)
{
    FILCH_THREAD_SCOPE (s) {
        struct filch_thread *handle;
        MUST(filch_thread_scope_spawn(s, &handle, NULL, use, mine));
        MUST(filch_thread_detach(handle)); /* given up */
        return 1;
    }
    return 0;
}

int main(void)
{
    int mine = 7;
    int has_returned = leave_early(&mine);
    filch_print("left early: %d, and still: %d\n", has_returned, mine);
    return 0;
}
