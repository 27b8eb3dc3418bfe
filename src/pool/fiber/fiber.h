/* SPDX-License-Identifier: Apache-2.0 */
/* Fibers: a stack with something stopped on it, of one thread.
 *
 *     static struct fiber *hello(void *argument)
 *     {
 *         struct fiber *home = argument;
 *         puts("hello");
 *         return home;                              the fiber that goes on when this one has ended
 *     }
 *     struct fiber home, *fiber;
 *     filch__fiber_adopt_thread(&home);
 *     int error = filch__fiber_create(&fiber, sizeof *fiber, &cache, hello, &home);
 *     filch__fiber_switch(&home, fiber);            returns when something switches to `home`
 *     filch__fiber_destroy(fiber, &cache);
 *
 * A fiber belongs to the thread that created or adopted it and never runs on another one, so what
 * the compiler knows about thread-local variables stays true across a switch. A switch keeps
 * neither `errno` nor the floating-point modes: see ambient.h for who does.
 *
 * The fiber lies at the top of its own stack, and with it what the scheduler knows about it: creating
 * one allocates nothing else, and a waiting task whose frames are small touches one page. It promises
 * nothing about who runs next; that is the scheduler's business.
 */
#ifndef FILCH_FIBER_FIBER_H
#define FILCH_FIBER_FIBER_H

#include "base/check.h"
#include "fiber/annotate.h"
#include "fiber/context.h"
#include "fiber/stack.h"

#include <filch/attr.h>
#include <stdbool.h>

struct fiber;

/* What a fiber does. Returns the fiber that goes on when it has ended: stopped, of this thread, not
 * itself. Whoever runs then destroys the ended one. Must not unwind: a panic ends before it. */
typedef struct fiber *fiber_entry(void *argument);

/* Owner only, all of it. */
struct fiber {
    fiber_entry *entry; /* NULL: a thread's own stack */
    void *argument;
    struct stack *stack; /* NULL: a thread's own stack */
    bool ended;
    struct annotation annotation;
    void *
        context; /* where it stopped; meaningless while it runs; last, beside what a scheduler adds */
};

/* Makes the running thread's stack a fiber, so that it can be switched away from and back to.
 *   fiber   memory of the caller, used for as long as anything may switch to it              [out]
 * Ownership: borrows `fiber`. There is nothing to undo. Blocks: never. Panics: never.
 * Callable from: a thread, on its own stack. */
void filch__fiber_adopt_thread(struct fiber *fiber);

/* Creates a fiber that will call entry(argument) when it is switched to for the first time.
 *   fiber      the fiber; on success only                                                    [out]
 *   size_bytes of what begins with the fiber and shall lie there with it; the rest of it is as the
 *              stack was last left
 *   cache      of the running thread; its stack comes from there                          [in,out]
 *   entry      what it does                                                                  [in]
 *   argument   passed on                                                                     [in]
 * Returns 0; ENOMEM. Ownership: the caller's until filch__fiber_destroy. Blocks: briefly, when the
 * cache is empty. Panics: never. Callable from: threads and fibers. */
FILCH_NODISCARD int filch__fiber_create(struct fiber **fiber, size_t size_bytes,
                                        struct stack_cache *cache, fiber_entry *entry,
                                        void *argument);

/* Gives the stack of a fiber that has ended, or was never switched to, back. One that stopped in
 * between may be destroyed too: its frames are dropped, nothing of theirs is cleaned up.
 *   fiber   not running; gone afterwards; not adopted                                        [in]
 *   cache   of the running thread; it gets the stack                                      [in,out]
 * Blocks: briefly, when the cache is full. Panics: never. Callable from: another fiber of the same
 * thread. */
void filch__fiber_destroy(struct fiber *fiber, struct stack_cache *cache);

/* Stops the running fiber and goes on with another one.
 *   from   the running fiber                                                              [in,out]
 *   to     stopped or new; of this thread; not ended; not `from`                          [in,out]
 * Returns when something switches to `from`. Blocks: no other way than that. Panics: never.
 * Callable from: `from`. Ordering: none, it is one thread throughout. */
static FILCH_ALWAYS_INLINE void filch__fiber_switch(struct fiber *from, struct fiber *to)
{
    FILCH_DCHECK(from != to);
    FILCH_DCHECK(!to->ended);
    filch__annotate_leaves(&from->annotation, &to->annotation);
    filch__context_switch(&from->context, to->context);
    filch__annotate_arrived(&from->annotation);
}

/* What filch__fiber_call is to call. */
struct fiber_call {
    void (*fn)(void *);
    void *arg;
};

/* Calls a function, or, with filch__fiber_leaving, does what filch__fiber_switch does but for filch__fiber_is_back: by
 * the same instruction, see filch__context_call.
 *   from   the running fiber                                                              [in,out]
 * Panics: where the function does. */
static FILCH_ALWAYS_INLINE void filch__fiber_call(struct fiber *from, struct fiber_call call)
{
    filch__context_call(call.fn, call.arg, &from->context);
}

/* The call by which `from` goes on with `to`; nothing else is to be called in between.
 *   call  what to call                                                                      [out] */
static FILCH_ALWAYS_INLINE void filch__fiber_leaving(struct fiber *from, struct fiber *to,
                                                     struct fiber_call *call)
{
    FILCH_DCHECK(from != to);
    FILCH_DCHECK(!to->ended);
    filch__annotate_leaves(&from->annotation, &to->annotation);
    call->fn = FILCH_CONTEXT_LEAVE;
    call->arg = to->context;
}

/* Such a call has returned. */
static FILCH_ALWAYS_INLINE void filch__fiber_is_back(struct fiber *from)
{
    filch__annotate_arrived(&from->annotation);
}

#endif
