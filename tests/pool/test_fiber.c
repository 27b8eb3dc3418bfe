/* SPDX-License-Identifier: Apache-2.0 */
/* Fibers: switching, nesting, ending, overflow, what is kept, and failure to get a stack. */
#include "fiber/ambient.h"
#include "fiber/fiber.h"
#include "fiber_support.h"
#include "os/os.h"

#include <errno.h>
#include <fenv.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* ---- One thread with fibers ------------------------------------------------------------------ */

/* CMocka's assertions jump, and so are used on the thread's own stack only. */
static struct stack_store store;
static struct stack_cache cache;
static struct fiber home;

static void trim_all(void)
{
    while (filch__stack_store_trim(&store)) {
    }
}

static int setup(void **state)
{
    (void)state;
    if (filch__stack_store_init(&store, 0) != 0)
        return -1;
    filch__stack_cache_init(&cache, &store);
    filch__fiber_adopt_thread(&home);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    filch__os_replace(NULL);
    filch__stack_cache_drain(&cache);
    if (filch__stack_store_counts(&store).out != 0)
        return -1; /* the test failed on its way, and destroying the store would end the program */
    filch__stack_store_destroy(&store);
    return 0;
}

static struct fiber *new_fiber(fiber_entry *entry, void *argument)
{
    struct fiber *fiber = NULL;
    assert_int_equal(filch__fiber_create(&fiber, sizeof(struct fiber), &cache, entry, argument), 0);
    assert_non_null(fiber);
    return fiber;
}

/* ---- Running and ending ---------------------------------------------------------------------- */

static struct fiber *note_argument(void *argument)
{
    *(int *)argument += 1;
    return &home;
}

static void test_runs_once(void **state)
{
    (void)state;
    int runs = 0;
    struct fiber *fiber = new_fiber(note_argument, &runs);
    assert_int_equal(runs, 0);
    filch__fiber_switch(&home, fiber);
    assert_int_equal(runs, 1);
    assert_true(fiber->ended);
    filch__fiber_destroy(fiber, &cache);
}

static void test_never_started(void **state)
{
    (void)state;
    int runs = 0;
    filch__fiber_destroy(new_fiber(note_argument, &runs), &cache);
    assert_int_equal(runs, 0);
}

/* Ended stacks are used again: creating, running and destroying in a loop needs one. */
static void test_reuse(void **state)
{
    (void)state;
    int runs = 0;
    size_t count = scaled(100000);
    for (size_t i = 0; i < count; i++) {
        struct fiber *fiber = new_fiber(note_argument, &runs);
        filch__fiber_switch(&home, fiber);
        filch__fiber_destroy(fiber, &cache);
    }
    assert_int_equal(runs, count);
    assert_true(filch__stack_store_counts(&store).carved <= FILCH_STACK_CACHE_MAX);
}

static struct fiber *end_without_next(void *argument)
{
    (void)argument;
    return NULL;
}

static void run_end_without_next(void *argument)
{
    filch__fiber_switch(&home, argument);
}

static void test_no_next_aborts(void **state)
{
    (void)state;
    struct fiber *fiber = new_fiber(end_without_next, NULL);
    assert_true(died_of_abort(status_of_child(run_end_without_next, fiber)));
    filch__fiber_destroy(fiber, &cache);
}

static void run_ended(void *argument)
{
    filch__fiber_switch(&home, argument);
}

static void test_ended_aborts(void **state)
{
    (void)state;
    int runs = 0;
    struct fiber *fiber = new_fiber(note_argument, &runs);
    filch__fiber_switch(&home, fiber);
    assert_true(died_of_abort(status_of_child(run_ended, fiber)));
    filch__fiber_destroy(fiber, &cache);
}

/* ---- State across a million switches --------------------------------------------------------- */

struct ping {
    struct fiber *self;
    size_t rounds;
    uint64_t sum;
    double scale;
};

/* Enough live values that some lie in registers and some on the stack, whatever the compiler. */
static void churn(struct fiber *from, struct fiber *to, struct ping *ping)
{
    uint64_t a = 1, b = 2, c = 3, d = 4, e = 5, f = 6, g = 7, h = 8;
    double x = 1.0, y = 0.5;
    volatile uint64_t on_stack[16];
    for (size_t i = 0; i < 16; i++)
        on_stack[i] = i;
    for (size_t i = 0; i < ping->rounds; i++) {
        filch__fiber_switch(from, to);
        a += b ^ i, b += c, c ^= d << 1, d += e, e += f, f ^= g, g += h, h += a;
        x = x * 0.75 + y, y = y * 0.5 + ping->scale;
        on_stack[i % 16] += a;
    }
    ping->sum = a ^ b ^ c ^ d ^ e ^ f ^ g ^ h ^ (uint64_t)(x * 1e6) ^ (uint64_t)(y * 1e6);
    for (size_t i = 0; i < 16; i++)
        ping->sum = ping->sum * 31 + on_stack[i];
}

static struct fiber *answer(void *argument)
{
    struct ping *ping = argument;
    churn(ping->self, &home, ping);
    return &home;
}

/* What churn computes when nothing disturbs it: it only ever meets this. */
static struct fiber *bounce(void *argument)
{
    struct ping *ping = argument;
    for (size_t i = 0; i < ping->rounds; i++)
        filch__fiber_switch(ping->self, &home);
    return &home;
}

static uint64_t undisturbed(size_t rounds, double scale)
{
    struct ping mirror = {.rounds = rounds};
    mirror.self = new_fiber(bounce, &mirror);
    struct ping ping = {.rounds = rounds, .scale = scale};
    churn(&home, mirror.self, &ping);
    filch__fiber_switch(&home, mirror.self);
    filch__fiber_destroy(mirror.self, &cache);
    return ping.sum;
}

static void test_keeps_state(void **state)
{
    (void)state;
    size_t rounds = scaled(500000);
    struct ping there = {.rounds = rounds, .scale = 3.0};
    struct ping here = {.rounds = rounds, .scale = 7.0};
    there.self = new_fiber(answer, &there);
    churn(&home, there.self, &here);
    filch__fiber_switch(&home, there.self);
    assert_true(there.self->ended);
    filch__fiber_destroy(there.self, &cache);
    assert_int_equal(here.sum, undisturbed(rounds, 7.0));
    assert_int_equal(there.sum, undisturbed(rounds, 3.0));
}

/* ---- Many fibers ----------------------------------------------------------------------------- */

struct ring {
    struct fiber *self;
    struct ring *next;
    size_t laps;
    size_t count;
};

static struct fiber *run_laps(void *argument)
{
    struct ring *ring = argument;
    char mark[100];
    for (size_t i = 0; i < ring->laps; i++) {
        memset(mark, (int)i, sizeof mark);
        filch__fiber_switch(ring->self, ring->next->self);
        ring->count += mark[99] == (char)i;
    }
    /* The last of the ring goes home; the others hand over to those that are still to end. */
    return ring->next->self->ended ? &home : ring->next->self;
}

static void test_ring(void **state)
{
    (void)state;
    enum { COUNT = 500 };
    static struct ring ring[COUNT];
    memset(ring, 0, sizeof ring);
    for (size_t i = 0; i < COUNT; i++)
        ring[i] = (struct ring){.next = &ring[(i + 1) % COUNT], .laps = scaled(2000)};
    for (size_t i = 0; i < COUNT; i++)
        ring[i].self = new_fiber(run_laps, &ring[i]);
    filch__fiber_switch(&home, ring[0].self);
    for (size_t i = 0; i < COUNT; i++) {
        assert_true(ring[i].self->ended);
        assert_int_equal(ring[i].count, ring[i].laps);
        filch__fiber_destroy(ring[i].self, &cache);
    }
}

/* ---- Fibers that make fibers ----------------------------------------------------------------- */

struct nest {
    struct fiber *self;
    struct fiber *maker;
    int depth;
    int sum;
};

static struct fiber *nest_down(void *argument)
{
    struct nest *nest = argument;
    nest->sum = nest->depth;
    if (nest->depth > 0) {
        struct nest inner = {.maker = nest->self, .depth = nest->depth - 1};
        if (filch__fiber_create(&inner.self, sizeof(struct fiber), &cache, nest_down, &inner) != 0)
            return nest->maker;
        filch__fiber_switch(nest->self, inner.self);
        filch__fiber_destroy(inner.self, &cache);
        nest->sum += inner.sum;
    }
    return nest->maker;
}

static void test_nested(void **state)
{
    (void)state;
    struct nest outer = {.maker = &home, .depth = 200};
    outer.self = new_fiber(nest_down, &outer);
    filch__fiber_switch(&home, outer.self);
    filch__fiber_destroy(outer.self, &cache);
    assert_int_equal(outer.sum, 200 * 201 / 2);
}

/* ---- Dropped in the middle ------------------------------------------------------------------- */

struct drop {
    struct fiber *self;
    int depth;
};

/* Stops with frames of many shapes on the stack, so that a sanitizer has marks all over it. */
__attribute__((noinline)) static int stop_deep(struct drop *drop, int depth)
{
    /* Of a size that the compiler does not know: on the real stack in any case. */
    volatile char *block = __builtin_alloca((size_t)(48 + depth % 2));
    volatile int numbers[7];
    block[depth % 48] = (char)depth;
    numbers[depth % 7] = depth;
    if (depth == 0)
        filch__fiber_switch(drop->self, &home);
    else
        return stop_deep(drop, depth - 1) + block[depth % 48] + numbers[depth % 7];
    return 0;
}

static struct fiber *start_deep(void *argument)
{
    struct drop *drop = argument;
    (void)stop_deep(drop, drop->depth);
    return &home;
}

/* Writes over all that the dropped one has left. */
static struct fiber *scribble(void *argument)
{
    int *runs = argument;
    size_t area_bytes = 262144 + (size_t)*runs; /* the same trick */
    char *area = __builtin_alloca(area_bytes);
    memset(area, *runs, area_bytes);
    *runs += area[area_bytes / 2] + 1;
    return &home;
}

static void test_dropped(void **state)
{
    (void)state;
    for (int i = 0; i < 200; i++) {
        struct drop drop = {.depth = i};
        drop.self = new_fiber(start_deep, &drop);
        filch__fiber_switch(&home, drop.self);
        assert_false(drop.self->ended);
        filch__fiber_destroy(drop.self, &cache);
        int runs = 0;
        struct fiber *next = new_fiber(scribble, &runs);
        assert_ptr_equal(next, drop.self); /* the same stack, that is */
        filch__fiber_switch(&home, next);
        filch__fiber_destroy(next, &cache);
        assert_int_equal(runs, 1);
    }
}

/* ---- What tools are told --------------------------------------------------------------------- */

static size_t address_space_bytes(void)
{
    char text[64] = {0};
    FILE *statm = fopen("/proc/self/statm", "r");
    if (statm != NULL) {
        if (fgets(text, sizeof text, statm) == NULL)
            text[0] = '\0';
        (void)fclose(statm);
    }
    return strtoul(text, NULL, 10) * filch__page_size_bytes();
}

static void *tsan_fiber_seen;

static struct fiber *look_at_tools(void *argument)
{
    volatile char frame[100];
    frame[99] = (char)(uintptr_t)argument;
    tsan_fiber_seen = filch__tsan_current();
    return frame[99] == 1 ? &home : NULL;
}

/* A sanitizer's own record of a fiber goes with it: of 300 ended ones AddressSanitizer would keep
 * several gigabytes of address space, and ThreadSanitizer cannot count beyond 8,000. */
static void test_tools_forget(void **state)
{
    (void)state;
    int count = FILCH_TSAN ? 10 * 1000 : 300;
    size_t before_bytes = 0;
    for (int i = 0; i < count; i++) {
        struct fiber *fiber = new_fiber(look_at_tools, (void *)1);
        filch__fiber_switch(&home, fiber);
        if (FILCH_TSAN) {
            assert_ptr_equal(tsan_fiber_seen, fiber->annotation.tsan_fiber);
            assert_ptr_equal(filch__tsan_current(), home.annotation.tsan_fiber);
        }
        filch__fiber_destroy(fiber, &cache);
        if (i == 10)
            before_bytes = address_space_bytes();
    }
    assert_true(address_space_bytes() - before_bytes < (size_t)512 << 20 || FILCH_TSAN);
}

/* ---- Overflow -------------------------------------------------------------------------------- */

__attribute__((noinline)) static int recurse_for_ever(volatile int *depth)
{
    volatile char frame[512];
    frame[0] = (char)++*depth;
    return *depth < 0 ? 0 : recurse_for_ever(depth) + frame[0];
}

static struct fiber *overflow(void *argument)
{
    *(int *)argument = recurse_for_ever(argument);
    return &home;
}

static void run_overflow(void *argument)
{
    filch__fiber_switch(&home, argument);
}

static void test_overflow_is_caught(void **state)
{
    (void)state;
    int depth = 0;
    struct fiber *fiber = new_fiber(overflow, &depth);
    assert_true(died_of_segv(status_of_child(run_overflow, fiber)));
    filch__fiber_destroy(fiber, &cache);
}

/* A local array as large as the guard, written at its low end first, does not jump over it. */
static struct fiber *large_step(void *argument)
{
    (void)argument;
    volatile char deep[FILCH_STACK_SIZE_DEFAULT_BYTES + 60 * 1024];
    deep[0] = 1;
    __asm__ volatile("" : : "r"(deep) : "memory"); /* or a compiler keeps only the first byte */
    return deep[0] == 1 ? &home : NULL;
}

static void test_large_step_is_caught(void **state)
{
    (void)state;
    struct fiber *fiber = new_fiber(large_step, NULL);
    assert_true(died_of_segv(status_of_child(run_overflow, fiber)));
    filch__fiber_destroy(fiber, &cache);
}

static struct fiber *use_much(void *argument)
{
    volatile char block[200 * 1024];
    block[0] = 1;
    __asm__ volatile("" : : "r"(block) : "memory");
    *(int *)argument = block[0] == 1;
    return &home;
}

static void test_used_max(void **state)
{
    (void)state;
    int done = 0;
    struct fiber *fiber = new_fiber(use_much, &done);
    struct stack *stack = fiber->stack;
    size_t before_bytes = filch__stack_used_max_bytes(stack);
    assert_in_range(before_bytes, sizeof(struct fiber), 8192);
    filch__fiber_switch(&home, fiber);
    assert_int_equal(done, 1);
    if (!FILCH_ASAN) /* which may have put the block elsewhere */
        assert_in_range(filch__stack_used_max_bytes(stack), 200 * 1024, 216 * 1024);
    filch__fiber_destroy(fiber, &cache);
}

/* ---- What a waiting task keeps --------------------------------------------------------------- */

static double third(void)
{
    volatile double one = 1.0, three = 3.0;
    return one / three;
}

struct modes {
    struct fiber *self;
    double before;
    double after;
    int error_number;
    bool keep;
};

/* A task that rounds upwards and has an errno, and waits. */
static struct fiber *wait_with_modes(void *argument)
{
    struct modes *modes = argument;
    errno = EILSEQ;
    (void)fesetround(FE_UPWARD);
    modes->before = third();
    struct ambient mine;
    filch__ambient_save(&mine, &errno);
    filch__fiber_switch(modes->self, &home);
    filch__ambient_restore(&mine, &errno);
    modes->after = third();
    modes->error_number = errno;
    (void)fesetround(FE_TONEAREST);
    return &home;
}

static void test_ambient(void **state)
{
    (void)state;
    double nearest = third();
    struct ambient mine;
    filch__ambient_save(&mine, &errno);
    struct modes modes = {.error_number = 0};
    modes.self = new_fiber(wait_with_modes, &modes);
    errno = EDOM;
    mine.error_number = errno;
    filch__fiber_switch(&home, modes.self);
    filch__ambient_restore(&mine, &errno);
    assert_int_equal(errno, EDOM);
    assert_true(third() == nearest);
    assert_int_equal(fegetround(), FE_TONEAREST);
    (void)fesetround(FE_DOWNWARD);
    errno = ENOSPC;
    filch__fiber_switch(&home, modes.self);
    (void)fesetround(FE_TONEAREST);
    filch__fiber_destroy(modes.self, &cache);
    assert_int_equal(modes.error_number, EILSEQ);
    assert_true(modes.before > nearest || RUNNING_ON_VALGRIND); /* which rounds its own way */
    assert_true(modes.before == modes.after);
}

/* ---- No stack to be had ---------------------------------------------------------------------- */

static long calls_left;
static struct os_table short_table;

static bool call_fails(void)
{
    return calls_left-- <= 0;
}

static void *short_map(size_t size_bytes)
{
    return call_fails() ? NULL : filch__os_linux.map(size_bytes);
}

static int short_advise(void *pages, size_t size_bytes, int advice)
{
    return call_fails() ? ENOMEM : filch__os_linux.advise(pages, size_bytes, advice);
}

static int short_advise_batch(const struct iovec *ranges, size_t count, int advice)
{
    return call_fails() ? ENOSYS : filch__os_linux.advise_batch(ranges, count, advice);
}

static int short_protect(void *pages, size_t size_bytes, int protection)
{
    return call_fails() ? ENOMEM : filch__os_linux.protect(pages, size_bytes, protection);
}

enum { WANTED_FIBERS = 40 };

/* Creates as many fibers as it can, runs and destroys them; returns how many. */
static int run_as_many_as_there_are(void)
{
    struct fiber *fibers[WANTED_FIBERS];
    int runs = 0;
    int got = 0;
    int error = 0;
    while (got < WANTED_FIBERS && error == 0) {
        struct fiber *fiber = NULL;
        error = filch__fiber_create(&fiber, sizeof(struct fiber), &cache, note_argument, &runs);
        assert_int_equal(error, fiber == NULL ? ENOMEM : 0);
        if (fiber != NULL)
            fibers[got++] = fiber;
    }
    for (int i = 0; i < got; i++) {
        filch__fiber_switch(&home, fibers[i]);
        filch__fiber_destroy(fibers[i], &cache);
    }
    assert_int_equal(runs, got);
    return got;
}

/* From the k-th call on the system gives nothing: then there is no fiber, and nothing is lost. */
static void test_no_stack(void **state)
{
    (void)state;
    short_table = filch__os_linux;
    short_table.map = short_map;
    short_table.advise = short_advise;
    short_table.advise_batch = short_advise_batch;
    short_table.protect = short_protect;
    filch__os_replace(&short_table);
    int got = 0;
    for (long k = 0; got < WANTED_FIBERS && k < 1000; k++) {
        calls_left = k;
        got = run_as_many_as_there_are();
        filch__stack_cache_drain(&cache);
        trim_all();
        assert_int_equal(filch__stack_store_counts(&store).slabs, 0);
    }
    assert_int_equal(got, WANTED_FIBERS);
}

/* ---- Threads --------------------------------------------------------------------------------- */

struct worker {
    struct stack_cache cache;
    struct fiber own;
    struct fiber *fiber;
    size_t rounds;
    size_t runs;
    bool failed;
};

static struct fiber *work(void *argument)
{
    struct worker *worker = argument;
    volatile char frame[3000];
    frame[0] = 1;
    filch__fiber_switch(worker->fiber, &worker->own);
    worker->runs += (size_t)frame[0];
    return &worker->own;
}

/* Each thread has fibers of its own; the stacks travel through the store. */
static void *work_thread(void *argument)
{
    struct worker *worker = argument;
    filch__stack_cache_init(&worker->cache, &store);
    filch__fiber_adopt_thread(&worker->own);
    for (size_t i = 0; i < worker->rounds && !worker->failed; i++) {
        struct fiber *others[8];
        for (size_t k = 0; k < 8; k++) {
            worker->failed |= filch__fiber_create(&others[k], sizeof(struct fiber), &worker->cache,
                                                  work, worker) != 0;
            if (worker->failed)
                return NULL;
            worker->fiber = others[k];
            filch__fiber_switch(&worker->own, others[k]);
        }
        for (size_t k = 0; k < 8; k++) {
            worker->fiber = others[k];
            filch__fiber_switch(&worker->own, others[k]);
            filch__fiber_destroy(others[k], &worker->cache);
        }
        if (i % 16 == 0)
            filch__stack_cache_drain(&worker->cache);
    }
    filch__stack_cache_drain(&worker->cache);
    return NULL;
}

static void test_threads(void **state)
{
    (void)state;
    enum { COUNT = 4 };
    pthread_t threads[COUNT];
    static struct worker workers[COUNT];
    memset(workers, 0, sizeof workers);
    for (int i = 0; i < COUNT; i++) {
        workers[i].rounds = scaled(5000);
        assert_int_equal(pthread_create(&threads[i], NULL, work_thread, &workers[i]), 0);
    }
    for (int i = 0; i < COUNT; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    for (int i = 0; i < COUNT; i++) {
        assert_false(workers[i].failed);
        assert_int_equal(workers[i].runs, workers[i].rounds * 8);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_runs_once, setup, teardown),
        cmocka_unit_test_setup_teardown(test_never_started, setup, teardown),
        cmocka_unit_test_setup_teardown(test_reuse, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_next_aborts, setup, teardown),
        cmocka_unit_test_setup_teardown(test_ended_aborts, setup, teardown),
        cmocka_unit_test_setup_teardown(test_keeps_state, setup, teardown),
        cmocka_unit_test_setup_teardown(test_ring, setup, teardown),
        cmocka_unit_test_setup_teardown(test_nested, setup, teardown),
        cmocka_unit_test_setup_teardown(test_dropped, setup, teardown),
        cmocka_unit_test_setup_teardown(test_tools_forget, setup, teardown),
        cmocka_unit_test_setup_teardown(test_overflow_is_caught, setup, teardown),
        cmocka_unit_test_setup_teardown(test_large_step_is_caught, setup, teardown),
        cmocka_unit_test_setup_teardown(test_used_max, setup, teardown),
        cmocka_unit_test_setup_teardown(test_ambient, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_stack, setup, teardown),
        cmocka_unit_test_setup_teardown(test_threads, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
