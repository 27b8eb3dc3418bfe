/* SPDX-License-Identifier: Apache-2.0 */
#include "memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *need(void *memory)
{
    if (!memory) {
        fputs("filch-bench: out of memory\n", stderr);
        exit(1);
    }
    return memory;
}

void *bench_grow(void *array, size_t count, size_t element_size_bytes)
{
    /* Full exactly when the count is 0 or a power of two. */
    if ((count & (count - 1)) == 0)
        array = need(realloc(array, (count ? 2 * count : 1) * element_size_bytes));
    memset((char *)array + count * element_size_bytes, 0, element_size_bytes);
    return array;
}

char *bench_copy(const char *text)
{
    return need(strdup(text));
}
