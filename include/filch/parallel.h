/* SPDX-License-Identifier: Apache-2.0 */
/* Numeric loops over the pool.
 *
 *     static void scale(size_t begin, size_t end, void *ctx)
 *     {
 *         double *x = ctx;
 *         for (size_t i = begin; i < end; i++)
 *             x[i] *= 2.0;
 *     }
 *     ...
 *     filch_for(0, n, scale, x);
 *
 * The body gets ranges, so that the compiler can vectorise its inner loop. The ranges cover
 * [begin, end) exactly once; how they are cut depends on what the body costs and on who is idle.
 * The calling thread takes part. Not promised: order, or the same cuts twice.
 */
#ifndef FILCH_PARALLEL_H
#define FILCH_PARALLEL_H

#include <filch/attr.h>
#include <filch/errors.h>
#include <filch/pool.h>
#include <stddef.h>

FILCH_EXTERN_C_BEGIN

/* The body of a loop: does the iterations begin to end - 1; begin < end. */
typedef void filch_for_body(size_t begin, size_t end, void *ctx);

/* Options of one loop. Zero-initialised, every field has its default. */
struct filch_for_options {
    struct filch_pool *pool; /* NULL: the pool the caller works for, else the default pool */
    size_t grain;            /* ranges are at least this long, the last one excepted; 0: by time */
    size_t max_workers;      /* no more than this many take part; 0: the width of the pool */
};

/* Runs the body over [begin, end).
 *   begin, end  the iterations; begin >= end does nothing
 *   body        called on ranges, by several threads at the same time      not NULL (checked)
 *   ctx         handed to body; borrowed
 * Blocks: yes; a task suspends, its worker goes on. Panics: with the first panic of body, when every
 * range that was begun has ended; ranges that nobody has begun are not run. Aborts with a message where
 * body is NULL. Where no pool can be had, the caller runs all of it. Callable from: threads and tasks.
 * Returns 0; where the caller runs in a scope, task or pool that is cancelled, or out of time: ECANCELED,
 * ETIMEDOUT (ranges that nobody had begun were not run). Ordering: the caller's past happens before every
 * range; every range before the return. */
FILCH_API int filch_for(size_t begin, size_t end, filch_for_body *body, void *ctx);

/* The same with options.
 *   options  NULL: the defaults                                                             [in]
 * Returns 0; EINVAL (body NULL); ESHUTDOWN, EPERM (options->pool; nothing was run); ECANCELED,
 * ETIMEDOUT (see filch_for).
 * Everything else as filch_for. */
FILCH_API FILCH_NODISCARD int filch_for_with(const struct filch_for_options *options, size_t begin,
                                             size_t end, filch_for_body *body, void *ctx);

FILCH_EXTERN_C_END

#endif
