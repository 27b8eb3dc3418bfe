/* SPDX-License-Identifier: Apache-2.0 */
/* Stacks: sizes, guards of all three kinds, caches, trimming, limits, and every fault on the
 * way. */
#include "fiber/stack.h"
#include "fiber_support.h"
#include "os/os.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include <cmocka.h>

enum { ADVICE_POPULATE_WRITE = 23, ADVICE_GUARD_INSTALL = 102 };

/* ---- A system that counts, refuses and lies -------------------------------------------------- */

struct fake_os {
    long calls;          /* to map, advise, advise_batch and protect */
    long fail_at;        /* the number of the call that fails; 0: none */
    bool fail_after;     /* and all later ones fail too */
    bool no_light;       /* a kernel before 6.13: refuses the light guard */
    bool false_light;    /* an emulator: says yes to the light guard and does nothing */
    bool locked;         /* refuses the light guard after the first one in each mapping */
    bool no_batch;       /* a kernel before 6.14 */
    bool no_unmap;       /* refuses, as where a mapping would have to be split and none is left */
    long mapped_bytes;   /* what is not unmapped */
    long faults;         /* calls that failed by order */
    long populated;      /* stacks whose first pages were asked for */
    long dropped_by_one; /* stacks whose pages were dropped each by a call of its own */
    long drops;          /* calls that dropped those of several */
};

static struct fake_os fake;

static bool fake_fails(void)
{
    fake.calls++;
    bool fails = fake.fail_at != 0 &&
                 (fake.calls == fake.fail_at || (fake.fail_after && fake.calls > fake.fail_at));
    fake.faults += fails;
    return fails;
}

static void *fake_map(size_t size_bytes)
{
    void *pages = fake_fails() ? NULL : filch__os_linux.map(size_bytes);
    if (pages != NULL)
        fake.mapped_bytes += (long)size_bytes;
    return pages;
}

static int fake_unmap(void *pages, size_t size_bytes)
{
    if (fake.no_unmap)
        return ENOMEM;
    fake.mapped_bytes -= (long)size_bytes;
    return filch__os_linux.unmap(pages, size_bytes);
}

static int fake_advise(void *pages, size_t size_bytes, int advice)
{
    if (fake_fails())
        return advice == MADV_DONTNEED ? EAGAIN : EINVAL;
    fake.dropped_by_one += advice == MADV_DONTNEED;
    if (advice == ADVICE_GUARD_INSTALL && fake.false_light)
        return 0;
    if (advice == ADVICE_GUARD_INSTALL && fake.no_light)
        return EINVAL;
    bool first = advice == ADVICE_GUARD_INSTALL && fake.calls <= 3; /* map, no huge pages, probe */
    if (advice == ADVICE_GUARD_INSTALL && fake.locked && !first)
        return EINVAL;
    return filch__os_linux.advise(pages, size_bytes, advice);
}

static int fake_advise_batch(const struct iovec *ranges, size_t count, int advice)
{
    if (fake_fails() || fake.no_batch || fake.no_light || fake.locked)
        return EINVAL;
    if (advice == ADVICE_POPULATE_WRITE)
        fake.populated += (long)count;
    int error = filch__os_linux.advise_batch(ranges, count, advice);
    fake.drops += advice == MADV_DONTNEED && error == 0;
    return error;
}

static int fake_protect(void *pages, size_t size_bytes, int protection)
{
    return fake_fails() ? ENOMEM : filch__os_linux.protect(pages, size_bytes, protection);
}

static struct os_table fake_table;

static void use_fake_os(struct fake_os behaviour)
{
    fake = behaviour;
    fake_table = filch__os_linux;
    fake_table.map = fake_map;
    fake_table.unmap = fake_unmap;
    fake_table.advise = fake_advise;
    fake_table.advise_batch = fake_advise_batch;
    fake_table.protect = fake_protect;
    filch__os_replace(&fake_table);
}

static int use_real_os(void **state)
{
    (void)state;
    filch__os_replace(NULL);
    return 0;
}

/* ---- One store and one cache ----------------------------------------------------------------- */

static struct stack_store store;
static struct stack_cache cache;

static void trim_all(void)
{
    while (filch__stack_store_trim(&store)) {
    }
}

static void open_store(size_t size_bytes)
{
    assert_int_equal(filch__stack_store_init(&store, size_bytes), 0);
    filch__stack_cache_init(&cache, &store);
}

static void close_store(void)
{
    filch__stack_cache_drain(&cache);
    filch__stack_store_destroy(&store);
}

static struct stack *get_stack(void)
{
    struct stack *stack = NULL;
    assert_int_equal(filch__stack_get(&cache, &stack), 0);
    assert_non_null(stack);
    return stack;
}

static void poke(void *byte)
{
    *(volatile char *)byte = 1;
}

static bool is_deadly(void *byte)
{
    return died_of_segv(status_of_child(poke, byte));
}

/* Below the stack is a guard of at least a page, and above it nothing of anybody else's. */
static void assert_guarded(const struct stack *stack)
{
    assert_true(is_deadly(stack->low - 1));
    assert_true(is_deadly(stack->low - filch__page_size_bytes()));
    assert_false(is_deadly(stack->low));
    assert_false(is_deadly(stack->top - 1));
}

/* ---- Tests ----------------------------------------------------------------------------------- */

static void test_bad_sizes(void **state)
{
    (void)state;
    const size_t bad[] = {1, 4096, FILCH_STACK_SIZE_MIN_BYTES - 1, SIZE_MAX, SIZE_MAX / 2};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(filch__stack_store_init(&store, bad[i]), EINVAL);
    /* The largest one that is accepted can be asked for, only not had. */
    open_store(SIZE_MAX / 4);
    struct stack *stack = NULL;
    assert_int_equal(filch__stack_get(&cache, &stack), ENOMEM);
    assert_null(stack);
    close_store();
}

static void test_sizes(void **state)
{
    (void)state;
    const size_t sizes[] = {0, FILCH_STACK_SIZE_MIN_BYTES, 65536, 100000, 8 << 20};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        size_t wanted_bytes = sizes[i] == 0 ? FILCH_STACK_SIZE_DEFAULT_BYTES : sizes[i];
        open_store(sizes[i]);
        struct stack *stack = get_stack();
        assert_true((size_t)(stack->top - stack->low) >= wanted_bytes);
        assert_int_equal((uintptr_t)stack->low % filch__page_size_bytes(), 0);
        assert_int_equal((uintptr_t)stack->top % 64, 0);
        memset(stack->low, 0x5a, (size_t)(stack->top - stack->low));
        filch__stack_put(&cache, stack);
        close_store();
    }
}

/* Tops of neighbours neither share a place within the page nor a set of the translation cache. */
static void test_colours(void **state)
{
    (void)state;
    open_store(0);
    struct stack *stacks[16];
    bool line_seen[64] = {false};
    for (size_t i = 0; i < 16; i++) {
        stacks[i] = get_stack();
        size_t page_bytes = filch__page_size_bytes();
        size_t line = (uintptr_t)(stacks[i]->top - 1) % page_bytes / 64 % 64;
        assert_false(line_seen[line]);
        line_seen[line] = true;
        assert_true((uintptr_t)(stacks[i]->top - 1) % page_bytes >= page_bytes - 2048);
        if (i > 0)
            assert_true(labs(stacks[i]->low - stacks[i - 1]->low) / (long)page_bytes % 2 == 1);
    }
    for (size_t i = 0; i < 16; i++)
        filch__stack_put(&cache, stacks[i]);
    close_store();
}

static void test_last_put_comes_first(void **state)
{
    (void)state;
    open_store(65536);
    struct stack *first = get_stack();
    struct stack *second = get_stack();
    assert_ptr_not_equal(first, second);
    filch__stack_put(&cache, first);
    filch__stack_put(&cache, second);
    assert_ptr_equal(get_stack(), second);
    assert_ptr_equal(get_stack(), first);
    filch__stack_put(&cache, first);
    filch__stack_put(&cache, second);
    close_store();
}

static void test_guards(void **state)
{
    (void)state;
    open_store(0);
    struct stack *stacks[3];
    for (int i = 0; i < 3; i++)
        stacks[i] = get_stack();
    for (int i = 0; i < 3; i++)
        assert_guarded(stacks[i]);
    /* The guard is as wide as promised: 64 KiB below a stack of 1 MiB. */
    assert_true(is_deadly(stacks[1]->low - 65536));
    for (int i = 0; i < 3; i++)
        filch__stack_put(&cache, stacks[i]);
    close_store();
}

/* Kernels that know no light guard, refuse it at times, or only pretend; each must end in a guard
 * that holds. */
static void test_guards_on_other_kernels(void **state)
{
    (void)state;
    const struct fake_os kernels[] = {
        {.no_light = true},
        {.false_light = true},
        {.locked = true},
        {.no_batch = true},
    };
    for (size_t k = 0; k < sizeof kernels / sizeof kernels[0]; k++) {
        use_fake_os(kernels[k]);
        open_store(65536);
        struct stack *stacks[4];
        for (int i = 0; i < 4; i++)
            stacks[i] = get_stack();
        for (int i = 0; i < 4; i++)
            assert_guarded(stacks[i]);
        if (!kernels[k].no_batch)
            assert_int_equal(stacks[3]->guard, STACK_GUARD_PROTECTED);
        for (int i = 0; i < 4; i++)
            filch__stack_put(&cache, stacks[i]);
        close_store();
        assert_int_equal(fake.mapped_bytes, 0);
    }
}

/* Pages are made ahead only where many stacks are in use, and then of a cache's worth at most. */
static void test_pages_ahead(void **state)
{
    (void)state;
    enum { FEW = 900, MANY = 1500 };
    static struct stack *stacks[MANY];
    use_fake_os((struct fake_os){.calls = 0});
    open_store(65536);
    for (int i = 0; i < FEW; i++)
        stacks[i] = get_stack();
    assert_int_equal(fake.populated, 0);
    for (int i = FEW; i < MANY; i++)
        stacks[i] = get_stack();
    bool is_light = stacks[MANY - 1]->guard == STACK_GUARD_LIGHT; /* else there are no batches */
    assert_true(fake.populated <= MANY - FEW + FILCH_STACK_CACHE_MAX);
    assert_true(!is_light || fake.populated > (MANY - FEW) / 2);
    for (int i = 0; i < MANY; i++)
        filch__stack_put(&cache, stacks[i]);
    close_store();
}

static void test_cache_gives_back(void **state)
{
    (void)state;
    enum { COUNT = 200 };
    open_store(65536);
    struct stack *stacks[COUNT];
    for (int i = 0; i < COUNT; i++)
        stacks[i] = get_stack();
    struct stack_counts counts = filch__stack_store_counts(&store);
    assert_true(counts.out >= COUNT && counts.out < COUNT + FILCH_STACK_CACHE_MAX);
    assert_int_equal(counts.warm, 0);
    for (int i = 0; i < COUNT; i++)
        filch__stack_put(&cache, stacks[i]);
    counts = filch__stack_store_counts(&store);
    assert_true(counts.out <= FILCH_STACK_CACHE_MAX);
    /* Nothing new is carved while the store has some. */
    for (int i = 0; i < COUNT; i++)
        stacks[i] = get_stack();
    assert_int_equal(filch__stack_store_counts(&store).carved, counts.carved);
    for (int i = 0; i < COUNT; i++)
        filch__stack_put(&cache, stacks[i]);
    filch__stack_cache_drain(&cache);
    assert_int_equal(filch__stack_store_counts(&store).out, 0);
    close_store();
}

static void test_trim(void **state)
{
    (void)state;
    enum { COUNT = 300 };
    use_fake_os((struct fake_os){0});
    open_store(65536);
    struct stack *stacks[COUNT];
    for (int i = 0; i < COUNT; i++) {
        stacks[i] = get_stack();
        memset(stacks[i]->low, 1, (size_t)(stacks[i]->top - stacks[i]->low));
    }
    /* One stays out of each slab but the last ones: their neighbours' pages go, the slabs stay. */
    struct stack *kept = stacks[0];
    for (int i = 1; i < COUNT; i++)
        filch__stack_put(&cache, stacks[i]);
    filch__stack_cache_drain(&cache);
    size_t slabs_before = filch__stack_store_counts(&store).slabs;
    trim_all();
    struct stack_counts counts = filch__stack_store_counts(&store);
    assert_int_equal(counts.out, 1);
    assert_int_equal(counts.warm, 0);
    assert_int_equal(counts.slabs, 1);
    assert_true(slabs_before > 1);
    /* What is left can be got again, is empty and is still guarded. */
    struct stack *again = get_stack();
    assert_int_equal(filch__stack_used_max_bytes(again), 0);
    assert_int_equal(*(volatile char *)again->low, 0);
    assert_guarded(again);
    filch__stack_put(&cache, again);
    filch__stack_put(&cache, kept);
    filch__stack_cache_drain(&cache);
    trim_all();
    assert_int_equal(filch__stack_store_counts(&store).slabs, 0);
    assert_int_equal(fake.mapped_bytes, 0);
    close_store();
}

/* A trim reaches each of many slabs, whichever stacks are out, and the next one finds nothing. */
static void test_trim_reaches_all(void **state)
{
    (void)state;
    enum { COUNT = 4000 };
    open_store(32768);
    struct stack **stacks = calloc(COUNT, sizeof(struct stack *));
    assert_non_null(stacks);
    for (int i = 0; i < COUNT; i++)
        stacks[i] = get_stack();
    for (int i = 0; i < COUNT; i++) {
        if (i % 10 != 0)
            filch__stack_put(&cache, stacks[i]);
    }
    filch__stack_cache_drain(&cache);
    assert_true(filch__stack_store_counts(&store).slabs > 5);
    trim_all();
    assert_int_equal(filch__stack_store_counts(&store).warm, 0);
    assert_int_equal(filch__stack_store_counts(&store).out, COUNT / 10);
    for (int i = 0; i < COUNT; i += 10)
        filch__stack_put(&cache, stacks[i]);
    free(stacks);
    close_store();
}

/* What a trim takes from a slab that stays is gone, by few calls where the kernel knows them and by many
 * where it does not; what is out is left alone. */
static void trim_next_to_one(bool no_batch)
{
    enum { COUNT = 1000, KEPT = 600 };
    use_fake_os((struct fake_os){.no_batch = no_batch});
    open_store(32768);
    static struct stack *stacks[COUNT];
    for (int i = 0; i < COUNT; i++) {
        stacks[i] = get_stack();
        stacks[i]->top[-1] = 1;
        stacks[i]->low[0] = 1;
    }
    size_t left = 0;
    for (int i = 0; i < COUNT; i++)
        left += i != KEPT && stacks[i]->slab == stacks[KEPT]->slab;
    assert_true(left > 200);
    for (int i = 0; i < COUNT; i++) {
        if (i != KEPT)
            filch__stack_put(&cache, stacks[i]);
    }
    filch__stack_cache_drain(&cache);
    trim_all();
    assert_int_equal(stacks[KEPT]->top[-1], 1);
    assert_int_equal(stacks[KEPT]->low[0], 1);
    if (fake.drops > 0)
        assert_true(fake.drops < (long)left / 30 && fake.dropped_by_one <= 1);
    else
        assert_int_equal(fake.dropped_by_one, left);
    assert_true(!no_batch || fake.drops == 0);
    for (size_t i = 0; i < left; i++) {
        stacks[i] = get_stack();
        assert_int_equal(filch__stack_used_max_bytes(stacks[i]), 0);
        assert_guarded(stacks[i]);
    }
    for (size_t i = 0; i < left; i++)
        filch__stack_put(&cache, stacks[i]);
    filch__stack_put(&cache, stacks[KEPT]);
    close_store();
}

static void test_trim_in_batches(void **state)
{
    (void)state;
    trim_next_to_one(false);
    trim_next_to_one(true);
}

static void test_used_max(void **state)
{
    (void)state;
    open_store(0);
    struct stack *stack = get_stack();
    assert_int_equal(filch__stack_used_max_bytes(stack), 0);
    const size_t depths[] = {8, 64, 4000, 5000, 100000, FILCH_STACK_SIZE_DEFAULT_BYTES};
    for (size_t i = 0; i < sizeof depths / sizeof depths[0]; i++) {
        stack->top[-(ptrdiff_t)depths[i]] = 1;
        assert_int_equal(filch__stack_used_max_bytes(stack), (depths[i] + 7) / 8 * 8);
    }
    filch__stack_put(&cache, stack);
    close_store();
}

/* The mappings of the process that overlap the addresses. Others may come and go meanwhile, and become one with
 * their neighbours, so that a difference of all says nothing. */
static size_t mappings_between(const char *low, const char *high)
{
    size_t count = 0;
    char line[512];
    FILE *maps = fopen("/proc/self/maps", "r");
    assert_non_null(maps);
    while (fgets(line, sizeof line, maps) != NULL) {
        char *end = NULL;
        uintptr_t from = (uintptr_t)strtoull(line, &end, 16);
        if (*end != '-')
            continue; /* the rest of a long name */
        uintptr_t to = (uintptr_t)strtoull(end + 1, NULL, 16);
        count += from < (uintptr_t)high && to > (uintptr_t)low;
    }
    (void)fclose(maps);
    return count;
}

/* As many stacks as a default vm.max_map_count could never guard one by one. */
static void test_100000_stacks(void **state)
{
    (void)state;
    size_t count = scaled(100000);
    open_store(0);
    struct stack *first = get_stack();
    if (first->guard != STACK_GUARD_LIGHT && count > 20000) {
        filch__stack_put(&cache, first);
        close_store();
        skip();
    }
    bool light = first->guard == STACK_GUARD_LIGHT;
    struct stack **stacks = calloc(count, sizeof(struct stack *));
    assert_non_null(stacks);
    for (size_t i = 0; i < count; i++) {
        stacks[i] = get_stack();
        ((volatile char *)stacks[i]->top)[-1] = (char)i;
    }
    size_t heavy = 0;
    const char *low = first->low, *high = first->top;
    for (size_t i = 0; i < count; i++) {
        heavy += stacks[i]->guard != STACK_GUARD_LIGHT;
        low = stacks[i]->low < low ? stacks[i]->low : low;
        high = stacks[i]->top > high ? stacks[i]->top : high;
    }
    if (light)
        assert_int_equal(heavy, 0);
    /* Valgrind makes mappings of its own, and its report on a dead child reads the whole
     * gigabyte. A slab is a mapping; one for each guard would be 200,000. */
    if (light && !RUNNING_ON_VALGRIND)
        assert_in_range(mappings_between(low, high), 1, 300);
    if (!RUNNING_ON_VALGRIND)
        assert_true(is_deadly(stacks[count / 2]->low - 1));
    size_t wrong = 0;
    for (size_t i = 0; i < count; i++) {
        wrong += stacks[i]->top[-1] != (char)i;
        filch__stack_put(&cache, stacks[i]);
    }
    assert_int_equal(wrong, 0);
    filch__stack_put(&cache, first);
    free(stacks);
    close_store();
}

/* With little address space left, small slabs take the place of large ones, and then it is
 * ENOMEM. */
static void exhaust_address_space(void *argument)
{
    (void)argument;
    struct rlimit limit = {256u << 20, 256u << 20};
    if (setrlimit(RLIMIT_AS, &limit) != 0)
        return;
    if (filch__os_linux.map(limit.rlim_max) != NULL)
        return; /* an emulator that takes no notice */
    struct stack *stack;
    size_t got = 0;
    int error = filch__stack_store_init(&store, 1 << 20);
    filch__stack_cache_init(&cache, &store);
    while (error == 0 && got < 1000) {
        error = filch__stack_get(&cache, &stack);
        got += error == 0;
    }
    /* About 230 stacks fit; the slabs would be of 16, 32, 64 and 128. */
    _exit(error == ENOMEM && got > 180 && got < 256 ? 42 : 1);
}

static void test_little_address_space(void **state)
{
    (void)state;
    if (UNDER_SANITIZER || RUNNING_ON_VALGRIND)
        skip(); /* they need terabytes of it themselves */
    int status = status_of_child(exhaust_address_space, NULL);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == 0)
        skip();
    assert_int_equal(WEXITSTATUS(status), 42);
}

/* ---- Faults ---------------------------------------------------------------------------------- */

/* Gets 40 stacks as far as they are to be had, uses and returns them; the number that was got. */
static int scenario(void)
{
    enum { COUNT = 40 };
    struct stack *stacks[COUNT];
    int got = 0;
    open_store(65536);
    for (int i = 0; i < COUNT; i++) {
        struct stack *stack = NULL;
        int error = filch__stack_get(&cache, &stack);
        if (error == 0) {
            stacks[got++] = stack;
            memset(stack->top - 4096, 1, 4096);
        } else {
            assert_int_equal(error, ENOMEM);
            assert_null(stack);
        }
    }
    for (int i = 0; i < got; i++) {
        assert_int_not_equal(stacks[i]->guard, STACK_GUARD_NONE);
        filch__stack_put(&cache, stacks[i]);
    }
    trim_all();
    filch__stack_cache_drain(&cache);
    trim_all();
    close_store();
    return got;
}

/* Each call in turn fails, alone and with all that follow, on kernels with and without the light
 * guard. */
static void sweep(struct fake_os kernel, bool fail_after)
{
    long faults = 1;
    for (long k = 1; faults > 0; k++) {
        kernel.fail_at = k;
        kernel.fail_after = fail_after;
        use_fake_os(kernel);
        int got = scenario();
        assert_int_equal(fake.mapped_bytes, 0);
        faults = fake.faults;
        if (fail_after && k == 1)
            assert_int_equal(got, 0);
        if (faults == 0)
            assert_int_equal(got, 40);
        assert_true(k < 10000);
    }
}

static void test_faults(void **state)
{
    (void)state;
    const struct fake_os kernels[] = {{0}, {.no_light = true}, {.no_batch = true}};
    for (size_t i = 0; i < sizeof kernels / sizeof kernels[0]; i++) {
        sweep(kernels[i], false);
        sweep(kernels[i], true);
    }
}

/* At the limit of guards a thread whose cache has only stacks without one finds those that another
 * thread has given back. */
static void test_guards_run_out(void **state)
{
    (void)state;
    use_fake_os((struct fake_os){.no_light = true});
    open_store(65536);
    struct stack *first = get_stack();
    struct stack_cache other;
    filch__stack_cache_init(&other, &store);
    struct stack *second = NULL;
    assert_int_equal(filch__stack_get(&other, &second), 0);
    fake.fail_at = fake.calls + 1;
    fake.fail_after = true;
    struct stack *third = NULL;
    assert_int_equal(filch__stack_get(&other, &third), ENOMEM);
    assert_null(third);
    filch__stack_put(&cache, first);
    filch__stack_cache_drain(&cache);
    assert_int_equal(filch__stack_get(&other, &third), 0);
    assert_ptr_equal(third, first);
    filch__stack_put(&other, second);
    filch__stack_put(&other, third);
    filch__stack_cache_drain(&other);
    close_store();
    assert_int_equal(fake.mapped_bytes, 0);
}

/* What cannot be unmapped at least keeps no memory. */
static void test_unmap_refused(void **state)
{
    (void)state;
    use_fake_os((struct fake_os){.no_unmap = true});
    open_store(65536);
    struct stack *stack = get_stack();
    char *byte = stack->low;
    *byte = 1;
    filch__stack_put(&cache, stack);
    close_store();
    assert_true(fake.mapped_bytes > 0);
    assert_int_equal(*(volatile char *)byte, 0);
}

static void destroy_in_use(void *argument)
{
    (void)argument;
    open_store(65536);
    (void)get_stack();
    close_store();
}

static void test_destroy_in_use_aborts(void **state)
{
    (void)state;
    assert_true(died_of_abort(status_of_child(destroy_in_use, NULL)));
}

/* ---- Threads --------------------------------------------------------------------------------- */

enum { THREADS = 4, HELD_MAX = 100 };

struct stress {
    unsigned seed;
    size_t rounds;
    size_t wrong; /* stacks that somebody else had as well */
    size_t none;  /* ENOMEM */
};

static void mark_ends(struct stack *stack, unsigned mark)
{
    memcpy(stack->low, &mark, sizeof mark);
    memcpy(stack->top - sizeof mark, &mark, sizeof mark);
}

static bool has_marked_ends(const struct stack *stack, unsigned mark)
{
    return memcmp(stack->low, &mark, sizeof mark) == 0 &&
           memcmp(stack->top - sizeof mark, &mark, sizeof mark) == 0;
}

/* Gets and puts at random, each stack marked with its holder at both ends. */
static void *stress_thread(void *argument)
{
    struct stress *stress = argument;
    struct stack_cache mine;
    filch__stack_cache_init(&mine, &store);
    struct stack *held[HELD_MAX];
    size_t count = 0;
    unsigned random = stress->seed;
    for (size_t i = 0; i < stress->rounds || count > 0; i++) {
        random = random * 1664525u + 1013904223u;
        bool take = i < stress->rounds && (random >> 16) % HELD_MAX > count;
        if (take && filch__stack_get(&mine, &held[count]) == 0) {
            mark_ends(held[count++], stress->seed);
        } else if (take) {
            stress->none++;
        } else if (count > 0) {
            count--;
            stress->wrong += !has_marked_ends(held[count], stress->seed);
            filch__stack_put(&mine, held[count]);
        }
        if (random >> 22 == 0)
            trim_all();
    }
    filch__stack_cache_drain(&mine);
    return NULL;
}

static void test_threads(void **state)
{
    (void)state;
    open_store(32768);
    pthread_t threads[THREADS];
    struct stress stress[THREADS];
    for (unsigned i = 0; i < THREADS; i++) {
        stress[i] = (struct stress){.seed = i, .rounds = scaled(200000)};
        assert_int_equal(pthread_create(&threads[i], NULL, stress_thread, &stress[i]), 0);
    }
    for (unsigned i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    for (unsigned i = 0; i < THREADS; i++) {
        assert_int_equal(stress[i].wrong, 0);
        assert_int_equal(stress[i].none, 0);
    }
    assert_int_equal(filch__stack_store_counts(&store).out, 0);
    close_store();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bad_sizes),
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_colours),
        cmocka_unit_test(test_last_put_comes_first),
        cmocka_unit_test(test_guards),
        cmocka_unit_test_teardown(test_guards_on_other_kernels, use_real_os),
        cmocka_unit_test_teardown(test_pages_ahead, use_real_os),
        cmocka_unit_test(test_cache_gives_back),
        cmocka_unit_test_teardown(test_trim, use_real_os),
        cmocka_unit_test(test_trim_reaches_all),
        cmocka_unit_test_teardown(test_trim_in_batches, use_real_os),
        cmocka_unit_test(test_used_max),
        cmocka_unit_test(test_100000_stacks),
        cmocka_unit_test(test_little_address_space),
        cmocka_unit_test_teardown(test_faults, use_real_os),
        cmocka_unit_test_teardown(test_guards_run_out, use_real_os),
        cmocka_unit_test_teardown(test_unmap_refused, use_real_os),
        cmocka_unit_test(test_destroy_in_use_aborts),
        cmocka_unit_test(test_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
