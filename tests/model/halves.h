/* SPDX-License-Identifier: Apache-2.0 */
/* What halves and tasks need to run in a model. Panics are of no interest there. */
#ifndef FILCH_MODEL_HALVES_H
#define FILCH_MODEL_HALVES_H

#include "model.h"

#include <filch/inline/fork.h>

/* The functions of the checker have addresses that this bit may be part of. */
#undef FILCH__SLOT_GUARDED
#define FILCH__SLOT_GUARDED ((uintptr_t)0)

#include "panic/panic.h"

struct filch_panic *filch__panic_current;

int filch__try_task(void (*fn)(void *), void *arg, struct filch_panic **panic, const void *mark)
{
    (void)panic;
    (void)mark;
    fn(arg);
    return 0;
}

#endif
