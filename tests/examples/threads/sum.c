/* SPDX-License-Identifier: Apache-2.0 */
/* A thread that computes something, and returns it: memory that it allocates is handed over by the join. */
#include "must.h"

#include <filch/filch.h>
#include <inttypes.h>

static void *sum_up(void *unused)
{
    (void)unused;
    uint64_t *sum = calloc(1, sizeof *sum);
    for (uint64_t i = 1; sum != NULL && i <= 1000000; i++)
        *sum += i;
    return sum;
}

int main(void)
{
    struct filch_thread_attr attr = {.result_drop = free}; /* should nobody take it */
    struct filch_thread *thread;
    void *result;
    MUST(filch_thread_spawn(&thread, &attr, sum_up, NULL));
    MUST(filch_thread_join(thread, &result, NULL));
    if (result == NULL)
        return 1;
    filch_print("Sum: %" PRIu64 "\n", *(uint64_t *)result);
    free(result);
    return 0;
}
