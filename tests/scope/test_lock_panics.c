/* SPDX-License-Identifier: Apache-2.0 */
/* Panics and locks, in threads and tasks: who poisons what, and that everything is given back. */
#include "locks.h"

#include "sync/queue.h"

#include <sched.h>

struct shared {
    struct filch_mutex m;
    struct filch_mutex other;
    struct filch_rwlock l;
    struct filch_once once;
    struct filch_once_cell cell;
    uint64_t in_cleanup;
};

static void hook(const struct filch_panic *panic)
{
    (void)panic;
}

/* Runs fn(x), which panics. */
static void expect_panic(void (*fn)(void *), void *x)
{
    struct filch_panic *panic = NULL;
    xt_expect_equal(filch_catch_unwind(fn, x, &panic), EOWNERDEAD);
    filch_panic_free(panic);
    xt_expect(!filch_panicking());
}

static void lock_in_cleanup(struct shared **place)
{
    struct shared *x = *place;
    FILCH_LOCK_GUARD(&x->other);
    x->in_cleanup++;
}

static void panic_with_mutex(void *argument)
{
    struct shared *x __attribute__((cleanup(lock_in_cleanup))) = argument;
    FILCH_LOCK_GUARD(&x->m);
    filch_panic("with a mutex");
}

static void nothing(void *unused)
{
    (void)unused;
}

/* Sets its stack aside first, so that it goes on beside others. */
static void panic_with_mutex_after_a_wait(void *argument)
{
    struct shared *x = argument;
    struct filch_task *task;
    FILCH_LOCK_GUARD(&x->m);
    xt_expect_equal(filch_pool_spawn(NULL, &task, NULL, nothing, NULL), 0);
    xt_expect_equal(filch_task_join(task), 0);
    filch_panic("with a mutex, after a wait");
}

static void panic_reading(void *argument)
{
    struct shared *x = argument;
    FILCH_READ_GUARD(&x->l);
    filch_panic("reading");
}

static void panic_writing(void *argument)
{
    struct shared *x = argument;
    FILCH_WRITE_GUARD(&x->l);
    filch_panic("writing");
}

static void panic_at_once(void *unused)
{
    (void)unused;
    filch_panic("failing");
}

static void *fail_making(void *unused)
{
    panic_at_once(unused);
    return NULL;
}

static void call_and_fail(void *argument)
{
    struct shared *x = argument;
    xt_expect_equal(filch_once_call(&x->once, panic_at_once, NULL), -1); /* not reached */
}

static void make_and_fail(void *argument)
{
    struct shared *x = argument;
    xt_expect_equal(filch_once_cell_get_or_init(&x->cell, fail_making, NULL, NULL), -1);
}

static void lock_and_mend(struct filch_mutex *m)
{
    xt_expect_equal(filch_mutex_lock(m), EOWNERDEAD); /* held, and given back by the panic before */
    filch_mutex_clear_poison(m);
    filch_mutex_unlock(m);
    xt_expect_equal(filch_mutex_lock(m), 0);
    filch_mutex_unlock(m);
}

static void all_of_it(void *unused)
{
    struct shared x = {.in_cleanup = 0};
    (void)unused;
    expect_panic(panic_with_mutex, &x);
    lock_and_mend(&x.m);
    xt_expect_equal(x.in_cleanup, 1);
    xt_expect_equal(filch_mutex_is_poisoned(&x.other), 0); /* taken while panicking */
    expect_panic(panic_with_mutex_after_a_wait, &x);
    lock_and_mend(&x.m);
    expect_panic(panic_reading, &x);
    xt_expect_equal(filch_rwlock_is_poisoned(&x.l), 0);
    expect_panic(panic_writing, &x);
    xt_expect_equal(filch_rwlock_read(&x.l), EOWNERDEAD);
    filch_rwlock_unlock_read(&x.l);
    expect_panic(call_and_fail, &x);
    xt_expect_equal(filch_once_call(&x.once, nothing, NULL), EOWNERDEAD);
    expect_panic(make_and_fail, &x);
    xt_expect_equal(filch_once_cell_set(&x.cell, &x), 0); /* it stayed empty */
}

xt_define(who_panics_poisons)
{
    (void)filch_panic_set_hook(hook);
    all_of_it(NULL);
    locks_in_pools(all_of_it, NULL);
    (void)filch_panic_set_hook(NULL);
}

/* Many at once: each panic poisons for whoever comes next, and nobody is left waiting. */
static void panic_now_and_then(void *argument)
{
    struct shared *x = argument;
    for (int i = 0; i < 20; i++) {
        int error = filch_mutex_lock(&x->m);
        xt_expect(error == 0 || error == EOWNERDEAD);
        if (error == EOWNERDEAD)
            filch_mutex_clear_poison(&x->m);
        x->in_cleanup++;
        filch_mutex_unlock(&x->m);
        struct filch_panic *panic = NULL;
        if (i % 4 == 0 && filch_catch_unwind(panic_with_mutex_after_a_wait, x, &panic) != 0)
            filch_panic_free(panic);
    }
}

xt_define(panics_among_many)
{
    struct shared x = {.in_cleanup = 0};
    (void)filch_panic_set_hook(hook);
    locks_mixed(2, 8, 2, panic_now_and_then, &x);
    assert_int_equal(x.in_cleanup, 10 * 20);
    assert_int_equal(x.m.filch__word & ~FILCH__LOCK_POISONED, 0);
    (void)filch_panic_set_hook(NULL);
}

/* Parties that panic between the rounds, and one that comes to the last meeting while it panics. */
struct meeting {
    struct filch_barrier barrier;
    struct filch_semaphore semaphore;
    uint64_t led; /* atomic */
};

static void come(struct meeting **place)
{
    struct meeting *m = *place;
    int is_leader = 0;
    xt_expect_equal(filch_barrier_wait(&m->barrier, &is_leader), 0);
    __atomic_fetch_add(&m->led, (uint64_t)is_leader, __ATOMIC_RELAXED);
}

static void come_and_panic(void *argument)
{
    struct meeting *m = argument;
    come(&m);
    filch_panic("after a meeting");
}

static void come_while_panicking(void *argument)
{
    struct meeting *m __attribute__((cleanup(come), unused)) = argument;
    filch_panic("before a meeting");
}

enum { MEETINGS = 10 };

static void meet_and_panic(void *argument)
{
    struct meeting *m = argument;
    for (int i = 0; i < MEETINGS; i++)
        expect_panic(i % 2 == 0 ? come_and_panic : come_while_panicking, m);
    xt_expect_equal(filch_semaphore_acquire(&m->semaphore), 0);
    filch_semaphore_release(&m->semaphore, 1);
}

xt_define(a_party_that_panics_poisons_no_barrier)
{
    (void)filch_panic_set_hook(hook);
    for (size_t workers = 1; workers <= 2; workers++) {
        struct meeting m = {FILCH_BARRIER_INIT(6), FILCH_SEMAPHORE_INIT(1), 0};
        locks_mixed(workers, 4, 2, meet_and_panic, &m);
        assert_int_equal(m.led, MEETINGS);
        assert_int_equal(m.barrier.filch__word, 0);
        assert_int_equal(filch_semaphore_permits(&m.semaphore), 1);
    }
    (void)filch_panic_set_hook(NULL);
}

/* One that waits for a lock, which is handed over to it by a holder that panics: it learns that. */
struct heir {
    struct shared x;
    int (*lock)(struct shared *x);
    struct filch_pool *pool; /* NULL: it is a thread */
    struct filch_task *task;
    pthread_t thread;
    int error;
};

static int lock_mutex(struct shared *x)
{
    int error = filch_mutex_lock(&x->m);
    filch_mutex_unlock(&x->m);
    return error;
}

static int lock_writing(struct shared *x)
{
    int error = filch_rwlock_write(&x->l);
    filch_rwlock_unlock_write(&x->l);
    return error;
}

static int lock_reading(struct shared *x)
{
    int error = filch_rwlock_read(&x->l);
    filch_rwlock_unlock_read(&x->l);
    return error;
}

static void inherit(void *argument)
{
    struct heir *heir = argument;
    heir->error = heir->lock(&heir->x);
}

static void *inherit_as_thread(void *argument)
{
    inherit(argument);
    return NULL;
}

/* Starts the heir. When it waits, it is made one that has been woken in vain often enough. */
static void appoint(struct heir *heir, uint64_t *word, void **queue)
{
    if (heir->pool == NULL)
        xt_expect_equal(pthread_create(&heir->thread, NULL, inherit_as_thread, heir), 0);
    else
        xt_expect_equal(filch_pool_spawn(heir->pool, &heir->task, NULL, inherit, heir), 0);
    while ((FILCH_LOAD_RELAXED(word) & FILCH__LOCK_WAITERS) == 0) /* a look */
        filch_yield();
    filch__queue_enter(word);
    ((struct lock_waiter *)*queue)->attempts = ATTEMPTS_MAX;
    filch__queue_leave(word, queue, FILCH_LOAD_RELAXED(word)); /* nobody else changes it */
}

static void die_with_mutex(void *argument)
{
    struct heir *heir = argument;
    FILCH_LOCK_GUARD(&heir->x.m);
    appoint(heir, &heir->x.m.filch__word, &heir->x.m.filch__queue);
    filch_panic("with a mutex, and an heir");
}

static void die_writing(void *argument)
{
    struct heir *heir = argument;
    FILCH_WRITE_GUARD(&heir->x.l);
    appoint(heir, &heir->x.l.filch__word, &heir->x.l.filch__queue);
    filch_panic("writing, with an heir");
}

xt_define(who_is_handed_a_lock_learns_of_a_panic)
{
    static const struct {
        void (*die)(void *heir);
        int (*lock)(struct shared *x);
    } ways[] = {
        {die_with_mutex, lock_mutex}, {die_writing, lock_writing}, {die_writing, lock_reading}};
    struct filch_pool *pool = locks_pool(1);
    (void)filch_panic_set_hook(hook);
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        for (int is_task = 0; is_task < 2; is_task++) {
            struct heir heir = {.lock = ways[i].lock, .pool = is_task ? pool : NULL};
            expect_panic(ways[i].die, &heir);
            assert_int_equal(is_task ? filch_task_join(heir.task) : pthread_join(heir.thread, NULL),
                             0);
            assert_int_equal(heir.error, EOWNERDEAD);
        }
    }
    (void)filch_panic_set_hook(NULL);
    assert_int_equal(filch_pool_destroy(pool), 0);
}

/* --- a writer that was panicking when it locked --- */

struct turns {
    struct filch_rwlock l;
    uint32_t written, read, left; /* atomic: the rounds in which that has happened */
    uint32_t rounds;
};

static void await_turn(const uint32_t *turn, uint32_t round)
{
    for (unsigned step = 1; __atomic_load_n(turn, __ATOMIC_ACQUIRE) != round; step++) {
        if (step % 1024 == 0)
            sched_yield();
    }
}

/* Has the lock after the writer: it is its own then, to do with as it likes. */
static void *read_and_take_away(void *argument)
{
    struct turns *t = argument;
    unsigned seed = 1;
    for (uint32_t round = 1; round <= t->rounds; round++) {
        await_turn(&t->written, round);
        for (volatile int k = rand_r(&seed) % 40; k > 0; k--) {
        }
        xt_expect_equal(filch_rwlock_read(&t->l), 0);
        filch_rwlock_unlock_read(&t->l);
        __atomic_store_n(&t->l.filch__word, 0, __ATOMIC_SEQ_CST);
        await_turn(&t->left, round);
        xt_expect_equal(__atomic_load_n(&t->l.filch__word, __ATOMIC_SEQ_CST), 0);
        __atomic_store_n(&t->read, round, __ATOMIC_RELEASE);
    }
    return NULL;
}

static void lock_while_unwinding(struct turns **t)
{
    xt_expect_equal(filch_rwlock_write(&(*t)->l), 0);
}

static void panic_and_lock(void *argument)
{
    struct turns *t __attribute__((cleanup(lock_while_unwinding))) = argument;
    (void)t;
    filch_panic_any(NULL, NULL, NULL);
}

xt_define(a_writer_that_was_panicking_leaves_at_once)
{
    struct turns t = {.l = FILCH_RWLOCK_INIT, .rounds = (uint32_t)xt_scaled(40000)};
    pthread_t reader;
    assert_int_equal(pthread_create(&reader, NULL, read_and_take_away, &t), 0);
    for (uint32_t round = 1; round <= t.rounds; round++) {
        struct filch_panic *panic = NULL;
        xt_expect_equal(filch_catch_unwind(panic_and_lock, &t, &panic), EOWNERDEAD);
        filch_panic_free(panic);
        __atomic_store_n(&t.written, round, __ATOMIC_RELEASE);
        for (volatile int k = 20; k > 0; k--) {
        }
        filch_rwlock_unlock_write(&t.l);
        __atomic_store_n(&t.left, round, __ATOMIC_RELEASE);
        await_turn(&t.read, round);
    }
    assert_int_equal(pthread_join(reader, NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        xt_test(who_panics_poisons),
        xt_test(panics_among_many),
        xt_test(who_is_handed_a_lock_learns_of_a_panic),
        xt_test(a_party_that_panics_poisons_no_barrier),
        xt_test(a_writer_that_was_panicking_leaves_at_once),
    };
    return xt_run(tests);
}
