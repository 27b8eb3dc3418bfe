/* SPDX-License-Identifier: Apache-2.0 */
/* Raw threads: start, name, bind, join, detach; and what goes wrong. */
#define _GNU_SOURCE 1 /* names and affinities of threads */
#include "test.h"

#include <errno.h>
#include <filch/thread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void *return_argument(void *argument)
{
    return argument;
}

static int do_join(struct filch_thread *thread)
{
    return filch_thread_join(thread, NULL, NULL);
}

xt_define(bad_arguments_are_refused)
{
    struct filch_thread *thread = (void *)&thread;
    assert_int_equal(filch_thread_spawn(NULL, NULL, return_argument, NULL), EINVAL);
    assert_int_equal(filch_thread_spawn(&thread, NULL, NULL, NULL), EINVAL);
    assert_int_equal(filch_thread_join(NULL, NULL, NULL), EINVAL);
    assert_int_equal(filch_thread_detach(NULL), EINVAL);
    assert_null(filch_thread_name(NULL));
    struct filch_thread_attr attr = {.stack_size_bytes = SIZE_MAX};
    assert_int_equal(filch_thread_spawn(&thread, &attr, return_argument, NULL), EINVAL);
    attr.stack_size_bytes = SIZE_MAX / 2;
    int error = filch_thread_spawn(&thread, &attr, return_argument, NULL);
    assert_true(error == ENOMEM || error == EAGAIN || error == EINVAL);
    assert_ptr_equal(thread, (void *)&thread);
}

xt_define(a_join_takes_the_result)
{
    struct filch_thread *thread = NULL;
    int here = 0;
    void *result = NULL;
    assert_int_equal(filch_thread_spawn(&thread, NULL, return_argument, &here), 0);
    assert_null(filch_thread_name(thread));
    assert_int_equal(filch_thread_join(thread, &result, NULL), 0);
    assert_ptr_equal(result, &here);
    assert_int_equal(filch_thread_spawn(&thread, NULL, return_argument, NULL), 0);
    assert_int_equal(filch_thread_join(thread, NULL, NULL), 0);
}

static uint32_t detached_ran;

static void *note_run(void *argument)
{
    xt_sleep_ns((int64_t)(uintptr_t)argument);
    __atomic_fetch_add(&detached_ran, 1, __ATOMIC_ACQ_REL);
    return NULL;
}

xt_define(detached_threads_run)
{
    for (uintptr_t i = 0; i < 20; i++) {
        struct filch_thread *thread;
        assert_int_equal(filch_thread_spawn(&thread, NULL, note_run, (void *)(i * 10000)), 0);
        assert_int_equal(filch_thread_detach(thread), 0);
    }
    while (__atomic_load_n(&detached_ran, __ATOMIC_ACQUIRE) < 20)
        xt_sleep_ns(100000);
}

struct self {
    struct filch_thread *thread;
    uint32_t is_known;
    int result;
};

static void *join_self(void *argument)
{
    struct self *self = argument;
    while (!__atomic_load_n(&self->is_known, __ATOMIC_ACQUIRE))
        xt_sleep_ns(10000);
    self->result = filch_thread_join(self->thread, NULL, NULL);
    return NULL;
}

xt_define(a_thread_cannot_join_itself)
{
    struct self self = {0};
    assert_int_equal(filch_thread_spawn(&self.thread, NULL, join_self, &self), 0);
    __atomic_store_n(&self.is_known, 1, __ATOMIC_RELEASE);
    assert_int_equal(do_join(self.thread), 0);
    assert_int_equal(self.result, EDEADLK);
}

static void *read_name(void *argument)
{
    (void)pthread_getname_np(pthread_self(), argument, 16);
    return NULL;
}

static void expect_name(const char *name, const char *shown)
{
    char copy[80];
    char found[16] = "";
    struct filch_thread *thread;
    struct filch_thread_attr attr = {.name = copy};
    strcpy(copy, name);
    assert_int_equal(filch_thread_spawn(&thread, &attr, read_name, found), 0);
    memset(copy, 'x', sizeof copy - 1); /* the name has been copied */
    assert_string_equal(filch_thread_name(thread), name);
    assert_int_equal(do_join(thread), 0);
    if (!xt_is_emulated())
        assert_string_equal(found, shown);
}

xt_define(threads_have_names)
{
    expect_name("a", "a");
    expect_name("fifteen-bytes-x", "fifteen-bytes-x");
    expect_name("sixteen-bytes-xy", "sixteen-bytes-x");
    expect_name("a name that is much longer than the system can show of it", "a name that is ");
    struct filch_thread *thread;
    struct filch_thread_attr attr = {.name = ""};
    assert_int_equal(filch_thread_spawn(&thread, &attr, return_argument, NULL), 0);
    assert_null(filch_thread_name(thread));
    assert_int_equal(do_join(thread), 0);
}

static void *use_stack(void *argument)
{
    size_t size = *(size_t *)argument;
    volatile char *memory = __builtin_alloca(size);
    for (size_t i = 0; i < size; i += 1024)
        memory[i] = 1;
    return NULL;
}

xt_define(a_stack_is_as_large_as_asked_for)
{
    static const size_t sizes[] = {0, 1, 1 << 16, (1 << 20) + 1, 32 << 20};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct filch_thread *thread;
        struct filch_thread_attr attr = {.stack_size_bytes = sizes[i]};
        size_t used = sizes[i] < (1 << 20) ? 1024 : sizes[i] / 10 * 9;
        assert_int_equal(filch_thread_spawn(&thread, &attr, use_stack, &used), 0);
        assert_int_equal(do_join(thread), 0);
    }
}

static void *read_affinity(void *argument)
{
    xt_expect_equal(sched_getaffinity(0, sizeof(cpu_set_t), argument), 0);
    return NULL;
}

xt_define(a_thread_is_bound)
{
    cpu_set_t all;
    cpu_set_t one;
    cpu_set_t found;
    struct filch_thread *thread;
    assert_int_equal(sched_getaffinity(0, sizeof all, &all), 0);
    CPU_ZERO(&one);
    for (size_t cpu = 0; cpu < CPU_SETSIZE && CPU_COUNT(&one) == 0; cpu++) {
        if (CPU_ISSET(cpu, &all))
            CPU_SET(cpu, &one);
    }
    struct filch_thread_attr attr = {.affinity = &one, .affinity_size_bytes = sizeof one};
    assert_int_equal(filch_thread_spawn(&thread, &attr, read_affinity, &found), 0);
    assert_int_equal(do_join(thread), 0);
    assert_true(CPU_EQUAL(&found, &one));
    attr.affinity = NULL;
    assert_int_equal(filch_thread_spawn(&thread, &attr, read_affinity, &found), 0);
    assert_int_equal(do_join(thread), 0);
    assert_true(CPU_EQUAL(&found, &all));
    /* No such CPU, or none at all. */
    CPU_ZERO(&one);
    attr.affinity = &one;
    struct filch_thread *none = NULL;
    assert_int_not_equal(filch_thread_spawn(&none, &attr, read_affinity, &found), 0);
    assert_null(none);
}

struct size_setting {
    const char *value;
    int error;
};

static void try_size_setting(void *argument)
{
    const struct size_setting *setting = argument;
    struct filch_thread *thread;
    setenv("FILCH_STACK_SIZE", setting->value, 1);
    xt_expect_equal(filch_thread_spawn(&thread, NULL, return_argument, NULL), setting->error);
    if (setting->error == 0)
        xt_expect_equal(do_join(thread), 0);
    struct filch_thread_attr attr = {.stack_size_bytes = 1 << 20};
    xt_expect_equal(filch_thread_spawn(&thread, &attr, return_argument, NULL), 0);
    xt_expect_equal(do_join(thread), 0);
    if (setting->error != 0)
        return;
    setenv("FILCH_STACK_SIZE", "nonsense", 1); /* too late: it has been read */
    xt_expect_equal(filch_thread_spawn(&thread, NULL, return_argument, NULL), 0);
    xt_expect_equal(do_join(thread), 0);
}

/* In children of a process that has not read it. */
xt_define(the_environment_sets_the_default_size)
{
    xt_skip_if_emulated();
    struct size_setting settings[] = {{"", 0},       {"64K", 0},    {"1", 0},       {"8M", 0},
                                      {"0", EINVAL}, {"x", EINVAL}, {"1T", EINVAL}, {"-1", EINVAL}};
    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++)
        xt_expect_child(try_size_setting, &settings[i], settings[i].value);
}

xt_define(failures_leave_nothing_behind)
{
    for (uint64_t k = 1; k < 100; k++) {
        struct filch_thread *thread = NULL;
        struct filch_thread_attr attr = {.name = "fault"};
        xt_faults_install();
        xt_faults_arm(XT_ALL_FAULTS, k, XT_FAULT_ONCE);
        int error = filch_thread_spawn(&thread, &attr, return_argument, NULL);
        bool has_failed = xt_faults_disarm() > 0;
        if (error == 0)
            assert_int_equal(do_join(thread), 0);
        assert_int_equal(xt_faults_live_blocks(), 0);
        xt_faults_remove();
        assert_true(error == 0 || ((error == ENOMEM || error == EAGAIN) && thread == NULL));
        assert_int_equal(error != 0, has_failed);
        if (!has_failed)
            return;
    }
    fail();
}

xt_define(errno_is_preserved)
{
    struct filch_thread *thread;
    struct filch_thread_attr attr = {.name = "errno"};
    errno = ENOTTY;
    assert_int_equal(filch_thread_spawn(&thread, &attr, return_argument, NULL), 0);
    assert_int_equal(filch_thread_join(thread, NULL, NULL), 0);
    assert_int_equal(errno, ENOTTY);
}

static void *measure_stack(void *argument)
{
    pthread_attr_t attributes;
    void *lowest;
    size_t *sizes = argument;
    xt_expect_equal(pthread_getattr_np(pthread_self(), &attributes), 0);
    xt_expect_equal(pthread_attr_getstack(&attributes, &lowest, &sizes[0]), 0);
    xt_expect_equal(pthread_attr_getguardsize(&attributes, &sizes[1]), 0);
    (void)pthread_attr_destroy(&attributes);
    return NULL;
}

xt_define(a_default_stack_has_two_mebibytes)
{
    struct filch_thread *thread;
    size_t sizes[2] = {0, 0};
    assert_int_equal(filch_thread_spawn(&thread, NULL, measure_stack, sizes), 0);
    assert_int_equal(do_join(thread), 0);
    assert_true(sizes[0] >= (2 << 20));
    assert_true(sizes[0] < (2 << 20) + (1 << 18));
    assert_true(sizes[1] >= 4096);
}

static void *overflow(void *argument)
{
    volatile char memory[4096];
    memory[0] = 1;
    void *(*volatile again)(void *) = overflow;
    void *result = again(argument);
    return memory[0] != 0 ? result : NULL;
}

static void spawn_overflow(void *unused)
{
    struct filch_thread *thread;
    (void)unused;
    if (filch_thread_spawn(&thread, NULL, overflow, NULL) == 0)
        xt_expect_equal(do_join(thread), 0);
}

xt_define(a_stack_has_a_guard)
{
    xt_skip_if_emulated();
    struct xt_child child;
    xt_run_child(&child, spawn_overflow, NULL);
    assert_true(xt_child_faulted(&child));
}

/* Plain accesses on both sides: ThreadSanitizer sees whether something orders them. */
static void *add_to_plain(void *argument)
{
    *(int *)argument += 1;
    return NULL;
}

xt_define(the_spawn_happens_before_and_the_end_too)
{
    int plain = 0;
    for (int i = 0; i < 200; i++) {
        struct filch_thread *thread;
        plain++;
        assert_int_equal(filch_thread_spawn(&thread, NULL, add_to_plain, &plain), 0);
        if (i % 2 == 0)
            assert_int_equal(do_join(thread), 0);
        else
            assert_int_equal(
                filch_thread_join_until(thread, filch_deadline_in(60 * FILCH_S), NULL, NULL), 0);
        plain++;
    }
    assert_int_equal(plain, 600);
}

static void *leave(void *argument)
{
    pthread_exit(argument);
}

static unsigned drops;

static void count_drop(void *object)
{
    xt_expect(object != NULL);
    __atomic_fetch_add(&drops, 1, __ATOMIC_ACQ_REL);
}

static unsigned take_drops(void)
{
    return __atomic_exchange_n(&drops, 0, __ATOMIC_ACQ_REL);
}

xt_define(a_thread_may_leave_by_pthread_exit)
{
    struct filch_thread *thread;
    struct filch_thread_attr attr = {.arg_drop = count_drop};
    void *result = NULL;
    assert_int_equal(filch_thread_spawn(&thread, &attr, leave, &attr), 0);
    assert_int_equal(filch_thread_join(thread, &result, NULL), 0);
    assert_ptr_equal(result, &attr);
    assert_int_equal(take_drops(), 1);
}

/* --- a gate that threads wait at --- */

static void *wait_at(void *gate)
{
    while (!__atomic_load_n((uint32_t *)gate, __ATOMIC_ACQUIRE))
        xt_sleep_ns(20000);
    return gate;
}

static void open_gate(uint32_t *gate)
{
    __atomic_store_n(gate, 1, __ATOMIC_RELEASE);
}

xt_define(a_join_may_have_a_deadline)
{
    uint32_t gate = 0;
    struct filch_thread *thread;
    void *result = NULL;
    assert_int_equal(filch_thread_spawn(&thread, NULL, wait_at, &gate), 0);
    assert_int_equal(filch_thread_join_until(thread, 0, &result, NULL), ETIMEDOUT);
    int64_t deadline = filch_deadline_in(2 * FILCH_MS);
    assert_int_equal(filch_thread_join_until(thread, deadline, &result, NULL), ETIMEDOUT);
    assert_true(filch_now_ns() >= deadline);
    assert_null(result);
    assert_int_equal(filch_thread_is_finished(thread), 0);
    open_gate(&gate);
    assert_int_equal(filch_thread_join_until(thread, FILCH_FOREVER, &result, NULL), 0);
    assert_ptr_equal(result, &gate);
    assert_int_equal(filch_thread_join_until(NULL, 0, NULL, NULL), EINVAL);
}

static void finish(struct filch_thread *thread)
{
    while (!filch_thread_is_finished(thread))
        xt_sleep_ns(20000);
}

static pthread_key_t slow_key;
static uint32_t slow_is_done;

static void end_slowly(void *value)
{
    (void)value;
    xt_sleep_ns(3 * FILCH_MS);
    __atomic_store_n(&slow_is_done, 1, __ATOMIC_RELEASE);
}

static void *have_slow_destructor(void *argument)
{
    xt_expect_equal(pthread_setspecific(slow_key, argument), 0);
    return NULL;
}

xt_define(a_join_waits_for_the_destructors_of_others)
{
    assert_int_equal(pthread_key_create(&slow_key, end_slowly), 0);
    for (int i = 0; i < 2; i++) {
        struct filch_thread *thread;
        slow_is_done = 0;
        assert_int_equal(filch_thread_spawn(&thread, NULL, have_slow_destructor, &slow_key), 0);
        int64_t deadline = i == 0 ? FILCH_FOREVER : filch_deadline_in(60 * FILCH_S);
        assert_int_equal(filch_thread_join_until(thread, deadline, NULL, NULL), 0);
        assert_true(__atomic_load_n(&slow_is_done, __ATOMIC_ACQUIRE));
    }
    (void)pthread_key_delete(slow_key);
}

static void end_at_gate(void *gate)
{
    (void)wait_at(gate);
}

static void *have_gate(void *gate)
{
    xt_expect_equal(pthread_setspecific(slow_key, gate), 0);
    return NULL;
}

xt_define(a_deadline_counts_for_the_destructors_of_others_too)
{
    uint32_t gate = 0;
    struct filch_thread *thread;
    assert_int_equal(pthread_key_create(&slow_key, end_at_gate), 0);
    assert_int_equal(filch_thread_spawn(&thread, NULL, have_gate, &gate), 0);
    finish(thread);
    int64_t deadline = filch_deadline_in(2 * FILCH_MS);
    assert_int_equal(filch_thread_join_until(thread, deadline, NULL, NULL), ETIMEDOUT);
    open_gate(&gate);
    assert_int_equal(filch_thread_join_until(thread, FILCH_FOREVER, NULL, NULL), 0);
    (void)pthread_key_delete(slow_key);
}

/* ThreadSanitizer is not told how the last ones have gone before the counting ends. */
enum { COUNTS_BLOCKS = !XT_TSAN };

static void wait_for_blocks(int64_t count)
{
    while (COUNTS_BLOCKS && xt_faults_live_blocks() > count)
        xt_sleep_ns(20000);
    if (COUNTS_BLOCKS)
        assert_int_equal(xt_faults_live_blocks(), count);
}

xt_define(a_thread_may_be_detached_at_every_moment_of_its_end)
{
    uint32_t gate = 0;
    struct filch_thread *thread;
    if (COUNTS_BLOCKS)
        xt_faults_install();
    /* It has gone. */
    assert_int_equal(filch_thread_spawn(&thread, NULL, return_argument, NULL), 0);
    finish(thread);
    xt_sleep_ns(5 * FILCH_MS);
    assert_int_equal(filch_thread_detach(thread), 0);
    wait_for_blocks(0);
    /* It is in the destructors of others. */
    assert_int_equal(pthread_key_create(&slow_key, end_at_gate), 0);
    assert_int_equal(filch_thread_spawn(&thread, NULL, have_gate, &gate), 0);
    finish(thread);
    assert_int_equal(filch_thread_detach(thread), 0);
    wait_for_blocks(1);
    open_gate(&gate);
    wait_for_blocks(0);
    (void)pthread_key_delete(slow_key);
    /* Anywhere. */
    for (int i = 0; i < 500; i++) {
        assert_int_equal(filch_thread_spawn(&thread, NULL, return_argument, NULL), 0);
        for (volatile int spin = 0; spin < i * 100; spin++)
            continue;
        assert_int_equal(filch_thread_detach(thread), 0);
    }
    wait_for_blocks(0);
    if (COUNTS_BLOCKS)
        xt_faults_remove();
}

xt_define(it_is_known_whether_a_thread_has_finished)
{
    uint32_t gate = 0;
    struct filch_thread *thread;
    assert_int_equal(filch_thread_is_finished(NULL), 0);
    assert_int_equal(filch_thread_spawn(&thread, NULL, wait_at, &gate), 0);
    assert_int_equal(filch_thread_is_finished(thread), 0);
    struct filch_thread *reference = filch_thread_clone(thread);
    assert_int_equal(filch_thread_is_finished(reference), 0);
    open_gate(&gate);
    while (!filch_thread_is_finished(thread))
        xt_sleep_ns(20000);
    assert_int_equal(do_join(thread), 0);
    assert_int_equal(filch_thread_is_finished(reference), 1);
    filch_thread_drop(reference);
    /* Detached, and running. */
    gate = 0;
    assert_int_equal(filch_thread_spawn(&thread, NULL, wait_at, &gate), 0);
    reference = filch_thread_clone(thread);
    assert_int_equal(filch_thread_detach(thread), 0);
    assert_int_equal(filch_thread_is_finished(reference), 0);
    open_gate(&gate);
    while (!filch_thread_is_finished(reference))
        xt_sleep_ns(20000);
    filch_thread_drop(reference);
}

xt_define(a_reference_is_no_handle)
{
    struct filch_thread *thread;
    assert_int_equal(do_join(filch_thread_current()), EDEADLK);
    assert_int_equal(filch_thread_detach(filch_thread_current()), EINVAL);
    assert_int_equal(filch_thread_spawn(&thread, NULL, return_argument, NULL), 0);
    struct filch_thread *reference = filch_thread_clone(thread);
    assert_int_equal(do_join(reference), EINVAL);
    assert_int_equal(filch_thread_detach(reference), EINVAL);
    filch_thread_drop(reference);
    assert_int_equal(do_join(thread), 0);
}

static void wait_for_drops(unsigned count)
{
    while (__atomic_load_n(&drops, __ATOMIC_ACQUIRE) < count)
        xt_sleep_ns(20000);
}

xt_define(results_that_nobody_takes_are_dropped)
{
    uint32_t gate = 0;
    struct filch_thread *thread;
    struct filch_thread_attr attr = {.result_drop = count_drop};
    void *result = NULL;
    (void)take_drops();
    /* Taken. */
    assert_int_equal(filch_thread_spawn(&thread, &attr, return_argument, &attr), 0);
    assert_int_equal(filch_thread_join(thread, &result, NULL), 0);
    assert_ptr_equal(result, &attr);
    assert_int_equal(take_drops(), 0);
    /* Not wanted. */
    assert_int_equal(filch_thread_spawn(&thread, &attr, return_argument, &attr), 0);
    assert_int_equal(do_join(thread), 0);
    assert_int_equal(take_drops(), 1);
    /* Nothing there. */
    assert_int_equal(filch_thread_spawn(&thread, &attr, return_argument, NULL), 0);
    assert_int_equal(do_join(thread), 0);
    assert_int_equal(take_drops(), 0);
    /* Detached before the end; after it. */
    assert_int_equal(filch_thread_spawn(&thread, &attr, wait_at, &gate), 0);
    assert_int_equal(filch_thread_detach(thread), 0);
    assert_int_equal(__atomic_load_n(&drops, __ATOMIC_ACQUIRE), 0);
    open_gate(&gate);
    wait_for_drops(1);
    assert_int_equal(filch_thread_spawn(&thread, &attr, return_argument, &attr), 0);
    finish(thread);
    assert_int_equal(take_drops(), 1);
    assert_int_equal(filch_thread_detach(thread), 0);
    assert_int_equal(take_drops(), 1);
    /* Somewhere in between. */
    for (int i = 0; i < 200; i++) {
        assert_int_equal(filch_thread_spawn(&thread, &attr, return_argument, &attr), 0);
        assert_int_equal(filch_thread_detach(thread), 0);
    }
    wait_for_drops(200);
    xt_sleep_ns(FILCH_MS);
    assert_int_equal(take_drops(), 200);
}

xt_define(arguments_are_dropped_once)
{
    struct filch_thread *thread;
    struct filch_thread_attr attr = {.arg_drop = count_drop};
    (void)take_drops();
    assert_int_equal(filch_thread_spawn(&thread, &attr, return_argument, &attr), 0);
    assert_int_equal(do_join(thread), 0);
    assert_int_equal(take_drops(), 1);
    assert_int_equal(filch_thread_spawn(&thread, &attr, return_argument, &attr), 0);
    assert_int_equal(filch_thread_detach(thread), 0);
    wait_for_drops(1);
    assert_int_equal(take_drops(), 1);
}

xt_define(arguments_are_dropped_where_the_spawn_fails)
{
    struct filch_thread *thread = NULL;
    struct filch_thread_attr attr = {.arg_drop = count_drop};
    (void)take_drops();
    assert_int_equal(filch_thread_spawn(NULL, &attr, return_argument, &attr), EINVAL);
    assert_int_equal(take_drops(), 1);
    assert_int_equal(filch_thread_spawn(&thread, &attr, NULL, &attr), EINVAL);
    assert_int_equal(take_drops(), 1);
    for (uint64_t k = 1; k < 100; k++) {
        xt_faults_install();
        xt_faults_arm(XT_ALL_FAULTS, k, XT_FAULT_ONCE);
        int error = filch_thread_spawn(&thread, &attr, return_argument, &attr);
        bool has_failed = xt_faults_disarm() > 0;
        if (error == 0)
            assert_int_equal(do_join(thread), 0);
        xt_faults_remove();
        assert_int_equal(take_drops(), 1);
        if (!has_failed)
            return;
    }
    fail();
}

static void try_to_join(void *argument)
{
    xt_expect_equal(do_join(argument), EPERM);
    xt_expect_equal(filch_thread_detach(argument), EPERM);
    if (XT_TSAN)
        return; /* it takes the new thread for the parent's */
    struct filch_thread *thread;
    xt_expect_equal(filch_thread_spawn(&thread, NULL, return_argument, NULL), 0);
    xt_expect_equal(do_join(thread), 0);
}

xt_define(a_child_cannot_join_threads_of_its_parent)
{
    xt_skip_if_emulated();
    uint32_t gate = 0;
    struct filch_thread *thread;
    assert_int_equal(filch_thread_spawn(&thread, NULL, wait_at, &gate), 0);
    xt_expect_child(try_to_join, thread, "a forked child");
    open_gate(&gate);
    assert_int_equal(do_join(thread), 0);
}

static void end_with_threads(void *unused)
{
    static uint32_t gate; /* never opened */
    (void)unused;
    for (int i = 0; i < 10; i++) {
        struct filch_thread *thread;
        xt_expect_equal(filch_thread_spawn(&thread, NULL, wait_at, &gate), 0);
        if (i % 2 == 0)
            xt_expect_equal(filch_thread_detach(thread), 0);
    }
    exit(42); /* as main does when it returns */
}

static void say_dropped(void *unused)
{
    (void)unused;
    (void)!write(STDOUT_FILENO, "dropped\n", 8);
}

static void say_cleaned(int *unused)
{
    (void)unused;
    say_dropped(NULL);
}

static void *wait_with_handler(void *gate)
{
    int guard __attribute__((cleanup(say_cleaned))) = 0;
    __asm__ volatile("" : : "r"(&guard) : "memory");
    return wait_at(gate);
}

static void end_with_things_to_drop(void *unused)
{
    static uint32_t gate; /* never opened */
    struct filch_thread *thread;
    struct filch_thread_attr attr = {.arg_drop = say_dropped, .result_drop = say_dropped};
    (void)unused;
    xt_expect_equal(filch_thread_spawn(&thread, &attr, wait_with_handler, &gate), 0);
    xt_expect_equal(filch_thread_detach(thread), 0);
    xt_sleep_ns(5 * FILCH_MS); /* it is within its body by now, or never gets there */
    exit(42);
}

xt_define(the_end_of_main_cleans_nothing_up_elsewhere)
{
    xt_skip_if_emulated();
    struct xt_child child;
    xt_run_child(&child, end_with_things_to_drop, NULL);
    if (!XT_TSAN) /* which reports threads that are still there */
        assert_int_equal(child.status, 42 << 8);
    assert_null(strstr(child.output, "dropped"));
}

xt_define(the_end_of_main_ends_the_threads)
{
    xt_skip_if_emulated();
    struct xt_child child;
    xt_run_child(&child, end_with_threads, NULL);
    if (!XT_TSAN) /* which reports threads that are still there */
        assert_int_equal(child.status, 42 << 8);
#if defined(FILCH_DEBUG) && FILCH_DEBUG
    assert_non_null(strstr(child.output, "was neither joined nor detached"));
#else
    assert_null(strstr(child.output, "filch:"));
#endif
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        /* First: the process has not read its environment, and no other thread is in the library. */
        xt_test(the_environment_sets_the_default_size),
        xt_test(failures_leave_nothing_behind),
        xt_test(arguments_are_dropped_where_the_spawn_fails),
        xt_test(bad_arguments_are_refused),
        xt_test(a_join_takes_the_result),
        xt_test(detached_threads_run),
        xt_test(a_thread_cannot_join_itself),
        xt_test(threads_have_names),
        xt_test(a_stack_is_as_large_as_asked_for),
        xt_test(a_thread_is_bound),
        xt_test(errno_is_preserved),
        xt_test(a_default_stack_has_two_mebibytes),
        xt_test(a_stack_has_a_guard),
        xt_test(the_spawn_happens_before_and_the_end_too),
        xt_test(a_thread_may_leave_by_pthread_exit),
        xt_test(a_join_may_have_a_deadline),
        xt_test(a_join_waits_for_the_destructors_of_others),
        xt_test(a_deadline_counts_for_the_destructors_of_others_too),
        xt_test(a_thread_may_be_detached_at_every_moment_of_its_end),
        xt_test(it_is_known_whether_a_thread_has_finished),
        xt_test(a_reference_is_no_handle),
        xt_test(results_that_nobody_takes_are_dropped),
        xt_test(arguments_are_dropped_once),
        xt_test(a_child_cannot_join_threads_of_its_parent),
        xt_test(the_end_of_main_ends_the_threads),
        xt_test(the_end_of_main_cleans_nothing_up_elsewhere),
    };
    return xt_run(tests);
}
