/* SPDX-License-Identifier: Apache-2.0 */
/* Panics: failure that unwinds the stack, up to a boundary that contains it.
 *
 *     static void parse(void *file)
 *     {
 *         if (!is_valid(file))
 *             filch_panic("%s: not valid", name_of(file));
 *     }
 *     struct filch_panic *panic;
 *     if (filch_catch_unwind(parse, file, &panic) != 0) {
 *         puts(filch_panic_message(panic));
 *         filch_panic_free(panic);
 *     }
 *
 * On the way up, the cleanup handlers (__attribute__((cleanup))) of every frame that was compiled
 * with -fexceptions run, and the destructors of C++ frames. Without -fexceptions a frame is left
 * without its handlers. Boundaries are filch_catch_unwind, a task, a raw thread, and the halves of
 * joins, scopes and loops, which go on with the panic where they are waited for, after everything
 * that was begun there has ended.
 *
 * A panic that reaches main's caller ends the process with status 101. The process is aborted, with
 * a message, by a panic that leaves a cleanup handler during another panic, a hook or a drop
 * function; that finds no boundary on a thread that this library did not start; or that a C++
 * `catch (...)` swallows: such a handler has to rethrow. A C++ exception that reaches a boundary is
 * contained there as a panic without a place.
 *
 * Panics of different threads are independent; one panic belongs to one owner at a time. Not
 * promised: that a frame compiled without unwind tables can be passed; the process is aborted there.
 */
#ifndef FILCH_PANIC_H
#define FILCH_PANIC_H

#include <filch/attr.h>
#include <filch/errors.h>
#include <filch/inline/boundary.h>
#include <filch/inline/fork.h>
#include <stddef.h>

FILCH_EXTERN_C_BEGIN

/* One panic: a message, or a payload with its type. */
struct filch_panic;
struct _Unwind_Exception;

/* filch_panic(format, ...) panics with a message, formatted as by printf, that names this file and
 * line. Does not return. Blocks: as cleanup handlers do. Callable from: threads and tasks. */
#define filch_panic(...) filch__panic(__FILE__, __LINE__, __VA_ARGS__)

/* filch_panic_any(payload, type, drop) panics with any pointer.
 *   payload  the panic's from now on
 *   type     names its type, for filch_panic_payload and the report; not copied; NULL: none
 *   drop     called on the payload when the panic is freed; must not panic; NULL: nothing is
 * Does not return. Everything else as filch_panic. */
#define filch_panic_any(payload, type, drop)                                                       \
    filch__panic_any(__FILE__, __LINE__, (payload), (type), (drop))

/* The library's own boundary.
 *   mark  where the forks of the running code stand */
FILCH_API int filch__try(void (*fn)(void *), void *arg, struct filch_panic **panic,
                         const void *mark);

/* What has reached a boundary, as a panic. Returns EOWNERDEAD. */
FILCH_API FILCH_COLD int filch__panic_landed(struct _Unwind_Exception *exception,
                                             struct filch_panic **panic);

#if FILCH__BOUNDARY_HERE
static inline int filch__catch(void (*fn)(void *), void *arg, struct filch_panic **panic,
                               const void *mark)
{
    struct _Unwind_Exception *exception = filch__boundary(fn, arg, mark);
    return FILCH_LIKELY(exception == NULL) ? 0 : filch__panic_landed(exception, panic);
}
#else
#define filch__catch filch__try
#endif

/* Calls fn(arg), and contains a panic in it.
 *   fn     called on this thread                                                   not NULL
 *   arg    handed to fn; borrowed
 *   panic  receives the panic, on EOWNERDEAD; NULL: it is freed                           [out]
 * Returns 0: fn has returned; EOWNERDEAD: it has panicked. Ownership: the caller owns *panic until it
 * is freed or goes on. Blocks: as fn does. Panics: never. Callable from: threads and tasks. */
FILCH_NODISCARD static inline int filch_catch_unwind(void (*fn)(void *), void *arg,
                                                     struct filch_panic **panic)
{
    const struct filch__slot *open = FILCH__FORK_DEBUG ? filch__fork_open() : NULL;
    int error = filch__catch(fn, arg, panic, filch__forks_here()->tail);
    if (FILCH__FORK_DEBUG && filch__fork_open() != open)
        filch__fork_unsynced();
    return error;
}

/* Goes on with a panic that was contained, without a report.
 *   panic  gone afterwards                                                        not NULL  [in]
 * Does not return: it unwinds, as filch_panic does. Blocks: as cleanup handlers do.
 * Callable from: threads and tasks. */
FILCH_API FILCH_NORETURN void filch_resume_unwind(struct filch_panic *panic);

/* Frees a panic and drops its payload.
 *   panic  NULL is allowed                                                                  [in]
 * Blocks: as the drop function does. Panics: never; aborts where the drop function panics.
 * Callable from: threads and tasks. */
FILCH_API void filch_panic_free(struct filch_panic *panic);

/* What a panic says.
 *   panic  any                                                                              [in]
 * Returns the message, valid as long as the panic; NULL where it has a payload instead.
 * Blocks: never. Panics: never. Callable from: anywhere. */
FILCH_API const char *filch_panic_message(const struct filch_panic *panic);

/* What a panic carries, if it is of this type.
 *   panic  any                                                                              [in]
 *   type   as it was named by filch_panic_any: compared by its characters                   [in]
 * Returns the payload, which stays the panic's; NULL: a message, or of another type. Everything else
 * as filch_panic_message. */
FILCH_API void *filch_panic_payload(const struct filch_panic *panic, const char *type);

/* Where a panic began: the file.
 *   panic  any                                                                              [in]
 * Returns its name; NULL for an exception of another language. Everything else as
 * filch_panic_message. */
FILCH_API const char *filch_panic_file(const struct filch_panic *panic);

/* And the line. Everything else as filch_panic_file. */
FILCH_API int filch_panic_line(const struct filch_panic *panic);

/* How many further panics of the same join, scope or loop have been dropped in favour of this one.
 * Each was reported when it began. Everything else as filch_panic_message. */
FILCH_API size_t filch_panic_others(const struct filch_panic *panic);

/* Called at the beginning of each panic, on the panicking thread, before anything is unwound. A
 * panic in it aborts the process. */
typedef void filch_panic_hook(const struct filch_panic *panic);

/* Replaces the hook of the whole process.
 *   hook  NULL: filch_panic_report, which is the default
 * Returns the one before, never NULL. Blocks: never. Panics: never. Callable from: anywhere. */
FILCH_API filch_panic_hook *filch_panic_set_hook(filch_panic_hook *hook);

/* Writes "thread 'NAME' panicked at FILE:LINE: MESSAGE" to standard error, in one write. With
 * FILCH_BACKTRACE=1 in the environment a backtrace follows, with the functions' names, static ones
 * included as long as their file has not been stripped, and offsets for addr2line(1).
 *   panic  that is beginning                                                                [in]
 * Blocks: never. Panics: never. Callable from: hooks. */
FILCH_API void filch_panic_report(const struct filch_panic *panic);

/* The panic that unwinds the running code. */
extern FILCH_API __thread struct filch_panic *filch__panic_current
    __attribute__((tls_model("initial-exec")));

/* Whether the running code is being unwound by a panic: in a cleanup handler, between the beginning of
 * a panic and its boundary. A task that runs meanwhile on the same thread does not see it.
 * Returns 1 or 0. Blocks: never. Panics: never. Callable from: anywhere. */
static inline int filch_panicking(void)
{
    return filch__panic_current != NULL;
}

/* What filch_panic calls. */
FILCH_API FILCH_COLD FILCH_NORETURN __attribute__((format(printf, 3, 4))) void
filch__panic(const char *file, int line, const char *format, ...);

/* What filch_panic_any calls. */
FILCH_API FILCH_COLD FILCH_NORETURN void filch__panic_any(const char *file, int line, void *payload,
                                                          const char *type, void (*drop)(void *));

FILCH_EXTERN_C_END

#endif
