/* SPDX-License-Identifier: Apache-2.0 */
/* What AddressSanitizer, ThreadSanitizer and Valgrind have to be told about stacks: real calls
 * where one of them is built in, empty functions elsewhere, so that nobody else needs to know.
 *
 *     created(fiber)                      once, before its first switch
 *     leaves(from, to) .. arrived(from)   around a switch; the latter when something has switched
 *                                         back to `from`
 *     leaves_for_good(from, to)           before the last switch of a fiber that has ended
 *     destroyed(fiber, stopped)           before its stack is used again
 *
 * AddressSanitizer needs the bounds of the stack that is about to run, and reports those of the one
 * that was left; this is how a thread's own stack becomes known.
 *
 * ThreadSanitizer counts for the other stack from the call in `leaves` on, so nothing that enters
 * or leaves an instrumented function may come between that call and the switch: these functions are
 * inlined even where nothing else is, and the switch is not instrumented. It is told that whatever
 * a stack did before a switch happens before what the next one does (flag 0). That is true of one
 * thread, but hides a race between two tasks that this run put on the same worker and another run
 * might not. Without it every hand-over through a worker's plain fields would be reported.
 *
 * LeakSanitizer does not look into stacks that are not running: memory that only a task still
 * waiting when the process exits knows of is reported as leaked.
 *
 * Valgrind is told of each stack when the library is built with -DFILCH_VALGRIND=1, and takes a
 * jump between two of them for what it is.
 */
#ifndef FILCH_FIBER_ANNOTATE_H
#define FILCH_FIBER_ANNOTATE_H

#include <filch/attr.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifndef FILCH_VALGRIND
#define FILCH_VALGRIND 0
#endif

#ifdef __has_feature
#define FILCH_HAS_FEATURE(name) __has_feature(name)
#else
#define FILCH_HAS_FEATURE(name) 0
#endif

#if defined(__SANITIZE_ADDRESS__) || FILCH_HAS_FEATURE(address_sanitizer)
#define FILCH_ASAN 1
#else
#define FILCH_ASAN 0
#endif

#if defined(__SANITIZE_THREAD__) || FILCH_HAS_FEATURE(thread_sanitizer)
#define FILCH_TSAN 1
#else
#define FILCH_TSAN 0
#endif

/* For a function that reads stack memory which no variable owns. */
#define FILCH_NO_SANITIZE __attribute__((no_sanitize_address, no_sanitize_thread, noinline))

/* Of one stack, of a fiber or of a thread. The same in every build, so that a debugger's script
 * need not ask; and of a size that puts what a switch needs, behind it in struct fiber, on one line. Owner
 * only. */
struct annotation {
    const char *low;           /* bounds of the stack; of a thread's own known once it is left */
    size_t size_bytes;         /* 0: not known */
    struct annotation *before; /* the one that ran before this one was switched to */
    union {                    /* of the one tool there is */
        void *asan_fake_stack;
        void *tsan_fiber;
        unsigned valgrind_stack;
    };
};

#if FILCH_ASAN

#include <sanitizer/asan_interface.h>

static FILCH_ALWAYS_INLINE void filch__asan_leaves(struct annotation *from, struct annotation *to)
{
    to->before = from;
    __sanitizer_start_switch_fiber(&from->asan_fake_stack, to->low, to->size_bytes);
}

static FILCH_ALWAYS_INLINE void filch__asan_arrived(struct annotation *self)
{
    const void *low;
    size_t size_bytes;
    __sanitizer_finish_switch_fiber(self->asan_fake_stack, &low, &size_bytes);
    self->before->low = low;
    self->before->size_bytes = size_bytes;
}

/* NULL: the fake frames of the stack that is left are freed. */
static FILCH_ALWAYS_INLINE void filch__asan_leaves_for_good(struct annotation *from,
                                                            struct annotation *to)
{
    to->before = from;
    from->asan_fake_stack = NULL;
    __sanitizer_start_switch_fiber(NULL, to->low, to->size_bytes);
}

/* The fake frames of a fiber that has not ended are freed only by a switch away from it: for so long, this
 * thread seems to run on it. */
static FILCH_NO_SANITIZE void filch__asan_free_fake_stack(struct annotation *of)
{
    void *mine;
    const void *low;
    size_t size_bytes;
    __sanitizer_start_switch_fiber(&mine, of->low, of->size_bytes);
    __sanitizer_finish_switch_fiber(of->asan_fake_stack, &low, &size_bytes);
    __sanitizer_start_switch_fiber(NULL, low, size_bytes);
    __sanitizer_finish_switch_fiber(mine, NULL, NULL);
}

/* The frames that never returned have left their red zones behind. They lie above the point where
 * the fiber stopped, or not more than a page below it, in what the switch itself needs. */
static inline void filch__asan_destroyed(struct annotation *self, const void *stopped)
{
    uintptr_t low = (uintptr_t)self->low;
    uintptr_t top = low + self->size_bytes;
    uintptr_t first = (uintptr_t)stopped - 4096;
    if (first < low || first > top)
        first = low;
    __asan_unpoison_memory_region((void *)first, top - first);
    if (self->asan_fake_stack != NULL)
        filch__asan_free_fake_stack(self);
}

#else

static FILCH_ALWAYS_INLINE void filch__asan_leaves(struct annotation *from, struct annotation *to)
{
    (void)from;
    (void)to;
}

static FILCH_ALWAYS_INLINE void filch__asan_arrived(struct annotation *self)
{
    (void)self;
}

static FILCH_ALWAYS_INLINE void filch__asan_leaves_for_good(struct annotation *from,
                                                            struct annotation *to)
{
    (void)from;
    (void)to;
}

static inline void filch__asan_destroyed(struct annotation *self, const void *stopped)
{
    (void)self;
    (void)stopped;
}

#endif

#if FILCH_TSAN

#include <sanitizer/tsan_interface.h>

static inline void *filch__tsan_current(void)
{
    return __tsan_get_current_fiber();
}

static inline void filch__tsan_created(struct annotation *self)
{
    self->tsan_fiber = __tsan_create_fiber(0);
}

static FILCH_ALWAYS_INLINE void filch__tsan_leaves(struct annotation *to)
{
    __tsan_switch_to_fiber(to->tsan_fiber, 0);
}

static inline void filch__tsan_destroyed(struct annotation *self)
{
    __tsan_destroy_fiber(self->tsan_fiber);
}

#else

static inline void *filch__tsan_current(void)
{
    return NULL;
}

static inline void filch__tsan_created(struct annotation *self)
{
    (void)self;
}

static FILCH_ALWAYS_INLINE void filch__tsan_leaves(struct annotation *to)
{
    (void)to;
}

static inline void filch__tsan_destroyed(struct annotation *self)
{
    (void)self;
}

#endif

#if FILCH_VALGRIND

#include <valgrind/valgrind.h>

static inline void filch__valgrind_created(struct annotation *self)
{
    self->valgrind_stack =
        (unsigned)VALGRIND_STACK_REGISTER(self->low, self->low + self->size_bytes);
}

static inline void filch__valgrind_destroyed(struct annotation *self)
{
    VALGRIND_STACK_DEREGISTER(self->valgrind_stack);
}

/* Whether Valgrind runs this process: it does not know the newest system calls, and complains. */
static inline bool filch__annotate_on_valgrind(void)
{
    return RUNNING_ON_VALGRIND != 0;
}

/* Around a look at memory below the stack pointer, which memcheck takes for a mistake. */
static inline void filch__annotate_scan_begins(void)
{
    VALGRIND_DISABLE_ERROR_REPORTING;
}

static inline void filch__annotate_scan_ends(void)
{
    VALGRIND_ENABLE_ERROR_REPORTING;
}

#else

static inline void filch__valgrind_created(struct annotation *self)
{
    (void)self;
}

static inline void filch__valgrind_destroyed(struct annotation *self)
{
    (void)self;
}

static inline bool filch__annotate_on_valgrind(void)
{
    return false;
}

static inline void filch__annotate_scan_begins(void)
{
}

static inline void filch__annotate_scan_ends(void)
{
}

#endif

static inline void filch__annotate_created(struct annotation *self, const char *low,
                                           size_t size_bytes)
{
    *self = (struct annotation){.low = low, .size_bytes = size_bytes};
    filch__tsan_created(self);
    filch__valgrind_created(self);
}

static inline void filch__annotate_adopted(struct annotation *self)
{
    *self = (struct annotation){.tsan_fiber = filch__tsan_current()};
}

static FILCH_ALWAYS_INLINE void filch__annotate_leaves(struct annotation *from,
                                                       struct annotation *to)
{
    filch__asan_leaves(from, to);
    filch__tsan_leaves(to);
}

static FILCH_ALWAYS_INLINE void filch__annotate_arrived(struct annotation *self)
{
    filch__asan_arrived(self);
}

static FILCH_ALWAYS_INLINE void filch__annotate_leaves_for_good(struct annotation *from,
                                                                struct annotation *to)
{
    filch__asan_leaves_for_good(from, to);
    filch__tsan_leaves(to);
}

static inline void filch__annotate_destroyed(struct annotation *self, const void *stopped)
{
    filch__asan_destroyed(self, stopped);
    filch__tsan_destroyed(self);
    filch__valgrind_destroyed(self);
}

#endif
