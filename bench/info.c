/* SPDX-License-Identifier: Apache-2.0 */
#include "info.h"

#include <filch/filch.h>
#include <stdio.h>
#include <string.h>

int info_print(void)
{
    static char text[1 << 16];
    const int error = filch_pool_describe(NULL, text, sizeof text);
    if (error) {
        fprintf(stderr, "filch-bench: the default pool does not start: %s\n", strerror(error));
        return 1;
    }
    fputs(text, stdout);
    return 0;
}
