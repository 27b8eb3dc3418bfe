/* SPDX-License-Identifier: Apache-2.0 */
/* The slow paths of fork and sync: entering and leaving the pool, answering thieves, syncing with
 * whoever has the half. */
#include "idle.h"
#include "pool.h"
#include "slot.h"
#include "strand.h"

#include "base/check.h"
#include "panic/panic.h"

#include <filch/fork.h>

/* The function of a slot that is ours alone. */
static filch__slot_run *function_of(struct filch__slot *slot)
{
    uintptr_t run = FILCH_LOAD_RELAXED(&slot->run); /* our own store */
    return (filch__slot_run *)(run & ~FILCH__SLOT_GUARDED);
}

/* More slots for one thread alone: no thief sees them, so their forks run one after the other. Used
 * where the fork stack is full, and where no pool can be had. The sync of the first slot takes the slow
 * path, to go back to the stack below. */
struct extension {
    _Alignas(FILCH_CACHE_LINE) struct filch__fork_stack owner; /* first, as in struct forks */
    struct filch__fork_stack *below;
    struct filch__slot *slots;
};

/* A call that recurses beyond 32768 open forks will go on for a while. */
enum { EXTENSION_SLOTS = 1024 };

/* Where neither a pool nor memory can be had, a join still runs its halves. */
static __thread struct {
    struct extension extension;
    struct filch__slot slot;
} last_resort;

/* Results of a call that has left the pool, or an extension: its slots may be another's by now. */
static __thread struct filch__slot left_slot;

static struct filch__fork_stack *extend(struct filch__fork_stack *below)
{
    size_t count = EXTENSION_SLOTS;
    size_t bytes = sizeof(struct extension) + count * sizeof(struct filch__slot);
    struct extension *e = filch__os->alloc(bytes, FILCH_CACHE_LINE);
    struct filch__slot *slots;
    if (e != NULL) {
        slots = (struct filch__slot *)(void *)(e + 1);
    } else {
        FILCH_CHECK(below->end == NULL, "no memory for one more open join or fork");
        e = &last_resort.extension;
        slots = &last_resort.slot;
        count = 1;
    }
    e->owner = (struct filch__fork_stack){.tail = slots, .end = slots + count, .split = slots + 1};
    e->below = below;
    e->slots = slots;
    filch__forks = &e->owner;
    return &e->owner;
}

/* Whether this is an extension and not the fork stack of the running strand. */
static bool is_extension(const struct filch__fork_stack *q)
{
    struct worker *w = filch__worker;
    return w == NULL || q != &FILCH_LOAD_RELAXED(&w->room) /* owner */->forks.owner;
}

static void leave_extension(struct extension *e)
{
    filch__forks = e->below;
    if (e != &last_resort.extension)
        filch__os->free(e);
}

static void end_stay(const int *change)
{
    filch__stay(*change);
}

void filch__fork_watch_panics(void)
{
    FILCH_STORE_RELAXED(&filch__panic_settle,
                        filch__fork_settle); /* read by those who fork after this */
}

static struct filch__fork_stack *enter(void)
{
    struct filch_pool *pool = NULL;
    struct worker *w = filch__pool_resolve(&pool) == 0 ? filch__guest_enter(pool) : NULL;
    if (w != NULL && FILCH_LOAD_RELAXED(&w->room) /* owner */ == &w->no_room &&
        !filch__strand_find_room(w)) {
        filch__guest_leave(
            w); /* the place was left without slots, and there is no memory for any */
        w = NULL;
    }
    if (w == NULL) {
        filch__fork_watch_panics();
        return extend(filch__forks);
    }
    /* The sync of the first slot is to take the slow path, to leave the pool. */
    struct forks *f = &FILCH_LOAD_RELAXED(&w->room) /* owner */->forks;
    w->last = f->base;
    f->floor = f->base + 1;
    FILCH_STORE_RELAXED(&f->owner.split, f->floor); /* owner; the stack is empty */
    return &f->owner;
}

struct filch__fork_stack *filch__fork_slow(struct filch__fork_stack *q)
{
    if (q->end == NULL)
        return enter();
    struct worker *w = filch__worker;
    if (w != NULL && q == &w->no_room.forks.owner && filch__strand_find_room(w))
        return filch__forks;
    return extend(q);
}

void filch__fork_answer(struct filch__fork_stack *q)
{
    struct worker *w = filch__worker;
    struct forks *f = filch__forks_of(q);
    FILCH_STORE_RELAXED(&q->asked, 0); /* owner; who asks after this is answered at the next push */
    (void)filch__forks_publish(f);
    /* Whoever goes to sleep says so, then (barrier) looks at what is public; we the other way round. */
    FILCH_FENCE_LIGHT();
    filch__idle_wake_one(w->pool);
    if (w->fences)
        FILCH_STORE_RELAXED(&q->asked, 1); /* owner; thieves cannot help themselves */
}

/* How a half that is ours alone is run. */
enum run {
    RUN_PLAINLY, /* what unwinds it unwinds the caller, too */
    RUN_CAUGHT,  /* a panic is returned */
    RUN_QUIETLY, /* so, and whatever else would unwind it ends the process with a message */
};

/* Returns the panic that the caller has to go on with; NULL: none. */
static struct filch_panic *run_half(struct filch__slot *slot, enum run how)
{
    void (*fn)(void *) = (void (*)(void *))function_of(slot);
    struct filch_panic *panic;
    int error = 0;
    if (how == RUN_PLAINLY)
        fn(slot);
    else if (how == RUN_CAUGHT)
        error = filch__try(fn, slot, &panic, filch__forks->tail);
    else
        error = filch__try_task(fn, slot, &panic, filch__forks->tail);
    return error == 0 ? NULL : panic;
}

/* Runs a slot that is ours alone. *slot holds the result afterwards. */
static struct filch_panic *run_here(struct forks *f, struct filch__slot **slot, enum run how)
{
    int back __attribute__((cleanup(end_stay), unused)) = -1;
    filch__stay(1);
    if (*slot != f->base)
        return run_half(*slot, how);
    /* No fork is open below it. So where the half waits, another strand has this room, and this slot. */
    struct filch__slot half = **slot;
    struct filch_panic *panic = run_half(&half, how);
    left_slot = half;
    *slot = &left_slot;
    return panic;
}

/* Runs the half in the first slot. Not there: it forks, and then that slot is in use again, or gone. */
static struct filch_panic *sync_extension(struct extension *e, enum run how)
{
    struct filch__slot half = e->slots[0];
    int back __attribute__((cleanup(end_stay), unused)) = -1;
    filch__stay(1); /* for left_slot */
    leave_extension(e);
    struct filch_panic *panic = run_half(&half, how);
    left_slot = half;
    return panic;
}

/* Waits for a slot that somebody else runs. Returns its panic; NULL: none. */
static struct filch_panic *collect(struct forks *f, struct filch__slot *slot)
{
    /* The sync has lowered the tail, but until it is done the slot is in use: whoever waits here takes it
     * along. */
    struct worker *w = filch__worker;
    FILCH_STORE(&f->owner.tail, slot + 1, FK_tail, release);
    w->awaited_halves++;
    filch__slot_wait(slot);
    w->awaited_halves--;
    FILCH_STORE(&f->owner.tail, slot, FK_tail, release);
    struct filch_panic *panic = NULL;
    uintptr_t run = FILCH_LOAD_RELAXED(&slot->run); /* acquired by the wait */
    if ((run & ~FILCH__SLOT_GUARDED) == FILCH__SLOT_FAILED)
        panic = (struct filch_panic *)slot->args[0];
    filch__forks_collect(f, slot);
    return panic;
}

/* Whether the call of a guest ends with the sync of this slot. If so, that is taken note of. */
static bool is_last(struct worker *w, struct filch__slot *slot)
{
    if (slot != w->last)
        return false;
    w->last = NULL;
    FILCH_LOAD_RELAXED(&w->room) /* owner */->forks.floor = slot;
    return true;
}

/* Whether this strand has offered the slot as a task, when it was left, and nobody has come for it. */
static bool take_offered(struct worker *w, struct filch__slot *slot)
{
    return !filch__slot_is_done(FILCH_LOAD(&slot->run, FK_done_look, acquire)) &&
           filch__worker_pop_slot(w, slot);
}

/* While the owner was changing the stack, others may have gone to sleep for it: see steal.c,
 * may_be_exposed. */
static void answer_if_asked(struct filch__fork_stack *q)
{
    FILCH_FENCE_LIGHT();
    if (FILCH_LOAD_RELAXED(&q->asked) /* behind their barrier */ != 0)
        filch__fork_answer(q);
}

void filch__forks_forget(void)
{
    struct filch__fork_stack *q = filch__forks;
    for (; is_extension(q); q = ((struct extension *)(void *)q)->below)
        FILCH_STORE_RELAXED(&q->split, q->end); /* one thread, and so below */
    FILCH_STORE_RELAXED(&q->split, q->end);
}

static const char synced_twice[] =
    "a fork was synced twice, on another thread, or in a forked child";

/* Both slow paths of a sync. Returns its panic; NULL: none, and *slot holds the result. */
static struct filch_panic *sync_half(struct filch__fork_stack *q, struct filch__slot **slot,
                                     enum run how)
{
    struct worker *w = filch__worker;
    struct forks *f = filch__forks_of(q);
    FILCH_CHECK(q == filch__forks && q->end != NULL && *slot != NULL, synced_twice);
    if (is_extension(q)) {
        struct filch_panic *panic = sync_extension((struct extension *)(void *)q, how);
        *slot = &left_slot;
        return panic;
    }
    /* Decided before the half runs: in place, it forks and syncs at this very slot again. */
    bool leaves = is_last(w, *slot);
    if (leaves && how == RUN_PLAINLY)
        how = RUN_CAUGHT;
    struct filch_panic *panic;
    if (filch__forks_reclaim(f, *slot)) {
        panic = run_here(f, slot, how);
    } else if (take_offered(w, *slot)) {
        /* The stack ends below it before it runs, since it forks at this very place. */
        filch__forks_collect(f, *slot);
        panic = run_here(f, slot, how);
    } else {
        panic = collect(f, *slot);
    }
    if (leaves) {
        /* Before it has left, tasks that wait with it may end, and sync: left_slot is theirs until then. */
        struct filch__slot left = **slot;
        filch__guest_leave(w);
        left_slot = left;
        *slot = &left_slot;
    } else {
        answer_if_asked(filch__forks);
    }
    return panic;
}

struct filch__slot *filch__sync_slow(struct filch__fork_stack *q, struct filch__slot *slot)
{
    struct filch_panic *panic = sync_half(q, &slot, RUN_PLAINLY);
    if (FILCH_UNLIKELY(panic != NULL))
        filch_resume_unwind(panic);
    return slot;
}

uintptr_t filch__sync_quietly(struct filch__fork_stack *q, struct filch__slot *slot)
{
    struct filch_panic *panic = sync_half(q, &slot, RUN_QUIETLY);
    return panic != NULL ? (uintptr_t)panic | FILCH__SYNC_PANICKED : (uintptr_t)slot;
}

void filch__sync_panicked(uintptr_t returned)
{
    filch_resume_unwind((struct filch_panic *)(returned & ~FILCH__SYNC_PANICKED));
}

#if !defined(__x86_64__) || defined(__ILP32__)
/* Elsewhere nobody calls these; but what a library exports is the same everywhere. */
FILCH_API FILCH_COLD struct filch__fork_stack *filch__fork_slow_kept(struct filch__fork_stack *q)
    __attribute__((alias("filch__fork_slow")));
FILCH_API FILCH_COLD void filch__fork_answer_kept(struct filch__fork_stack *q)
    __attribute__((alias("filch__fork_answer")));
FILCH_API FILCH_COLD uintptr_t filch__sync_slow_kept(struct filch__fork_stack *q,
                                                     struct filch__slot *slot)
    __attribute__((alias("filch__sync_quietly")));
#endif

/* --- halves whose frames are left by a panic --- */

/* Ends the newest slot of the strand: nobody runs it any more. One that nobody has begun is not run; the
 * panic of one that has is given up in favour of the one that is under way. */
static void settle(struct worker *w, struct forks *f, struct filch__slot *slot)
{
    bool leaves = is_last(w, slot);
    struct filch_panic *panic = NULL;
    if (!filch__fork_take(&f->owner, slot) && !filch__forks_reclaim(f, slot)) {
        if (take_offered(w, slot))
            filch__forks_collect(f, slot);
        else
            panic = collect(f, slot);
    }
    if (leaves)
        filch__guest_leave(w);
    if (panic == NULL)
        return;
    if (filch__panic_current != NULL)
        filch__panic_join(filch__panic_current, panic);
    else
        filch_panic_free(panic); /* an exception of another language is under way */
}

/* Ends the newest slot, which nobody else can have, of an extension. */
static void settle_extension(struct extension *e, struct filch__slot *slot)
{
    if (slot == e->slots)
        leave_extension(e);
    else
        FILCH_STORE_RELAXED(&e->owner.tail, slot); /* nobody else looks */
}

/* Whether there is a slot above `mark`; *newest is it. */
static bool find_newest(const void *mark, struct filch__slot **newest)
{
    struct filch__fork_stack *q = filch__forks;
    struct filch__slot *tail = FILCH_LOAD_RELAXED(&q->tail); /* owner */
    if (q->end == NULL || tail == mark || (!is_extension(q) && tail == filch__forks_of(q)->base))
        return false;
    *newest = tail - 1;
    return true;
}

const struct filch__slot *filch__fork_open(void)
{
    struct filch__slot *newest = NULL;
    return find_newest(NULL, &newest) ? newest : NULL;
}

static void settle_newest(struct filch__slot *slot)
{
    struct filch__fork_stack *q = filch__forks;
    if (is_extension(q))
        settle_extension((struct extension *)(void *)q, slot);
    else
        settle(filch__worker, filch__forks_of(q), slot);
}

/* Whether no fork is newer than the level that the running code is within. */
static bool is_level_begin(void)
{
    struct worker *w = filch__worker;
    return w != NULL && filch__strand_mark(w) == w->strand->level->mark;
}

/* Ends the slots above `mark`, down to one that a cleanup handler will end, or to those that are older than a
 * level: they are ended after it, in the order of the frames. */
static void settle_unguarded(const void *mark)
{
    struct filch__slot *slot;
    while (!is_level_begin() && find_newest(mark, &slot) &&
           filch__slot_guarded(FILCH_LOAD(&slot->run, FK_done_look, acquire)) == 0)
        settle_newest(slot);
}

void filch__fork_settle(struct filch_panic *panic)
{
    struct filch__slot *slot;
    if (!find_newest(NULL, &slot))
        return;
    if (!panic->has_mark)
        panic->mark = filch__boundary_mark();
    panic->has_mark = true;
    settle_unguarded(panic->mark);
}

void filch__half_left(void)
{
    const struct filch_panic *panic = filch__panic_current;
    struct filch__slot *slot;
    settle_unguarded(
        NULL); /* there are some only where another language's exception is under way */
    if (find_newest(NULL, &slot))
        settle_newest(slot);
    if (panic != NULL && panic->has_mark)
        settle_unguarded(panic->mark);
}

void filch__run_call(struct filch__slot *slot)
{
    ((void (*)(void *))slot->args[0])((void *)slot->args[1]);
}

void filch__fork_unsynced(void)
{
    FILCH_CHECK(filch__panic_current != NULL,
                "a FILCH_FORK was not synced before its block was left");
}

void filch__sync_misuse(const struct filch__slot *slot)
{
    FILCH_CHECK(slot != NULL, synced_twice);
    FILCH_CHECK(false, "a fork was synced out of order, or another one after it never was");
}

void filch__join_misuse(void)
{
    FILCH_CHECK(false, "filch_join: a half is NULL");
}
