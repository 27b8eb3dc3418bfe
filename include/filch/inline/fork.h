/* SPDX-License-Identifier: Apache-2.0 */
/* The inline part of fork and sync: what the owner of a fork stack does when nobody has stolen.
 * Private, although public headers include it. It compiles alone, so that a model checker reads the
 * very code that runs.
 *
 * Every stack of frames has a fork stack: an array of slots, each a half that another worker may
 * take. The owner pushes and takes back at `tail` with plain stores; slots below `split` may belong
 * to others and need the slow path, as does a push when somebody has `asked` for work. The idea of a
 * stack whose top part is private is Lace's (van Dijk & van de Pol, "Lace: non-blocking split deque for
 * work-stealing", 2014). src/pool/README.md has the whole protocol and its ordering table.
 */
#ifndef FILCH_INLINE_FORK_H
#define FILCH_INLINE_FORK_H

#include <filch/attr.h>
#include <filch/inline/atomic.h>
#include <stdint.h>

FILCH_EXTERN_C_BEGIN

#define FILCH__SLOT_ARGS 7

#if defined(FILCH_DEBUG) && FILCH_DEBUG
#define FILCH__FORK_DEBUG 1
#else
#define FILCH__FORK_DEBUG 0
#endif

#if defined(__x86_64__) && !defined(__ILP32__) && !defined(FILCH_MODEL)
#define FILCH__FORK_X86_64 1
#else
#define FILCH__FORK_X86_64 0
#endif

/* One forked half, a cache line. `run` is the function that unpacks the arguments, calls, and puts
 * the result in their place. Once the slot has been claimed it may become, in its two lowest bits,
 * FILCH__SLOT_DONE, or FILCH__SLOT_AWAITED with a pointer to what the owner waits with. */
struct filch__slot {
    FILCH_SHARED(uintptr_t) run;
    uintptr_t
        args[FILCH__SLOT_ARGS]; /* before the claim: owner; after it: the claimer, until DONE */
};

#define FILCH__SLOT_DONE ((uintptr_t)1)
#define FILCH__SLOT_AWAITED ((uintptr_t)2)

/* DONE, too: the half has panicked, and args[0] is the panic. */
#define FILCH__SLOT_FAILED ((uintptr_t)5)

/* In the function of a half whose frame has a cleanup handler for it (filch__half_leave), and then in
 * DONE and FAILED. The half of a filch_join has one without this: its function says so. */
#define FILCH__SLOT_GUARDED ((uintptr_t)8)

/* For the functions in `run`, so that those bits are 0 in their addresses. */
#define FILCH__SLOT_RUN __attribute__((aligned(16)))

typedef void filch__slot_run(struct filch__slot *slot);

/* The address of a static function. Clang would keep it in a register across the forked calls: see
 * filch__forks_here. */
#if FILCH__FORK_X86_64 && defined(__clang__)
#define FILCH__SLOT_RUN_ADDRESS(to, fn) __asm__ volatile("leaq %c1(%%rip), %0" : "=r"(to) : "i"(fn))
#else
#define FILCH__SLOT_RUN_ADDRESS(to, fn) ((to) = (uintptr_t)(fn))
#endif

/* What the owner touches at every fork; a cache line of its own. */
struct filch__fork_stack {
    FILCH_SHARED(struct filch__slot *) tail;  /* owner writes; a thief that exposes reads */
    struct filch__slot *end;                  /* const; a push there needs the slow path */
    FILCH_SHARED(struct filch__slot *) split; /* owner lowers; owner and thieves raise */
    FILCH_SHARED(uint32_t) asked;             /* others set, owner clears: somebody wants work */
};

/* The fork stack of the frames that run on this thread now. Outside of every pool: one whose end
 * is NULL, so that the first fork takes the slow path. Between a fork and its sync it is the same. */
extern FILCH_API __thread struct filch__fork_stack *filch__forks
    __attribute__((tls_model("initial-exec")));

/* Reads filch__forks. Both compilers would rather keep its address, or itself, in a register across the
 * forked calls: a register that every call then saves and restores, which costs more than this. */
#if FILCH__FORK_X86_64
static FILCH_ALWAYS_INLINE struct filch__fork_stack *filch__forks_here(void)
{
    uintptr_t q;
    __asm__ volatile("movq filch__forks@gottpoff(%%rip), %0\n\tmovq %%fs:(%0), %0"
                     : "=r"(q)
                     :
                     : "memory");
    return (struct filch__fork_stack *)q;
}
#else
static FILCH_ALWAYS_INLINE struct filch__fork_stack *filch__forks_here(void)
{
    return filch__forks;
}
#endif

/* A fork that follows a sync with no call in between, as in the loop that a compiler makes of a recursion, uses
 * the stack and the slot of that sync: filch__fork_next reads them in the compiler's sight, and a sync says
 * by filch__fork_stays what they are. Read again, they would make each turn of the loop wait for the one
 * before, since what a store leaves to a load takes seven cycles. */
#if FILCH__FORK_X86_64 && defined(__clang__)
/* Clang believes what it is told of words, but not of pointers; and, of two that are equal, keeps the one
 * that it has met first. */
typedef uintptr_t __attribute__((may_alias)) filch__fork_word;

static FILCH_ALWAYS_INLINE struct filch__slot *filch__fork_next(struct filch__fork_stack **q)
{
    *q = (struct filch__fork_stack *)*(const filch__fork_word *)&filch__forks;
    FILCH_SCHED_POINT();
    return (struct filch__slot *)*(const filch__fork_word *)&(*q)->tail; /* nobody else writes it */
}

static FILCH_ALWAYS_INLINE void filch__fork_stays(struct filch__fork_stack *q,
                                                  struct filch__slot *slot)
{
    __builtin_assume(*(const filch__fork_word *)&filch__forks == (uintptr_t)q);
    __builtin_assume(*(const filch__fork_word *)&q->tail == (uintptr_t)slot);
}
#elif FILCH__FORK_X86_64
/* Gcc believes only what it has stored itself, and no longer takes the test for a leaf out of a function whose
 * slot it knows. */
static FILCH_ALWAYS_INLINE struct filch__slot *filch__fork_next(struct filch__fork_stack **q)
{
    *q = filch__forks;
    return FILCH_LOAD_RELAXED(&(*q)->tail); /* owner only */
}

static FILCH_ALWAYS_INLINE void filch__fork_stays(struct filch__fork_stack *q,
                                                  struct filch__slot *slot)
{
    (void)slot;
    filch__forks = q;
}
#else
static FILCH_ALWAYS_INLINE struct filch__slot *filch__fork_next(struct filch__fork_stack **q)
{
    *q = filch__forks_here();
    return FILCH_LOAD_RELAXED(&(*q)->tail); /* owner only */
}

static FILCH_ALWAYS_INLINE void filch__fork_stays(struct filch__fork_stack *q,
                                                  struct filch__slot *slot)
{
    (void)q;
    (void)slot;
}
#endif

/* The slow path before a push, where there is no slot: enters the pool, or makes room. Returns the fork
 * stack to push on, which is filch__forks now. */
FILCH_API FILCH_COLD struct filch__fork_stack *filch__fork_slow(struct filch__fork_stack *q);

/* The slow path after a push: answers a call for work. */
FILCH_API FILCH_COLD void filch__fork_answer(struct filch__fork_stack *q);

/* The slow path of a sync: runs the half in `slot`, or waits until somebody has. Returns the slot that
 * holds its result, until the next push of this thread. */
FILCH_API FILCH_COLD struct filch__slot *filch__sync_slow(struct filch__fork_stack *q,
                                                          struct filch__slot *slot);

/* Goes on with the panic of a half: what filch__sync_slow_kept has returned. */
FILCH_API FILCH_COLD FILCH_NORETURN void filch__sync_panicked(uintptr_t returned);

#define FILCH__SYNC_PANICKED ((uintptr_t)1)

/* Under clang a fork and a typed sync call the three by names that preserve nearly all registers
 * (kept_x86_64.S), or every call of a function that forks would save, and restore, what its fork needs behind
 * them, although it never goes there: clang moves that out of the path of a function that returns at once
 * only if nothing else needs those registers. */
#if FILCH__FORK_X86_64 && defined(__clang__)
#define FILCH__FORK_KEEPS 1
/* As filch__fork_slow. */
FILCH_API FILCH_COLD __attribute__((preserve_most)) struct filch__fork_stack *
filch__fork_slow_kept(struct filch__fork_stack *q);

/* As filch__fork_answer. */
FILCH_API FILCH_COLD __attribute__((preserve_most)) void
filch__fork_answer_kept(struct filch__fork_stack *q);

/* As filch__sync_slow, but nothing unwinds it, since a frame that is unwound has only what every call
 * preserves: returns the address of the slot, or where the half has panicked, of its panic, with
 * FILCH__SYNC_PANICKED. */
FILCH_API FILCH_COLD __attribute__((preserve_most)) uintptr_t
filch__sync_slow_kept(struct filch__fork_stack *q, struct filch__slot *slot);

static FILCH_ALWAYS_INLINE struct filch__fork_stack *
filch__fork_make_room(struct filch__fork_stack *q)
{
    q = filch__fork_slow_kept(q);
    __asm__ volatile("" ::: "r10"); /* lost where the dynamic linker binds the name at this call */
    return q;
}

static FILCH_ALWAYS_INLINE void filch__fork_give(struct filch__fork_stack *q)
{
    filch__fork_answer_kept(q);
    __asm__ volatile("" ::: "r10"); /* see above */
}

static FILCH_ALWAYS_INLINE struct filch__slot *filch__sync_other(struct filch__fork_stack *q,
                                                                 struct filch__slot *slot)
{
    uintptr_t returned = filch__sync_slow_kept(q, slot);
    __asm__ volatile("" ::: "r10"); /* see above */
    if (FILCH_UNLIKELY((returned & FILCH__SYNC_PANICKED) != 0))
        filch__sync_panicked(returned);
    return (struct filch__slot *)returned;
}
#else
#define FILCH__FORK_KEEPS 0
static FILCH_ALWAYS_INLINE struct filch__fork_stack *
filch__fork_make_room(struct filch__fork_stack *q)
{
    return filch__fork_slow(q);
}

static FILCH_ALWAYS_INLINE void filch__fork_give(struct filch__fork_stack *q)
{
    filch__fork_answer(q);
}

static FILCH_ALWAYS_INLINE struct filch__slot *filch__sync_other(struct filch__fork_stack *q,
                                                                 struct filch__slot *slot)
{
    return filch__sync_slow(q, slot);
}
#endif

/* The frame of the newest half that has a cleanup handler is left without a sync: takes the half back, or
 * waits for it. */
FILCH_API FILCH_COLD void filch__half_left(void);

/* The cleanup handler. Where the half is known to be synced, it is nothing. */
static FILCH_ALWAYS_INLINE void filch__half_leave(const int *is_open)
{
    if (FILCH_UNLIKELY(*is_open))
        filch__half_left();
}

/* The slot for the next half, which is `slot` where there is room. */
static FILCH_ALWAYS_INLINE struct filch__slot *filch__fork_slot(struct filch__fork_stack **q,
                                                                struct filch__slot *slot)
{
    if (FILCH_UNLIKELY(slot >= (*q)->end)) {
        *q = filch__fork_make_room(*q);
        slot = FILCH_LOAD_RELAXED(&(*q)->tail); /* owner only */
    }
    return slot;
}

/* The two looks of the owner at what others write. Clang would load, and then compare. */
#if FILCH__FORK_KEEPS
static FILCH_ALWAYS_INLINE int filch__fork_is_asked(struct filch__fork_stack *q)
{
    int is_asked;
    FILCH_SCHED_POINT();
    __asm__ volatile("cmpl $0, %1" : "=@ccne"(is_asked) : "m"(q->asked));
    return is_asked;
}

static FILCH_ALWAYS_INLINE int filch__fork_is_private(struct filch__fork_stack *q,
                                                      struct filch__slot *slot)
{
    int is_private;
    FILCH_SCHED_POINT();
    __asm__ volatile("cmpq %1, %2" : "=@ccae"(is_private) : "m"(q->split), "r"(slot));
    return is_private;
}
#else
static FILCH_ALWAYS_INLINE int filch__fork_is_asked(struct filch__fork_stack *q)
{
    return FILCH_LOAD_RELAXED(&q->asked) /* behind a barrier: see where it is called */ != 0;
}

static FILCH_ALWAYS_INLINE int filch__fork_is_private(struct filch__fork_stack *q,
                                                      struct filch__slot *slot)
{
    return FILCH_LOAD_RELAXED(&q->split) /* likewise */ <= slot;
}
#endif

/* The slot that was pushed last. Where there is none, since it was synced before, no slot at all, which
 * filch__sync_slow finds out: hence no arithmetic with pointers. */
static FILCH_ALWAYS_INLINE struct filch__slot *filch__fork_newest(struct filch__fork_stack *q)
{
    uintptr_t tail = (uintptr_t)FILCH_LOAD_RELAXED(&q->tail); /* owner only */
    return (struct filch__slot *)(tail - sizeof(struct filch__slot));
}

/* Makes the slot at the tail, whose arguments are in place, takeable. */
static FILCH_ALWAYS_INLINE void filch__fork_push(struct filch__fork_stack *q,
                                                 struct filch__slot *slot, filch__slot_run *run)
{
    FILCH_STORE_RELAXED(&slot->run, (uintptr_t)run); /* published with the arguments by FK_tail */
    FILCH_STORE(&q->tail, slot + 1, FK_tail, release);
    /* Either a worker that asks, and then looks before it sleeps, sees this tail, or we see that it
     * has asked. */
    FILCH_FENCE_LIGHT();
    if (FILCH_UNLIKELY(filch__fork_is_asked(q)))
        filch__fork_give(q);
}

/* Takes the newest slot back. Returns 1 where it was private: the caller runs the half itself; 0:
 * only filch__sync_slow can tell. */
static FILCH_ALWAYS_INLINE int filch__fork_take(struct filch__fork_stack *q,
                                                struct filch__slot *slot)
{
    FILCH_STORE(&q->tail, slot, FK_tail, release);
    /* Either a thief that raises split sees this tail, or we see its split. */
    FILCH_FENCE_LIGHT();
    return filch__fork_is_private(q, slot);
}

/* Runs the half of a filch_join: args[0] is its function, args[1] the argument. */
FILCH_API FILCH__SLOT_RUN void filch__run_call(struct filch__slot *slot);

/* A half is NULL: ends the process with a message. */
FILCH_API FILCH_COLD FILCH_NORETURN void filch__join_misuse(void);

/* For debug builds: the newest fork that has not been synced here; NULL: there is none. */
FILCH_API FILCH_COLD const struct filch__slot *filch__fork_open(void);

/* A block has been left, by a panic or not, with a fork that was not synced: ends the process with a
 * message where no panic is under way. */
FILCH_API FILCH_COLD void filch__fork_unsynced(void);

/* A sync is not that of the newest fork: ends the process with a message.
 *   slot  of the fork; NULL: it has been synced                                             [in] */
FILCH_API FILCH_COLD FILCH_NORETURN void filch__sync_misuse(const struct filch__slot *slot);

/* For debug builds: the sync of the fork that took `slot` of `q` is due. */
static inline void filch__sync_check(const struct filch__fork_stack *q,
                                     const struct filch__slot *slot)
{
    struct filch__fork_stack *here = filch__forks_here();
    if (FILCH_UNLIKELY(q != here || slot == 0 || filch__fork_newest(here) != slot))
        filch__sync_misuse(slot);
}

/* The body of filch_join. */
static FILCH_ALWAYS_INLINE void filch__join(void (*a)(void *), void *x, void (*b)(void *), void *y)
{
    if (FILCH_UNLIKELY(a == 0 || b == 0))
        filch__join_misuse();
    struct filch__fork_stack *q = filch__forks_here();
    struct filch__slot *slot = filch__fork_slot(&q, FILCH_LOAD_RELAXED(&q->tail)); /* owner only */
    slot->args[0] = (uintptr_t)b;
    slot->args[1] = (uintptr_t)y;
    filch__fork_push(q, slot, filch__run_call);
#if FILCH__FORK_DEBUG
    const struct filch__fork_stack *pushed_on = q;
    const struct filch__slot *pushed = slot;
#endif
    {
        int is_open __attribute__((cleanup(filch__half_leave))) = 1;
        a(x);
        is_open = 0;
    }
#if FILCH__FORK_DEBUG
    filch__sync_check(pushed_on, pushed);
#endif
    /* Only the slot is kept across the call: the stack is found again, and the argument read from the slot. */
    q = filch__forks_here();
    if (FILCH_LIKELY(filch__fork_take(q, slot)))
        b((void *)slot->args[1]);
    else
        (void)filch__sync_slow(q, slot);
}

FILCH_EXTERN_C_END

#endif
