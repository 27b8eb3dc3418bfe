/* SPDX-License-Identifier: Apache-2.0 */
/* Tasks that may migrate, under perturbed schedules: each does at random what may move it, holding locks,
 * with deadlines, panics and scopes that are cancelled, and all is counted. What a task has of its own
 * (errno, its identity as an owner of locks, its scopes) is looked at after each wait. */
#include "perturbed.h"

#include <errno.h>
#include <filch/filch.h>
#include <string.h>

enum { TASKS = 10, STEPS = 12, CAPACITY = 3 };

struct world {
    struct filch_mutex mutex;
    struct filch_mutex poisoned;
    struct filch_condvar changed;
    struct filch_semaphore permits;
    struct filch_sender *tx;
    struct filch_receiver *rx;
    long counted; /* plain, under the mutex */
    long counts;  /* what it should be */
    long sent, received, panics, caught;
    bool is_on; /* under the mutex */
};

struct member {
    struct world *world;
    uint64_t random;
};

static void add(long *number)
{
    (void)__atomic_fetch_add(number, 1, __ATOMIC_RELAXED);
}

static int64_t soon(struct member *m)
{
    return filch_deadline_in((int64_t)(xt_random(&m->random) % 200) * FILCH_US);
}

static bool is_refusal(int error)
{
    return error == ETIMEDOUT || error == ECANCELED;
}

__attribute__((noinline)) static int errno_here(void)
{
    return errno;
}

__attribute__((noinline)) static void set_errno_here(int value)
{
    errno = value;
}

static void count_under_lock(struct member *m, bool rests)
{
    struct world *world = m->world;
    int error = filch_mutex_lock_until(&world->mutex, soon(m));
    if (is_refusal(error))
        return;
    xt_expect(error == 0 || error == EOWNERDEAD); /* held, in both cases */
    long before = world->counted;
    if (rests)
        filch_sleep_until(soon(m));
    world->counted = before + 1;
    add(&world->counts);
    filch_mutex_unlock(&world->mutex);
}

static void wait_for_change(struct member *m)
{
    struct world *world = m->world;
    if (is_refusal(filch_mutex_lock(&world->mutex)))
        return;
    bool seen = world->is_on;
    int error = 0;
    while (!is_refusal(error) && world->is_on == seen)
        error = filch_condvar_wait_until(&world->changed, &world->mutex, soon(m));
    world->is_on = !world->is_on;
    filch_condvar_notify_all(&world->changed);
    filch_mutex_unlock(&world->mutex);
}

static void send_one(struct member *m)
{
    int value = 1;
    int error = filch_send_until(m->world->tx, &value, soon(m));
    if (error == 0)
        add(&m->world->sent);
    else
        xt_expect(is_refusal(error));
}

static void receive_one(struct member *m)
{
    int value = 0;
    int error = filch_recv_until(m->world->rx, &value, soon(m));
    if (error == 0)
        add(&m->world->received);
    else
        xt_expect(is_refusal(error));
}

static void panic_with_lock(void *argument)
{
    struct member *m = argument;
    struct world *world = m->world;
    int error = filch_mutex_lock(&world->poisoned);
    if (is_refusal(error))
        return;
    xt_expect(error == 0 || error == EOWNERDEAD);
    filch_mutex_clear_poison(&world->poisoned);
    filch_mutex_unlock(&world->poisoned);
    {
        FILCH_LOCK_GUARD(&world->mutex);
        filch_sleep_until(soon(m));
        add(&world->panics);
        filch_panic("on purpose");
    }
}

static void catch_panic(struct member *m)
{
    struct filch_panic *panic = NULL;
    if (filch_catch_unwind(panic_with_lock, m, &panic) == 0)
        return;
    if (strcmp(filch_panic_message(panic), "on purpose") == 0) {
        filch_mutex_clear_poison(&m->world->mutex);
        add(&m->world->caught);
    }
    filch_panic_free(panic);
}

static void wait_for_permit(void *argument)
{
    struct member *m = argument;
    int error = filch_semaphore_acquire_until(&m->world->permits, soon(m));
    if (error == 0)
        filch_semaphore_release(&m->world->permits, 1);
    else
        xt_expect(is_refusal(error));
}

static void loop_body(size_t begin, size_t end, void *ctx)
{
    (void)begin;
    (void)end;
    struct member mine = *(struct member *)ctx;
    wait_for_permit(&mine);
}

static void open_scope(struct member *m)
{
    struct member children[2] = {{m->world, xt_random(&m->random)}, {m->world, m->random + 1}};
    FILCH_SCOPE (s) {
        for (size_t i = 0; i < 2; i++)
            xt_expect_equal(filch_scope_spawn(s, wait_for_permit, &children[i]), 0);
        if (xt_random(&m->random) % 4 == 0)
            filch_scope_cancel(s);
        wait_for_permit(m);
    }
}

static void *sleep_elsewhere(void *argument)
{
    xt_sleep_ns(20 * FILCH_US);
    return argument;
}

static void take_step(struct member *m)
{
    struct member halves[2] = {{m->world, xt_random(&m->random)}, {m->world, m->random + 1}};
    void *result = NULL;
    switch (xt_random(&m->random) % 11) {
    case 0:
        count_under_lock(m, false);
        break;
    case 1:
        count_under_lock(m, true);
        break;
    case 2:
        wait_for_change(m);
        break;
    case 3:
    case 4:
        send_one(m);
        break;
    case 5:
    case 6:
        receive_one(m);
        break;
    case 7:
        catch_panic(m);
        break;
    case 8:
        (void)filch_for(0, 3, loop_body, m);
        break;
    case 9:
        filch_join(wait_for_permit, &halves[0], wait_for_permit, &halves[1]);
        break;
    default:
        open_scope(m);
        if (filch_blocking_until(sleep_elsewhere, m, soon(m), &result) == 0)
            xt_expect(result == m);
        break;
    }
}

static void wander(void *argument)
{
    struct member *m = argument;
    struct filch_mutex own = FILCH_MUTEX_INIT;
    xt_expect_equal(filch_mutex_lock(&own), 0);
    for (int i = 0; i < STEPS; i++) {
        set_errno_here(1000 + i);
        take_step(m);
        xt_expect_equal(errno_here(), 1000 + i);
        xt_expect_equal(filch_mutex_lock(&own), EDEADLK); /* still its owner */
        xt_expect(filch_pool_current() != NULL);
    }
    filch_mutex_unlock(&own);
}

static void hush(const struct filch_panic *panic)
{
    (void)panic;
}

static void run_world(uint64_t *random)
{
    static const struct filch_task_attr roaming = {.may_migrate = 1};
    struct world world = {.sent = 0};
    struct member members[TASKS];
    struct filch_task *tasks[TASKS];
    long left = 0;
    filch_semaphore_release(&world.permits, 2);
    xt_expect_equal(filch_channel_create(&world.tx, &world.rx, sizeof(int), CAPACITY), 0);
    FILCH_SCOPE (s) {
        bool has_deadline = xt_random(random) % 4 == 0;
        for (size_t i = 0; i < TASKS; i++) {
            members[i] = (struct member){&world, xt_random(random)};
            xt_expect_equal(filch_scope_spawn_task(s, &tasks[i], &roaming, wander, &members[i]), 0);
        }
        if (has_deadline)
            filch_scope_set_deadline(s, filch_deadline_in(300 * FILCH_US));
        if (xt_random(random) % 4 == 0)
            (void)filch_task_cancel(tasks[xt_random(random) % TASKS]);
        if (!has_deadline && xt_random(random) % 4 == 0) {
            filch_sleep_ns((int64_t)(xt_random(random) % 200) * FILCH_US);
            filch_scope_cancel(s);
        }
        for (size_t i = 0; i < TASKS; i++)
            filch_task_detach(tasks[i]);
    }
    int value;
    while (filch_try_recv(world.rx, &value) == 0)
        left++;
    xt_expect_equal(world.sent, world.received + left);
    xt_expect_equal(world.counted, world.counts);
    xt_expect_equal(world.panics, world.caught);
    filch_sender_drop(world.tx);
    filch_receiver_drop(world.rx);
}

static void in_pool(void *random)
{
    run_world(random);
}

static struct filch_pool *pool;

static void go_round(uint64_t *random)
{
    xt_expect_equal(filch_pool_install(pool, in_pool, random), 0);
}

static void run_with(size_t workers, int tasks_may_migrate, const char *what)
{
    struct filch_pool_config config = {
        .name = "roam", .workers = workers, .tasks_may_migrate = tasks_may_migrate};
    filch_panic_hook *before = filch_panic_set_hook(hush);
    assert_int_equal(filch_pool_create(&pool, &config), 0);
    perturbed_run(what, go_round);
    struct filch_pool_stats stats;
    assert_int_equal(filch_pool_stats(pool, &stats), 0);
    assert_true(workers == 1 || stats.migrations > 0 || !xt_has_migration());
    assert_int_equal(filch_pool_destroy(pool), 0);
    filch_panic_set_hook(before);
}

xt_define(some_migrate_1)
{
    run_with(1, 0, "some migrate, 1 worker");
}

xt_define(some_migrate_3)
{
    run_with(3, 0, "some migrate, 3 workers");
}

xt_define(all_migrate_2)
{
    run_with(2, 1, "all migrate, 2 workers");
}

xt_define(all_migrate_5)
{
    run_with(5, 1, "all migrate, 5 workers");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        xt_test(some_migrate_1),
        xt_test(some_migrate_3),
        xt_test(all_migrate_2),
        xt_test(all_migrate_5),
    };
    return xt_run(tests);
}
