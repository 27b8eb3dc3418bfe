/* SPDX-License-Identifier: Apache-2.0 */
/* What the models of locks share: who runs here, and spinning that shows nothing. Before the sources. */
#ifndef FILCH_MODEL_LOCKS_H
#define FILCH_MODEL_LOCKS_H

#include "model.h"

#ifndef EOWNERDEAD /* the checker's <errno.h> is short */
#define EOWNERDEAD 130
#define EDEADLK 35
#endif

/* Here each thread has its own. */
#undef __thread
#define __thread _Thread_local
#include <filch/inline/self.h>
_Thread_local uint64_t filch__self;
#undef __thread
#define __thread

#include "park/self.h"
#include "park/spin.h"

uint64_t filch__self_get(void)
{
    return filch__self;
}

/* Whoever has the queue gives it back: the checker sees for itself that a loop which only looks ends. */
#define filch__spin_on(step) ((void)0)

#endif
