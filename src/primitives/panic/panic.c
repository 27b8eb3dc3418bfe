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

/* The walk of a whole stack has come to the entry of the program. */
static _Unwind_Reason_Code look_for_entry(struct _Unwind_Context *context, void *found)
{
    uintptr_t address = (uintptr_t)_Unwind_GetIP(context);
    void *function = _Unwind_FindEnclosingFunction((void *)(address - 1));
    if ((uintptr_t)function == (uintptr_t)getauxval(AT_ENTRY))
        *(bool *)found = true;
    return _URC_NO_REASON;
}

static bool is_below_main(void)
{
    bool found = false;
    if (gettid() == getpid())
        (void)_Unwind_Backtrace(look_for_entry, &found);
    return found;
}

static _Unwind_Reason_Code leave_main(int version, _Unwind_Action actions,
                                      _Unwind_Exception_Class class,
                                      struct _Unwind_Exception *exception,
                                      struct _Unwind_Context *context, void *unused)
{
    (void)version;
    (void)class;
    (void)exception;
    (void)context;
    (void)unused;
    if ((actions & _UA_END_OF_STACK) != 0) {
        filch__panic_make_current(NULL);
        exit(EXIT_PANICKED);
    }
    return _URC_NO_REASON;
}

extern void __asan_handle_no_return(void) __attribute__((weak));

/* Nothing has been unwound yet. */
static FILCH_NORETURN void no_boundary(struct filch_panic *panic)
{
    FILCH_CHECK(panic->outer == NULL, "a panic left a cleanup handler during another panic");
    if (is_below_main()) {
        if (__asan_handle_no_return != NULL)
            __asan_handle_no_return();
        (void)_Unwind_ForcedUnwind(&panic->unwind, leave_main, NULL);
    }
    filch__abort("a panic found no boundary: its thread has none, or a frame cannot be unwound",
                 __FILE__, __LINE__);
}

/* Inline, and so is who calls it: each frame between a panic and its user's code is unwound twice, which
 * costs 90 ns each time. */
static FILCH_ALWAYS_INLINE FILCH_NORETURN void raise_panic(struct filch_panic *panic)
{
    panic->outer = filch__panic_current;
    panic->target = NULL;
    panic->has_mark = false;
    panic->unwind = (struct _Unwind_Exception){.exception_class = PANIC_CLASS,
                                               .exception_cleanup = is_swallowed};
    filch__panic_make_current(panic);
    panic_settle_fn *settle = FILCH_LOAD_RELAXED(&filch__panic_settle); /* code, set by a caller */
    if (settle != NULL)
        settle(panic);
    (void)filch__boundary_raise(panic);
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

void filch__panic_reaches(struct filch_panic *panic, const void *boundary)
{
    const struct filch_panic *outer = panic != NULL ? panic->outer : filch__panic_current;
    for (; outer != NULL; outer = outer->outer)
        FILCH_CHECK(outer->target != boundary,
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
