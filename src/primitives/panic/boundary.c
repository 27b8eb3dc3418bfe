/* SPDX-License-Identifier: Apache-2.0 */
/* What the unwinder asks of a boundary's frame. */
#include "panic/boundary.h"

#include "base/check.h"
#include "panic/panic.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if !FILCH_BOUNDARY_PORTABLE

enum { LETTERS = sizeof BOUNDARY_LETTERS - 1 };

static _Unwind_Reason_Code land(struct _Unwind_Exception *exception,
                                struct _Unwind_Context *context)
{
    uintptr_t landing = (uintptr_t)_Unwind_GetLanguageSpecificData(context) + LETTERS;
    _Unwind_SetGR(context, __builtin_eh_return_data_regno(0), (_Unwind_Word)(uintptr_t)exception);
    _Unwind_SetIP(context, (_Unwind_Ptr)landing);
    return _URC_INSTALL_CONTEXT;
}

/* The stack pointer in the boundary's frame. */
static struct boundary_frame *frame_of(struct _Unwind_Context *context)
{
    return (struct boundary_frame *)(uintptr_t)_Unwind_GetCFA(context);
}

static _Unwind_Reason_Code contain(_Unwind_Action actions, struct _Unwind_Exception *exception,
                                   struct _Unwind_Context *context)
{
    if ((actions & _UA_SEARCH_PHASE) != 0) {
        filch__panic_reaches(filch__panic_of(exception), frame_of(context));
        return _URC_HANDLER_FOUND;
    }
    if ((actions & (_UA_HANDLER_FRAME | _UA_FORCE_UNWIND)) != 0)
        return land(exception, context);
    return _URC_CONTINUE_UNWIND;
}

/* pthread_exit(3) and pthread_cancel(3); a panic may unwind by force as well. */
static bool is_end_of_thread(_Unwind_Action actions, struct _Unwind_Exception *exception)
{
    return (actions & _UA_FORCE_UNWIND) != 0 && filch__panic_of(exception) == NULL;
}

_Unwind_Reason_Code filch__try_personality(int version, _Unwind_Action actions,
                                           _Unwind_Exception_Class class,
                                           struct _Unwind_Exception *exception,
                                           struct _Unwind_Context *context)
{
    (void)version;
    (void)class;
    if (is_end_of_thread(actions, exception))
        return _URC_CONTINUE_UNWIND;
    return contain(actions, exception, context);
}

__typeof__(filch__try_personality) filch__boundary_personality
    __attribute__((alias("filch__try_personality")));

_Unwind_Reason_Code filch__try_task_personality(int version, _Unwind_Action actions,
                                                _Unwind_Exception_Class class,
                                                struct _Unwind_Exception *exception,
                                                struct _Unwind_Context *context)
{
    (void)version;
    (void)class;
    FILCH_CHECK(!is_end_of_thread(actions, exception),
                "pthread_exit or pthread_cancel in a task: its thread belongs to the pool");
    return contain(actions, exception, context);
}

_Unwind_Reason_Code filch__try_nothing_personality(int version, _Unwind_Action actions,
                                                   _Unwind_Exception_Class class,
                                                   struct _Unwind_Exception *exception,
                                                   struct _Unwind_Context *context)
{
    (void)version;
    (void)actions;
    (void)class;
    (void)exception;
    filch__abort(frame_of(context)->message, __FILE__, __LINE__);
}

/* Letter by letter: what is the data of somebody else's frame may end with the first one. */
static bool is_boundary(struct _Unwind_Context *context)
{
    const char *data = (const char *)(uintptr_t)_Unwind_GetLanguageSpecificData(context);
    if (data == NULL)
        return false;
    for (size_t i = 0; i < LETTERS; i++) {
        if (data[i] != BOUNDARY_LETTERS[i])
            return false;
    }
    return true;
}

static _Unwind_Reason_Code look_for_boundary(struct _Unwind_Context *context, void *found)
{
    if (!is_boundary(context))
        return _URC_NO_REASON;
    *(const void **)found = frame_of(context)->mark;
    return _URC_END_OF_STACK; /* stops the walk */
}

const void *filch__boundary_mark(void)
{
    const void *mark = NULL;
    (void)_Unwind_Backtrace(look_for_boundary, (void *)&mark);
    return mark;
}

#endif
