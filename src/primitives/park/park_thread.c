/* SPDX-License-Identifier: Apache-2.0 */
/* The waiter that is an OS thread: it sleeps on the state word itself. */
#include "park/waiter.h"

#include "base/check.h"
#include "base/section.h"
#include "os/os.h"
#include "park/spin.h"

#include <errno.h>
#include <stdbool.h>

/* Whether the wake-up comes while we look for it. */
static bool is_woken_soon(struct waiter *w)
{
    struct spin spin = {0};
    do {
        if (FILCH_LOAD(&w->state, PK_woken, acquire) == WAITER_WOKEN)
            return true;
    } while (filch__spin_closely(&spin));
    return false;
}

FILCH_WAKE_PATH static int thread_sleep(struct waiter *w, int64_t deadline_ns)
{
    uint32_t seen = WAITER_EMPTY;
    if (!FILCH_CAS(&w->state, &seen, WAITER_PARKED, PK_park, release) && seen == WAITER_WOKEN)
        return 0;
    int error = filch__os->futex_wait(&w->state, WAITER_PARKED, deadline_ns);
    if (error != ETIMEDOUT)
        return 0; /* woken, interrupted or without reason: filch__park looks */
    FILCH_DCHECK(filch__os->now_ns() >= deadline_ns); /* never early */
    seen = WAITER_PARKED;
    (void)FILCH_CAS(&w->state, &seen, WAITER_EMPTY, PK_park, release); /* fails: woken meanwhile */
    return ETIMEDOUT;
}

FILCH_WAKE_PATH static int thread_suspend(struct waiter *w, int64_t deadline_ns)
{
    return is_woken_soon(w) ? 0 : thread_sleep(w, deadline_ns);
}

FILCH_WAKE_PATH static void thread_wake(struct waiter *w)
{
    /* After the exchange the waiter may be gone: only the address of its word is used. The kernel
     * answers a wake for memory that is no longer mapped, or is another's, with a spurious wake-up
     * at worst, and every sleeper of ours looks again. */
    uint32_t *word = &w->state;
    if (FILCH_EXCHANGE(word, WAITER_WOKEN, PK_wake, acq_rel) == WAITER_PARKED)
        filch__os->futex_wake(word, 1);
}

const struct waiter_ops filch__waiter_thread_ops = {
    .suspend = thread_suspend,
    .wake = thread_wake,
};

const struct waiter_ops filch__waiter_worker_ops = {
    .suspend = thread_sleep,
    .wake = thread_wake,
};
