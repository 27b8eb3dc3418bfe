/* SPDX-License-Identifier: Apache-2.0 */
/* The expansion of FILCH_SCOPE. Private, although public headers include it. */
#ifndef FILCH_INLINE_SCOPE_H
#define FILCH_INLINE_SCOPE_H

#include <filch/attr.h>
#include <stdint.h>

FILCH_EXTERN_C_BEGIN

struct filch_scope;

/* Room for a scope in the frame that opens it; src/scope/scope.c checks the size. */
struct filch__scope_frame {
    int is_open; /* owner only, like the next */
    int done;    /* the block has been entered once */
    union {
        uint64_t words[24];
        void *pointers[24];
    } room;
};

#ifdef __cplusplus
#define FILCH__SCOPE_FRAME_INIT                                                                    \
    {                                                                                              \
    }
#else
#define FILCH__SCOPE_FRAME_INIT                                                                    \
    {                                                                                              \
        .is_open = 0                                                                               \
    }
#endif

/* Opens a scope in *frame, or aborts with a message. Returns the scope. */
FILCH_API struct filch_scope *filch__scope_enter(struct filch__scope_frame *frame);

/* Waits for the tasks of the scope in *frame; runs as a cleanup handler of the frame. */
FILCH_API void filch__scope_leave(struct filch__scope_frame *frame);

FILCH_EXTERN_C_END

#ifdef __EXCEPTIONS
/* One loop that runs once, so that `break` and `continue` leave the scope, and one that only
 * declares the name. */
#define FILCH__SCOPE(s)                                                                            \
    for (struct filch__scope_frame filch__frame_##s                                                \
         __attribute__((cleanup(filch__scope_leave))) = FILCH__SCOPE_FRAME_INIT;                   \
         !filch__frame_##s.done; filch__frame_##s.done = 1)                                        \
        for (struct filch_scope *s = filch__scope_enter(&filch__frame_##s);                        \
             !filch__frame_##s.done; filch__frame_##s.done = 1)
#else
/* One message, and not another one for each use of the name. */
#define FILCH__SCOPE(s)                                                                            \
    FILCH__STATIC_ASSERT(0, "FILCH_SCOPE needs -fexceptions: without it, its tasks could be left " \
                            "behind");                                                             \
    for (struct filch_scope *s = 0; s;)
#endif

#endif
