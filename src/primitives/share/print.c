/* SPDX-License-Identifier: Apache-2.0 */
#include <filch/print.h>

#include "base/check.h"
#include "os/os.h"
#include "park/lock.h"
#include "park/park.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
    SHORT_BYTES = 512,     /* lines up to here are formatted on the stack */
    RETRY_NS = 1000 * 1000 /* until a file that does not block is looked at again */
};

/* Who writes: a thread, or a task on it. */
struct writer {
    const void *thread;
    const void *task; /* NULL: none */
};

/* Lives in the frame of the wait. */
struct queued {
    struct waiter waiter;
    struct writer writer; /* const */
    struct queued *next;  /* under the stream's lock */
};

struct stream {
    int file;
    struct lock lock;     /* of what follows */
    struct writer writer; /* where depth > 0 */
    unsigned depth;       /* how often the writer has locked it; 0: free */
    struct queued *first; /* of those that wait for it */
    struct queued **end;
};

static struct stream out = {.file = STDOUT_FILENO, .end = &out.first};
static struct stream err = {.file = STDERR_FILENO, .end = &err.first};

static struct writer self(void)
{
    /* Any thread-local variable tells one thread from another. */
    return (struct writer){&filch__waiter_kind, filch__waiter_kind.sleeper};
}

/* What a thread has taken outside of a pool, it has in every call within, and so do the tasks that it
 * helps with there: all of them are the call's own. */
static bool is_writer(const struct stream *s, const struct writer *w)
{
    return s->depth > 0 &&
           (s->writer.task == NULL ? s->writer.thread == w->thread : s->writer.task == w->task);
}

/* Takes the stream, or enters its queue. Returns true: the caller has to wait. */
static bool take_or_queue(struct stream *s, struct queued *q)
{
    q->writer = self();
    filch__lock(&s->lock);
    bool must_wait = s->depth > 0 && !is_writer(s, &q->writer);
    if (must_wait) {
        filch__waiter_init(&q->waiter);
        q->next = NULL;
        *s->end = q;
        s->end = &q->next;
    } else if (s->depth++ == 0) {
        s->writer = q->writer;
    }
    filch__unlock(&s->lock);
    return must_wait;
}

static void take(struct stream *s)
{
    struct queued q;
    if (take_or_queue(s, &q))
        (void)filch__park_through(&q.waiter, FILCH_FOREVER); /* it is handed over */
}

/* Takes one that has given up out of the queue. Returns false: the stream was handed to it. */
static bool take_back(struct stream *s, struct queued *q)
{
    filch__lock(&s->lock);
    struct queued **link = &s->first;
    while (*link != NULL && *link != q)
        link = &(*link)->next;
    bool was_queued = *link != NULL;
    if (was_queued) {
        *link = q->next;
        if (s->end == &q->next)
            s->end = link;
    }
    filch__unlock(&s->lock);
    return was_queued;
}

static int take_until(struct stream *s, int64_t deadline)
{
    struct queued q;
    if (!take_or_queue(s, &q))
        return 0;
    int error = filch__park(&q.waiter, deadline);
    if (error == 0 || take_back(s, &q))
        return error;
    return filch__park_through(&q.waiter, FILCH_FOREVER); /* its wake-up is due */
}

static void give(struct stream *s)
{
    struct writer w = self();
    filch__lock(&s->lock);
    FILCH_CHECK(is_writer(s, &w), "standard output was unlocked by somebody who had not locked it");
    struct queued *next = NULL;
    if (--s->depth == 0 && s->first != NULL) {
        next = s->first;
        s->first = next->next;
        if (s->first == NULL)
            s->end = &s->first;
        s->writer = next->writer;
        s->depth = 1;
    }
    filch__unlock(&s->lock);
    if (next != NULL)
        filch__unpark(&next->waiter);
}

/* --- fork(2) --- */

static void lock_both(void)
{
    filch__lock(&out.lock);
    filch__lock(&err.lock);
}

static void unlock_both(void)
{
    filch__unlock(&err.lock);
    filch__unlock(&out.lock);
}

/* Others that wrote or waited are not in this process. */
static void forget_others(struct stream *s)
{
    struct writer here = self();
    if (s->depth > 0 && s->writer.thread != here.thread && !is_writer(s, &here))
        s->depth = 0;
    s->first = NULL;
    s->end = &s->first;
}

static void after_fork_in_child(void)
{
    forget_others(&out);
    forget_others(&err);
    unlock_both();
}

/* Without memory for the handlers, only a forked child could be the worse for it. */
static void watch_forks(void)
{
    static struct lock lock;
    static FILCH_SHARED(uint32_t) is_watching; /* written under the lock */
    if (FILCH_LOAD(&is_watching, PT_watch, acquire) != 0)
        return;
    filch__lock(&lock);
    if (FILCH_LOAD_RELAXED(&is_watching) == 0 /* under the lock */ &&
        pthread_atfork(lock_both, unlock_both, after_fork_in_child) == 0)
        FILCH_STORE(&is_watching, 1, PT_watch, release);
    filch__unlock(&lock);
}

/* --- lines --- */

static void wait_a_little(void)
{
    struct waiter nobody_wakes;
    filch__waiter_init(&nobody_wakes);
    (void)filch__park_through(&nobody_wakes, filch_deadline_in(RETRY_NS));
}

/* The stream is ours. */
static int write_all(int file, const char *text, size_t size_bytes)
{
    while (size_bytes > 0) {
        size_t written = 0;
        int error = filch__os->write(file, text, size_bytes, &written);
        if (error == EAGAIN)
            wait_a_little();
        else if (error != 0 && error != EINTR)
            return error;
        text += written;
        size_bytes -= written;
    }
    return 0;
}

/*   line  of `length` bytes, and room for one more */
static int write_line(struct stream *s, char *line, size_t length)
{
    if (length == 0 || line[length - 1] != '\n')
        line[length++] = '\n';
    watch_forks();
    take(s);
    int error = write_all(s->file, line, length);
    give(s);
    return error;
}

/* A function of its own: what waits meanwhile may go on with another thread, and compilers take the address of
 * errno for a constant. */
__attribute__((noinline)) static void restore_errno(int saved)
{
    errno = saved;
}

static int print_to(struct stream *s, const char *format, va_list arguments)
{
    char text[SHORT_BYTES];
    char *line = text;
    int saved_errno = errno;
    va_list again;
    va_copy(again, arguments);
    int length = vsnprintf(text, sizeof text, format, arguments);
    int error = length < 0 ? EINVAL : 0;
    if (error == 0 && (size_t)length + 1 >= sizeof text) { /* no room for a newline */
        line = filch__os->alloc((size_t)length + 2, 1);
        if (line == NULL)
            error = ENOMEM;
        else if (vsnprintf(line, (size_t)length + 1, format, again) != length)
            error = EINVAL; /* an argument has changed meanwhile */
    }
    va_end(again);
    if (error == 0)
        error = write_line(s, line, (size_t)length);
    if (line != text)
        filch__os->free(line);
    restore_errno(saved_errno);
    return error;
}

int filch_print(const char *format, ...)
{
    if (format == NULL)
        return EINVAL;
    va_list arguments;
    va_start(arguments, format);
    int error = print_to(&out, format, arguments);
    va_end(arguments);
    return error;
}

int filch_eprint(const char *format, ...)
{
    if (format == NULL)
        return EINVAL;
    va_list arguments;
    va_start(arguments, format);
    int error = print_to(&err, format, arguments);
    va_end(arguments);
    return error;
}

void filch_stdout_lock(void)
{
    watch_forks();
    take(&out);
}

int filch_stdout_lock_until(int64_t deadline)
{
    watch_forks();
    return take_until(&out, deadline);
}

void filch_stdout_unlock(void)
{
    give(&out);
}
