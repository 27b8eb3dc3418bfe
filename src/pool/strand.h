/* SPDX-License-Identifier: Apache-2.0 */
/* Strands, the stacks of frames on which a worker runs, and the levels of the one that runs. */
#ifndef FILCH_POOL_STRAND_H
#define FILCH_POOL_STRAND_H

#include "worker.h"

/* A stack of frames: what a waiting task leaves behind. It lies at the top of its own stack; that of a
 * thread's own stack, a worker's base, does not. Owner only. */
struct strand {
    struct fiber fiber;     /* first; with its last member begins what a switch needs, one line */
    struct worker *worker;  /* const; of one that may migrate: written by whoever goes on with it */
    struct strand *next;    /* in one of the worker's lists */
    struct fork_room *room; /* of a strand that was left with open forks: they; else NULL */
    struct worker *region;  /* of a strand that was left: see struct fork_room */
    uint64_t self;          /* its identity while it does not run; 0: none yet */
    struct level *level;    /* the innermost */
    bool may_migrate;       /* what runs here may go on with another worker: see roam.h */
    unsigned stays;         /* of that: calls that need their thread */
    struct filch__fork_stack *forks; /* with `room`: its filch__forks */
    struct filch_task *task;         /* the one with a handle that runs here; NULL: none */
    struct filch_task *roamer;       /* the task that may, where not all may */
    struct roam_wait *wait;          /* of one that may: while its waiter is PARKED */
};

/* Prepares what the worker runs on: the base strand, and its room. Returns 0; ENOMEM. */
FILCH_NODISCARD int filch__strand_init(struct worker *w);

/* Frees that, and all strands, of which only the base may have a task. */
void filch__strand_end(struct worker *w);

/* For a running strand without slots: a room that has some. Returns false: there is no memory. */
bool filch__strand_find_room(struct worker *w);

/* Leaves the running strand and goes on with `next`; returns when somebody switches back. */
void filch__strand_switch(struct worker *w, struct strand *next);

/* The same for a strand that may go on with another worker: w may be another one's afterwards. */
void filch__strand_depart(struct worker *w, struct strand *next);

/* Leaves the running strand, which waits, for whatever is next. Returns when it goes on; on this worker. */
void filch__strand_leave(struct worker *w);

/* The strand that was left last has departed: called on the stack of one in the loop. */
static FILCH_ALWAYS_INLINE void filch__roam_settle(struct worker *w)
{
    if (FILCH_UNLIKELY(w->roam.departing != NULL))
        filch__roam_settle_slow(w);
}

/* Gives some up where there are many. */
void filch__strand_bound_spares(struct worker *w);

/* Gives all spare strands up. */
void filch__strand_give_up_spares(struct worker *w);

/* Gives memory back that has not been needed for a while, a portion of it; a worker that has nothing to do
 * calls it again and again. Returns false: there is nothing to give, before trim_ns. */
bool filch__strand_trim(struct worker *w);

/* A guest that leaves gives back what it will hardly need so soon. */
void filch__strand_trim_guest(struct worker *w);

/* filch__strand_other where the list of spare ones is empty. */
struct strand *filch__strand_other_slow(struct worker *w);

/* A strand that stands in the loop: a spare one, else a new one; NULL: none to be had. */
static FILCH_ALWAYS_INLINE struct strand *filch__strand_other(struct worker *w)
{
    struct strand *s = w->spare;
    if (FILCH_UNLIKELY(s == NULL))
        return filch__strand_other_slow(w);
    w->spare = s->next;
    s->next = NULL;
    if (--w->spare_count < w->spare_low)
        w->spare_low = w->spare_count;
    return s;
}

/* The strand stands, or is about to stand, in the loop. */
static inline void filch__strand_put_spare(struct worker *w, struct strand *s)
{
    if (FILCH_UNLIKELY(s == w->base)) {
        w->is_base_spare = true;
        return;
    }
    s->next = w->spare;
    w->spare = s;
    w->spare_count++;
}

/* Whether the running strand has no open forks. */
static inline bool filch__strand_has_no_forks(struct worker *w)
{
    return FILCH_LOAD_RELAXED(&filch__forks->tail) /* owner */ ==
           FILCH_LOAD_RELAXED(&w->room) /* owner */->forks.base;
}

/* Where the forks of the running strand end; NULL: it has none open, and may change rooms. */
static inline const struct filch__slot *filch__strand_mark(struct worker *w)
{
    return filch__strand_has_no_forks(w) ? NULL
                                         : FILCH_LOAD_RELAXED(&filch__forks->tail); /* owner */
}

/* --- levels --- */

/* Adds a level to the running strand; takes the innermost one away, whose halves are done. What is forked
 * meanwhile belongs to it. */
static inline void filch__level_enter(struct worker *w, struct level *level)
{
    struct fork_room *room = FILCH_LOAD_RELAXED(&w->room); /* owner */
    struct level *outer = w->strand->level;
    /* Where the fork stack has an extension, nothing is pushed here. */
    struct filch__slot *next = FILCH_LOAD_RELAXED(&room->forks.owner.tail);   /* owner */
    const struct filch__slot *tail = FILCH_LOAD_RELAXED(&filch__forks->tail); /* owner */
    level->outer = outer;
    level->mark = tail == room->forks.base ? NULL : tail; /* filch__strand_mark */
    w->strand->level = level;
    /* Relaxed: only the claim of a later slot makes a thief look. */
    if (next == room->forks.base) {
        FILCH_STORE_RELAXED(&room->level, level); /* as said */
        return;
    }
    outer->inner = level;
    FILCH_STORE_RELAXED(&outer->inner_from, next); /* as said */
}

static inline void filch__level_leave(struct worker *w)
{
    struct fork_room *room = FILCH_LOAD_RELAXED(&w->room); /* owner */
    struct level *outer = w->strand->level->outer;
    w->strand->level = outer;
    FILCH_STORE_RELAXED(&outer->inner_from, LEVEL_IS_INNERMOST); /* as above */
    if (FILCH_LOAD_RELAXED(&room->forks.owner.tail) /* owner */ == room->forks.base)
        FILCH_STORE_RELAXED(&room->level, outer); /* as above */
}

/* What can cancel a half that the caller has claimed, or owns. */
static inline struct cancel *filch__room_cancel_of(const struct fork_room *room,
                                                   const struct filch__slot *slot)
{
    return filch__level_cancel_of(FILCH_LOAD_RELAXED(&room->level), slot); /* as above */
}

/* What can cancel the running code; NULL: nothing. */
static inline struct cancel *filch__cancel_here(void)
{
    const struct worker *w = filch__worker;
    return w == NULL ? NULL : filch__level_cancel(w->strand->level);
}

/* Sets the running strand aside until the worker's deque is short; the tasks there run meanwhile.
 * Returns at once where no stack is to be had. */
void filch__strand_yield(struct worker *w);

enum {
    /* Every so many tasks the injector is looked at first, so that work from outside is not kept
     * waiting by work that breeds work; and tasks that begin come before tasks that go on, so that
     * those that wake each other do not keep the rest waiting. A prime, lest it beats in time with the
     * program's own loops. */
    OTHERS_EVERY = 61,
    /* More tasks than this in its deque, and a spawner has to let some of them run: 16 KiB, half of
     * a level-1 cache. */
    SPAWNED_MAX = 512,
    SPAWNED_LOOK_EVERY = 64, /* a power of two */
};

/* Counts a spawn of a worker or guest. Returns whether there may be too many by now. */
static FILCH_ALWAYS_INLINE bool filch__strand_counts_spawn(struct worker *w)
{
    return ++w->spawned % SPAWNED_LOOK_EVERY == 0;
}

/* Called after each spawn of a worker or guest: now and then, where too many tasks wait in its deque,
 * sets the spawner aside until some have run, so that memory stays bounded. */
static inline void filch__strand_bound_spawns(struct worker *w)
{
    if (FILCH_UNLIKELY(filch__strand_counts_spawn(w)) && filch__deque_size(&w->deque) > SPAWNED_MAX)
        filch__strand_yield(w);
}

/* filch__strand_has_spawned where there is something to do. Returns 0. */
int filch__strand_look_round(struct worker *w);

/* A worker or guest has pushed a task that it has spawned: filch__worker_has_pushed and filch__strand_bound_spawns.
 * Returns 0. The last thing that a spawn does: then that saves no registers for what is done now and then. */
static FILCH_ALWAYS_INLINE int filch__strand_has_spawned(struct worker *w)
{
    if (FILCH_UNLIKELY(filch__worker_wants_others(w)) ||
        FILCH_UNLIKELY(filch__strand_counts_spawn(w)))
        return filch__strand_look_round(w);
    return 0;
}

/* The next strand that can go on, its timer taken back; NULL: none. */
struct strand *filch__strand_next_ready(struct worker *w);

/* This strand can go on, before all others. */
void filch__strand_ready_first(struct worker *w, struct strand *s);

/* The same for one whose deadline has passed: behind those of which that is true already. */
void filch__strand_ready_late(struct worker *w, struct strand *s);

/* Where so many wait, their stacks are in no cache. */
enum { STRANDS_MANY = 32 };

/* The wake_here of a task's waiter. Of few, nobody is woken so: that would make a waker wait here for what another
 * processor has written. */
bool filch__strand_wake_here(struct waiter *waiter, struct waiter_row *row, bool is_front);

/* Whether filch__strand_next_ready would find something. */
bool filch__strand_has_ready(struct worker *w);

/* The same, where one that could go on with any worker does. */
bool filch__strand_find_ready(struct worker *w);

/* Runs an exported slot, as a task. */
void filch__strand_execute_exported(void *slot);

/* Sets a guest's base strand aside until none of its other strands waits. */
void filch__strand_wait_for_others(struct worker *w);

#endif
