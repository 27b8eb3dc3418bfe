/* SPDX-License-Identifier: Apache-2.0 */
/* The slow paths of fork and sync: entering and leaving the pool, answering thieves, waiting for a
 * stolen half. */
#include "idle.h"
#include "pool.h"

#include "base/check.h"

#include <filch/fork.h>

/* Where no pool can be had: one slot that nobody shares, over and over. Each fork is then followed
 * by its call. */
static __thread struct {
    struct filch__fork_stack owner;
    struct filch__slot slot;
} serial;

/* Results of a call that has left the pool: its slots may be another thread's by now. */
static __thread struct filch__slot left_slot;

static struct filch__fork_stack *serial_stack(void)
{
    serial.owner = (struct filch__fork_stack){.tail = &serial.slot, .end = NULL};
    return &serial.owner;
}

static struct filch__fork_stack *enter(void)
{
    struct filch_pool *pool = NULL;
    if (filch__pool_resolve(&pool) != 0)
        return serial_stack();
    struct worker *w = filch__guest_enter(pool);
    if (w == NULL)
        return serial_stack();
    w->entered_by_fork = true;
    /* The sync of the first slot is to take the slow path, to leave the pool. */
    struct forks *f = &w->base->forks;
    f->floor = f->base + 1;
    FILCH_STORE_RELAXED(&f->owner.split, f->floor); /* owner; the stack is empty */
    return &f->owner;
}

struct filch__fork_stack *filch__fork_slow(struct filch__fork_stack *q)
{
    if (filch__worker == NULL)
        return enter();
    /* Full. What does not fit goes to the slot at the end, which nobody shares: its sync is a plain
     * call, and the sync of an outer fork puts the tail right. */
    FILCH_STORE_RELAXED(&q->tail, q->end); /* owner; a thief takes no slot at the end for work */
    return q;
}

void filch__fork_answer(struct filch__fork_stack *q)
{
    struct worker *w = filch__worker;
    if (w == NULL)
        return; /* there was no pool to be had */
    struct forks *f = filch__forks_of(q);
    FILCH_STORE_RELAXED(&q->asked, 0); /* owner; who asks after this is answered at the next push */
    (void)filch__forks_publish(f);
    if (w->keeps_quiet) {
        /* A loop that is too short for a wake-up: a later push may be worth one. */
        FILCH_STORE_RELAXED(&q->asked, 1); /* owner */
        return;
    }
    filch__idle_wake_one(w->pool);
    if (w->fences)
        FILCH_STORE_RELAXED(&q->asked, 1); /* owner; thieves cannot help themselves */
}

/* Waits until somebody has run the claimed slot. */
static void wait_for(struct filch__slot *slot)
{
    struct slot_waiter mine;
    filch__waiter_init(&mine.waiter);
    mine.run = FILCH_LOAD(&slot->run, FK_done_look, acquire);
    uintptr_t awaited = (uintptr_t)&mine | FILCH__SLOT_AWAITED;
    if (mine.run != FILCH__SLOT_DONE && FILCH_CAS(&slot->run, &mine.run, awaited, FK_wait, release))
        (void)filch__park(&mine.waiter, FILCH_FOREVER);
    else
        (void)FILCH_LOAD(&slot->run, FK_done_look,
                         acquire); /* done meanwhile: the swap is relaxed */
}

/* Runs a slot that is ours alone. */
static void run_here(struct filch__slot *slot)
{
    ((filch__slot_run *)FILCH_LOAD_RELAXED(&slot->run))(slot); /* our own store */
}

struct filch__slot *filch__sync_slow(struct filch__fork_stack *q, struct filch__slot *slot)
{
    struct worker *w = filch__worker;
    struct forks *f = filch__forks_of(q);
    FILCH_CHECK(w != NULL, "a fork was synced on another thread, or twice");
    /* Decided before the half runs: in place, it forks and syncs at this very slot again. */
    bool leaves = w->entered_by_fork && slot == w->base->forks.base;
    if (leaves) {
        w->entered_by_fork = false;
        f->floor = f->base;
    }
    if (filch__forks_reclaim(f, slot)) {
        run_here(slot);
    } else if (FILCH_LOAD(&slot->run, FK_done_look, acquire) != FILCH__SLOT_DONE &&
               filch__worker_pop_slot(w, slot)) {
        /* We have offered it ourselves, when this strand was left, and nobody has come for it. The
         * stack ends below it before it runs, since it forks at this very place. */
        filch__forks_collect(f, slot);
        run_here(slot);
    } else {
        wait_for(slot);
        filch__forks_collect(f, slot);
    }
    if (leaves) {
        left_slot = *slot;
        filch__guest_leave(w);
        return &left_slot;
    }
    return slot;
}

void filch__run_call(struct filch__slot *slot)
{
    ((void (*)(void *))slot->args[0])((void *)slot->args[1]);
}

void filch__join_misuse(void)
{
    FILCH_CHECK(false, "filch_join: a half is NULL");
}
