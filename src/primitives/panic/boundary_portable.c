/* SPDX-License-Identifier: Apache-2.0 */
/* Boundaries for processors without assembly of ours. A boundary saves its registers, and a panic
 * unwinds by force until it has passed all frames below. An exception of another language is not
 * contained: its own runtime ends the process, or finds a handler further up. */
#include "panic/boundary.h"

#include "base/check.h"
#include "panic/panic.h"

#include <setjmp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if FILCH_BOUNDARY_PORTABLE

/* In the frame of the function that is the boundary. */
struct boundary {
    jmp_buf registers;
    struct boundary *outer;
    const void *mark;
    const char *message; /* NULL: a panic may land here */
    struct _Unwind_Exception *landed;
};

__thread struct boundary *filch__boundary_top __attribute__((tls_model("initial-exec")));

static _Unwind_Reason_Code look_for_boundary(int version, _Unwind_Action actions,
                                             _Unwind_Exception_Class class,
                                             struct _Unwind_Exception *exception,
                                             struct _Unwind_Context *context, void *argument)
{
    struct boundary *boundary = argument;
    (void)version;
    (void)class;
    FILCH_CHECK((actions & _UA_END_OF_STACK) == 0,
                "a panic cannot unwind a frame between it and its boundary");
    if ((uintptr_t)_Unwind_GetCFA(context) <= (uintptr_t)boundary)
        return _URC_NO_REASON; /* its frame, or one below */
    boundary->landed = exception;
    longjmp(boundary->registers, 1);
}

void filch__boundary_raise(struct filch_panic *panic)
{
    struct boundary *boundary = filch__boundary_top;
    if (boundary == NULL)
        return;
    if (boundary->message != NULL)
        filch__abort(boundary->message, __FILE__, __LINE__);
    filch__panic_reaches(panic, boundary);
    (void)_Unwind_ForcedUnwind(&panic->unwind, look_for_boundary, boundary);
}

const void *filch__boundary_mark(void)
{
    return filch__boundary_top == NULL ? NULL : filch__boundary_top->mark;
}

/* Something else than a panic unwinds the boundary's frame. */
static void is_passed(struct boundary *volatile *boundary)
{
    if (*boundary != NULL)
        filch__boundary_top = (*boundary)->outer;
}

static void is_passed_in_task(const volatile bool *is_running)
{
    FILCH_CHECK(!*is_running,
                "pthread_exit or pthread_cancel in a task: its thread belongs to the pool");
}

int filch__try(void (*fn)(void *), void *arg, struct filch_panic **panic, const void *mark)
{
    struct boundary here = {.outer = filch__boundary_top, .mark = mark};
    struct boundary *volatile passed __attribute__((cleanup(is_passed))) = &here;
    if (_setjmp(here.registers) == 0) {
        filch__boundary_top = &here;
        fn(arg);
        filch__boundary_top = here.outer;
        passed = NULL;
        return 0;
    }
    filch__boundary_top = here.outer;
    passed = NULL;
    return filch__panic_landed(here.landed, panic);
}

int filch__try_task(void (*fn)(void *), void *arg, struct filch_panic **panic, const void *mark)
{
    volatile bool is_running __attribute__((cleanup(is_passed_in_task))) = true;
    int error = filch__try(fn, arg, panic, mark);
    is_running = false;
    return error;
}

void filch__try_nothing(void (*fn)(void *), void *arg, const char *message)
{
    struct boundary here = {.outer = filch__boundary_top, .message = message};
    volatile bool is_running __attribute__((cleanup(is_passed_in_task))) = true;
    filch__boundary_top = &here;
    fn(arg);
    filch__boundary_top = here.outer;
    is_running = false;
}

/* Nobody refers to it here; but what a library exports is the same everywhere. */
_Unwind_Reason_Code filch__boundary_personality(int version, _Unwind_Action actions,
                                                _Unwind_Exception_Class class,
                                                struct _Unwind_Exception *exception,
                                                struct _Unwind_Context *context)
{
    (void)version;
    (void)actions;
    (void)class;
    (void)exception;
    (void)context;
    return _URC_CONTINUE_UNWIND;
}

#endif
