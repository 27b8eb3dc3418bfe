/* SPDX-License-Identifier: Apache-2.0 */
#include "tally.h"

#include "base/check.h"

void filch__tally_release(struct tally *t, int64_t count)
{
    int64_t before = FILCH_FETCH_SUB(&t->count, count, TL_release, acq_rel);
    FILCH_DCHECK(before >= count);
    /* Not the last: t may be gone already. The last: its owner is waiting, so it is still there. */
    if (before == count)
        filch__unpark(t->waiter);
}

bool filch__tally_keep(struct tally *t, struct filch_panic *panic)
{
    struct filch_panic *none = NULL;
    if (!t->keeps_panics)
        return false;
    if (FILCH_CAS(&t->panic, &none, panic, TL_panic, relaxed))
        return true;
    (void)FILCH_FETCH_ADD_RELAXED(&t->other_panics, 1); /* read when all tasks have ended */
    return false;
}

int filch__tally_wait(struct tally *t, int64_t deadline_ns)
{
    /* The usual case: everything has ended. Nobody else can raise it from 1. */
    if (FILCH_LOAD(&t->count, TL_wait, acquire) == 1)
        return 0;
    struct waiter w;
    filch__waiter_init(&w);
    t->waiter = &w;
    if (FILCH_FETCH_SUB(&t->count, 1, TL_release, acq_rel) == 1)
        return 0;
    int error = filch__park_through(&w, deadline_ns);
    FILCH_DCHECK(error != 0 || FILCH_LOAD_RELAXED(&t->count) == 0); /* all have ended; a check */
    if (error == 0)
        return 0;
    /* Late. Take the count again, unless the last one is just waking us. */
    int64_t seen = FILCH_LOAD_RELAXED(&t->count); /* the swap decides */
    while (seen != 0) {
        if (FILCH_CAS(&t->count, &seen, seen + 1, TL_release, acq_rel))
            return error;
    }
    return filch__park_through(&w, FILCH_FOREVER);
}
