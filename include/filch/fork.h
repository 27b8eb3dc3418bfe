/* SPDX-License-Identifier: Apache-2.0 */
/* Typed fork and sync: the fastest way to run two calls of C functions at the same time.
 *
 *     long fib(long n);
 *     FILCH_FORKABLE(long, fib, long)
 *
 *     long fib(long n)
 *     {
 *         if (n < 2)
 *             return n;
 *         FILCH_FORK(right, fib, n - 1);
 *         long left = fib(n - 2);
 *         return left + FILCH_SYNC(right, fib);
 *     }
 *
 * A fork that nobody steals costs a few plain stores, and its sync is a plain call with the
 * arguments in registers. Forks and syncs nest like brackets: a function syncs, in reverse order,
 * what it has forked, before it returns. So a scope that is opened between a fork and its sync has ended
 * before that sync: else the end of the scope ends the process with a message. A stolen call runs on the
 * stack of a worker, which is as large as its pool's stack_size_bytes. Needs -fexceptions in the file that
 * uses it.
 *
 * A panic in one of the two calls goes on from the sync, or from the frame that is left, after the
 * other one has ended if anybody has begun it; else that is not run. It waits for the other one before
 * the cleanup handlers of the frames that it leaves, back to the end of the innermost scope, which does
 * the same for those before it: the two calls must not wait for each other, as for a lock. (filch_join waits
 * where it stands among the handlers.) An exception of C++ must not leave a frame between fork and sync.
 * Neither call may end its thread, as by pthread_exit.
 * In files that are compiled with -DFILCH_DEBUG=1, a block that is left with a fork that has not been
 * synced ends the process with a message, and so does a sync that is out of order.
 * Not promised: that the two calls ever run at the same time.
 */
#ifndef FILCH_FORK_H
#define FILCH_FORK_H

#include <filch/attr.h>
#include <filch/inline/fork.h>

#ifndef __EXCEPTIONS
#define FILCH__FORK_NEEDS(what)                                                                    \
    FILCH__STATIC_ASSERT(0, what " needs -fexceptions: without it, a half could be left behind")
#define FILCH_FORKABLE(result, fn, ...) FILCH__FORK_NEEDS("FILCH_FORKABLE");
#define FILCH_FORKABLE_VOID(fn, ...) FILCH__FORK_NEEDS("FILCH_FORKABLE_VOID");
#else

/* FILCH_FORKABLE(result, fn, types...) makes `result fn(types...)` forkable, for a function with 1
 * to 6 parameters of together at most 56 bytes; at file scope, after the declaration of fn, which is not inline
 * unless it is static. The types are such as can be assigned to: no structs with const members, and in C++ not const.
 * FILCH_FORKABLE_VOID(fn, types...) is for one without a result. */
#define FILCH_FORKABLE(result, fn, ...)                                                            \
    FILCH__FORKABLE_ARGS(fn, __VA_ARGS__)                                                          \
    FILCH__STATIC_ASSERT(sizeof(result) <= sizeof(uintptr_t) * FILCH__SLOT_ARGS,                   \
                         #fn ": result too big");                                                  \
    FILCH__SLOT_RUN static void fn##__filch_run(struct filch__slot *filch__s)                      \
    {                                                                                              \
        struct fn##__filch_args filch__a;                                                          \
        FILCH__ARGS_COPY(fn, &filch__a, filch__s->args)                                            \
        result filch__r = fn(FILCH__UNPACK(filch__a., __VA_ARGS__));                               \
        __builtin_memcpy(filch__s->args, &filch__r, sizeof filch__r);                              \
    }                                                                                              \
    FILCH__FORKABLE_FORK(fn)                                                                       \
    static FILCH_ALWAYS_INLINE result fn##__filch_sync(struct fn##__filch_fork *filch__f)          \
    {                                                                                              \
        FILCH__SYNC_BEGIN(fn)                                                                      \
        if (FILCH_LIKELY(filch__fork_take(filch__q, filch__s))) {                                  \
            filch__fork_stays(filch__q, filch__s);                                                 \
            FILCH__SYNC_CALL(return, fn, __VA_ARGS__)                                              \
        }                                                                                          \
        filch__s = filch__sync_other(filch__q, filch__s);                                          \
        FILCH__SYNC_WAITED                                                                         \
        result filch__r;                                                                           \
        __builtin_memcpy(&filch__r, filch__s->args, sizeof filch__r);                              \
        return filch__r;                                                                           \
    }

#define FILCH_FORKABLE_VOID(fn, ...)                                                               \
    FILCH__FORKABLE_ARGS(fn, __VA_ARGS__)                                                          \
    FILCH__SLOT_RUN static void fn##__filch_run(struct filch__slot *filch__s)                      \
    {                                                                                              \
        struct fn##__filch_args filch__a;                                                          \
        FILCH__ARGS_COPY(fn, &filch__a, filch__s->args)                                            \
        fn(FILCH__UNPACK(filch__a., __VA_ARGS__));                                                 \
    }                                                                                              \
    FILCH__FORKABLE_FORK(fn)                                                                       \
    static FILCH_ALWAYS_INLINE void fn##__filch_sync(struct fn##__filch_fork *filch__f)            \
    {                                                                                              \
        FILCH__SYNC_BEGIN(fn)                                                                      \
        if (FILCH_LIKELY(filch__fork_take(filch__q, filch__s))) {                                  \
            filch__fork_stays(filch__q, filch__s);                                                 \
            FILCH__SYNC_CALL(, fn, __VA_ARGS__)                                                    \
        } else {                                                                                   \
            (void)filch__sync_other(filch__q, filch__s);                                           \
            FILCH__SYNC_WAITED                                                                     \
        }                                                                                          \
    }

/* What stands before the members of a value of `struct name`. */
#ifdef __cplusplus
#define FILCH__VALUE(name) name
#else
#define FILCH__VALUE(name) (struct name)
#endif

/* FILCH_FORK(name, fn, args...) declares `name` and offers the call fn(args...) to other workers.
 * FILCH_SYNC(name, fn), exactly once, is the result of that call. Both may be used on threads and in
 * tasks; the sync may wait: a task suspends, its worker goes on. The past of the fork happens before
 * the call, the call before the sync. */
#define FILCH_FORK(name, fn, ...)                                                                  \
    struct fn##__filch_fork name FILCH__FORK_CLEANUP(fn) =                                         \
        fn##__filch_begin(FILCH__VALUE(fn##__filch_args){__VA_ARGS__}, 0)
#define FILCH_SYNC(name, fn) fn##__filch_sync(&name)

/* The same with a cleanup handler, which is exact about when a half is waited for while a panic
 * unwinds. Private: the handler keeps gcc from turning a sync at the end of a function into a loop. */
#define FILCH__FORK_GUARDED(name, fn, ...)                                                         \
    struct fn##__filch_fork name =                                                                 \
        fn##__filch_begin(FILCH__VALUE(fn##__filch_args){__VA_ARGS__}, FILCH__SLOT_GUARDED);       \
    int filch__open_##name __attribute__((cleanup(filch__half_leave))) = 1
#define FILCH__SYNC_GUARDED(name, fn) (filch__open_##name = 0, fn##__filch_sync(&name))

/* Copies the arguments of a call to or from a slot: as what they are, since with memcpy gcc puts them together
 * in memory, and then waits to read them as one. */
#define FILCH__ARGS_COPY(fn, to, from)                                                             \
    {                                                                                              \
        if (__alignof__(struct fn##__filch_args) > sizeof(uintptr_t))                              \
            __builtin_memcpy((to), (from), sizeof(struct fn##__filch_args));                       \
        else                                                                                       \
            *(struct fn##__filch_args *)(void *)(to) = *(struct fn##__filch_args *)(void *)(from); \
    }

/* Clang's code of a function that forks takes up to a fifth longer where it lies badly in its lines, gcc's does
 * not. (In C++ the name could be that of several functions.) */
#if defined(__clang__) && !defined(__cplusplus)
#define FILCH__FORKABLE_PLACE(fn)                                                                  \
    _Pragma("clang diagnostic push")                                                               \
        _Pragma("clang diagnostic ignored \"-Wignored-attributes\"") /* it may be defined above */ \
        __typeof__(fn) fn __attribute__((aligned(64)));                                            \
    _Pragma("clang diagnostic pop")
#else
#define FILCH__FORKABLE_PLACE(fn)
#endif

#define FILCH__FORKABLE_ARGS(fn, ...)                                                              \
    FILCH__FORKABLE_PLACE(fn)                                                                      \
    struct __attribute__((may_alias)) fn##__filch_args {                                           \
        FILCH__MEMBERS(__VA_ARGS__)                                                                \
    };                                                                                             \
    FILCH__STATIC_ASSERT(sizeof(struct fn##__filch_args) <= sizeof(uintptr_t) * FILCH__SLOT_ARGS,  \
                         #fn ": the arguments take more than 56 bytes");                           \
    struct fn##__filch_fork {                                                                      \
        struct filch__fork_stack *q;                                                               \
        struct filch__slot *slot; /* NULL: synced */                                               \
        struct fn##__filch_args args;                                                              \
        FILCH__FORK_WAITED                                                                         \
    };

/* In debug builds, the end of the block looks whether a fork has been synced, and the sync whether it is
 * that of the newest fork. */
#if FILCH__FORK_DEBUG
#define FILCH__FORK_CLEANUP(fn) __attribute__((cleanup(fn##__filch_left)))
#define FILCH__FORKABLE_LEFT(fn)                                                                   \
    static inline __attribute__((unused)) void fn##__filch_left(struct fn##__filch_fork *filch__f) \
    {                                                                                              \
        if (filch__f->slot != 0)                                                                   \
            filch__fork_unsynced();                                                                \
    }
#define FILCH__SYNC_CHECK                                                                          \
    filch__sync_check(filch__f->q, filch__f->slot);                                                \
    filch__f->slot = 0;
#elif defined(__clang__)
#define FILCH__FORK_CLEANUP(fn) __attribute__((cleanup(fn##__filch_left)))
#define FILCH__FORKABLE_LEFT(fn)                                                                   \
    static FILCH_ALWAYS_INLINE                                                                     \
        __attribute__((unused)) void fn##__filch_left(const struct fn##__filch_fork *filch__f)     \
    {                                                                                              \
        if (FILCH_UNLIKELY(filch__f->waited))                                                      \
            __asm__ volatile("");                                                                  \
    }
#define FILCH__SYNC_CHECK
#else
#define FILCH__FORK_CLEANUP(fn)
#define FILCH__FORKABLE_LEFT(fn)
#define FILCH__SYNC_CHECK
#endif

/* Both compilers make a loop of a call in the tail of its function, which halves the calls of a recursion.
 * Gcc does so although a sync has two ways to its result, and clang where each of the two has the rest of the
 * function to itself. It copies that to both for the sake of a branch behind it which each of them decides:
 * the cleanup above, which does nothing. (A panic has not waited yet, so it leaves no landing pad.) */
#ifdef __clang__
#define FILCH__FORK_WAITED int waited; /* the sync took the slow path */
#define FILCH__FORK_NOT_WAITED , 0
#define FILCH__SYNC_WAITED filch__f->waited = 1;
#else
#define FILCH__FORK_WAITED
#define FILCH__FORK_NOT_WAITED
#define FILCH__SYNC_WAITED
#endif

/* What a sync knows of its fork. Its slot is kept: to find it through the stack's tail is to wait for all
 * stores to that word, one after the other. Gcc keeps the stack, too; clang, which then saves one register
 * more in each call, finds it again. */
#ifdef __clang__
#define FILCH__SYNC_STACK filch__forks_here()
#else
#define FILCH__SYNC_STACK filch__f->q
#endif
#define FILCH__SYNC_BEGIN(fn)                                                                      \
    struct filch__fork_stack *filch__q = FILCH__SYNC_STACK;                                        \
    struct filch__slot *filch__s = filch__f->slot;                                                 \
    FILCH__SYNC_CHECK                                                                              \
    filch__f->slot = 0; /* for a second sync to be found out; costs nothing where there is none */
/* One word of arguments is kept, more are read again: from the slot to where the call wants them, since in a
 * struct in between gcc would put them together in memory. */
#define FILCH__SYNC_CALL(returns, fn, ...)                                                         \
    if (sizeof(struct fn##__filch_args) <= sizeof(uintptr_t)) {                                    \
        struct fn##__filch_args filch__a = filch__f->args;                                         \
        returns fn(FILCH__UNPACK(filch__a., __VA_ARGS__));                                         \
    } else if (__alignof__(struct fn##__filch_args) > sizeof(uintptr_t)) {                         \
        struct fn##__filch_args filch__a;                                                          \
        __builtin_memcpy(&filch__a, filch__s->args, sizeof filch__a);                              \
        returns fn(FILCH__UNPACK(filch__a., __VA_ARGS__));                                         \
    } else {                                                                                       \
        struct fn##__filch_args *filch__a = (struct fn##__filch_args *)(void *)filch__s->args;     \
        returns fn(FILCH__UNPACK(filch__a->, __VA_ARGS__));                                        \
    }

#define FILCH__FORKABLE_FORK(fn)                                                                   \
    static FILCH_ALWAYS_INLINE struct fn##__filch_fork fn##__filch_begin(                          \
        struct fn##__filch_args filch__a, uintptr_t filch__guarded)                                \
    {                                                                                              \
        struct filch__fork_stack *filch__q;                                                        \
        struct filch__slot *filch__s = filch__fork_next(&filch__q);                                \
        filch__s = filch__fork_slot(&filch__q, filch__s);                                          \
        FILCH__ARGS_COPY(fn, filch__s->args, &filch__a)                                            \
        uintptr_t filch__run;                                                                      \
        FILCH__SLOT_RUN_ADDRESS(filch__run, fn##__filch_run);                                      \
        filch__fork_push(filch__q, filch__s, (filch__slot_run *)(filch__run + filch__guarded));    \
        struct fn##__filch_fork filch__f = {filch__q, filch__s, filch__a FILCH__FORK_NOT_WAITED};  \
        return filch__f;                                                                           \
    }                                                                                              \
    FILCH__FORKABLE_LEFT(fn)

#define FILCH__COUNT(...) FILCH__COUNT2(__VA_ARGS__, 6, 5, 4, 3, 2, 1, 0)
#define FILCH__COUNT2(a, b, c, d, e, f, n, ...) n
#define FILCH__CAT(a, b) FILCH__CAT2(a, b)
#define FILCH__CAT2(a, b) a##b
/* An argument without the qualifiers of its parameter, so that it can be assigned. */
#ifdef __cplusplus
#define FILCH__MEMBER(A) A
#else
#define FILCH__MEMBER(A) __typeof__(((void)0, *(A *)0))
#endif
#define FILCH__MEMBERS(...) FILCH__CAT(FILCH__MEMBERS_, FILCH__COUNT(__VA_ARGS__))(__VA_ARGS__)
#define FILCH__MEMBERS_1(A) FILCH__MEMBER(A) m1;
#define FILCH__MEMBERS_2(A, B)                                                                     \
    FILCH__MEMBER(A) m1;                                                                           \
    FILCH__MEMBER(B) m2;
#define FILCH__MEMBERS_3(A, B, C)                                                                  \
    FILCH__MEMBER(A) m1;                                                                           \
    FILCH__MEMBER(B) m2;                                                                           \
    FILCH__MEMBER(C) m3;
#define FILCH__MEMBERS_4(A, B, C, D)                                                               \
    FILCH__MEMBER(A) m1;                                                                           \
    FILCH__MEMBER(B) m2;                                                                           \
    FILCH__MEMBER(C) m3;                                                                           \
    FILCH__MEMBER(D) m4;
#define FILCH__MEMBERS_5(A, B, C, D, E)                                                            \
    FILCH__MEMBER(A) m1;                                                                           \
    FILCH__MEMBER(B) m2;                                                                           \
    FILCH__MEMBER(C) m3;                                                                           \
    FILCH__MEMBER(D) m4;                                                                           \
    FILCH__MEMBER(E) m5;
#define FILCH__MEMBERS_6(A, B, C, D, E, F)                                                         \
    FILCH__MEMBER(A) m1;                                                                           \
    FILCH__MEMBER(B) m2;                                                                           \
    FILCH__MEMBER(C) m3;                                                                           \
    FILCH__MEMBER(D) m4;                                                                           \
    FILCH__MEMBER(E) m5;                                                                           \
    FILCH__MEMBER(F) m6;
#define FILCH__UNPACK(from, ...) FILCH__CAT(FILCH__UNPACK_, FILCH__COUNT(__VA_ARGS__))(from)
#define FILCH__UNPACK_1(from) from m1
#define FILCH__UNPACK_2(from) from m1, from m2
#define FILCH__UNPACK_3(from) from m1, from m2, from m3
#define FILCH__UNPACK_4(from) from m1, from m2, from m3, from m4
#define FILCH__UNPACK_5(from) from m1, from m2, from m3, from m4, from m5
#define FILCH__UNPACK_6(from) from m1, from m2, from m3, from m4, from m5, from m6

#endif

#endif
