/* SPDX-License-Identifier: Apache-2.0 */
/* Lines are never torn; where several of them belong together, standard output is locked meanwhile. */
#include "must.h"

#include <filch/filch.h>

static void *verse(void *name)
{
    FILCH_STDOUT_LOCK
    {
        filch_print("%s begins\n", (char *)name);
        filch_yield();
        filch_print("%s ends\n", (char *)name);
    }
    return NULL;
}

int main(void)
{
    char names[4][2] = {"a", "b", "c", "d"};
    FILCH_THREAD_SCOPE (s) {
        for (int i = 0; i < 4; i++)
            MUST(filch_thread_scope_spawn(s, NULL, NULL, verse, names[i]));
    }
    return 0;
}
