/* SPDX-License-Identifier: Apache-2.0 */
/* Uses a function, and a scope, which does not compile without the options that the library asks
 * of its users. */
#include <filch/filch.h>
#include <stdio.h>
#include <string.h>

static void mark(size_t begin, size_t end, void *ctx)
{
    memset((char *)ctx + begin, 1, end - begin);
}

static void set(void *flag)
{
    *(int *)flag = 1;
}

int main(void)
{
    if (strcmp(filch_version(), FILCH_VERSION_STRING) != 0)
        return 1;
    char marks[1000] = {0};
    filch_for(0, sizeof marks, mark, marks);
    for (size_t i = 0; i < sizeof marks; i++) {
        if (marks[i] != 1)
            return 1;
    }
    int ran = 0;
    FILCH_SCOPE(s)
    {
        if (filch_scope_spawn(s, set, &ran) != 0)
            return 1;
    }
    printf("filch %s on %zu workers\n", filch_version(), filch_pool_width(NULL));
    return ran ? 0 : 1;
}
