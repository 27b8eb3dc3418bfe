/* SPDX-License-Identifier: Apache-2.0 */
/* A worker: a thread that runs tasks of one pool, and what belongs to it.
 *
 * Two kinds have the same struct: the pool's own threads, and guests, threads from outside for as
 * long as they are inside a join, scope or loop of theirs. A guest runs only what its own call has
 * spawned, so that a small loop never waits for somebody else's long task.
 *
 * The loop (filch__work) runs at the base of every strand. It calls a task on the present stack; a
 * task that has to wait leaves the whole strand behind, and the loop goes on at the base of another
 * one. So a task never runs on top of frames that could need what it holds.
 */
#ifndef FILCH_POOL_WORKER_H
#define FILCH_POOL_WORKER_H

#include "base/check.h"
#include "deque.h"
#include "fiber/ambient.h"
#include "fiber/fiber.h"
#include "forks.h"
#include "idle.h"
#include "level.h"
#include "park/park.h"
#include "roam.h"
#include "steal.h"
#include "tally.h"
#include "task_place.h"
#include "timer.h"
#include "wait.h"

#include <filch/parallel.h>
#include <filch/stats.h>
#include <stdbool.h>

struct filch_panic;
struct filch_pool;
struct filch_thread;
struct strand;
struct worker;

/* A fork stack and its slots, a mapping. It stays with its worker: a strand that is left without open
 * forks leaves its room to the next one, and only one that has some takes it along. Thieves may look at
 * it as long as the pool lives. */
struct fork_room {
    struct forks forks; /* first */
    /* The guest from whose own halves, through halves alone, what runs here has come; NULL: none. Set
     * when there are no forks, so it holds for all of them; owner writes. */
    FILCH_SHARED(struct worker *) region;
    FILCH_SHARED(struct level *) level; /* the innermost when there were no forks; owner writes */
    struct fork_room *next;             /* owner only: of the spare ones */
    struct fork_room *made;             /* const: the worker's list of all it has made */
    size_t size_bytes;                  /* const: of the mapping, which begins with this */
};

/* Whether a worker sleeps, and shows `asleep`. */
enum sleeper {
    SLEEPER_NONE,
    SLEEPER_WAITS, /* for what is to go on with it, and nothing else: a guest, or one without a stack */
    SLEEPER_SERVES, /* for that, or anything to run */
};

/* Counters, one set per worker, so that counting costs no sharing. Owner writes, others read. */
struct worker_stats {
    FILCH_SHARED(uint64_t) tasks;
    FILCH_SHARED(uint64_t) steals;
    FILCH_SHARED(uint64_t) exposures;
    FILCH_SHARED(uint64_t) suspensions;
    FILCH_SHARED(uint64_t) sleeps;
    FILCH_SHARED(uint64_t) wakes;
    FILCH_SHARED(uint64_t) strands; /* the most at a time */
    FILCH_SHARED(uint64_t) stackless;
    FILCH_SHARED(uint64_t) bind_failures;
    FILCH_SHARED(uint64_t) migrations;
};

/* What loops know about their bodies from earlier runs; see src/scope/for.c. Owner only. */
enum { LOOP_MEMORY_ENTRIES = 32 };
struct loop_memory {
    filch_for_body *body;
    double ns_per_iteration;
    size_t grain;                  /* iterations of a leaf */
    const void *ctx;               /* of the last loop that was timed */
    size_t count;                  /* its iterations */
    uint32_t untimed;              /* short loops since the last that was timed */
    FILCH_SHARED(int64_t) tick_ns; /* on the coarse clock, at the latest look in an untimed one */
};

struct worker {
    /* What thieves look at. */
    FILCH_SHARED(struct fork_room *) room; /* of the strand that runs; owner writes */
    FILCH_SHARED(struct worker *) region;  /* of the strand that runs; owner writes, a hint */
    FILCH_SHARED(uint32_t) is_taken;       /* a guest's place: a thread has it */
    FILCH_SHARED(bool) has_started; /* deque and forks may be looked at; once true, it stays */
    struct deque deque;

    /* What wakers touch. */
    _Alignas(FILCH_CACHE_LINE) FILCH_SHARED(struct waiter *) woken; /* stack of waiters to resume */
    FILCH_SHARED(bool) blocks_waker; /* it was woken by one on its own core, who goes on after it */
    FILCH_SHARED(uint32_t) sleeper;  /* enum sleeper: whoever takes it wakes the worker */
    FILCH_SHARED(uint32_t) wakers;   /* outside the pool, that are waking a task of this worker */
    FILCH_SHARED(uint32_t) is_asked; /* `look_again` is in `woken`, or on its way */
    struct waiter look_again;        /* stands for the question whether those that wait still may */

    /* The worker's while it is awake; asleep, of whoever has taken `sleeper`. */
    _Alignas(FILCH_CACHE_LINE) struct waiter asleep;
    struct task_item gift; /* what it is to run first when it wakes up; fn is NULL: nothing */

    /* Owner only from here. */
    _Alignas(FILCH_CACHE_LINE) struct filch_pool *pool; /* const */
    const uint64_t *idle_word;                          /* const: the pool's */
    size_t width;                                       /* const: the pool's */
    bool fences;                                        /* const: the pool's */
    bool serves_default;                                /* const: a worker of the default pool */
    struct strand *strand;                              /* that runs */
    struct strand *base;                                /* const: on the thread's own stack */
    struct strand *spare;                               /* stopped in the loop, nothing on them */
    struct strand *surplus;       /* of these, that shall go; taken where there is no other */
    struct strand *yielded;       /* stopped spawners, newest first */
    struct strand *leaving;       /* a guest's base, when only its suspended strands keep it */
    size_t spare_count;           /* with the surplus */
    size_t spare_low;             /* the least since the last look at what is not needed */
    size_t strand_count;          /* but for the base */
    int64_t trim_ns;              /* when to look again; FILCH_FOREVER: nothing is too much */
    bool is_base_spare;           /* the base stands in the loop: no list has it */
    bool has_roamers;             /* tasks that may migrate have run here: not on the base, then */
    bool trims_store;             /* stacks have been given back whose memory is still there */
    struct fork_room *spare_room; /* rooms without forks */
    struct fork_room *made_room;  /* all rooms but no_room */
    struct fork_room no_room;     /* without slots: for when there is no memory for another one */
    struct filch__fork_stack *outside_forks; /* filch__forks of the thread, as it came */
    struct strand *ready;                    /* that can go on, oldest first */
    struct strand *ready_last;
    struct strand *late_last; /* of those at the front whose time is over; NULL: none is */
    struct tally_credits credits;
    struct timer_list timers;
    struct stack_cache stacks;
    struct task_places task_places;
    int *error_number;      /* &errno of its thread; of a guest's place, the visitor's */
    struct ambient ambient; /* floating-point modes and errno that a fresh task starts with */
    FILCH_SHARED(uint32_t) * victims; /* indices of other workers, nearest first */
    size_t victim_count;              /* const */
    size_t index;                     /* const: place in the pool */
    size_t suspended;                 /* strands that wait */
    size_t awaited_halves;            /* that others run while a sync here waits for them */
    struct wait *waits;               /* those that can be cancelled */
    struct level outermost;           /* around all strands */
    struct roam roam;                 /* waits that may end with another worker */
    unsigned timer_looks;             /* times at which the timers could have been looked at */
    unsigned lonely_yields;           /* of tasks beside which nobody was to run here */
    uint64_t tick;                    /* tasks started, for what is looked at now and then */
    bool is_guest;                    /* const */
    const void *visitor;              /* of a guest's place: tells one thread from another */
    bool is_searching;                /* counted as searching in the idle word */
    bool is_brief; /* its searches are: whoever woke it waits for its core, or it was a deadline */
    int64_t slept_since_ns;
    uint64_t outside_until; /* tick: tasks from outside lie in the own deque until then */
    struct loot loot;
    struct lone lone;
    struct filch__slot
        *last;        /* a guest's: its call ends with the sync of this slot; NULL: not so */
    uint64_t spawned; /* tasks spawned on scopes, for the bound on their number */
    struct filch_thread *thread; /* const; NULL for a guest */
    FILCH_SHARED(int64_t)
    idle_ran_ns; /* its processor time at a loan that it did not use; lenders write */
    struct loop_memory loops[LOOP_MEMORY_ENTRIES];
    struct worker_stats stats;
};

/* The worker that the calling thread is; NULL outside. */
extern __thread struct worker *filch__worker __attribute__((tls_model("initial-exec")));

/* The room whose forks these are. */
static inline struct fork_room *filch__room_of(struct forks *forks)
{
    return FILCH_CONTAINER_OF(forks, struct fork_room, forks);
}

/* What a thief finds at the worker. */
static inline struct forks *filch__worker_forks(struct worker *w)
{
    return &FILCH_LOAD(&w->room, WK_room_look, acquire)->forks;
}

/* Adds to a counter of the calling worker's own. */
static inline void filch__count(uint64_t *counter)
{
    FILCH_STORE_RELAXED(counter, *counter + 1); /* statistic, owner only */
}

/* Prepares a worker: deque, base strand. It does not run yet. Returns 0; ENOMEM. */
FILCH_NODISCARD int filch__worker_init(struct worker *w, struct filch_pool *pool, size_t index,
                                       bool is_guest);

/* Frees everything of a worker that does not run; its tasks have all ended. */
void filch__worker_destroy(struct worker *w);

/* Makes the calling thread the worker: installs its waiter kind and fork stack. */
void filch__worker_enter(struct worker *w);

/* The calling thread is no worker any more. */
void filch__worker_exit(struct worker *w);

/* In a forked child, where the pool's threads are not: the calling thread is an outsider. */
void filch__worker_forget(void);

/* The loop: runs tasks until the pool stops. Returns on the base strand only. */
void filch__work(struct worker *w);

/* What a loop of tasks runs now: kept outside the boundary, so that it is known which one panicked. */
struct task_run {
    struct worker *w;
    struct task_loop *loop;
    struct task_item item;
};

/* The loop itself; in the frame of filch__worker_run_loop. */
struct task_loop {
    struct level level;
    struct filch_task *below; /* the task with a handle on top of which it runs; NULL: none */
};

/* Runs run->item, which was taken from a queue, and counts its end. Within filch__worker_run_loop, on w. */
void filch__worker_run(struct worker *w, struct task_run *run);

/* Calls loop(run), which runs tasks from run->item, until it returns; a task that panics is ended, and
 * the loop called again. One boundary serves all of them, so a task costs none. */
void filch__worker_run_loop(void (*loop)(void *run), struct task_run *run);

/* Calls the drop function of a task, which must not panic. */
void filch__worker_drop(void (*drop)(void *), void *arg);

/* Whether filch__idle_notify is to be called for what has just been pushed. Store the task, then load the word: a
 * worker that goes to sleep counts itself, makes every processor order its accesses, then looks for tasks. */
static inline bool filch__worker_wants_others(const struct worker *w)
{
    FILCH_FENCE_LIGHT();
    uint64_t word = FILCH_LOAD_RELAXED(w->idle_word); /* see above */
    return filch__idle_wants_waking(word, w->width) || w->fences;
}

/* Sees to it that somebody is awake for what has just been pushed. */
static inline void filch__worker_has_pushed(struct worker *w)
{
    if (FILCH_UNLIKELY(filch__worker_wants_others(w)))
        filch__idle_notify(w);
}

/* Pushes a task on the worker's deque and sees to it that somebody is awake. Returns 0; ENOMEM. */
FILCH_NODISCARD static inline int filch__worker_push(struct worker *w, const struct task_item *item)
{
    int error = filch__deque_push(&w->deque, item);
    if (error == 0)
        filch__worker_has_pushed(w);
    return error;
}

/* Says from whose halves the strand's next work has come. At the base of the strand only. */
void filch__worker_set_region(struct worker *w, struct worker *region);

/* Runs the newest task of the worker's own deque, as filch__worker_run does, if it is one of `tally`'s. */
bool filch__worker_run_of(struct worker *w, const struct tally *tally, struct task_run *run);

/* Pops the newest task of the own deque if it is this exported slot. */
bool filch__worker_pop_slot(struct worker *w, const struct filch__slot *slot);

/* Timers that are due make their waiters go on, unless those have been woken. */
void filch__worker_fire_timers(struct worker *w);

/* Whether something that waits on this worker could go on, by its timer too. */
static inline bool filch__worker_is_due(struct worker *w)
{
    filch__worker_fire_timers(w);
    return w->ready != NULL || FILCH_LOAD_RELAXED(&w->woken) != NULL; /* a look */
}

/* Ends the wait of a task of this worker without a wake-up, unless there has been one. */
void filch__worker_end_wait(struct worker *w, struct waiter *waiter);

/* The waiter of a task of this worker has been woken, perhaps by another thread. */
void filch__strand_push_woken(struct worker *w, struct waiter *waiter);

/* Has the worker look again at those that wait on it: see filch__cancel_answer. Any thread. */
void filch__worker_ask_waiting(struct worker *w);

/* Fires the timers now and then, where there are any: before whatever is done next. */
static FILCH_ALWAYS_INLINE void filch__worker_look_at_timers(struct worker *w)
{
    enum { TIMERS_EVERY = 16 }; /* the clock takes as long as some tasks do */
    if (FILCH_UNLIKELY(filch__timer_may_have(&w->timers)) && ++w->timer_looks % TIMERS_EVERY == 0)
        filch__worker_fire_timers(w);
}

/* The waiter that is a task. */
extern const struct waiter_ops filch__waiter_task_ops;

#endif
