/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE /* gettid */
#include "panic/panic.h"

#include "base/check.h"
#include "os/os.h"
#include "park/waiter.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

/* What the unwinder knows our exceptions by: "FLCH" and "C\0\0\0", vendor and language. */
#define PANIC_CLASS UINT64_C(0x464c434843000000)

enum { EXIT_PANICKED = 101 };

__thread struct filch_panic *filch__panic_current __attribute__((tls_model("initial-exec")));

__thread bool filch__panic_is_bounded __attribute__((tls_model("initial-exec")));

FILCH_SHARED(panic_settle_fn *) filch__panic_settle;

static FILCH_SHARED(filch_panic_hook *) current_hook = filch_panic_report;

/* --- making and freeing --- */

static struct filch_panic *panic_new(size_t message_bytes)
{
    struct filch_panic *panic =
        filch__os->alloc(sizeof *panic + message_bytes, _Alignof(struct filch_panic));
    FILCH_CHECK(panic != NULL, "no memory for a panic");
    memset(panic, 0, sizeof *panic);
    panic->message[0] = '\0';
    return panic;
}

void filch_panic_free(struct filch_panic *panic)
{
    if (panic == NULL)
        return;
    if (panic->drop != NULL)
        filch__try_nothing(panic->drop, panic->payload, "the drop function of a panic panicked");
    if (panic->foreign != NULL)
        _Unwind_DeleteException(panic->foreign);
    filch__os->free(panic);
}

void filch__panic_join(struct filch_panic *first, struct filch_panic *other)
{
    first->others += 1 + other->others;
    filch_panic_free(other);
}

/* --- raising --- */

struct filch_panic *filch__panic_of(struct _Unwind_Exception *exception)
{
    if (exception->exception_class != PANIC_CLASS)
        return NULL;
    return FILCH_CONTAINER_OF(exception, struct filch_panic, unwind);
}

/* Somebody else has contained a panic: a C++ handler that did not rethrow. */
static void is_swallowed(_Unwind_Reason_Code reason, struct _Unwind_Exception *exception)
{
    (void)reason;
    (void)exception;
    filch__abort("a panic was swallowed by a C++ catch (...), which has to rethrow it", __FILE__,
                 __LINE__);
}

static FILCH_NORETURN void no_boundary(const struct filch_panic *panic)
{
    FILCH_CHECK(panic->outer == NULL, "a panic left a cleanup handler during another panic");
    filch__abort("a panic found no boundary: its thread has none, or a frame cannot be unwound",
                 __FILE__, __LINE__);
}

/* A panic has come to the end of a stack, or to a frame that cannot be unwound. */
static FILCH_NORETURN FILCH_COLD void leave_stack(const struct filch_panic *panic)
{
    void *last = _Unwind_FindEnclosingFunction((void *)((uintptr_t)panic->code - 1));
    if ((uintptr_t)last != (uintptr_t)getauxval(AT_ENTRY))
        no_boundary(panic);
    filch__panic_make_current(NULL);
    exit(EXIT_PANICKED);
}

/* Called for each frame that a panic leaves without a search. */
static _Unwind_Reason_Code leave_frame(int version, _Unwind_Action actions,
                                       _Unwind_Exception_Class class,
                                       struct _Unwind_Exception *exception,
                                       struct _Unwind_Context *context, void *argument)
{
    struct filch_panic *panic = argument;
    (void)version;
    (void)class;
    (void)exception;
    if ((actions & _UA_END_OF_STACK) != 0)
        leave_stack(panic);
    panic->reached = (const void *)(uintptr_t)_Unwind_GetCFA(context);
    panic->code = (const void *)(uintptr_t)_Unwind_GetIP(context);
    return _URC_NO_REASON;
}

/* Whether this is the thread of main, which ends where no boundary is found; asked once. */
static bool is_main(void)
{
    static __thread enum { UNKNOWN, YES, NO } answer __attribute__((tls_model("initial-exec")));
    if (FILCH_UNLIKELY(answer == UNKNOWN))
        answer = gettid() == getpid() ? YES : NO;
    return answer == YES;
}

extern void __asan_handle_no_return(void) __attribute__((weak));

/* Leaves frame by frame, up to a boundary or the end of the stack. Nobody looks beforehand which of the two
 * will come: that would be to visit each frame once more. */
static FILCH_ALWAYS_INLINE FILCH_NORETURN void leave_frames(struct filch_panic *panic)
{
    if (__asan_handle_no_return != NULL)
        __asan_handle_no_return();
    (void)_Unwind_ForcedUnwind(&panic->unwind, leave_frame, panic);
    no_boundary(panic);
}

/* Inline, and so is who calls it: each frame between a panic and its user's code is unwound, which costs 90 ns. */
static FILCH_ALWAYS_INLINE FILCH_NORETURN void raise_panic(struct filch_panic *panic)
{
    panic->outer = filch__panic_current;
    panic->target = NULL;
    panic->reached = NULL;
    panic->has_mark = false;
    panic->unwind = (struct _Unwind_Exception){.exception_class = PANIC_CLASS,
                                               .exception_cleanup = is_swallowed};
    filch__panic_make_current(panic);
    panic_settle_fn *settle = FILCH_LOAD_RELAXED(&filch__panic_settle); /* code, set by a caller */
    if (settle != NULL)
        settle(panic);
    bool is_first = panic->outer == NULL;
    if (!FILCH_BOUNDARY_PORTABLE && is_first && (filch__panic_is_bounded || is_main()))
        leave_frames(panic);
    filch__boundary_raise(panic);
    if (FILCH_BOUNDARY_PORTABLE && is_first && is_main())
        leave_frames(panic);
    no_boundary(panic);
}

static FILCH_ALWAYS_INLINE FILCH_NORETURN void begin(struct filch_panic *panic)
{
    struct filch_panic *outer = filch__panic_current;
    FILCH_CHECK(outer == NULL || !outer->is_in_hook, "a panic hook panicked");
    panic->is_in_hook = true;
    filch__panic_make_current(panic);
    FILCH_LOAD(&current_hook, PN_hook, acquire)(panic);
    panic->is_in_hook = false;
    filch__panic_make_current(outer);
    raise_panic(panic);
}

void filch__panic(const char *file, int line, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    size_t message_bytes = length < 0 ? 1 : (size_t)length + 1;
    struct filch_panic *panic = panic_new(message_bytes);
    va_start(arguments, format);
    (void)vsnprintf(panic->message, message_bytes, format, arguments);
    va_end(arguments);
    panic->file = file;
    panic->line = line;
    begin(panic);
}

void filch__panic_any(const char *file, int line, void *payload, const char *type,
                      void (*drop)(void *))
{
    struct filch_panic *panic = panic_new(1);
    panic->file = file;
    panic->line = line;
    panic->payload = payload;
    panic->type = type == NULL ? "" : type;
    panic->drop = drop;
    begin(panic);
}

void filch_resume_unwind(struct filch_panic *panic)
{
    FILCH_CHECK(panic != NULL, "filch_resume_unwind: the panic is NULL");
    raise_panic(panic);
}

/* --- containing --- */

/* A walk from a handler up to a boundary. */
struct walk {
    uintptr_t from; /* where the frame had its stack pointer whose handler it may be */
    uintptr_t boundary;
    bool leaves; /* the handler */
};

static _Unwind_Reason_Code look_for_handler(struct _Unwind_Context *context, void *argument)
{
    struct walk *walk = argument;
    const uintptr_t frame = (uintptr_t)_Unwind_GetCFA(context);
    if (frame >= walk->boundary)
        return _URC_END_OF_STACK; /* stops the walk */
    /* A frame that has a handler has such data. */
    walk->leaves = walk->leaves || (frame >= walk->from &&
                                    (uintptr_t)_Unwind_GetLanguageSpecificData(context) != 0);
    return _URC_NO_REASON;
}

/* Whether a boundary that was found lies in the handler that runs because of a panic, and not behind it. */
static bool is_in_handler(const struct filch_panic *outer, const void *boundary)
{
    struct walk walk = {.from = (uintptr_t)outer->reached, .boundary = (uintptr_t)boundary};
    if (outer->reached == NULL)
        return outer->target != boundary;
    /* Stacks grow downwards: what is below the frame that is being left is the handler's. */
    if (walk.boundary < walk.from)
        return true;
    /* Above may be what that frame has freed since: arguments of the call, arrays of an inner block. */
    (void)_Unwind_Backtrace(look_for_handler, &walk);
    return !walk.leaves;
}

void filch__panic_reaches(struct filch_panic *panic, const void *boundary)
{
    const struct filch_panic *outer = panic != NULL ? panic->outer : filch__panic_current;
    for (; outer != NULL; outer = outer->outer)
        FILCH_CHECK(is_in_handler(outer, boundary),
                    "a panic left a cleanup handler during another panic");
    if (panic != NULL)
        panic->target = boundary;
}

static struct filch_panic *of_foreign(struct _Unwind_Exception *exception)
{
    static const char text[] = "an exception of another language";
    struct filch_panic *panic = panic_new(sizeof text);
    memcpy(panic->message, text, sizeof text);
    panic->foreign = exception;
    panic->outer = filch__panic_current;
    panic->is_in_hook = true;
    filch__panic_make_current(panic);
    FILCH_LOAD(&current_hook, PN_hook, acquire)(panic);
    panic->is_in_hook = false;
    return panic;
}

int filch__panic_landed(struct _Unwind_Exception *exception, struct filch_panic **out)
{
    struct filch_panic *panic = filch__panic_of(exception);
    if (panic == NULL)
        panic = of_foreign(exception);
    filch__panic_make_current(panic->outer);
    panic->outer = NULL;
    if (out != NULL)
        *out = panic;
    else
        filch_panic_free(panic);
    return EOWNERDEAD;
}

/* --- questions --- */

const char *filch_panic_message(const struct filch_panic *panic)
{
    return panic->type == NULL ? panic->message : NULL;
}

void *filch_panic_payload(const struct filch_panic *panic, const char *type)
{
    bool is_of_type = panic->type != NULL && type != NULL && strcmp(panic->type, type) == 0;
    return is_of_type ? panic->payload : NULL;
}

const char *filch_panic_file(const struct filch_panic *panic)
{
    return panic->file;
}

int filch_panic_line(const struct filch_panic *panic)
{
    return panic->line;
}

size_t filch_panic_others(const struct filch_panic *panic)
{
    return panic->others;
}

filch_panic_hook *filch_panic_set_hook(filch_panic_hook *hook)
{
    return FILCH_EXCHANGE(&current_hook, hook != NULL ? hook : filch_panic_report, PN_hook,
                          acq_rel);
}
