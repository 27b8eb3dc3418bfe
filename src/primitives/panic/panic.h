/* SPDX-License-Identifier: Apache-2.0 */
/* Panics, as the layers above see them. The public side is filch/panic.h. */
#ifndef FILCH_PANIC_PANIC_H
#define FILCH_PANIC_PANIC_H

#include "base/atomic.h"
#include "panic/boundary.h"
#include "panic/cxx.h"
#include "park/self.h"

#include <filch/panic.h>
#include <stdbool.h>
#include <unwind.h>

/* Owner only: the code that it unwinds, then whoever contains it. */
struct filch_panic {
    /* Zero: the C++ runtime looks for the type of what it has caught in front of `unwind`, when it ends a
     * program whose noexcept function was left; 80 bytes in front on 64-bit machines. */
    void *no_type[16];
    struct _Unwind_Exception unwind;
    struct filch_panic *outer; /* that was under way when this one began, in a cleanup handler */
    const void *target;        /* the boundary that it unwinds to; NULL: not known yet */
    const void *reached;       /* the frame that it has come to, without a search; NULL: none yet */
    const void *code;          /* where that frame goes on */
    const void *mark;          /* of that boundary; where `has_mark` */
    bool has_mark;
    bool is_in_hook;
    int line;
    const char *file;
    const char *type;
    void *payload;
    void (*drop)(void *);
    struct _Unwind_Exception *foreign; /* that was contained as this panic; NULL: none */
    size_t others;
    char message[]; /* "" where there is a payload */
};

typedef void panic_settle_fn(struct filch_panic *panic);

/* --- boundaries (boundary.c, boundary_*.S) --- */

/* filch__try is in the public header: a boundary is a frame in assembly with a personality of its own.
 * `mark` is kept for filch__boundary_mark. */

/* The same for the base of a task, which pthread_exit(3) and pthread_cancel(3) must not unwind: they
 * abort with a message. */
int filch__try_task(void (*fn)(void *), void *arg, struct filch_panic **panic, const void *mark);

/* Calls fn(arg), which must not unwind: aborts with the message where it does. */
void filch__try_nothing(void (*fn)(void *), void *arg, const char *message);

/* Unwinds to the nearest boundary. Returns where there is none, or a frame cannot be unwound; then nothing has
 * been unwound yet. */
#if FILCH_BOUNDARY_PORTABLE
void filch__boundary_raise(struct filch_panic *panic);
#else
static FILCH_ALWAYS_INLINE void filch__boundary_raise(struct filch_panic *panic)
{
    (void)_Unwind_RaiseException(&panic->unwind);
}
#endif

/* Whether every stack of the calling thread ends with a boundary: set by whoever has made the thread. */
extern __thread bool filch__panic_is_bounded __attribute__((tls_model("initial-exec")));

/* The mark of the nearest boundary above the caller; NULL: there is none. Walks the stack. */
const void *filch__boundary_mark(void);

/* Whether an exception is a panic. */
struct filch_panic *filch__panic_of(struct _Unwind_Exception *exception);

/* A panic, or another exception, is about to be contained at a boundary: aborts where that would leave
 * a cleanup handler that runs because of a panic. */
void filch__panic_reaches(struct filch_panic *panic, const void *boundary);

/* Ends what must not outlive the frames up to the boundary of a panic that begins, and cannot wait for
 * their cleanup handlers: set by whoever has such things, once it may. NULL: nobody. */
extern FILCH_SHARED(panic_settle_fn *) filch__panic_settle;

/* --- state --- */

/* Makes it the panic that unwinds the running code; NULL: none does. Locks see it by the identity of what
 * runs here. */
static inline void filch__panic_make_current(struct filch_panic *panic)
{
    filch__panic_current = panic;
    filch__self_set_panicking(panic != NULL);
}

/* Sets the panic that unwinds the running code aside, while that runs somebody else's code.
 * Returns it, to be given back. */
static inline struct filch_panic *filch__panic_set_aside(void)
{
    struct filch_panic *panic = filch__panic_current;
    if (FILCH_UNLIKELY(panic != NULL))
        filch__panic_make_current(NULL);
    return panic;
}

static inline void filch__panic_give_back(struct filch_panic *panic)
{
    if (FILCH_UNLIKELY(panic != NULL))
        filch__panic_make_current(panic);
}

#if FILCH_BOUNDARY_PORTABLE
extern __thread struct boundary *filch__boundary_top __attribute__((tls_model("initial-exec")));
#endif

/* What belongs to a stack, and not to its thread. */
struct panic_state {
    struct filch_panic *current;
    struct cxx_exceptions cxx;
#if FILCH_BOUNDARY_PORTABLE
    struct boundary *boundary; /* the nearest one: the stack does not tell */
#endif
};

/* The running stack is left for another one; returns what is to be restored when it goes on. */
static inline struct panic_state filch__panic_leave_stack(void)
{
    struct panic_state state = {.current = filch__panic_set_aside(),
                                .cxx = filch__cxx_leave_stack()};
#if FILCH_BOUNDARY_PORTABLE
    state.boundary = filch__boundary_top;
    filch__boundary_top = NULL;
#endif
    return state;
}

static inline void filch__panic_enter_stack(const struct panic_state *state)
{
    filch__panic_give_back(state->current);
    filch__cxx_enter_stack(&state->cxx);
#if FILCH_BOUNDARY_PORTABLE
    filch__boundary_top = state->boundary;
#endif
}

/* Counts a panic that is given up in favour of `first`, and frees it. */
void filch__panic_join(struct filch_panic *first, struct filch_panic *other);

/* The full name of the running thread, for reports; NULL: it has none. A thread sets its own. */
extern __thread const char *filch__panic_thread_name __attribute__((tls_model("initial-exec")));

#endif
