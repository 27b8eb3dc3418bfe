/* SPDX-License-Identifier: Apache-2.0 */
#include "chan/alone.h"

#include "os/os.h"
#include "park/spin.h"

void filch__alone_end(struct alone *a)
{
    uintptr_t owner;
    while ((owner = FILCH_LOAD(&a->owner, CA_owner, acquire)) != ALONE_SHARED) {
        if (owner == ALONE_NOBODY) {
            /* A thread that becomes the owner meanwhile makes the swap fail. */
            if (FILCH_CAS(&a->owner, &owner, ALONE_SHARED, CA_begin, acq_rel))
                return;
        } else if (owner == ALONE_ENDING ||
                   FILCH_CAS(&a->owner, &owner, ALONE_ENDING, CA_begin, acq_rel)) {
            filch__os_barrier();
            int step = 0;
            while (FILCH_LOAD(&a->busy, CA_busy, acquire) != 0)
                filch__spin_on(step++);
            FILCH_STORE(&a->owner, ALONE_SHARED, CA_shared, release);
            return;
        }
    }
}

bool filch__alone_enter_slow(struct alone *a)
{
    uintptr_t self = filch__alone_self();
    uintptr_t owner = ALONE_NOBODY;
    if (FILCH_CAS(&a->owner, &owner, self, CA_become, seq_cst))
        return filch__alone_enter(a);
    filch__alone_end(a);
    return false;
}

bool filch__alone_adopt(struct alone *a)
{
    uintptr_t owner = ALONE_NOBODY;
    return FILCH_CAS(&a->owner, &owner, filch__alone_self(), CA_become, seq_cst);
}
