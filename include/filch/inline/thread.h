/* SPDX-License-Identifier: Apache-2.0 */
/* The expansion of FILCH_THREAD_SCOPE. Private, although public headers include it. */
#ifndef FILCH_INLINE_THREAD_H
#define FILCH_INLINE_THREAD_H

#include <filch/attr.h>
#include <stdint.h>

FILCH_EXTERN_C_BEGIN

struct filch_thread_scope;

/* Room for a scope of threads in the frame that opens it; src/primitives/thread/scope.c checks the
 * size. */
struct filch__thread_scope_frame {
    int is_open; /* owner only, like the next */
    int done;    /* the block has been entered once */
    union {
        uint64_t words[12];
        void *pointers[12];
    } room;
};

#ifdef __cplusplus
#define FILCH__THREAD_SCOPE_FRAME_INIT                                                             \
    {                                                                                              \
    }
#else
#define FILCH__THREAD_SCOPE_FRAME_INIT                                                             \
    {                                                                                              \
        .is_open = 0                                                                               \
    }
#endif

/* Opens a scope in *frame. Returns the scope. */
FILCH_API struct filch_thread_scope *
filch__thread_scope_enter(struct filch__thread_scope_frame *frame);

/* Waits for the threads of the scope in *frame; runs as a cleanup handler of the frame. */
FILCH_API void filch__thread_scope_leave(struct filch__thread_scope_frame *frame);

FILCH_EXTERN_C_END

#ifdef __EXCEPTIONS
/* One loop that runs once, so that `break` and `continue` leave the scope, and one that only
 * declares the name. */
#define FILCH__THREAD_SCOPE(s)                                                                     \
    for (struct filch__thread_scope_frame filch__frame_##s                                         \
         __attribute__((cleanup(filch__thread_scope_leave))) = FILCH__THREAD_SCOPE_FRAME_INIT;     \
         !filch__frame_##s.done; filch__frame_##s.done = 1)                                        \
        for (struct filch_thread_scope *s = filch__thread_scope_enter(&filch__frame_##s);          \
             !filch__frame_##s.done; filch__frame_##s.done = 1)
#else
/* One message, and not another one for each use of the name. */
#define FILCH__THREAD_SCOPE(s)                                                                     \
    FILCH__STATIC_ASSERT(0,                                                                        \
                         "FILCH_THREAD_SCOPE needs -fexceptions: without it, its threads could "   \
                         "be left behind");                                                        \
    for (struct filch_thread_scope *s = 0; s;)
#endif

#endif
