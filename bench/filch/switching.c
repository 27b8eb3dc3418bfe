/* SPDX-License-Identifier: Apache-2.0 */
#include "tasks/switching.h"
#include "filch/cases.h"
#include "filch/parties.h"

#include <filch/filch.h>

static void yield_party(void *ctx, unsigned number)
{
    struct switching_data *d = ctx;
    for (uint64_t i = 0; i < d->rounds; i++) {
        filch_yield();
        d->done[number]++;
    }
}

void filch_case_task_yield(void *data)
{
    parties_on_tasks(2, yield_party, data);
}

static void count_one(void *argument)
{
    ((struct switching_data *)argument)->done[0]++;
}

static void run_tasks(void *argument)
{
    const struct switching_data *d = argument;
    for (uint64_t i = 0; i < d->rounds; i++) {
        struct filch_task *task;
        must(filch_pool_spawn(NULL, &task, NULL, count_one, argument));
        must(filch_task_join(task));
    }
}

void filch_case_task_run(void *data)
{
    must(filch_pool_install(NULL, run_tasks, data));
}

static struct filch_semaphore here = FILCH_SEMAPHORE_INIT(0);
static struct filch_semaphore answered = FILCH_SEMAPHORE_INIT(0);

static void wait_and_count(void *argument)
{
    filch_semaphore_release(&here, 1);
    must(filch_semaphore_acquire(&answered));
    count_one(argument);
}

static void run_waiting_tasks(void *argument)
{
    const struct switching_data *d = argument;
    for (uint64_t i = 0; i < d->rounds; i++) {
        struct filch_task *task;
        must(filch_pool_spawn(NULL, &task, NULL, wait_and_count, argument));
        must(filch_semaphore_acquire(&here));
        filch_semaphore_release(&answered, 1);
        must(filch_task_join(task));
    }
}

void filch_case_task_wait(void *data)
{
    must(filch_pool_install(NULL, run_waiting_tasks, data));
}
