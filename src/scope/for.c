/* SPDX-License-Identifier: Apache-2.0 */
/* Loops. A range is halved, the upper half offered to thieves, the lower half done first, down to
 * pieces (leaves) that take some microseconds. How many iterations that is, is measured: each leaf
 * corrects the estimate, and each worker remembers it for the next loop with the same body. Halves
 * that nobody steals cost a few nanoseconds, so there is no other splitting policy: thieves take the
 * largest half that is left, only when they are hungry. */
#include <filch/parallel.h>

#include "idle.h"
#include "pool.h"

#include "base/check.h"

#include <filch/fork.h>

enum {
    /* A leaf: long against a fork, two looks at the clock and what the caches and the pipeline lose where
     * a body begins anew; short against what a user notices. */
    LEAF_NS = 20000,
    /* While a thief has asked for work, a leaf is so many times shorter: the end of a loop is waited for. */
    HUNGRY_PART = 8,
    /* A loop that is expected to take less is done by those who are awake: waking one more takes
     * longer. */
    WAKE_NS = 40000,
    /* A leaf is at most so many times as long as the one before: costs may rise along the range. */
    GROWTH_MAX = 16,
    /* Of loops that are known to be much shorter than a leaf, one in so many is timed: a look at the
     * clock takes as long as many of them. A power of two. */
    TIMED_EVERY = 64,
    SHORT_PART = 8,
    /* The part of a range that is tried first: what is remembered may not hold. */
    TRIED_PART = 8,
    /* Ranges are cut at multiples of this: arrays mostly begin at a cache line, and a body that begins
     * within one crosses a line with every second vector to its end. */
    CUT_UNIT = 64,
    /* Not where it would move the cut by more than one in so many. */
    CUT_PART = 8,
};

/* One loop; in the frame of its caller. */
struct loop {
    filch_for_body *body;
    void *ctx;
    FILCH_SHARED(size_t)
    grain;                   /* iterations of a leaf, as far as known; all who work on it write */
    FILCH_SHARED(int) error; /* why a part of it was not done; 0: all was */
    bool is_timed;           /* const: the grain is found by time */
};

static void run_range(struct loop *loop, size_t begin, size_t end);

FILCH_FORKABLE_VOID(run_range, struct loop *, size_t, size_t)

/* The grain that the latest leaf suggests. */
static size_t grain_after(size_t iterations, int64_t took_ns)
{
    double per_iteration = (double)(took_ns > 0 ? took_ns : 1) / (double)iterations;
    double grain = (double)LEAF_NS / per_iteration;
    double most = (double)iterations * GROWTH_MAX;
    if (grain > most)
        grain = most;
    if (grain > (double)(SIZE_MAX / 2))
        return SIZE_MAX / 2; /* the conversion is defined up to SIZE_MAX only */
    return grain < 1.0 ? 1 : (size_t)grain;
}

/* A loop that was to wake nobody has turned out to be long. */
static FILCH_COLD void speak_up(struct worker *w)
{
    w->keeps_quiet = false;
    filch__idle_wake_one(w->pool);
}

static void run_leaf(struct loop *loop, size_t begin, size_t end)
{
    if (!loop->is_timed) {
        loop->body(begin, end, loop->ctx);
        return;
    }
    int64_t before_ns = filch__os->now_ns();
    loop->body(begin, end, loop->ctx);
    int64_t took_ns = filch__os->now_ns() - before_ns;
    FILCH_STORE_RELAXED(&loop->grain, grain_after(end - begin, took_ns)); /* a hint to the others */
    struct worker *w = filch__worker;
    if (FILCH_UNLIKELY(took_ns > WAKE_NS) && w != NULL && w->keeps_quiet)
        speak_up(w);
}

/* What runs here has been cancelled: whether the loop is to hand out no more ranges. */
static FILCH_COLD bool is_cut_short(struct loop *loop)
{
    int error = filch_canceled();
    if (error != 0)
        FILCH_STORE_RELAXED(&loop->error, error); /* read when everybody has ended */
    return error != 0;
}

static FILCH_ALWAYS_INLINE bool is_over(struct loop *loop)
{
    return FILCH_UNLIKELY(FILCH_LOAD_RELAXED(&filch__cancel_is_used) != 0) /* a hint */ &&
           is_cut_short(loop);
}

/* How many iterations are a leaf now. */
static FILCH_ALWAYS_INLINE size_t leaf_iterations(const struct loop *loop)
{
    size_t grain = FILCH_LOAD_RELAXED(&loop->grain); /* a hint */
    bool is_hungry =
        FILCH_LOAD_RELAXED(&filch__forks->asked) != 0; /* a hint: somebody has no work */
    if (FILCH_UNLIKELY(is_hungry) && loop->is_timed && !filch__worker->keeps_quiet)
        grain /= HUNGRY_PART;
    return grain > 0 ? grain : 1;
}

/* Where to cut a range that begins at `begin`: at `wanted`, or a little below it. */
static FILCH_ALWAYS_INLINE size_t cut_at(const struct loop *loop, size_t begin, size_t wanted)
{
    size_t beyond = wanted % CUT_UNIT;
    /* The user's grain is a minimum. */
    return loop->is_timed && beyond <= (wanted - begin) / CUT_PART ? wanted - beyond : wanted;
}

static void run_range(struct loop *loop, size_t begin, size_t end)
{
    if (is_over(loop))
        return;
    size_t grain = leaf_iterations(loop);
    /* A grain of the user's is a minimum: no half may be shorter. */
    if (end - begin <= grain || (!loop->is_timed && (end - begin) / 2 < grain)) {
        run_leaf(loop, begin, end);
        return;
    }
    size_t middle = cut_at(loop, begin, begin + (end - begin) / 2);
    FILCH__FORK_GUARDED(upper, run_range, loop, middle, end);
    run_range(loop, begin, middle);
    FILCH__SYNC_GUARDED(upper, run_range);
}

/* --- what is remembered of a body --- */

static struct loop_memory *memory_of(struct worker *w, filch_for_body *body)
{
    uint64_t hash = (uint64_t)(uintptr_t)body * UINT64_C(0x9e3779b97f4a7c15);
    return &w->loops[hash >> 59 & (LOOP_MEMORY_ENTRIES - 1)];
}

static void remember(struct worker *w, const struct loop *loop)
{
    struct loop_memory *memory = memory_of(w, loop->body);
    size_t grain = FILCH_LOAD_RELAXED(&loop->grain); /* everybody has ended */
    double measured = (double)LEAF_NS / (double)grain;
    /* A body that was dear is dear until it has been cheap for a while: taking a dear one for cheap
     * costs more than the other way round. */
    bool is_known = memory->body == loop->body;
    double before = is_known ? memory->ns_per_iteration * 0.75 : 0.0;
    memory->body = loop->body;
    memory->ns_per_iteration = measured > before ? measured : before;
    double kept = (double)LEAF_NS / memory->ns_per_iteration;
    memory->grain = kept < 1.0 ? 1 : kept > (double)SIZE_MAX / 2 ? SIZE_MAX / 2 : (size_t)kept;
}

/* Whether the loop is like the last one with this body, as far as can be told: one function may serve
 * many loops, and only its context tells them apart. */
static bool is_like_last(const struct loop_memory *memory, const struct loop *loop, size_t count)
{
    return memory->ctx == loop->ctx && count <= memory->count;
}

/* The part of a range that is tried first. */
static size_t tried_part(size_t count)
{
    size_t part = count / TRIED_PART;
    return part >= CUT_UNIT ? part - part % CUT_UNIT : part > 0 ? part : 1;
}

/* Runs a loop that is known to be short without timing it; but the body may have become dear since. A
 * tick of the coarse clock, which is due every few milliseconds in any case, ends the trust. Returns
 * where to go on: `end`, or after the part that was tried. */
static size_t run_untimed(struct loop_memory *memory, const struct loop *loop, size_t begin,
                          size_t end)
{
    size_t middle = begin + tried_part(end - begin);
    loop->body(begin, middle, loop->ctx);
    int64_t tick_ns = filch__os->coarse_now_ns();
    /* The body may have migrated; then this is another worker's now. */
    if (FILCH_UNLIKELY(tick_ns != FILCH_LOAD_RELAXED(&memory->tick_ns))) { /* a hint */
        FILCH_STORE_RELAXED(&memory->tick_ns, tick_ns);                    /* the same */
        return middle;
    }
    if (middle < end)
        loop->body(middle, end, loop->ctx);
    return end;
}

/* What a loop that is too short for a wake-up changes, however it is left. */
struct quiet {
    bool before;
};

static inline void quiet_end(struct quiet *quiet)
{
    struct worker *w = filch__worker;
    if (w != NULL) /* else a panic has ended the stay of the guest, or this is a forked child */
        w->keeps_quiet = quiet->before;
}

/* Runs a loop, or the rest of one, and finds its grain by time. The body may migrate, so that the worker
 * before is not the one after. */
static __attribute__((noinline)) void run_measured(struct loop *loop, size_t begin, size_t end)
{
    struct worker *w = filch__worker;
    struct loop_memory *memory = memory_of(w, loop->body);
    size_t count = end - begin;
    double expected_ns = (double)WAKE_NS;
    if (memory->body == loop->body) {
        /* What was true of the last loop may not be of this one: the first leaf is a part of it only. */
        size_t tried = tried_part(count);
        loop->grain = memory->grain < tried ? memory->grain : tried;
        expected_ns = (double)LEAF_NS / (double)memory->grain * (double)count;
    }
    {
        struct quiet quiet __attribute__((cleanup(quiet_end), unused)) = {w->keeps_quiet};
        w->keeps_quiet = expected_ns < (double)WAKE_NS;
        if (w->keeps_quiet) {
            /* No fork before it is known that it will be worth one: who is awake would take it. */
            size_t first = FILCH_LOAD_RELAXED(&loop->grain); /* ours alone as yet */
            run_leaf(loop, begin, begin + first);
            begin += first;
        }
        if (begin < end)
            run_range(loop, begin, end);
    }
}

static void run_timed(struct worker *w, struct loop *loop, size_t begin, size_t end)
{
    struct loop_memory *memory = memory_of(w, loop->body);
    size_t count = end - begin;
    if (memory->body == loop->body && is_like_last(memory, loop, count) &&
        count <= memory->grain / SHORT_PART && ++memory->untimed % TIMED_EVERY != 0) {
        begin = run_untimed(memory, loop, begin, end);
        if (FILCH_LIKELY(begin == end))
            return;
    }
    run_measured(loop, begin, end);
    w = filch__worker;
    if (w == NULL)
        return; /* a forked child */
    memory = memory_of(w, loop->body);
    memory->ctx = loop->ctx;
    memory->count = count;
    remember(w, loop);
}

/* The whole loop, on a worker or guest. */
static void run_loop(struct loop *loop, size_t begin, size_t end)
{
    struct worker *w = filch__worker;
    if (is_over(loop))
        return;
    if (loop->is_timed)
        run_timed(w, loop, begin, end);
    else
        run_range(loop, begin, end);
}

/* The stay of a guest for one call. */
struct stay {
    struct worker *guest;         /* NULL: none */
    struct filch_panic *began_in; /* the panic that was under way when it began */
};

/* However the call is left. */
static inline void leave(struct stay *stay)
{
    if (stay->guest == NULL || filch__worker != stay->guest)
        return; /* a forked child is no guest of the parent's pool */
    filch__guest_leave(stay->guest);
    if (FILCH_UNLIKELY(filch__panic_current != stay->began_in))
        filch__fork_settle(filch__panic_current); /* the forks that are older than the loop */
}

/* A loop of a thread that found no place. */
struct installed_loop {
    struct loop *loop;
    size_t begin;
    size_t end;
};

static void run_installed(void *argument)
{
    const struct installed_loop *installed = argument;
    run_loop(installed->loop, installed->begin, installed->end);
}

/* On a worker; where there is no pool, here. */
static FILCH_COLD void run_elsewhere(struct filch_pool *pool, struct loop *loop, size_t begin,
                                     size_t end)
{
    struct installed_loop installed = {loop, begin, end};
    if (pool == NULL || filch_pool_install(pool, run_installed, &installed) != 0)
        loop->body(begin, end, loop->ctx);
}

int filch_for(size_t begin, size_t end, filch_for_body *body, void *ctx)
{
    FILCH_CHECK(body != NULL, "filch_for: the body is NULL");
    if (begin >= end)
        return 0;
    struct loop loop = {.body = body, .ctx = ctx, .grain = 1, .is_timed = true};
    struct filch_pool *pool = NULL;
    struct stay stay __attribute__((cleanup(leave), unused)) = {.guest = NULL};
    if (filch__worker == NULL && filch__pool_resolve(&pool) == 0)
        stay = (struct stay){filch__guest_enter(pool), filch__panic_current};
    if (filch__worker != NULL)
        run_loop(&loop, begin, end);
    else
        run_elsewhere(pool, &loop, begin, end);
    return FILCH_LOAD_RELAXED(&loop.error); /* everybody has ended */
}

/* --- with options --- */

/* A loop for a limited number of workers: each takes the next piece until none is left. */
struct shared_loop {
    struct loop loop;
    size_t end;
    FILCH_SHARED(size_t) next; /* iterations below it have been taken */
};

static void run_shared(struct shared_loop *s)
{
    while (!is_over(&s->loop)) {
        size_t grain = FILCH_LOAD_RELAXED(&s->loop.grain); /* a hint */
        size_t begin = FILCH_LOAD_RELAXED(&s->next);       /* the swap decides */
        size_t end;
        do {
            if (begin >= s->end)
                return;
            end = s->end - begin > grain ? cut_at(&s->loop, begin, begin + grain) : s->end;
        } while (!FILCH_CAS(&s->next, &begin, end, FR_next, relaxed));
        run_leaf(&s->loop, begin, end);
    }
}

static void run_members(struct shared_loop *s, size_t members);

FILCH_FORKABLE_VOID(run_members, struct shared_loop *, size_t)

static void run_members(struct shared_loop *s, size_t members)
{
    if (members == 1) {
        run_shared(s);
        return;
    }
    FILCH__FORK_GUARDED(others, run_members, s, members / 2);
    run_members(s, members - members / 2);
    FILCH__SYNC_GUARDED(others, run_members);
}

struct for_call {
    const struct filch_for_options *options;
    size_t begin;
    size_t end;
    filch_for_body *body;
    void *ctx;
    int error; /* out */
};

/* Runs on a worker or guest of the right pool. */
static void run_call(void *argument)
{
    struct for_call *call = argument;
    size_t most = call->options->max_workers;
    size_t grain = call->options->grain;
    struct loop loop = {.body = call->body,
                        .ctx = call->ctx,
                        .grain = grain == 0 ? 1 : grain,
                        .is_timed = grain == 0};
    if (most == 0 || filch__worker == NULL || most >= filch__worker->pool->width) {
        run_loop(&loop, call->begin, call->end);
        call->error = FILCH_LOAD_RELAXED(&loop.error); /* everybody has ended */
        return;
    }
    struct shared_loop shared = {.loop = loop, .end = call->end, .next = call->begin};
    run_members(&shared, most);
    call->error = FILCH_LOAD_RELAXED(&shared.loop.error); /* everybody has ended */
}

int filch_for_with(const struct filch_for_options *options, size_t begin, size_t end,
                   filch_for_body *body, void *ctx)
{
    static const struct filch_for_options defaults;
    if (body == NULL)
        return EINVAL;
    if (options == NULL)
        options = &defaults;
    struct filch_pool *pool = options->pool;
    if (pool == NULL && filch__worker != NULL)
        pool = filch__worker->pool;
    int error = filch__pool_resolve(&pool);
    if (error != 0 && options->pool != NULL)
        return error;
    if (begin >= end)
        return 0;
    struct for_call call = {options, begin, end, body, ctx, 0};
    if (error != 0) {
        body(begin, end, ctx);
        return 0;
    }
    struct stay stay __attribute__((cleanup(leave), unused)) = {
        filch__worker == NULL ? filch__guest_enter(pool) : NULL, filch__panic_current};
    if (filch__worker == NULL || filch__worker->pool != pool)
        error = filch_pool_install(pool, run_call, &call);
    else
        run_call(&call);
    return error != 0 ? error : call.error;
}
