/* SPDX-License-Identifier: Apache-2.0 */
/* Compiles alone (with the primitives), so that a model checker reads it as it is. */
#include "slot.h"

#include "forks.h"

#include "panic/panic.h"
#include "park/park.h"

/* What the owner of a claimed slot waits with, in its frame. */
struct slot_waiter {
    struct waiter waiter;
    uintptr_t run; /* of the slot: the claimer may not have read it yet */
};

/* Runs a half that was claimed. Returns what its slot says from now on. */
static uintptr_t run_half(struct filch__slot *slot, uintptr_t run)
{
    struct filch_panic *panic;
    void (*fn)(void *) = (void (*)(void *))(run & ~FILCH__SLOT_GUARDED);
    uintptr_t guarded = filch__slot_guarded(run);
    const struct filch__slot *level = filch__forks_level();
    if (filch__try_task(fn, slot, &panic, filch__forks->tail) == 0) {
        filch__forks_check(level);
        return FILCH__SLOT_DONE | guarded;
    }
    slot->args[0] = (uintptr_t)panic;
    return FILCH__SLOT_FAILED | guarded;
}

void filch__slot_execute(struct filch__slot *slot)
{
    /* The claim has acquired the slot; if its owner waits by now, this acquires where it put the
     * function instead. */
    uintptr_t run = FILCH_LOAD(&slot->run, FK_run_look, acquire);
    if ((run & FILCH__SLOT_AWAITED) != 0)
        run = ((struct slot_waiter *)(run - FILCH__SLOT_AWAITED))->run;
    uintptr_t done = run_half(slot, run);
    /* The slot may be gone after this, unless its owner waits. */
    uintptr_t before = FILCH_EXCHANGE(&slot->run, done, FK_done, acq_rel);
    if ((before & FILCH__SLOT_AWAITED) != 0)
        filch__unpark(&((struct slot_waiter *)(before - FILCH__SLOT_AWAITED))->waiter);
}

void filch__slot_wait(struct filch__slot *slot)
{
    struct slot_waiter mine;
    filch__waiter_init(&mine.waiter);
    mine.run = FILCH_LOAD(&slot->run, FK_done_look, acquire);
    uintptr_t awaited = (uintptr_t)&mine | FILCH__SLOT_AWAITED;
    if (!filch__slot_is_done(mine.run) &&
        FILCH_CAS(&slot->run, &mine.run, awaited, FK_wait, release))
        (void)filch__park(&mine.waiter, FILCH_FOREVER);
    else
        (void)FILCH_LOAD(&slot->run, FK_done_look,
                         acquire); /* done meanwhile: the swap is relaxed */
}
