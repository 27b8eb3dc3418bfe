/* SPDX-License-Identifier: Apache-2.0 */
/* The reader-writer lock in tasks, and between tasks and threads. */
#include "locks.h"

struct contest {
    struct filch_rwlock l;
    size_t rounds;
    bool waits;       /* some holders wait meanwhile */
    uint64_t pair[2]; /* plain, always equal: the lock guards it */
    uint64_t turn;
};

static void nothing(void *unused)
{
    (void)unused;
}

/* A task that waits here is set aside with the lock. */
static void maybe_wait(const struct contest *c, uint64_t random)
{
    struct filch_task *task;
    if (!c->waits || random % 8 != 0)
        return;
    xt_expect_equal(filch_pool_spawn(filch_pool_current(), &task, NULL, nothing, NULL), 0);
    xt_expect_equal(filch_task_join(task), 0);
}

static void access_pair(void *argument)
{
    struct contest *c = argument;
    uint64_t seed = xt_seed() + __atomic_fetch_add(&c->turn, 1, __ATOMIC_RELAXED);
    for (size_t i = 0; i < c->rounds; i++) {
        uint64_t random = xt_random(&seed);
        if (random % 4 != 0) {
            FILCH_READ_GUARD(&c->l);
            uint64_t seen = c->pair[0];
            maybe_wait(c, random >> 8);
            xt_expect_equal(c->pair[1], seen);
        } else {
            xt_expect_equal(filch_rwlock_write(&c->l), 0);
            xt_expect_equal(filch_rwlock_read(&c->l), EDEADLK);
            c->pair[0]++;
            maybe_wait(c, random >> 8);
            c->pair[1]++;
            uint64_t seen = c->pair[0];
            filch_rwlock_downgrade(&c->l);
            maybe_wait(c, random >> 16);
            xt_expect_equal(c->pair[0], seen);
            xt_expect_equal(c->pair[1], seen);
            filch_rwlock_unlock_read(&c->l);
        }
    }
}

static void run(size_t tasks, size_t threads, bool waits)
{
    static const size_t widths[] = {1, 2, 8};
    for (size_t i = 0; i < sizeof widths / sizeof widths[0]; i++) {
        struct contest c = {.rounds = xt_scaled(1500), .waits = waits};
        locks_mixed(widths[i], tasks, threads, access_pair, &c);
        assert_int_equal(c.pair[0], c.pair[1]);
        assert_int_equal(c.l.filch__word, 0);
        assert_null(c.l.filch__queue);
    }
}

xt_define(tasks_see_whole_writes)
{
    run(12, 0, false);
}

xt_define(tasks_hold_it_while_they_wait)
{
    run(12, 0, true);
}

xt_define(tasks_and_threads_see_whole_writes)
{
    run(8, 4, false);
}

/* --- readers together --- */

enum { READERS = 3 };

struct together {
    struct filch_rwlock l;
    struct filch_barrier inside;
    bool is_downgraded;
};

static void meet_inside(struct together *t)
{
    xt_expect_equal(filch_barrier_wait(&t->inside, NULL), 0);
    filch_rwlock_unlock_read(&t->l);
}

static void read_and_meet(void *argument)
{
    struct together *t = argument;
    xt_expect_equal(filch_rwlock_read(&t->l), 0);
    meet_inside(t);
}

static void let_readers_in(void *argument)
{
    struct together *t = argument;
    t->inside = (struct filch_barrier)FILCH_BARRIER_INIT(READERS + t->is_downgraded);
    FILCH_SCOPE (s) {
        xt_expect_equal(filch_rwlock_write(&t->l), 0);
        for (int i = 0; i < READERS; i++) {
            xt_expect_equal(filch_scope_spawn(s, read_and_meet, t), 0);
            filch_yield(); /* it waits for the writer */
        }
        if (t->is_downgraded) {
            filch_rwlock_downgrade(&t->l);
            meet_inside(t);
        } else {
            filch_rwlock_unlock_write(&t->l);
        }
    }
}

xt_define(all_readers_that_wait_come_in_together)
{
    for (int i = 0; i < 2; i++) {
        struct together t = {.l = FILCH_RWLOCK_INIT, .is_downgraded = i == 1};
        struct filch_pool *pool = locks_pool(1);
        assert_int_equal(filch_pool_install(pool, let_readers_in, &t), 0);
        assert_int_equal(filch_pool_destroy(pool), 0);
        assert_int_equal(filch_rwlock_destroy(&t.l), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        xt_test(tasks_see_whole_writes),
        xt_test(tasks_hold_it_while_they_wait),
        xt_test(tasks_and_threads_see_whole_writes),
        xt_test(all_readers_that_wait_come_in_together),
    };
    return xt_run(tests);
}
