/* SPDX-License-Identifier: Apache-2.0 */
/* Waits that end without a wake-up. */
#include "wait.h"

#include "roam.h"
#include "strand.h"
#include "worker.h"

enum {
    /* About as many as go on before the next look: the others stay where they are cheap to keep in order. */
    FIRED_AT_ONCE = 16,
};

void filch__worker_end_wait(struct worker *w, struct waiter *waiter)
{
    struct strand *s = waiter->sleeper;
    if (waiter == &w->roam.due_waiter) {
        filch__roam_fire(w);
        return;
    }
    if (s->may_migrate) {
        if (!filch__roam_end(waiter))
            return; /* whoever has woken it sees to it that it goes on */
    } else {
        if (FILCH_LOAD_RELAXED(&waiter->state) /* owner */ != WAITER_PARKED)
            return;                                        /* it is ready already */
        FILCH_STORE_RELAXED(&waiter->state, WAITER_EMPTY); /* owner */
    }
    /* To the front: it is late already. Nobody else adds it, its state says so. */
    filch__strand_ready_late(w, s);
}

static FILCH_COLD void fire_timers(struct worker *w)
{
    struct waiter *due[FIRED_AT_ONCE];
    size_t count = 0;
    struct timer *timer;
    int64_t now_ns = filch__os->now_ns();
    while (count < FIRED_AT_ONCE && (timer = filch__timer_due(&w->timers, now_ns)) != NULL) {
        due[count++] = timer->waiter;
        __builtin_prefetch(timer->waiter);
    }
    size_t fetched = 0;
    while (fetched < count)
        __builtin_prefetch(due[fetched++]->sleeper, 1);
    size_t fired = 0;
    while (fired < count)
        filch__worker_end_wait(w, due[fired++]);
}

void filch__worker_fire_timers(struct worker *w)
{
    if (filch__timer_may_have(&w->timers))
        fire_timers(w);
}
