/* SPDX-License-Identifier: Apache-2.0 */
/* The life of a thread: start, end, join, detach. */
#define _GNU_SOURCE /* names and affinities of threads */
#include "thread/thread.h"

#include "base/check.h"
#include "os/env.h"
#include "os/os.h"
#include "panic/overflow.h"
#include "panic/panic.h"
#include "thread/start.h"

#include <limits.h>
#include <stddef.h>
#include <string.h>

enum { STACK_DEFAULT_BYTES = 2 * 1024 * 1024 };

/* The OS keeps this many bytes of a thread's name, the NUL included. */
enum { OS_NAME_BYTES = 16 };

/* --- in the thread --- */

static void drop_result(struct filch_thread *thread)
{
    if (thread->result_drop != NULL && thread->result != NULL)
        filch__thread_drop(thread->result_drop, thread->result);
    filch_panic_free(thread->panic);
    thread->panic = NULL;
}

static void call_body(void *argument)
{
    struct filch_thread *thread = argument;
    thread->result = thread->fn(thread->arg);
}

/* Calls the body: whatever of it may not get past the bottom of the thread ends here. */
static void run_body(struct filch_thread *thread)
{
    filch__panic_is_bounded = true;
    (void)filch__try(call_body, thread, &thread->panic, NULL);
    filch__panic_is_bounded = false;
}

/* A panic that no join will take is the scope's, if there is one. */
static void give_up_panic(struct filch_thread *thread)
{
    if (thread->panic == NULL || thread->scope == NULL)
        return;
    filch__thread_scope_keep(thread->scope, thread->panic);
    thread->panic = NULL;
}

void filch__thread_leave_body(struct filch_thread *thread)
{
    thread->has_left_body = true;
    if (thread->arg_drop != NULL)
        filch__thread_drop(thread->arg_drop, thread->arg);
    uint32_t before = FILCH_FETCH_OR(&thread->outcome, THREAD_FINISHED, TH_outcome, acq_rel);
    if ((before & THREAD_GIVEN_UP) != 0) {
        give_up_panic(thread);
        drop_result(thread);
    }
    if (thread->scope != NULL)
        filch__thread_scope_release(thread->scope);
}

static void *thread_main(void *argument)
{
    struct filch_thread *thread = argument;
    filch__overflow_watch(thread->overflow_room, __builtin_frame_address(0));
    bool is_watched = filch__thread_enter(thread) == 0;
    if (thread->name[0] != '\0') {
        char os_name[OS_NAME_BYTES] = {0};
        memcpy(os_name, thread->name, strnlen(thread->name, OS_NAME_BYTES - 1));
        (void)pthread_setname_np(pthread_self(), os_name); /* a name is a comfort, not a need */
        filch__panic_thread_name = thread->name;
    }
    run_body(thread);
    void *result = thread->result;
    filch__thread_leave_body(thread);
    filch__locals_drop();
    if (!is_watched)
        filch__thread_end(thread); /* else when the destructors of others have run */
    return result;
}

/* --- start --- */

/* What the system takes: at least its own minimum, and whole pages. */
static int round_stack_size(size_t *size_bytes)
{
    size_t page = filch__page_size_bytes();
    size_t size = *size_bytes;
    if (size < (size_t)PTHREAD_STACK_MIN)
        size = (size_t)PTHREAD_STACK_MIN;
    if (__builtin_add_overflow(size, page - 1, &size))
        return EINVAL;
    *size_bytes = size / page * page;
    return 0;
}

/* The size for those who do not say; the environment is asked once. */
static int default_stack_size(size_t *size_bytes)
{
    static FILCH_SHARED(size_t) known;
    size_t size = FILCH_LOAD_RELAXED(&known); /* a number, and the same for all */
    if (size == 0) {
        int error = filch__env_size("FILCH_STACK_SIZE", STACK_DEFAULT_BYTES, &size);
        if (error == 0)
            error = round_stack_size(&size);
        if (error != 0)
            return error;
        FILCH_STORE_RELAXED(&known, size); /* see above */
    }
    *size_bytes = size;
    return 0;
}

static int stack_size_of(const struct filch_thread_attr *attr, size_t *size_bytes)
{
    if (attr->stack_size_bytes == 0)
        return default_stack_size(size_bytes);
    *size_bytes = attr->stack_size_bytes;
    return round_stack_size(size_bytes);
}

static int attributes_init(pthread_attr_t *attributes, const struct filch_thread_attr *attr,
                           bool is_detached)
{
    size_t size_bytes;
    int error = stack_size_of(attr, &size_bytes);
    if (error != 0)
        return error;
    error = pthread_attr_init(attributes);
    if (error != 0)
        return error;
    error = pthread_attr_setstacksize(attributes, size_bytes);
    if (error == 0 && attr->affinity != NULL)
        error = pthread_attr_setaffinity_np(attributes, attr->affinity_size_bytes, attr->affinity);
    if (error == 0 && is_detached)
        error = pthread_attr_setdetachstate(attributes, PTHREAD_CREATE_DETACHED);
    if (error != 0)
        pthread_attr_destroy(attributes);
    return error;
}

static struct filch_thread *thread_new(const struct filch_thread_attr *attr)
{
    size_t name_bytes = attr->name == NULL ? 1 : strlen(attr->name) + 1;
    struct filch_thread *made =
        filch__os->alloc(sizeof *made + name_bytes + OVERFLOW_ROOM_BYTES, _Alignof(max_align_t));
    if (made == NULL)
        return NULL;
    *made = (struct filch_thread){
        .id = filch__thread_new_id(),
        .process = filch__thread_process(),
        .arg_drop = attr->arg_drop,
        .result_drop = attr->result_drop,
        .overflow_room = made->name + name_bytes,
    };
    memcpy(made->name, attr->name == NULL ? "" : attr->name, name_bytes);
    return made;
}

static int start(struct filch_thread **thread, const struct filch_thread_attr *attr,
                 void *(*fn)(void *), void *arg, const struct thread_start *start)
{
    bool is_detached = thread == NULL;
    pthread_attr_t attributes;
    int error = filch__thread_init();
    if (error == 0)
        error = attributes_init(&attributes, attr, is_detached);
    if (error != 0)
        return error;
    struct filch_thread *made = thread_new(attr);
    if (made == NULL) {
        error = ENOMEM;
        goto undo_attributes;
    }
    if (made->id > UINTPTR_MAX >> 1) { /* with 32 bits: handles are not used again */
        error = EAGAIN;
        goto undo_thread;
    }
    filch__overflow_watch_caller();
    made->fn = fn;
    made->arg = arg;
    made->scope = start->scope;
    made->is_internal = start->is_internal;
    made->references = is_detached ? 1 : 2;
    made->outcome = is_detached ? THREAD_GIVEN_UP : 0;
    /* Detached, it may be gone at once: its number is written elsewhere. */
    pthread_t unused;
    error = filch__os->thread_create(is_detached ? &unused : &made->os_thread, &attributes,
                                     thread_main, made);
    if (error != 0)
        goto undo_thread;
    if (!is_detached)
        *thread = filch__handle_put(made);
    pthread_attr_destroy(&attributes);
    return 0;
undo_thread:
    filch__os->free(made);
undo_attributes:
    pthread_attr_destroy(&attributes);
    return error;
}

int filch__thread_start(struct filch_thread **thread, const struct filch_thread_attr *attr,
                        void *(*fn)(void *), void *arg, const struct thread_start *how)
{
    static const struct filch_thread_attr defaults;
    if (attr == NULL)
        attr = &defaults;
    int error = fn == NULL ? EINVAL : start(thread, attr, fn, arg, how);
    if (error != 0 && attr->arg_drop != NULL)
        filch__thread_drop(attr->arg_drop, arg);
    return error;
}

int filch_thread_spawn(struct filch_thread **thread, const struct filch_thread_attr *attr,
                       void *(*fn)(void *), void *arg)
{
    static const struct thread_start plain;
    /* A NULL function is refused below, where the argument is dropped. */
    return filch__thread_start(thread, attr, thread == NULL ? NULL : fn, arg, &plain);
}

int filch__thread_bind(const struct filch_thread *thread, const void *set, size_t set_bytes)
{
    return pthread_setaffinity_np(filch__thread_of(thread)->os_thread, set_bytes, set);
}

int filch__thread_read_binding(const struct filch_thread *thread, void *set, size_t set_bytes)
{
    return pthread_getaffinity_np(filch__thread_of(thread)->os_thread, set_bytes, set);
}

int64_t filch__thread_ran_ns(const struct filch_thread *thread)
{
    return filch__os->thread_ran_ns(filch__thread_of(thread)->os_thread);
}

/* --- join, detach --- */

/* The thread of a handle that is to be given up. Returns 0; EDEADLK, EINVAL, EPERM. */
static int find(const struct filch_thread *handle, struct filch_thread **thread, const char *misuse)
{
    if (handle == NULL)
        return EINVAL;
    if (!filch__is_handle(handle)) /* a reference: nobody can join by that */
        return handle == filch__thread_self ? EDEADLK : EINVAL;
    struct filch_thread *found = filch__handle_find(handle);
    FILCH_CHECK(found != NULL, misuse);
    if (found->process != filch__thread_process())
        return EPERM; /* a forked child: the thread is not here */
    *thread = found;
    return 0;
}

static const char joined_twice[] = "a thread was joined twice, or joined after it was detached";
static const char detached_twice[] = "a thread was detached twice, or detached after it was joined";

int filch_thread_join_until(struct filch_thread *handle, int64_t deadline, void **result,
                            struct filch_panic **panic)
{
    struct filch_thread *thread;
    int error = find(handle, &thread, joined_twice);
    if (error != 0)
        return error;
    if (thread == filch__thread_self)
        return EDEADLK;
    /* A thread that waits without a deadline sleeps once, until the system says that the other one
     * has gone. Any other waiter parks first, and then the rest is short. */
    bool is_task = filch__waiter_kind.ops != &filch__waiter_thread_ops;
    if (is_task || deadline != FILCH_FOREVER) {
        error = filch__event_wait(&thread->ended, deadline);
        if (error != 0)
            return error;
    }
    FILCH_CHECK(filch__handle_claim(handle) == thread, joined_twice);
    void *returned = NULL;
    error = filch__os->thread_join(thread->os_thread, &returned);
    if (error == EDEADLK) { /* it joins us */
        filch__handle_unclaim(thread);
        return EDEADLK;
    }
    FILCH_CHECK(error == 0, "a thread could not be joined");
    filch__handle_remove(thread);
    error = thread->panic != NULL ? EOWNERDEAD : 0;
    if (error != 0 && panic != NULL) {
        *panic = thread->panic;
        thread->panic = NULL;
    } else if (error == 0 && result != NULL) {
        *result = returned;
        thread->result = NULL;
    }
    drop_result(thread);           /* what nobody wants */
    filch__thread_release(thread); /* the thread's own, see THREAD_ENDED */
    filch__thread_release(thread);
    return error;
}

int filch_thread_join(struct filch_thread *handle, void **result, struct filch_panic **panic)
{
    return filch_thread_join_until(handle, FILCH_FOREVER, result, panic);
}

/* Gives the system's thread up. One that has ended has nothing left to do but go, and what the kernel
 * knows of its memory goes with it: that is waited for. */
static void leave_alone(struct filch_thread *thread, bool has_ended)
{
    void *unused;
    if (has_ended && filch__os->thread_join(thread->os_thread, &unused) == 0) {
        filch__thread_release(thread); /* its own, see THREAD_ENDED */
        return;
    }
    /* If it has ended, it is the caller, in somebody's destructor: its block stays. */
    int error = pthread_detach(thread->os_thread);
    FILCH_CHECK(error == 0, "a thread could not be detached");
}

int filch_thread_detach(struct filch_thread *handle)
{
    struct filch_thread *thread;
    int error = find(handle, &thread, detached_twice);
    if (error != 0)
        return error == EDEADLK ? EINVAL : error;
    FILCH_CHECK(filch__handle_claim(handle) == thread, detached_twice);
    filch__handle_remove(thread);
    uint32_t before = FILCH_FETCH_OR(&thread->outcome, THREAD_GIVEN_UP, TH_outcome, acq_rel);
    if ((before & THREAD_FINISHED) != 0)
        drop_result(thread);
    leave_alone(thread, (before & THREAD_ENDED) != 0);
    filch__thread_release(thread);
    return 0;
}
