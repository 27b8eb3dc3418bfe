/* SPDX-License-Identifier: Apache-2.0 */
/* For work that computes: as many threads as can run at the same time, each with its share. */
#include "must.h"

#include <filch/filch.h>

enum { LAST = 1000000, THREADS_MAX = 64 };

struct share {
    uint64_t first;
    uint64_t end;
    uint64_t sum;
};

static void *add_up(void *argument)
{
    struct share *share = argument;
    for (uint64_t i = share->first; i < share->end; i++)
        share->sum += i;
    return NULL;
}

int main(void)
{
    size_t count = filch_available_parallelism();
    if (count > THREADS_MAX)
        count = THREADS_MAX;
    struct share shares[THREADS_MAX] = {{0}};
    FILCH_THREAD_SCOPE (s) {
        for (size_t i = 0; i < count; i++) {
            shares[i].first = LAST * i / count + 1;
            shares[i].end = LAST * (i + 1) / count + 1;
            MUST(filch_thread_scope_spawn(s, NULL, NULL, add_up, &shares[i]));
        }
    }
    uint64_t sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += shares[i].sum;
    filch_print("At least one: %s\n", count >= 1 ? "yes" : "no");
    filch_print("Sum: %llu\n", (unsigned long long)sum);
    return 0;
}
