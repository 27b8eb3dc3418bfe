/* SPDX-License-Identifier: Apache-2.0 */
/* Letting time pass, and others run. */
#include <filch/thread.h>

#include "os/os.h"
#include "park/park.h"

#include <errno.h>

void filch_sleep_until(int64_t deadline)
{
    struct waiter nobody_wakes;
    filch__waiter_init(&nobody_wakes);
    if (filch__os->now_ns() < deadline)
        (void)filch__park(&nobody_wakes, deadline);
}

void filch_sleep_ns(int64_t duration_ns)
{
    if (duration_ns > 0)
        filch_sleep_until(filch_deadline_in(duration_ns));
}

void filch_yield(void)
{
    void (*yield)(void) = filch__waiter_kind.ops->yield;
    if (yield != NULL)
        yield();
    else
        filch__os->yield();
}
