/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FILCH_BENCH_FILCH_PARTIES_H
#define FILCH_BENCH_FILCH_PARTIES_H

#include <stdlib.h>

/* Calls body(ctx, number) in a task of its own for each number below `count`, and waits for them. */
void parties_on_tasks(unsigned count, void (*body)(void *ctx, unsigned number), void *ctx);

/* What cannot fail here. */
static inline void must(int error)
{
    if (error)
        abort();
}

#endif
