/* SPDX-License-Identifier: Apache-2.0 */
/* Raw threads: start, name, bind, join, detach; and what goes wrong. */
#define _GNU_SOURCE 1 /* names and affinities of threads */
#include "test.h"

#include <errno.h>
#include <filch/thread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

static void *return_argument(void *argument)
{
    return argument;
}

static int do_join(struct filch_thread *thread)
{
    return filch_thread_join(thread, NULL);
}

xt_define(bad_arguments_are_refused)
{
    struct filch_thread *thread = (void *)&thread;
    assert_int_equal(filch_thread_spawn(NULL, NULL, return_argument, NULL), EINVAL);
    assert_int_equal(filch_thread_spawn(&thread, NULL, NULL, NULL), EINVAL);
    assert_int_equal(filch_thread_join(NULL, NULL), EINVAL);
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
    assert_int_equal(filch_thread_join(thread, &result), 0);
    assert_ptr_equal(result, &here);
    assert_int_equal(filch_thread_spawn(&thread, NULL, return_argument, NULL), 0);
    assert_int_equal(filch_thread_join(thread, NULL), 0);
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
    self->result = filch_thread_join(self->thread, NULL);
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
}

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
    assert_int_equal(filch_thread_join(thread, NULL), 0);
    assert_int_equal(errno, ENOTTY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        xt_test(failures_leave_nothing_behind), /* first: it wants no other thread in the library */
        xt_test(bad_arguments_are_refused),
        xt_test(a_join_takes_the_result),
        xt_test(detached_threads_run),
        xt_test(a_thread_cannot_join_itself),
        xt_test(threads_have_names),
        xt_test(a_stack_is_as_large_as_asked_for),
        xt_test(a_thread_is_bound),
        xt_test(the_environment_sets_the_default_size),
        xt_test(errno_is_preserved),
    };
    return xt_run(tests);
}
