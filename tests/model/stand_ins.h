/* SPDX-License-Identifier: Apache-2.0 */
/* Stand-ins for what models of the pool do not look at. Before everything else of the pool. */
#ifndef FILCH_MODEL_STAND_INS_H
#define FILCH_MODEL_STAND_INS_H

#include "model.h"

#include "park/lock.h"

/* Floating-point modes: the checker does not know them. */
#define FILCH_FIBER_AMBIENT_H
struct ambient {
    uint64_t modes;
};

static inline void filch__ambient_save(struct ambient *ambient, const int *error_number)
{
    (void)error_number;
    ambient->modes = 0;
}

static inline void filch__ambient_restore(const struct ambient *ambient, int *error_number)
{
    (void)ambient;
    (void)error_number;
}

/* Exceptions of C++: there are none. Of no size, so that what holds them is one word, which the checker can
 * copy. */
#define FILCH_PANIC_CXX_H
struct cxx_exceptions {
};

static inline struct cxx_exceptions filch__cxx_leave_stack(void)
{
    return (struct cxx_exceptions){};
}

static inline void filch__cxx_enter_stack(const struct cxx_exceptions *left)
{
    (void)left;
}

/* The lock has a model of its own (park). */
static pthread_mutex_t model_lock;

void filch__lock(struct lock *l)
{
    (void)l;
    pthread_mutex_lock(&model_lock);
}

void filch__unlock(struct lock *l)
{
    (void)l;
    pthread_mutex_unlock(&model_lock);
}

uint64_t filch__process_forks;

struct filch_pool;
struct worker;
struct worker *filch__machine_local(struct filch_pool *pool)
{
    (void)pool;
    return NULL;
}

struct stack_cache;
struct stack_store;
void filch__stack_cache_init(struct stack_cache *cache, struct stack_store *store)
{
    (void)cache;
    (void)store;
}

void filch__stack_cache_drain(struct stack_cache *cache)
{
    (void)cache;
}

#endif
