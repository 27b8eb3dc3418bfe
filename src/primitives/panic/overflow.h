/* SPDX-License-Identifier: Apache-2.0 */
/* The last words of a thread or task whose stack has overflowed.
 *
 * A stack that has overflowed has no room for a signal handler, so each thread of the library gives the
 * kernel another one. The handler of SIGSEGV is installed with the first of these threads, unless the
 * program has one by then; one that it installs later replaces ours. */
#ifndef FILCH_PANIC_OVERFLOW_H
#define FILCH_PANIC_OVERFLOW_H

#include <stddef.h>

enum {
    /* For the handler's own frames, and what the kernel saves (11 KiB with the largest registers). */
    OVERFLOW_ROOM_BYTES = 20 * 1024,
};

/* From now on, the calling thread says so when its stack overflows, or that of a task on it.
 *   room  of OVERFLOW_ROOM_BYTES, kept until filch__overflow_forget; not on this stack
 *   base  an address in the first frame of the thread
 * Blocks: never. Panics: never. Callable from: a thread of the library, once. */
void filch__overflow_watch(char *room, const void *base);

/* The room is about to go.
 *   room  that was watched with
 * Blocks: never. Panics: never. errno is preserved. Callable from: the same thread. */
void filch__overflow_forget(const char *room);

#endif
