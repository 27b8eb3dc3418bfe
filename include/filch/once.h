/* SPDX-License-Identifier: Apache-2.0 */
/* What happens once: a call, the setting of a value, a value that is made at its first use.
 *
 *     static struct filch_once once = FILCH_ONCE_INIT;
 *     int error = filch_once_call(&once, load_tables, path);
 *
 *     static struct filch_lazy config = FILCH_LAZY_INIT(read_config, NULL);
 *     void *value;
 *     int error = filch_lazy_get(&config, &value);
 *
 * Whoever comes while the call runs waits for its end; a task suspends, its worker goes on. A panic in the
 * call poisons a once and a lazy value, and leaves a cell empty. All functions may be called by several
 * threads and tasks at once. Not promised: who of several makes the call.
 */
#ifndef FILCH_ONCE_H
#define FILCH_ONCE_H

#include <filch/attr.h>
#include <filch/errors.h>
#include <filch/inline/lock.h>
#include <filch/time.h>

FILCH_EXTERN_C_BEGIN

/* May lie anywhere; not copied or moved while it is in use. All zero has not happened. */
struct filch_once {
    uint64_t filch__word; /* private, as the next */
    void *filch__queue;
};

#ifdef __cplusplus
#define FILCH_ONCE_INIT                                                                            \
    {                                                                                              \
    }
#else
#define FILCH_ONCE_INIT                                                                            \
    {                                                                                              \
        0, NULL                                                                                    \
    }
#endif

#define FILCH__ONCE_DONE UINT64_C(64)

/* What the calls below come to unless the once is done. */
FILCH_API int filch__once_call_slow(struct filch_once *once, void (*fn)(void *), void *arg,
                                    int64_t deadline);

/* Calls fn(arg), unless that or another call has been made; waits for one that runs.
 *   once  initialised                                                                   [in,out]
 *   fn    called on this thread; borrowed, as arg                            not NULL (EINVAL)
 * Returns 0: a call has been completed; EOWNERDEAD (one has panicked: poisoned, fn was not called);
 * EDEADLK (the caller is within that call); EINVAL.
 * Blocks: yes; a task suspends, its worker goes on. Panics: with what fn panics with, and is poisoned.
 * Callable from: threads and tasks. Ordering: the call happens before every return of 0. */
static FILCH_ALWAYS_INLINE FILCH_NODISCARD int filch_once_call(struct filch_once *once,
                                                               void (*fn)(void *), void *arg)
{
    if (FILCH_LIKELY(once != NULL &&
                     (FILCH_LOAD(&once->filch__word, OC_look, acquire) & FILCH__ONCE_DONE) != 0))
        return 0;
    return filch__once_call_slow(once, fn, arg, FILCH_FOREVER);
}

/* The same, and gives up a wait for somebody else's call at a deadline.
 *   deadline  absolute ns on CLOCK_MONOTONIC; FILCH_FOREVER for none
 * Returns as filch_once_call; ETIMEDOUT. Everything else as filch_once_call. */
FILCH_API FILCH_NODISCARD int filch_once_call_until(struct filch_once *once, void (*fn)(void *),
                                                    void *arg, int64_t deadline);

/* The same, and calls fn(arg, 1) where a call has panicked, to repair what that has left; else
 * fn(arg, 0). A return of fn makes it complete.
 * Returns as filch_once_call, but not EOWNERDEAD. Everything else as filch_once_call. */
FILCH_API FILCH_NODISCARD int
filch_once_call_force(struct filch_once *once, void (*fn)(void *arg, int is_poisoned), void *arg);

/* The same, and gives up a wait for somebody else's call at a deadline.
 * Returns as filch_once_call_force; ETIMEDOUT. */
FILCH_API FILCH_NODISCARD int filch_once_call_force_until(struct filch_once *once,
                                                          void (*fn)(void *arg, int is_poisoned),
                                                          void *arg, int64_t deadline);

/* Waits until somebody's call is complete.
 * Returns 0; EOWNERDEAD (poisoned); ETIMEDOUT; EDEADLK (the caller is within that call); EINVAL.
 * Everything else as filch_once_call. */
FILCH_API FILCH_NODISCARD int filch_once_wait_until(struct filch_once *once, int64_t deadline);

/* The same, and waits on while it is poisoned, for somebody to repair it.
 * Returns as filch_once_wait_until, but not EOWNERDEAD. Everything else as there. */
FILCH_API FILCH_NODISCARD int filch_once_wait_force_until(struct filch_once *once,
                                                          int64_t deadline);

/* Whether a call is complete; 0 for a poisoned one.
 *   once  initialised; not NULL                                                             [in]
 * Returns 1 or 0. Blocks: never. Panics: never. Callable from: threads and tasks. Ordering: that
 * call happens before a return of 1. */
static FILCH_ALWAYS_INLINE int filch_once_is_completed(const struct filch_once *once)
{
    return (FILCH_LOAD(&once->filch__word, OC_look, acquire) & FILCH__ONCE_DONE) != 0;
}

/* --- a cell: empty, or a value that does not change --- */

struct filch_once_cell {
    struct filch_once filch__once; /* private, as the next */
    void *filch__value;
};

#ifdef __cplusplus
#define FILCH_ONCE_CELL_INIT                                                                       \
    {                                                                                              \
    }
#else
#define FILCH_ONCE_CELL_INIT                                                                       \
    {                                                                                              \
        FILCH_ONCE_INIT, NULL                                                                      \
    }
#endif

/* The value.
 *   cell  initialised; not NULL                                                             [in]
 * Returns it; NULL where the cell is empty, or was set to NULL. Blocks: never. Panics: never.
 * Callable from: threads and tasks. Ordering: the setting happens before a return of the value. */
static FILCH_ALWAYS_INLINE void *filch_once_cell_get(const struct filch_once_cell *cell)
{
    return filch_once_is_completed(&cell->filch__once) ? cell->filch__value : NULL;
}

/* Puts a value into an empty cell; waits for one that is being made.
 * Returns 0; EBUSY (it has one; the value stays the caller's); EDEADLK (the caller makes it); EINVAL (cell
 * NULL). Blocks: yes, as filch_once_call. Panics: never. Callable from: threads and tasks. */
FILCH_API FILCH_NODISCARD int filch_once_cell_set(struct filch_once_cell *cell, void *value);

/* The same, and gives up a wait for somebody else, who makes a value, at a deadline.
 * Returns as filch_once_cell_set; ETIMEDOUT. */
FILCH_API FILCH_NODISCARD int filch_once_cell_set_until(struct filch_once_cell *cell, void *value,
                                                        int64_t deadline);

/* The value, made by make(ctx) where the cell is empty. A panic of make leaves it empty, and the next
 * one tries again.
 *   value  receives it; NULL: not wanted                                                   [out]
 * Returns 0; EDEADLK (the caller makes it); EINVAL (cell or make NULL).
 * Blocks: yes, as filch_once_call. Panics: with what make panics with. Callable from: threads and
 * tasks. Ordering: making it happens before every return of 0. */
FILCH_API FILCH_NODISCARD int filch_once_cell_get_or_init(struct filch_once_cell *cell,
                                                          void *(*make)(void *ctx), void *ctx,
                                                          void **value);

/* The same, and gives up a wait for somebody else, who makes it, at a deadline.
 * Returns as filch_once_cell_get_or_init; ETIMEDOUT. */
FILCH_API FILCH_NODISCARD int filch_once_cell_get_or_init_until(struct filch_once_cell *cell,
                                                                void *(*make)(void *ctx), void *ctx,
                                                                void **value, int64_t deadline);

/* --- a value made at its first use --- */

struct filch_lazy {
    struct filch_once_cell filch__cell; /* private, as the next */
    void *(*filch__make)(void *ctx);
    void *filch__ctx;
};

#define FILCH_LAZY_INIT(make, ctx)                                                                 \
    {                                                                                              \
        FILCH_ONCE_CELL_INIT, make, ctx                                                            \
    }

/* The value; makes it at the first call.
 *   value  receives it; NULL: not wanted                                                   [out]
 * Returns 0; EOWNERDEAD (making it has panicked: poisoned for good); EDEADLK (the caller makes it); EINVAL
 * (lazy, or its function, NULL).
 * Blocks: yes, as filch_once_call. Panics: with what its function panics with. Callable from:
 * threads and tasks. Ordering: making it happens before every return of 0. */
FILCH_API FILCH_NODISCARD int filch_lazy_get(struct filch_lazy *lazy, void **value);

/* The same, and gives up a wait for somebody else, who makes it, at a deadline.
 * Returns as filch_lazy_get; ETIMEDOUT. */
FILCH_API FILCH_NODISCARD int filch_lazy_get_until(struct filch_lazy *lazy, void **value,
                                                   int64_t deadline);

FILCH_EXTERN_C_END

#endif
