/* SPDX-License-Identifier: Apache-2.0 */
/* What waits in a thread waits in a task, and the worker goes on meanwhile: tokens, sleeps, joins of
 * threads, scopes of threads; and what a task sees of its thread. */
#include "test.h"

#include "os/os.h"

#include <errno.h>
#include <filch/filch.h>
#include <string.h>

static struct filch_pool *pool;

static void create(size_t workers)
{
    struct filch_pool_config config = {.name = "wait", .workers = workers};
    assert_int_equal(filch_pool_create(&pool, &config), 0);
}

static void destroy(void)
{
    assert_int_equal(filch_pool_destroy(pool), 0);
    pool = NULL;
}

static struct filch_task *spawn(void (*fn)(void *), void *argument)
{
    struct filch_task *task = NULL;
    assert_int_equal(filch_pool_spawn(pool, &task, NULL, fn, argument), 0);
    return task;
}

static void join(struct filch_task *task)
{
    assert_int_equal(filch_task_join(task), 0);
}

/* --- tokens --- */

struct parker {
    struct filch_thread *thread; /* written before is_known */
    uint32_t is_known;
    uint32_t may_go;
};

static void show(struct parker *parker)
{
    parker->thread = filch_thread_clone(filch_thread_current());
    __atomic_store_n(&parker->is_known, 1, __ATOMIC_RELEASE);
}

static struct filch_thread *thread_of(struct parker *parker)
{
    while (!__atomic_load_n(&parker->is_known, __ATOMIC_ACQUIRE))
        filch_sleep_ns(20000);
    return parker->thread;
}

static void park_until_told(void *argument)
{
    struct parker *parker = argument;
    show(parker);
    while (!__atomic_load_n(&parker->may_go, __ATOMIC_ACQUIRE))
        filch_thread_park();
}

static void tell(struct parker *parker)
{
    __atomic_store_n(&parker->may_go, 1, __ATOMIC_RELEASE);
    filch_thread_unpark(thread_of(parker));
}

enum { PARKERS = 20 };

/* All tasks of the worker are parked on one token; each is woken by an unpark for it. */
xt_define(tasks_that_share_a_token_are_all_woken)
{
    static struct parker parkers[PARKERS];
    struct filch_task *tasks[PARKERS];
    memset(parkers, 0, sizeof parkers);
    create(1);
    for (int i = 0; i < PARKERS; i++)
        tasks[i] = spawn(park_until_told, &parkers[i]);
    for (int i = 0; i < PARKERS; i++)
        (void)thread_of(&parkers[i]); /* one after the other, on one worker */
    for (int i = PARKERS - 1; i >= 0; i--) {
        tell(&parkers[i]);
        join(tasks[i]);
        filch_thread_drop(parkers[i].thread);
    }
    destroy();
}

struct player {
    struct parker at;
    struct player *other;
    uint32_t *turn;
    uint32_t mine;
    int *shared;
};

static void play(void *argument)
{
    struct player *player = argument;
    show(&player->at);
    struct filch_thread *other = thread_of(&player->other->at);
    for (size_t i = 0; i < xt_scaled(4000); i++) {
        while (__atomic_load_n(player->turn, __ATOMIC_ACQUIRE) != player->mine)
            filch_thread_park();
        *player->shared += 1;
        __atomic_store_n(player->turn, !player->mine, __ATOMIC_RELEASE);
        filch_thread_unpark(other);
    }
}

static void *play_in_thread(void *argument)
{
    play(argument);
    return NULL;
}

static void play_together(size_t workers, bool with_thread)
{
    uint32_t turn = 0;
    int shared = 0;
    struct player one = {.turn = &turn, .mine = 0, .shared = &shared};
    struct player two = {.turn = &turn, .mine = 1, .shared = &shared, .other = &one};
    struct parker bystander = {0};
    one.other = &two;
    create(workers);
    struct filch_task *bystanding = spawn(park_until_told, &bystander);
    struct filch_task *first = spawn(play, &one);
    if (with_thread) {
        struct filch_thread *thread;
        assert_int_equal(filch_thread_spawn(&thread, NULL, play_in_thread, &two), 0);
        assert_int_equal(filch_thread_join(thread, NULL, NULL), 0);
    } else {
        join(spawn(play, &two));
    }
    join(first);
    tell(&bystander);
    join(bystanding);
    assert_int_equal(shared, 2 * (int)xt_scaled(4000));
    filch_thread_drop(one.at.thread);
    filch_thread_drop(two.at.thread);
    filch_thread_drop(bystander.thread);
    destroy();
}

xt_define(tokens_pass_between_tasks_and_threads)
{
    play_together(1, false);
    play_together(2, false);
    play_together(1, true);
}

static void park_in_time(void *argument)
{
    int64_t deadline = filch_deadline_in(2 * FILCH_MS);
    while (filch_thread_park_until(deadline) == 0)
        continue; /* of another task */
    xt_expect(filch_now_ns() >= deadline);
    *(int *)argument = 1;
}

xt_define(a_park_in_a_task_may_have_a_deadline)
{
    int done[PARKERS] = {0};
    struct filch_task *tasks[PARKERS];
    create(1);
    for (int i = 0; i < PARKERS; i++)
        tasks[i] = spawn(park_in_time, &done[i]);
    for (int i = 0; i < PARKERS; i++) {
        join(tasks[i]);
        assert_int_equal(done[i], 1);
    }
    destroy();
}

/* --- sleep --- */

static void sleep_long(void *argument)
{
    int64_t begin = filch_now_ns();
    filch_sleep_ns(50 * FILCH_MS);
    xt_expect(filch_now_ns() - begin >= 50 * FILCH_MS);
    __atomic_store_n((uint32_t *)argument, 1, __ATOMIC_RELEASE);
}

static void note_whether(void *argument)
{
    uint32_t *notes = argument;
    notes[1] = __atomic_load_n(&notes[0], __ATOMIC_ACQUIRE) ? 2 : 1;
}

xt_define(a_task_that_sleeps_leaves_its_worker_to_others)
{
    uint32_t notes[2] = {0, 0};
    create(1);
    int64_t begin = xt_now_ns();
    struct filch_task *sleeper = spawn(sleep_long, &notes[0]);
    join(spawn(note_whether, notes));
    if (xt_now_ns() - begin < 40 * FILCH_MS)
        assert_int_equal(notes[1], 1); /* ran while the other one slept */
    join(sleeper);
    assert_int_equal(notes[0], 1);
    destroy();
}

/* --- threads --- */

static void *wait_for_gate(void *gate)
{
    while (!__atomic_load_n((uint32_t *)gate, __ATOMIC_ACQUIRE))
        xt_sleep_ns(20000);
    return gate;
}

static void open_gate(void *gate)
{
    __atomic_store_n((uint32_t *)gate, 1, __ATOMIC_RELEASE);
}

static void join_thread(void *gate)
{
    struct filch_thread *thread;
    void *result = NULL;
    xt_expect_equal(filch_thread_spawn(&thread, NULL, wait_for_gate, gate), 0);
    int error = filch_thread_join_until(thread, filch_deadline_in(FILCH_MS), &result, NULL);
    if (error == ETIMEDOUT) /* the gate was closed until now */
        error = filch_thread_join(thread, &result, NULL);
    xt_expect_equal(error, 0);
    xt_expect(result == gate);
}

static void join_thread_for_ever(void *gate)
{
    struct filch_thread *thread;
    xt_expect_equal(filch_thread_spawn(&thread, NULL, wait_for_gate, gate), 0);
    xt_expect_equal(filch_thread_join(thread, NULL, NULL), 0);
}

static void run_thread_scope(void *gate)
{
    FILCH_THREAD_SCOPE (s) {
        for (int i = 0; i < 4; i++)
            xt_expect_equal(filch_thread_scope_spawn(s, NULL, NULL, wait_for_gate, gate), 0);
    }
    xt_expect(__atomic_load_n((uint32_t *)gate, __ATOMIC_RELAXED));
}

/* The thread ends only after another task has run on the only worker. */
static void wait_in_task(void (*waits)(void *))
{
    uint32_t gate = 0;
    create(1);
    struct filch_task *waiting = spawn(waits, &gate);
    join(spawn(open_gate, &gate));
    join(waiting);
    destroy();
}

xt_define(a_task_that_joins_a_thread_leaves_its_worker_to_others)
{
    wait_in_task(join_thread);
    wait_in_task(join_thread_for_ever);
}

xt_define(a_scope_of_threads_in_a_task_leaves_its_worker_to_others)
{
    wait_in_task(run_thread_scope);
}

/* --- output --- */

static char printed[256];
static size_t printed_bytes; /* under the lock of the stream */

static int keep_output(int file, const void *data, size_t size_bytes, size_t *written)
{
    xt_expect_equal(file, 1);
    size_t rest = sizeof printed - 1 - printed_bytes;
    *written = size_bytes < rest ? size_bytes : rest;
    memcpy(printed + printed_bytes, data, *written);
    printed_bytes += *written;
    return 0;
}

static void print_two_lines(void *gate)
{
    FILCH_STDOUT_LOCK
    {
        filch_print("a");
        while (!__atomic_load_n((uint32_t *)gate, __ATOMIC_ACQUIRE))
            filch_sleep_ns(100000);
        filch_print("b");
    }
}

static void print_a_line(void *unused)
{
    (void)unused;
    filch_print("c");
}

static void print_in_scope(struct filch_scope *s, void *unused)
{
    (void)s;
    print_a_line(unused);
}

/* One worker: the first task holds the lock while it waits for the third, the second waits for the
 * lock. */
xt_define(a_task_that_waits_to_print_leaves_its_worker_to_others)
{
    static struct os_table table;
    uint32_t gate = 0;
    table = filch__os_linux;
    table.write = keep_output;
    filch__os_replace(&table);
    create(1);
    struct filch_task *first = spawn(print_two_lines, &gate);
    struct filch_task *second = spawn(print_a_line, NULL);
    join(spawn(open_gate, &gate));
    join(first);
    join(second);
    /* What a thread has locked it has in its own calls, too. */
    FILCH_STDOUT_LOCK
    {
        filch_print("d");
        assert_int_equal(filch_scope_run(print_in_scope, NULL), 0);
        filch_print("e");
    }
    destroy();
    /* The table stays: the default pool uses it now. */
    assert_true(strcmp(printed, "a\nb\nc\nd\nc\ne\n") == 0 ||
                strcmp(printed, "c\na\nb\nd\nc\ne\n") == 0);
}

/* --- what a task sees --- */

static FILCH_LOCAL(int, counter, NULL, NULL);

static void *worker_thread;
static uint64_t worker_id;

static void look_before_and_after(void *argument)
{
    struct filch_thread *self = filch_thread_current();
    if (worker_thread == NULL) {
        worker_thread = self;
        worker_id = filch_thread_id(self);
    }
    xt_expect(self == worker_thread);
    xt_expect_equal(strcmp(filch_thread_name(self), "wait-0"), 0);
    int *mine = FILCH_LOCAL_GET(counter);
    ++*mine;
    filch_sleep_ns(100000);
    ++*FILCH_LOCAL_GET(counter);
    xt_expect(FILCH_LOCAL_GET(counter) == mine);
    xt_expect(filch_thread_current() == worker_thread);
    xt_expect_equal(filch_thread_id(filch_thread_current()), worker_id);
    *(int *)argument = *mine;
}

xt_define(a_task_sees_its_worker)
{
    int counts[PARKERS];
    struct filch_task *tasks[PARKERS];
    worker_thread = NULL;
    create(1);
    for (int i = 0; i < PARKERS; i++)
        tasks[i] = spawn(look_before_and_after, &counts[i]);
    int most = 0;
    for (int i = 0; i < PARKERS; i++) {
        join(tasks[i]);
        most = counts[i] > most ? counts[i] : most;
    }
    assert_int_equal(most, 2 * PARKERS); /* they share the worker's */
    assert_int_equal(*FILCH_LOCAL_GET(counter), 0);
    destroy();
}

static uint32_t dropped;

static void count_drop(void *value)
{
    (void)value;
    __atomic_fetch_add(&dropped, 1, __ATOMIC_RELAXED);
}

static FILCH_LOCAL(int, dropping, NULL, count_drop);

static void use_dropping(void *argument)
{
    (void)argument;
    ++*FILCH_LOCAL_GET(dropping);
}

xt_define(values_of_workers_are_dropped_with_the_pool)
{
    create(1);
    for (int i = 0; i < PARKERS; i++)
        join(spawn(use_dropping, NULL));
    assert_int_equal(dropped, 0);
    destroy();
    assert_int_equal(dropped, 1);
}

static void note_parallelism(void *argument)
{
    *(size_t *)argument = filch_available_parallelism();
}

xt_define(a_bound_worker_sees_what_the_process_may_use)
{
    size_t count = 0;
    struct filch_pool_config config = {.workers = 1, .bind = FILCH_BIND_CORES};
    assert_int_equal(filch_pool_create(&pool, &config), 0);
    join(spawn(note_parallelism, &count));
    assert_int_equal(count, filch_available_parallelism());
    destroy();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        /* First: no other thread is in the library. */
        xt_test(a_task_that_waits_to_print_leaves_its_worker_to_others),
        xt_test(tasks_that_share_a_token_are_all_woken),
        xt_test(tokens_pass_between_tasks_and_threads),
        xt_test(a_park_in_a_task_may_have_a_deadline),
        xt_test(a_task_that_sleeps_leaves_its_worker_to_others),
        xt_test(a_task_that_joins_a_thread_leaves_its_worker_to_others),
        xt_test(a_scope_of_threads_in_a_task_leaves_its_worker_to_others),
        xt_test(a_task_sees_its_worker),
        xt_test(values_of_workers_are_dropped_with_the_pool),
        xt_test(a_bound_worker_sees_what_the_process_may_use),
    };
    return xt_run(tests);
}
