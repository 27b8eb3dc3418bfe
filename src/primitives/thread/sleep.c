/* SPDX-License-Identifier: Apache-2.0 */
/* Letting time pass, and others run. */
#include <filch/thread.h>

#include "os/os.h"
#include "park/park.h"

#include <errno.h>

int filch_sleep_until(int64_t deadline)
{
    struct waiter nobody_wakes;
    filch__waiter_init(&nobody_wakes);
    if (filch__os->now_ns() >= deadline)
        return 0;
    int error = filch__park(&nobody_wakes, deadline);
    /* It has slept for as long as it was asked to, unless the deadline was another one's. */
    return error == ETIMEDOUT && filch__os->now_ns() >= deadline ? 0 : error;
}

int filch_sleep_ns(int64_t duration_ns)
{
    return duration_ns > 0 ? filch_sleep_until(filch_deadline_in(duration_ns)) : 0;
}

void filch_yield(void)
{
    void (*yield)(void) = filch__waiter_kind.ops->yield;
    if (yield != NULL)
        yield();
    else
        filch__os->yield();
}
