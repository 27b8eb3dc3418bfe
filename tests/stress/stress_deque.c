/* SPDX-License-Identifier: Apache-2.0 */
/* The deque under thieves for as long as is asked for: each task is taken once, from first indices
 * near every limit, with bursts that make it grow and lulls in which it is nearly empty. */
#include "test.h"

#include "deque.h"
#include "schedule.h"

#include <stdlib.h>

enum { TASKS = 20000, THIEVES_MAX = 4 };

struct theft {
    struct deque q;
    uint64_t seed; /* const while threads run */
    uint64_t turn;
    uint32_t is_over;
    uint8_t taken[TASKS];
};

static void nothing(void *argument)
{
    (void)argument;
}

static void note(struct theft *t, const struct task_item *item)
{
    __atomic_fetch_add(&t->taken[(uintptr_t)item->arg], 1, __ATOMIC_RELAXED);
}

static void own(struct theft *t, uint64_t random)
{
    struct task_item item = {0};
    uint64_t burst_max = UINT64_C(1) << xt_random(&random) % 11;
    for (uintptr_t next = 0; next < TASKS;) {
        for (uint64_t burst = xt_random(&random) % burst_max + 1; burst > 0 && next < TASKS;
             burst--) {
            item = (struct task_item){.fn = nothing, .arg = (void *)next++};
            xt_expect_equal(filch__deque_push(&t->q, &item), 0);
        }
        for (uint64_t pops = xt_random(&random) % burst_max + 1; pops > 0; pops--) {
            if (filch__deque_pop(&t->q, &item))
                note(t, &item);
        }
    }
    while (filch__deque_pop(&t->q, &item))
        note(t, &item);
    __atomic_store_n(&t->is_over, 1, __ATOMIC_RELEASE);
}

static void steal(struct theft *t)
{
    struct task_item item = {0};
    while (!__atomic_load_n(&t->is_over, __ATOMIC_ACQUIRE)) {
        if (filch__deque_steal(&t->q, &item) == DEQUE_STOLEN)
            note(t, &item);
    }
}

static void *own_or_steal(void *argument)
{
    struct theft *t = argument;
    uint64_t turn = __atomic_fetch_add(&t->turn, 1, __ATOMIC_RELAXED);
    if (turn == 0)
        own(t, t->seed);
    else
        steal(t);
    return NULL;
}

static void run_round(uint64_t *random)
{
    static const uint64_t limits[] = {0, (uint64_t)INT64_MAX, UINT32_MAX, UINT64_MAX / 2 + 1};
    struct theft *t = aligned_alloc(64, (sizeof *t + 63) / 64 * 64);
    assert_non_null(t);
    *t = (struct theft){.seed = xt_random(random)};
    uint64_t first = limits[xt_random(random) % 4] - xt_random(random) % TASKS;
    assert_int_equal(filch__deque_init(&t->q, first), 0);
    xt_run_threads(2 + xt_random(random) % THIEVES_MAX, own_or_steal, t, 0);
    size_t wrong = 0;
    for (size_t i = 0; i < TASKS; i++)
        wrong += t->taken[i] != 1;
    assert_int_equal(wrong, 0);
    filch__deque_destroy(&t->q);
    free(t);
}

xt_define(each_task_is_taken_once)
{
    uint64_t random = xt_seed();
    int64_t end = xt_now_ns() + xt_stress_ns(2.0);
    for (unsigned round = 0; round == 0 || xt_now_ns() < end; round++) {
        schedule_perturb((enum schedule_mode)(round % SCHEDULE_MODES), xt_random(&random));
        xt_watch("a round of thieves", 60);
        run_round(&random);
    }
    schedule_perturb(SCHEDULE_OFF, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        xt_test(each_task_is_taken_once),
    };
    return xt_run(tests);
}
