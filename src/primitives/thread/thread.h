/* SPDX-License-Identifier: Apache-2.0 */
/* A thread, as the files of this folder see it.
 *
 * What users hold is one of two things of the same type:
 *
 *     a reference   points to the struct below: of the thread that asks who it is, or counted
 *     a handle      points to nothing: it is the number of the thread, with the lowest bit set, and is
 *                   looked up in a table (handles.c). Numbers are never used again, so a handle that
 *                   has been joined or detached is recognised for as long as the process lives.
 */
#ifndef FILCH_THREAD_THREAD_H
#define FILCH_THREAD_THREAD_H

#include "base/atomic.h"
#include "panic/panic.h"
#include "park/event.h"
#include "park/lock.h"

#include <filch/thread.h>
#include <pthread.h>
#include <stdbool.h>

struct parked;

/* How far a thread has come, and whether anybody will ask; bits that are set and stay. */
enum thread_outcome {
    THREAD_FINISHED = 1, /* the body has ended */
    THREAD_GIVEN_UP =
        2, /* there is no handle: whoever of the two bits is second drops the result */
    THREAD_ENDED =
        4, /* the last destructor has run; without GIVEN_UP, the thread's reference is the
                            handle's from now on: to be released when the system's thread has gone */
};

struct filch_thread {
    /* Held by the handle, by the thread itself, and by everybody who has cloned it. */
    FILCH_SHARED(uint32_t) references;
    FILCH_SHARED(uint32_t) token; /* enum token_state, see token.c */
    struct lock token_lock;
    struct parked *parked; /* under token_lock */
    uint64_t id;           /* const */
    uint64_t process;      /* const but for the thread that forks: where the thread runs */

    /* Of threads that were started here; of any other one, fn is NULL. */
    void *(*fn)(void *);              /* const */
    void *arg;                        /* const */
    void (*arg_drop)(void *);         /* const */
    void (*result_drop)(void *);      /* const */
    struct filch_thread_scope *scope; /* const; NULL: none */
    bool is_internal;                 /* const: a worker of a pool; its handle is never leaked */
    pthread_t os_thread;              /* the handle's side */
    char *overflow_room;            /* const: behind the name; its stack for signals; may be NULL */
    struct filch_thread *next;      /* in the table of handles, under its lock */
    bool is_claimed;                /* likewise: its handle is being joined or detached */
    void *result;                   /* written before the outcome */
    struct filch_panic *panic;      /* the same; NULL: fn has not panicked */
    FILCH_SHARED(uint32_t) outcome; /* enum thread_outcome */
    struct event ended;             /* fn, and all destructors of thread-locals */
    bool has_left_body;             /* owner only, like the next */
    unsigned end_rounds;            /* of destructors that have gone by */
    char name[];                    /* const; "": unnamed */
};

/* Calls a drop function of the user's, which must not panic. */
static inline void filch__thread_drop(void (*drop)(void *), void *value)
{
    filch__try_nothing(drop, value, "a drop function panicked");
}

/* --- current.c --- */

/* The calling thread; NULL: nobody has asked yet. */
extern __thread struct filch_thread *filch__thread_self __attribute__((tls_model("initial-exec")));

/* The calling thread, made known if it was not. Whoever is known here has its locals destroyed when it
 * ends. NULL: no memory, or the thread is past its last destructor. */
struct filch_thread *filch__thread_here(void);

/* Prepares what all threads need. Returns 0; EAGAIN, ENOMEM. Idempotent. */
FILCH_NODISCARD int filch__thread_init(void);

/* A number for a thread, never used before. */
uint64_t filch__thread_new_id(void);

/* Makes the calling thread the given one. Returns 0; ENOMEM: its end will not be noticed. */
FILCH_NODISCARD int filch__thread_enter(struct filch_thread *thread);

/* Whether the calling thread has run its last destructor. */
bool filch__thread_is_over(void);

/* The calling thread has run its last destructor. Gives its reference up. */
void filch__thread_end(struct filch_thread *thread);

void filch__thread_release(struct filch_thread *thread);

/* How many times this process has been forked off another one. */
uint64_t filch__thread_process(void);

/* --- thread.c --- */

/* The body has been left, by whatever way. */
void filch__thread_leave_body(struct filch_thread *thread);

/* --- handles.c --- */

static inline bool filch__is_handle(const struct filch_thread *thread)
{
    return ((uintptr_t)thread & 1) != 0;
}

/* Enters the thread in the table. Returns its handle. */
struct filch_thread *filch__handle_put(struct filch_thread *thread);

/* The thread of a handle; aborts where it has been given up. */
struct filch_thread *filch__handle_use(const struct filch_thread *handle);

/* The thread that a handle or reference is of. */
static inline struct filch_thread *filch__thread_of(const struct filch_thread *thread)
{
    return FILCH_UNLIKELY(filch__is_handle(thread)) ? filch__handle_use(thread)
                                                    : (struct filch_thread *)(uintptr_t)thread;
}

/* The thread of a handle; NULL where it has been removed. */
struct filch_thread *filch__handle_find(const struct filch_thread *handle);

/* Begins to give the handle up. Returns its thread; NULL where somebody else has begun. */
struct filch_thread *filch__handle_claim(const struct filch_thread *handle);

/* It could not be done: the handle is as it was. */
void filch__handle_unclaim(struct filch_thread *thread);

/* It is done: takes the thread out of the table. */
void filch__handle_remove(struct filch_thread *thread);

/* Around a fork: nobody is inside the table while the process is copied. */
void filch__handles_before_fork(void);
void filch__handles_after_fork(void);

/* --- token.c --- */

/* In a forked child: those who were parked with the calling thread's token are not here. */
void filch__token_after_fork(struct filch_thread *thread);

/* --- local.c --- */

/* Destroys the thread-locals of the calling thread, newest first, those included that come to life
 * meanwhile. */
void filch__locals_drop(void);

/* --- scope.c --- */

/* A thread of the scope has left its body. The scope may be gone afterwards. */
void filch__thread_scope_release(struct filch_thread_scope *scope);

/* The panic of a thread that nobody joins, which has not given its count back. */
void filch__thread_scope_keep(struct filch_thread_scope *scope, struct filch_panic *panic);

#endif
