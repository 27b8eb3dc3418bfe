/* SPDX-License-Identifier: Apache-2.0 */
/* The same test in several worlds: between OS threads, between tasks on 1, 2 and 8 workers, and mixed.
 *
 *     static void body(struct world *world) { ... }
 *     xt_define(a_behaviour) { in_all_worlds(body); }
 *
 * The body is a thread or a task of its world, and so are the jobs that it starts. It records failures
 * with xt_expect, and never blocks its thread by other means than the library's. */
#ifndef FILCH_TEST_WORLDS_H
#define FILCH_TEST_WORLDS_H

#include "test.h"

#include "chan/channel.h"

#include <filch/filch.h>
#include <stdio.h>
#include <stdlib.h>

struct world {
    const char *name;
    size_t workers; /* 0: threads only */
    bool is_mixed;  /* every other job is a thread */
    struct filch_pool *pool;
    struct filch_receiver *never;
    void (*body)(struct world *);
    unsigned jobs;
};

struct job {
    void (*fn)(void *);
    void *arg;
    bool is_thread;
    pthread_t thread;
    struct filch_task *task;
};

static void *run_job(void *argument)
{
    struct job *job = argument;
    job->fn(job->arg);
    return NULL;
}

static inline void job_start(struct world *world, struct job *job, void (*fn)(void *), void *arg)
{
    *job = (struct job){.fn = fn, .arg = arg};
    job->is_thread = world->workers == 0 || (world->is_mixed && world->jobs++ % 2 == 0);
    int error = job->is_thread ? pthread_create(&job->thread, NULL, run_job, job)
                               : filch_pool_spawn(world->pool, &job->task, NULL, fn, arg);
    xt_expect_equal(error, 0);
    if (error != 0)
        abort();
}

static inline void job_join(struct job *job)
{
    int error = job->is_thread ? pthread_join(job->thread, NULL) : filch_task_join(job->task);
    xt_expect_equal(error, 0);
}

/* Lets others run, whoever we are. */
static inline void nap(struct world *world)
{
    int64_t moment;
    xt_expect_equal(filch_recv_until(world->never, &moment, filch_deadline_in(20 * FILCH_US)),
                    ETIMEDOUT);
}

/* Until `count` wait on that side of a channel. */
static inline void until_waiting(struct world *world, struct channel *c, enum side side,
                                 uint32_t count)
{
    while (filch__waits_word(&c->waits, side) / WAITS_ONE < count)
        nap(world);
}

static inline void until_receivers_wait(struct world *world, struct filch_sender *tx,
                                        uint32_t count)
{
    until_waiting(world, filch__sender_channel(tx), RECEIVERS, count);
}

static inline void until_senders_wait(struct world *world, struct filch_receiver *rx,
                                      uint32_t count)
{
    until_waiting(world, filch__receiver_channel(rx), SENDERS, count);
}

static void run_body(void *argument)
{
    struct world *world = argument;
    world->body(world);
}

static inline void in_all_worlds(void (*body)(struct world *))
{
    static const struct world worlds[] = {
        {.name = "threads"},
        {.name = "1 worker", .workers = 1},
        {.name = "2 workers", .workers = 2},
        {.name = "8 workers", .workers = 8},
        {.name = "mixed", .workers = 2, .is_mixed = true},
    };
    for (size_t i = 0; i < sizeof worlds / sizeof worlds[0]; i++) {
        struct world world = worlds[i];
        world.body = body;
        assert_int_equal(filch_never(&world.never), 0);
        if (world.workers == 0) {
            body(&world);
        } else {
            struct filch_pool_config config = {.workers = world.workers};
            assert_int_equal(filch_pool_create(&world.pool, &config), 0);
            assert_int_equal(filch_pool_install(world.pool, run_body, &world), 0);
            assert_int_equal(filch_pool_destroy(world.pool), 0);
        }
        filch_receiver_drop(world.never);
        unsigned failures = xt_take_failures();
        if (failures != 0)
            print_error("in the world of %s\n", world.name);
        assert_int_equal(failures, 0);
    }
}

/* Capacities: one of each flavour, and the small ones that are special. */
static const size_t capacities[] = {0, 1, 2, 3, 64, FILCH_UNBOUNDED};
enum { CAPACITIES = sizeof capacities / sizeof capacities[0] };

#endif
