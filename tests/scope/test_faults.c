/* SPDX-License-Identifier: Apache-2.0 */
/* Fault sweeps: each scenario runs with the 1st, 2nd, 3rd ... allocation, mapping, advice or thread
 * creation failing, until a run needs none that fails; and once more with everything failing from the
 * k-th on. Every call either does what it should or returns a documented error having changed
 * nothing; no task is lost, nothing hangs, and nothing is left behind. */
#include "test.h"

#include "task.h"

#include <errno.h>
#include <filch/filch.h>
#include <stdio.h>

static void add_one(void *argument)
{
    __atomic_fetch_add((uint64_t *)argument, 1, __ATOMIC_RELAXED);
}

static void add_range(size_t begin, size_t end, void *ctx)
{
    __atomic_fetch_add((uint64_t *)ctx, end - begin, __ATOMIC_RELAXED);
}

/* What one run of a scenario has at hand. */
struct run {
    struct filch_pool *pool; /* created before anything fails */
    uint64_t k;
};

enum { FAULTS_MAX = 5000 };

/* Runs the scenario on a fresh pool with the k-th call failing. Returns whether one has failed. */
static bool run_once(void (*scenario)(struct run *), unsigned kinds, uint64_t k,
                     enum xt_fault_mode mode, size_t workers)
{
    struct filch_pool_config config = {.name = "fault", .workers = workers};
    struct run run = {.k = k};
    filch__task_places_free();
    xt_faults_install();
    if (workers != 0)
        assert_int_equal(filch_pool_create(&run.pool, &config), 0);
    xt_faults_arm(kinds, k, mode);
    scenario(&run);
    bool has_failed = xt_faults_disarm() > 0;
    assert_int_equal(filch_pool_destroy(run.pool), 0);
    filch__task_places_free();
    assert_int_equal(xt_faults_live_blocks(), 0);
    assert_int_equal(xt_faults_live_maps(), 0);
    xt_faults_remove();
    return has_failed;
}

static void sweep(void (*scenario)(struct run *), size_t workers)
{
    static const unsigned kinds[] = {XT_ALLOC, XT_MAP, XT_ADVISE | XT_PROTECT, XT_THREAD,
                                     XT_ALL_FAULTS};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        for (int mode = XT_FAULT_ONCE; mode <= XT_FAULT_ONWARD; mode++) {
            uint64_t k = 1;
            while (run_once(scenario, kinds[i], k, (enum xt_fault_mode)mode, workers))
                assert_true(++k < FAULTS_MAX);
        }
    }
}

/* --- scenarios --- */

static void create_pool(struct run *run)
{
    struct filch_pool *pool = (void *)run;
    struct filch_pool_config config = {.name = "fault", .workers = 3};
    int error = filch_pool_create(&pool, &config);
    xt_expect(error == 0 || error == ENOMEM || error == EAGAIN);
    if (error != 0) {
        xt_expect(pool == (void *)run);
        return;
    }
    uint64_t count = 0;
    error = filch_pool_spawn(pool, NULL, NULL, add_one, &count);
    xt_expect(error == 0 || error == ENOMEM);
    xt_expect_equal(filch_pool_destroy(pool), 0);
    xt_expect_equal(count, error == 0);
}

xt_define(creating_a_pool)
{
    sweep(create_pool, 0);
}

enum { SPAWNS = 600 };

static void spawn_from_outside(struct run *run)
{
    uint64_t count = 0;
    uint64_t accepted = 0;
    struct filch_task_attr attr = {.name = "named"};
    for (int i = 0; i < SPAWNS; i++) {
        struct filch_task *task = NULL;
        bool has_handle = i % 40 == 0;
        int error = filch_pool_spawn(run->pool, has_handle ? &task : NULL,
                                     i % 60 == 0 ? &attr : NULL, add_one, &count);
        xt_expect(error == 0 || error == ENOMEM);
        accepted += error == 0;
        if (error == 0 && has_handle)
            xt_expect_equal(filch_task_join(task), 0);
        xt_expect(error == 0 || task == NULL);
    }
    xt_expect_equal(filch_pool_shutdown(run->pool, FILCH_DRAIN, FILCH_FOREVER), 0);
    xt_expect_equal(count, accepted);
}

xt_define(spawning_from_outside)
{
    sweep(spawn_from_outside, 1);
    sweep(spawn_from_outside, 2);
}

static void spawn_batches(struct run *run)
{
    static void *args[1000];
    uint64_t count = 0;
    uint64_t accepted = 0;
    for (size_t i = 0; i < 1000; i++)
        args[i] = &count;
    for (int i = 0; i < 5; i++) {
        int error = filch_pool_spawn_batch(run->pool, add_one, args, 1000);
        xt_expect(error == 0 || error == ENOMEM);
        accepted += error == 0 ? 1000 : 0;
    }
    xt_expect_equal(filch_pool_shutdown(run->pool, FILCH_DRAIN, FILCH_FOREVER), 0);
    xt_expect_equal(count, accepted);
}

xt_define(spawning_batches)
{
    sweep(spawn_batches, 2);
}

struct inside {
    struct filch_pool *pool;
    uint64_t count;
    uint64_t accepted;
};

static void spawn_inside(void *argument)
{
    struct inside *in = argument;
    for (int i = 0; i < 2000; i++) {
        int error = filch_pool_spawn(in->pool, NULL, NULL, add_one, &in->count);
        xt_expect(error == 0 || error == ENOMEM);
        in->accepted += error == 0;
    }
}

static void install_and_spawn(struct run *run)
{
    struct inside in = {.pool = run->pool};
    int error = filch_pool_install(run->pool, spawn_inside, &in);
    xt_expect(error == 0 || error == ENOMEM);
    xt_expect_equal(filch_pool_shutdown(run->pool, FILCH_DRAIN, FILCH_FOREVER), 0);
    xt_expect_equal(in.count, in.accepted);
}

xt_define(spawning_inside)
{
    sweep(install_and_spawn, 1);
    sweep(install_and_spawn, 2);
}

/* Scopes, joins and loops inside: no wait for anything but their own children. */
static void structured_inside(void *argument)
{
    struct inside *in = argument;
    FILCH_SCOPE (s) {
        for (int i = 0; i < 2000; i++) {
            int error = filch_scope_spawn(s, add_one, &in->count);
            xt_expect(error == 0 || error == ENOMEM);
            in->accepted += error == 0;
        }
    }
    xt_expect_equal(in->count, in->accepted);
    uint64_t sum = 0;
    filch_for(0, 100000, add_range, &sum);
    xt_expect_equal(sum, 100000);
    filch_join(add_one, &sum, add_one, &sum);
    xt_expect_equal(sum, 100002);
}

static void install_structured(struct run *run)
{
    struct inside in = {.pool = run->pool};
    int error = filch_pool_install(run->pool, structured_inside, &in);
    xt_expect(error == 0 || error == ENOMEM);
}

xt_define(scopes_joins_and_loops_inside)
{
    sweep(install_structured, 1);
    sweep(install_structured, 3);
}

/* From outside: the place of a guest may not be had, and the default pool is one. */
static void loop_from_outside(struct run *run)
{
    uint64_t sum = 0;
    struct filch_for_options options = {.pool = run->pool};
    int error = filch_for_with(&options, 0, 100000, add_range, &sum);
    xt_expect(error == 0 || error == ENOMEM);
    xt_expect_equal(sum, error == 0 ? 100000 : 0);
    options.max_workers = 1;
    sum = 0;
    error = filch_for_with(&options, 0, 100000, add_range, &sum);
    xt_expect(error == 0 || error == ENOMEM);
    xt_expect_equal(sum, error == 0 ? 100000 : 0);
}

xt_define(loops_from_outside)
{
    sweep(loop_from_outside, 2);
}

/* Tasks that wait with a deadline, so that a missing stack shows as a time-out and not as a hang:
 * with no stack to be had, what else waits on the worker waits with it. */
static void join_inside(void *argument)
{
    struct inside *in = argument;
    struct filch_task *tasks[8];
    for (int i = 0; i < 8; i++) {
        tasks[i] = NULL;
        int error = filch_pool_spawn(in->pool, &tasks[i], NULL, add_one, &in->count);
        xt_expect(error == 0 || error == ENOMEM);
        in->accepted += error == 0;
    }
    for (int i = 0; i < 8; i++) {
        if (tasks[i] == NULL)
            continue;
        int error = filch_task_join_until(tasks[i], filch_deadline_in(20 * FILCH_MS));
        xt_expect(error == 0 || error == ETIMEDOUT);
        if (error != 0)
            filch_task_detach(tasks[i]);
    }
}

static void wait_inside(struct run *run)
{
    struct inside in = {.pool = run->pool};
    int error = filch_pool_install(run->pool, join_inside, &in);
    xt_expect(error == 0 || error == ENOMEM);
    xt_expect_equal(filch_pool_shutdown(run->pool, FILCH_DRAIN, FILCH_FOREVER), 0);
    xt_expect_equal(in.count, in.accepted);
}

xt_define(waiting_inside)
{
    sweep(wait_inside, 1);
    sweep(wait_inside, 2);
}

static void *add_one_elsewhere(void *argument)
{
    add_one(argument);
    return argument;
}

static void block_inside(void *argument)
{
    struct inside *in = argument;
    for (int i = 0; i < 3; i++)
        xt_expect_equal(filch_blocking(add_one_elsewhere, &in->count, NULL), 0);
    __atomic_fetch_add(&in->accepted, 3, __ATOMIC_RELAXED);
}

/* Without threads, each call runs in its task. */
static void block_in_tasks(struct run *run)
{
    struct inside in = {.pool = run->pool};
    for (int i = 0; i < 4; i++) {
        int error = filch_pool_spawn(run->pool, NULL, NULL, block_inside, &in);
        xt_expect(error == 0 || error == ENOMEM);
    }
    xt_expect_equal(filch_pool_shutdown(run->pool, FILCH_DRAIN, FILCH_FOREVER), 0);
    xt_expect_equal(in.count, in.accepted);
}

xt_define(blocking_inside)
{
    sweep(block_in_tasks, 1);
    sweep(block_in_tasks, 3);
}

/* --- the default pool, in children: it lasts as long as its process --- */

static void scope_body(struct filch_scope *s, void *ctx)
{
    for (int i = 0; i < 500; i++) {
        int error = filch_scope_spawn(s, add_one, ctx);
        xt_expect(error == 0 || error == ENOMEM);
        if (error != 0)
            add_one(ctx);
    }
}

struct child_run {
    unsigned kinds;
    uint64_t k;
    enum xt_fault_mode mode;
};

static void use_default_pool(void *argument)
{
    const struct child_run *c = argument;
    uint64_t count = 0;
    xt_faults_install();
    xt_faults_arm(c->kinds, c->k, c->mode);
    filch_for(0, 10000, add_range, &count);
    xt_expect_equal(count, 10000);
    count = 0;
    filch_join(add_one, &count, add_one, &count);
    xt_expect_equal(count, 2);
    count = 0;
    int error = filch_scope_run(scope_body, &count);
    xt_expect(error == 0 || error == ENOMEM || error == EAGAIN);
    xt_expect_equal(count, error == 0 ? 500 : 0);
    struct filch_pool *pool = NULL;
    error = filch_pool_default(&pool);
    xt_expect(error == 0 || error == ENOMEM || error == EAGAIN);
    bool has_failed = xt_faults_disarm() > 0;
    /* It works again as soon as nothing fails. */
    xt_expect_equal(filch_pool_default(&pool), 0);
    xt_expect_equal(filch_scope_run(scope_body, &count), 0);
    if (!has_failed)
        printf("nothing failed\n");
}

xt_define(the_default_pool)
{
    xt_skip_if_emulated();
    static const unsigned kinds[] = {XT_ALLOC, XT_MAP, XT_THREAD};
    size_t step = XT_ASAN || XT_TSAN || xt_is_emulated() ? 7 : 1;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        for (int mode = XT_FAULT_ONCE; mode <= XT_FAULT_ONWARD; mode++) {
            struct child_run c = {kinds[i], 1, (enum xt_fault_mode)mode};
            for (; c.k < FAULTS_MAX; c.k += step) {
                struct xt_child child;
                xt_run_child(&child, use_default_pool, &c);
                if (child.status != 0)
                    fprintf(stderr, "kind %u, call %ju, mode %d: %s\n", c.kinds, (uintmax_t)c.k,
                            mode, child.output);
                assert_int_equal(child.status, 0);
                if (child.output[0] == 'n')
                    break;
            }
        }
    }
}

/* --- channels --- */

enum { CHANNEL_MESSAGES = 1500 }; /* several blocks */

static void use_channel(size_t capacity)
{
    struct filch_sender *tx = NULL;
    struct filch_receiver *rx = NULL;
    int error = filch_channel_create(&tx, &rx, sizeof(uint64_t), capacity);
    xt_expect(error == 0 || error == ENOMEM);
    if (error != 0) {
        xt_expect(tx == NULL && rx == NULL);
        return;
    }
    uint64_t sent = 0, received = 0, message;
    for (uint64_t i = 0; i < CHANNEL_MESSAGES; i++) {
        error = filch_try_send(tx, &i);
        xt_expect(error == 0 || error == ENOMEM || error == EAGAIN);
        sent += error == 0;
    }
    struct filch_select_case cases[20] = {{.rx = rx, .value = &message}};
    size_t index = 77;
    error = filch_try_select(cases, 20, &index);
    xt_expect(error == 0 || error == ENOMEM || (error == EAGAIN && sent == 0));
    xt_expect_equal(index, error == 0 ? 0 : 77);
    received += error == 0;
    filch_sender_drop(tx);
    FILCH_RECV_EACH(rx, &message)
    received++;
    xt_expect_equal(received, sent);
    filch_receiver_drop(rx);
}

static void use_channels(struct run *run)
{
    (void)run;
    struct filch_receiver *tick = NULL;
    use_channel(0);
    use_channel(3);
    use_channel(FILCH_UNBOUNDED);
    int error = filch_tick(&tick, FILCH_S);
    xt_expect(error == 0 || error == ENOMEM);
    filch_receiver_drop(tick);
}

xt_define(channels)
{
    sweep(use_channels, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        xt_test(the_default_pool),      xt_test(creating_a_pool),
        xt_test(spawning_from_outside), xt_test(spawning_batches),
        xt_test(spawning_inside),       xt_test(scopes_joins_and_loops_inside),
        xt_test(loops_from_outside),    xt_test(waiting_inside),
        xt_test(blocking_inside),       xt_test(channels),
    };
    return xt_run(tests);
}
