/* SPDX-License-Identifier: Apache-2.0 */
/* What the models of channels share: all of their sources, and stand-ins for the internal lock and for the
 * waiter that is a thread, which have models of their own. */
#ifndef FILCH_MODEL_CHAN_H
#define FILCH_MODEL_CHAN_H

#include "brief.h"
#include "model.h"

#include "base/atomic.h"

#include <sys/mman.h>

/* --- the lock: a thread that does not get it is not followed; another one is, that comes later --- */

#include "park/lock.h"

void filch__lock(struct lock *l)
{
    uint32_t seen = 0;
    __VERIFIER_assume(
        __atomic_compare_exchange_n(&l->word, &seen, 1, 0, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED));
}

void filch__unlock(struct lock *l)
{
    __atomic_store_n(&l->word, 0, __ATOMIC_RELEASE);
}

/* --- the waiter: asleep is who looks at its state and finds it unchanged for ever --- */

#include "park/park.h"

static int chan_suspend(struct waiter *w, int64_t deadline_ns)
{
    if (deadline_ns != FILCH_FOREVER && __atomic_load_n(&model_late, __ATOMIC_RELAXED) &&
        __atomic_load_n(&w->state, __ATOMIC_ACQUIRE) != WAITER_WOKEN)
        return ETIMEDOUT;
    while (__atomic_load_n(&w->state, __ATOMIC_ACQUIRE) != WAITER_WOKEN) {
    }
    return 0;
}

static void chan_wake(struct waiter *w)
{
    assert(__atomic_exchange_n(&w->state, WAITER_WOKEN, __ATOMIC_ACQ_REL) != WAITER_WOKEN);
}

const struct waiter_ops filch__waiter_thread_ops = {.suspend = chan_suspend, .wake = chan_wake};

/* The same, of parties that do for each other what they are woken for, as tasks do. */
static const struct waiter_ops chan_task_ops = {.suspend = chan_suspend, .wake = chan_wake};

#include "park/park.c"

/* Nothing is done between two looks of one that waits for another's few instructions. */
void filch__spin_on(int step)
{
    (void)step;
}

/* --- memory --- */

static void chan_free(void *memory);

/* Pages are zeros. */

static void *chan_map(size_t size_bytes)
{
    return filch__os_alloc_zeroed(1, size_bytes, 0);
}

static int chan_unmap(void *pages, size_t size_bytes)
{
    (void)size_bytes;
    free(pages);
    return 0;
}

static int chan_advise(void *pages, size_t size_bytes, int advice)
{
    (void)pages;
    (void)size_bytes;
    (void)advice;
    return 0;
}

#ifdef WITHOUT_BARRIER
static int chan_barrier_ready(void)
{
    return ENOSYS;
}
#else
static int chan_barrier_ready(void)
{
    return 0;
}
#endif

static const struct os_table chan_os = {
    .alloc = model_alloc,
    .free = chan_free,
    .map = chan_map,
    .unmap = chan_unmap,
    .advise = chan_advise,
    .now_ns = model_now_ns,
    .barrier = model_barrier,
    .barrier_ready = chan_barrier_ready,
};

/* --- the sources --- */

enum { BLOCK_SLOTS = 2, EXTENT_BLOCKS_FIRST = 2, EXTENT_BYTES_MAX = 1 << 12, IDLE_EXTENTS_MAX = 1 };
#ifndef UNPACKED
#define UNPACKED 0
#endif
#define shape_blocks(l, size)                                                                      \
    ((l)->block_slots = BLOCK_SLOTS, (l)->places.size_bytes = (size),                              \
     (l)->places.is_packed = !UNPACKED,                                                            \
     (l)->block_bytes = BLOCK_HEADER_BYTES + BLOCK_SLOTS * 2 * sizeof(uint64_t))

/* Whoever loses against others tries again, which is followed only so far. */
#ifndef ROUNDS
#define ROUNDS MODEL_ROUNDS
#endif
/* clang-format off */
#define while(condition)                                                                           \
    for (int round = 0; (condition) && (__VERIFIER_assume(round++ < ROUNDS), 1);)
/* clang-format on */

/* The checker does not get unions right. */
#define union struct
#include "chan/channel.h"
#undef union

/* Nor fields of different sizes in memory that was zeroed word by word. */
enum { CHANNELS_MAX = 2, EXTENTS_MAX = 3 };
static struct channel channels[CHANNELS_MAX];
static struct extent extents[EXTENTS_MAX];
static int channel_count, extent_count;
static int freed_count;

static void *chan_alloc_zeroed(size_t size_bytes)
{
    if (size_bytes == sizeof(struct channel)) {
        assert(channel_count < CHANNELS_MAX);
        return &channels[channel_count++];
    }
    assert(size_bytes == sizeof(struct extent));
    int mine = __atomic_fetch_add(&extent_count, 1, __ATOMIC_RELAXED);
    assert(mine < EXTENTS_MAX);
    return &extents[mine];
}
#define filch__os_alloc_zeroed(count, size_bytes, align_bytes) chan_alloc_zeroed(size_bytes)

#include "chan/alone.c"
#include "chan/biased.c"
#include "chan/bounded.c"
#include "chan/channel.c"
#include "chan/choice.c"
#include "chan/handoff.c"
#include "chan/op.c"
#include "chan/tasks.c"
#include "chan/timed.c"
#include "chan/transfer.c"
#include "chan/unbounded.c"
#include "chan/wait.c"
#undef while

static void chan_free(void *memory)
{
    if (memory >= (void *)channels && memory < (void *)(channels + CHANNELS_MAX))
        freed_count++;
    else if (memory < (void *)extents || memory >= (void *)(extents + EXTENTS_MAX))
        free(memory);
}

static struct filch_sender *tx;
static struct filch_receiver *rx;

static void make(size_t capacity, void (*drop)(void *))
{
    struct filch_channel_config config = {
        .element_size = sizeof(uint64_t), .capacity = capacity, .drop = drop};
    filch__os = &chan_os;
#ifdef HELPS
    filch__waiter_kind.ops = &chan_task_ops; /* to the checker, of all threads */
#endif
    int error = filch_channel_create_with(&tx, &rx, &config);
    assert(error == 0);
    struct channel *c = filch__sender_channel(tx);
    c->size_bytes += UNPACKED; /* then what is compiled for words leaves them alone */
#ifndef ALONE                  /* which has a model of its own (alone) */
    c->ring.tail.alone.owner = c->ring.head.alone.owner = ALONE_SHARED;
    c->list.tail.alone.owner = c->list.head.alone.owner = ALONE_SHARED;
#endif
}

#endif
