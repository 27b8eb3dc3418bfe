/* SPDX-License-Identifier: Apache-2.0 */
#include "park/park.h"

#include "base/check.h"
#include "base/section.h"
#include "os/os.h"

#include <errno.h>
#include <stddef.h>

__thread struct waiter_kind filch__waiter_kind
    __attribute__((tls_model("initial-exec"))) = {&filch__waiter_thread_ops, NULL};

FILCH_WAKE_PATH int filch__park_on(struct waiter *w, int64_t deadline_ns, int error)
{
    while (FILCH_LOAD(&w->state, PK_woken, acquire) != WAITER_WOKEN) {
        /* A wake-up that came with the deadline counts: an event is never reported as lost. */
        if (FILCH_UNLIKELY(error != 0))
            return error;
        error = w->ops->suspend(w, deadline_ns);
    }
    filch__waiter_done(w);
    return 0;
}

FILCH_WAKE_PATH int filch__park_through(struct waiter *w, int64_t deadline_ns)
{
    w->resists = true;
    int error = filch__park(w, deadline_ns);
    FILCH_DCHECK(error == 0 || deadline_ns != FILCH_FOREVER);
    return error;
}

FILCH_WAKE_PATH void filch__unpark(struct waiter *w)
{
    FILCH_DCHECK(w->ops != NULL); /* it waits, or will: once for each waiter */
    w->ops->wake(w);
}

void filch__stay(int change)
{
    const struct waiter_ops *ops = filch__waiter_kind.ops;
    if (ops->stay != NULL)
        ops->stay(change);
}
