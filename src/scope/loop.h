/* SPDX-License-Identifier: Apache-2.0 */
/* One loop at work, as a whole or shared. */
#ifndef FILCH_SCOPE_LOOP_H
#define FILCH_SCOPE_LOOP_H

#include "cancel.h"

#include <filch/parallel.h>

enum {
    /* A leaf: long against two looks at the clock and what the caches and the pipeline lose where a body
     * begins anew; short against what a user notices. Of a long loop it is longer: two members that stream
     * from memory at the same time lose more. */
    LEAF_NS = 20000,
    LEAF_MOST_NS = 100000,
    /* Ranges are cut at multiples of this: arrays mostly begin at a cache line, and a body that begins
     * within one crosses a line with every second vector to its end. */
    CUT_UNIT = 64,
};

/* One loop; in the frame of its caller. */
struct loop {
    filch_for_body *body;
    void *ctx;
    size_t
        grain; /* const while it is shared: iterations of the first leaf of a share, at least 1 */
    size_t first_grain; /* the same of the one that lies first */
    /* Where the grain is found by time: what was done, and how long that took. Added to by each member when it
     * leaves, not while it works: the line is read for each leaf. */
    FILCH_SHARED(size_t) done;
    FILCH_SHARED(int64_t) took_ns;
    FILCH_SHARED(int) error; /* why a part of it was not done; 0: all was */
    bool is_timed;           /* const: the grain is found by time */
    bool is_begun;           /* const: an iteration, which was not timed, has been done before */
    double leaf_ns;          /* const once it is shared: what a leaf is to take */
    size_t most;             /* const: so many may take part at most */
};

static inline void filch__loop_unmeasured(struct loop *loop)
{
    loop->done = 0;
    loop->took_ns = 0;
}

/* For filch__loop_is_over: what runs here may have been cancelled. */
bool filch__loop_look(struct loop *loop);

/* Whether what runs here has been cancelled, so that no more is to be begun; then loop->error says why. */
static FILCH_ALWAYS_INLINE bool filch__loop_is_over(struct loop *loop)
{
    return FILCH_UNLIKELY(FILCH_LOAD_RELAXED(&filch__cancel_is_used) != 0) /* a hint */ &&
           filch__loop_look(loop);
}

/* Runs the body on a range. Where the grain is found by time, learns it from the time that this takes, which it
 * returns; else 0.
 *   grain  where it is kept                                                                 [in, out] */
int64_t filch__loop_leaf(const struct loop *loop, size_t begin, size_t end,
                         FILCH_SHARED(size_t) * grain);

/* Runs [begin, end), begin < end, with all who have nothing else to do. On a worker or guest; returns, or is
 * left by a panic, when every leaf that was begun has ended. */
void filch__loop_share(struct loop *loop, size_t begin, size_t end);

#endif
