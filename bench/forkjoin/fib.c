/* SPDX-License-Identifier: Apache-2.0 */
#include "forkjoin/fib.h"

#include "peer/peer.h"
#include "peer/workloads.h"

/* Not inlined into itself: the parallel forms cannot be, and the ratio should be to real calls. */
__attribute__((noinline)) uint64_t fib_serial(unsigned n)
{
    if (n < 2)
        return n;
    const uint64_t left = fib_serial(n - 1);
    return left + fib_serial(n - 2);
}

static uint64_t fib_iterative(unsigned n)
{
    uint64_t now = 0;
    uint64_t next = 1;
    for (unsigned i = 0; i < n; i++) {
        const uint64_t sum = now + next;
        now = next;
        next = sum;
    }
    return now;
}

static const char *prepare(const struct bench_setup *setup, void **data, uint64_t *operations)
{
    struct fib_data *fib = bench_alloc(sizeof *fib);
    fib->n = setup->size ? (unsigned)setup->size : 37;
    if (setup->quick)
        fib->n -= 5;
    /* One spawn for each node that is not a leaf. */
    *operations = fib_iterative(fib->n + 1) - 1;
    *data = fib;
    return NULL;
}

static void reset(void *data)
{
    ((struct fib_data *)data)->result = 0;
}

static const char *check(const void *data)
{
    const struct fib_data *fib = data;
    return fib->result == fib_iterative(fib->n) ? NULL : "not the Fibonacci number";
}

const struct bench_workload fib_workload = {"fib", prepare, reset, check, false, NULL};
const struct bench_workload fib_typed_workload = {"fib-typed", prepare, reset, check, false, NULL};
