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

void filch_case_task_wait_alone(void *data)
{
    must(filch_pool_install(NULL, run_waiting_tasks, data));
}

static struct filch_latch all_here;
static struct filch_latch gate;

static void wait_at_gate(void *argument)
{
    filch_latch_count_down(&all_here);
    must(filch_latch_wait(&gate));
    (*(uint64_t *)argument)++;
}

static void run_groups(void *argument)
{
    struct switching_data *d = argument;
    for (uint64_t i = 0; i < d->rounds; i += SWITCHING_GROUP) {
        struct filch_task *tasks[SWITCHING_GROUP];
        all_here = (struct filch_latch)FILCH_LATCH_INIT(SWITCHING_GROUP);
        gate = (struct filch_latch)FILCH_LATCH_INIT(1);
        for (size_t k = 0; k < SWITCHING_GROUP; k++)
            must(filch_pool_spawn(NULL, &tasks[k], NULL, wait_at_gate, &d->ran[k]));
        must(filch_latch_wait(&all_here));
        filch_latch_count_down(&gate);
        for (size_t k = 0; k < SWITCHING_GROUP; k++)
            must(filch_task_join(tasks[k]));
    }
}

void filch_case_task_wait(void *data)
{
    must(filch_pool_install(NULL, run_groups, data));
}
