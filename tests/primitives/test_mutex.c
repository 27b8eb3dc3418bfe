/* SPDX-License-Identifier: Apache-2.0 */
/* The mutex among OS threads: who owns it, poisoning, deadlines, nobody starves, nothing is lost. */
#include "test.h"

#include "os/os.h"
#include "park/self.h"

#include <filch/mutex.h>
#include <filch/time.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

static struct filch_mutex static_lock = FILCH_MUTEX_INIT;

static bool is_untouched(const struct filch_mutex *m)
{
    return m->filch__word == 0 && m->filch__queue == NULL;
}

/* What another thread finds. */
struct attempt {
    struct filch_mutex *m;
    int64_t deadline;
    int error;
};

static void *try_lock(void *argument)
{
    struct attempt *a = argument;
    a->error = filch_mutex_try_lock(a->m);
    if (a->error == 0 || a->error == EOWNERDEAD)
        filch_mutex_unlock(a->m);
    return NULL;
}

static void *lock_until(void *argument)
{
    struct attempt *a = argument;
    a->error = filch_mutex_lock_until(a->m, a->deadline);
    if (a->error == 0 || a->error == EOWNERDEAD)
        filch_mutex_unlock(a->m);
    return NULL;
}

static int elsewhere(void *(*body)(void *), struct filch_mutex *m, int64_t deadline)
{
    struct attempt a = {.m = m, .deadline = deadline};
    xt_run_threads(1, body, &a, 0);
    return a.error;
}

xt_define(one_owner_at_a_time)
{
    assert_int_equal(filch_mutex_lock(&static_lock), 0);
    assert_int_equal(elsewhere(try_lock, &static_lock, 0), EBUSY);
    filch_mutex_unlock(&static_lock);
    assert_int_equal(elsewhere(try_lock, &static_lock, 0), 0);
    assert_int_equal(filch_mutex_try_lock(&static_lock), 0);
    assert_int_equal(elsewhere(try_lock, &static_lock, 0), EBUSY);
    filch_mutex_unlock(&static_lock);
    assert_true(is_untouched(&static_lock));
}

xt_define(the_functions_do_what_the_inline_code_does)
{
    struct filch_mutex m = FILCH_MUTEX_INIT;
    assert_int_equal((filch_mutex_lock)(&m), 0);
    assert_int_equal((filch_mutex_try_lock)(&m), EBUSY);
    (filch_mutex_unlock)(&m);
    assert_int_equal((filch_mutex_try_lock)(&m), 0);
    (filch_mutex_unlock)(&m);
    assert_true(is_untouched(&m));
}

xt_define(the_owner_cannot_lock_again)
{
    struct filch_mutex m = FILCH_MUTEX_INIT;
    assert_int_equal(filch_mutex_lock(&m), 0);
    assert_int_equal(filch_mutex_lock(&m), EDEADLK);
    assert_int_equal(filch_mutex_lock_until(&m, FILCH_FOREVER), EDEADLK);
    assert_int_equal(filch_mutex_try_lock(&m), EBUSY);
    filch_mutex_unlock(&m);
    assert_int_equal(filch_mutex_lock(&m), 0);
    filch_mutex_unlock(&m);
    assert_true(is_untouched(&m));
}

xt_define(null_is_an_error)
{
    assert_int_equal(filch_mutex_lock(NULL), EINVAL);
    assert_int_equal(filch_mutex_lock_until(NULL, 0), EINVAL);
    assert_int_equal(filch_mutex_try_lock(NULL), EINVAL);
    assert_int_equal(filch_mutex_is_poisoned(NULL), 0);
    filch_mutex_clear_poison(NULL);
    assert_int_equal(filch_mutex_destroy(NULL), 0);
}

static void unlock(void *m)
{
    filch_mutex_unlock(m);
}

static void *hold(void *m)
{
    if (filch_mutex_lock(m) != 0)
        xt_expect(false);
    return NULL;
}

xt_define(only_the_owner_can_unlock)
{
    struct filch_mutex free_one = FILCH_MUTEX_INIT, held = FILCH_MUTEX_INIT;
    struct xt_child child;
    xt_run_threads(1, hold, &held, 0); /* by a thread that is gone */
    xt_run_child(&child, unlock, &free_one);
    assert_true(xt_child_aborted(&child, "the caller does not hold the mutex"));
    xt_run_child(&child, unlock, &held);
    assert_true(xt_child_aborted(&child, "the caller does not hold the mutex"));
    xt_run_child(&child, unlock, NULL);
    assert_true(xt_child_aborted(&child, "the mutex is NULL"));
    /* Whoever comes after a thread that has left with the lock is not taken for it. */
    assert_int_equal(elsewhere(lock_until, &held, filch_deadline_in(FILCH_MS)), ETIMEDOUT);
}

xt_define(deadlines_pass)
{
    struct filch_mutex m = FILCH_MUTEX_INIT;
    assert_int_equal(filch_mutex_lock_until(&m, INT64_MIN), 0); /* a free lock needs no time */
    static const int64_t past[] = {INT64_MIN, -1, 0, 1};
    for (size_t i = 0; i < sizeof past / sizeof past[0]; i++)
        assert_int_equal(elsewhere(lock_until, &m, past[i]), ETIMEDOUT);
    int64_t deadline = filch_deadline_in(5 * FILCH_MS);
    assert_int_equal(elsewhere(lock_until, &m, deadline), ETIMEDOUT);
    assert_true(xt_now_ns() >= deadline);
    assert_null(m.filch__queue);
    filch_mutex_unlock(&m);
    assert_true(is_untouched(&m));
    assert_int_equal(elsewhere(lock_until, &m, 0), 0);
}

/* --- poison --- */

static void panic_ends(struct filch_mutex *m)
{
    filch__self_set_panicking(true);
    filch_mutex_unlock(m);
    filch__self_set_panicking(false);
}

xt_define(a_panic_of_the_owner_poisons)
{
    struct filch_mutex m = FILCH_MUTEX_INIT;
    assert_int_equal(filch_mutex_lock(&m), 0);
    panic_ends(&m);
    assert_true(filch_mutex_is_poisoned(&m));
    /* Each way of taking it takes it, and says so. */
    assert_int_equal(filch_mutex_lock(&m), EOWNERDEAD);
    assert_int_equal(elsewhere(try_lock, &m, 0), EBUSY);
    filch_mutex_unlock(&m);
    assert_int_equal(filch_mutex_try_lock(&m), EOWNERDEAD);
    assert_int_equal(filch_mutex_lock(&m), EDEADLK);
    filch_mutex_unlock(&m);
    assert_int_equal(filch_mutex_lock_until(&m, 0), EOWNERDEAD);
    filch_mutex_unlock(&m);
    assert_int_equal(elsewhere(lock_until, &m, FILCH_FOREVER), EOWNERDEAD);
    assert_true(filch_mutex_is_poisoned(&m));
}

xt_define(poison_can_be_cleared)
{
    struct filch_mutex m = FILCH_MUTEX_INIT;
    assert_int_equal(filch_mutex_lock(&m), 0);
    panic_ends(&m);
    filch_mutex_clear_poison(&m);
    assert_true(is_untouched(&m));
    assert_int_equal(filch_mutex_lock(&m), 0);
    panic_ends(&m);
    assert_int_equal(filch_mutex_lock(&m), EOWNERDEAD);
    filch_mutex_clear_poison(&m); /* by the owner */
    filch_mutex_unlock(&m);
    assert_int_equal(filch_mutex_lock(&m), 0);
    filch_mutex_unlock(&m);
}

xt_define(a_lock_taken_during_a_panic_is_not_poisoned_by_it)
{
    struct filch_mutex m = FILCH_MUTEX_INIT;
    filch__self_set_panicking(true);
    assert_int_equal(filch_mutex_lock(&m), 0);
    assert_int_equal(filch_mutex_lock(&m), EDEADLK);
    filch_mutex_unlock(&m);
    assert_int_equal(filch_mutex_lock(&m), 0);
    filch__self_set_panicking(false);
    filch_mutex_unlock(&m); /* when the panic is over */
    assert_true(is_untouched(&m));
}

xt_define(a_lock_given_back_before_the_panic_is_not_poisoned)
{
    struct filch_mutex m = FILCH_MUTEX_INIT;
    assert_int_equal(filch_mutex_lock(&m), 0);
    filch_mutex_unlock(&m);
    filch__self_set_panicking(true);
    filch__self_set_panicking(false);
    assert_false(filch_mutex_is_poisoned(&m));
}

static void *lock_and_tell(void *argument)
{
    struct attempt *a = argument;
    a->error = filch_mutex_lock(a->m);
    filch_mutex_unlock(a->m);
    return NULL;
}

xt_define(poison_reaches_those_that_wait)
{
    struct filch_mutex m = FILCH_MUTEX_INIT;
    struct attempt a[4];
    pthread_t threads[4];
    assert_int_equal(filch_mutex_lock(&m), 0);
    for (int i = 0; i < 4; i++) {
        a[i] = (struct attempt){.m = &m};
        assert_int_equal(pthread_create(&threads[i], NULL, lock_and_tell, &a[i]), 0);
    }
    while ((__atomic_load_n(&m.filch__word, __ATOMIC_RELAXED) & FILCH__LOCK_WAITERS) == 0)
        xt_sleep_ns(100000);
    panic_ends(&m);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(a[i].error, EOWNERDEAD);
    }
    assert_int_equal(m.filch__word, FILCH__LOCK_POISONED);
}

xt_define(one_that_waits_gets_a_lock_that_was_taken_during_a_panic)
{
    struct filch_mutex m = FILCH_MUTEX_INIT;
    struct attempt a = {.m = &m, .error = -1};
    pthread_t thread;
    filch__self_set_panicking(true);
    assert_int_equal(filch_mutex_lock(&m), 0);
    filch__self_set_panicking(false);
    assert_int_equal(pthread_create(&thread, NULL, lock_and_tell, &a), 0);
    while ((__atomic_load_n(&m.filch__word, __ATOMIC_RELAXED) & FILCH__LOCK_WAITERS) == 0)
        xt_sleep_ns(100000);
    filch_mutex_unlock(&m);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(a.error, 0);
    assert_true(is_untouched(&m));
}

xt_define(destroying_it)
{
    struct filch_mutex m = FILCH_MUTEX_INIT;
    assert_int_equal(filch_mutex_lock(&m), 0);
    assert_int_equal(filch_mutex_destroy(&m), EBUSY);
    assert_int_equal(filch_mutex_try_lock(&m), EBUSY); /* nothing was changed */
    panic_ends(&m);
    assert_int_equal(filch_mutex_destroy(&m), 0);
    assert_true(is_untouched(&m));
}

/* --- contention --- */

struct contest {
    struct filch_mutex m;
    size_t rounds;
    uint64_t count; /* plain: the lock guards it */
    uint64_t timeouts;
    bool is_over;
    uint64_t seed;
    uint64_t turn;
};

static void *count_up(void *argument)
{
    struct contest *c = argument;
    for (size_t i = 0; i < c->rounds; i++) {
        xt_expect_equal(filch_mutex_lock(&c->m), 0);
        c->count++;
        filch_mutex_unlock(&c->m);
    }
    return NULL;
}

xt_define(no_update_is_lost)
{
    for (size_t threads = 2; threads <= 16; threads *= 2) {
        struct contest c = {.rounds = xt_scaled(100000)};
        xt_run_threads(threads, count_up, &c, 0);
        assert_int_equal(c.count, threads * c.rounds);
        assert_true(is_untouched(&c.m));
    }
}

static void *count_up_in_time(void *argument)
{
    struct contest *c = argument;
    uint64_t seed = c->seed + __atomic_fetch_add(&c->turn, 1, __ATOMIC_RELAXED);
    uint64_t timeouts = 0;
    for (size_t i = 0; i < c->rounds; i++) {
        int64_t deadline = xt_now_ns() + (int64_t)(xt_random(&seed) % 60000);
        int error = filch_mutex_lock_until(&c->m, deadline);
        if (error == ETIMEDOUT) {
            timeouts++;
            xt_expect(xt_now_ns() >= deadline);
            continue;
        }
        xt_expect_equal(error, 0);
        c->count++;
        if (xt_random(&seed) % 16 == 0)
            xt_sleep_ns((int64_t)(xt_random(&seed) % 30000));
        filch_mutex_unlock(&c->m);
    }
    __atomic_fetch_add(&c->timeouts, timeouts, __ATOMIC_RELAXED);
    return NULL;
}

/* Time-outs take nobody's wake-up with them: all that is counted adds up, and the last one gets it. */
xt_define(deadlines_race_with_wake_ups)
{
    struct contest c = {.rounds = xt_scaled(4000), .seed = xt_seed()};
    xt_run_threads(8, count_up_in_time, &c, 0);
    assert_int_equal(c.count + c.timeouts, 8 * c.rounds);
    assert_true(c.timeouts > 0);
    assert_true(is_untouched(&c.m));
}

static void *hog(void *argument)
{
    struct contest *c = argument;
    while (!__atomic_load_n(&c->is_over, __ATOMIC_RELAXED)) {
        xt_expect_equal(filch_mutex_lock(&c->m), 0);
        int64_t end = xt_now_ns() + 100000;
        while (xt_now_ns() < end) {
        }
        filch_mutex_unlock(&c->m);
    }
    return NULL;
}

/* The lock is free for nanoseconds only, in between. */
xt_define(nobody_starves_beside_a_hog)
{
    struct contest c = {.count = 0};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, hog, &c), 0);
    for (int i = 0; i < 20; i++) {
        assert_int_equal(filch_mutex_lock(&c.m), 0);
        filch_mutex_unlock(&c.m);
    }
    __atomic_store_n(&c.is_over, true, __ATOMIC_RELAXED);
    assert_int_equal(pthread_join(thread, NULL), 0);
}

/* --- giving way --- */

static struct filch_mutex contended;
static int asleep;            /* atomic */
static __thread int gave_way; /* of this thread */
static int gave_way_after[3]; /* of the three, when they have unlocked */

static void count_yield(void)
{
    gave_way++;
    filch__os_linux.yield();
}

static int count_sleep(uint32_t *word, uint32_t expected, int64_t deadline_ns)
{
    __atomic_fetch_add(&asleep, 1, __ATOMIC_SEQ_CST);
    return filch__os_linux.futex_wait(word, expected, deadline_ns);
}

static void await_sleepers(int count)
{
    while (__atomic_load_n(&asleep, __ATOMIC_SEQ_CST) < count)
        sched_yield();
}

/* The first one has the lock until both others sleep, the second one behind it, the third behind that. */
static void *take_in_order(void *argument)
{
    size_t i = *(size_t *)argument;
    if (i > 0)
        await_sleepers((int)i - 1);
    xt_expect_equal(filch_mutex_lock(&contended), 0);
    if (i == 0) {
        __atomic_store_n(&asleep, 0, __ATOMIC_SEQ_CST);
        await_sleepers(2);
    }
    gave_way = 0;
    filch_mutex_unlock(&contended);
    gave_way_after[i] = gave_way;
    return NULL;
}

/* Whoever yields loses its share of the processor for a while: with a yield after its first section, one
 * that waits for each turn would never have more than one. */
xt_define(one_that_was_woken_has_its_turn)
{
    struct os_table table = filch__os_linux;
    table.yield = count_yield;
    table.futex_wait = count_sleep;
    filch__os_replace(&table);
    __atomic_store_n(&asleep, -1, __ATOMIC_SEQ_CST); /* the first one has yet to come */
    size_t numbers[3] = {0, 1, 2};
    pthread_t threads[3];
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, take_in_order, &numbers[i]), 0);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    filch__os_replace(NULL);
    assert_int_equal(gave_way_after[0], 1);
    assert_int_equal(gave_way_after[1], 0);
}

/* The lock is the last user's to free, as soon as that one has it. */
struct passing {
    struct filch_mutex *m;
    uint64_t references; /* plain: the lock guards it */
};

static void *use_and_free(void *argument)
{
    struct passing **shared = argument;
    struct passing *p = *shared;
    xt_expect_equal(filch_mutex_lock(p->m), 0);
    bool is_last = --p->references == 0;
    filch_mutex_unlock(p->m);
    if (is_last) {
        memset(p->m, 0xff, sizeof *p->m);
        free(p->m);
        free(p);
    }
    return NULL;
}

xt_define(unlock_leaves_the_lock_alone_once_it_is_anothers)
{
    for (size_t round = 0; round < xt_scaled(2000); round++) {
        struct passing *p = malloc(sizeof *p);
        *p = (struct passing){.m = malloc(sizeof *p->m), .references = 4};
        *p->m = (struct filch_mutex)FILCH_MUTEX_INIT;
        xt_run_threads(4, use_and_free, &p, 0);
    }
}

static void unlock_and_lock(void *m)
{
    filch_mutex_unlock(m);
    xt_expect_equal(filch_mutex_lock(m), 0);
    filch_mutex_unlock(m);
}

/* The threads that wait are not there in the child. */
xt_define(a_forked_child_can_use_what_it_held)
{
    xt_skip_if_emulated();
    struct filch_mutex m = FILCH_MUTEX_INIT;
    struct attempt a = {.m = &m};
    pthread_t thread;
    assert_int_equal(filch_mutex_lock(&m), 0);
    assert_int_equal(pthread_create(&thread, NULL, lock_and_tell, &a), 0);
    while ((__atomic_load_n(&m.filch__word, __ATOMIC_RELAXED) & FILCH__LOCK_WAITERS) == 0)
        xt_sleep_ns(100000);
    xt_expect_child(unlock_and_lock, &m, "the child of an owner");
    filch_mutex_unlock(&m);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(a.error, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        xt_test(one_owner_at_a_time),
        xt_test(the_functions_do_what_the_inline_code_does),
        xt_test(the_owner_cannot_lock_again),
        xt_test(null_is_an_error),
        xt_test(only_the_owner_can_unlock),
        xt_test(deadlines_pass),
        xt_test(a_panic_of_the_owner_poisons),
        xt_test(poison_can_be_cleared),
        xt_test(a_lock_taken_during_a_panic_is_not_poisoned_by_it),
        xt_test(a_lock_given_back_before_the_panic_is_not_poisoned),
        xt_test(poison_reaches_those_that_wait),
        xt_test(one_that_waits_gets_a_lock_that_was_taken_during_a_panic),
        xt_test(destroying_it),
        xt_test(no_update_is_lost),
        xt_test(deadlines_race_with_wake_ups),
        xt_test(nobody_starves_beside_a_hog),
        xt_test(one_that_was_woken_has_its_turn),
        xt_test(unlock_leaves_the_lock_alone_once_it_is_anothers),
        xt_test(a_forked_child_can_use_what_it_held),
    };
    return xt_run(tests);
}
