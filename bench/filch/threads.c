/* SPDX-License-Identifier: Apache-2.0 */
#include "filch/cases.h"

#include "threads/threads.h"

#include <filch/filch.h>
#include <stdbool.h>
#include <stdlib.h>

static void *count_one(void *argument)
{
    ++((struct threads_data *)argument)->done;
    return NULL;
}

void filch_case_thread_spawn(void *data)
{
    const struct threads_data *work = data;
    for (uint64_t i = 0; i < work->count; i++) {
        struct filch_thread *thread;
        if (filch_thread_spawn(&thread, NULL, count_one, data) != 0 ||
            filch_thread_join(thread, NULL, NULL) != 0)
            abort();
    }
}

void filch_case_park(void *data)
{
    struct threads_data *work = data;
    struct filch_thread *self = filch_thread_current();
    for (uint64_t i = 0; i < work->count; i++) {
        filch_thread_unpark(self);
        filch_thread_park();
        work->done++;
    }
}

struct turns {
    struct threads_data *work;
    struct filch_thread *caller;
    bool is_thread_turn;
};

static void hand_over(struct turns *turns, struct filch_thread *other, bool is_thread)
{
    while (__atomic_load_n(&turns->is_thread_turn, __ATOMIC_ACQUIRE) != is_thread)
        filch_thread_park();
    turns->work->done++;
    __atomic_store_n(&turns->is_thread_turn, !is_thread, __ATOMIC_RELEASE);
    filch_thread_unpark(other);
}

static void *take_turns(void *argument)
{
    struct turns *turns = argument;
    for (uint64_t i = 0; i < turns->work->count; i++)
        hand_over(turns, turns->caller, true);
    return NULL;
}

void filch_case_park_pair(void *data)
{
    struct turns turns = {data, filch_thread_current(), false};
    struct filch_thread *thread;
    if (filch_thread_spawn(&thread, NULL, take_turns, &turns) != 0)
        abort();
    struct filch_thread *other = filch_thread_clone(thread);
    for (uint64_t i = 0; i < turns.work->count; i++)
        hand_over(&turns, other, false);
    filch_thread_drop(other);
    if (filch_thread_join(thread, NULL, NULL) != 0)
        abort();
}

static void clone_and_drop(uint64_t count, uint64_t *value)
{
    for (uint64_t i = 0; i < count; i++) {
        uint64_t *volatile mine = FILCH_ARC_CLONE(value);
        filch_arc_drop(mine);
    }
}

static uint64_t *make_value(void)
{
    uint64_t *value;
    if (FILCH_ARC_CREATE(&value, NULL) != 0)
        abort();
    return value;
}

/* Every clone has been dropped if one reference is left. */
static void finish(struct threads_data *work, uint64_t *value, uint64_t threads)
{
    work->done = filch_arc_strong_count(value) == 1 ? threads * work->count : 0;
    filch_arc_drop(value);
}

void filch_case_arc(void *data)
{
    struct threads_data *work = data;
    uint64_t *value = make_value();
    clone_and_drop(work->count, value);
    finish(work, value, 1);
}

struct share {
    uint64_t count;
    uint64_t *value;
};

static void *clone_and_drop_there(void *argument)
{
    const struct share *share = argument;
    clone_and_drop(share->count, share->value);
    return NULL;
}

void filch_case_arc_2(void *data)
{
    struct threads_data *work = data;
    struct share share = {work->count, make_value()};
    struct filch_thread *thread;
    if (filch_thread_spawn(&thread, NULL, clone_and_drop_there, &share) != 0)
        abort();
    clone_and_drop(work->count, share.value);
    if (filch_thread_join(thread, NULL, NULL) != 0)
        abort();
    finish(work, share.value, 2);
}
