/* SPDX-License-Identifier: Apache-2.0 */
#include "worker.h"

#include "panic/panic.h"

/* Here, not with the boundary itself, because a boundary has to know where the forks stand. */
int filch_catch_unwind(void (*fn)(void *), void *arg, struct filch_panic **panic)
{
    const struct filch__slot *level = filch__forks_level();
    int error = filch__try(fn, arg, panic, FILCH_LOAD_RELAXED(&filch__forks->tail)); /* owner */
    filch__forks_check(level);
    return error;
}
