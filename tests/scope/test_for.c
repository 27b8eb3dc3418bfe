/* SPDX-License-Identifier: Apache-2.0 */
/* Loops: every iteration exactly once, for every size, option and place to call from. */
#include "test.h"

#include <errno.h>
#include <filch/filch.h>
#include <stdlib.h>
#include <string.h>

static struct filch_pool *create(size_t workers)
{
    struct filch_pool *pool = NULL;
    struct filch_pool_config config = {.name = "for", .workers = workers};
    assert_int_equal(filch_pool_create(&pool, &config), 0);
    return pool;
}

static void everywhere(void (*test)(void *))
{
    static const size_t widths[] = {1, 2, 3, 8};
    test(NULL);
    for (size_t i = 0; i < sizeof widths / sizeof widths[0]; i++) {
        struct filch_pool *pool = create(widths[i]);
        assert_int_equal(filch_pool_install(pool, test, NULL), 0);
        assert_int_equal(filch_pool_destroy(pool), 0);
    }
}

/* --- once each --- */

struct marks {
    size_t begin;
    uint8_t *seen;
    size_t grain; /* 0: not checked */
    size_t end;
};

static void mark(size_t begin, size_t end, void *ctx)
{
    struct marks *m = ctx;
    xt_expect(begin < end);
    xt_expect(m->grain == 0 || end - begin >= m->grain || end == m->end);
    for (size_t i = begin; i < end; i++)
        __atomic_fetch_add(&m->seen[i - m->begin], 1, __ATOMIC_RELAXED);
}

static void expect_once_each(struct marks *m, size_t count)
{
    size_t wrong = 0;
    for (size_t i = 0; i < count; i++)
        wrong += m->seen[i] != 1;
    xt_expect_equal(wrong, 0);
}

static void loop_over(size_t begin, size_t count)
{
    struct marks m = {begin, calloc(count + 1, 1), 0, begin + count};
    filch_for(begin, begin + count, mark, &m);
    expect_once_each(&m, count);
    free(m.seen);
}

static void try_sizes(void *unused)
{
    static const size_t sizes[] = {0, 1, 2, 3, 4, 5, 7, 63, 64, 65, 1009, 4096, 104729};
    (void)unused;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        loop_over(0, sizes[i]);
        loop_over(12345, sizes[i]);
        loop_over(SIZE_MAX - sizes[i], sizes[i]);
    }
    loop_over(0, xt_scaled(1000000));
}

xt_define(each_iteration_once)
{
    everywhere(try_sizes);
}

static void never(size_t begin, size_t end, void *ctx)
{
    (void)begin;
    (void)end;
    (void)ctx;
    xt_expect(false);
}

xt_define(empty_loops_do_nothing)
{
    filch_for(0, 0, never, NULL);
    filch_for(5, 5, never, NULL);
    filch_for(6, 5, never, NULL);
    filch_for(SIZE_MAX, 0, never, NULL);
    assert_int_equal(filch_for_with(NULL, 1, 1, never, NULL), 0);
    assert_int_equal(filch_for_with(NULL, 2, 1, never, NULL), 0);
}

static void count_huge(size_t begin, size_t end, void *ctx)
{
    __atomic_fetch_add((uint64_t *)ctx, end - begin, __ATOMIC_RELAXED);
}

xt_define(the_largest_range)
{
    uint64_t sum = 0;
    filch_for(0, SIZE_MAX, count_huge, &sum);
    assert_int_equal(sum, SIZE_MAX);
    sum = 0;
    struct filch_for_options options = {.max_workers = 1, .grain = SIZE_MAX / 3};
    assert_int_equal(filch_for_with(&options, 1, SIZE_MAX, count_huge, &sum), 0);
    assert_int_equal(sum, SIZE_MAX - 1);
    sum = 0;
    options = (struct filch_for_options){.grain = SIZE_MAX};
    assert_int_equal(filch_for_with(&options, 0, SIZE_MAX, count_huge, &sum), 0);
    assert_int_equal(sum, SIZE_MAX);
}

/* --- options --- */

xt_define(bad_options_are_refused)
{
    uint64_t sum = 0;
    struct filch_pool *pool = create(1);
    struct filch_for_options options = {.pool = pool};
    assert_int_equal(filch_for_with(&options, 0, 10, NULL, NULL), EINVAL);
    assert_int_equal(filch_for_with(NULL, 0, 10, NULL, NULL), EINVAL);
    assert_int_equal(filch_pool_shutdown(pool, FILCH_DRAIN, FILCH_FOREVER), 0);
    assert_int_equal(filch_for_with(&options, 0, 10, count_huge, &sum), ESHUTDOWN);
    assert_int_equal(sum, 0);
    assert_int_equal(filch_pool_destroy(pool), 0);
}

/* How many long ranges begin where a cache line of an array of bytes does, and how many elsewhere. */
struct begins {
    size_t in_line, at_line;
};

static void look_at_begin(size_t begin, size_t end, void *context)
{
    struct begins *begins = context;
    if (begin != 0 && end - begin >= 1024)
        __atomic_fetch_add(begin % 64 == 0 ? &begins->at_line : &begins->in_line, 1,
                           __ATOMIC_RELAXED);
}

/* Not all do: the leaf before may have been interrupted, and so have seemed to be of a few long iterations. */
xt_define(long_ranges_begin_where_lines_do)
{
    struct begins begins = {0};
    for (size_t count = 1000; count < 100000000; count = count * 2 + 77)
        assert_int_equal(filch_for(0, count, look_at_begin, &begins), 0);
    for (int i = 0; i < 100; i++)
        assert_int_equal(filch_for(0, 10000000, look_at_begin, &begins), 0);
    assert_true(begins.at_line > 4 * begins.in_line);
}

static void try_grains(void *unused)
{
    static const size_t grains[] = {1, 2, 3, 100, 999, 1000, 1001, SIZE_MAX};
    static const size_t limits[] = {0, 1, 2, 3, 1000, SIZE_MAX};
    (void)unused;
    for (size_t g = 0; g < sizeof grains / sizeof grains[0]; g++) {
        for (size_t l = 0; l < sizeof limits / sizeof limits[0]; l++) {
            struct filch_for_options options = {.grain = grains[g], .max_workers = limits[l]};
            struct marks m = {7, calloc(1000, 1), grains[g], 1007};
            xt_expect_equal(filch_for_with(&options, 7, 1007, mark, &m), 0);
            expect_once_each(&m, 1000);
            free(m.seen);
        }
    }
}

xt_define(ranges_are_at_least_as_long_as_the_grain)
{
    everywhere(try_grains);
}

/* A loop has 64 shares: members then use one in turns, and find it in use when they come back with loot. */
xt_define(more_members_than_shares)
{
    struct filch_pool *pool = create(70);
    size_t count = xt_scaled(20000);
    for (size_t grain = 0; grain < 3; grain++) {
        struct filch_for_options options = {.pool = pool, .grain = grain};
        struct marks m = {0, calloc(count, 1), grain, count};
        assert_int_equal(filch_for_with(&options, 0, count, mark, &m), 0);
        expect_once_each(&m, count);
        free(m.seen);
    }
    assert_int_equal(filch_pool_destroy(pool), 0);
}

struct crowd {
    uint32_t inside;
    uint32_t most;
    size_t limit;
    uint64_t sum;
};

static void enter_crowd(size_t begin, size_t end, void *ctx)
{
    struct crowd *c = ctx;
    uint32_t inside = __atomic_add_fetch(&c->inside, 1, __ATOMIC_ACQ_REL);
    xt_expect(inside <= c->limit);
    uint32_t most = __atomic_load_n(&c->most, __ATOMIC_RELAXED);
    while (inside > most && !__atomic_compare_exchange_n(&c->most, &most, inside, false,
                                                         __ATOMIC_RELAXED, __ATOMIC_RELAXED))
        ;
    xt_sleep_ns(20 * FILCH_US);
    __atomic_fetch_add(&c->sum, end - begin, __ATOMIC_RELAXED);
    __atomic_sub_fetch(&c->inside, 1, __ATOMIC_ACQ_REL);
}

xt_define(no_more_take_part_than_allowed)
{
    struct filch_pool *pool = create(8);
    for (size_t limit = 1; limit <= 9; limit++) {
        struct crowd c = {.limit = limit};
        struct filch_for_options options = {.pool = pool, .grain = 1, .max_workers = limit};
        /* On a busy machine a worker that was woken may come too late for the first rounds. */
        uint64_t rounds = 0;
        do {
            assert_int_equal(filch_for_with(&options, 0, 300, enter_crowd, &c), 0);
            assert_int_equal(c.sum, ++rounds * 300);
        } while (limit == 2 && c.most < limit && rounds < 200);
        if (limit == 1)
            assert_int_equal(c.most, 1);
    }
    assert_int_equal(filch_pool_destroy(pool), 0);
}

struct place {
    struct filch_pool *pool;
    uint64_t sum;
};

static void expect_pool(size_t begin, size_t end, void *ctx)
{
    struct place *p = ctx;
    xt_expect(filch_pool_current() == p->pool);
    xt_expect(filch_worker_index() < filch_pool_places(p->pool));
    __atomic_fetch_add(&p->sum, end - begin, __ATOMIC_RELAXED);
}

static void loop_on_given_pool(void *argument)
{
    struct place *p = argument;
    struct filch_for_options options = {.pool = p->pool};
    struct filch_pool *here = filch_pool_current();
    xt_expect_equal(filch_for_with(&options, 0, 10000, expect_pool, p), 0);
    xt_expect_equal(p->sum, 10000);
    xt_expect(filch_pool_current() == here);
}

/* From outside, from the pool itself, and from a task of another pool. */
xt_define(a_loop_runs_on_the_pool_that_is_asked_for)
{
    struct filch_pool *pool = create(2);
    struct filch_pool *other = create(1);
    for (size_t i = 0; i < xt_scaled(200); i++) {
        struct place places[3] = {{pool, 0}, {pool, 0}, {pool, 0}};
        loop_on_given_pool(&places[0]);
        assert_int_equal(filch_pool_install(pool, loop_on_given_pool, &places[1]), 0);
        assert_int_equal(filch_pool_install(other, loop_on_given_pool, &places[2]), 0);
    }
    assert_int_equal(filch_pool_destroy(other), 0);
    assert_int_equal(filch_pool_destroy(pool), 0);
}

/* --- costs and orders --- */

static void spin_range(size_t begin, size_t end, void *ctx)
{
    /* The last tenth costs far more than the rest. */
    for (size_t i = begin; i < end; i++) {
        int64_t until = xt_now_ns() + (i >= 900 ? 50000 : 0);
        while (xt_now_ns() < until)
            ;
    }
    __atomic_fetch_add((uint64_t *)ctx, end - begin, __ATOMIC_RELAXED);
}

static void loop_unevenly(void *unused)
{
    (void)unused;
    for (int i = 0; i < 5; i++) {
        uint64_t sum = 0;
        filch_for(0, 1000, spin_range, &sum);
        xt_expect_equal(sum, 1000);
    }
}

xt_define(costs_may_rise_along_the_range)
{
    everywhere(loop_unevenly);
}

/* A body that is cheap until it is not. */
struct turning {
    bool is_dear;
    uint64_t sum;
    size_t largest; /* range of dear iterations */
};

static void turn_dear(size_t begin, size_t end, void *ctx)
{
    struct turning *t = ctx;
    if (t->is_dear)
        xt_sleep_ns((int64_t)(end - begin) * 100 * FILCH_US);
    size_t largest = __atomic_load_n(&t->largest, __ATOMIC_RELAXED);
    while (t->is_dear && end - begin > largest &&
           !__atomic_compare_exchange_n(&t->largest, &largest, end - begin, false, __ATOMIC_RELAXED,
                                        __ATOMIC_RELAXED))
        ;
    __atomic_fetch_add(&t->sum, end - begin, __ATOMIC_RELAXED);
}

static void turn(void *unused)
{
    (void)unused;
    for (int round = 0; round < 3; round++) {
        struct turning t = {.is_dear = false};
        for (int i = 0; i < 1000; i++)
            filch_for(0, 2000, turn_dear, &t);
        xt_expect_equal(t.sum, 2000 * 1000);
        t.is_dear = true;
        filch_for(0, 2000, turn_dear, &t);
        xt_expect_equal(t.sum, 2000 * 1001);
        xt_expect(t.largest <= 2000 / 8); /* 25 ms, which is several ticks; not 200 ms */
    }
}

xt_define(a_body_that_becomes_dear_is_found_out)
{
    everywhere(turn);
}

/* A body that is dear once, and from then on cheap. */
struct calming {
    bool is_dear;
    uint64_t sum;
    size_t calls;
};

static void calm_down(size_t begin, size_t end, void *ctx)
{
    struct calming *c = ctx;
    if (c->is_dear)
        xt_sleep_ns((int64_t)(end - begin) * 10 * FILCH_US);
    __atomic_fetch_add(&c->sum, end - begin, __ATOMIC_RELAXED);
    __atomic_fetch_add(&c->calls, 1, __ATOMIC_RELAXED);
}

/* Loops are shared while they seem long, and then no more: in two calls at most, whoever came. */
static void calm(void *unused)
{
    (void)unused;
    struct calming c = {.is_dear = true};
    filch_for(0, 1000, calm_down, &c);
    c.is_dear = false;
    size_t least = SIZE_MAX; /* others may disturb some of the loops, and on a busy machine most */
    size_t loops = 0;
    for (; loops < 400 || least > 2; loops++) {
        c.calls = 0;
        filch_for(0, 1000, calm_down, &c);
        if (loops >= 300 && c.calls < least)
            least = c.calls;
    }
    xt_expect_equal(c.sum, 1000 * (loops + 1));
}

xt_define(a_body_that_becomes_cheap_is_found_out)
{
    everywhere(calm);
}

/* --- who begins --- */

struct beginning {
    struct filch_pool *pool;
    uint64_t wakes[2]; /* when the first iteration ran, and the second one */
};

static void note_wakes(size_t begin, size_t end, void *ctx)
{
    struct beginning *b = ctx;
    for (size_t i = begin; i < end; i++) {
        struct filch_pool_stats stats;
        if (i < 2 && filch_pool_stats(b->pool, &stats) == 0)
            b->wakes[i] = stats.wakes;
        const int64_t end_ns = filch_now_ns() + 2000;
        while (filch_now_ns() < end_ns)
            continue;
    }
}

/* Waking takes long: whoever calls a loop from outside begins it before that. But with one iteration only: the
 * first ones may be by far the longest. */
static void wake_after_the_first(struct filch_pool *pool, size_t count)
{
    bool is_so = false; /* somebody may still have been busy, and then nobody need be woken */
    while (!is_so) {
        struct filch_pool_stats before;
        struct beginning b = {.pool = pool};
        const struct filch_for_options options = {.pool = pool};
        filch_sleep_ns(20000000);
        assert_int_equal(filch_pool_stats(pool, &before), 0);
        assert_int_equal(filch_for_with(&options, 0, count, note_wakes, &b), 0);
        is_so = b.wakes[0] == before.wakes && b.wakes[1] > before.wakes;
    }
}

xt_define(a_loop_begins_before_anybody_is_woken)
{
    struct filch_pool *pool = create(2);
    /* Not known at first, and in time known. */
    wake_after_the_first(pool, 1024);
    wake_after_the_first(pool, 256);
    assert_int_equal(filch_pool_destroy(pool), 0);
}

/* --- how long leaves are --- */

/* A worker that is busy with something else. */
struct holder {
    uint32_t is_held; /* atomic, and the next */
    uint32_t is_free;
};

static void hold(void *argument)
{
    struct holder *h = argument;
    __atomic_store_n(&h->is_held, 1, __ATOMIC_RELEASE);
    while (!__atomic_load_n(&h->is_free, __ATOMIC_ACQUIRE))
        xt_sleep_ns(FILCH_MS);
}

struct leaves {
    uint64_t sum;
    size_t tiny;
};

static void note_leaves(size_t begin, size_t end, void *ctx)
{
    struct leaves *l = ctx;
    uint64_t sum = 0;
    for (size_t i = begin; i < end; i++) {
        sum += i;
        __asm__ volatile("" : "+r"(sum)); /* so that it takes some time */
    }
    l->sum += sum;
    l->tiny += end - begin < 16;
}

static void loop_with_leaves(void *argument)
{
    enum { COUNT = 16000000 };
    size_t least = SIZE_MAX; /* others may disturb some of the loops */
    for (int i = 0; i < 10; i++) {
        struct leaves l = {0, 0};
        filch_for(0, COUNT, note_leaves, &l);
        xt_expect_equal(l.sum, (uint64_t)COUNT * (COUNT - 1) / 2);
        if (l.tiny < least)
            least = l.tiny;
    }
    *(size_t *)argument = least;
}

/* Towards the end of a share they become shorter, down to some microseconds; not down to one iteration. */
xt_define(no_leaf_of_a_long_loop_is_tiny)
{
    struct filch_pool *pool = create(2);
    struct holder h = {0, 0};
    struct filch_task *task = NULL;
    size_t tiny = SIZE_MAX;
    assert_int_equal(filch_pool_spawn(pool, &task, NULL, hold, &h), 0);
    while (!__atomic_load_n(&h.is_held, __ATOMIC_ACQUIRE))
        xt_sleep_ns(FILCH_MS);
    /* One worker does all that is there for two, share by share. */
    assert_int_equal(filch_pool_install(pool, loop_with_leaves, &tiny), 0);
    __atomic_store_n(&h.is_free, 1, __ATOMIC_RELEASE);
    assert_int_equal(filch_task_join(task), 0);
    assert_true(tiny <= 4);
    assert_int_equal(filch_pool_destroy(pool), 0);
}

/* The second half of a range is dear: it is another member's share, from which others take when they have done
 * the first one. */
struct halves {
    size_t middle;
    size_t largest; /* leaf of dear iterations */
};

static void run_halves(size_t begin, size_t end, void *ctx)
{
    struct halves *h = ctx;
    if (begin < h->middle)
        return;
    xt_sleep_ns((int64_t)(end - begin) * 20 * FILCH_US);
    size_t largest = __atomic_load_n(&h->largest, __ATOMIC_RELAXED);
    while (end - begin > largest &&
           !__atomic_compare_exchange_n(&h->largest, &largest, end - begin, false, __ATOMIC_RELAXED,
                                        __ATOMIC_RELAXED))
        ;
}

static void loop_over_halves(void *unused)
{
    (void)unused;
    struct halves h = {1024, 0};
    filch_for(0, 2048, run_halves, &h);
    xt_expect(h.largest > 0 && h.largest <= 64);
}

xt_define(who_comes_from_a_cheap_part_takes_little_of_a_dear_one)
{
    static const size_t widths[] = {2, 4, 8};
    for (size_t i = 0; i < 3; i++) {
        struct filch_pool *pool = create(widths[i]); /* a new one remembers nothing of the body */
        assert_int_equal(filch_pool_install(pool, loop_over_halves, NULL), 0);
        assert_int_equal(filch_pool_destroy(pool), 0);
    }
}

struct plain {
    uint64_t *values;
    size_t count;
};

static void fill(size_t begin, size_t end, void *ctx)
{
    struct plain *p = ctx;
    for (size_t i = begin; i < end; i++)
        p->values[i] = i;
}

static void shift(size_t begin, size_t end, void *ctx)
{
    struct plain *p = ctx;
    for (size_t i = begin; i < end; i++)
        p->values[p->count + i] = p->values[p->count - 1 - i];
}

/* Plain memory: what one loop writes, the next one reads elsewhere. */
static void chain_loops(void *unused)
{
    size_t count = xt_scaled(200000);
    struct plain p = {calloc(2 * count, sizeof(uint64_t)), count};
    (void)unused;
    for (int round = 0; round < 10; round++) {
        filch_for(0, count, fill, &p);
        filch_for(0, count, shift, &p);
        size_t wrong = 0;
        for (size_t i = 0; i < count; i++)
            wrong += p.values[count + i] != count - 1 - i;
        xt_expect_equal(wrong, 0);
        memset(p.values, 0, 2 * count * sizeof(uint64_t));
    }
    free(p.values);
}

xt_define(a_loop_sees_what_the_one_before_wrote)
{
    everywhere(chain_loops);
}

/* --- nesting --- */

struct nest {
    size_t inner;
    uint64_t sum;
};

static void add_range(size_t begin, size_t end, void *ctx)
{
    __atomic_fetch_add((uint64_t *)ctx, end - begin, __ATOMIC_RELAXED);
}

static void nested(size_t begin, size_t end, void *ctx)
{
    struct nest *n = ctx;
    for (size_t i = begin; i < end; i++) {
        uint64_t mine = 0;
        struct filch_for_options options = {.grain = i % 5, .max_workers = i % 3};
        if (i % 2 == 0)
            filch_for(0, n->inner, add_range, &mine);
        else
            xt_expect_equal(filch_for_with(&options, 0, n->inner, add_range, &mine), 0);
        xt_expect_equal(mine, n->inner);
        __atomic_fetch_add(&n->sum, mine, __ATOMIC_RELAXED);
    }
}

static void nest_loops(void *unused)
{
    struct nest n = {.inner = 200};
    size_t outer = xt_scaled(2000);
    (void)unused;
    filch_for(0, outer, nested, &n);
    xt_expect_equal(n.sum, outer * n.inner);
}

xt_define(loops_in_loops)
{
    everywhere(nest_loops);
}

static void loop_in_task(void *argument)
{
    filch_for(0, 1000, add_range, argument);
}

static void loops_in_scopes(void *unused)
{
    uint64_t sum = 0;
    (void)unused;
    FILCH_SCOPE (s) {
        for (int i = 0; i < 100; i++)
            xt_expect_equal(filch_scope_spawn(s, loop_in_task, &sum), 0);
        loop_in_task(&sum);
    }
    xt_expect_equal(sum, 101000);
}

xt_define(loops_in_tasks_of_scopes)
{
    everywhere(loops_in_scopes);
}

static void nothing(void *argument)
{
    (void)argument;
}

static void wait_in_body(size_t begin, size_t end, void *ctx)
{
    for (size_t i = begin; i < end; i++) {
        struct filch_task *task;
        xt_expect_equal(filch_pool_spawn(filch_pool_current(), &task, NULL, nothing, NULL), 0);
        xt_expect_equal(filch_task_join(task), 0);
        add_range(i, i + 1, ctx);
    }
}

/* Bodies that wait are set aside, and the loop waits for them. */
static void loop_with_waits(void *unused)
{
    uint64_t sum = 0;
    size_t count = xt_scaled(2000);
    (void)unused;
    struct filch_for_options options = {.grain = 1};
    xt_expect_equal(filch_for_with(&options, 0, count, wait_in_body, &sum), 0);
    xt_expect_equal(sum, count);
    options = (struct filch_for_options){.max_workers = 2};
    xt_expect_equal(filch_for_with(&options, 0, count, wait_in_body, &sum), 0);
    xt_expect_equal(sum, 2 * count);
}

xt_define(bodies_may_wait)
{
    everywhere(loop_with_waits);
}

/* --- panics below an open fork --- */

static long nothing_much(long n)
{
    return n;
}

FILCH_FORKABLE(long, nothing_much, long)

static void panic_in_body(size_t begin, size_t end, void *ctx)
{
    (void)begin;
    (void)end;
    filch_panic("in the %s", (const char *)ctx);
}

static void loop_below_fork(void *ctx)
{
    FILCH_FORK(open, nothing_much, 1);
    filch_for(0, 1, panic_in_body, ctx);
    xt_expect_equal(FILCH_SYNC(open, nothing_much), 0); /* not reached */
}

static void say_nothing(const struct filch_panic *panic)
{
    (void)panic;
}

/* A loop whose first iteration panics, once another member works on it, if there is to be one. */
struct ending {
    size_t members;
    size_t begun;
    struct filch_panic *panic;
};

static void panic_at_first(size_t begin, size_t end, void *ctx)
{
    struct ending *e = ctx;
    __atomic_fetch_add(&e->begun, end - begin, __ATOMIC_RELAXED);
    while (begin == 0 && e->members > 1 && __atomic_load_n(&e->begun, __ATOMIC_RELAXED) == 1)
        xt_sleep_ns(20 * FILCH_US);
    if (begin == 0)
        filch_panic("at once");
    xt_sleep_ns(20 * FILCH_US);
}

static void loop_that_panics(void *ctx)
{
    struct filch_for_options options = {.grain = 1};
    xt_expect_equal(filch_for_with(&options, 0, 20000, panic_at_first, ctx), 0); /* not reached */
}

static void loop_caught(void *ctx)
{
    struct ending *e = ctx;
    xt_expect_equal(filch_catch_unwind(loop_that_panics, ctx, &e->panic), EOWNERDEAD);
}

/* What nobody has begun is not run, by whomever. */
xt_define(a_panic_ends_the_loop)
{
    filch_panic_hook *before = filch_panic_set_hook(say_nothing);
    for (size_t width = 1; width <= 3; width++) {
        struct filch_pool *pool = create(width);
        struct ending e = {.members = width};
        assert_int_equal(filch_pool_install(pool, loop_caught, &e), 0);
        filch_panic_free(e.panic);
        assert_true(width == 1 ? e.begun == 1 : e.begun < 20000);
        assert_int_equal(filch_pool_destroy(pool), 0);
    }
    filch_panic_set_hook(before);
}

/* From outside, the panic ends the stay of the guest together with the fork, before it leaves the loop. */
xt_define(a_body_panics_below_an_open_fork)
{
    char body[] = "body";
    filch_panic_hook *before = filch_panic_set_hook(say_nothing);
    for (int i = 0; i < 3; i++) {
        struct filch_panic *panic = NULL;
        assert_int_equal(filch_catch_unwind(loop_below_fork, body, &panic), EOWNERDEAD);
        assert_string_equal(filch_panic_message(panic), "in the body");
        filch_panic_free(panic);
    }
    filch_panic_set_hook(before);
}

/* --- from several threads --- */

static void *loop_for_long(void *argument)
{
    (void)argument;
    for (size_t i = 0; i < xt_scaled(400); i++) {
        uint64_t sum = 0;
        filch_for(0, 10000, add_range, &sum);
        xt_expect_equal(sum, 10000);
    }
    nest_loops(NULL);
    return NULL;
}

xt_define(two_threads_at_the_same_time)
{
    xt_run_threads(2, loop_for_long, NULL, 0);
}

/* So many threads from outside that one of them finds no place. */
enum { CROWD = 40 };

static struct filch_barrier crowd = FILCH_BARRIER_INIT(CROWD);

static void meet_at_a_place(size_t begin, size_t end, void *ctx)
{
    (void)ctx;
    xt_expect_equal(end - begin, 1);
    xt_expect_equal(filch_barrier_wait(&crowd, NULL), 0);
    xt_expect(filch_worker_index() < filch_pool_places(NULL));
}

static void *loop_at_a_place(void *argument)
{
    xt_expect_equal(filch_for(0, 1, meet_at_a_place, argument), 0);
    return NULL;
}

xt_define(more_threads_than_places_for_guests)
{
    xt_run_threads(CROWD, loop_for_long, NULL, 0);
    if (filch_pool_places(NULL) - filch_pool_width(NULL) >= CROWD)
        skip(); /* a large machine */
    xt_run_threads(CROWD, loop_at_a_place, NULL, 0);
}

/* All places are taken while main forks, so that it forks on slots of its own, and free when it loops. */
static struct filch_semaphore at_places = FILCH_SEMAPHORE_INIT(0);
static struct filch_latch may_leave = FILCH_LATCH_INIT(1);

static void stay_at_a_place(size_t begin, size_t end, void *ctx)
{
    (void)begin;
    (void)end;
    filch_semaphore_release(&at_places, 1);
    xt_expect_equal(filch_latch_wait(ctx), 0);
}

static void *take_a_place(void *until)
{
    xt_expect_equal(filch_for(0, 1, stay_at_a_place, until), 0);
    return NULL;
}

struct holders {
    struct filch_thread *threads[100];
    size_t count;
};

static void take_all_places(struct holders *holders, struct filch_latch *until)
{
    holders->count = filch_pool_places(NULL) - filch_pool_width(NULL);
    if (holders->count > sizeof holders->threads / sizeof holders->threads[0])
        skip(); /* a large machine */
    for (size_t i = 0; i < holders->count; i++)
        assert_int_equal(filch_thread_spawn(&holders->threads[i], NULL, take_a_place, until), 0);
    for (size_t i = 0; i < holders->count; i++)
        assert_int_equal(filch_semaphore_acquire(&at_places), 0);
}

static void leave_places(struct holders *holders, struct filch_latch *until)
{
    filch_latch_count_down(until);
    for (size_t i = 0; i < holders->count; i++)
        xt_expect_equal(filch_thread_join(holders->threads[i], NULL, NULL), 0);
}

static void fork_without_a_place(void *argument)
{
    struct holders *holders = argument;
    static char body[] = "body";
    FILCH_FORK(open, nothing_much, 1);
    xt_expect_equal(filch_worker_index(), FILCH_NOT_A_WORKER);
    leave_places(holders, &may_leave);
    filch_for(0, 1, panic_in_body, body);
    xt_expect_equal(FILCH_SYNC(open, nothing_much), 0); /* not reached */
}

static void note_that_it_ran(void *ran)
{
    *(uint32_t *)ran = 1;
}

/* A scope of a thread without a place: what lay in its frame before makes no difference. */
xt_define(a_scope_without_a_place)
{
    struct filch_latch until = FILCH_LATCH_INIT(1);
    struct holders holders;
    struct filch__scope_frame frame;
    uint32_t ran = 0;
    take_all_places(&holders, &until);
    memset(&frame, 0xff, sizeof frame);
    struct filch_scope *s = filch__scope_enter(&frame);
    assert_int_equal(filch_worker_index(), FILCH_NOT_A_WORKER);
    assert_int_equal(filch_scope_spawn(s, note_that_it_ran, &ran), 0);
    filch__scope_leave(&frame);
    assert_int_equal(ran, 1);
    leave_places(&holders, &until);
}

/* The forks that are older than the stay of the guest end with it, so that later ones go to the pool. */
xt_define(a_body_panics_below_a_fork_without_a_place)
{
    struct holders holders;
    take_all_places(&holders, &may_leave);
    filch_panic_hook *before = filch_panic_set_hook(say_nothing);
    assert_int_equal(filch_catch_unwind(fork_without_a_place, &holders, NULL), EOWNERDEAD);
    filch_panic_set_hook(before);
    FILCH_FORK(next, nothing_much, 2);
    assert_true(filch_worker_index() < filch_pool_places(NULL));
    assert_int_equal(FILCH_SYNC(next, nothing_much), 2);
}

xt_define(errno_is_preserved)
{
    errno = ENOTTY;
    chain_loops(NULL);
    nest_loops(NULL);
    assert_int_equal(errno, ENOTTY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        xt_test(each_iteration_once),
        xt_test(empty_loops_do_nothing),
        xt_test(the_largest_range),
        xt_test(bad_options_are_refused),
        xt_test(long_ranges_begin_where_lines_do),
        xt_test(ranges_are_at_least_as_long_as_the_grain),
        xt_test(more_members_than_shares),
        xt_test(no_more_take_part_than_allowed),
        xt_test(a_loop_runs_on_the_pool_that_is_asked_for),
        xt_test(costs_may_rise_along_the_range),
        xt_test(a_body_that_becomes_dear_is_found_out),
        xt_test(a_body_that_becomes_cheap_is_found_out),
        xt_test(a_loop_begins_before_anybody_is_woken),
        xt_test(no_leaf_of_a_long_loop_is_tiny),
        xt_test(who_comes_from_a_cheap_part_takes_little_of_a_dear_one),
        xt_test(a_loop_sees_what_the_one_before_wrote),
        xt_test(loops_in_loops),
        xt_test(loops_in_tasks_of_scopes),
        xt_test(bodies_may_wait),
        xt_test(a_body_panics_below_an_open_fork),
        xt_test(a_panic_ends_the_loop),
        xt_test(two_threads_at_the_same_time),
        xt_test(more_threads_than_places_for_guests),
        xt_test(a_scope_without_a_place),
        xt_test(a_body_panics_below_a_fork_without_a_place),
        xt_test(errno_is_preserved),
    };
    return xt_run(tests);
}
