/* SPDX-License-Identifier: Apache-2.0 */
/* Loops: what is remembered of their bodies, and whether it pays to share one. */
#include "idle.h"
#include "loop.h"
#include "pool.h"

#include "base/check.h"
#include "base/section.h"

enum {
    /* A leaf is one part of so many of what a loop is expected to take, since the last one is waited for; but
     * no less than this. */
    LEAVES = 32,
    LEAF_LEAST_NS = 4000,
    /* What is left of a loop and is expected to take less is not worth waking anybody; and this is the
     * same where somebody is awake without work. */
    WAKE_NS = 40000,
    SHARE_NS = 10000,
    /* Of loops that are known to be much shorter than a leaf, one in so many is timed: a look at the
     * clock takes as long as many of them. A power of two. */
    TIMED_EVERY = 64,
    SHORT_PART = 8,
    /* The part of a range that is tried first: what is remembered may not hold. */
    TRIED_PART = 8,
    /* Waking another one takes the caller tens of microseconds, before which it has begun: with one iteration of
     * a loop that has so many (or, where nothing is known of them, so many for each worker), and where they are
     * expected to take no longer than this. More than one could be much of the loop: the first ones may be by
     * far the longest. */
    BEGUN_OF = 64,
    BEGUN_OF_UNKNOWN = 256,
    BEGUN_NS = 10000,
};

/* --- what is remembered of a body --- */

static struct loop_memory *memory_of(struct worker *w, filch_for_body *body)
{
    uint64_t hash = (uint64_t)(uintptr_t)body * UINT64_C(0x9e3779b97f4a7c15);
    return &w->loops[hash >> 59 & (LOOP_MEMORY_ENTRIES - 1)];
}

static void remember(struct worker *w, const struct loop *loop)
{
    struct loop_memory *memory = memory_of(w, loop->body);
    size_t done = FILCH_LOAD_RELAXED(&loop->done); /* everybody has ended */
    int64_t took_ns = FILCH_LOAD_RELAXED(&loop->took_ns);
    if (done == 0)
        return;
    double measured = (double)(took_ns > 0 ? took_ns : 1) / (double)done;
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

/* Whether it pays to share what is left. */
FILCH_WAKE_PATH static bool is_worth_sharing(const struct loop *loop, double expected_ns)
{
    const struct filch_pool *pool = filch__worker->pool;
    if (loop->most == 1 || pool->width == 1)
        return false;
    if (expected_ns >= (double)WAKE_NS)
        return true;
    uint64_t idle = FILCH_LOAD_RELAXED(&pool->idle.word); /* a hint */
    return expected_ns >= (double)SHARE_NS && filch__idle_searching(idle) > 0;
}

/* Whether the caller runs an iteration before it wakes anybody.
 *   ns_per_iteration  0: unknown */
static bool is_begun_alone(size_t count, double ns_per_iteration)
{
    const struct filch_pool *pool = filch__worker->pool;
    uint64_t idle = FILCH_LOAD_RELAXED(&pool->idle.word); /* a hint */
    if (filch__idle_searching(idle) > 0)
        return false;
    return ns_per_iteration == 0 ? count / pool->width >= BEGUN_OF_UNKNOWN
                                 : count >= BEGUN_OF && ns_per_iteration <= (double)BEGUN_NS;
}

/* Says whether the thread's next loop with this body is to begin before the thread enters (begin_outside): where
 * this one has found everybody asleep, that one will.
 *   begins_alone      as above
 *   ns_per_iteration  0: unknown */
static void foresee(const struct loop *loop, bool begins_alone, double ns_per_iteration)
{
    struct worker *w = filch__worker;
    if (!begins_alone) {
        if (loop->is_begun)
            filch__outsider.early.body = NULL;
    } else if (ns_per_iteration > 0 && w->is_guest && w->pool->is_default) {
        /* The default pool, which stays. So many iterations that it will be worth sharing, too. */
        double least = (double)WAKE_NS / ns_per_iteration;
        filch__outsider.early.body = loop->body;
        filch__outsider.early.least = least < (double)BEGUN_OF ? BEGUN_OF : (size_t)least + 1;
        filch__outsider.early.place = w;
    }
}

/* What a leaf of a loop that is expected to take so long is to take. */
static double leaf_ns_of(double expected_ns)
{
    double leaf_ns = expected_ns / LEAVES;
    if (expected_ns < (double)WAKE_NS)
        return (double)LEAF_NS;
    return leaf_ns > (double)LEAF_MOST_NS    ? (double)LEAF_MOST_NS
           : leaf_ns > (double)LEAF_LEAST_NS ? leaf_ns
                                             : (double)LEAF_LEAST_NS;
}

/* Runs a loop, or the rest of one, and finds its grain by time. The body may migrate, so that the worker
 * before is not the one after. */
FILCH_WAKE_PATH static __attribute__((noinline)) void run_measured(struct loop *loop, size_t begin,
                                                                   size_t end)
{
    filch__loop_unmeasured(loop);
    if (filch__worker == NULL) { /* a child that the part before has forked */
        loop->body(begin, end, loop->ctx);
        return;
    }
    const struct loop_memory *memory = memory_of(filch__worker, loop->body);
    double expected_ns = (double)WAKE_NS; /* of one that is not known: it may be anything */
    double ns_per_iteration = 0;
    if (memory->body == loop->body) {
        ns_per_iteration = memory->ns_per_iteration;
        expected_ns = memory->ns_per_iteration * (double)(end - begin);
        loop->leaf_ns = leaf_ns_of(expected_ns);
        /* What was true of the last loop may not be of this one: the first leaf is a part of it only. */
        size_t tried = tried_part(end - begin);
        size_t grain = (size_t)((double)memory->grain * loop->leaf_ns / (double)LEAF_NS);
        loop->grain = grain > tried ? tried : grain > 0 ? grain : 1;
    }
    /* Of an iteration that has been done, nobody knows how long it took. */
    loop->first_grain = loop->is_begun ? 1 : loop->grain;
    bool begins_alone = is_worth_sharing(loop, expected_ns) &&
                        is_begun_alone(end - begin + loop->is_begun, ns_per_iteration);
    foresee(loop, begins_alone, ns_per_iteration);
    if (begins_alone && !loop->is_begun) {
        /* What it says of the next ones is more than the mean of all does where it says that they are dear. */
        FILCH_SHARED(size_t) grain = loop->grain;
        loop->took_ns += filch__loop_leaf(loop, begin, begin + 1, &grain); /* ours alone as yet */
        loop->done++;                                                      /* the same */
        begin++;
        loop->first_grain = FILCH_LOAD_RELAXED(&grain); /* the same */
    }
    /* No fork before it is known that it will be worth one: who is awake would take it. */
    while (begin < end && !filch__loop_is_over(loop)) {
        if (filch__worker != NULL && is_worth_sharing(loop, expected_ns)) {
            filch__loop_share(loop, begin, end);
            return;
        }
        size_t next = loop->grain < end - begin ? begin + loop->grain : end;
        int64_t took_ns = filch__loop_leaf(loop, begin, next, &loop->grain);
        loop->done += next - begin; /* ours alone as yet */
        loop->took_ns += took_ns;
        expected_ns = (double)took_ns / (double)(next - begin) * (double)(end - next);
        begin = next;
    }
}

FILCH_WAKE_PATH static void run_timed(struct worker *w, struct loop *loop, size_t begin, size_t end)
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
FILCH_WAKE_PATH static void run_loop(struct loop *loop, size_t begin, size_t end)
{
    struct worker *w = filch__worker;
    if (filch__loop_is_over(loop))
        return;
    if (loop->is_timed)
        run_timed(w, loop, begin, end);
    else
        filch__loop_share(loop, begin, end);
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

/* All but what is needed to share or measure it: most loops are too short to be measured. */
static FILCH_ALWAYS_INLINE void loop_init(struct loop *loop, filch_for_body *body, void *ctx,
                                          size_t grain, bool is_timed, size_t most)
{
    loop->body = body;
    loop->ctx = ctx;
    loop->grain = grain;
    loop->is_timed = is_timed;
    loop->is_begun = false;
    loop->leaf_ns = (double)LEAF_NS;
    loop->most = most;
    loop->error = 0;
}

/* The loop of filch_for, or what is left of it.
 *   is_begun  an iteration has been done */
static FILCH_ALWAYS_INLINE int run_for(size_t begin, size_t end, filch_for_body *body, void *ctx,
                                       bool is_begun)
{
    struct loop loop;
    loop_init(&loop, body, ctx, 1, true, SIZE_MAX);
    loop.is_begun = is_begun;
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

/* However the loop is left. */
static void let_go(struct worker **held)
{
    if (*held != NULL && filch__guest_holds(*held))
        filch__guest_let_go(*held);
}

/* Apart from what runs before the first iteration, which so is on few lines. */
FILCH_WAKE_PATH static __attribute__((noinline)) int
go_on(size_t begin, size_t end, filch_for_body *body, void *ctx, bool is_begun)
{
    return run_for(begin, end, body, ctx, is_begun);
}

/* Does the first iteration, then enters and goes on. Aligned so that it lies on the page of filch_for, which
 * is next to it. */
FILCH_WAKE_PATH static __attribute__((noinline, aligned(512))) int
begin_outside(size_t begin, size_t end, filch_for_body *body, void *ctx)
{
    struct worker *held __attribute__((cleanup(let_go))) = NULL;
    if (FILCH_UNLIKELY(!filch__guest_hold(filch__outsider.early.place)))
        return go_on(begin, end, body, ctx, false);
    held = filch__outsider.held;
    body(begin, begin + 1, ctx);
    if (FILCH_LIKELY(filch__guest_holds(held)))
        return go_on(begin + 1, end, body, ctx, true);
    body(begin + 1, end, ctx); /* a child that the first one has forked */
    return 0;
}

FILCH_WAKE_PATH int filch_for(size_t begin, size_t end, filch_for_body *body, void *ctx)
{
    FILCH_CHECK(body != NULL, "filch_for: the body is NULL");
    if (begin >= end)
        return 0;
    /* Said to be likely since what lies next is what has to be read where nothing is in a cache. */
    if (FILCH_LIKELY(filch__worker == NULL) && FILCH_LIKELY(filch__outsider.early.body == body) &&
        FILCH_LIKELY(end - begin >= filch__outsider.early.least))
        return begin_outside(begin, end, body, ctx);
    return run_for(begin, end, body, ctx, false);
}

/* --- with options --- */

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
    struct loop loop;
    loop_init(&loop, call->body, call->ctx, grain == 0 ? 1 : grain, grain == 0,
              most == 0 ? SIZE_MAX : most);
    loop.first_grain = loop.grain;
    filch__loop_unmeasured(&loop);
    run_loop(&loop, call->begin, call->end);
    call->error = FILCH_LOAD_RELAXED(&loop.error); /* everybody has ended */
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
