/* SPDX-License-Identifier: Apache-2.0 */
/* One thread alone at an end of a queue: nobody moves the end at the same time, nothing that was done alone
 * is lost, and who ends it before sleeping either sees what was done alone or is seen. */
#include "model.h"

void filch__spin_on(int step)
{
    (void)step;
}

/* clang-format off */
#define while(condition)                                                                           \
    for (int round = 0; (condition) && (__VERIFIER_assume(round++ < 2), 1);)
/* clang-format on */
#include "chan/alone.c"
#undef while

static struct alone end;
static int data[4];      /* plain: each position is somebody's alone */
static int unordered;    /* plain: for those who are alone only */
static uint32_t word;    /* of the waits */
static uint64_t message; /* a stamp */

static void move(void)
{
    bool is_alone = filch__alone_enter(&end);
    uint64_t mine = __atomic_load_n(&end.position, __ATOMIC_RELAXED);
    if (is_alone) {
        unordered++;
        __atomic_store_n(&end.position, mine + 1, __ATOMIC_RELAXED);
        filch__alone_leave(&end);
    } else {
        __VERIFIER_assume(__atomic_compare_exchange_n(&end.position, &mine, mine + 1, 0,
                                                      __ATOMIC_RELAXED, __ATOMIC_RELAXED));
    }
    data[mine]++;
}

static void *moves(void *unused)
{
    move();
    return unused;
}

static void *moves_twice(void *unused)
{
    move();
    move();
    return unused;
}

/* It moves when nobody is alone any more, whatever the end looked like to it before. */
static void *ends_and_moves(void *unused)
{
    filch__alone_end(&end);
    uint64_t mine = __atomic_fetch_add(&end.position, 1, __ATOMIC_RELAXED);
    data[mine]++;
    return unused;
}

static int was_alone, sender_saw, sleeper_saw; /* plain: looked at in the end */

/* As a send does: what was done alone is done before it looks. */
static void *sends(void *unused)
{
    was_alone = filch__alone_enter(&end);
    if (was_alone) {
        __atomic_store_n(&message, 1, __ATOMIC_RELEASE);
        filch__alone_leave(&end);
        FILCH_FENCE_LIGHT();
        sender_saw = __atomic_load_n(&word, __ATOMIC_SEQ_CST) != 0;
    }
    return unused;
}

static void *sleeps(void *unused)
{
    (void)__atomic_exchange_n(&word, 1, __ATOMIC_SEQ_CST);
    filch__alone_end_other(&end);
    sleeper_saw = __atomic_load_n(&message, __ATOMIC_SEQ_CST) != 0;
    return unused;
}

#if SCENARIO == 1 /* another one comes */
#define BODIES moves_twice, moves
#elif SCENARIO == 2 /* two others come */
#define BODIES moves, ends_and_moves, ends_and_moves
#elif SCENARIO == 3 /* one wants to sleep */
#define BODIES sends, sleeps
#endif

int main(void)
{
#if SCENARIO >= 2
    filch__alone_enter(&end); /* the first thread has been there: it has the same number */
    filch__alone_leave(&end);
#endif
    MODEL_RUN(BODIES);
#if SCENARIO == 3
    assert(!was_alone || sender_saw || sleeper_saw);
#else
    assert(end.position == 3);
    for (int i = 0; i < 3; i++)
        assert(data[i] == 1);
#endif
    return 0;
}
