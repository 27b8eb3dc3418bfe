/* SPDX-License-Identifier: Apache-2.0 */
/* Which CPUs this process may use, and the binding of threads to them: the real ones, and those of a
 * kernel with 1536 CPUs that this file plays to the library by standing before the affinity calls of
 * the C library. */
#define _GNU_SOURCE 1 /* sched_getaffinity */

#include "os/os.h"
#include "topology.h"

#include <errno.h>
#include <hwloc.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { FAKE_CPU_LIMIT = 1536, NO_FAKE = -1 };

/* What the fake kernel allows: one CPU to the main thread and one to all others. */
static int fake_cpu = NO_FAKE;
static int fake_main_cpu;
static int bind_calls;
static int bind_error; /* what the next bindings fail with; 0: they go to the real kernel or, while
                          a fake CPU is set, into bound_mask */
static unsigned char bound_mask[FAKE_CPU_LIMIT / 8];
static size_t bound_bytes;

int sched_getaffinity(pid_t thread, size_t size_bytes, cpu_set_t *mask)
{
    if (fake_cpu == NO_FAKE) {
        memset(mask, 0, size_bytes);
        return syscall(SYS_sched_getaffinity, thread, size_bytes, mask) < 0 ? -1 : 0;
    }
    if (size_bytes < FAKE_CPU_LIMIT / 8) {
        errno = EINVAL;
        return -1;
    }
    memset(mask, 0, size_bytes);
    CPU_SET_S((size_t)(thread == getpid() ? fake_main_cpu : fake_cpu), size_bytes, mask);
    return 0;
}

int sched_setaffinity(pid_t thread, size_t size_bytes, const cpu_set_t *mask)
{
    bind_calls++;
    if (bind_error != 0) {
        errno = bind_error;
        return -1;
    }
    if (fake_cpu != NO_FAKE) {
        bound_bytes = size_bytes;
        memcpy(bound_mask, mask, size_bytes < sizeof bound_mask ? size_bytes : sizeof bound_mask);
        return 0;
    }
    return (int)syscall(SYS_sched_setaffinity, thread, size_bytes, mask);
}

static struct topology *create(const struct topology_source *source)
{
    struct topology *t = NULL;
    errno = ENOTTY;
    assert_int_equal(filch__topology_create(&t, source), 0);
    assert_int_equal(errno, ENOTTY);
    assert_non_null(t);
    return t;
}

static hwloc_topology_t hwloc_synthetic(const char *description, unsigned long flags)
{
    hwloc_topology_t machine;
    assert_int_equal(hwloc_topology_init(&machine), 0);
    assert_int_equal(hwloc_topology_set_flags(machine, flags), 0);
    assert_int_equal(hwloc_topology_set_synthetic(machine, description), 0);
    assert_int_equal(hwloc_topology_load(machine), 0);
    return machine;
}

/* The PUs are exactly the CPUs of the mask, in whatever order. */
static bool is_mask(const struct topology *t, const cpu_set_t *mask)
{
    bool is_equal = t->pu_count == (uint32_t)CPU_COUNT(mask);
    for (uint32_t i = 0; i < t->pu_count; i++)
        is_equal = is_equal && CPU_ISSET(t->pus[i].os_index, mask);
    return is_equal;
}

static void this_machine_is_its_mask_and_stays_unbound(void **state)
{
    (void)state;
    cpu_set_t before;
    cpu_set_t after;
    assert_int_equal(sched_getaffinity(0, sizeof before, &before), 0);
    bind_calls = 0;
    struct topology *t = create(NULL);
    assert_int_equal(bind_calls, 0);
    assert_int_equal(sched_getaffinity(0, sizeof after, &after), 0);
    assert_true(CPU_EQUAL(&before, &after));
    assert_true(t->is_this_machine);
    assert_true(is_mask(t, &before));
    filch__topology_destroy(t);
}

/* Runs body(argument) in a child; a result of true is expected there. */
static void expect_in_child(bool (*body)(const cpu_set_t *), const cpu_set_t *argument)
{
    pid_t child = fork();
    assert_int_not_equal(child, -1);
    if (child == 0)
        _exit(body(argument) ? 0 : 1);
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

static bool main_is_narrow(const cpu_set_t *one)
{
    struct topology *t;
    if (sched_setaffinity(0, sizeof *one, one) != 0 || filch__topology_create(&t, NULL) != 0)
        return false;
    bool is_right = is_mask(t, one) && filch__topology_width(t) == 1;
    filch__topology_destroy(t);
    return is_right;
}

static void *create_while_narrow(void *one)
{
    struct topology *t = NULL;
    if (sched_setaffinity(0, sizeof(cpu_set_t), one) != 0 || filch__topology_create(&t, NULL) != 0)
        return NULL;
    return t;
}

/* A thread that is bound to one CPU asks, and the rest of the process is not bound. */
static bool caller_is_narrow(const cpu_set_t *one)
{
    cpu_set_t all;
    cpu_set_t narrow = *one;
    pthread_t thread;
    void *result = NULL;
    if (sched_getaffinity(0, sizeof all, &all) != 0 ||
        pthread_create(&thread, NULL, create_while_narrow, &narrow) != 0 ||
        pthread_join(thread, &result) != 0 || result == NULL)
        return false;
    struct topology *t = result;
    bool is_right = is_mask(t, &all);
    filch__topology_destroy(t);
    return is_right;
}

static void *wait_for_lock(void *lock)
{
    pthread_mutex_lock(lock);
    pthread_mutex_unlock(lock);
    return NULL;
}

/* A background thread that may run anywhere does not give its freedom to the process. */
static bool bystander_is_wide(const cpu_set_t *one)
{
    pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    pthread_t bystander;
    pthread_mutex_lock(&lock);
    if (pthread_create(&bystander, NULL, wait_for_lock, &lock) != 0)
        return false;
    bool is_right = main_is_narrow(one);
    pthread_mutex_unlock(&lock);
    return pthread_join(bystander, NULL) == 0 && is_right;
}

static void masks_limit_the_process(void **state)
{
    (void)state;
    cpu_set_t all;
    assert_int_equal(sched_getaffinity(0, sizeof all, &all), 0);
    size_t last = 0;
    for (size_t cpu = 0; cpu < CPU_SETSIZE; cpu++)
        last = CPU_ISSET(cpu, &all) ? cpu : last;
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(last, &one);
    expect_in_child(main_is_narrow, &one);
    expect_in_child(caller_is_narrow, &one);
    expect_in_child(bystander_is_wide, &one);
}

static void mask_beyond_cpu_1024(void **state)
{
    (void)state;
    /* hwloc knows nothing of CPU 1500 here, so the mask alone is believed. */
    fake_cpu = fake_main_cpu = 1500;
    struct topology *t = create(NULL);
    fake_cpu = NO_FAKE;
    assert_true(t->is_this_machine);
    assert_int_equal(t->pu_count, 1);
    assert_int_equal(t->core_count, 1);
    assert_int_equal(t->pus[0].os_index, 1500);
    assert_int_equal(t->cpu_limit, 1501);
    filch__topology_destroy(t);

    hwloc_topology_t machine = hwloc_synthetic("core:1024 pu:2", HWLOC_TOPOLOGY_FLAG_IS_THISSYSTEM);
    fake_cpu = fake_main_cpu = 1500;
    t = create(&(struct topology_source){.hwloc_topology = machine});
    fake_cpu = NO_FAKE;
    hwloc_topology_destroy(machine);
    assert_int_equal(t->pu_count, 1);
    assert_int_equal(t->pus[0].os_index, 1500);
    assert_int_equal(t->pus[0].group[TOPOLOGY_CORE], 750);
    filch__topology_destroy(t);
}

/* Binds to each place in turn and looks at what the kernel says afterwards. */
static bool places_are_taken(const cpu_set_t *all)
{
    struct topology *t;
    if (filch__topology_create(&t, NULL) != 0)
        return false;
    size_t count = t->pu_count;
    struct placement *places = calloc(count, sizeof *places);
    bool is_right =
        places != NULL && filch__topology_place(t, count, FILCH_BIND_CORES, places) == 0;
    for (size_t i = 0; is_right && i < count; i++) {
        cpu_set_t now;
        cpu_set_t expected;
        CPU_ZERO(&expected);
        for (uint32_t k = 0; k < places[i].pu_count; k++)
            CPU_SET(t->pus[places[i].first_pu + k].os_index, &expected);
        is_right = filch__topology_bind_self(&places[i]) == 0 &&
                   sched_getaffinity(0, sizeof now, &now) == 0 && CPU_EQUAL(&now, &expected);
    }
    /* Not pinned: back to everything, whatever the thread was bound to before. */
    cpu_set_t now;
    is_right = is_right && filch__topology_place(t, 1, FILCH_BIND_NONE, places) == 0 &&
               filch__topology_bind_self(&places[0]) == 0 &&
               sched_getaffinity(0, sizeof now, &now) == 0 && CPU_EQUAL(&now, all);
    free(places);
    filch__topology_destroy(t);
    return is_right;
}

static void masks_of_caller_and_main_thread_are_united(void **state)
{
    (void)state;
    fake_cpu = 1400;
    fake_main_cpu = 70;
    struct topology *t = create(NULL);
    fake_cpu = NO_FAKE;
    assert_int_equal(t->pu_count, 2);
    assert_int_equal(t->core_count, 2);
    assert_int_equal(t->pus[0].os_index, 70);
    assert_int_equal(t->pus[1].os_index, 1400);
    filch__topology_destroy(t);
}

static void binding_takes_effect(void **state)
{
    (void)state;
    cpu_set_t all;
    assert_int_equal(sched_getaffinity(0, sizeof all, &all), 0);
    expect_in_child(places_are_taken, &all);
}

static void *alloc_nothing(size_t size_bytes, size_t align_bytes)
{
    (void)size_bytes;
    (void)align_bytes;
    return NULL;
}

static int bind_without_memory(const struct placement *place)
{
    struct os_table table = filch__os_linux;
    table.alloc = alloc_nothing;
    filch__os_replace(&table);
    int error = filch__topology_bind_self(place);
    filch__os_replace(NULL);
    return error;
}

static void binding_beyond_cpu_1024(void **state)
{
    (void)state;
    fake_cpu = fake_main_cpu = 1500;
    struct topology *t = create(NULL);
    struct placement place;
    assert_int_equal(filch__topology_place(t, 1, FILCH_BIND_DEFAULT, &place), 0);
    assert_int_equal(bind_without_memory(&place), ENOMEM);
    assert_int_equal(filch__topology_bind_self(&place), 0);
    fake_cpu = NO_FAKE;
    assert_in_range(bound_bytes, 1501 / 8 + 1, FAKE_CPU_LIMIT / 8);
    for (size_t cpu = 0; cpu < FAKE_CPU_LIMIT; cpu++)
        assert_int_equal((bound_mask[cpu / 8] >> cpu % 8) & 1, cpu == 1500);
    filch__topology_destroy(t);
}

static void failed_binding_is_reported(void **state)
{
    (void)state;
    struct topology *t = create(NULL);
    struct placement place;
    assert_int_equal(filch__topology_place(t, 1, FILCH_BIND_NONE, &place), 0);
    bind_error = EINVAL;
    errno = ENOTTY;
    assert_int_equal(filch__topology_bind_self(&place), EINVAL);
    assert_int_equal(errno, ENOTTY);
    bind_error = 0;
    assert_int_equal(bind_without_memory(&place), place.topology->cpu_limit <= 1024 ? 0 : ENOMEM);
    assert_int_equal(filch__topology_bind_self(NULL), EINVAL);
    filch__topology_destroy(t);
}

static void machine_elsewhere_is_not_bound_to(void **state)
{
    (void)state;
    struct topology *t = create(&(struct topology_source){.synthetic = "core:2 pu:2"});
    struct placement place;
    assert_int_equal(filch__topology_place(t, 1, FILCH_BIND_CORES, &place), 0);
    bind_calls = 0;
    assert_int_equal(filch__topology_bind_self(&place), 0);
    assert_int_equal(bind_calls, 0);
    filch__topology_destroy(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(this_machine_is_its_mask_and_stays_unbound),
        cmocka_unit_test(masks_limit_the_process),
        cmocka_unit_test(mask_beyond_cpu_1024),
        cmocka_unit_test(masks_of_caller_and_main_thread_are_united),
        cmocka_unit_test(binding_takes_effect),
        cmocka_unit_test(binding_beyond_cpu_1024),
        cmocka_unit_test(failed_binding_is_reported),
        cmocka_unit_test(machine_elsewhere_is_not_bound_to),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
