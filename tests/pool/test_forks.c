/* SPDX-License-Identifier: Apache-2.0 */
/* The fork stack: what is private, what is public, and who gets it. */
#include "test.h"

#include "forks.h"
#include "os/os.h"
#include "pool.h"
#include "steal.h"
#include "strand.h"

#include <errno.h>
#include <filch/fork.h>
#include <filch/pool.h>
#include <stdlib.h>

enum { SLOTS = 64 };

static void run_nothing(struct filch__slot *slot)
{
    (void)slot;
}

struct lone_stack {
    struct forks forks;
    struct filch__slot slots[SLOTS];
};

static struct lone_stack *stack_new(void)
{
    struct lone_stack *s = aligned_alloc(64, sizeof *s);
    assert_non_null(s);
    filch__forks_init(&s->forks, s->slots, SLOTS);
    return s;
}

/* What the inline code does at a fork, but that nobody answers: the stack belongs to no worker. */
static struct filch__slot *push(struct lone_stack *s, uintptr_t number)
{
    struct filch__slot *slot = FILCH_LOAD_RELAXED(&s->forks.owner.tail); /* owner */
    slot->args[0] = number;
    FILCH_STORE_RELAXED(&slot->run, (uintptr_t)run_nothing); /* published by FK_tail */
    FILCH_STORE(&s->forks.owner.tail, slot + 1, FK_tail, release);
    FILCH_FENCE_LIGHT();
    return slot;
}

/* Syncs the newest slot: true where it is the owner's own. */
static bool take(struct lone_stack *s, struct filch__slot *slot)
{
    return filch__fork_take(&s->forks.owner, slot) || filch__forks_reclaim(&s->forks, slot);
}

xt_define(a_private_slot_is_nobody_elses)
{
    struct lone_stack *s = stack_new();
    assert_false(filch__forks_have_any(&s->forks));
    assert_false(filch__forks_are_hidden(&s->forks));
    assert_null(filch__forks_claim(&s->forks));
    struct filch__slot *slots[10];
    for (uintptr_t i = 0; i < 10; i++)
        slots[i] = push(s, i);
    assert_true(filch__forks_have_any(&s->forks));
    assert_true(filch__forks_are_hidden(&s->forks));
    assert_null(filch__forks_claim(&s->forks));
    for (size_t i = 10; i > 0; i--) {
        assert_true(filch__fork_take(&s->forks.owner, slots[i - 1]));
        assert_int_equal(slots[i - 1]->args[0], i - 1);
    }
    assert_false(filch__forks_have_any(&s->forks));
    free(s);
}

xt_define(half_is_published_and_claimed_oldest_first)
{
    struct lone_stack *s = stack_new();
    struct filch__slot *slots[8];
    assert_false(filch__forks_publish(&s->forks));
    for (uintptr_t i = 0; i < 8; i++)
        slots[i] = push(s, i);
    assert_true(filch__forks_publish(&s->forks));
    for (size_t i = 0; i < 4; i++) {
        assert_true(filch__forks_have_public(&s->forks));
        assert_ptr_equal(filch__forks_claim(&s->forks), slots[i]);
    }
    assert_false(filch__forks_have_public(&s->forks));
    assert_null(filch__forks_claim(&s->forks));
    assert_true(filch__forks_publish(&s->forks));
    assert_ptr_equal(filch__forks_claim(&s->forks), slots[4]);
    assert_ptr_equal(filch__forks_claim(&s->forks), slots[5]);
    assert_true(take(s, slots[7]));
    assert_true(take(s, slots[6]));
    for (size_t i = 6; i > 0; i--) {
        assert_false(take(s, slots[i - 1]));
        filch__forks_collect(&s->forks, slots[i - 1]);
    }
    assert_false(filch__forks_have_any(&s->forks));
    assert_ptr_equal(push(s, 1), slots[0]);
    assert_true(take(s, slots[0]));
    free(s);
}

xt_define(public_slots_may_be_taken_back)
{
    struct lone_stack *s = stack_new();
    struct filch__slot *slots[8];
    for (uintptr_t i = 0; i < 8; i++)
        slots[i] = push(s, i);
    for (int i = 0; i < 8; i++)
        (void)filch__forks_publish(&s->forks);
    for (size_t i = 8; i > 0; i--)
        assert_true(take(s, slots[i - 1]));
    assert_null(filch__forks_claim(&s->forks));
    free(s);
}

xt_define(a_question_is_put_once)
{
    struct lone_stack *s = stack_new();
    s->forks.owner.asked = 0;
    filch__forks_ask(&s->forks);
    filch__forks_ask(&s->forks);
    assert_int_equal(s->forks.owner.asked, 1);
    free(s);
}

xt_define(an_owner_that_does_not_come_by_is_helped)
{
    if (filch__os->barrier_ready() != 0)
        skip();
    struct lone_stack *s = stack_new();
    assert_false(filch__forks_expose(&s->forks, 3));
    struct filch__slot *first = push(s, 1);
    struct filch__slot *second = push(s, 2);
    assert_true(filch__forks_expose(&s->forks, 3));
    assert_true(filch__forks_expose(&s->forks, 4)); /* there is something public already */
    assert_ptr_equal(filch__forks_claim(&s->forks), first);
    assert_true(filch__forks_expose(&s->forks, 4093));
    assert_ptr_equal(filch__forks_claim(&s->forks), second);
    assert_false(filch__forks_expose(&s->forks, 0));
    assert_false(take(s, second));
    filch__forks_collect(&s->forks, second);
    assert_false(take(s, first));
    filch__forks_collect(&s->forks, first);
    free(s);
}

xt_define(an_exposure_publishes_half)
{
    if (filch__os->barrier_ready() != 0)
        skip();
    struct lone_stack *s = stack_new();
    struct filch__slot *slots[8];
    for (uintptr_t i = 0; i < 8; i++)
        slots[i] = push(s, i);
    assert_true(filch__forks_expose(&s->forks, 0));
    for (size_t i = 0; i < 4; i++)
        assert_ptr_equal(filch__forks_claim(&s->forks), slots[i]);
    assert_null(filch__forks_claim(&s->forks));
    for (size_t i = 8; i > 4; i--)
        assert_true(filch__fork_take(&s->forks.owner, slots[i - 1]));
    for (size_t i = 4; i > 0; i--) {
        assert_false(take(s, slots[i - 1]));
        filch__forks_collect(&s->forks, slots[i - 1]);
    }
    free(s);
}

xt_define(all_that_is_left_can_be_claimed)
{
    struct lone_stack *s = stack_new();
    struct filch__slot *first = NULL;
    struct filch__slot *end = filch__forks_claim_all(&s->forks, &first);
    assert_ptr_equal(end, first);
    struct filch__slot *slots[8];
    for (uintptr_t i = 0; i < 8; i++)
        slots[i] = push(s, i);
    (void)filch__forks_publish(&s->forks);
    assert_ptr_equal(filch__forks_claim(&s->forks), slots[0]);
    end = filch__forks_claim_all(&s->forks, &first);
    assert_ptr_equal(first, slots[1]);
    assert_ptr_equal(end, slots[7] + 1);
    assert_null(filch__forks_claim(&s->forks));
    assert_false(filch__forks_have_any(&s->forks));
    for (size_t i = 8; i > 0; i--) {
        assert_false(take(s, slots[i - 1]));
        filch__forks_collect(&s->forks, slots[i - 1]);
    }
    free(s);
}

/* --- thieves --- */

enum { ROUNDS_OF_OWNER = 200000, THIEVES = 3, DEPTH_MAX = 40 };

struct theft {
    struct lone_stack *stack;
    uint32_t is_over;
    uint64_t turn;
    uint64_t claimed_sum;
    uint64_t claimed;
    uint64_t mine_sum; /* owner */
    uint64_t mine;     /* owner */
};

static void steal(struct theft *t, unsigned place)
{
    struct forks *f = &t->stack->forks;
    uint64_t seed = xt_seed() + place;
    while (!__atomic_load_n(&t->is_over, __ATOMIC_ACQUIRE)) {
        struct filch__slot *slot = filch__forks_claim(f);
        if (slot != NULL) {
            __atomic_fetch_add(&t->claimed_sum, slot->args[0], __ATOMIC_RELAXED);
            __atomic_fetch_add(&t->claimed, 1, __ATOMIC_RELAXED);
            __atomic_store_n(&slot->run, FILCH__SLOT_DONE, __ATOMIC_RELEASE);
        } else if (filch__forks_are_hidden(f)) {
            filch__forks_ask(f);
            if (xt_random(&seed) % 16 == 0)
                (void)filch__forks_expose(f, place);
        }
    }
}

static void sync_newest(struct theft *t, struct filch__slot *slot)
{
    if (take(t->stack, slot)) {
        t->mine_sum += slot->args[0];
        t->mine++;
        return;
    }
    while (__atomic_load_n(&slot->run, __ATOMIC_ACQUIRE) != FILCH__SLOT_DONE)
        filch__cpu_relax();
    filch__forks_collect(&t->stack->forks, slot);
}

/* Pushes and syncs like a recursion whose depth goes up and down at random. */
static void own(struct theft *t, size_t pushes)
{
    struct forks *f = &t->stack->forks;
    struct filch__slot *open[DEPTH_MAX];
    size_t depth = 0;
    uint64_t seed = xt_seed();
    for (size_t i = 0; i < pushes || depth > 0;) {
        bool wants_push = i < pushes && (depth == 0 || xt_random(&seed) % 2 == 0);
        if (wants_push && depth < DEPTH_MAX) {
            open[depth++] = push(t->stack, ++i);
            if (FILCH_LOAD_RELAXED(&f->owner.asked) /* a hint */ != 0) {
                FILCH_STORE_RELAXED(&f->owner.asked, 0); /* owner */
                (void)filch__forks_publish(f);
            }
        } else {
            sync_newest(t, open[--depth]);
        }
    }
    __atomic_store_n(&t->is_over, 1, __ATOMIC_RELEASE);
}

static void *own_or_steal(void *argument)
{
    struct theft *t = argument;
    uint64_t turn = __atomic_fetch_add(&t->turn, 1, __ATOMIC_RELAXED);
    if (turn == 0)
        own(t, xt_scaled(ROUNDS_OF_OWNER));
    else
        steal(t, (unsigned)turn);
    return NULL;
}

xt_define(each_slot_is_run_once)
{
    (void)xt_seed();
    if (filch__os->barrier_ready() != 0)
        skip();
    struct theft t = {.stack = stack_new()};
    xt_run_threads(1 + THIEVES, own_or_steal, &t, 0);
    uint64_t count = xt_scaled(ROUNDS_OF_OWNER);
    assert_int_equal(t.mine + t.claimed, count);
    assert_int_equal(t.mine_sum + t.claimed_sum, count * (count + 1) / 2);
    free(t.stack);
}

/* --- a guest claims what is not of its own call --- */

struct mistaken {
    struct filch_pool *pool;
    struct worker *guest;
    uint32_t is_public, is_claimed; /* atomically */
    size_t ran_on;
};

static size_t index_here(size_t more)
{
    return filch_worker_index() + more;
}
FILCH_FORKABLE(size_t, index_here, size_t)

/* A task of nobody's call, whose worker looks as if it helped the guest, as when it has just turned from that to
 * something else. */
static void fork_and_mislead(void *argument)
{
    struct mistaken *m = argument;
    struct worker *w = filch__worker;
    FILCH_FORK(forked, index_here, 1);
    (void)filch__forks_publish(&FILCH_LOAD_RELAXED(&w->room)->forks); /* owner */
    FILCH_STORE_RELAXED(&w->region, m->guest);                        /* shown with is_public */
    __atomic_store_n(&m->is_public, 1, __ATOMIC_RELEASE);
    while (!__atomic_load_n(&m->is_claimed, __ATOMIC_ACQUIRE))
        xt_sleep_ns(100 * FILCH_US);
    FILCH_STORE_RELAXED(&w->region, NULL); /* a hint */
    m->ran_on = FILCH_SYNC(forked, index_here);
}

xt_define(a_guest_leaves_to_the_workers_what_is_theirs)
{
    struct filch_pool *pool = NULL;
    struct filch_pool_config config = {.name = "forks", .workers = 1};
    assert_int_equal(filch_pool_create(&pool, &config), 0);
    struct mistaken m = {.pool = pool, .guest = filch__guest_enter(pool), .ran_on = SIZE_MAX};
    assert_non_null(m.guest);
    struct filch_task *task = NULL;
    assert_int_equal(filch_pool_spawn(pool, &task, NULL, fork_and_mislead, &m), 0);
    while (!__atomic_load_n(&m.is_public, __ATOMIC_ACQUIRE))
        xt_sleep_ns(100 * FILCH_US);
    struct found found;
    struct worker *hidden = NULL;
    assert_false(filch__search_once(m.guest, &found, &hidden));
    assert_true(filch__injector_has_any(&pool->injector));
    __atomic_store_n(&m.is_claimed, 1, __ATOMIC_RELEASE);
    filch__guest_leave(m.guest);
    assert_int_equal(filch_task_join(task), 0);
    assert_int_equal(m.ran_on, 0 + 1);
    assert_int_equal(filch_pool_destroy(pool), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        xt_test(a_private_slot_is_nobody_elses),
        xt_test(half_is_published_and_claimed_oldest_first),
        xt_test(public_slots_may_be_taken_back),
        xt_test(a_question_is_put_once),
        xt_test(an_owner_that_does_not_come_by_is_helped),
        xt_test(an_exposure_publishes_half),
        xt_test(all_that_is_left_can_be_claimed),
        xt_test(each_slot_is_run_once),
        xt_test(a_guest_leaves_to_the_workers_what_is_theirs),
    };
    return xt_run(tests);
}
