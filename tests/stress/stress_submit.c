/* SPDX-License-Identifier: Apache-2.0 */
/* Threads that submit while another one ends the pool: what was accepted runs or is dropped, exactly
 * once, what was refused does neither, and nobody hangs. */
#include "test.h"

#include "schedule.h"

#include <errno.h>
#include <filch/filch.h>

enum { SUBMITTERS = 3 };

struct round {
    struct filch_pool *pool;
    uint64_t seed; /* const while threads run */
    uint64_t turn;
    uint64_t accepted;
    uint64_t ran;
    uint64_t dropped;
};

static void run(void *argument)
{
    __atomic_fetch_add(&((struct round *)argument)->ran, 1, __ATOMIC_RELAXED);
}

static void drop(void *argument)
{
    __atomic_fetch_add(&((struct round *)argument)->dropped, 1, __ATOMIC_RELAXED);
}

static void accept_one(struct round *r, int error)
{
    xt_expect(error == 0 || error == ESHUTDOWN);
    if (error == 0)
        __atomic_fetch_add(&r->accepted, 1, __ATOMIC_RELAXED);
}

static void run_and_spawn(void *argument)
{
    static const struct filch_task_attr attr = {.drop = drop};
    struct round *r = argument;
    accept_one(r, filch_pool_spawn(r->pool, NULL, &attr, run, r));
    run(r);
}

static void submit_all(struct round *r, uint64_t random)
{
    static const struct filch_task_attr attr = {.drop = drop};
    for (int i = 0; i < 50; i++) {
        struct filch_task *task = NULL;
        int error;
        switch (xt_random(&random) % 4) {
        case 0:
            accept_one(r, filch_pool_spawn(r->pool, NULL, &attr, run, r));
            break;
        case 1:
            accept_one(r, filch_pool_spawn(r->pool, NULL, &attr, run_and_spawn, r));
            break;
        case 2:
            error = filch_pool_spawn(r->pool, &task, &attr, run, r);
            accept_one(r, error);
            if (error == 0) {
                error = filch_task_join(task);
                xt_expect(error == 0 || error == ECANCELED);
            }
            break;
        default:
            error = filch_pool_install(r->pool, run, r);
            xt_expect(error == 0 || error == ECANCELED || error == ESHUTDOWN);
            if (error == 0)
                __atomic_fetch_add(&r->accepted, 1, __ATOMIC_RELAXED);
            break;
        }
    }
}

static void *submit_or_end(void *argument)
{
    struct round *r = argument;
    uint64_t turn = __atomic_fetch_add(&r->turn, 1, __ATOMIC_RELAXED);
    uint64_t random = r->seed + turn;
    if (turn < SUBMITTERS) {
        submit_all(r, random);
        return NULL;
    }
    xt_sleep_ns((int64_t)(xt_random(&random) % 300000));
    enum filch_shutdown how = xt_random(&random) % 2 == 0 ? FILCH_DRAIN : FILCH_CANCEL;
    int error = filch_pool_shutdown(r->pool, how, filch_deadline_in(50 * FILCH_US));
    xt_expect(error == 0 || error == ETIMEDOUT);
    xt_expect_equal(filch_pool_shutdown(r->pool, how, FILCH_FOREVER), 0);
    return NULL;
}

xt_define(submitting_races_with_the_end)
{
    uint64_t random = xt_seed();
    int64_t end = xt_now_ns() + xt_stress_ns(2.0);
    for (unsigned i = 0; i == 0 || xt_now_ns() < end; i++) {
        struct round r = {.seed = xt_random(&random)};
        struct filch_pool_config config = {.name = "submit", .workers = 1 + i % 3};
        xt_watch("a round of submissions", 60);
        assert_int_equal(filch_pool_create(&r.pool, &config), 0);
        schedule_perturb((enum schedule_mode)(i / 3 % SCHEDULE_MODES), xt_random(&random));
        xt_run_threads(SUBMITTERS + 1, submit_or_end, &r, 0);
        assert_int_equal(r.ran + r.dropped, r.accepted);
        assert_int_equal(filch_pool_destroy(r.pool), 0);
    }
    schedule_perturb(SCHEDULE_OFF, 0);
}

/* Pools that are destroyed while their workers are only just starting. */
xt_define(ending_races_with_the_beginning)
{
    uint64_t random = xt_seed();
    int64_t end = xt_now_ns() + xt_stress_ns(1.0);
    for (unsigned i = 0; i == 0 || xt_now_ns() < end; i++) {
        struct round r = {0};
        struct filch_pool_config config = {.name = "brief", .workers = 1 + xt_random(&random) % 8};
        xt_watch("a brief pool", 60);
        assert_int_equal(filch_pool_create(&r.pool, &config), 0);
        for (uint64_t k = xt_random(&random) % 3; k > 0; k--) {
            assert_int_equal(filch_pool_spawn(r.pool, NULL, NULL, run, &r), 0);
            r.accepted++;
        }
        assert_int_equal(filch_pool_destroy(r.pool), 0);
        assert_int_equal(r.ran, r.accepted);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        xt_test(submitting_races_with_the_end),
        xt_test(ending_races_with_the_beginning),
    };
    return xt_run(tests);
}
