/* SPDX-License-Identifier: Apache-2.0 */
#include "filch/cases.h"
#include "filch/parties.h"
#include "tasks/blocked.h"
#include "tasks/timers.h"

#include <filch/filch.h>

static struct filch_latch all_here;
static struct filch_latch gate;

static void blocked_task(void *argument)
{
    struct blocked_data *d = argument;
    if (blocked_arrive(d))
        filch_latch_count_down(&all_here);
    must(filch_latch_wait(&gate));
    blocked_end(d);
}

static void blocked_tasks(void *argument)
{
    struct blocked_data *d = argument;
    FILCH_SCOPE (s) {
        for (size_t i = 0; i < d->count && !d->error; i++)
            d->error = filch_scope_spawn(s, blocked_task, d);
        if (!d->error)
            must(filch_latch_wait(&all_here));
        blocked_complete(d);
        filch_latch_count_down(&gate);
    }
}

static void blocked_run(struct blocked_data *d)
{
    all_here = (struct filch_latch)FILCH_LATCH_INIT(1);
    gate = (struct filch_latch)FILCH_LATCH_INIT(1);
    must(filch_pool_install(NULL, blocked_tasks, d));
}

void filch_case_blocked(void *data)
{
    blocked_measure(data, blocked_run);
}

static struct timers_data *timers; /* written before the first task is spawned */

static void timer_task(void *argument)
{
    int64_t *late_ns = argument;
    const size_t index = (size_t)(late_ns - timers->late_ns);
    const int64_t deadline = filch_deadline_in(timers_duration_ns(index));
    filch_sleep_until(deadline);
    *late_ns = filch_now_ns() - deadline;
}

static void timer_tasks(void *argument)
{
    (void)argument;
    FILCH_SCOPE (s) {
        for (size_t i = 0; i < timers->count; i++)
            must(filch_scope_spawn(s, timer_task, &timers->late_ns[i]));
    }
}

static void timers_run(struct timers_data *d)
{
    timers = d;
    must(filch_pool_install(NULL, timer_tasks, NULL));
}

void filch_case_timers(void *data)
{
    timers_measure(data, timers_run);
}
