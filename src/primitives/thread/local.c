/* SPDX-License-Identifier: Apache-2.0 */
/* Thread-locals: the values lie in the thread's own storage, where the compiler put them; here is
 * their list, newest first, of those that are to be dropped when the thread ends. */
#include <filch/local.h>

#include "park/park.h"
#include "thread/thread.h"

static __thread struct filch__local *alive __attribute__((tls_model("initial-exec")));

/* An initialisation that panics leaves the value as it was: the next use starts it again. */
static void is_left(struct filch__local *const *starting)
{
    if (*starting != NULL)
        (*starting)->state = FILCH__LOCAL_NOT_STARTED;
    filch__stay(-1);
}

int filch__local_try(struct filch__local *local, void *value)
{
    switch (local->state) {
    case FILCH__LOCAL_ALIVE:
        return 0;
    case FILCH__LOCAL_STARTING:
        return EDEADLK;
    case FILCH__LOCAL_GONE:
        return ESHUTDOWN;
    default:
        break;
    }
    /* Somebody has to be there when the thread ends, or the value would never be dropped. */
    if (local->drop != NULL && filch__thread_here() == NULL)
        return filch__thread_is_over() ? ESHUTDOWN : ENOMEM;
    if (local->init != NULL) {
        struct filch__local *starting __attribute__((cleanup(is_left))) = local;
        local->state = FILCH__LOCAL_STARTING;
        filch__stay(1); /* the value is this thread's */
        local->init(value);
        starting = NULL;
    }
    local->state = FILCH__LOCAL_ALIVE;
    if (local->drop != NULL) {
        local->value = value;
        local->next = alive;
        alive = local;
    }
    return 0;
}

void *filch__local_get(struct filch__local *local, void *value)
{
    switch (filch__local_try(local, value)) {
    case 0:
        return value;
    case EDEADLK:
        filch_panic("a thread-local was used by its own initialisation");
    case ESHUTDOWN:
        filch_panic("a thread-local was used during or after its destruction");
    default:
        filch_panic("no memory for the destructor of a thread-local");
    }
}

void filch__locals_drop(void)
{
    while (alive != NULL) {
        struct filch__local *local = alive;
        alive = local->next;
        local->state = FILCH__LOCAL_GONE;
        filch__try_nothing(local->drop, local->value,
                           "the drop function of a thread-local panicked");
    }
}
