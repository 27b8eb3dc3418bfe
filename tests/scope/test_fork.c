/* SPDX-License-Identifier: Apache-2.0 */
/* Typed forks: every number of parameters, results of every kind, on this thread and in tasks. */
#include "test.h"

#include <filch/filch.h>
#include <stdlib.h>

static void everywhere(void (*test)(void *))
{
    static const size_t widths[] = {1, 2, 3, 8};
    test(NULL);
    for (size_t i = 0; i < sizeof widths / sizeof widths[0]; i++) {
        struct filch_pool *pool = NULL;
        struct filch_pool_config config = {.name = "fork", .workers = widths[i]};
        assert_int_equal(filch_pool_create(&pool, &config), 0);
        assert_int_equal(filch_pool_install(pool, test, NULL), 0);
        assert_int_equal(filch_pool_destroy(pool), 0);
    }
}

/* Long enough, now and then, for a thief to come. */
static void linger(void)
{
    static uint32_t turn;
    if (__atomic_fetch_add(&turn, 1, __ATOMIC_RELAXED) % 64 == 0)
        xt_sleep_ns(50 * FILCH_US);
}

/* --- every shape --- */

struct seven {
    uint64_t words[7];
};

struct odd {
    char bytes[13];
};

static int one(int a)
{
    linger();
    return a + 1;
}

static double two(double a, char b)
{
    linger();
    return a + b;
}

static const char *three(const char *a, size_t b, char c)
{
    linger();
    return a + b + c;
}

static struct odd four(struct odd a, short b, uint64_t *c, char d)
{
    linger();
    *c = (uint64_t)b;
    a.bytes[12] = d;
    return a;
}

static struct seven five(uint64_t a, uint32_t b, uint16_t c, uint8_t d, uint64_t e)
{
    linger();
    return (struct seven){{a, b, c, d, e, a + e, 7}};
}

static uint64_t six(uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e, uint64_t f)
{
    linger();
    return a + 2 * b + 3 * c + 4 * d + 5 * e + 6 * f;
}

static uint64_t whole_slot(struct seven a)
{
    linger();
    return a.words[0] + a.words[6];
}

static void void_one(uint64_t *a)
{
    linger();
    *a += 1;
}

static void void_six(uint64_t *a, int b, int c, int d, int e, int f)
{
    linger();
    *a = (uint64_t)(b + c + d + e + f);
}

static uint64_t constant(const struct odd a, const uint64_t b, uint64_t *const c)
{
    linger();
    return (uint64_t)a.bytes[1] + b + *c;
}

FILCH_FORKABLE(uint64_t, constant, const struct odd, const uint64_t, uint64_t *const)
FILCH_FORKABLE(int, one, int)
FILCH_FORKABLE(double, two, double, char)
FILCH_FORKABLE(const char *, three, const char *, size_t, char)
FILCH_FORKABLE(struct odd, four, struct odd, short, uint64_t *, char)
FILCH_FORKABLE(struct seven, five, uint64_t, uint32_t, uint16_t, uint8_t, uint64_t)
FILCH_FORKABLE(uint64_t, six, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t)
FILCH_FORKABLE(uint64_t, whole_slot, struct seven)
FILCH_FORKABLE_VOID(void_one, uint64_t *)
FILCH_FORKABLE_VOID(void_six, uint64_t *, int, int, int, int, int)

static void try_shapes(void)
{
    static const char text[] = "0123456789";
    uint64_t c = 0;
    uint64_t c8 = 100;
    uint64_t v1 = 0;
    uint64_t v6 = 0;
    struct seven big = {{UINT64_MAX, 0, 0, 0, 0, 0, 3}};
    struct odd odd = {{1, 2, 3}};
    FILCH_FORK(f1, one, INT32_MAX - 1);
    FILCH_FORK(f2, two, 0.5, (char)3);
    FILCH_FORK(f3, three, text, 4, (char)2);
    FILCH_FORK(f4, four, odd, (short)9, &c, (char)77);
    FILCH_FORK(f5, five, UINT64_MAX, UINT32_MAX, UINT16_MAX, UINT8_MAX, 5);
    FILCH_FORK(f6, six, 1, 2, 3, 4, 5, 6);
    FILCH_FORK(f7, whole_slot, big);
    FILCH_FORK(f8, constant, odd, 10, &c8);
    FILCH_FORK(g1, void_one, &v1);
    FILCH_FORK(g6, void_six, &v6, 1, 2, 3, 4, 5);
    linger();
    FILCH_SYNC(g6, void_six);
    xt_expect_equal(v6, 15);
    FILCH_SYNC(g1, void_one);
    xt_expect_equal(v1, 1);
    xt_expect_equal(FILCH_SYNC(f8, constant), 112);
    xt_expect_equal(FILCH_SYNC(f7, whole_slot), 2);
    xt_expect_equal(FILCH_SYNC(f6, six), 1 + 4 + 9 + 16 + 25 + 36);
    struct seven r5 = FILCH_SYNC(f5, five);
    xt_expect(r5.words[0] == UINT64_MAX && r5.words[1] == UINT32_MAX);
    xt_expect(r5.words[2] == UINT16_MAX && r5.words[3] == UINT8_MAX);
    xt_expect(r5.words[4] == 5 && r5.words[5] == 4 && r5.words[6] == 7);
    struct odd r4 = FILCH_SYNC(f4, four);
    xt_expect(r4.bytes[0] == 1 && r4.bytes[2] == 3 && r4.bytes[12] == 77);
    xt_expect_equal(c, 9);
    xt_expect(FILCH_SYNC(f3, three) == text + 6);
    xt_expect(FILCH_SYNC(f2, two) == 3.5);
    xt_expect_equal(FILCH_SYNC(f1, one), INT32_MAX);
}

static void try_shapes_often(void *unused)
{
    (void)unused;
    for (size_t i = 0; i < xt_scaled(2000); i++)
        try_shapes();
}

xt_define(every_shape_of_function)
{
    everywhere(try_shapes_often);
}

/* --- recursion --- */

static long fib(long n);

FILCH_FORKABLE(long, fib, long)

static long fib(long n)
{
    if (n < 2)
        return n;
    FILCH_FORK(right, fib, n - 1);
    long left = fib(n - 2);
    return left + FILCH_SYNC(right, fib);
}

static void compute_fib(void *unused)
{
    (void)unused;
    bool is_slow = XT_ASAN || XT_TSAN || xt_is_emulated();
    for (int i = 0; i < 3; i++)
        xt_expect_equal(fib(is_slow ? 16 : 27), is_slow ? 987 : 196418);
}

xt_define(recursion_gives_the_right_result)
{
    everywhere(compute_fib);
}

/* --- many open forks --- */

static uint64_t one_of_many(uint64_t value)
{
    return value;
}

FILCH_FORKABLE(uint64_t, one_of_many, uint64_t)

static uint64_t chain(uint64_t left)
{
    if (left == 0)
        return 0;
    FILCH_FORK(f, one_of_many, left);
    uint64_t rest = chain(left - 1);
    return rest + FILCH_SYNC(f, one_of_many);
}

#ifdef __OPTIMIZE__
enum { HAS_LARGE_FRAMES = XT_ASAN || XT_TSAN };
#else
enum { HAS_LARGE_FRAMES = 1 };
#endif

/* More than the 1,024 that a strand has slots for, on its own stack and on a thread's. */
static void open_many(void *unused)
{
    uint64_t count = HAS_LARGE_FRAMES ? 1500 : 5000;
    (void)unused;
    for (int i = 0; i < 5; i++)
        xt_expect_equal(chain(count), count * (count + 1) / 2);
}

static void open_many_in_task(void *unused)
{
    struct filch_task *task;
    (void)unused;
    open_many(NULL);
    xt_expect_equal(filch_pool_spawn(filch_pool_current(), &task, NULL, open_many, NULL), 0);
    xt_expect_equal(filch_task_join(task), 0);
    open_many(NULL);
}

xt_define(more_open_forks_than_slots)
{
    everywhere(open_many_in_task);
}

static void open_many_without_pool(void *unused)
{
    (void)unused;
    (void)setenv("FILCH_WORKERS", "none", 1);
    struct filch_pool *pool = NULL;
    xt_expect_equal(filch_pool_default(&pool), EINVAL);
    open_many(NULL);
    xt_expect_equal(fib(20), 6765);
}

xt_define(forks_without_a_pool_run_one_after_the_other)
{
    xt_expect_child(open_many_without_pool, NULL, "no pool");
}

static void sync_too_often(void *unused)
{
    (void)unused;
    FILCH_FORK(f, one_of_many, 1);
    (void)FILCH_SYNC(f, one_of_many);
    (void)FILCH_SYNC(f, one_of_many);
}

xt_define(a_fork_that_is_synced_twice_is_named)
{
    xt_skip_if_emulated();
    struct xt_child child;
    xt_run_child(&child, sync_too_often, NULL);
    assert_true(xt_child_aborted(&child, "synced twice"));
}

/* --- mixed --- */

static void add_range(size_t begin, size_t end, void *ctx)
{
    __atomic_fetch_add((uint64_t *)ctx, end - begin, __ATOMIC_RELAXED);
}

static uint64_t mixed(unsigned depth);

FILCH_FORKABLE(uint64_t, mixed, unsigned)

static void mixed_task(void *argument)
{
    uint64_t *value = argument;
    *value = mixed((unsigned)*value);
}

static uint64_t mixed(unsigned depth)
{
    if (depth == 0)
        return 1;
    uint64_t sum = 0;
    uint64_t spawned = depth - 1;
    FILCH_FORK(f, mixed, depth - 1);
    filch_for(0, 100, add_range, &sum);
    FILCH_SCOPE (s) {
        xt_expect_equal(filch_scope_spawn(s, mixed_task, &spawned), 0);
    }
    uint64_t forked = FILCH_SYNC(f, mixed);
    xt_expect_equal(sum, 100);
    return forked + spawned;
}

static void mix(void *unused)
{
    unsigned depth = XT_ASAN || XT_TSAN ? 5 : 9;
    (void)unused;
    xt_expect_equal(mixed(depth), UINT64_C(1) << depth);
}

xt_define(forks_loops_and_scopes_nested_in_each_other)
{
    everywhere(mix);
}

/* --- forks that follow a sync --- */

static uint64_t with_waits(uint64_t n);

FILCH_FORKABLE(uint64_t, with_waits, uint64_t)

/* A compiler uses what a sync says of the stack of forks for a fork behind it, but must not where a wait is
 * between: the task leaves that stack to another one, and may find itself with one of its own then. */
static uint64_t with_waits(uint64_t n)
{
    if (n < 2)
        return n;
    FILCH_FORK(before, one_of_many, n);
    uint64_t sum = one_of_many(n);
    sum += FILCH_SYNC(before, one_of_many);
    filch_yield();
    FILCH_FORK(half, with_waits, n - 1);
    filch_yield();
    sum += with_waits(n - 2);
    return sum + FILCH_SYNC(half, with_waits);
}

static uint64_t without_waits(uint64_t n)
{
    return n < 2 ? n : 2 * n + without_waits(n - 1) + without_waits(n - 2);
}

static void fork_between_waits(void *unused)
{
    (void)unused;
    xt_expect_equal(with_waits(12), without_waits(12));
}

static void fork_between_waits_in_tasks(void *unused)
{
    (void)unused;
    FILCH_SCOPE (s) {
        for (int i = 0; i < 16; i++)
            xt_expect_equal(filch_scope_spawn(s, fork_between_waits, NULL), 0);
    }
}

xt_define(a_fork_behind_a_wait_behind_a_sync)
{
    for (int i = 0; i < 5; i++)
        everywhere(fork_between_waits_in_tasks);
}

/* --- a guest that leaves while tasks wait with it --- */

static uint64_t twice(uint64_t n)
{
    return 2 * n;
}

FILCH_FORKABLE(uint64_t, twice, uint64_t)

struct stay {
    struct filch_scope *scope; /* of another thread */
    struct filch_semaphore scope_is_open, blocked;
    struct filch_latch task_waits, guest_leaves;
    uint32_t release; /* of those that block a worker */
    size_t guest, where;
    uint64_t sum;
};

static void block_worker(void *argument)
{
    struct stay *stay = argument;
    filch_semaphore_release(&stay->blocked, 1);
    while (!__atomic_load_n(&stay->release, __ATOMIC_ACQUIRE))
        xt_sleep_ns(100 * FILCH_US);
}

static void *open_scope(void *argument)
{
    struct stay *stay = argument;
    FILCH_SCOPE (s) {
        stay->scope = s;
        filch_semaphore_release(&stay->scope_is_open, 1);
        while (!__atomic_load_n(&stay->release, __ATOMIC_ACQUIRE))
            xt_sleep_ns(100 * FILCH_US);
    }
    return NULL;
}

static void *let_the_task_go(void *argument)
{
    struct stay *stay = argument;
    xt_sleep_ns(20 * FILCH_MS);
    filch_latch_count_down(&stay->guest_leaves);
    return NULL;
}

/* Its half is public, the first one of its room, and taken back by its sync. */
static void fork_and_wait(void *argument)
{
    struct stay *stay = argument;
    stay->where = filch_worker_index();
    filch_latch_count_down(&stay->task_waits);
    xt_expect_equal(filch_latch_wait(&stay->guest_leaves), 0);
    FILCH_FORK(half, twice, 1000);
    stay->sum = FILCH_SYNC(half, twice);
}

/* The result of the sync by which a guest leaves is its own, whatever ends before it has left. */
xt_define(a_guest_leaves_while_a_task_waits_with_it)
{
    struct stay stay = {.scope_is_open = FILCH_SEMAPHORE_INIT(0),
                        .blocked = FILCH_SEMAPHORE_INIT(0),
                        .task_waits = FILCH_LATCH_INIT(1),
                        .guest_leaves = FILCH_LATCH_INIT(1)};
    size_t width = filch_pool_width(NULL);
    struct filch_task **blockers = calloc(width, sizeof *blockers);
    pthread_t other, releaser;
    assert_non_null(blockers);
    for (size_t i = 0; i < width; i++)
        assert_int_equal(filch_pool_spawn(NULL, &blockers[i], NULL, block_worker, &stay), 0);
    for (size_t i = 0; i < width; i++)
        assert_int_equal(filch_semaphore_acquire(&stay.blocked), 0);
    assert_int_equal(pthread_create(&other, NULL, open_scope, &stay), 0);
    assert_int_equal(filch_semaphore_acquire(&stay.scope_is_open), 0);

    FILCH_FORK(last, twice, 1);
    stay.guest = filch_worker_index();
    assert_int_equal(filch_scope_spawn(stay.scope, fork_and_wait, &stay), 0);
    assert_int_equal(filch_latch_wait(&stay.task_waits), 0);
    assert_int_equal(pthread_create(&releaser, NULL, let_the_task_go, &stay), 0);
    uint64_t result = FILCH_SYNC(last, twice);

    __atomic_store_n(&stay.release, 1, __ATOMIC_RELEASE);
    assert_int_equal(pthread_join(other, NULL), 0);
    assert_int_equal(pthread_join(releaser, NULL), 0);
    for (size_t i = 0; i < width; i++)
        assert_int_equal(filch_task_join(blockers[i]), 0);
    free(blockers);
    assert_int_equal(stay.where, stay.guest);
    assert_int_equal(stay.sum, 2000);
    assert_int_equal(result, 2);
}

static void *fork_for_long(void *argument)
{
    (void)argument;
    compute_fib(NULL);
    try_shapes_often(NULL);
    mix(NULL);
    return NULL;
}

xt_define(more_threads_than_places_for_guests)
{
    xt_run_threads(40, fork_for_long, NULL, 0);
}

/* Of three, one may lie so by chance. */
xt_define(clang_begins_a_function_that_forks_with_a_line)
{
#ifdef __clang__
    uintptr_t places = (uintptr_t)fib | (uintptr_t)mixed | (uintptr_t)with_waits;
    xt_expect_equal(places % 64, 0);
#else
    skip();
#endif
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        xt_test(every_shape_of_function),
        xt_test(recursion_gives_the_right_result),
        xt_test(more_open_forks_than_slots),
        xt_test(forks_without_a_pool_run_one_after_the_other),
        xt_test(a_fork_that_is_synced_twice_is_named),
        xt_test(forks_loops_and_scopes_nested_in_each_other),
        xt_test(a_fork_behind_a_wait_behind_a_sync),
        xt_test(a_guest_leaves_while_a_task_waits_with_it),
        xt_test(more_threads_than_places_for_guests),
        xt_test(clang_begins_a_function_that_forks_with_a_line),
    };
    return xt_run(tests);
}
