/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE /* names and affinities of threads */
#include <filch/thread.h>

#include "base/atomic.h"
#include "base/check.h"
#include "os/env.h"
#include "os/os.h"

#include <limits.h>
#include <pthread.h>
#include <stddef.h>
#include <string.h>

enum { STACK_DEFAULT_BYTES = 2 * 1024 * 1024 };

/* The OS keeps this many bytes of a thread's name, the NUL included. */
enum { OS_NAME_BYTES = 16 };

/* Two parties hold a thread: the one with the handle, and the thread itself. The last one frees. */
struct filch_thread {
    pthread_t id; /* the handle's side, after the thread was started */
    void *(*fn)(void *);
    void *arg;
    void *result;                      /* written by the thread, read after the join */
    FILCH_SHARED(uint32_t) references; /* 2, 1, 0 */
    char name[];                       /* const after init; "": unnamed */
};

static void release(struct filch_thread *thread)
{
    if (FILCH_FETCH_SUB(&thread->references, 1, TH_release, acq_rel) == 1)
        filch__os->free(thread);
}

static void *thread_main(void *argument)
{
    struct filch_thread *thread = argument;
    if (thread->name[0] != '\0') {
        char os_name[OS_NAME_BYTES] = {0};
        memcpy(os_name, thread->name, strnlen(thread->name, OS_NAME_BYTES - 1));
        (void)pthread_setname_np(pthread_self(), os_name); /* a name is a comfort, not a need */
    }
    thread->result = thread->fn(thread->arg);
    void *result = thread->result;
    release(thread);
    return result;
}

static int stack_size_of(const struct filch_thread_attr *attr, size_t *size_bytes)
{
    size_t size = attr->stack_size_bytes;
    if (size == 0) {
        int error = filch__env_size("FILCH_STACK_SIZE", STACK_DEFAULT_BYTES, &size);
        if (error != 0)
            return error;
    }
    size_t page = filch__page_size_bytes();
    size_t least = (size_t)PTHREAD_STACK_MIN;
    if (size < least)
        size = least;
    if (__builtin_add_overflow(size, page - 1, &size))
        return EINVAL;
    *size_bytes = size / page * page;
    return 0;
}

static int attributes_init(pthread_attr_t *attributes, const struct filch_thread_attr *attr)
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
    if (error != 0)
        pthread_attr_destroy(attributes);
    return error;
}

int filch_thread_spawn(struct filch_thread **thread, const struct filch_thread_attr *attr,
                       void *(*fn)(void *), void *arg)
{
    static const struct filch_thread_attr defaults;
    if (thread == NULL || fn == NULL)
        return EINVAL;
    if (attr == NULL)
        attr = &defaults;
    pthread_attr_t attributes;
    int error = attributes_init(&attributes, attr);
    if (error != 0)
        return error;
    size_t name_bytes = attr->name == NULL ? 1 : strlen(attr->name) + 1;
    struct filch_thread *made = filch__os->alloc(sizeof *made + name_bytes, _Alignof(max_align_t));
    if (made == NULL) {
        error = ENOMEM;
        goto undo_attributes;
    }
    *made = (struct filch_thread){.fn = fn, .arg = arg, .references = 2};
    memcpy(made->name, attr->name == NULL ? "" : attr->name, name_bytes);
    error = filch__os->thread_create(&made->id, &attributes, thread_main, made);
    if (error != 0)
        filch__os->free(made);
    else
        *thread = made;
undo_attributes:
    pthread_attr_destroy(&attributes);
    return error;
}

int filch_thread_join(struct filch_thread *thread, void **result)
{
    if (thread == NULL)
        return EINVAL;
    if (pthread_equal(thread->id, pthread_self()))
        return EDEADLK;
    void *returned = NULL;
    int error = pthread_join(thread->id, &returned);
    FILCH_CHECK(error == 0, "a thread was joined twice, or joined after it was detached");
    release(thread);
    if (result != NULL)
        *result = returned;
    return 0;
}

int filch_thread_detach(struct filch_thread *thread)
{
    if (thread == NULL)
        return EINVAL;
    int error = pthread_detach(thread->id);
    FILCH_CHECK(error == 0, "a thread was detached twice, or detached after it was joined");
    release(thread);
    return 0;
}

const char *filch_thread_name(const struct filch_thread *thread)
{
    return thread == NULL || thread->name[0] == '\0' ? NULL : thread->name;
}
