/* SPDX-License-Identifier: Apache-2.0 */
/* Sleep and wake-up, work from outside, handles and shutdown under simulated schedules. A wake-up
 * that gets lost ends in a deadlock, which the simulation reports. */
#include "schedule_pool.h"

enum { SCHEDULES = 4000 };

static void count_one(void *argument)
{
    (void)FILCH_FETCH_ADD_RELAXED((uint32_t *)argument, 1); /* read after a join */
}

/* --- from outside --- */

static void *spawn_and_join(void *argument)
{
    struct filch_pool *pool = argument;
    for (int i = 0; i < 2; i++) {
        struct filch_task *task;
        uint32_t done = 0;
        pause_somewhat();
        xt_expect_equal(filch_pool_spawn(pool, &task, NULL, count_one, &done), 0);
        xt_expect_equal(filch_task_join(task), 0);
        xt_expect_equal(done, 1);
    }
    return NULL;
}

static void outsiders_wake(void)
{
    struct filch_pool *pool = make_pool(1 + simulate_choice(3));
    struct filch_thread *other = start_thread(spawn_and_join, pool);
    (void)spawn_and_join(pool);
    xt_expect_equal(filch_thread_join(other, NULL, NULL), 0);
    xt_expect_equal(filch_pool_destroy(pool), 0);
}

static void *install_twice(void *pool)
{
    uint32_t done = 0;
    for (int i = 0; i < 2; i++) {
        pause_somewhat();
        xt_expect_equal(filch_pool_install(pool, count_one, &done), 0);
    }
    xt_expect_equal(done, 2);
    return NULL;
}

static void install_from_task(void *pool)
{
    (void)install_twice(pool);
}

/* A task of one pool waits for one of another, and its own pool is destroyed right after. */
static void pools_wait_for_each_other(void)
{
    struct filch_pool *pool = make_pool(1);
    struct filch_pool *brief = make_pool(1 + simulate_choice(2));
    struct filch_thread *other = start_thread(install_twice, pool);
    xt_expect_equal(filch_pool_spawn(brief, NULL, NULL, install_from_task, pool), 0);
    xt_expect_equal(filch_pool_destroy(brief), 0);
    xt_expect_equal(filch_thread_join(other, NULL, NULL), 0);
    xt_expect_equal(filch_pool_destroy(pool), 0);
}

/* --- from inside --- */

static void do_nothing(void *unused)
{
    (void)unused;
}

static void push_half_and_block(void *unused)
{
    uint32_t gate = 0;
    (void)unused;
    filch_join(block_at_gate, &gate, open_gate, &gate);
}

static void push_task_and_block(void)
{
    uint32_t gate = 0;
    xt_expect_equal(filch_pool_spawn(filch_pool_current(), NULL, NULL, open_gate, &gate), 0);
    block_at_gate(&gate);
}

static void push_in_turn(void *unused)
{
    size_t rounds = 1 + simulate_choice(3);
    for (size_t i = 0; i < rounds; i++) {
        struct filch_task *task;
        pause_somewhat();
        switch (simulate_choice(4)) {
        case 0:
            filch_join(do_nothing, NULL, do_nothing, NULL);
            break;
        case 1:
            push_half_and_block(unused);
            break;
        case 2:
            push_task_and_block();
            break;
        default: /* on another stack than this one, which is set aside */
            xt_expect_equal(
                filch_pool_spawn(filch_pool_current(), &task, NULL, push_half_and_block, NULL), 0);
            xt_expect_equal(filch_task_join(task), 0);
        }
    }
}

/* One worker pushes and then blocks while the others fall asleep: somebody comes for what it pushed. */
static void one_pushes(void)
{
    struct filch_pool *pool = make_pool(2 + simulate_choice(2));
    pause_somewhat();
    xt_expect_equal(filch_pool_install(pool, push_in_turn, NULL), 0);
    xt_expect_equal(filch_pool_destroy(pool), 0);
}

/* Two tasks, one of which keeps its worker until the other has run. */
static void *put_pairs(void *argument)
{
    struct filch_pool *pool = argument;
    for (int i = 0; i < 2; i++) {
        uint32_t gate = 0;
        struct filch_task *tasks[2];
        bool in_order = simulate_choice(2) == 0;
        pause_somewhat();
        for (size_t k = 0; k < 2; k++) {
            bool opens = (k == 0) == in_order;
            xt_expect_equal(
                filch_pool_spawn(pool, &tasks[k], NULL, opens ? open_gate : block_at_gate, &gate),
                0);
        }
        for (size_t k = 0; k < 2; k++)
            xt_expect_equal(filch_task_join(tasks[k]), 0);
    }
    return NULL;
}

static void pairs_come_from_outside(void)
{
    struct filch_pool *pool = make_pool(3);
    struct filch_thread *other = start_thread(put_pairs, pool);
    (void)put_pairs(pool);
    xt_expect_equal(filch_thread_join(other, NULL, NULL), 0);
    xt_expect_equal(filch_pool_destroy(pool), 0);
}

static void keep_busy(void *unused)
{
    (void)unused;
    pause_somewhat();
}

struct put {
    struct filch_pool *pool;
    void (*fn)(void *);
    uint32_t *gate;
};

static void *put_one(void *argument)
{
    const struct put *put = argument;
    pause_somewhat();
    xt_expect_equal(filch_pool_spawn(put->pool, NULL, NULL, put->fn, put->gate), 0);
    return NULL;
}

/* Likewise, but each is put by another thread: no later push of the same one makes good for a wake-up
 * that was left to somebody else. */
static void strangers_put_a_pair(void)
{
    uint32_t gate = 0;
    struct filch_pool *pool = make_pool(2);
    struct put puts[] = {{pool, open_gate, &gate}, {pool, keep_busy, NULL}};
    struct put blocking = {pool, block_at_gate, &gate};
    struct filch_thread *others[2];
    for (size_t i = 0; i < 2; i++)
        others[i] = start_thread(put_one, &puts[i]);
    (void)put_one(&blocking);
    for (size_t i = 0; i < 2; i++)
        xt_expect_equal(filch_thread_join(others[i], NULL, NULL), 0);
    xt_expect_equal(filch_pool_destroy(pool), 0);
}

/* --- seats --- */

static void block_in_half(size_t begin, size_t end, void *unused)
{
    for (; begin < end; begin++)
        push_half_and_block(unused);
}

static void do_no_range(size_t begin, size_t end, void *unused)
{
    (void)begin;
    (void)end;
    (void)unused;
}

static void *loop_shortly(void *argument)
{
    struct filch_for_options options = {.pool = argument, .grain = 1};
    for (int i = 0; i < 2; i++) {
        pause_somewhat();
        xt_expect_equal(filch_for_with(&options, 0, 2, do_no_range, NULL), 0);
    }
    return NULL;
}

/* Two guests have both seats. When one leaves, a worker comes for the half that the other offers. */
static void guests_take_seats(void)
{
    struct filch_for_options options = {.pool = make_pool(2), .grain = 1};
    struct filch_thread *other = start_thread(loop_shortly, options.pool);
    pause_somewhat();
    xt_expect_equal(filch_for_with(&options, 0, 1, block_in_half, NULL), 0);
    xt_expect_equal(filch_thread_join(other, NULL, NULL), 0);
    xt_expect_equal(filch_pool_destroy(options.pool), 0);
}

/* --- the end --- */

struct ending {
    struct filch_pool *pool;
    uint32_t accepted;
    uint32_t ended; /* ran, or were dropped */
};

static void end_one(void *argument)
{
    count_one(&((struct ending *)argument)->ended);
}

static const struct filch_task_attr droppable = {.drop = end_one};

static void end_and_spawn(void *argument)
{
    struct ending *e = argument;
    if (filch_pool_spawn(e->pool, NULL, &droppable, end_one, e) == 0)
        count_one(&e->accepted);
    end_one(e);
}

static void *spawn_until_refused(void *argument)
{
    struct ending *e = argument;
    for (int i = 0; i < 4; i++) {
        bool breeds = simulate_choice(2) == 0;
        int error =
            filch_pool_spawn(e->pool, NULL, &droppable, breeds ? end_and_spawn : end_one, e);
        if (error == ESHUTDOWN)
            break;
        xt_expect_equal(error, 0);
        count_one(&e->accepted);
        pause_somewhat();
    }
    return NULL;
}

static void double_range(size_t begin, size_t end, void *ctx)
{
    for (size_t i = begin; i < end; i++)
        ((uint32_t *)ctx)[i] *= 2;
}

static void *loop_until_refused(void *argument)
{
    struct ending *e = argument;
    struct filch_for_options options = {.pool = e->pool, .grain = 1};
    for (int i = 0; i < 2; i++) {
        uint32_t x[3] = {1, 2, 3};
        int error = filch_for_with(&options, 0, 3, double_range, x);
        if (error == ESHUTDOWN)
            break;
        if (error == ECANCELED) { /* each iteration ran once, or not at all */
            for (uint32_t j = 0; j < 3; j++)
                xt_expect(x[j] == j + 1 || x[j] == 2 * (j + 1));
            break;
        }
        xt_expect_equal(error, 0);
        xt_expect(x[0] == 2 && x[1] == 4 && x[2] == 6);
        pause_somewhat();
    }
    return NULL;
}

static void shut_down(void)
{
    enum filch_shutdown how = simulate_choice(2) == 0 ? FILCH_DRAIN : FILCH_CANCEL;
    struct ending e = {.pool = make_pool(1 + simulate_choice(2))};
    struct filch_thread *spawner = start_thread(spawn_until_refused, &e);
    struct filch_thread *guests[2];
    int error;
    for (size_t i = 0; i < 2; i++)
        guests[i] = start_thread(loop_until_refused, &e);
    pause_somewhat();
    do
        error =
            filch_pool_shutdown(e.pool, how, filch_deadline_in((int64_t)simulate_choice(200000)));
    while (error == ETIMEDOUT);
    xt_expect_equal(error, 0);
    xt_expect_equal(filch_thread_join(spawner, NULL, NULL), 0);
    for (size_t i = 0; i < 2; i++)
        xt_expect_equal(filch_thread_join(guests[i], NULL, NULL), 0);
    xt_expect_equal(e.ended, e.accepted);
    xt_expect_equal(filch_pool_destroy(e.pool), 0);
}

/* --- handles --- */

static void use_handle(struct filch_task *task)
{
    int error;
    int64_t most_ns =
        20000; /* grows: a worker that is late each time never sleeps, and others wait for its turn */
    if (simulate_choice(3) == 0) {
        filch_task_detach(task);
        return;
    }
    do {
        error = filch_task_join_until(task,
                                      filch_deadline_in((int64_t)simulate_choice((size_t)most_ns)));
        most_ns = most_ns < FILCH_S ? most_ns * 2 : most_ns;
    } while (error == ETIMEDOUT);
    xt_expect(error == 0 || error == ECANCELED);
}

static void *use_handles(void *argument)
{
    struct ending *e = argument;
    struct filch_task *tasks[3];
    size_t count = 0;
    while (count < 3 && filch_pool_spawn(e->pool, &tasks[count], &droppable, end_one, e) == 0)
        count++;
    for (size_t i = 0; i < count; i++) {
        count_one(&e->accepted);
        use_handle(tasks[i]);
    }
    return NULL;
}

static void use_handles_inside(void *argument)
{
    (void)use_handles(argument);
}

static void handles(void)
{
    struct ending e = {.pool = make_pool(1 + simulate_choice(2))};
    struct filch_thread *other = start_thread(use_handles, &e);
    int error = filch_pool_install(e.pool, use_handles_inside, &e);
    xt_expect_equal(error, 0);
    if (simulate_choice(2) == 0)
        xt_expect_equal(filch_pool_shutdown(e.pool, FILCH_CANCEL, FILCH_FOREVER), 0);
    xt_expect_equal(filch_thread_join(other, NULL, NULL), 0);
    xt_expect_equal(filch_pool_destroy(e.pool), 0);
    xt_expect_equal(e.ended, e.accepted);
}

xt_define(waking_from_outside)
{
    simulate("waking_from_outside", SCHEDULES, outsiders_wake);
}

xt_define(waking_from_inside)
{
    simulate("waking_from_inside", SCHEDULES, one_pushes);
}

xt_define(waking_for_pairs)
{
    simulate("waking_for_pairs", SCHEDULES, pairs_come_from_outside);
    simulate("waking_for_strangers", SCHEDULES, strangers_put_a_pair);
}

xt_define(seats)
{
    simulate("seats", SCHEDULES, guests_take_seats);
}

xt_define(two_pools)
{
    simulate("two_pools", SCHEDULES, pools_wait_for_each_other);
}

xt_define(shutting_down)
{
    simulate("shutting_down", SCHEDULES, shut_down);
}

xt_define(task_handles)
{
    simulate("task_handles", SCHEDULES, handles);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        xt_test(waking_from_outside), xt_test(waking_from_inside),
        xt_test(waking_for_pairs),    xt_test(seats),
        xt_test(two_pools),           xt_test(shutting_down),
        xt_test(task_handles),
    };
    return xt_run(tests);
}
