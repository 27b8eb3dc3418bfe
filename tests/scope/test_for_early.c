/* SPDX-License-Identifier: Apache-2.0 */
/* Loops whose first iteration runs before the caller has entered the pool: nothing that the body can see
 * differs from the others. */
#include "test.h"

#include "pool.h"

#include <filch/filch.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { WIDTH = 2, COUNT = 256, LEAST = 64 };

struct call {
    void (*first)(struct call *call); /* called in the first iteration; NULL: nothing */
    void *argument;
    pthread_t caller;
    struct worker *place; /* of the caller */
    size_t index;         /* of the caller in the first iteration */
    bool was_outside;     /* the first iteration was */
    uint8_t seen[COUNT];  /* how often, each iteration */
};

static void body(size_t begin, size_t end, void *ctx)
{
    struct call *call = ctx;
    for (size_t i = begin; i < end; i++)
        __atomic_fetch_add(&call->seen[i], 1, __ATOMIC_RELAXED);
    if (begin == 0) {
        call->was_outside = filch__worker == NULL;
        call->index = filch_worker_index();
        if (call->first != NULL)
            call->first(call);
    }
    if (pthread_equal(pthread_self(), call->caller))
        xt_expect_equal(filch_worker_index(), call->index);
}

static void note_place(size_t begin, size_t end, void *place)
{
    (void)begin;
    (void)end;
    *(struct worker **)place = filch__worker;
}

/* As after a loop that has found everybody asleep. */
static void expect_sleepers(struct worker *place)
{
    filch__outsider.early.body = body;
    filch__outsider.early.least = LEAST;
    filch__outsider.early.place = place;
}

static void run_at(struct call *call, struct worker *place)
{
    call->caller = pthread_self();
    call->place = place;
    expect_sleepers(place);
    filch_for(0, COUNT, body, call);
    size_t wrong = 0;
    for (size_t i = 0; i < COUNT; i++)
        wrong += call->seen[i] != 1;
    xt_expect_equal(wrong, 0);
    xt_expect(filch__outsider.held == NULL);
    xt_expect(filch__worker == NULL);
    xt_expect_equal(filch_worker_index(), FILCH_NOT_A_WORKER);
}

static struct worker *own_place(void)
{
    struct worker *place = NULL;
    filch_for(0, 1, note_place, &place);
    return place;
}

/* Runs a loop whose first iteration is outside. */
static void run_early(struct call *call)
{
    run_at(call, own_place());
    xt_expect(call->was_outside);
    xt_expect_equal(FILCH_LOAD_RELAXED(&call->place->is_taken), 0); /* nobody else is here */
}

/* --- where it runs --- */

static void look_at_place(struct call *call)
{
    struct filch_pool *pool = NULL;
    xt_expect_equal(filch_pool_default(&pool), 0);
    xt_expect(filch_pool_current() == pool);
    xt_expect_equal(filch_worker_index(), call->place->index);
    xt_expect(filch_worker_index() >= WIDTH && filch_worker_index() < filch_pool_places(pool));
}

xt_define(the_first_iteration_has_a_place)
{
    struct call call = {.first = look_at_place};
    run_early(&call);
}

enum { CALLERS = 3 };
static struct filch_barrier together = FILCH_BARRIER_INIT(CALLERS);

static void meet(struct call *call)
{
    (void)call;
    xt_expect_equal(filch_barrier_wait(&together, NULL), 0);
}

static void meet_at_place(size_t begin, size_t end, void *place)
{
    note_place(begin, end, place);
    meet(NULL);
}

static void *call_together(void *argument)
{
    struct call *call = *(struct call **)argument;
    struct worker *place = NULL;
    filch_for(0, 1, meet_at_place, &place); /* so that each has one of its own */
    call->first = meet;
    run_at(call, place);
    return NULL;
}

xt_define(callers_have_places_of_their_own)
{
    struct call calls[CALLERS] = {{.first = NULL}};
    struct call *arguments[CALLERS];
    for (size_t i = 0; i < CALLERS; i++)
        arguments[i] = &calls[i];
    xt_run_threads(CALLERS, call_together, arguments, sizeof arguments[0]);
    for (size_t i = 0; i < CALLERS; i++) {
        xt_expect(calls[i].was_outside);
        xt_expect(calls[i].index != calls[(i + 1) % CALLERS].index);
    }
}

static struct filch_semaphore has_place = FILCH_SEMAPHORE_INIT(0);
static struct filch_semaphore may_leave = FILCH_SEMAPHORE_INIT(0);

static void stay_at_place(size_t begin, size_t end, void *place)
{
    note_place(begin, end, place);
    filch_semaphore_release(&has_place, 1);
    xt_expect_equal(filch_semaphore_acquire(&may_leave), 0);
}

static void *take_place(void *argument)
{
    struct worker *wanted = argument;
    struct worker *place = NULL;
    filch__outsider.number = wanted->index - WIDTH;
    filch_for(0, 1, stay_at_place, &place);
    xt_expect(place == wanted);
    return NULL;
}

/* Then it enters before it begins. */
xt_define(another_thread_has_the_place)
{
    struct call call = {.first = NULL};
    struct worker *place = own_place();
    pthread_t other;
    assert_int_equal(pthread_create(&other, NULL, take_place, place), 0);
    xt_expect_equal(filch_semaphore_acquire(&has_place), 0);
    run_at(&call, place);
    xt_expect(!call.was_outside);
    xt_expect(call.index != place->index && call.index != FILCH_NOT_A_WORKER);
    filch_semaphore_release(&may_leave, 1);
    pthread_join(other, NULL);
}

/* --- what the body may do --- */

static void expect_place(void *argument)
{
    const struct call *call = argument;
    xt_expect(pthread_equal(pthread_self(), call->caller));
    xt_expect(filch_worker_index() == call->place->index);
}

static void add_one(void *argument)
{
    __atomic_fetch_add((uint64_t *)argument, 1, __ATOMIC_RELAXED);
}

static void add_range(size_t begin, size_t end, void *ctx)
{
    __atomic_fetch_add((uint64_t *)ctx, end - begin, __ATOMIC_RELAXED);
}

static long sum_below(long n);
FILCH_FORKABLE(long, sum_below, long)

static long sum_below(long n)
{
    if (n <= 1)
        return 0;
    FILCH_FORK(half, sum_below, n / 2);
    long other = sum_below(n - n / 2);
    return FILCH_SYNC(half, sum_below) + other + n / 2 * (n - n / 2);
}

static void nest(struct call *call)
{
    uint64_t count = 0;
    struct filch_task *task;
    filch_join(expect_place, call, add_one, &count); /* the second half may be another's */
    expect_place(call);
    xt_expect_equal(sum_below(1000), 1000 * 999 / 2);
    expect_place(call);
    FILCH_SCOPE (s) {
        for (int i = 0; i < 10; i++)
            xt_expect_equal(filch_scope_spawn(s, add_one, &count), 0);
        expect_place(call);
        xt_expect(filch__worker == call->place);
    }
    expect_place(call);
    filch_for(0, 1000, add_range, &count);
    expect_place(call);
    xt_expect_equal(
        filch_for_with(&(struct filch_for_options){.grain = 1}, 0, 100, add_range, &count), 0);
    xt_expect_equal(filch_pool_install(NULL, expect_place, call), 0);
    xt_expect_equal(filch_pool_spawn(NULL, &task, NULL, add_one, &count), 0);
    xt_expect_equal(filch_task_join(task), 0);
    expect_place(call);
    struct filch_pool *pool = NULL;
    struct filch_pool_config config = {.workers = 1};
    xt_expect_equal(filch_pool_create(&pool, &config), 0);
    xt_expect_equal(
        filch_for_with(&(struct filch_for_options){.pool = pool}, 0, 10, add_range, &count), 0);
    xt_expect_equal(filch_pool_destroy(pool), 0);
    expect_place(call);
    xt_expect_equal(count, 1 + 10 + 1000 + 100 + 1 + 10);
}

xt_define(the_first_iteration_may_nest)
{
    for (int i = 0; i < 20; i++) {
        struct call call = {.first = nest};
        run_early(&call);
    }
}

/* What is nested returns the place to the loop, not to others. */
static void *take_another(void *argument)
{
    struct call *call = argument;
    filch__outsider.number = call->place->index - WIDTH;
    xt_expect(own_place() != call->place);
    return NULL;
}

static void nest_beside_another(struct call *call)
{
    pthread_t other;
    filch_for(0, 10, note_place, call->argument);
    xt_expect_equal(pthread_create(&other, NULL, take_another, call), 0);
    pthread_join(other, NULL);
}

xt_define(the_place_is_held_between_what_is_nested)
{
    struct worker *nested = NULL;
    struct call call = {.first = nest_beside_another, .argument = &nested};
    run_early(&call);
    xt_expect(nested == call.place);
}

static void release(void *semaphore)
{
    xt_sleep_ns(FILCH_MS);
    filch_semaphore_release(semaphore, 1);
}

static void wait_for_task(struct call *call)
{
    struct filch_semaphore ended = FILCH_SEMAPHORE_INIT(0);
    (void)call;
    xt_expect_equal(filch_pool_spawn(NULL, NULL, NULL, release, &ended), 0);
    xt_expect_equal(filch_semaphore_acquire(&ended), 0);
    (void)filch_sleep_ns(FILCH_MS);
}

xt_define(the_first_iteration_may_wait)
{
    struct call call = {.first = wait_for_task};
    run_early(&call);
}

/* --- how it may end --- */

static void say_nothing(const struct filch_panic *panic)
{
    (void)panic;
}

static void panic_at_once(struct call *call)
{
    (void)call;
    uint64_t count = 0;
    FILCH_SCOPE (s) {
        xt_expect_equal(filch_scope_spawn(s, add_one, &count), 0);
        filch_panic("at once");
    }
}

static void run_panicking(void *call)
{
    run_early(call); /* does not return */
}

xt_define(the_first_iteration_may_panic)
{
    filch_panic_hook *before = filch_panic_set_hook(say_nothing);
    for (int i = 0; i < 3; i++) {
        struct call call = {.first = panic_at_once};
        struct filch_panic *panic = NULL;
        assert_int_equal(filch_catch_unwind(run_panicking, &call, &panic), EOWNERDEAD);
        assert_string_equal(filch_panic_message(panic), "at once");
        filch_panic_free(panic);
        assert_true(call.was_outside && filch__outsider.held == NULL && filch__worker == NULL);
        assert_true(FILCH_LOAD_RELAXED(&call.place->is_taken) == 0); /* nobody else is here */
        assert_true(call.seen[0] == 1 && call.seen[1] == 0);
    }
    filch_panic_set_hook(before);
}

static void fork_here(struct call *call)
{
    pid_t *child = call->argument;
    *child = fork();
    if (*child != 0)
        return;
    xt_expect_equal(filch_worker_index(), FILCH_NOT_A_WORKER);
    xt_expect(filch_pool_current() == NULL);
    call->index = FILCH_NOT_A_WORKER;
}

static void end_thread(struct call *call)
{
    (void)call;
    pthread_exit(NULL);
}

static void *run_ending(void *call)
{
    run_early(call); /* does not return */
    return call;
}

xt_define(the_first_iteration_may_end_its_thread)
{
    struct call call = {.first = end_thread};
    pthread_t caller;
    void *result = &call;
    assert_int_equal(pthread_create(&caller, NULL, run_ending, &call), 0);
    assert_int_equal(pthread_join(caller, &result), 0);
    assert_true(result == NULL && call.was_outside);
    assert_int_equal(FILCH_LOAD_RELAXED(&call.place->is_taken), 0); /* nobody else is here */
}

/* The child does what is left alone, as one that a later iteration forks. */
xt_define(the_first_iteration_may_fork_a_process)
{
    xt_skip_if_emulated();
    pid_t child = -1;
    struct call call = {.first = fork_here, .argument = &child};
    struct worker *place = own_place();
    run_at(&call, place);
    if (child == 0)
        _exit(xt_take_failures() == 0 ? 0 : 1);
    int status = -1;
    assert_true(child > 0 && call.was_outside);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/* --- which loops --- */

static void spin_for(int64_t duration_ns)
{
    int64_t end_ns = xt_now_ns() + duration_ns;
    while (xt_now_ns() < end_ns)
        continue;
}

struct spinning {
    int64_t duration_ns;
    bool was_outside;
    bool meets;     /* iterations wait for each other */
    size_t meeting; /* so many have not come */
};

static void spin(size_t begin, size_t end, void *ctx)
{
    struct spinning *s = ctx;
    if (begin == 0)
        s->was_outside = filch__worker == NULL;
    if (s->meets)
        __atomic_fetch_sub(&s->meeting, end - begin, __ATOMIC_RELAXED);
    while (s->meets && __atomic_load_n(&s->meeting, __ATOMIC_RELAXED) > 0)
        xt_sleep_ns(20 * FILCH_US);
    for (size_t i = begin; i < end; i++)
        spin_for(s->duration_ns);
}

static bool is_early(filch_for_body *function)
{
    return filch__outsider.early.body == function;
}

/* One whose iterations are short, and many. */
xt_define(a_loop_that_finds_everybody_asleep_begins_early_next_time)
{
    struct spinning s = {.duration_ns = FILCH_US};
    filch__outsider.early.body = NULL;
    for (int i = 0; i < 2000 && !is_early(spin); i++) {
        xt_sleep_ns(2 * FILCH_MS);
        filch_for(0, COUNT, spin, &s);
        xt_expect(!s.was_outside);
    }
    assert_true(is_early(spin) && filch__outsider.early.least >= LEAST);
    filch_for(0, filch__outsider.early.least - 1, spin, &s);
    assert_true(!s.was_outside);
    if (is_early(spin))
        filch_for(0, filch__outsider.early.least, spin, &s);
    else
        s.was_outside = true; /* somebody was awake: then it is not to */
    assert_true(s.was_outside);
}

static void spin_long(size_t begin, size_t end, void *ctx)
{
    spin(begin, end, ctx);
}

xt_define(a_loop_with_dear_iterations_does_not)
{
    struct spinning s = {.duration_ns = 30 * FILCH_US};
    for (int i = 0; i < 5; i++) {
        xt_sleep_ns(2 * FILCH_MS);
        filch_for(0, COUNT / 4, spin_long, &s);
        assert_true(!is_early(spin_long) && !s.was_outside);
    }
    /* Two long ones go side by side, whatever is remembered. */
    expect_sleepers(own_place());
    filch__outsider.early.body = spin_long;
    s.meets = true;
    s.meeting = 2;
    filch_for(0, 2, spin_long, &s);
    assert_int_equal(s.meeting, 0);
}

/* Then who is awake waits for it. */
xt_define(nor_one_that_finds_somebody_awake)
{
    struct worker *place = own_place();
    struct filch_pool *pool = place->pool;
    struct call call = {.first = NULL};
    FILCH_FETCH_ADD_RELAXED(&pool->idle.word, IDLE_SEARCHING); /* as somebody would */
    run_at(&call, place);
    FILCH_FETCH_ADD_RELAXED(&pool->idle.word, (uint64_t)0 - IDLE_SEARCHING); /* the same */
    assert_true(call.was_outside && !is_early(body));
}

static void nest_a_little(struct call *call)
{
    uint64_t count = 0;
    uint8_t *is_taken = (uint8_t *)call->argument + call->index;
    xt_expect_equal(__atomic_exchange_n(is_taken, 1, __ATOMIC_RELAXED), 0);
    filch_join(add_one, &count, add_one, &count);
    FILCH_SCOPE (s)
        xt_expect_equal(filch_scope_spawn(s, add_one, &count), 0);
    xt_expect_equal(count, 3);
    xt_expect_equal(filch_worker_index(), call->index);
    __atomic_store_n(is_taken, 0, __ATOMIC_RELAXED);
}

static void *call_repeatedly(void *argument)
{
    for (size_t i = 0; i < xt_scaled(2000); i++) {
        struct call call = {.first = nest_a_little, .argument = *(uint8_t **)argument};
        run_at(&call, own_place());
    }
    return NULL;
}

/* They take each other's places. */
xt_define(many_callers_at_once)
{
    enum { THREADS = 8 };
    uint8_t *are_taken[THREADS];
    uint8_t *all = calloc(filch_pool_places(NULL), 1);
    for (size_t i = 0; i < THREADS; i++)
        are_taken[i] = all;
    xt_run_threads(THREADS, call_repeatedly, are_taken, sizeof are_taken[0]);
    free(all);
}

int main(void)
{
    setenv("FILCH_WORKERS", "2", 1);
    const struct CMUnitTest tests[] = {
        xt_test(the_first_iteration_has_a_place),
        xt_test(callers_have_places_of_their_own),
        xt_test(another_thread_has_the_place),
        xt_test(the_first_iteration_may_nest),
        xt_test(the_place_is_held_between_what_is_nested),
        xt_test(the_first_iteration_may_wait),
        xt_test(the_first_iteration_may_panic),
        xt_test(the_first_iteration_may_end_its_thread),
        xt_test(the_first_iteration_may_fork_a_process),
        xt_test(a_loop_that_finds_everybody_asleep_begins_early_next_time),
        xt_test(a_loop_with_dear_iterations_does_not),
        xt_test(nor_one_that_finds_somebody_awake),
        xt_test(many_callers_at_once),
    };
    return xt_run(tests);
}
