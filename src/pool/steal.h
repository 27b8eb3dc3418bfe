/* SPDX-License-Identifier: Apache-2.0 */
/* Looking for work in other places: whose, in which order, and when to be insistent. */
#ifndef FILCH_POOL_STEAL_H
#define FILCH_POOL_STEAL_H

#include "deque.h"

#include <filch/inline/fork.h>
#include <stdbool.h>
#include <stdint.h>

enum { INJECTOR_BATCH = 128 }; /* tasks that a worker without work takes from outside at once */

struct filch_pool;
struct worker;

/* What a worker has taken from others lately, and what that says; see steal.c. Owner only. */
struct loot {
    int64_t begin_ns;              /* of what was taken, about: when a theft was over */
    int64_t theft_ns;              /* that the theft took */
    int64_t rest_until_ns;         /* deques are left alone until then */
    int64_t rest_outside_until_ns; /* the injector is */
    uint32_t tasks;                /* that were taken, and not judged yet */
    uint32_t vain;                 /* thefts in a row that were not worth it, and nothing else */
    bool is_all;                   /* the injector was empty then */
    bool rests;                    /* what the times say, as looked at now and then */
    bool rests_outside;
    int64_t now_ns; /* at the latest look */
};

/* A task that lies alone in somebody's deque: see steal.c. Owner only. */
struct lone {
    const struct worker *victim; /* NULL: none is watched */
    uint64_t index;
    int64_t since_ns;
    unsigned gone; /* that were watched since the latest theft, and not taken */
    bool seen;     /* in this round */
};

/* What a search has found: a claimed slot, or, where slot is NULL, a task. */
struct found {
    struct filch__slot *slot;
    struct cancel *within; /* of the slot */
    struct task_item item;
};

/* Looks once at the injector and at every other place, nearest first. Returns true with *found.
 *   *hidden  receives a place that has forks but none public; unchanged where there is none [out] */
bool filch__search_once(struct worker *w, struct found *found, struct worker **hidden);

/* Takes a task from outside, and some more to the own deque.
 *   most  that are taken in all, 1 to INJECTOR_BATCH
 * Returns true with *item. */
bool filch__search_injector(struct worker *w, size_t most, struct task_item *item);

/* Searches for some microseconds. Returns true with *found; false: nothing, or something to resume,
 * or the pool is crowded. */
bool filch__search(struct worker *w, struct found *found);

/* Whether any place has work that somebody else could take. */
bool filch__search_sees_work(struct filch_pool *pool);

#endif
