/* SPDX-License-Identifier: Apache-2.0 */
#include "filch/cases.h"

#include "latency/latency.h"
#include "peer/peer.h"

#include <filch/filch.h>
#include <stdlib.h>

static void wake_body(void *argument)
{
    wake_task(argument, bench_now_ns());
}

static void spawn_and_join(struct wake_data *wake)
{
    struct filch_task *task;
    if (filch_pool_spawn(NULL, &task, NULL, wake_body, wake) != 0 || filch_task_join(task) != 0)
        abort();
}

void filch_case_wake(void *data)
{
    wake_measure(data, spawn_and_join);
}

static void install(struct wake_data *wake)
{
    if (filch_pool_install(NULL, wake_body, wake) != 0)
        abort();
}

void filch_case_wake_install(void *data)
{
    wake_measure(data, install);
}

static void caller_body(size_t begin, size_t end, void *context)
{
    for (size_t i = begin; i < end; i++)
        wake_piece(context);
}

static void share_loop(struct wake_data *wake)
{
    filch_for(0, WAKE_PIECES, caller_body, wake);
}

void filch_case_wake_caller(void *data)
{
    wake_measure(data, share_loop);
}

static void idle_body(size_t begin, size_t end, void *context)
{
    for (size_t i = begin; i < end; i++)
        idle_piece(context);
}

static void idle_work(struct idle_data *idle)
{
    filch_for(0, IDLE_PIECES, idle_body, idle);
}

void filch_case_idle(void *data)
{
    idle_measure(data, idle_work);
}

static void first_task(void *argument)
{
    (void)argument;
    bench_first_task_ran();
}

void filch_case_first_task(void)
{
    struct filch_task *task;
    if (filch_pool_spawn(NULL, &task, NULL, first_task, NULL) != 0 || filch_task_join(task) != 0)
        abort();
}
