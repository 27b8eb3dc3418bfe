/* SPDX-License-Identifier: Apache-2.0 */
/* A stand-in for the brief lock, which has a model of its own (park): a thread that does not get it is not
 * followed; another one is, that comes later. Before the sources. */
#ifndef FILCH_MODEL_BRIEF_H
#define FILCH_MODEL_BRIEF_H

#include "model.h"

#define FILCH_PARK_BRIEF_H
struct brief {
    uint32_t word;
};

static inline void filch__brief_enter(struct brief *b)
{
    uint32_t seen = 0;
    __VERIFIER_assume(
        __atomic_compare_exchange_n(&b->word, &seen, 1, 0, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED));
}

static inline void filch__brief_leave(struct brief *b)
{
    __atomic_store_n(&b->word, 0, __ATOMIC_RELEASE);
}

#endif
