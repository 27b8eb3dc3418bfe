/* SPDX-License-Identifier: Apache-2.0 */
#include "filch/cases.h"

#include "growth/growth.h"

#include <filch/filch.h>
#include <stdlib.h>

void filch_case_grain(void *data)
{
    struct grain_data *grain = data;
    FILCH_SCOPE (scope) {
        for (size_t i = 0; i < grain->count; i++) {
            if (filch_scope_spawn(scope, grain_task, &grain->values[i]) != 0)
                abort();
        }
    }
}

static void grain_body(size_t begin, size_t end, void *context)
{
    uint32_t *values = context;
    for (size_t i = begin; i < end; i++)
        grain_task(&values[i]);
}

void filch_case_grain_loop(void *data)
{
    struct grain_data *grain = data;
    filch_for(0, grain->count, grain_body, grain->values);
}

static uint64_t grain_range(uint32_t *values, size_t count);
FILCH_FORKABLE(uint64_t, grain_range, uint32_t *, size_t)

static uint64_t grain_range(uint32_t *values, size_t count)
{
    if (count == 1) {
        grain_task(values);
        return 1;
    }
    FILCH_FORK(left, grain_range, values, count / 2);
    const uint64_t right = grain_range(values + count / 2, count - count / 2);
    return right + FILCH_SYNC(left, grain_range);
}

void filch_case_grain_fork(void *data)
{
    struct grain_data *grain = data;
    grain_range(grain->values, grain->count);
}

static uint64_t one(unsigned level)
{
    (void)level;
    return 1;
}
FILCH_FORKABLE(uint64_t, one, unsigned)

/* A short half is forked at each level, and the call goes deeper. */
static uint64_t deep_call(unsigned level)
{
    if (level == 0)
        return 0;
    FILCH_FORK(side, one, level);
    const uint64_t below = deep_call(level - 1);
    return below + FILCH_SYNC(side, one);
}

static uint64_t deep_fork(unsigned level);
FILCH_FORKABLE(uint64_t, deep_fork, unsigned)

/* What goes deeper is forked at each level, and the call is short. */
static uint64_t deep_fork(unsigned level)
{
    if (level == 0)
        return 0;
    FILCH_FORK(below, deep_fork, level - 1);
    const uint64_t side = one(level);
    const uint64_t sum = FILCH_SYNC(below, deep_fork);
    __asm__ volatile(""); /* after the call, which a compiler would otherwise make a loop */
    return side + sum;
}

static void deep_calls(void *data)
{
    struct depth_data *depth = data;
    for (unsigned i = 0; i < depth->repeats; i++)
        depth->forks += deep_call(depth->depth);
}

static void deep_forks(void *data)
{
    struct depth_data *depth = data;
    for (unsigned i = 0; i < depth->repeats; i++)
        depth->forks += deep_fork(depth->depth);
}

/* On a worker, whose stack can be made as large as the recursion needs. */
void filch_case_depth(void *data)
{
    if (filch_pool_install(NULL, deep_calls, data) != 0)
        abort();
}

void filch_case_depth_forked(void *data)
{
    if (filch_pool_install(NULL, deep_forks, data) != 0)
        abort();
}

static void iterations_body(size_t begin, size_t end, void *context)
{
    iterations_range(context, begin, end);
}

void filch_case_iterations(void *data)
{
    struct iterations_data *loop = data;
    for (size_t i = 0; i < loop->repeats; i++)
        filch_for(0, loop->iterations, iterations_body, loop);
}
