/* SPDX-License-Identifier: Apache-2.0 */
/* Forks, joins, scopes and loops under simulated schedules: every half and task runs once, whoever
 * runs it, and what waits goes on. */
#include "schedule_pool.h"

enum { SCHEDULES = 4000, FIB = 5 };

static struct filch_pool *pool;

static long fib_serial(long n)
{
    return n < 2 ? n : fib_serial(n - 1) + fib_serial(n - 2);
}

/* --- forks and joins --- */

long fib(long n);
FILCH_FORKABLE(long, fib, long)

long fib(long n)
{
    if (n < 2)
        return n;
    FILCH_FORK(right, fib, n - 1);
    long left = fib(n - 2);
    return left + FILCH_SYNC(right, fib);
}

static void do_nothing(void *unused)
{
    (void)unused;
}

static void wait_for_task(void)
{
    struct filch_task *task;
    int error = filch_pool_spawn(pool, &task, NULL, do_nothing, NULL);
    xt_expect_equal(error, 0);
    if (error == 0)
        xt_expect_equal(filch_task_join(task), 0);
}

struct call {
    long n;
    long result;
};

/* Some leaves wait: the forks below them are offered as tasks meanwhile. */
static void fib_join(void *argument)
{
    struct call *call = argument;
    struct call left = {.n = call->n - 2};
    struct call right = {.n = call->n - 1};
    call->result = call->n;
    if (call->n < 2) {
        if (call->n == 1 && simulate_choice(3) == 0)
            wait_for_task();
        return;
    }
    filch_join(fib_join, &left, fib_join, &right);
    call->result = left.result + right.result;
}

static void compute(void *unused)
{
    (void)unused;
    long n = (long)simulate_choice(FIB + 1);
    if (simulate_choice(2) == 0) {
        xt_expect_equal(fib(n), fib_serial(n));
        return;
    }
    struct call call = {.n = n};
    fib_join(&call);
    xt_expect_equal(call.result, fib_serial(n));
}

static void compute_range(size_t begin, size_t end, void *unused)
{
    for (size_t i = begin; i < end; i++)
        compute(unused);
}

static void *compute_as_guest(void *unused)
{
    struct filch_for_options options = {.pool = pool, .grain = 1};
    (void)unused;
    pause_somewhat();
    xt_expect_equal(filch_for_with(&options, 0, 1 + simulate_choice(2), compute_range, NULL), 0);
    return NULL;
}

static void fork_and_steal(void)
{
    pool = make_pool(1 + simulate_choice(3));
    struct filch_thread *guest = start_thread(compute_as_guest, NULL);
    if (simulate_choice(2) == 0)
        (void)compute_as_guest(NULL);
    else
        xt_expect_equal(filch_pool_install(pool, compute, NULL), 0);
    xt_expect_equal(filch_thread_join(guest, NULL, NULL), 0);
    xt_expect_equal(filch_pool_destroy(pool), 0);
}

/* --- loops --- */

static void count_range(size_t begin, size_t end, void *ctx)
{
    for (size_t i = begin; i < end; i++)
        (void)FILCH_FETCH_ADD_RELAXED((uint32_t *)ctx + i, 1); /* read after the loop */
}

static void *loop(void *unused)
{
    uint32_t x[6] = {0};
    struct filch_for_options options = {
        .pool = pool, .grain = simulate_choice(3), .max_workers = simulate_choice(3)};
    (void)unused;
    pause_somewhat();
    xt_expect_equal(filch_for_with(&options, 0, 6, count_range, x), 0);
    for (size_t i = 0; i < 6; i++)
        xt_expect_equal(x[i], 1);
    return NULL;
}

static void guests_loop(void)
{
    pool = make_pool(1 + simulate_choice(2));
    struct filch_thread *guest = start_thread(loop, NULL);
    (void)loop(NULL);
    xt_expect_equal(filch_thread_join(guest, NULL, NULL), 0);
    xt_expect_equal(filch_pool_destroy(pool), 0);
}

/* --- scopes with tasks that wait --- */

struct meeting {
    struct event first;
    struct event second;
    uint32_t value;
    uint32_t came;
};

/* Sometimes in vain at first, but not for ever: deadlines that pass before its worker has done looking for
 * other work keep it awake, and where one thread runs until it sleeps, nobody else would come to his turn. */
static void wait_at(struct event *event)
{
    size_t times = simulate_choice(4);
    int64_t deadline;
    do
        deadline =
            times-- == 0 ? FILCH_FOREVER : filch_deadline_in((int64_t)simulate_choice(30000));
    while (filch__event_wait(event, deadline) == ETIMEDOUT);
}

static void come_first(void *argument)
{
    struct meeting *m = argument;
    m->value = 7;
    filch__event_set(&m->first);
    wait_at(&m->second);
    xt_expect_equal(m->value, 8);
    (void)FILCH_FETCH_ADD_RELAXED(&m->came, 1); /* read after the scope */
}

static void come_second(void *argument)
{
    struct meeting *m = argument;
    wait_at(&m->first);
    xt_expect_equal(m->value, 7);
    m->value = 8;
    filch__event_set(&m->second);
    (void)FILCH_FETCH_ADD_RELAXED(&m->came, 1); /* read after the scope */
}

static void meet(void *unused)
{
    struct meeting m = {.value = 0};
    bool in_order = simulate_choice(2) == 0;
    void (*one)(void *) = in_order ? come_first : come_second;
    void (*other)(void *) = in_order ? come_second : come_first;
    (void)unused;
    if (simulate_choice(2) == 0) {
        filch_join(one, &m, other, &m);
    } else {
        FILCH_SCOPE (s) {
            xt_expect_equal(filch_scope_spawn(s, one, &m), 0);
            xt_expect_equal(filch_scope_spawn(s, other, &m), 0);
        }
    }
    xt_expect_equal(m.came, 2);
}

static void meet_within(void *unused)
{
    FILCH_SCOPE (s) {
        xt_expect_equal(filch_scope_spawn(s, meet, unused), 0);
        meet(unused);
    }
}

static void *meet_from_outside(void *unused)
{
    pause_somewhat();
    xt_expect_equal(filch_pool_install(pool, meet, unused), 0);
    return NULL;
}

static void scopes_wait(void)
{
    pool = make_pool(1 + simulate_choice(3));
    struct filch_thread *other = start_thread(meet_from_outside, NULL);
    xt_expect_equal(filch_pool_install(pool, meet_within, NULL), 0);
    xt_expect_equal(filch_thread_join(other, NULL, NULL), 0);
    xt_expect_equal(filch_pool_destroy(pool), 0);
}

xt_define(forks)
{
    simulate("forks", SCHEDULES, fork_and_steal);
}

xt_define(loops)
{
    simulate("loops", SCHEDULES, guests_loop);
}

xt_define(scopes)
{
    simulate("scopes", SCHEDULES, scopes_wait);
}

/* A number stands for a schedule: that is what a failure is reported with. */
xt_define(schedules_repeat)
{
    (void)simulate_schedule(0, scopes_wait); /* what a process does once */
    for (uint64_t i = 0; i < 50; i++) {
        uint64_t hash = simulate_schedule(i, scopes_wait);
        xt_expect(simulate_schedule(i, scopes_wait) == hash);
        xt_expect(simulate_schedule(i + 1, scopes_wait) != hash);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        xt_test(forks),
        xt_test(loops),
        xt_test(scopes),
        xt_test(schedules_repeat),
    };
    return xt_run(tests);
}
