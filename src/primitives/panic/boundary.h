/* SPDX-License-Identifier: Apache-2.0 */
/* What the assembly of boundaries and boundary.c know of each other. */
#ifndef FILCH_PANIC_BOUNDARY_H
#define FILCH_PANIC_BOUNDARY_H

#ifndef FILCH_PORTABLE_CONTEXT
#define FILCH_PORTABLE_CONTEXT 0
#endif

/* Which of the three files is more than an empty one. */
#if defined(__x86_64__) && !FILCH_PORTABLE_CONTEXT
#define FILCH_BOUNDARY_X86_64 1
#define FILCH_BOUNDARY_AARCH64 0
#define FILCH_BOUNDARY_PORTABLE 0
#elif defined(__aarch64__) && !FILCH_PORTABLE_CONTEXT
#define FILCH_BOUNDARY_X86_64 0
#define FILCH_BOUNDARY_AARCH64 1
#define FILCH_BOUNDARY_PORTABLE 0
#else
#define FILCH_BOUNDARY_X86_64 0
#define FILCH_BOUNDARY_AARCH64 0
#define FILCH_BOUNDARY_PORTABLE 1
#endif

/* What the unwind information of a boundary points to as its personality's data, unless nothing lands
 * there: these letters, by which it is known, and behind them the code. */
#define BOUNDARY_LETTERS "FLCHLAND"

#ifndef __ASSEMBLER__

#include <filch/attr.h>
#include <unwind.h>

/* The lowest part of a boundary's frame: where its stack pointer is while it calls. */
struct boundary_frame {
    union {
        const void *mark;    /* of those where a panic lands */
        const char *message; /* of filch__try_nothing */
    };
};

_Unwind_Reason_Code filch__try_personality(int version, _Unwind_Action actions,
                                           _Unwind_Exception_Class class,
                                           struct _Unwind_Exception *exception,
                                           struct _Unwind_Context *context);
/* The same, of the boundaries in users' programs (filch/inline/boundary.h). */
FILCH_API __typeof__(filch__try_personality) filch__boundary_personality;
_Unwind_Reason_Code filch__try_task_personality(int version, _Unwind_Action actions,
                                                _Unwind_Exception_Class class,
                                                struct _Unwind_Exception *exception,
                                                struct _Unwind_Context *context);
_Unwind_Reason_Code filch__try_nothing_personality(int version, _Unwind_Action actions,
                                                   _Unwind_Exception_Class class,
                                                   struct _Unwind_Exception *exception,
                                                   struct _Unwind_Context *context);

#endif

#endif
