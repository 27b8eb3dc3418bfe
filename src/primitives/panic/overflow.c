/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE /* registers of a signal's context, gettid */
#include "panic/overflow.h"

#include "base/atomic.h"
#include "panic/panic.h"
#include "park/waiter.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/auxv.h>
#include <ucontext.h>
#include <unistd.h>

enum {
    /* How far from its stack pointer a function touches its frame: below by a call or the probes of a
     * large frame, above where such a frame has been skipped. */
    NEAR_BELOW_BYTES = 128 * 1024,
    NEAR_ABOVE_BYTES = 1024 * 1024,
    LINE_BYTES = 512,
    LEAST_BYTES = 4096, /* of the room, for the handler itself */
};

/* In the first frame of the calling thread; NULL: it is not watched. */
static __thread const char *watched __attribute__((tls_model("initial-exec")));

static uintptr_t stack_pointer_of(const ucontext_t *context)
{
#if defined(__x86_64__)
    return (uintptr_t)context->uc_mcontext.gregs[REG_RSP];
#elif defined(__aarch64__)
    return (uintptr_t)context->uc_mcontext.sp;
#else
    (void)context;
    return 0;
#endif
}

/* Whether the thread's own stack ends there: memory that is not there, at the end of what is in use. */
static bool is_end_of_thread(uintptr_t address, const ucontext_t *context)
{
    uintptr_t pointer = stack_pointer_of(context);
    return watched != NULL && address < (uintptr_t)watched &&
           address + NEAR_BELOW_BYTES > pointer && address < pointer + NEAR_ABOVE_BYTES &&
           pointer < (uintptr_t)watched;
}

struct line {
    char text[LINE_BYTES];
    size_t length;
};

static void append(struct line *line, const char *text)
{
    size_t count = strlen(text);
    if (count > sizeof line->text - line->length)
        count = sizeof line->text - line->length;
    memcpy(line->text + line->length, text, count);
    line->length += count;
}

/* Only what a signal handler may call. */
static void say(bool is_task)
{
    const struct waiter_ops *ops = filch__waiter_kind.ops;
    const char *thread = filch__panic_thread_name;
    if (thread == NULL && gettid() == getpid())
        thread = "main";
    const char *task = ops->task_name != NULL ? ops->task_name() : NULL;
    struct line line = {.length = 0};
    append(&line, "filch: ");
    if (task != NULL) {
        append(&line, "task '");
        append(&line, task);
        append(&line, "' on '");
    } else {
        append(&line, is_task ? "a task on '" : "thread '");
    }
    append(&line, thread != NULL ? thread : "<unnamed>");
    append(&line, "' has overflowed its stack\n");
    ssize_t written = write(STDERR_FILENO, line.text, line.length);
    (void)written; /* nothing is left to do where it fails */
}

static void handle(int number, siginfo_t *info, void *context)
{
    uintptr_t address = (uintptr_t)info->si_addr;
    const struct waiter_ops *ops = filch__waiter_kind.ops;
    bool is_task = ops->is_guard != NULL && ops->is_guard(info->si_addr);
    if (is_task || is_end_of_thread(address, context))
        say(ops->task_name != NULL);
    /* The access is tried again, and ends the process as if nobody had looked. */
    struct sigaction action = {.sa_handler = SIG_DFL};
    (void)sigaction(number, &action, NULL);
    if (info->si_code <= 0)
        (void)raise(number); /* somebody has sent it: no access is tried again */
}

enum handler_state { HANDLER_UNKNOWN, HANDLER_INSTALLED, HANDLER_NOT_OURS };

static FILCH_SHARED(uint32_t) known; /* enum handler_state */

static enum handler_state install(void)
{
    struct sigaction action;
    if (getauxval(AT_MINSIGSTKSZ) + LEAST_BYTES > OVERFLOW_ROOM_BYTES ||
        sigaction(SIGSEGV, NULL, &action) != 0 || (action.sa_flags & SA_SIGINFO) != 0 ||
        action.sa_handler != SIG_DFL)
        return HANDLER_NOT_OURS; /* the program's own, which asks for a stack where it wants one */
    action = (struct sigaction){.sa_flags = SA_SIGINFO | SA_ONSTACK};
    action.sa_sigaction = handle;
    return sigaction(SIGSEGV, &action, NULL) == 0 ? HANDLER_INSTALLED : HANDLER_NOT_OURS;
}

/* Whether there is a use for rooms: the handler was installed, by the first thread that asked. */
static bool is_installed(void)
{
    uint32_t state = FILCH_LOAD_RELAXED(&known); /* a look */
    if (state != HANDLER_UNKNOWN)
        return state == HANDLER_INSTALLED;
    /* Who asks meanwhile has a room too many. */
    if (FILCH_EXCHANGE(&known, HANDLER_INSTALLED, OV_install, relaxed) == HANDLER_UNKNOWN)
        FILCH_STORE_RELAXED(&known, install());             /* nothing else depends on it */
    return FILCH_LOAD_RELAXED(&known) == HANDLER_INSTALLED; /* as above */
}

void filch__overflow_watch(char *room, const void *base)
{
    if (!is_installed())
        return;
    const stack_t stack = {.ss_sp = room, .ss_size = OVERFLOW_ROOM_BYTES};
    stack_t before;
    if (sigaltstack(&stack, &before) != 0)
        return;
    if ((before.ss_flags & SS_DISABLE) == 0)
        (void)sigaltstack(&before, NULL); /* there was one already, which serves as well */
    watched = base;
}

void filch__overflow_watch_caller(void)
{
    static char room[OVERFLOW_ROOM_BYTES];
    static __thread bool has_asked __attribute__((tls_model("initial-exec")));
    if (FILCH_LIKELY(has_asked))
        return;
    has_asked = true;
    if (watched == NULL && gettid() == getpid())
        filch__overflow_watch(room, __builtin_frame_address(0));
}

bool filch__overflow_wants_room(void)
{
    return watched == NULL && FILCH_LOAD_RELAXED(&known) == HANDLER_INSTALLED; /* a look */
}

void filch__overflow_forget(const char *room)
{
    const stack_t none = {.ss_flags = SS_DISABLE};
    stack_t before;
    int saved_errno = errno;
    if (watched == NULL)
        return;
    watched = NULL;
    if (sigaltstack(&none, &before) == 0 && before.ss_sp != room)
        (void)sigaltstack(&before, NULL); /* somebody else's */
    errno = saved_errno;
}
