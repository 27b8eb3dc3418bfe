/* SPDX-License-Identifier: Apache-2.0 */
/* The report of a panic: one write, so that those of several threads do not mix. */
#define _GNU_SOURCE /* gettid */
#include "panic/panic.h"

#include "os/env.h"
#include "os/os.h"
#include "panic/symbols.h"
#include "park/waiter.h"

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
    REPORT_BYTES = 16 * 1024,
    SMALL_REPORT_BYTES = 512, /* where there is no memory for more */
    FRAMES_MAX = 64,
};

__thread const char *filch__panic_thread_name __attribute__((tls_model("initial-exec")));

struct report {
    char *text;
    size_t size_bytes;
    size_t length;
    unsigned frames;
};

static __attribute__((format(printf, 2, 3))) void append(struct report *report, const char *format,
                                                         ...)
{
    va_list arguments;
    va_start(arguments, format);
    size_t room = report->size_bytes - report->length;
    int length = vsnprintf(report->text + report->length, room, format, arguments);
    va_end(arguments);
    if (length > 0)
        report->length += (size_t)length < room ? (size_t)length : room - 1;
}

static const char *thread_name(void)
{
    if (filch__panic_thread_name != NULL)
        return filch__panic_thread_name;
    return gettid() == getpid() ? "main" : "<unnamed>";
}

static void append_head(struct report *report, const struct filch_panic *panic)
{
    append(report, "thread '%s'", thread_name());
    const struct waiter_ops *ops = filch__waiter_kind.ops;
    const char *task = ops->task_name != NULL ? ops->task_name() : NULL;
    if (task != NULL)
        append(report, ", task '%s',", task);
    append(report, " panicked");
    if (panic->file != NULL)
        append(report, " at %s:%d", panic->file, panic->line);
    if (panic->type == NULL)
        append(report, ": %s\n", panic->message);
    else
        append(report, ": a payload of type '%s'\n", panic->type);
}

static _Unwind_Reason_Code append_frame(struct _Unwind_Context *context, void *argument)
{
    struct report *report = argument;
    if (report->frames == FRAMES_MAX)
        return _URC_END_OF_STACK;
    uintptr_t address = (uintptr_t)_Unwind_GetIP(context);
    if (address == 0)
        return _URC_END_OF_STACK;
    address--; /* within the call */
    struct symbol symbol;
    filch__symbol_find(address, &symbol);
    if (symbol.file == NULL)
        append(report, "  %2u: %#zx\n", report->frames, (size_t)address);
    else
        append(report, "  %2u: %s (%s+%#zx)\n", report->frames,
               symbol.function[0] != '\0' ? symbol.function : "?", symbol.file,
               (size_t)symbol.offset);
    report->frames++;
    return _URC_NO_REASON;
}

static bool wants_backtrace(void)
{
    static const char *const words[] = {"0", "1"};
    size_t chosen = 0;
    return filch__env_word("FILCH_BACKTRACE", words, 2, &chosen) == 0 && chosen == 1;
}

void filch_panic_report(const struct filch_panic *panic)
{
    int saved_errno = errno;
    char small[SMALL_REPORT_BYTES];
    char *large = filch__os->alloc(REPORT_BYTES, 1);
    struct report report = {.text = large != NULL ? large : small,
                            .size_bytes = large != NULL ? REPORT_BYTES : sizeof small};
    append_head(&report, panic);
    if (wants_backtrace()) {
        append(&report, "stack backtrace:\n");
        (void)_Unwind_Backtrace(append_frame, &report);
    }
    report.text[report.length - 1] = '\n'; /* also where it was cut */
    ssize_t written = write(STDERR_FILENO, report.text, report.length);
    (void)written; /* nothing is left to do where it fails */
    filch__os->free(large);
    errno = saved_errno;
}
