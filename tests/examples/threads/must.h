/* SPDX-License-Identifier: Apache-2.0 */
/* Examples end at the first thing that fails. */
#ifndef FILCH_EXAMPLE_MUST_H
#define FILCH_EXAMPLE_MUST_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MUST(call) must((call), #call)

static inline void must(int error, const char *call)
{
    if (error == 0)
        return;
    fprintf(stderr, "%s: %s\n", call, strerror(error));
    exit(1);
}

#endif
