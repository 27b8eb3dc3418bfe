/* SPDX-License-Identifier: Apache-2.0 */
/* Atomic accesses of the library, its inline fast paths included. Private, although public headers
 * include it: inline code has to see it.
 *
 * Every access names its memory order, and the accesses that carry a protocol name a label as well:
 *
 *     FILCH_STORE(&q->bottom, b, DQ_bottom_publish, release);
 *     b = FILCH_LOAD(&q->bottom, DQ_bottom_steal, acquire);
 *
 * The tables "who pairs with whom" are in the README of the layer. -DFILCH_WEAKEN_<label>=1 turns
 * the order of that one access into relaxed, so that a model checker can be asked whether the order
 * is needed. The fields are plain integers and pointers, accessed only through these macros, so
 * that C and C++ see the same layout.
 *
 * FILCH_SCHED_POINT stands before every access; a test build (-DFILCH_TEST_HOOKS=1) perturbs or
 * dictates the schedule there, any other build compiles it to nothing.
 */
#ifndef FILCH_INLINE_ATOMIC_H
#define FILCH_INLINE_ATOMIC_H

#ifndef FILCH_TEST_HOOKS
#define FILCH_TEST_HOOKS 0
#endif

#if FILCH_TEST_HOOKS
#ifdef __cplusplus
extern "C"
#endif
    void
    filch__sched_point(const char *file, int line);
#define FILCH_SCHED_POINT() filch__sched_point(__FILE__, __LINE__)
#else
#define FILCH_SCHED_POINT() ((void)0)
#endif

/* FILCH__IS_ONE(X): 1 where the macro X is defined as 1, else 0 (X may be undefined). */
#define FILCH__PLACEHOLDER_1 0,
#define FILCH__SECOND(first, second, ...) second
#define FILCH__IS_ONE3(junk) FILCH__SECOND(junk 1, 0, 0)
#define FILCH__IS_ONE2(value) FILCH__IS_ONE3(FILCH__PLACEHOLDER_##value)
#define FILCH__IS_ONE(x) FILCH__IS_ONE2(x)

#define FILCH__ORDER_relaxed __ATOMIC_RELAXED
#define FILCH__ORDER_acquire __ATOMIC_ACQUIRE
#define FILCH__ORDER_release __ATOMIC_RELEASE
#define FILCH__ORDER_acq_rel __ATOMIC_ACQ_REL
#define FILCH__ORDER_seq_cst __ATOMIC_SEQ_CST

#define FILCH_ORD(label, order)                                                                    \
    (FILCH__IS_ONE(FILCH_WEAKEN_##label) ? __ATOMIC_RELAXED : FILCH__ORDER_##order)

/* Marks a field that several threads access; it changes nothing but what the reader knows. */
#define FILCH_SHARED(type) type

#define FILCH_LOAD(p, label, order)                                                                \
    (FILCH_SCHED_POINT(), __atomic_load_n((p), FILCH_ORD(label, order)))
#define FILCH_STORE(p, v, label, order)                                                            \
    (FILCH_SCHED_POINT(), __atomic_store_n((p), (v), FILCH_ORD(label, order)))
#define FILCH_EXCHANGE(p, v, label, order)                                                         \
    (FILCH_SCHED_POINT(), __atomic_exchange_n((p), (v), FILCH_ORD(label, order)))
#define FILCH_FETCH_ADD(p, v, label, order)                                                        \
    (FILCH_SCHED_POINT(), __atomic_fetch_add((p), (v), FILCH_ORD(label, order)))
#define FILCH_FETCH_SUB(p, v, label, order)                                                        \
    (FILCH_SCHED_POINT(), __atomic_fetch_sub((p), (v), FILCH_ORD(label, order)))
#define FILCH_FETCH_OR(p, v, label, order)                                                         \
    (FILCH_SCHED_POINT(), __atomic_fetch_or((p), (v), FILCH_ORD(label, order)))
#define FILCH_FETCH_AND(p, v, label, order)                                                        \
    (FILCH_SCHED_POINT(), __atomic_fetch_and((p), (v), FILCH_ORD(label, order)))
/* Strong compare-and-swap: true on success; on failure *expected holds the value seen (relaxed). */
#define FILCH_CAS(p, expected, desired, label, order)                                              \
    (FILCH_SCHED_POINT(), __atomic_compare_exchange_n((p), (expected), (desired), 0,               \
                                                      FILCH_ORD(label, order), __ATOMIC_RELAXED))
/* Relaxed accesses need no label; the line that uses one says why relaxed is enough. */
#define FILCH_LOAD_RELAXED(p) (FILCH_SCHED_POINT(), __atomic_load_n((p), __ATOMIC_RELAXED))
#define FILCH_STORE_RELAXED(p, v)                                                                  \
    (FILCH_SCHED_POINT(), __atomic_store_n((p), (v), __ATOMIC_RELAXED))
#define FILCH_FETCH_ADD_RELAXED(p, v)                                                              \
    (FILCH_SCHED_POINT(), __atomic_fetch_add((p), (v), __ATOMIC_RELAXED))

/* The cheap side of an asymmetric fence: the compiler keeps the order, and the other side makes the
 * processor keep it with filch__os->barrier(). Where that call is not to be had the owner takes the
 * slow path instead (see src/pool/README.md). A model has its own. */
#ifndef FILCH_FENCE_LIGHT
#define FILCH_FENCE_LIGHT() __asm__ volatile("" ::: "memory")
#endif

#endif
