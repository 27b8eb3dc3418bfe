/* SPDX-License-Identifier: Apache-2.0 */
/* The fork stack: every half runs exactly once, whoever takes it, with its arguments in place, and
 * the owner's fast path never takes what a thief may have. */
#include "model.h"

#include "pool/forks.c"

enum { SLOTS = 3, HALVES_MAX = 6 };

static struct forks f;
static struct filch__slot slots[SLOTS];
static int payload[HALVES_MAX]; /* plain, as what a half reads of its owner's frame is */
static int runs[HALVES_MAX];
static int forked;

static void run_half(struct filch__slot *slot)
{
    int *p = (int *)slot->args[0];
    assert(*p == (int)(p - payload) + 1);
    *p = 0;
    int before = __atomic_fetch_add(&runs[p - payload], 1, __ATOMIC_RELAXED);
    assert(before == 0);
}

/* --- thieves --- */

/* As filch__slot_execute, without a waiter; slot.c has that. */
static void execute(struct filch__slot *slot)
{
    run_half(slot);
    FILCH_STORE(&slot->run, FILCH__SLOT_DONE, FK_done, release);
}

static bool claim(void)
{
    struct filch__slot *slot = filch__forks_claim(&f);
    if (slot != NULL)
        execute(slot);
    return slot != NULL;
}

static void *thief(void *unused)
{
    (void)unused;
    (void)claim();
    return NULL;
}

static void *thief_twice(void *unused)
{
    (void)unused;
    (void)claim();
    (void)claim();
    return NULL;
}

/* As a search does: claim, else ask, and in the end expose. */
static void insist(unsigned place)
{
    if (claim() || !filch__forks_are_hidden(&f))
        return;
    filch__forks_ask(&f);
    if (filch__forks_expose(&f, place))
        (void)claim();
}

static void *exposer_0(void *unused)
{
    (void)unused;
    insist(0);
    return NULL;
}

static void *exposer_1(void *unused)
{
    (void)unused;
    insist(1);
    return NULL;
}

static void *exposer_of_two(void *unused)
{
    (void)unused;
    if (filch__forks_expose(&f, 0)) {
        (void)claim();
        (void)claim();
    }
    return NULL;
}

static bool has_seen;

static void *sleeper(void *unused)
{
    (void)unused;
    filch__forks_ask(&f);
    (void)filch__os->barrier();
    has_seen = filch__forks_have_any(&f);
    return NULL;
}

/* --- the owner --- */

/* Where nobody changes the split, the guard is not below it. */
static void check_guard(void)
{
    uint64_t word = __atomic_load_n(&f.shared, __ATOMIC_ACQUIRE);
    struct filch__slot *guard = __atomic_load_n(&f.owner.split, __ATOMIC_RELAXED);
    if (filch__forks_exposer(word) == FORKS_EXPOSER_NONE)
        assert(guard >= f.base + filch__forks_split(word));
}

/* What fork.c does of it, without the wake-up. */
static bool has_answered;

void filch__fork_answer(struct filch__fork_stack *q)
{
    has_answered = true;
    FILCH_STORE_RELAXED(&q->asked, 0);
    (void)filch__forks_publish(filch__forks_of(q));
}

static void push(void)
{
    struct filch__slot *slot = f.owner.tail;
    slot->args[0] = (uintptr_t)&payload[forked];
    payload[forked] = forked + 1;
    forked++;
    filch__fork_push(&f.owner, slot, run_half);
}

static void wait_and_collect(struct filch__slot *slot)
{
    __VERIFIER_assume(FILCH_LOAD(&slot->run, FK_done_look, acquire) == FILCH__SLOT_DONE);
    int *p = (int *)slot->args[0];
    assert(*p == 0);
    filch__forks_collect(&f, slot);
}

/* The sync of the newest half. */
static void sync(void)
{
    struct filch__slot *slot = f.owner.tail - 1;
    if (filch__fork_take(&f.owner, slot) || filch__forks_reclaim(&f, slot))
        run_half(slot);
    else
        wait_and_collect(slot);
    check_guard();
}

#if SCENARIO == 1 /* publish; two thieves claim; the owner takes back */
#define PRE 0
#define THIEVES thief, thief
static void owner(void)
{
    push();
    push();
    (void)filch__forks_publish(&f);
    sync();
    sync();
}
#elif SCENARIO == 2 /* the same slot again, published again: a thief may believe it is the first */
#define PRE 1
#define THIEVES thief, thief
static void owner(void)
{
    (void)filch__forks_publish(&f);
    sync();
    push();
    (void)filch__forks_publish(&f);
    sync();
}
#elif SCENARIO == 3 /* a thief exposes while the owner takes, pushes and takes */
#define PRE 1
#define THIEVES exposer_0
static void owner(void)
{
    sync();
    push();
    sync();
}
#elif SCENARIO == 4 /* one thief claims what another one has exposed */
#define PRE 0
#define THIEVES exposer_0, thief
static void owner(void)
{
    push();
    sync();
}
#elif SCENARIO == 5 /* the owner leaves its stack; a thief claims, one exposes */
#define PRE 2
#define THIEVES exposer_0
static void owner(void)
{
    struct filch__slot *slot;
    struct filch__slot *end = filch__forks_claim_all(&f, &slot);
    for (; slot < end; slot++)
        execute(slot);
    check_guard();
    sync();
    sync();
}
#elif SCENARIO == 6 /* a question is answered while the thief that asked exposes */
#define PRE 1
#define THIEVES exposer_0
static void owner(void)
{
    push();
    sync();
    sync();
}
#elif SCENARIO == 7 /* a deep stack: the owner lowers the split half-way and goes on privately */
#define PRE 3
#define THIEVES thief_twice
static void owner(void)
{
    (void)filch__forks_publish(&f);
    (void)filch__forks_publish(&f);
    sync();
    sync();
    sync();
}
#elif SCENARIO == 8 /* publish beside an exposure that is under way */
#define PRE 2
#define THIEVES exposer_0
static void owner(void)
{
    (void)filch__forks_publish(&f);
    sync();
    push();
    sync();
    sync();
}
#elif SCENARIO == 9 /* two thieves expose at once while the owner takes; many executions */
#define PRE 1
#define THIEVES exposer_0, exposer_1
static void owner(void)
{
    sync();
}
#elif SCENARIO == 10 /* a worker asks, looks and sleeps, while the owner forks just once */
#define PRE 0
#define THIEVES sleeper
static void owner(void)
{
    push();
}
#elif SCENARIO == 11 /* a thief exposes two of three at once while the owner takes them */
#define PRE 3
#define THIEVES exposer_of_two
static void owner(void)
{
    sync();
    sync();
    sync();
}
#endif

static void *owner_thread(void *unused)
{
    (void)unused;
    owner();
    return NULL;
}

int main(void)
{
    filch__forks_init(&f, slots, SLOTS);
    for (int i = 0; i < PRE; i++)
        push();
    MODEL_RUN(THIEVES, owner_thread);
    if (SCENARIO == 10) {
        assert(has_seen || has_answered);
        sync();
    }
    assert(f.owner.tail == f.base);
    assert(f.shared == filch__forks_word(0, 0, FORKS_EXPOSER_NONE));
    for (int i = 0; i < forked; i++)
        assert(runs[i] == 1);
    return 0;
}
