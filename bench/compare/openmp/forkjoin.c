/* SPDX-License-Identifier: Apache-2.0 */
#include "forkjoin/fib.h"
#include "forkjoin/msort.h"
#include "forkjoin/nqueens.h"
#include "forkjoin/stuck.h"
#include "forkjoin/uts.h"

#include "compare/openmp/openmp.h"
#include "tasks/flat.h"

static uint64_t fib_task(unsigned n)
{
    if (n < 2)
        return n;
    uint64_t left;
#pragma omp task shared(left) firstprivate(n)
    left = fib_task(n - 1);
    const uint64_t right = fib_task(n - 2);
#pragma omp taskwait
    return left + right;
}

void openmp_fib(void *data)
{
    struct fib_data *fib = data;
#pragma omp parallel
#pragma omp single
    fib->result = fib_task(fib->n);
}

static uint64_t nqueens_task(int n, int row, struct nqueens_board board)
{
    if (row == n)
        return 1;
    uint64_t solutions[NQUEENS_MAX];
    int count = 0;
    for (int column = 0; column < n; column++) {
        if (!nqueens_legal(&board, row, column))
            continue;
        const struct nqueens_board next = nqueens_place(&board, row, column);
        uint64_t *out = &solutions[count++];
#pragma omp task firstprivate(out, n, row, next)
        *out = nqueens_task(n, row + 1, next);
    }
#pragma omp taskwait
    uint64_t sum = 0;
    for (int i = 0; i < count; i++)
        sum += solutions[i];
    return sum;
}

void openmp_nqueens(void *data)
{
    struct nqueens_data *nqueens = data;
#pragma omp parallel
#pragma omp single
    nqueens->solutions = nqueens_task(nqueens->n, 0, (struct nqueens_board){{0}});
}

static uint64_t uts_task(struct uts_node node);

/* The frame of a node with few children stays small: the tree is thousands of levels deep. */
static uint64_t uts_few_children_tasks(const struct uts_node *node, unsigned children)
{
    uint64_t nodes[UTS_FEW_CHILDREN];
    uint64_t sum = 0;
    for (unsigned i = 0; i < children; i++) {
        const struct uts_node child = uts_child(node, i);
        uint64_t *out = &nodes[i];
#pragma omp task firstprivate(child, out)
        *out = uts_task(child);
    }
#pragma omp taskwait
    for (unsigned i = 0; i < children; i++)
        sum += nodes[i];
    return sum;
}

static uint64_t uts_many_children_tasks(const struct uts_node *node, unsigned children)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < children; i++) {
        const struct uts_node child = uts_child(node, i);
#pragma omp task firstprivate(child) shared(sum)
        {
            const uint64_t nodes = uts_task(child);
#pragma omp atomic
            sum += nodes;
        }
    }
#pragma omp taskwait
    return sum;
}

static uint64_t uts_task(struct uts_node node)
{
    const unsigned children = uts_children(&node);
    if (children == 0)
        return 1;
    if (children > UTS_FEW_CHILDREN)
        return 1 + uts_many_children_tasks(&node, children);
    return 1 + uts_few_children_tasks(&node, children);
}

void openmp_uts(void *data)
{
    struct uts_data *uts = data;
#pragma omp parallel
#pragma omp single
    uts->nodes = uts_task(uts->root);
}

static void merge_task(struct msort_runs runs)
{
    if (msort_length(&runs) <= MSORT_MERGE) {
        msort_merge(&runs);
        return;
    }
    const struct msort_runs upper = msort_cut(&runs);
#pragma omp task firstprivate(upper)
    merge_task(upper);
    merge_task(runs);
#pragma omp taskwait
}

static void msort_task(const uint32_t *values, uint32_t *to, uint32_t *other, size_t count)
{
    if (count <= MSORT_LEAF) {
        msort_leaf(values, to, count);
        return;
    }
    const size_t half = count / 2;
#pragma omp task firstprivate(values, to, other, half, count)
    msort_task(values + half, other + half, to + half, count - half);
    msort_task(values, other, to, half);
#pragma omp taskwait
    merge_task(msort_halves(other, half, count, to));
}

void openmp_msort(void *data)
{
    struct msort_data *msort = data;
#pragma omp parallel
#pragma omp single
    msort_task(msort->values, msort->values, msort->scratch, msort->count);
}

void openmp_stuck(void *data)
{
    struct stuck_data *stuck = data;
    struct stuck_task tasks[STUCK_TASKS];
#pragma omp parallel shared(tasks)
#pragma omp single
    {
        for (int i = 0; i < STUCK_TASKS; i++) {
            struct stuck_task *task = &tasks[i];
            *task = (struct stuck_task){stuck, i};
#pragma omp task firstprivate(task)
            stuck_task_run(task);
        }
        stuck_compute(stuck->own_ns);
#pragma omp taskwait
    }
}

void openmp_flat(void *data)
{
    struct flat_data *flat = data;
#pragma omp parallel
#pragma omp single
    {
        for (size_t i = 0; i < flat->count; i++) {
            void *argument = &flat->ran[i];
#pragma omp task firstprivate(argument)
            flat_task(argument);
        }
#pragma omp taskwait
    }
}
