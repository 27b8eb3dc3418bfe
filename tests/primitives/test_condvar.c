/* SPDX-License-Identifier: Apache-2.0 */
/* Condition variables among OS threads: nothing is missed between unlock and wait, a notification reaches
 * somebody, deadlines pass, the mutex is held afterwards whatever happened. */
#include "test.h"

#include "park/self.h"

#include <filch/condvar.h>
#include <filch/guard.h>
#include <stdlib.h>
#include <string.h>

struct meeting {
    struct filch_mutex m;
    struct filch_condvar cv;
    size_t rounds;
    uint64_t waiting; /* under m, as all that follows */
    uint64_t tokens;
    uint64_t woken;
    uint64_t late;
    int turn;
    int error;
    bool is_over;
    uint64_t seed;
};

static bool is_untouched(const struct meeting *x)
{
    return x->m.filch__word == 0 && x->m.filch__queue == NULL && x->cv.filch__word == 0 &&
           x->cv.filch__queue == NULL;
}

static void lock(struct meeting *x)
{
    xt_expect_equal(filch_mutex_lock(&x->m), 0);
}

static void unlock(struct meeting *x)
{
    filch_mutex_unlock(&x->m);
}

/* Until that many wait. */
static void wait_for_waiters(struct meeting *x, uint64_t count)
{
    for (bool are_there = false; !are_there;) {
        lock(x);
        are_there = x->waiting == count;
        unlock(x);
        xt_sleep_ns(50000);
    }
}

static int one(void *unused)
{
    (void)unused;
    return 1;
}

xt_define(bad_arguments_are_refused)
{
    struct meeting x = {.turn = 0};
    assert_int_equal(filch_condvar_wait(&x.cv, &x.m), EPERM); /* not held */
    assert_int_equal(filch_condvar_wait_while(&x.cv, &x.m, one, NULL, 0), EPERM);
    lock(&x);
    assert_int_equal(filch_condvar_wait(NULL, &x.m), EINVAL);
    assert_int_equal(filch_condvar_wait(&x.cv, NULL), EINVAL);
    assert_int_equal(filch_condvar_wait_until(NULL, NULL, 0), EINVAL);
    assert_int_equal(filch_condvar_wait_while(&x.cv, &x.m, NULL, NULL, 0), EINVAL);
    assert_int_equal(filch_mutex_lock(&x.m), EDEADLK);
    unlock(&x);
    filch_condvar_notify_one(NULL);
    filch_condvar_notify_all(NULL);
    assert_true(is_untouched(&x));
}

xt_define(notifications_are_not_remembered)
{
    struct meeting x = {.turn = 0};
    filch_condvar_notify_one(&x.cv);
    filch_condvar_notify_all(&x.cv);
    lock(&x);
    int64_t deadline = filch_deadline_in(2 * FILCH_MS);
    assert_int_equal(filch_condvar_wait_until(&x.cv, &x.m, deadline), ETIMEDOUT);
    assert_true(xt_now_ns() >= deadline);
    assert_int_equal(filch_mutex_lock(&x.m), EDEADLK); /* held */
    static const int64_t past[] = {INT64_MIN, -1, 0, 1};
    for (size_t i = 0; i < sizeof past / sizeof past[0]; i++)
        assert_int_equal(filch_condvar_wait_until(&x.cv, &x.m, past[i]), ETIMEDOUT);
    assert_int_equal(filch_condvar_wait_while(&x.cv, &x.m, one, NULL, 0), ETIMEDOUT);
    unlock(&x);
    assert_true(is_untouched(&x));
}

static void *take_token(void *argument)
{
    struct meeting *x = argument;
    lock(x);
    x->waiting++;
    while (x->tokens == 0)
        xt_expect_equal(filch_condvar_wait(&x->cv, &x->m), 0);
    x->tokens--;
    x->waiting--;
    x->woken++;
    unlock(x);
    return NULL;
}

/* One notification, one token: whoever is woken is one that waits. Notified with the lock and without. */
xt_define(each_notification_wakes_somebody)
{
    struct meeting x = {.turn = 0};
    pthread_t threads[6];
    for (int i = 0; i < 6; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, take_token, &x), 0);
    wait_for_waiters(&x, 6);
    for (uint64_t i = 0; i < 6; i++) {
        lock(&x);
        x.tokens++;
        if (i % 2 == 0)
            filch_condvar_notify_one(&x.cv);
        unlock(&x);
        if (i % 2 == 1)
            filch_condvar_notify_one(&x.cv);
        wait_for_waiters(&x, 5 - i);
    }
    for (int i = 0; i < 6; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_true(is_untouched(&x));
}

xt_define(notify_all_wakes_all)
{
    for (uint64_t round = 0; round < 20; round++) {
        struct meeting x = {.turn = 0};
        pthread_t threads[8];
        for (int i = 0; i < 8; i++)
            assert_int_equal(pthread_create(&threads[i], NULL, take_token, &x), 0);
        wait_for_waiters(&x, 8);
        lock(&x);
        x.tokens = 8;
        filch_condvar_notify_all(&x.cv);
        unlock(&x);
        for (int i = 0; i < 8; i++)
            assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(x.woken, 8);
        assert_true(is_untouched(&x));
    }
}

static void *take_turns(void *argument)
{
    struct meeting *x = argument;
    lock(x);
    int mine = (int)x->waiting++;
    for (size_t i = 0; i < x->rounds; i++) {
        while (x->turn != mine)
            xt_expect_equal(filch_condvar_wait(&x->cv, &x->m), 0);
        x->turn = 1 - mine;
        filch_condvar_notify_one(&x->cv);
    }
    unlock(x);
    return NULL;
}

xt_define(nothing_is_missed_between_unlock_and_wait)
{
    struct meeting x = {.rounds = xt_scaled(20000)};
    xt_run_threads(2, take_turns, &x, 0);
    assert_true(is_untouched(&x));
}

static int is_not_over(void *argument)
{
    struct meeting *x = argument;
    return !x->is_over;
}

static void *wait_while(void *argument)
{
    struct meeting *x = argument;
    lock(x);
    x->waiting++;
    xt_expect_equal(filch_condvar_wait_while(&x->cv, &x->m, is_not_over, x, FILCH_FOREVER), 0);
    xt_expect(x->is_over);
    unlock(x);
    return NULL;
}

xt_define(waiting_while_a_condition_holds)
{
    struct meeting x = {.turn = 0};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, wait_while, &x), 0);
    wait_for_waiters(&x, 1);
    filch_condvar_notify_all(&x.cv); /* in vain */
    lock(&x);
    x.is_over = true;
    filch_condvar_notify_all(&x.cv);
    unlock(&x);
    assert_int_equal(pthread_join(thread, NULL), 0);
}

/* --- deadlines --- */

static void *put_or_take_in_time(void *argument)
{
    struct meeting *x = argument;
    lock(x);
    bool puts = x->waiting++ % 2 == 0;
    uint64_t seed = x->seed + x->waiting;
    unlock(x);
    for (size_t i = 0; i < x->rounds; i++) {
        int64_t deadline = xt_now_ns() + (int64_t)(xt_random(&seed) % 60000);
        lock(x);
        if (puts) {
            x->tokens++;
            filch_condvar_notify_one(&x->cv);
        } else {
            int error = 0;
            while (x->tokens == 0 && error == 0)
                error = filch_condvar_wait_until(&x->cv, &x->m, deadline);
            xt_expect(error == 0 || (error == ETIMEDOUT && xt_now_ns() >= deadline));
            if (error == 0) {
                x->tokens--;
                x->woken++;
            } else {
                x->late++;
            }
        }
        unlock(x);
        if (puts)
            xt_sleep_ns((int64_t)(xt_random(&seed) % 40000));
    }
    return NULL;
}

/* Whoever has left because of its deadline has taken no notification with it: all adds up, and those that
 * wait for what is left get it. */
xt_define(deadlines_race_with_notifications)
{
    struct meeting x = {.rounds = xt_scaled(4000), .seed = xt_seed()};
    xt_run_threads(8, put_or_take_in_time, &x, 0);
    assert_int_equal(x.woken + x.late, 4 * x.rounds);
    assert_int_equal(x.woken + x.tokens, 4 * x.rounds);
    assert_true(is_untouched(&x));
}

static void *wait_in_time_once(void *argument)
{
    struct meeting *x = argument;
    lock(x);
    x->waiting++;
    int error = filch_condvar_wait_until(&x->cv, &x->m, xt_now_ns() + 60000);
    xt_expect(error == 0 || error == ETIMEDOUT);
    if (error != 0)
        x->late++;
    unlock(x);
    return NULL;
}

static void *wait_once(void *argument)
{
    struct meeting *x = argument;
    lock(x);
    x->waiting++;
    xt_expect_equal(filch_condvar_wait(&x->cv, &x->m), 0);
    unlock(x);
    return NULL;
}

/* One notification for two that wait, one of which is about to leave: exactly one takes it, or the one
 * that stays does. */
xt_define(a_deadline_takes_no_notification_with_it)
{
    for (size_t round = 0; round < xt_scaled(300); round++) {
        struct meeting x = {.turn = 0};
        pthread_t hasty, patient;
        assert_int_equal(pthread_create(&hasty, NULL, wait_in_time_once, &x), 0);
        wait_for_waiters(&x, 1);
        assert_int_equal(pthread_create(&patient, NULL, wait_once, &x), 0);
        wait_for_waiters(&x, 2);
        filch_condvar_notify_one(&x.cv);
        assert_int_equal(pthread_join(hasty, NULL), 0);
        if (x.late == 0) /* it was the hasty one's */
            filch_condvar_notify_one(&x.cv);
        assert_int_equal(pthread_join(patient, NULL), 0);
        assert_true(is_untouched(&x));
    }
}

/* --- the mutex --- */

static void *wait_and_tell(void *argument)
{
    struct meeting *x = argument;
    lock(x);
    x->waiting++;
    x->error = filch_condvar_wait(&x->cv, &x->m);
    unlock(x);
    return NULL;
}

xt_define(poison_surfaces_from_a_wait)
{
    struct meeting x = {.turn = 0};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, wait_and_tell, &x), 0);
    wait_for_waiters(&x, 1);
    lock(&x);
    filch_condvar_notify_one(&x.cv);
    filch__self_set_panicking(true);
    unlock(&x);
    filch__self_set_panicking(false);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(x.error, EOWNERDEAD);
    assert_int_equal(filch_mutex_lock(&x.m), EOWNERDEAD);
    assert_int_equal(filch_condvar_wait_until(&x.cv, &x.m, 0), EOWNERDEAD);
    unlock(&x);
}

/* A wait gives the lock back and takes it, but that is no unlock by a panic; the last unlock is. */
xt_define(a_wait_during_a_panic_poisons_nothing_itself)
{
    struct meeting x = {.turn = 0};
    lock(&x);
    filch__self_set_panicking(true);
    assert_int_equal(filch_condvar_wait_until(&x.cv, &x.m, 0), ETIMEDOUT);
    assert_false(filch_mutex_is_poisoned(&x.m));
    unlock(&x);
    filch__self_set_panicking(false);
    assert_true(filch_mutex_is_poisoned(&x.m));
}

struct two {
    struct meeting x;
    struct filch_mutex other;
};

static void *wait_with_the_other(void *argument)
{
    struct two *two = argument;
    xt_expect_equal(filch_mutex_lock(&two->other), 0);
    lock(&two->x);
    two->x.waiting++;
    unlock(&two->x);
    xt_expect_equal(filch_condvar_wait(&two->x.cv, &two->other), 0);
    xt_expect_equal(filch_mutex_lock(&two->other), EDEADLK);
    filch_mutex_unlock(&two->other);
    return NULL;
}

xt_define(waits_with_different_mutexes)
{
    struct two two = {.x = {.turn = 0}};
    pthread_t threads[2];
    assert_int_equal(pthread_create(&threads[0], NULL, wait_and_tell, &two.x), 0);
    assert_int_equal(pthread_create(&threads[1], NULL, wait_with_the_other, &two), 0);
    wait_for_waiters(&two.x, 2);
    assert_int_equal(filch_mutex_lock(&two.other), 0); /* it waits by now */
    filch_condvar_notify_all(&two.x.cv);
    filch_mutex_unlock(&two.other);
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(two.x.error, 0);
}

/* --- the end --- */

static void *complete(void *argument)
{
    struct meeting *x = argument;
    lock(x);
    x->is_over = true;
    filch_condvar_notify_all(&x->cv);
    unlock(x);
    return NULL;
}

/* Whoever was notified may free everything at once. */
xt_define(notifying_leaves_it_alone_once_the_notified_may_free_it)
{
    for (size_t round = 0; round < xt_scaled(1000); round++) {
        struct meeting *x = malloc(sizeof *x);
        pthread_t thread;
        memset(x, 0, sizeof *x);
        assert_int_equal(pthread_create(&thread, NULL, complete, x), 0);
        lock(x);
        while (!x->is_over)
            assert_int_equal(filch_condvar_wait(&x->cv, &x->m), 0);
        unlock(x);
        memset(&x->cv, 0xff, sizeof x->cv);
        assert_int_equal(pthread_join(thread, NULL), 0);
        assert_int_equal(x->cv.filch__word, UINT64_MAX);
        free(x);
    }
}

/* --- guards --- */

static struct filch_mutex guarded = FILCH_MUTEX_INIT;

static int leave_by_return(void)
{
    FILCH_LOCK_GUARD(&guarded);
    return filch_mutex_try_lock(&guarded);
}

static void guard_twice(void *unused)
{
    (void)unused;
    FILCH_LOCK_GUARD(&guarded);
    FILCH_LOCK_GUARD(&guarded);
}

static void guard_null(void *unused)
{
    (void)unused;
    FILCH_LOCK_GUARD(NULL);
}

xt_define(guards_give_back_on_every_way_out)
{
    struct xt_child child;
    assert_int_equal(leave_by_return(), EBUSY);
    assert_int_equal(guarded.filch__word, 0);
    for (int i = 0; i < 3; i++) {
        FILCH_LOCK_GUARD(&guarded);
        if (i == 0)
            continue;
        if (i == 1)
            break;
    }
    assert_int_equal(guarded.filch__word, 0);
    {
        FILCH_LOCK_GUARD(&guarded);
        goto out;
    }
out:
    assert_int_equal(guarded.filch__word, 0);
    xt_run_child(&child, guard_twice, NULL);
    assert_true(xt_child_aborted(&child, "a guard: the caller holds the lock already"));
    xt_run_child(&child, guard_null, NULL);
    assert_true(xt_child_aborted(&child, "a guard: the lock is NULL"));
    {
        FILCH_LOCK_GUARD(&guarded);
        filch__self_set_panicking(true);
    }
    filch__self_set_panicking(false);
    assert_true(filch_mutex_is_poisoned(&guarded));
    {
        FILCH_LOCK_GUARD(&guarded); /* taken all the same */
        filch_mutex_clear_poison(&guarded);
    }
    assert_int_equal(guarded.filch__word, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        xt_test(bad_arguments_are_refused),
        xt_test(notifications_are_not_remembered),
        xt_test(each_notification_wakes_somebody),
        xt_test(notify_all_wakes_all),
        xt_test(nothing_is_missed_between_unlock_and_wait),
        xt_test(waiting_while_a_condition_holds),
        xt_test(deadlines_race_with_notifications),
        xt_test(a_deadline_takes_no_notification_with_it),
        xt_test(poison_surfaces_from_a_wait),
        xt_test(a_wait_during_a_panic_poisons_nothing_itself),
        xt_test(waits_with_different_mutexes),
        xt_test(notifying_leaves_it_alone_once_the_notified_may_free_it),
        xt_test(guards_give_back_on_every_way_out),
    };
    return xt_run(tests);
}
