/* SPDX-License-Identifier: Apache-2.0 */
#include "chan/biased.h"

#include "os/os.h"
#include "park/spin.h"

enum {
    STREAK_BITS = 4,
#ifndef BIASED_STREAK
    BIASED_STREAK =
        8, /* below 1 << STREAK_BITS: what is used a few times only costs nobody a barrier */
#endif
};

/* Nobody is the favourite; the caller has the lock, and may become it. */
static void choose_favourite(struct biased *b)
{
    const uintptr_t self = filch__alone_self();
    if (filch__waiter_kind.ops == &filch__waiter_thread_ops) {
        FILCH_STORE_RELAXED(&b->favourite, ALONE_SHARED); /* under the lock */
        return;
    }
    /* Two threads that look alike cost a barrier, no more. */
    const uint32_t mine = (uint32_t)(self >> STREAK_BITS) << STREAK_BITS;
    uint32_t streak = FILCH_LOAD_RELAXED(&b->busy); /* under the lock, as what follows */
    if (streak >> STREAK_BITS != mine >> STREAK_BITS)
        streak = mine;
    if ((++streak & ((1U << STREAK_BITS) - 1)) < BIASED_STREAK) {
        FILCH_STORE_RELAXED(&b->busy, streak);
    } else if (filch__os->barrier_ready() != 0) {
        FILCH_STORE_RELAXED(&b->favourite, ALONE_SHARED);
    } else {
        FILCH_STORE_RELAXED(&b->busy, 0);
        FILCH_STORE_RELAXED(&b->favourite, self);
    }
}

void filch__biased_settle(struct biased *b)
{
    if (FILCH_LOAD_RELAXED(&b->favourite) == ALONE_NOBODY) { /* under the lock */
        choose_favourite(b);
        return;
    }
    FILCH_STORE_RELAXED(&b->favourite, ALONE_SHARED); /* the barrier orders it */
    filch__os_barrier();
    int step = 0;
    while (FILCH_LOAD(&b->busy, BL_busy, acquire) != 0)
        filch__spin_on(step++);
}
