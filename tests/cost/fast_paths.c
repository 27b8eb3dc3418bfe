/* SPDX-License-Identifier: Apache-2.0 */
/* The fast paths, each in a loop of its own, for callgrind to count: after each loop a profile is
 * dumped whose description is "NAME OPERATIONS". One worker, and a clock that ticks at every look
 * instead of with time, so that every run executes the same instructions. */
#include "deque.h"
#include "os/os.h"

#include <filch/filch.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#if __has_include(<valgrind/callgrind.h>)
#include <valgrind/callgrind.h>
enum { CAN_BE_COUNTED = 1 };
#else
enum { CAN_BE_COUNTED = 0 };
#define CALLGRIND_ZERO_STATS ((void)0)
#define CALLGRIND_DUMP_STATS_AT(text) ((void)(text))
#endif

enum {
    FIB = 20,
    FIB_SPAWNS = 10945,
    TASKS = 10000,
    BATCH = 100,
    LOOPS = 16000, /* many times as many as share one that is timed */
    LOOP_ELEMENTS = 1000,
    TICK_NS = 70, /* by so much the clock advances at each look */
    GROUP = 8,    /* tasks that wait at a time: so few that their stacks are kept */
    DEQUE_ROUNDS = 100,
    DEQUE_TASKS = 100, /* never so many that the deque grows */
};

static struct filch_pool *pool;

static void require(bool holds)
{
    if (!holds)
        abort();
}

/* What is counted lies between these two. */
static void count_begin(void)
{
    CALLGRIND_ZERO_STATS;
}

static void count_end(const char *name, unsigned operations)
{
    char text[64];
    snprintf(text, sizeof text, "%s %u", name, operations);
    CALLGRIND_DUMP_STATS_AT(text);
}

/* --- join and fork --- */

struct fib_call {
    unsigned long result; /* out */
    unsigned n;
};

static void fib_join(void *argument)
{
    struct fib_call *call = argument;
    if (call->n < 2) {
        call->result = call->n;
        return;
    }
    struct fib_call left = {0, call->n - 1};
    struct fib_call right = {0, call->n - 2};
    filch_join(fib_join, &left, fib_join, &right);
    call->result = left.result + right.result;
}

static void count_join(void *unused)
{
    (void)unused;
    struct fib_call call = {0, FIB};
    count_begin();
    fib_join(&call);
    count_end("join", FIB_SPAWNS);
    require(call.result == 6765);
}

static unsigned long fib_fork(unsigned n);
FILCH_FORKABLE(unsigned long, fib_fork, unsigned)

static unsigned long fib_fork(unsigned n)
{
    if (n < 2)
        return n;
    FILCH_FORK(right, fib_fork, n - 1);
    const unsigned long left = fib_fork(n - 2);
    return left + FILCH_SYNC(right, fib_fork);
}

static void count_fork(void *unused)
{
    (void)unused;
    count_begin();
    const unsigned long result = fib_fork(FIB);
    count_end("fork", FIB_SPAWNS);
    require(result == 6765);
}

/* --- tasks --- */

static unsigned tasks_run;

static void task(void *unused)
{
    (void)unused;
    tasks_run++;
}

static void count_scope_spawn(void *unused)
{
    (void)unused;
    tasks_run = 0;
    count_begin();
    FILCH_SCOPE (scope) {
        for (unsigned i = 0; i < TASKS; i++)
            require(filch_scope_spawn(scope, task, NULL) == 0);
    }
    count_end("scope-spawn", TASKS);
    require(tasks_run == TASKS);
}

/* Each is run by the one that joins it. */
static void count_task_run(void *unused)
{
    (void)unused;
    tasks_run = 0;
    count_begin();
    for (unsigned i = 0; i < TASKS; i++) {
        struct filch_task *made;
        require(filch_pool_spawn(NULL, &made, NULL, task, NULL) == 0);
        require(filch_task_join(made) == 0);
    }
    count_end("task-run", TASKS);
    require(tasks_run == TASKS);
}

static struct filch_latch all_here, gate_at;

static void waiting_task(void *unused)
{
    filch_latch_count_down(&all_here);
    require(filch_latch_wait(&gate_at) == 0);
    task(unused);
}

static void run_group(void)
{
    struct filch_task *made[GROUP];
    all_here = (struct filch_latch)FILCH_LATCH_INIT(GROUP);
    gate_at = (struct filch_latch)FILCH_LATCH_INIT(1);
    for (unsigned i = 0; i < GROUP; i++)
        require(filch_pool_spawn(NULL, &made[i], NULL, waiting_task, NULL) == 0);
    require(filch_latch_wait(&all_here) == 0);
    filch_latch_count_down(&gate_at);
    for (unsigned i = 0; i < GROUP; i++)
        require(filch_task_join(made[i]) == 0);
}

static void count_task_wait(void *unused)
{
    (void)unused;
    run_group(); /* until there are stacks */
    tasks_run = 0;
    count_begin();
    for (unsigned i = 0; i < TASKS; i += GROUP)
        run_group();
    count_end("task-wait", TASKS);
    require(tasks_run == TASKS);
}

/* Keeps the worker busy, so that it takes what is submitted only after all of it has been; what it
 * then does, until the last task, is counted on the worker. */
static sem_t gate_reached, gate_opened, all_done;

static void gate(void *unused)
{
    (void)unused;
    sem_post(&gate_reached);
    while (sem_wait(&gate_opened) != 0)
        continue;
    count_begin();
}

static void last_task(void *name)
{
    count_end(name, TASKS);
    sem_post(&all_done);
}

static void gate_close(void)
{
    tasks_run = 0;
    usleep(100000); /* until the worker sleeps: it is given the gate, then, and goes on from there */
    require(filch_pool_spawn(pool, NULL, NULL, gate, NULL) == 0);
    while (sem_wait(&gate_reached) != 0)
        continue;
}

static void gate_open_and_wait(char *name)
{
    require(filch_pool_spawn(pool, NULL, NULL, last_task, name) == 0);
    sem_post(&gate_opened);
    while (sem_wait(&all_done) != 0)
        continue;
    require(tasks_run == TASKS);
}

static void count_submit(void)
{
    gate_close();
    count_begin();
    for (unsigned i = 0; i < TASKS; i++)
        require(filch_pool_spawn(pool, NULL, NULL, task, NULL) == 0);
    count_end("submit", TASKS);
    static char run[] = "submit-run";
    gate_open_and_wait(run);
}

static void count_submit_batch(void)
{
    static void *arguments[BATCH];
    gate_close();
    count_begin();
    for (unsigned i = 0; i < TASKS; i += BATCH)
        require(filch_pool_spawn_batch(pool, task, arguments, BATCH) == 0);
    count_end("submit-batch", TASKS);
    static char run[] = "submit-batch-run";
    gate_open_and_wait(run);
}

/* --- loops --- */

/* Computes nothing, as only the way to it is counted; on the clock it takes TICK_NS. */
static void loop_body(size_t begin, size_t end, void *context)
{
    size_t *done = context;
    *done += end - begin;
}

static size_t loops_run(void)
{
    size_t done = 0;
    for (unsigned i = 0; i < LOOPS; i++)
        filch_for(0, LOOP_ELEMENTS, loop_body, &done);
    return done;
}

static void count_loop(void *name)
{
    require(loops_run() == (size_t)LOOPS * LOOP_ELEMENTS); /* until the body is known */
    count_begin();
    const size_t done = loops_run();
    count_end(name, LOOPS);
    require(done == (size_t)LOOPS * LOOP_ELEMENTS);
}

/* --- the deque --- */

static void push_all(struct deque *q)
{
    const struct task_item item = {.fn = task};
    for (unsigned i = 0; i < DEQUE_TASKS; i++)
        require(filch__deque_push(q, &item) == 0);
}

static void count_deque(void)
{
    static struct deque q;
    struct task_item item;
    require(filch__deque_init(&q, 0) == 0);
    count_begin();
    for (unsigned round = 0; round < DEQUE_ROUNDS; round++) {
        push_all(&q);
        for (unsigned i = 0; i < DEQUE_TASKS; i++)
            require(filch__deque_pop(&q, &item));
    }
    count_end("deque-push-pop", DEQUE_ROUNDS * DEQUE_TASKS);
    count_begin();
    for (unsigned round = 0; round < DEQUE_ROUNDS; round++) {
        push_all(&q);
        for (unsigned i = 0; i < DEQUE_TASKS; i++)
            require(filch__deque_steal(&q, &item) == DEQUE_STOLEN);
    }
    count_end("deque-push-steal", DEQUE_ROUNDS * DEQUE_TASKS);
    filch__deque_destroy(&q);
}

/* Time passes only by looking at it. */
static int64_t now_ns;

static int64_t ticking_clock(void)
{
    return __atomic_add_fetch(&now_ns, TICK_NS, __ATOMIC_RELAXED);
}

/* Its tick is longer than all of this: how often it comes would depend on what other threads look at. */
static int64_t coarse_clock(void)
{
    return 0;
}

static void in_pool(void (*count)(void *), void *argument)
{
    require(filch_pool_install(pool, count, argument) == 0);
}

int main(void)
{
    if (!CAN_BE_COUNTED) {
        fputs("fast_paths: built without valgrind/callgrind.h\n", stderr);
        return 77;
    }
    struct os_table os = filch__os_linux;
    os.now_ns = ticking_clock;
    os.coarse_now_ns = coarse_clock;
    filch__os_replace(&os);
    setenv("FILCH_WORKERS", "1", 1);
    require(filch_pool_default(&pool) == 0);
    sem_init(&gate_reached, 0, 0);
    sem_init(&gate_opened, 0, 0);
    sem_init(&all_done, 0, 0);
    in_pool(count_join, NULL);
    in_pool(count_fork, NULL);
    in_pool(count_scope_spawn, NULL);
    in_pool(count_task_run, NULL);
    in_pool(count_task_wait, NULL);
    count_submit();
    count_submit_batch();
    static char inside[] = "loop-in-task";
    static char outside[] = "loop";
    in_pool(count_loop, inside);
    usleep(100000); /* until the worker sleeps: a guest that leaves looks at who does */
    count_loop(outside);
    count_deque();
    return 0;
}
