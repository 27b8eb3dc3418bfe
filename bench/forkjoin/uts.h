/* SPDX-License-Identifier: Apache-2.0 */
/* Unbalanced tree search: a tree that nobody can split in advance, because each node's children
 * follow from a hash of its own state. `uts-flat` is wide and shallow (geometric, depth at most
 * 10), `uts-deep` is narrow and nearly two thousand levels deep (binomial). The only work of a
 * node is the hash, so that a scheduler's overhead per node is plain to see.
 *
 * The shapes are those of Olivier and others, "UTS: An Unbalanced Tree Search Benchmark" (2006);
 * the hash is a chain of splitmix64 steps in place of SHA-1.
 */
#ifndef FILCH_BENCH_FORKJOIN_UTS_H
#define FILCH_BENCH_FORKJOIN_UTS_H

#include <stdbool.h>
#include <stdint.h>

enum {
    UTS_HASH_ROUNDS = 11,
    UTS_CHILDREN_MAX = 64,
    UTS_FEW_CHILDREN = 8, /* results of so many fit in a frame; more are rare */
    UTS_FLAT_DEPTH = 10,
    UTS_DEEP_ROOT_CHILDREN = 2000,
    UTS_DEEP_CHILDREN = 8,
};

struct uts_node {
    uint64_t state;
    uint32_t depth;
    bool deep; /* which of the two shapes */
};

struct uts_data {
    struct uts_node root;
    uint64_t nodes;    /* out: how many nodes a run has seen */
    uint64_t expected; /* by the serial walk */
};

/* The least 32-bit draw that yields more than k children, for a geometric distribution with mean
 * 4: the tail P(n > k) is 0.8^(k+1). Computed once per process by uts_prepare. */
extern uint32_t uts_limits[UTS_CHILDREN_MAX];

static inline uint64_t uts_hash(uint64_t state)
{
    for (int round = 0; round < UTS_HASH_ROUNDS; round++) {
        state += UINT64_C(0x9e3779b97f4a7c15);
        state = (state ^ (state >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
        state = (state ^ (state >> 27)) * UINT64_C(0x94d049bb133111eb);
        state ^= state >> 31;
    }
    return state;
}

static inline struct uts_node uts_child(const struct uts_node *parent, unsigned index)
{
    struct uts_node child = {0, parent->depth + 1, parent->deep};
    child.state = uts_hash(parent->state + index);
    return child;
}

static inline unsigned uts_flat_children(const struct uts_node *node)
{
    if (node->depth >= UTS_FLAT_DEPTH)
        return 0;
    const uint32_t draw = (uint32_t)(node->state >> 32);
    unsigned children = 0;
#ifdef __clang__
#pragma clang loop unroll(disable) /* clang 14 would read the whole table first */
#endif
    while (children < UTS_CHILDREN_MAX && draw >= uts_limits[children])
        children++;
    return children;
}

static inline unsigned uts_deep_children(const struct uts_node *node)
{
    if (node->depth == 0)
        return UTS_DEEP_ROOT_CHILDREN;
    /* 0.124875 * 2^32: eight children with this chance keep the tree just below criticality. */
    const uint32_t chance = UINT32_C(536334041);
    return (uint32_t)(node->state >> 32) < chance ? UTS_DEEP_CHILDREN : 0;
}

static inline unsigned uts_children(const struct uts_node *node)
{
    return node->deep ? uts_deep_children(node) : uts_flat_children(node);
}

/* The reference: counts the nodes of the tree below and including `node`. */
uint64_t uts_serial(struct uts_node node);

#endif
