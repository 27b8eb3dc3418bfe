/* SPDX-License-Identifier: Apache-2.0 */
/* The last words of a thread or task whose stack has overflowed.
 *
 * A stack that has overflowed has no room for a signal handler, so each thread of the library gives the
 * kernel another one; main's gets one when it starts the first of them, and any other one when it becomes
 * known after that. The handler of SIGSEGV is installed with the first of these threads, unless the program
 * has one by then; one that it installs later replaces ours. */
#ifndef FILCH_PANIC_OVERFLOW_H
#define FILCH_PANIC_OVERFLOW_H

#include <stdbool.h>
#include <stddef.h>

enum {
    /* For the handler's own frames, and what the kernel saves (11 KiB with the largest registers). */
    OVERFLOW_ROOM_BYTES = 20 * 1024,
};

/* From now on, the calling thread says so when its stack overflows, or that of a task on it.
 *   room  of OVERFLOW_ROOM_BYTES, kept until filch__overflow_forget; not on this stack
 *   base  an address in the first frame of the thread
 * Blocks: never. Panics: never. Callable from: any thread that is not watched. */
void filch__overflow_watch(char *room, const void *base);

/* The caller is about to start a thread: if it is main's, it is watched from now on.
 * Blocks: never. Panics: never. Callable from: any thread. */
void filch__overflow_watch_caller(void);

/* Whether there is a use for watching the calling thread: there is a handler, and it is not watched.
 * Blocks: never. Panics: never. Callable from: any thread. */
bool filch__overflow_wants_room(void);

/* The room is about to go.
 *   room  that was watched with
 * Blocks: never. Panics: never. errno is preserved. Callable from: the same thread. */
void filch__overflow_forget(const char *room);

#endif
