/* SPDX-License-Identifier: Apache-2.0 */
/* One thread alone at an end of a queue: nobody moves the end at the same time, nothing that was done alone
 * is lost, and who ends it before sleeping either sees what was done alone or is seen. */
#include "brief.h"
#include "model.h"

#define BIASED_STREAK 1

void filch__spin_on(int step)
{
    (void)step;
}

/* clang-format off */
#define while(condition)                                                                           \
    for (int round = 0; (condition) && (__VERIFIER_assume(round++ < 2), 1);)
/* clang-format on */
#include "base/atomic.h"
#include "chan/alone.c"
#include "chan/biased.c"
#undef while

const struct waiter_ops filch__waiter_thread_ops;
static const struct waiter_ops task_ops;
__thread struct waiter_kind filch__waiter_kind
    __attribute__((tls_model("initial-exec"))) = {&task_ops, NULL};
static int barrier_ready(void)
{
    return 0;
}
static const struct os_table os_with_barrier = {.barrier = model_barrier,
                                                .barrier_ready = barrier_ready};

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

/* The same, whoever is alone. What swaps do has other models (ring, list): here they are simply in order. */
static void *sends_anyhow(void *unused)
{
    if (filch__alone_enter(&end)) {
        __atomic_store_n(&message, 1, __ATOMIC_RELEASE);
        filch__alone_leave(&end);
        FILCH_FENCE_LIGHT();
    } else {
        (void)__atomic_exchange_n(&message, 1, __ATOMIC_SEQ_CST);
    }
    sender_saw = __atomic_load_n(&word, __ATOMIC_SEQ_CST) != 0;
    was_alone = 1;
    return unused;
}

/* As a task does (tasks.c). */
static void *sleeps_as_task(void *unused)
{
    __atomic_store_n(&word, 1, __ATOMIC_RELAXED);
    if (filch__alone_is_here(&end, SCENARIO == 5)) {
        sleeper_saw = __atomic_load_n(&message, __ATOMIC_RELAXED) != 0;
        return unused;
    }
    (void)__atomic_exchange_n(&word, 1, __ATOMIC_SEQ_CST);
    filch__alone_end_foreign(&end);
    sleeper_saw = __atomic_load_n(&message, __ATOMIC_SEQ_CST) != 0;
    return unused;
}

static struct biased lock;
static int locked; /* plain: under the lock */

static void *locks(void *unused)
{
    bool is_favourite = filch__biased_enter(&lock);
    locked++;
    filch__biased_leave(&lock, is_favourite);
    return unused;
}

static void *locks_twice(void *unused)
{
    (void)locks(NULL);
    return locks(unused);
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
#elif SCENARIO == 4 /* a task wants to sleep whose thread is alone there */
#define BODIES sleeps_as_task, sends_anyhow
#elif SCENARIO == 5 /* nobody has been there: it becomes the one alone */
#define BODIES sleeps_as_task, sends_anyhow
#elif SCENARIO == 6 /* or leaves it to others */
#define BODIES sleeps_as_task, sends_anyhow
#elif SCENARIO == 7 /* a lock with a favourite, and another one */
#define BODIES locks_twice, locks
#elif SCENARIO == 8 /* two others */
#define BODIES locks, locks, locks
#elif SCENARIO == 9 /* a favourite that is chosen meanwhile */
#define BODIES locks_twice, locks
#endif

int main(void)
{
#if SCENARIO >= 7
    filch__os = &os_with_barrier;
#endif
#if SCENARIO == 2 || SCENARIO == 3 || SCENARIO == 4
    filch__alone_enter(&end); /* the first thread has been there: it has the same number */
    filch__alone_leave(&end);
#elif SCENARIO == 7 || SCENARIO == 8
    (void)locks(NULL); /* likewise */
    assert(lock.favourite == filch__alone_self());
#endif
    MODEL_RUN(BODIES);
#if SCENARIO >= 7
    assert(locked == (SCENARIO == 7 ? 4 : SCENARIO == 8 ? 4 : 3));
#elif SCENARIO >= 3
    assert(!was_alone || sender_saw || sleeper_saw);
#else
    assert(end.position == 3);
    for (int i = 0; i < 3; i++)
        assert(data[i] == 1);
#endif
    return 0;
}
