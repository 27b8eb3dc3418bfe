/* SPDX-License-Identifier: Apache-2.0 */
/* What a waiting task costs, and what becomes of its stack; tasks that yield; and what happens where no
 * stack, or no room for forks, is to be had. */
#include "strand.h"
#include "test.h"

#include "fiber/context.h"
#include "fiber/slab.h"
#include "worker.h"

#include <errno.h>
#include <fenv.h>
#include <filch/filch.h>
#include <stdio.h>

static struct filch_pool *pool;

static void in_pool(size_t workers, void (*body)(void *), void *argument)
{
    struct filch_pool_config config = {
        .name = "strand", .workers = workers, .stack_size_bytes = 65536};
    assert_int_equal(filch_pool_create(&pool, &config), 0);
    assert_int_equal(filch_pool_install(pool, body, argument), 0);
    assert_int_equal(filch_pool_destroy(pool), 0);
}

static struct filch_pool_stats stats(void)
{
    struct filch_pool_stats now;
    xt_expect_equal(filch_pool_stats(pool, &now), 0);
    return now;
}

/* --- many that wait --- */

static struct filch_latch gate;
static uint64_t arrived;
static uint64_t gone;

static void wait_at_gate(void *unused)
{
    (void)unused;
    __atomic_fetch_add(&arrived, 1, __ATOMIC_RELAXED);
    xt_expect_equal(filch_latch_wait(&gate), 0);
    __atomic_fetch_add(&gone, 1, __ATOMIC_RELAXED);
}

static void close_gate(void)
{
    gate = (struct filch_latch)FILCH_LATCH_INIT(1);
    arrived = gone = 0;
}

/* Has so many tasks wait at the gate at once. */
static void send_to_gate(struct filch_scope *s, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++)
        xt_expect_equal(filch_scope_spawn(s, wait_at_gate, NULL), 0);
    while (__atomic_load_n(&arrived, __ATOMIC_RELAXED) < count)
        filch_yield();
}

static size_t mappings(void)
{
    FILE *file = fopen("/proc/self/maps", "r");
    assert_non_null(file);
    size_t count = 0;
    for (int c; (c = getc(file)) != EOF;)
        count += c == '\n';
    (void)fclose(file);
    return count;
}

static bool guards_are_light(void)
{
    const struct stack_geometry geometry = {
        .page_bytes = filch__page_size_bytes(),
        .guard_bytes = filch__page_size_bytes(),
        .stride_bytes = 65536,
    };
    struct stack_slab *slab = filch__slab_map(&geometry, 1);
    assert_non_null(slab);
    bool are_light = slab->light_guards;
    filch__slab_unmap(slab);
    return are_light;
}

/* A page; with the C library's switch a second one, since its context is a kilobyte itself. */
enum { MANY = 50000, BYTES_EACH = FILCH_CONTEXT_UCONTEXT ? 8600 : 4500 };

static void many_wait(void *argument)
{
    const bool measures = !XT_ASAN && !XT_TSAN && !xt_is_emulated() && guards_are_light();
    const uint64_t count = xt_scaled(MANY);
    const uint64_t workers = *(uint64_t *)argument;
    const size_t mappings_before = mappings();
    const size_t before_bytes = xt_rss_bytes();
    close_gate();
    FILCH_SCOPE (s) {
        send_to_gate(s, count);
        while (stats().suspensions < count) /* each is set aside; the last one may not be yet */
            filch_sleep_ns(FILCH_MS);
        const size_t there_bytes = xt_rss_bytes();
        xt_expect(stats().stacks_max + workers >= count); /* those of the threads are not counted */
        xt_expect_equal(stats().stackless, 0);
        if (measures) {
            xt_expect(there_bytes - before_bytes < count * BYTES_EACH);
            xt_expect(mappings() - mappings_before < 64 + count / 500 + 8 * workers);
        }
        filch_latch_count_down(&gate);
    }
    xt_expect_equal(gone, count);
    /* Nobody needs it any more: it goes, while the pool has nothing to do. */
    while (measures && xt_rss_bytes() > before_bytes + count * BYTES_EACH / 10)
        filch_sleep_ns(10 * FILCH_MS);
}

xt_define(many_tasks_wait_at_little_cost)
{
    for (uint64_t workers = 1; workers <= 2; workers++)
        in_pool(workers, many_wait, &workers);
}

/* A thread from outside has strands of its own, in the place that it takes. */
xt_define(what_a_guest_needed_goes_when_it_leaves)
{
    const uint64_t count = xt_scaled(20000);
    const size_t before_bytes = xt_rss_bytes();
    close_gate();
    FILCH_SCOPE (s) {
        send_to_gate(s, count);
        filch_latch_count_down(&gate);
    }
    assert_int_equal(gone, count);
    while (!XT_ASAN && !XT_TSAN && !xt_is_emulated() &&
           xt_rss_bytes() > before_bytes + count * BYTES_EACH / 5)
        filch_sleep_ns(10 * FILCH_MS);
}

/* --- what is kept --- */

enum { SPARES = 200, USED = 50, LATER_NS = INT32_MAX };

static void use(uint64_t count)
{
    close_gate();
    FILCH_SCOPE (s) {
        send_to_gate(s, count);
        filch_latch_count_down(&gate);
    }
}

/* Looks whether there is too much, as an idle worker does; it does so itself only much later. */
static void trim(struct worker *w)
{
    w->trim_ns = 0;
    while (filch__strand_trim(w)) {
    }
    if (w->trim_ns != FILCH_FOREVER)
        w->trim_ns += LATER_NS;
}

static void keeps(void *unused)
{
    struct worker *w = filch__worker;
    (void)unused;
    w->trim_ns = xt_now_ns() + LATER_NS;
    use(SPARES);
    xt_expect(w->spare_count >= SPARES);
    size_t spares = w->spare_count;
    trim(w); /* all of them have been in use since the last look, which there was none */
    xt_expect_equal(w->spare_count, spares);
    for (int i = 0; i < 5; i++) {
        use(USED);
        trim(w);
        xt_expect(w->spare_count >= USED); /* those that are in use now and then stay */
        xt_expect(w->spare_count < SPARES);
    }
    uint64_t strands = stats().stacks_max;
    use(USED);
    xt_expect_equal(stats().stacks_max, strands);
    for (int i = 0; i < 3; i++)
        trim(w);
    xt_expect(w->spare_count < USED);
    xt_expect(w->trim_ns ==
              FILCH_FOREVER); /* the worker sleeps for as long as there is nothing to do */
    use(SPARES);
    xt_expect_equal(gone, SPARES);
}

xt_define(what_is_in_use_now_and_then_is_kept)
{
    in_pool(1, keeps, NULL);
}

/* --- yielding --- */

struct yielder {
    char name;
    unsigned rounds;
};

static struct filch_barrier all_have_begun;
static char order[64];
static size_t order_length;

static void note_and_yield(void *argument)
{
    const struct yielder *y = argument;
    xt_expect_equal(filch_barrier_wait(&all_have_begun, NULL), 0);
    for (unsigned i = 0; i < y->rounds; i++) {
        order[order_length++] = y->name;
        filch_yield();
    }
}

static void take_turns(void *unused)
{
    static struct yielder a = {'a', 4}, b = {'b', 4}, c = {'c', 4};
    (void)unused;
    all_have_begun = (struct filch_barrier)FILCH_BARRIER_INIT(3);
    filch__worker->tick = 1; /* each 61st time is for those that begin */
    FILCH_SCOPE (s) {
        xt_expect_equal(filch_scope_spawn(s, note_and_yield, &a), 0);
        xt_expect_equal(filch_scope_spawn(s, note_and_yield, &b), 0);
        xt_expect_equal(filch_scope_spawn(s, note_and_yield, &c), 0);
    }
    order[order_length] = '\0';
    for (size_t i = 3; i + 3 <= order_length;
         i += 3) { /* all have begun: whoever was first stays so */
        for (size_t j = 0; j < 3; j++)
            xt_expect_equal(order[i + j], order[j]);
    }
    xt_expect_equal(order_length, 12);
}

xt_define(those_that_yield_take_turns)
{
    order_length = 0;
    in_pool(1, take_turns, NULL);
}

static uint32_t flag;

static void set_flag(void *unused)
{
    (void)unused;
    __atomic_store_n(&flag, 1, __ATOMIC_RELEASE);
}

static void sleep_and_set_flag(void *unused)
{
    filch_sleep_ns(FILCH_MS);
    set_flag(unused);
}

static void *put_from_outside(void *unused)
{
    xt_expect_equal(filch_pool_spawn(pool, NULL, NULL, set_flag, unused), 0);
    return NULL;
}

static void await_flag(void)
{
    while (!__atomic_load_n(&flag, __ATOMIC_ACQUIRE))
        filch_yield();
    flag = 0;
}

static void keep_yielding(void *argument)
{
    while (!__atomic_load_n((uint32_t *)argument, __ATOMIC_ACQUIRE))
        filch_yield();
}

/* One worker: what the yielding task waits for happens only if it lets it. */
static void lets_others(void *argument)
{
    uint32_t is_over = 0;
    FILCH_SCOPE (s) {
        if (*(bool *)argument) /* beside another one that is always ready */
            xt_expect_equal(filch_scope_spawn(s, keep_yielding, &is_over), 0);
        xt_expect_equal(filch_scope_spawn(s, set_flag, NULL), 0);
        await_flag();
        xt_expect_equal(filch_scope_spawn(s, sleep_and_set_flag, NULL), 0);
        await_flag();
        pthread_t thread;
        xt_expect_equal(pthread_create(&thread, NULL, put_from_outside, NULL), 0);
        await_flag();
        xt_expect_equal(pthread_join(thread, NULL), 0);
        __atomic_store_n(&is_over, 1, __ATOMIC_RELEASE);
    }
}

xt_define(a_task_that_yields_lets_all_others_run)
{
    for (int i = 0; i < 2; i++) {
        bool beside_another = i == 1;
        in_pool(1, lets_others, &beside_another);
    }
}

static void keep_modes(void *argument)
{
    const int mine = *(int *)argument;
    fesetround(mine);
    errno = mine + 1;
    for (int i = 0; i < 100; i++) {
        filch_yield();
        xt_expect_equal(errno, mine + 1);
        xt_expect_equal(fegetround(), mine);
    }
    fesetround(FE_TONEAREST);
}

static void yields_keep_modes(void *unused)
{
    static int up = FE_UPWARD, down = FE_DOWNWARD;
    (void)unused;
    FILCH_SCOPE (s) {
        xt_expect_equal(filch_scope_spawn(s, keep_modes, &up), 0);
        xt_expect_equal(filch_scope_spawn(s, keep_modes, &down), 0);
    }
}

xt_define(a_yield_keeps_errno_and_rounding)
{
    in_pool(1, yields_keep_modes, NULL);
}

/* --- joining --- */

static void join_at_once(void *unused)
{
    const uint64_t suspensions = stats().suspensions;
    (void)unused;
    for (int i = 0; i < 100; i++) {
        struct filch_task *task = NULL;
        xt_expect_equal(filch_pool_spawn(pool, &task, NULL, set_flag, NULL), 0);
        xt_expect_equal(filch_task_join(task), 0);
        xt_expect_equal(flag, 1);
        flag = 0;
    }
    xt_expect_equal(stats().suspensions, suspensions);
}

xt_define(a_task_that_is_joined_at_once_costs_no_stack)
{
    in_pool(1, join_at_once, NULL);
}

/* --- who goes on first --- */

enum { TURNS = 4 };

static struct {
    struct filch_semaphore sems[TURNS];
    size_t begun, gone;
    size_t order[TURNS];
} turns;

static void wait_for_turn(void *semaphore)
{
    turns.begun++; /* of one worker, all this */
    xt_expect_equal(filch_semaphore_acquire(semaphore), 0);
    turns.order[turns.gone++] = (size_t)((struct filch_semaphore *)semaphore - turns.sems);
}

static void *wake_in_turn(void *unused)
{
    for (size_t i = 0; i < TURNS; i++)
        filch_semaphore_release(&turns.sems[i], 1);
    return unused;
}

static void wake_all_while_busy(void *unused)
{
    (void)unused;
    FILCH_SCOPE (s) {
        for (size_t i = 0; i < TURNS; i++)
            xt_expect_equal(filch_scope_spawn(s, wait_for_turn, &turns.sems[i]), 0);
        while (turns.begun < TURNS)
            filch_yield();
        xt_run_threads(1, wake_in_turn, NULL, 0); /* the worker does nothing else meanwhile */
    }
    for (size_t i = 0; i < TURNS; i++)
        xt_expect_equal(turns.order[i], i);
}

xt_define(who_is_woken_first_goes_on_first)
{
    in_pool(1, wake_all_while_busy, NULL);
}

/* --- where something is not to be had --- */

static void open_when_stackless(void *unused)
{
    (void)unused;
    while (stats().stackless == 0)
        xt_sleep_ns(FILCH_MS);
    filch_latch_count_down(&gate);
}

/* The worker has no other stack to go on with: it waits itself, and another one goes on. */
static void waits_without_a_stack(void *unused)
{
    (void)unused;
    close_gate();
    FILCH_SCOPE (s) {
        xt_expect_equal(filch_scope_spawn(s, open_when_stackless, NULL), 0);
        xt_faults_arm(XT_MAP | XT_ALLOC, 1, XT_FAULT_ONWARD);
        wait_at_gate(NULL);
        xt_expect(xt_faults_disarm() > 0);
    }
    xt_expect_equal(gone, 1);
    use(USED); /* and now there are stacks again */
    xt_expect_equal(gone, USED);
}

xt_define(without_a_stack_the_worker_waits)
{
    xt_faults_install();
    in_pool(2, waits_without_a_stack, NULL);
    xt_faults_remove();
}

/* More than a spawner may have waiting: it is set aside, and what runs instead of it waits until no stack is
 * left. Then it goes on, although there is much to begin. */
static void spawn_more_than_there_are_stacks(void *unused)
{
    const uint64_t count = 2 * (uint64_t)SPAWNED_MAX;
    (void)unused;
    close_gate();
    FILCH_SCOPE (s) {
        send_to_gate(s, 1);
        xt_faults_arm(XT_MAP, 1, XT_FAULT_ONWARD);
        for (uint64_t i = 1; i < count; i++)
            xt_expect_equal(filch_scope_spawn(s, wait_at_gate, NULL), 0);
        xt_expect(__atomic_load_n(&arrived, __ATOMIC_RELAXED) > 1); /* it has been set aside */
        xt_expect(stats().stackless > 0);
        filch_latch_count_down(&gate);
    }
    xt_expect(xt_faults_disarm() > 0);
    xt_expect_equal(gone, count);
}

xt_define(without_a_stack_who_has_spawned_much_goes_on)
{
    xt_faults_install();
    in_pool(1, spawn_more_than_there_are_stacks, NULL);
    xt_faults_remove();
}

static void raise_flag(void *raised)
{
    __atomic_store_n((uint32_t *)raised, 1, __ATOMIC_RELEASE);
}

static void *submit_when_stackless(void *raised)
{
    while (stats().stackless == 0)
        xt_sleep_ns(FILCH_MS);
    xt_expect(xt_faults_disarm() > 0);
    xt_sleep_ns(20 * FILCH_MS); /* the worker sleeps, and could run nothing */
    xt_expect_equal(filch_pool_spawn(pool, NULL, NULL, raise_flag, raised), 0);
    xt_sleep_ns(FILCH_MS);
    xt_expect_equal(__atomic_load_n((uint32_t *)raised, __ATOMIC_ACQUIRE), 0);
    filch_latch_count_down(&gate);
    return NULL;
}

static void wait_alone_without_a_stack(void *unused)
{
    xt_faults_arm(XT_MAP | XT_ALLOC, 1, XT_FAULT_ONWARD);
    wait_at_gate(unused);
}

/* Such a worker is given nothing with a wake-up: what comes meanwhile is put where it looks later. */
xt_define(without_a_stack_the_worker_is_given_nothing)
{
    struct filch_pool_config config = {.workers = 1, .stack_size_bytes = 65536};
    uint32_t raised = 0;
    pthread_t thread;
    xt_faults_install();
    close_gate();
    assert_int_equal(filch_pool_create(&pool, &config), 0);
    assert_int_equal(pthread_create(&thread, NULL, submit_when_stackless, &raised), 0);
    assert_int_equal(filch_pool_install(pool, wait_alone_without_a_stack, NULL), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(filch_pool_destroy(pool), 0);
    assert_int_equal(raised, 1);
    xt_faults_remove();
}

struct fib {
    int n;
    uint64_t result;
};

static void fib(void *argument)
{
    struct fib *f = argument;
    if (f->n < 2) {
        f->result = (uint64_t)f->n;
        return;
    }
    struct fib a = {f->n - 1, 0}, b = {f->n - 2, 0};
    filch_join(fib, &a, fib, &b);
    f->result = a.result + b.result;
}

static void fork_and_open(void *argument)
{
    struct fork_room *room = filch__worker->room;
    xt_expect(room == &filch__worker->no_room);
    fib(argument);
    (void)xt_faults_disarm();
    fib(argument);
    xt_expect(filch__worker->room != &filch__worker->no_room); /* it has been found now */
    filch_latch_count_down(&gate);
}

/* One half waits, with a fork open that the worker runs meanwhile, on a strand that has no slots. */
static void waits_without_a_room(void *unused)
{
    struct fib f = {12, 0};
    (void)unused;
    use(2); /* a strand is spare now */
    close_gate();
    xt_faults_arm(XT_MAP, 1, XT_FAULT_ONWARD);
    filch_join(wait_at_gate, NULL, fork_and_open, &f);
    xt_expect_equal(gone, 1);
    xt_expect_equal(f.result, 144);
    fib(&f);
    xt_expect_equal(f.result, 144);
}

xt_define(without_a_room_forks_run_one_after_the_other)
{
    xt_faults_install();
    in_pool(1, waits_without_a_room, NULL);
    xt_faults_remove();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        /* First: the others start the default pool, whose threads must not be there while faults are. */
        xt_test(who_is_woken_first_goes_on_first),
        xt_test(without_a_stack_the_worker_waits),
        xt_test(without_a_stack_who_has_spawned_much_goes_on),
        xt_test(without_a_stack_the_worker_is_given_nothing),
        xt_test(without_a_room_forks_run_one_after_the_other),
        xt_test(many_tasks_wait_at_little_cost),
        xt_test(what_a_guest_needed_goes_when_it_leaves),
        xt_test(what_is_in_use_now_and_then_is_kept),
        xt_test(those_that_yield_take_turns),
        xt_test(a_task_that_yields_lets_all_others_run),
        xt_test(a_yield_keeps_errno_and_rounding),
        xt_test(a_task_that_is_joined_at_once_costs_no_stack),
    };
    return xt_run(tests);
}
