/* SPDX-License-Identifier: Apache-2.0 */
#include "filch/parties.h"

#include <filch/filch.h>
#include <stdlib.h>

struct parties {
    unsigned count;
    unsigned joined; /* atomic: those that have their number */
    void (*body)(void *ctx, unsigned number);
    void *ctx;
};

static void party_task(void *argument)
{
    struct parties *parties = argument;
    parties->body(parties->ctx, __atomic_fetch_add(&parties->joined, 1, __ATOMIC_RELAXED));
}

static void all_parties(void *argument)
{
    const struct parties *parties = argument;
    FILCH_SCOPE (s) {
        for (unsigned i = 0; i < parties->count; i++)
            must(filch_scope_spawn(s, party_task, argument));
    }
}

void parties_on_tasks(unsigned count, void (*body)(void *ctx, unsigned number), void *ctx)
{
    struct parties parties = {count, 0, body, ctx};
    must(filch_pool_install(NULL, all_parties, &parties));
}
