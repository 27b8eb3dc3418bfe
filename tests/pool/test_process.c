/* SPDX-License-Identifier: Apache-2.0 */
/* Processes: what a forked child makes of its parent's pools, and what the environment says. Each
 * test of the environment runs in a child. */
#include "test.h"

#include "os/os.h"
#include "task.h"

#include <errno.h>
#include <filch/filch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void add_one(void *argument)
{
    __atomic_fetch_add((uint64_t *)argument, 1, __ATOMIC_RELAXED);
}

static void add_range(size_t begin, size_t end, void *ctx)
{
    __atomic_fetch_add((uint64_t *)ctx, end - begin, __ATOMIC_RELAXED);
}

/* --- environment --- */

struct setting {
    const char *name;
    const char *value;
    int error;    /* of creating a pool of the defaults */
    size_t width; /* 0: not looked at */
};

static void try_setting(void *argument)
{
    const struct setting *setting = argument;
    struct filch_pool *pool = NULL;
    setenv(setting->name, setting->value, 1);
    xt_expect_equal(filch_pool_create(&pool, NULL), setting->error);
    struct filch_pool *standard = NULL;
    xt_expect_equal(filch_pool_default(&standard), setting->error);
    if (setting->error != 0) {
        xt_expect(pool == NULL && standard == NULL);
        xt_expect_equal(filch_pool_width(NULL), 0);
        xt_expect_equal(filch_pool_places(NULL), 0);
        struct filch_task *task;
        xt_expect_equal(filch_pool_spawn(NULL, &task, NULL, add_one, NULL), setting->error);
        /* What needs no pool does without. */
        uint64_t sum = 0;
        filch_for(0, 1000, add_range, &sum);
        filch_join(add_one, &sum, add_one, &sum);
        xt_expect_equal(sum, 1002);
        /* The next call tries again. */
        unsetenv(setting->name);
        xt_expect_equal(filch_pool_default(&standard), 0);
        return;
    }
    if (setting->width != 0) {
        xt_expect_equal(filch_pool_width(pool), setting->width);
        xt_expect_equal(filch_pool_width(NULL), setting->width);
    }
    uint64_t count = 0;
    for (int i = 0; i < 100; i++)
        xt_expect_equal(filch_pool_spawn(pool, NULL, NULL, add_one, &count), 0);
    xt_expect_equal(filch_pool_destroy(pool), 0);
    xt_expect_equal(count, 100);
    /* What the program says itself comes first. */
    struct filch_pool_config config = {
        .workers = 2, .stack_size_bytes = 65536, .bind = FILCH_BIND_CORES};
    xt_expect_equal(filch_pool_create(&pool, &config), 0);
    xt_expect_equal(filch_pool_width(pool), 2);
    xt_expect_equal(filch_pool_destroy(pool), 0);
}

xt_define(the_environment_sets_defaults)
{
    xt_skip_if_emulated();
    static const struct setting settings[] = {
        {"FILCH_WORKERS", "3", 0, 3},
        {"FILCH_WORKERS", "1", 0, 1},
        {"FILCH_WORKERS", "", 0, 0},
        {"FILCH_WORKERS", "0", EINVAL, 0},
        {"FILCH_WORKERS", "-1", EINVAL, 0},
        {"FILCH_WORKERS", "two", EINVAL, 0},
        {"FILCH_WORKERS", "2x", EINVAL, 0},
        {"FILCH_WORKERS", " 2", EINVAL, 0},
        {"FILCH_WORKERS", "1025", EINVAL, 0},
        {"FILCH_WORKERS", "99999999999999999999999", EINVAL, 0},
        {"FILCH_BIND", "cores", 0, 0},
        {"FILCH_BIND", "none", 0, 0},
        {"FILCH_BIND", "", 0, 0},
        {"FILCH_BIND", "core", EINVAL, 0},
        {"FILCH_BIND", "3", EINVAL, 0},
        {"FILCH_STACK_SIZE", "64K", 0, 0},
        {"FILCH_STACK_SIZE", "262144", 0, 0},
        {"FILCH_STACK_SIZE", "4M", 0, 0},
        {"FILCH_STACK_SIZE", "0", EINVAL, 0},
        {"FILCH_STACK_SIZE", "1", EINVAL, 0},
        {"FILCH_STACK_SIZE", "64k", EINVAL, 0},
        {"FILCH_STACK_SIZE", "64KB", EINVAL, 0},
        {"FILCH_STACK_SIZE", "999999999999G", EINVAL, 0},
    };
    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++) {
        struct setting setting = settings[i];
        char what[100];
        snprintf(what, sizeof what, "%s='%s'", setting.name, setting.value);
        xt_expect_child(try_setting, &setting, what);
    }
}

static void scope_without_pool(struct filch_scope *s, void *ctx)
{
    (void)s;
    add_one(ctx);
}

static void need_a_pool(void *argument)
{
    uint64_t count = 0;
    (void)argument;
    setenv("FILCH_WORKERS", "none", 1);
    xt_expect_equal(filch_scope_run(scope_without_pool, &count), EINVAL);
    xt_expect_equal(count, 0);
    xt_expect_equal(filch_for_with(NULL, 0, 10, add_range, &count), 0);
    xt_expect_equal(count, 10);
}

xt_define(a_scope_without_a_pool_says_so)
{
    xt_expect_child(need_a_pool, NULL, "a scope without a pool");
}

static void use_one_cpu(void *argument)
{
    (void)argument;
    xt_use_one_cpu(true);
    struct filch_pool *pool = NULL;
    xt_expect_equal(filch_pool_create(&pool, NULL), 0);
    xt_expect_equal(filch_pool_width(pool), 1);
    uint64_t sum = 0;
    filch_for(0, 100000, add_range, &sum);
    FILCH_SCOPE (s) {
        for (int i = 0; i < 1000; i++)
            xt_expect_equal(filch_scope_spawn(s, add_one, &sum), 0);
    }
    xt_expect_equal(sum, 101000);
    xt_expect_equal(filch_pool_destroy(pool), 0);
}

xt_define(everything_works_on_one_cpu)
{
    xt_skip_if_emulated();
    xt_expect_child(use_one_cpu, NULL, "one CPU");
}

static void exit_at_once(void *argument)
{
    struct filch_pool *pool = NULL;
    xt_expect_equal(filch_pool_create(&pool, NULL), 0);
    for (int i = 0; i < 100; i++) {
        xt_expect_equal(filch_pool_spawn(NULL, NULL, NULL, add_one, argument), 0);
        xt_expect_equal(filch_pool_spawn(pool, NULL, NULL, add_one, argument), 0);
    }
    if (xt_take_failures() == 0)
        exit(0); /* with its handlers, while the workers are at it */
}

xt_define(a_process_ends_while_its_pools_work)
{
    xt_skip_if_emulated();
    static uint64_t count;
    for (size_t i = 0; i < xt_scaled(100); i++)
        xt_expect_child(exit_at_once, &count, "exit");
}

enum { FIRST_USERS = 8 };

static void *use_first(void *pool)
{
    xt_expect_equal(filch_pool_default(pool), 0);
    return NULL;
}

static void use_together(void *unused)
{
    struct filch_pool *pools[FIRST_USERS] = {NULL};
    (void)unused;
    xt_run_threads(FIRST_USERS, use_first, pools, sizeof pools[0]);
    for (int i = 0; i < FIRST_USERS; i++)
        xt_expect(pools[i] != NULL && pools[i] == pools[0]);
}

xt_define(many_threads_start_one_default_pool)
{
    xt_skip_if_emulated();
    for (size_t i = 0; i < xt_scaled(50); i++)
        xt_expect_child(use_together, NULL, "the first use of the default pool");
}

/* --- fork --- */

static int barrier_error; /* of the parent */

static void wait_at(void *gate)
{
    xt_expect_equal(filch_latch_wait(gate), 0);
}

struct heritage {
    struct filch_pool *pool;
    struct filch_pool *standard;
    struct filch_task *task; /* NULL: none */
};

static void inherit(void *argument)
{
    struct heritage *h = argument;
    uint64_t count = 0;
    struct filch_task *task = NULL;
    struct filch_pool_stats stats;
    char text[64];
    void *args[1] = {&count};
    /* What the parent's channels rely on in the child, before a pool has prepared it there. */
    xt_expect_equal(filch__os->barrier(), barrier_error);
    struct filch_for_options options = {.pool = h->pool};
    xt_expect_equal(filch_pool_spawn(h->pool, &task, NULL, add_one, &count), EPERM);
    xt_expect_equal(filch_pool_spawn_batch(h->pool, add_one, args, 1), EPERM);
    xt_expect_equal(filch_pool_install(h->pool, add_one, &count), EPERM);
    xt_expect_equal(filch_for_with(&options, 0, 10, add_range, &count), EPERM);
    xt_expect_equal(filch_pool_shutdown(h->pool, FILCH_DRAIN, FILCH_FOREVER), EPERM);
    xt_expect_equal(filch_pool_stats(h->pool, &stats), EPERM);
    xt_expect_equal(filch_pool_describe(h->pool, text, sizeof text), EPERM);
    xt_expect_equal(filch_pool_width(h->pool), 0);
    xt_expect_equal(filch_pool_places(h->pool), 0);
    if (h->task != NULL) {
        xt_expect_equal(filch_task_join(h->task), EPERM);
        xt_expect_equal(filch_task_join_until(h->task, 0), EPERM);
        xt_expect_equal(filch_task_cancel(h->task), EPERM);
    }
    xt_expect_equal(filch_pool_spawn(h->standard, &task, NULL, add_one, &count), EPERM);
    xt_expect_equal(filch_pool_destroy(h->standard), EPERM);
    xt_expect_equal(filch_pool_destroy(h->pool), 0);
    xt_expect_equal(count, 0);
    xt_expect(filch_pool_current() == NULL);
    xt_expect_equal(filch_worker_index(), FILCH_NOT_A_WORKER);

    /* The default pool is there anew. */
    filch_for(0, 100000, add_range, &count);
    filch_join(add_one, &count, add_one, &count);
    FILCH_SCOPE (s) {
        for (int i = 0; i < 1000; i++)
            xt_expect_equal(filch_scope_spawn(s, add_one, &count), 0);
    }
    xt_expect_equal(filch_pool_spawn(NULL, &task, NULL, add_one, &count), 0);
    xt_expect_equal(filch_task_join(task), 0);
    xt_expect_equal(count, 100000 + 2 + 1000 + 1);
    struct filch_pool *standard = NULL;
    struct filch_pool *fresh = NULL;
    xt_expect_equal(filch_pool_default(&standard), 0);
    xt_expect(standard != h->standard);
    xt_expect_equal(filch_pool_create(&fresh, NULL), 0);
    xt_expect_equal(filch_pool_install(fresh, add_one, &count), 0);
    xt_expect_equal(filch_pool_destroy(fresh), 0);
}

static void inherit_twice(void *argument)
{
    inherit(argument);
    struct heritage h = {0};
    xt_expect_equal(filch_pool_create(&h.pool, NULL), 0);
    xt_expect_equal(filch_pool_default(&h.standard), 0);
    xt_expect_child(inherit, &h, "a grandchild");
    xt_expect_equal(filch_pool_destroy(h.pool), 0);
}

static struct heritage begin_heritage(void)
{
    struct heritage h = {0};
    assert_int_equal(filch_pool_create(&h.pool, NULL), 0);
    assert_int_equal(filch_pool_default(&h.standard), 0);
    barrier_error = filch__os->barrier();
    uint64_t count = 0;
    assert_int_equal(filch_pool_install(h.pool, add_one, &count), 0);
    assert_int_equal(filch_pool_install(NULL, add_one, &count), 0);
    filch_for(0, 1000, add_range, &count);
    return h;
}

xt_define(a_child_begins_anew)
{
    xt_skip_if_emulated();
    if (XT_TSAN || XT_ASAN)
        skip(); /* the locks of their runtimes do not survive a fork beside other threads */
    struct heritage h = begin_heritage();
    uint64_t ran = 0;
    assert_int_equal(filch_pool_spawn(h.pool, &h.task, NULL, add_one, &ran), 0);
    xt_expect_child(inherit, &h, "a child");
    xt_expect_child(inherit_twice, &h, "a child that forks");
    /* Nothing of this has touched the parent. */
    uint64_t count = 0;
    assert_int_equal(filch_task_join(h.task), 0);
    assert_int_equal(ran, 1);
    filch_for(0, 1000, add_range, &count);
    assert_int_equal(filch_pool_install(h.pool, add_one, &count), 0);
    assert_int_equal(count, 1001);
    assert_int_equal(filch_pool_destroy(h.pool), 0);
}

/* What a thread holds that is about to cancel a task. */
struct held_ending {
    struct filch_task *task;
    struct filch_semaphore is_held;
    struct filch_latch may_go;
};

static void hold(void *argument)
{
    struct held_ending *h = argument;
    filch_semaphore_release(&h->is_held, 1);
    xt_expect_equal(filch_latch_wait(&h->may_go), 0);
}

static void *hold_ending(void *argument)
{
    struct held_ending *h = argument;
    struct filch_task *task = filch__task_handle_find(h->task);
    filch__ending_precede(&task->place.ending, filch__task_use(h->task), hold, h);
    return NULL;
}

static void detach(void *task)
{
    (void)alarm(10);
    filch_task_detach(task);
    xt_expect(filch__task_handle_find(task) == NULL);
}

xt_define(a_child_gives_up_a_handle_that_is_in_use)
{
    xt_skip_if_emulated();
    if (XT_TSAN || XT_ASAN)
        skip(); /* the locks of their runtimes do not survive a fork beside other threads */
    struct filch_pool *pool = NULL;
    struct filch_latch gate = FILCH_LATCH_INIT(1);
    struct held_ending h = {.is_held = FILCH_SEMAPHORE_INIT(0), .may_go = FILCH_LATCH_INIT(1)};
    pthread_t thread;
    assert_int_equal(filch_pool_create(&pool, NULL), 0);
    assert_int_equal(filch_pool_spawn(pool, &h.task, NULL, wait_at, &gate), 0);
    assert_int_equal(pthread_create(&thread, NULL, hold_ending, &h), 0);
    assert_int_equal(filch_semaphore_acquire(&h.is_held), 0);
    xt_expect_child(detach, h.task, "a child that detaches");
    filch_latch_count_down(&h.may_go);
    assert_int_equal(pthread_join(thread, NULL), 0);
    filch_latch_count_down(&gate);
    assert_int_equal(filch_task_join(h.task), 0);
    assert_int_equal(filch_pool_destroy(pool), 0);
}

/* Forks while the pool's last worker asks hwloc. */
static void fork_at_once(void *unused)
{
    uint64_t count = 0;
    char text[64];
    (void)unused;
    filch_join(add_one, &count, add_one, &count);
    pid_t child = fork();
    if (child == 0) {
        filch_join(add_one, &count, add_one, &count);
        _exit(count == 4 && filch_pool_describe(NULL, text, sizeof text) == 0 ? 0 : 1);
    }
    int status = -1;
    xt_expect_equal(waitpid(child, &status, 0), child);
    xt_expect_equal(status, 0);
    xt_expect_equal(filch_pool_describe(NULL, text, sizeof text), 0);
}

xt_define(a_child_of_a_pool_that_begins_begins_anew)
{
    xt_skip_if_emulated();
    if (XT_TSAN || XT_ASAN)
        skip(); /* the locks of their runtimes do not survive a fork beside other threads */
    for (size_t i = 0; i < xt_scaled(50); i++)
        xt_expect_child(fork_at_once, NULL, "a fork at once");
}

struct noise {
    struct filch_pool *pool;
    uint32_t stop;
    uint64_t count;
};

static void *make_noise(void *argument)
{
    struct noise *n = argument;
    while (!__atomic_load_n(&n->stop, __ATOMIC_ACQUIRE)) {
        struct filch_task *task;
        xt_expect_equal(filch_pool_spawn(n->pool, &task, NULL, add_one, &n->count), 0);
        filch_for(0, 1000, add_range, &n->count);
        xt_expect_equal(filch_task_join(task), 0);
    }
    return NULL;
}

/* Forks while the pools' locks and queues are in use, so that the child finds them in any state. */
xt_define(a_child_of_a_busy_process_begins_anew)
{
    xt_skip_if_emulated();
    if (XT_TSAN || XT_ASAN)
        skip(); /* the locks of their allocators do not survive such a fork */
    struct heritage h = begin_heritage();
    struct noise noises[2] = {{.pool = h.pool}, {.pool = NULL}};
    pthread_t threads[2];
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, make_noise, &noises[i]), 0);
    for (size_t i = 0; i < xt_scaled(100); i++)
        xt_expect_child(inherit, &h, "a child of a busy process");
    for (int i = 0; i < 2; i++) {
        __atomic_store_n(&noises[i].stop, 1, __ATOMIC_RELEASE);
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    assert_int_equal(filch_pool_destroy(h.pool), 0);
}

static void fork_in_task(void *argument)
{
    xt_expect_child(inherit, argument, "a child of a task");
}

xt_define(a_task_forks)
{
    xt_skip_if_emulated();
    if (XT_TSAN || XT_ASAN)
        skip(); /* the locks of their runtimes do not survive a fork beside other threads */
    struct heritage h = begin_heritage();
    assert_int_equal(filch_pool_install(h.pool, fork_in_task, &h), 0);
    assert_int_equal(filch_pool_destroy(h.pool), 0);
}

/* The child leaves the scope as well, without tasks that others had. */
static void leave_inherited_scope(void *argument)
{
    struct heritage *h = argument;
    uint64_t count = 0;
    FILCH_SCOPE (s) {
        xt_expect_equal(filch_scope_spawn(s, add_one, &count), 0);
    }
    inherit(h);
}

xt_define(a_scope_body_forks)
{
    xt_skip_if_emulated();
    if (XT_TSAN || XT_ASAN)
        skip(); /* the locks of their runtimes do not survive a fork beside other threads */
    struct heritage h = begin_heritage();
    uint64_t count = 0;
    pid_t child = -1;
    FILCH_SCOPE (s) {
        for (int i = 0; i < 100; i++)
            xt_expect_equal(filch_scope_spawn(s, add_one, &count), 0);
        (void)fflush(NULL);
        child = fork();
        if (child == 0) {
            struct filch_task *task = NULL;
            (void)alarm(60);
            xt_expect_equal(filch_scope_spawn(s, add_one, &count), EPERM);
            xt_expect_equal(filch_scope_spawn_task(s, &task, NULL, add_one, &count), EPERM);
            xt_expect_equal(filch_scope_cancel(s), EPERM);
            xt_expect_equal(filch_scope_set_deadline(s, 0), EPERM);
        }
    }
    if (child == 0) {
        leave_inherited_scope(&h);
        _exit(xt_take_failures() == 0 ? 0 : 1);
    }
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_int_equal(count, 100);
    assert_int_equal(filch_pool_destroy(h.pool), 0);
}

/* --- the child leaves the loop that it was begun in --- */

static void fork_in_body(size_t begin, size_t end, void *child)
{
    xt_expect_equal(end - begin, 1);
    (void)fflush(NULL);
    *(pid_t *)child = fork();
}

xt_define(a_loop_body_forks)
{
    xt_skip_if_emulated();
    if (XT_TSAN || XT_ASAN)
        skip(); /* the locks of their runtimes do not survive a fork beside other threads */
    pid_t child = -1;
    xt_expect_equal(filch_for(0, 1, fork_in_body, &child), 0);
    if (child == 0)
        _exit(xt_take_failures() == 0 ? 0 : 1);
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

/* Forks once, and the child takes its time, so that the loop looks at the clock. */
static void fork_in_short_body(size_t begin, size_t end, void *child)
{
    if (*(pid_t *)child != -2)
        return;
    xt_expect(begin < end);
    (void)fflush(NULL);
    *(pid_t *)child = fork();
    if (*(pid_t *)child == 0)
        xt_sleep_ns(20 * FILCH_MS);
}

xt_define(the_body_of_a_short_loop_forks)
{
    enum { COUNT = 64, LOOPS = 200, CHILDREN = 5 };
    xt_skip_if_emulated();
    if (XT_TSAN || XT_ASAN)
        skip(); /* see above */
    pid_t child = -1;
    for (int i = 0; i < LOOPS; i++) /* it is known to be short, then */
        xt_expect_equal(filch_for(0, COUNT, fork_in_short_body, &child), 0);
    for (int i = 0; i < CHILDREN; i++) {
        child = -2;
        xt_expect_equal(filch_for(0, COUNT, fork_in_short_body, &child), 0);
        if (child == 0)
            _exit(xt_take_failures() == 0 ? 0 : 1);
        int status = -1;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_int_equal(status, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        xt_test(the_environment_sets_defaults),
        xt_test(a_scope_without_a_pool_says_so),
        xt_test(everything_works_on_one_cpu),
        xt_test(a_process_ends_while_its_pools_work),
        xt_test(many_threads_start_one_default_pool),
        xt_test(a_child_begins_anew),
        xt_test(a_child_gives_up_a_handle_that_is_in_use),
        xt_test(a_child_of_a_pool_that_begins_begins_anew),
        xt_test(a_task_forks),
        xt_test(a_scope_body_forks),
        xt_test(a_loop_body_forks),
        xt_test(the_body_of_a_short_loop_forks),
        xt_test(a_child_of_a_busy_process_begins_anew),
    };
    return xt_run(tests);
}
