/* SPDX-License-Identifier: Apache-2.0 */
/* Tasks that stay on their worker, and tasks that may migrate. */
#include "filch/cases.h"
#include "filch/parties.h"
#include "tasks/switching.h"
#include "tasks/woken.h"

#include <filch/filch.h>
#include <sched.h>
#include <stdbool.h>

static const struct filch_task_attr staying, roaming = {.may_migrate = 1};

static struct filch_latch all_here;
static struct filch_latch gate;
static size_t held;     /* atomic: workers that are busy */
static bool is_gate_up; /* atomic */

static void hold_worker(void *unused)
{
    (void)unused;
    __atomic_add_fetch(&held, 1, __ATOMIC_RELEASE);
    while (!__atomic_load_n(&is_gate_up, __ATOMIC_ACQUIRE))
        sched_yield();
}

static void woken_task(void *data)
{
    filch_latch_count_down(&all_here);
    must(filch_latch_wait(&gate));
    woken_work(data);
}

static void begin_tasks(struct woken_data *d, const struct filch_task_attr *attr)
{
    const size_t others = filch_pool_width(NULL) - 1;
    struct filch_task *tasks[2000];
    all_here = (struct filch_latch)FILCH_LATCH_INIT((uint32_t)d->count);
    gate = (struct filch_latch)FILCH_LATCH_INIT(1);
    held = 0;
    is_gate_up = false;
    for (size_t i = 0; i < others; i++)
        must(filch_pool_spawn(NULL, NULL, NULL, hold_worker, NULL));
    while (__atomic_load_n(&held, __ATOMIC_ACQUIRE) < others)
        sched_yield();
    for (size_t i = 0; i < d->count; i++)
        must(filch_pool_spawn(NULL, &tasks[i], attr, woken_task, d));
    must(filch_latch_wait(&all_here));
    d->begin_ns = filch_now_ns();
    __atomic_store_n(&is_gate_up, true, __ATOMIC_RELEASE);
    filch_latch_count_down(&gate);
    for (size_t i = 0; i < d->count; i++)
        must(filch_task_join(tasks[i]));
}

static void begin_staying(void *data)
{
    begin_tasks(data, &staying);
}

static void begin_roaming(void *data)
{
    begin_tasks(data, &roaming);
}

static void run_staying(struct woken_data *d)
{
    must(filch_pool_install(NULL, begin_staying, d));
}

static void run_roaming(struct woken_data *d)
{
    must(filch_pool_install(NULL, begin_roaming, d));
}

void filch_case_woken(void *data)
{
    woken_measure(data, run_staying);
}

void filch_case_woken_roaming(void *data)
{
    woken_measure(data, run_roaming);
}

/* --- to and fro --- */

struct player {
    struct switching_data *d;
    struct filch_semaphore *mine, *other;
    unsigned number;
};

static void play(void *argument)
{
    const struct player *p = argument;
    for (uint64_t i = 0; i < p->d->rounds; i++) {
        must(filch_semaphore_acquire(p->mine));
        p->d->done[p->number]++;
        filch_semaphore_release(p->other, 1);
    }
}

static void play_tasks(struct switching_data *d, const struct filch_task_attr *attr)
{
    struct filch_semaphore turns[2] = {FILCH_SEMAPHORE_INIT(1), FILCH_SEMAPHORE_INIT(0)};
    struct player players[2] = {{d, &turns[0], &turns[1], 0}, {d, &turns[1], &turns[0], 1}};
    struct filch_task *tasks[2];
    for (int i = 0; i < 2; i++)
        must(filch_pool_spawn(NULL, &tasks[i], attr, play, &players[i]));
    for (int i = 0; i < 2; i++)
        must(filch_task_join(tasks[i]));
}

static void play_staying(void *data)
{
    play_tasks(data, &staying);
}

static void play_roaming(void *data)
{
    play_tasks(data, &roaming);
}

void filch_case_pingpong(void *data)
{
    must(filch_pool_install(NULL, play_staying, data));
}

void filch_case_pingpong_roaming(void *data)
{
    must(filch_pool_install(NULL, play_roaming, data));
}
