/* SPDX-License-Identifier: Apache-2.0 */
/* The deque: no task lost, none taken twice, its data visible to whoever has it. */
#include "model.h"

#define FILCH_DEQUE_CAPACITY_MIN 2
#include "deque.h"

#if SCENARIO == 1 /* the last item: owner against two thieves */
#define FIRST 0
#define PRE 1
#define PUSHES 0
#define POPS 1
#define THIEVES thief, thief
#elif SCENARIO == 2 /* pushes while thieves look */
#define FIRST 0
#define PRE 0
#define PUSHES 2
#define POPS 2
#define THIEVES thief, thief
#elif SCENARIO == 3 /* growth during theft */
#define FIRST 0
#define PRE 2
#define PUSHES 1
#define POPS 2
#define THIEVES thief, thief
#elif SCENARIO == 4 /* two steals in a row, indices that wrap */
#define FIRST UINT64_MAX
#define PRE 0
#define PUSHES 2
#define POPS 2
#define THIEVES thief_twice
#elif SCENARIO == 5 /* two growths */
#define FIRST UINT64_MAX - 1
#define PRE 2
#define PUSHES 3
#define POPS 3
#define THIEVES thief_twice
#elif SCENARIO == 6 /* two thieves, two steals each: many executions */
#define FIRST 0
#define PRE 2
#define PUSHES 1
#define POPS 3
#define THIEVES thief_twice, thief_twice
#endif

enum { TASKS_MAX = 8 };

static struct deque q;
static int payload[TASKS_MAX]; /* plain: a thief that is not ordered after the push races here */
static int taken[TASKS_MAX];
static int pushed;

static void push_one(void)
{
    struct task_item item = {.arg = &payload[pushed]};
    payload[pushed] = pushed + 1;
    pushed++;
    int error = filch__deque_push(&q, &item);
    assert(error == 0);
}

static void take(const struct task_item *item)
{
    int *p = item->arg;
    assert(*p == (int)(p - payload) + 1);
    *p = 0;
    int before = __atomic_fetch_add(&taken[p - payload], 1, __ATOMIC_RELAXED);
    assert(before == 0);
}

static bool pop_one(void)
{
    struct task_item item;
    if (!filch__deque_pop(&q, &item))
        return false;
    take(&item);
    return true;
}

static bool steal_one(void)
{
    struct task_item item;
    if (filch__deque_steal(&q, &item) != DEQUE_STOLEN)
        return false;
    take(&item);
    return true;
}

static void *thief(void *unused)
{
    (void)unused;
    (void)steal_one();
    return NULL;
}

static void *thief_twice(void *unused)
{
    (void)unused;
    (void)steal_one();
    (void)steal_one();
    return NULL;
}

static void finish(void)
{
    while (pop_one()) {
    }
    for (int i = 0; i < pushed; i++)
        assert(taken[i] == 1);
}

/* Pushes and pops beside thieves; what PRE pushed is there before they begin. */
static void *owner(void *unused)
{
    (void)unused;
    for (int i = 0; i < PUSHES; i++)
        push_one();
    for (int i = 0; i < POPS; i++)
        (void)pop_one();
    return NULL;
}

int main(void)
{
    int error = filch__deque_init(&q, (uint64_t)(FIRST));
    assert(error == 0);
    for (int i = 0; i < PRE; i++)
        push_one();
    MODEL_RUN(THIEVES, owner);
    finish();
    filch__deque_destroy(&q);
    return 0;
}
