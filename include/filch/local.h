/* SPDX-License-Identifier: Apache-2.0 */
/* Variables of which each thread has its own, made when the thread first uses it, and dropped when the
 * thread ends.
 *
 *     static void cache_init(void *cache) { ... }
 *     static void cache_drop(void *cache) { ... }
 *     static FILCH_LOCAL(struct cache, cache, cache_init, cache_drop);
 *
 *     struct cache *mine = FILCH_LOCAL_GET(cache);
 *
 * The life of a value, for each thread:
 *
 *     not started --first use--> starting --init has returned--> alive --end of the thread--> gone
 *
 * - A use while it starts, so by its own init, is answered with EDEADLK, or panics.
 * - Values with a drop function are dropped when the body of the thread has returned, in the reverse
 *   order of their starts, before the destructors that the system knows of. A thread that was not
 *   started here drops its values among those.
 * - A value is gone from the moment when its drop function is called: then every use is answered with
 *   ESHUTDOWN, or panics, and it never starts again. A drop function may use other values; one that
 *   starts by that is dropped next.
 * - Without a drop function a value is never gone.
 * - The main thread drops nothing when it returns from main or calls exit().
 *
 * A task sees the values of the worker that it runs on, before and after every wait (unless it may
 * migrate, see task.h), and so do all other tasks of that worker: init does not wait, and what must not
 * be mixed is not kept here across a wait. Each value is used by its own thread only; pointers to it are
 * good until the thread ends.
 */
#ifndef FILCH_LOCAL_H
#define FILCH_LOCAL_H

#include <filch/attr.h>
#include <filch/errors.h>
#include <stdint.h>

FILCH_EXTERN_C_BEGIN

enum filch__local_state {
    FILCH__LOCAL_NOT_STARTED,
    FILCH__LOCAL_STARTING,
    FILCH__LOCAL_ALIVE,
    FILCH__LOCAL_GONE,
};

/* What the library knows of a value, beside it. Private; owner only. */
struct filch__local {
    void (*init)(void *value);
    void (*drop)(void *value);
    void *value;
    struct filch__local *next; /* the one that started before, among those to be dropped */
    uint32_t state;            /* enum filch__local_state */
};

/* Defines the variable `name` of type `type`, which is no array; write `static` before it.
 *   init  called on zeroed memory at the first use; NULL: it stays zeroed
 *   drop  called on the value at the end of the thread; NULL: nothing is called
 * Both have the type void (*)(void *value). */
#define FILCH_LOCAL(type, name, init, drop)                                                        \
    __thread struct filch__local_##name {                                                          \
        struct filch__local local;                                                                 \
        type value;                                                                                \
    } name = FILCH__LOCAL_INIT((init), (drop))

#ifdef __cplusplus
#define FILCH__LOCAL_INIT(start_function, drop_function)                                           \
    {                                                                                              \
        {start_function, drop_function, 0, 0, 0},                                                  \
        {                                                                                          \
        }                                                                                          \
    }
#else
#define FILCH__LOCAL_INIT(start_function, drop_function)                                           \
    {                                                                                              \
        .local = {.init = start_function, .drop = drop_function }                                  \
    }
#endif

/* The calling thread's value of the variable, started where it was not.
 * Returns a pointer to it. Blocks: as init does. Panics: as init does, and where FILCH_LOCAL_TRY returns
 * an error; in a drop function, which must not panic, that aborts. Callable from: threads and tasks. */
#define FILCH_LOCAL_GET(name)                                                                      \
    ((__typeof__(&(name).value))(FILCH_LIKELY((name).local.state == FILCH__LOCAL_ALIVE)            \
                                     ? &(name).value                                               \
                                     : filch__local_get(&(name).local, &(name).value)))

/* The same, for those who may come too early or too late.
 *   pointer  receives the pointer to the value: the address of a `type *`                  [out]
 * Returns 0; ESHUTDOWN (the value is gone); EDEADLK (it is starting: init has come here); ENOMEM (no
 * memory to notice the end of the thread; nothing has changed). Everything else as FILCH_LOCAL_GET. */
#define FILCH_LOCAL_TRY(name, pointer)                                                             \
    filch__local_try_to(&(name).local, &(name).value,                                              \
                        (void *)(1 ? (pointer) : (__typeof__(&(name).value) *)0))

/* What FILCH_LOCAL_TRY calls. */
FILCH_API FILCH_NODISCARD int filch__local_try(struct filch__local *local, void *value);

/* What FILCH_LOCAL_GET calls where the value has not started. Returns `value`. */
FILCH_API void *filch__local_get(struct filch__local *local, void *value);

/*   pointer  of a `type *`, whatever the type is */
FILCH_NODISCARD static inline int filch__local_try_to(struct filch__local *local, void *value,
                                                      void *pointer)
{
    int error = filch__local_try(local, value);
    if (error == 0)
        __builtin_memcpy(pointer, &value, sizeof value);
    return error;
}

FILCH_EXTERN_C_END

#endif
