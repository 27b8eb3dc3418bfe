/* SPDX-License-Identifier: Apache-2.0 */
/* A pool, as the files of this layer see it. */
#ifndef FILCH_POOL_POOL_H
#define FILCH_POOL_POOL_H

#include "blocking.h"
#include "idle.h"
#include "injector.h"
#include "machine.h"
#include "topology.h"
#include "worker.h"

#include "park/event.h"

#include <filch/pool.h>

enum {
    POOL_WORKERS_MAX = 1024,
    POOL_GUESTS_MIN =
        8, /* places for threads from outside; as many as workers where those are more */
};

/* What happens to tasks that have not started, and whether the workers shall end. Only goes up. */
enum pool_state { POOL_OPEN, POOL_DRAINING, POOL_CANCELLED, POOL_STOPPED };

struct filch_pool {
    struct idle idle;
    struct injector injector;
    struct tally tally; /* of tasks that belong to no scope; the pool itself holds one count */
    _Alignas(FILCH_CACHE_LINE) FILCH_SHARED(uint32_t) state; /* enum pool_state */
    size_t width;                                            /* const: workers */
    size_t guest_count;                                      /* const: places for guests */
    struct worker **places;                                  /* const: width workers, then guests */
    FILCH_SHARED(size_t) places_used; /* places below this may have work; only goes up */
    struct machine machine;
    struct stack_store stacks;
    struct blocking blocking;
    char *name;              /* const */
    size_t stack_size_bytes; /* const: of workers and strands */
    uint64_t process;        /* const: filch__process_generation() of its creator */
    bool is_default;         /* const */
    bool tasks_may_migrate;  /* const */
    bool fences;             /* const: no barrier to be had, owners publish at every push */
    struct waiter all_done;  /* of the tally: stops the workers when it is woken */
    FILCH_SHARED(bool) own_count_released;
    FILCH_SHARED(size_t) running; /* workers and spare threads that have not ended */
    struct event ended;           /* all of them have */
};

/* Creates a pool; see filch_pool_create. */
FILCH_NODISCARD int filch__pool_create(struct filch_pool **pool,
                                       const struct filch_pool_config *config, bool is_default);

/* NULL becomes the default pool. Returns 0; EPERM (of the parent process); what
 * filch_pool_default returns. */
FILCH_NODISCARD int filch__pool_resolve(struct filch_pool **pool);

static inline enum pool_state filch__pool_state(struct filch_pool *pool)
{
    return (enum pool_state)FILCH_LOAD(&pool->state, PL_state, acquire);
}

/* The pool gives up its own count of its tally: when that is 0, the workers stop. More than one call
 * does no harm. */
void filch__pool_release_own_count(struct filch_pool *pool);

/* A worker or spare thread of the pool ends, and touches the pool no more. */
void filch__pool_thread_ended(struct filch_pool *pool);

/* --- guests (guest.c) --- */

/* What a thread outside knows of its calls. After a long sleep none of it is in any cache: so it is on one line,
 * with filch__worker where the linker keeps the order of the files. */
struct outsider {
    struct worker *held; /* the place that it has although it is outside; NULL: none */
    size_t number;       /* of the place that it had last: asked for first, its memory is warm */
    struct {             /* its loop that is to begin before it enters; see src/scope/for.c */
        filch_for_body *body; /* NULL: none */
        size_t least;         /* iterations that it has to have */
        struct worker *place; /* that it had last for it; in the default pool */
    } early;
};

/* Initial-exec, as filch__worker. */
extern __thread struct outsider filch__outsider __attribute__((tls_model("initial-exec")));

/* Makes the calling thread, which is no worker, a guest of the pool. NULL: no place, or no memory.
 * It is to leave on the stack that it entered on. */
struct worker *filch__guest_enter(struct filch_pool *pool);

/* The guest's call is over: it finishes what it has begun, and is an outsider again. */
void filch__guest_leave(struct worker *guest);

/* Takes a place of a guest's. Returns whether it was free. */
static FILCH_ALWAYS_INLINE bool filch__guest_take(struct worker *place)
{
    uint32_t seen = 0;
    return FILCH_LOAD_RELAXED(&place->is_taken) == 0 /* a look */ &&
           FILCH_CAS(&place->is_taken, &seen, 1, GU_take, acquire);
}

/* Takes a place for a thread that is outside, and stays there: but what it asks about itself has the answers of a
 * guest, and when it enters the pool of the place, it enters there. Returns false where another thread has it. */
static FILCH_ALWAYS_INLINE bool filch__guest_hold(struct worker *place)
{
    if (!filch__guest_take(place))
        return false;
    filch__outsider.held = place;
    return true;
}

/* The worker that the calling thread is, or whose place it holds; NULL outside. */
static FILCH_ALWAYS_INLINE const struct worker *filch__guest_here(void)
{
    return FILCH_LIKELY(filch__worker != NULL) ? filch__worker : filch__outsider.held;
}

/* Whether the thread holds the place still. A child that has been forked meanwhile holds nothing. */
static FILCH_ALWAYS_INLINE bool filch__guest_holds(const struct worker *place)
{
    return filch__outsider.held == place;
}

/* It holds it no more. */
static FILCH_ALWAYS_INLINE void filch__guest_let_go(struct worker *place)
{
    filch__outsider.held = NULL;
    FILCH_STORE(&place->is_taken, 0, GU_give, release);
}

#endif
