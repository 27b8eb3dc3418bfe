/* SPDX-License-Identifier: Apache-2.0 */
/* Output in whole lines, which concurrent writers cannot tear.
 *
 *     filch_print("%zu blocks in %s", count, name);         // to standard output, with a newline
 *     filch_eprint("%s: %s", name, strerror(error));        // to standard error
 *
 *     FILCH_STDOUT_LOCK {
 *         filch_print("first line");
 *         filch_print("nobody else's line comes between");
 *     }
 *
 * A line is formatted first and then given to the system in one write(2); where that takes only a part
 * of it, the rest follows before anybody else's line. Nothing is buffered, and nothing is known here of
 * stdio's buffers: whoever mixes both calls fflush(stdout) in between. Not promised: that lines of
 * other processes do not come between the parts of a line that is longer than PIPE_BUF.
 */
#ifndef FILCH_PRINT_H
#define FILCH_PRINT_H

#include <filch/attr.h>
#include <filch/errors.h>
#include <filch/time.h>

FILCH_EXTERN_C_BEGIN

/* Writes a line to standard output.
 *   format  as printf(3); a newline is added unless the text ends in one                    [in]
 * Returns 0; EINVAL (format NULL, or one that printf(3) refuses); ENOMEM (a line of more than 500 bytes);
 * what write(2) failed with: a part of the line may have been written. As with printf(3), the result
 * may be ignored.
 * Blocks: until the line is written, and while others write; a task that waits for others suspends.
 * Panics: never. Callable from: threads and tasks. */
FILCH_API int filch_print(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The same, to standard error. */
FILCH_API int filch_eprint(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Keeps the lines of all others off standard output until it is unlocked. The owner, a thread or task,
 * may lock it again, and unlocks it as often. What a thread has locked outside of a pool is its own in
 * the scopes, joins and loops that it calls, as far as they run on it; what others run of them waits,
 * so whoever holds the lock does not wait for tasks that print.
 * Blocks: while others have it; a task suspends. Panics: never. Callable from: threads and tasks. */
FILCH_API void filch_stdout_lock(void);

/* The same, at most until a deadline.
 *   deadline  absolute ns on CLOCK_MONOTONIC; FILCH_FOREVER for none
 * Returns 0; ETIMEDOUT, ECANCELED (a task: what it runs within is cancelled): it is not locked. Everything
 * else as filch_stdout_lock, which is not cancelled. */
FILCH_API FILCH_NODISCARD int filch_stdout_lock_until(int64_t deadline);

/* Lets others write again. Aborts with a message where the caller has not locked it.
 * Blocks: never. Panics: never. Callable from: threads and tasks. */
FILCH_API void filch_stdout_unlock(void);

/* FILCH_STDOUT_LOCK { ... } has standard output locked in the block that follows, however it is left:
 * by its end, return, break (out of the block), continue (likewise), goto or a panic. Needs -fexceptions
 * in the file that uses it. */
#ifdef __EXCEPTIONS
#define FILCH_STDOUT_LOCK FILCH__STDOUT_LOCK_AT(__LINE__)
#define FILCH__STDOUT_LOCK_AT(line) FILCH__STDOUT_LOCK_NAMED(line)
#define FILCH__STDOUT_LOCK_NAMED(line)                                                             \
    for (int filch__stdout_lock_##line                                                             \
         __attribute__((cleanup(filch__stdout_leave))) = (filch_stdout_lock(), 1);                 \
         filch__stdout_lock_##line == 1; filch__stdout_lock_##line = 2)
#else
#define FILCH_STDOUT_LOCK                                                                          \
    FILCH__STATIC_ASSERT(0, "FILCH_STDOUT_LOCK needs -fexceptions: without it, a lock could be "   \
                            "left behind");                                                        \
    for (; 0;)
#endif

/* Runs as a cleanup handler. */
static inline void filch__stdout_leave(const int *unused)
{
    (void)unused;
    filch_stdout_unlock();
}

FILCH_EXTERN_C_END

#endif
