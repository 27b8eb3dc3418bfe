/* SPDX-License-Identifier: Apache-2.0 */
/* Loops that are shared: each iteration is run once, by the members who come for it, in whatever order they
 * come, and what they did is seen after the loop. Joins have models of their own (forks, slot): here a fork
 * is an offer that another thread accepts, or its owner takes back. */
#include "model.h"

#include <filch/parallel.h>

/* --- stand-ins for the pool --- */

#define FILCH_POOL_POOL_H
#define FILCH_FORK_H

struct filch_pool {
    size_t width;
};
struct forks;
struct worker {
    struct filch_pool *pool;
};

static struct filch_pool pool;
static struct worker worker = {&pool};
static struct worker *filch__worker = &worker;
uint32_t filch__cancel_is_used;

int filch_canceled(void)
{
    return 0;
}

static struct forks *filch__worker_forks(struct worker *w)
{
    (void)w;
    return NULL;
}

static void filch__forks_ask(struct forks *forks)
{
    (void)forks;
}

struct sharing;
static void run_members(struct sharing *s, size_t first, size_t count);

/* A fork of run_members, by the number of its first member. */
enum { MEMBERS_MAX = 4, NONE = 0, OFFERED, ACCEPTED, ENDED };
static struct {
    struct sharing *s;
    size_t count;
    int state; /* atomic */
} offers[MEMBERS_MAX];

static void offer(struct sharing *s, size_t first, size_t count)
{
    offers[first].s = s;
    offers[first].count = count;
    FILCH_STORE(&offers[first].state, OFFERED, TEST_offer, release);
}

static bool change_state(size_t first, int from, int to)
{
    return FILCH_CAS(&offers[first].state, &from, to, TEST_accept, acquire);
}

static void take_back(size_t first)
{
    if (change_state(first, OFFERED, NONE)) {
        run_members(offers[first].s, first, offers[first].count);
        return;
    }
    if (FILCH_LOAD(&offers[first].state, TEST_end, acquire) != ENDED)
        __VERIFIER_assume(0);
}

#define FILCH_FORKABLE_VOID(...)
#define FILCH__FORK_GUARDED(name, fn, s, first, count)                                             \
    const size_t name = (first);                                                                   \
    offer(s, name, count)
#define FILCH__SYNC_GUARDED(name, fn) take_back(name)

#if SCENARIO == 6
#define SHARES_MAX 2
#endif
#include "scope/shares.h"

#include "scope/loop.c"

/* --- the scenarios --- */

#if SCENARIO == 1 /* two members, of whom one comes when it likes */
#define WIDTH 2
#define ITERATIONS 4
#define BODIES comes, calls
#elif SCENARIO == 2 /* more than a leaf is taken, and the rest is put back */
#define WIDTH 2
#define ITERATIONS 8
#define BODIES comes, calls
#elif SCENARIO == 3 /* three */
#define WIDTH 3
#define ITERATIONS 3
#define BODIES comes, comes, calls
#elif SCENARIO == 4 /* members for whom nobody comes */
#define WIDTH 4
#define ITERATIONS 4
#define BODIES comes, calls
#elif SCENARIO == 5 /* a grain that divides nothing */
#define WIDTH 2
#define ITERATIONS 7
#define GRAIN 2
#define BODIES comes, calls
#elif SCENARIO == 6 /* more members than shares: what is put back may find its place taken */
#define WIDTH 3
#define ITERATIONS 7
#define BODIES comes, calls
#endif
#ifndef GRAIN
#define GRAIN 1
#endif

static int runs[ITERATIONS]; /* plain: nobody runs an iteration beside another one */

static void body(size_t begin, size_t end, void *context)
{
    assert(context == runs && begin < end && end <= ITERATIONS);
    for (size_t i = begin; i < end; i++)
        runs[i]++;
}

/* Accepts the first offer that it sees; or there is none, or the owner is first. */
static void *comes(void *unused)
{
    (void)unused;
    for (size_t first = 1; first < WIDTH; first++) {
        if (!change_state(first, OFFERED, ACCEPTED))
            continue;
        run_members(offers[first].s, first, offers[first].count);
        FILCH_STORE(&offers[first].state, ENDED, TEST_end, release);
        break;
    }
    return NULL;
}

static void *calls(void *unused)
{
    (void)unused;
    struct loop loop = {.body = body, .ctx = runs, .grain = GRAIN, .first_grain = GRAIN};
    loop.most = WIDTH;
    filch__loop_share(&loop, 0, ITERATIONS);
    for (int i = 0; i < ITERATIONS; i++)
        assert(runs[i] == 1);
    return NULL;
}

int main(void)
{
    pool.width = WIDTH;
    MODEL_RUN(BODIES);
    return 0;
}
