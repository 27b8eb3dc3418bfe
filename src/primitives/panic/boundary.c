/* SPDX-License-Identifier: Apache-2.0 */
/* What the unwinder asks of a boundary's frame. */
#include "panic/boundary.h"

#include "base/check.h"
#include "panic/panic.h"

#include <stdint.h>

#if !FILCH_BOUNDARY_PORTABLE

static _Unwind_Reason_Code land(struct _Unwind_Exception *exception,
                                struct _Unwind_Context *context, const char *landing)
{
    _Unwind_SetGR(context, __builtin_eh_return_data_regno(0), (_Unwind_Word)(uintptr_t)exception);
    _Unwind_SetIP(context, (_Unwind_Ptr)(uintptr_t)landing);
    return _URC_INSTALL_CONTEXT;
}

/* The stack pointer in the boundary's frame. */
static struct boundary_frame *frame_of(struct _Unwind_Context *context)
{
    return (struct boundary_frame *)(uintptr_t)_Unwind_GetCFA(context);
}

static _Unwind_Reason_Code contain(_Unwind_Action actions, struct _Unwind_Exception *exception,
                                   struct _Unwind_Context *context, const char *landing)
{
    if ((actions & _UA_SEARCH_PHASE) != 0) {
        filch__panic_reaches(filch__panic_of(exception), frame_of(context));
        return _URC_HANDLER_FOUND;
    }
    if ((actions & _UA_HANDLER_FRAME) != 0)
        return land(exception, context, landing);
    return _URC_CONTINUE_UNWIND;
}

_Unwind_Reason_Code filch__try_personality(int version, _Unwind_Action actions,
                                           _Unwind_Exception_Class class,
                                           struct _Unwind_Exception *exception,
                                           struct _Unwind_Context *context)
{
    (void)version;
    (void)class;
    if ((actions & _UA_FORCE_UNWIND) != 0)
        return _URC_CONTINUE_UNWIND;
    return contain(actions, exception, context, filch__try_landing);
}

_Unwind_Reason_Code filch__try_task_personality(int version, _Unwind_Action actions,
                                                _Unwind_Exception_Class class,
                                                struct _Unwind_Exception *exception,
                                                struct _Unwind_Context *context)
{
    (void)version;
    (void)class;
    FILCH_CHECK((actions & _UA_FORCE_UNWIND) == 0,
                "pthread_exit or pthread_cancel in a task: its thread belongs to the pool");
    return contain(actions, exception, context, filch__try_task_landing);
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

static bool is_between(uintptr_t address, const char *begin, const char *end)
{
    /* A return address may be that of the byte behind the call. */
    return address > (uintptr_t)begin && address <= (uintptr_t)end;
}

static _Unwind_Reason_Code look_for_boundary(struct _Unwind_Context *context, void *found)
{
    uintptr_t address = (uintptr_t)_Unwind_GetIP(context);
    if (!is_between(address, filch__try_begin, filch__try_end) &&
        !is_between(address, filch__try_task_begin, filch__try_task_end))
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
