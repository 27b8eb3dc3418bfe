/* SPDX-License-Identifier: Apache-2.0 */
/* Who the calling thread is, and when it ends. Threads that were not started here become known when
 * they first ask, and are forgotten by the same key whose destructor ends those that were. */
#define _GNU_SOURCE 1 /* gettid */
#include "thread/thread.h"

#include "base/check.h"
#include "os/os.h"
#include "panic/overflow.h"

#include <limits.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

__thread struct filch_thread *filch__thread_self __attribute__((tls_model("initial-exec")));

/* Its last destructor has run. */
static __thread bool is_over __attribute__((tls_model("initial-exec")));

static struct lock init_lock;
static FILCH_SHARED(uint32_t) is_ready; /* written under the lock */
static pthread_key_t end_key;           /* written before is_ready */
static uint64_t process;                /* changes only where there is one thread */

static void after_fork_in_child(void)
{
    process++;
    filch__handles_after_fork();
    if (filch__thread_self != NULL) {
        filch__thread_self->process = process;
        filch__token_after_fork(filch__thread_self);
    }
}

uint64_t filch__thread_process(void)
{
    return process;
}

/* Rounds of destructors that a thread stays known. Each costs it 100 ns. In the last one of
 * all, sanitizers end the thread for themselves, and nothing that they watch may run after that; a
 * thread that was not started here may have become known as late as in the first one. */
enum { ROUNDS = 2 };

_Static_assert(ROUNDS + 1 < PTHREAD_DESTRUCTOR_ITERATIONS, "a thread ends before its last round");

/* The destructor of the key. The C library calls it again in the next round if the key is set anew, so
 * that all others' destructors have had a turn before the thread has ended. */
static void at_thread_end(void *value)
{
    struct filch_thread *thread = value;
    if (thread->fn != NULL && !thread->has_left_body)
        filch__thread_leave_body(thread); /* pthread_exit */
    filch__locals_drop();
    thread->end_rounds++;
    if (thread->end_rounds < ROUNDS && pthread_setspecific(end_key, thread) == 0)
        return;
    filch__thread_end(thread);
}

static int init_once(void)
{
    int error = pthread_key_create(&end_key, at_thread_end);
    if (error != 0)
        return error;
    error =
        pthread_atfork(filch__handles_before_fork, filch__handles_after_fork, after_fork_in_child);
    if (error != 0)
        pthread_key_delete(end_key);
    return error;
}

int filch__thread_init(void)
{
    if (FILCH_LOAD(&is_ready, TH_ready, acquire) != 0)
        return 0;
    filch__lock(&init_lock);
    int error = FILCH_LOAD_RELAXED(&is_ready) != 0 /* under the lock */ ? 0 : init_once();
    if (error == 0)
        FILCH_STORE(&is_ready, 1, TH_ready, release);
    filch__unlock(&init_lock);
    return error;
}

uint64_t filch__thread_new_id(void)
{
    static FILCH_SHARED(uint64_t) made;
    return FILCH_FETCH_ADD_RELAXED(&made, 1) + 1; /* only unique */
}

int filch__thread_enter(struct filch_thread *thread)
{
    filch__thread_self = thread;
    return pthread_setspecific(end_key, thread);
}

bool filch__thread_is_over(void)
{
    return is_over;
}

void filch__thread_end(struct filch_thread *thread)
{
    filch__thread_self = NULL;
    is_over = true;
    bool is_foreign = thread->fn == NULL;
    uint32_t here = is_foreign ? THREAD_FINISHED | THREAD_ENDED : THREAD_ENDED;
    bool has_handle =
        (FILCH_FETCH_OR(&thread->outcome, here, TH_outcome, acq_rel) & THREAD_GIVEN_UP) == 0 &&
        !is_foreign;
    filch__event_set(&thread->ended);
    if (has_handle)
        return;
    if (thread->overflow_room != NULL)
        filch__overflow_forget(thread->overflow_room);
    filch__thread_release(thread);
}

void filch__thread_release(struct filch_thread *thread)
{
    if (FILCH_FETCH_SUB(&thread->references, 1, TH_release, acq_rel) == 1)
        filch__os->free(thread);
}

/* Makes a thread known that was not started here. */
static FILCH_COLD struct filch_thread *adopt(void)
{
    const char *name = gettid() == getpid() ? "main" : "";
    size_t name_bytes = strlen(name) + 1;
    if (is_over || filch__thread_init() != 0)
        return NULL;
    bool has_room = filch__overflow_wants_room();
    struct filch_thread *made = filch__os->alloc(
        sizeof *made + name_bytes + (has_room ? OVERFLOW_ROOM_BYTES : 0), _Alignof(max_align_t));
    if (made == NULL)
        return NULL;
    *made = (struct filch_thread){.overflow_room = has_room ? made->name + name_bytes : NULL};
    made->references = 1;
    made->id = filch__thread_new_id();
    made->process = process;
    memcpy(made->name, name, name_bytes);
    if (filch__thread_enter(made) == 0) {
        if (has_room)
            filch__overflow_watch(made->overflow_room, __builtin_frame_address(0));
        return made;
    }
    filch__thread_self = NULL;
    filch__os->free(made);
    return NULL;
}

struct filch_thread *filch__thread_here(void)
{
    struct filch_thread *self = filch__thread_self;
    return FILCH_LIKELY(self != NULL) ? self : adopt();
}

struct filch_thread *filch_thread_current(void)
{
    return filch__thread_here();
}

struct filch_thread *filch_thread_clone(struct filch_thread *thread)
{
    if (thread == NULL)
        return NULL;
    struct filch_thread *t = filch__thread_of(thread);
    (void)FILCH_FETCH_ADD_RELAXED(&t->references, 1); /* the caller holds one */
    return t;
}

void filch_thread_drop(struct filch_thread *thread)
{
    if (thread == NULL)
        return;
    FILCH_CHECK(!filch__is_handle(thread), "the handle of a thread was dropped; it is to be joined "
                                           "or detached");
    filch__thread_release(thread);
}

uint64_t filch_thread_id(const struct filch_thread *thread)
{
    return thread == NULL ? 0 : filch__thread_of(thread)->id;
}

const char *filch_thread_name(const struct filch_thread *thread)
{
    if (thread == NULL)
        return NULL;
    const char *name = filch__thread_of(thread)->name;
    return name[0] == '\0' ? NULL : name;
}

int filch_thread_is_finished(const struct filch_thread *thread)
{
    return thread != NULL &&
           (FILCH_LOAD(&filch__thread_of(thread)->outcome, TH_outcome_look, acquire) &
            THREAD_FINISHED) != 0;
}
