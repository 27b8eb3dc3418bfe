/* SPDX-License-Identifier: Apache-2.0 */
#include "loop.h"

#include "pool.h"
#include "shares.h"

#include "base/section.h"

#include <filch/fork.h>

enum {
    /* A leaf is at most so many times as long as the one before: costs may rise along the range. */
    GROWTH_MAX = 16,
    /* The last leaves of a share are shorter, so that others find something of it; down to this part, or so
     * long where that is less. */
    LAST_PART = 8,
    LAST_NS = LEAF_NS / LAST_PART,
    /* A range is not cut at a multiple of CUT_UNIT where that would move the cut by more than one in so
     * many. */
    CUT_PART = 8,
};

#ifndef SHARES_MAX
/* More members use them by turns. A model has fewer. */
enum { SHARES_MAX = 64 };
#endif

/* The grain that the latest leaf suggests.
 *   before  what it was: a leaf may have been shorter than that, since little was left */
static size_t grain_after(const struct loop *loop, size_t before, size_t iterations,
                          int64_t took_ns)
{
    double per_iteration = (double)(took_ns > 0 ? took_ns : 1) / (double)iterations;
    double grain = loop->leaf_ns / per_iteration;
    double most = (double)iterations * GROWTH_MAX;
    if (most < (double)before)
        most = (double)before;
    if (grain > most)
        grain = most;
    if (grain > (double)(SIZE_MAX / 2))
        return SIZE_MAX / 2; /* the conversion is defined up to SIZE_MAX only */
    return grain < 1.0 ? 1 : (size_t)grain;
}

FILCH_COLD bool filch__loop_look(struct loop *loop)
{
    int error = filch_canceled();
    if (error != 0)
        FILCH_STORE_RELAXED(&loop->error, error); /* read when everybody has ended */
    return error != 0;
}

FILCH_WAKE_PATH int64_t filch__loop_leaf(const struct loop *loop, size_t begin, size_t end,
                                         FILCH_SHARED(size_t) * grain)
{
    if (!loop->is_timed) {
        loop->body(begin, end, loop->ctx);
        return 0;
    }
    int64_t before_ns = filch__os->now_ns();
    loop->body(begin, end, loop->ctx);
    int64_t took_ns = filch__os->now_ns() - before_ns;
    size_t before = FILCH_LOAD_RELAXED(grain); /* a hint */
    FILCH_STORE_RELAXED(grain,                 /* a hint to those of the same share */
                        grain_after(loop, before, end - begin, took_ns));
    return took_ns;
}

/* --- a loop that is shared --- */

/* All but the shares and is_left is const; in the frame of filch__loop_share. */
struct sharing {
    struct loop *loop;
    size_t begin;
    size_t end;
    size_t unit;  /* iterations that a number of a share stands for; > 1 where they are too many */
    size_t units; /* how many such numbers there are; the last one may stand for fewer */
    size_t last_part; /* the last leaves are no less than this part of one */
    size_t share_count;
    FILCH_SHARED(bool) is_left; /* by a panic: nobody begins another leaf */
    struct share shares[SHARES_MAX];
};

/* Where to end a leaf that begins at `begin`: at `wanted`, or a little below it. */
static FILCH_ALWAYS_INLINE size_t cut_at(const struct loop *loop, size_t begin, size_t wanted)
{
    size_t beyond = wanted % CUT_UNIT;
    /* The user's grain is a minimum. */
    return loop->is_timed && beyond <= (wanted - begin) / CUT_PART ? wanted - beyond : wanted;
}

/* How many numbers so many iterations are, at least 1. */
static size_t numbers_of(const struct sharing *s, size_t iterations)
{
    return iterations / s->unit + (iterations % s->unit != 0);
}

/* How many iterations a leaf of that share has, at least 1. */
static size_t grain_of(const struct share *share)
{
    return FILCH_LOAD_RELAXED(&share->grain); /* a hint */
}

/* How many numbers the next leaf has, of a share with that range. */
static uint32_t leaf_of(const struct sharing *s, size_t iterations, uint64_t range)
{
    size_t left = filch__share_left(range);
    size_t grain = numbers_of(s, iterations);
    if (left / 2 < grain) {
        size_t least = s->loop->is_timed ? grain / s->last_part : left;
        grain = left / 2 > least ? left / 2 : least + 1;
    }
    if (grain >= left)
        return (uint32_t)left;
    if (s->unit > 1)
        return (uint32_t)grain;
    size_t begin = s->begin + filch__share_next(range);
    return (uint32_t)(cut_at(s->loop, begin, begin + grain) - begin);
}

/* How many numbers a thief takes of a share with that range: half of them, or all that is no more than a
 * leaf. */
static uint32_t loot_of(const struct sharing *s, size_t iterations, uint64_t range)
{
    size_t left = filch__share_left(range);
    size_t grain = numbers_of(s, iterations);
    size_t least = s->loop->is_timed ? grain / s->last_part : grain;
    if (left / 2 <= least)
        return (uint32_t)left;
    size_t begin = s->begin + filch__share_next(range);
    size_t kept = left - left / 2;
    return (uint32_t)(s->unit > 1 ? left / 2
                                  : left - (cut_at(s->loop, begin, begin + kept) - begin));
}

/* Puts a range into any share that is empty, if possible that of the member itself. */
static bool put_range(struct sharing *s, size_t own, uint64_t range)
{
    for (size_t i = 0; i < s->share_count; i++) {
        if (filch__share_put(&s->shares[(own + i) % s->share_count], range))
            return true;
    }
    return false;
}

/* Takes the next leaf of the share. */
static bool take_leaf(struct sharing *s, size_t own, uint64_t *leaf)
{
    struct share *share = &s->shares[own];
    uint64_t seen = FILCH_LOAD_RELAXED(&share->range); /* the swap decides */
    uint32_t count;
    do {
        count = leaf_of(s, grain_of(share), seen);
        if (count == 0)
            return false;
    } while (!filch__share_take(share, &seen, count));
    *leaf = filch__share_word(filch__share_next(seen), filch__share_next(seen) + count);
    return true;
}

/* The grain for what a member takes from another one's share: what was cheap where it comes from may be dear
 * there, and a leaf is not shared any more. */
static size_t lesser_grain(const struct sharing *s, size_t own, const struct share *other)
{
    size_t grain = grain_of(&s->shares[own]);
    size_t others = s->loop->is_timed ? grain_of(other) : grain;
    return others < grain ? others : grain;
}

/* Takes a leaf from another member's rest, and puts the rest of the loot into the own share. */
static bool steal_leaf(struct sharing *s, size_t own, uint64_t *leaf)
{
    for (size_t i = 1; i < s->share_count; i++) {
        struct share *share = &s->shares[(own + i) % s->share_count];
        uint64_t seen = FILCH_LOAD_RELAXED(&share->range); /* the swap decides */
        size_t grain;
        uint32_t count;
        do {
            grain = lesser_grain(s, own, share);
            count = loot_of(s, grain, seen);
        } while (count > 0 && !filch__share_steal(share, &seen, count));
        if (count == 0)
            continue;
        if (s->loop->is_timed)
            FILCH_STORE_RELAXED(&s->shares[own].grain, grain); /* a hint */
        uint32_t end = filch__share_end(seen);
        uint32_t begin = end - count;
        uint32_t middle = begin + leaf_of(s, grain, filch__share_word(begin, end));
        if (middle < end && !put_range(s, own, filch__share_word(middle, end)))
            middle = end; /* others have more than enough, then */
        *leaf = filch__share_word(begin, middle);
        return true;
    }
    return false;
}

static void mark_left(struct sharing **left)
{
    if (*left != NULL)
        FILCH_STORE_RELAXED(&(*left)->is_left, true); /* a hint to the others */
}

/* Works on the loop until nobody has anything left to begin. */
static void run_member(struct sharing *s, size_t own)
{
    struct sharing *left __attribute__((cleanup(mark_left), unused)) = s;
    uint64_t leaf;
    size_t done = 0;
    int64_t took_ns = 0;
    /* In this order: a loop is not cut short where nothing is left to begin. */
    while (!FILCH_LOAD_RELAXED(&s->is_left) /* a hint */ &&
           (take_leaf(s, own, &leaf) || steal_leaf(s, own, &leaf)) &&
           !filch__loop_is_over(s->loop)) {
        size_t begin = s->begin + filch__share_next(leaf) * s->unit;
        size_t last = filch__share_end(leaf);
        size_t end = last < s->units ? s->begin + last * s->unit : s->end;
        took_ns += filch__loop_leaf(s->loop, begin, end, &s->shares[own].grain);
        done += end - begin;
    }
    /* Read when everybody has ended. */
    FILCH_FETCH_ADD_RELAXED(&s->loop->done, done);
    FILCH_FETCH_ADD_RELAXED(&s->loop->took_ns, took_ns);
    left = NULL;
}

static bool is_taken(const struct sharing *s)
{
    for (size_t i = 0; i < s->share_count; i++) {
        if (filch__share_left(FILCH_LOAD_RELAXED(&s->shares[i].range)) > 0) /* a hint */
            return false;
    }
    return true;
}

static void run_members(struct sharing *s, size_t first, size_t count);

FILCH_FORKABLE_VOID(run_members, struct sharing *, size_t, size_t)

/* Runs the members `first` to `first + count - 1`: one here, the others wherever somebody comes for them. */
static void run_members(struct sharing *s, size_t first, size_t count)
{
    if (count == 1) {
        run_member(s, first % s->share_count);
        return;
    }
    if (is_taken(s))
        return; /* nobody has come for these, and now there is nothing to come for */
    /* Shown without being asked for: whoever is awake looks a moment later, and the next fork may be long
     * in coming. */
    filch__forks_ask(filch__worker_forks(filch__worker));
    FILCH__FORK_GUARDED(others, run_members, s, first + count - count / 2, count / 2);
    run_members(s, first, count - count / 2);
    FILCH__SYNC_GUARDED(others, run_members);
}

/* How many shares there are to be. */
static size_t shares_for(const struct loop *loop, size_t count)
{
    size_t most = loop->most < SHARES_MAX ? loop->most : SHARES_MAX;
    size_t least = loop->is_timed ? 1 : loop->grain; /* the user's is a minimum */
    size_t shares = count / least;
    return shares == 0 ? 1 : shares < most ? shares : most;
}

/* Deals the iterations out, in order; all is handed over with the forks. */
static void deal(struct sharing *s)
{
    size_t next = 0;
    for (size_t i = 0; i < s->share_count; i++) {
        size_t last = s->units;
        if (i + 1 < s->share_count) {
            last = next + (s->units - next) / (s->share_count - i);
            if (s->unit == 1)
                last = cut_at(s->loop, s->begin + next, s->begin + last) - s->begin;
        }
        s->shares[i].range = filch__share_word((uint32_t)next, (uint32_t)last);
        s->shares[i].grain = i == 0 ? s->loop->first_grain : s->loop->grain;
        next = last;
    }
}

void filch__loop_share(struct loop *loop, size_t begin, size_t end)
{
    size_t width = filch__worker->pool->width;
    if (loop->most > width)
        loop->most = width;
    struct sharing s;
    s.loop = loop;
    s.begin = begin;
    s.end = end;
    s.unit = (end - begin) / UINT32_MAX + 1;
    FILCH_STORE_RELAXED(&s.is_left, false); /* handed over with the forks */
    s.units = (end - begin - 1) / s.unit + 1;
    s.last_part = loop->leaf_ns > (double)LEAF_NS ? (size_t)loop->leaf_ns / LAST_NS : LAST_PART;
    s.share_count = shares_for(loop, end - begin);
    deal(&s);
    run_members(&s, 0, s.share_count < SHARES_MAX ? s.share_count : loop->most);
}
