/* SPDX-License-Identifier: Apache-2.0 */
/* Where workers go and whom they steal from, on synthetic machines. */
#define _GNU_SOURCE 1

#include "topology.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum { COUNT_MAX = 300 };

static struct topology *topology;
static struct placement places[COUNT_MAX];
static uint32_t order[COUNT_MAX];

static void use(const char *description)
{
    const struct topology_source source = {.synthetic = description};
    filch__topology_destroy(topology);
    topology = NULL;
    assert_int_equal(filch__topology_create(&topology, &source), 0);
}

static int teardown(void **state)
{
    (void)state;
    filch__topology_destroy(topology);
    topology = NULL;
    return 0;
}

static void place(size_t count, enum filch_bind policy)
{
    memset(places, 0xff, sizeof places);
    assert_int_equal(filch__topology_place(topology, count, policy, places), 0);
}

static void expect_place(size_t worker, uint32_t first_pu, uint32_t pu_count, const char *name)
{
    assert_ptr_equal(places[worker].topology, topology);
    assert_int_equal(places[worker].first_pu, first_pu);
    assert_int_equal(places[worker].pu_count, pu_count);
    assert_string_equal(places[worker].name, name);
}

static void expect_unpinned(size_t count)
{
    for (size_t i = 0; i < count; i++) {
        assert_false(places[i].is_pinned);
        assert_int_equal(places[i].first_pu, 0);
        assert_int_equal(places[i].pu_count, topology->pu_count);
        assert_int_equal(places[i].efficiency, -1);
    }
}

static void bad_arguments_are_refused(void **state)
{
    (void)state;
    use("core:2 pu:2");
    place(2, FILCH_BIND_NONE);
    assert_int_equal(filch__topology_place(NULL, 1, FILCH_BIND_NONE, places), EINVAL);
    assert_int_equal(filch__topology_place(topology, 0, FILCH_BIND_NONE, places), EINVAL);
    assert_int_equal(filch__topology_place(topology, 1, FILCH_BIND_NONE, NULL), EINVAL);
    assert_int_equal(filch__topology_place(topology, 1, (enum filch_bind)3, places), EINVAL);
    assert_int_equal(filch__topology_victims(NULL, places, 2, 0, order), EINVAL);
    assert_int_equal(filch__topology_victims(topology, NULL, 2, 0, order), EINVAL);
    assert_int_equal(filch__topology_victims(topology, places, 2, 2, order), EINVAL);
    assert_int_equal(filch__topology_victims(topology, places, 2, 0, NULL), EINVAL);
    assert_int_equal(filch__topology_victims(topology, places, 0, 0, order), EINVAL);
    assert_int_equal(filch__topology_victims(topology, places, 1, 0, NULL), 0);
}

static void one_worker_per_core(void **state)
{
    (void)state;
    use("pack:2 core:2 pu:2");
    place(4, FILCH_BIND_DEFAULT);
    expect_place(0, 0, 2, "core 0 (PUs 0,1)");
    expect_place(1, 2, 2, "core 1 (PUs 2,3)");
    expect_place(2, 4, 2, "core 2 (PUs 4,5)");
    expect_place(3, 6, 2, "core 3 (PUs 6,7)");
    assert_true(places[0].is_pinned && places[3].is_pinned);
}

static void one_worker_per_pu(void **state)
{
    (void)state;
    use("core:4 pu:2");
    place(8, FILCH_BIND_DEFAULT);
    expect_place(0, 0, 1, "core 0 (PU 0)");
    expect_place(3, 6, 1, "core 3 (PU 6)");
    expect_place(4, 1, 1, "core 0 (PU 1)");
    expect_place(7, 7, 1, "core 3 (PU 7)");
    place(6, FILCH_BIND_DEFAULT); /* between the numbers of cores and PUs: no two on one PU */
    expect_place(3, 6, 1, "core 3 (PU 6)");
    expect_place(5, 3, 1, "core 1 (PU 3)");
}

static void narrow_pool_is_not_pinned(void **state)
{
    (void)state;
    use("core:4 pu:2");
    place(3, FILCH_BIND_DEFAULT);
    expect_unpinned(3);
    expect_place(2, 0, 8, "any of 8 PUs");
    place(3, FILCH_BIND_CORES);
    expect_place(2, 4, 2, "core 2 (PUs 4,5)");
    assert_true(places[2].is_pinned);
}

static void no_binding_is_obeyed(void **state)
{
    (void)state;
    use("core:4 pu:1");
    place(4, FILCH_BIND_NONE);
    expect_unpinned(4);
}

static void crowded_pool_is_not_pinned(void **state)
{
    (void)state;
    static const enum filch_bind policies[] = {FILCH_BIND_DEFAULT, FILCH_BIND_CORES,
                                               FILCH_BIND_NONE};
    use("core:2 pu:2");
    for (size_t i = 0; i < 3; i++) {
        place(64, policies[i]);
        expect_unpinned(64);
    }
}

static void quota_prevents_pinning(void **state)
{
    (void)state;
    use("core:4 pu:1");
    topology->quota_milli_cpus = 3999;
    assert_int_equal(filch__topology_width(topology), 3);
    place(4, FILCH_BIND_DEFAULT);
    expect_unpinned(4);
    place(4, FILCH_BIND_CORES);
    assert_true(places[0].is_pinned);
    topology->quota_milli_cpus = 4000;
    place(4, FILCH_BIND_DEFAULT);
    assert_true(places[0].is_pinned);
    topology->quota_milli_cpus = 1;
    assert_int_equal(filch__topology_width(topology), 1);
}

static void single_pu(void **state)
{
    (void)state;
    use("core:1 pu:1");
    assert_int_equal(filch__topology_width(topology), 1);
    place(1, FILCH_BIND_DEFAULT);
    expect_place(0, 0, 1, "core 0 (PU 0)");
    place(2, FILCH_BIND_DEFAULT);
    expect_place(1, 0, 1, "any of 1 PU");
}

/* Two slow cores before two fast ones with two PUs each; the machine numbers them in this order. */
static void use_hybrid(void)
{
    use("core:4 pu:2");
    static const struct topology_pu pus[] = {
        {.os_index = 0, .group = {0}, .sibling = 0, .efficiency = 0},
        {.os_index = 1, .group = {1, 1}, .sibling = 0, .efficiency = 0},
        {.os_index = 2, .group = {2, 2}, .sibling = 0, .efficiency = 1},
        {.os_index = 3, .group = {2, 2}, .sibling = 1, .efficiency = 1},
        {.os_index = 4, .group = {3, 3}, .sibling = 0, .efficiency = 1},
        {.os_index = 5, .group = {3, 3}, .sibling = 1, .efficiency = 1},
    };
    memcpy(topology->pus, pus, sizeof pus);
    topology->pu_count = 6;
}

static void fast_cores_come_first(void **state)
{
    (void)state;
    use_hybrid();
    place(4, FILCH_BIND_DEFAULT);
    expect_place(0, 2, 2, "core 2 (PUs 2,3)");
    expect_place(1, 4, 2, "core 3 (PUs 4,5)");
    expect_place(2, 0, 1, "core 0 (PU 0)");
    expect_place(3, 1, 1, "core 1 (PU 1)");
    assert_int_equal(places[0].efficiency, 1);
    assert_int_equal(places[3].efficiency, 0);
    /* A second thread on a fast core is worth less than a slow core that is free. */
    place(6, FILCH_BIND_DEFAULT);
    static const uint32_t pus[] = {2, 4, 0, 1, 3, 5};
    for (size_t i = 0; i < 6; i++)
        assert_int_equal(places[i].first_pu, pus[i]);
}

/* Whatever the machine: all others exactly once, the near ones first. */
static void expect_valid_order(size_t count, size_t self)
{
    bool seen[COUNT_MAX] = {false};
    unsigned last = 0;
    memset(order, 0xff, sizeof order);
    assert_int_equal(filch__topology_victims(topology, places, count, self, order), 0);
    for (size_t i = 0; i + 1 < count; i++) {
        assert_in_range(order[i], 0, count - 1);
        assert_true(order[i] != self && !seen[order[i]]);
        seen[order[i]] = true;
        unsigned distance = filch__topology_distance(&places[self], &places[order[i]]);
        assert_true(distance >= last);
        last = distance;
    }
    assert_int_equal(order[count - 1], UINT32_MAX);
}

static void victims_are_the_others_by_distance(void **state)
{
    (void)state;
    static const char *const machines[] = {
        "core:1 pu:1",
        "core:1 pu:8",
        "pu:5",
        "pack:2 numa:1 l3:1 core:4 pu:2",
        "pack:3 l3:2 l2:3 core:2 pu:1",
        "pack:2 l3:8 core:8 pu:2",
    };
    for (size_t i = 0; i < sizeof machines / sizeof machines[0]; i++) {
        use(machines[i]);
        size_t counts[] = {1, topology->core_count, topology->pu_count, topology->pu_count + 7};
        for (size_t k = 0; k < 4; k++) {
            place(counts[k], FILCH_BIND_CORES);
            for (size_t self = 0; self < counts[k]; self++)
                expect_valid_order(counts[k], self);
        }
    }
}

static void distances_follow_the_levels(void **state)
{
    (void)state;
    use("pack:2 numa:2 l3:2 l2:2 core:2 pu:2");
    /* Worker i is on the first, worker 32 + i on the second PU of core i. */
    place(64, FILCH_BIND_DEFAULT);
    static const struct {
        size_t other;
        unsigned distance;
    } cases[] = {{32, 0}, {1, 1}, {33, 1}, {2, 2}, {4, 3}, {8, 4}, {16, 5}, {63, 5}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_int_equal(filch__topology_distance(&places[0], &places[cases[i].other]),
                         cases[i].distance);
    assert_int_equal(filch__topology_victims(topology, places, 64, 0, order), 0);
    assert_int_equal(order[0], 32);
    assert_int_equal(order[1], 1);
    assert_int_equal(order[2], 33);
}

/* No worker is the first choice of two thieves, at no distance. */
static void thieves_spread(void **state)
{
    (void)state;
    use("pack:2 l3:4 core:8 pu:1");
    place(64, FILCH_BIND_DEFAULT);
    unsigned firsts[TOPOLOGY_LEVEL_COUNT + 1][64] = {{0}};
    for (size_t self = 0; self < 64; self++) {
        assert_int_equal(filch__topology_victims(topology, places, 64, self, order), 0);
        unsigned last = TOPOLOGY_LEVEL_COUNT + 1;
        for (size_t i = 0; i < 63; i++) {
            unsigned distance = filch__topology_distance(&places[self], &places[order[i]]);
            if (distance != last)
                firsts[distance][order[i]]++;
            last = distance;
        }
    }
    for (size_t victim = 0; victim < 64; victim++) {
        assert_int_equal(firsts[1][victim], 1); /* behind the same L3: no L2 here, so one level */
        for (unsigned distance = 0; distance <= TOPOLOGY_LEVEL_COUNT; distance++)
            assert_in_range(firsts[distance][victim], 0, 1);
    }
}

static void unpinned_workers_rotate(void **state)
{
    (void)state;
    use("pack:2 core:4 pu:1");
    place(5, FILCH_BIND_NONE);
    assert_int_equal(filch__topology_distance(&places[0], &places[1]), TOPOLOGY_LEVEL_COUNT);
    bool is_first[5] = {false};
    for (size_t self = 0; self < 5; self++) {
        expect_valid_order(5, self);
        assert_false(is_first[order[0]]);
        is_first[order[0]] = true;
    }
}

static void description_names_everything(void **state)
{
    (void)state;
    static const char expected[] = "machine        described, not this one\n"
                                   "usable PUs     6 (0-5)\n"
                                   "cores          4\n"
                                   "L2 caches      4\n"
                                   "L3 caches      1\n"
                                   "NUMA nodes     1\n"
                                   "packages       1\n"
                                   "core kind 1    2 cores, 4 PUs\n"
                                   "core kind 0    2 cores, 2 PUs\n"
                                   "cgroup quota   2.050 CPUs\n"
                                   "width          2\n";
    char text[512];
    use_hybrid();
    topology->quota_milli_cpus = 2050;
    assert_int_equal(filch__topology_describe(topology, text, sizeof text), 0);
    assert_string_equal(text, expected);
    assert_int_equal(filch__topology_describe(topology, text, sizeof expected), 0);
    for (size_t size_bytes = 1; size_bytes < sizeof expected; size_bytes++) {
        memset(text, 'x', sizeof text);
        assert_int_equal(filch__topology_describe(topology, text, size_bytes), ENOSPC);
        assert_int_equal(strlen(text), size_bytes - 1);
        assert_memory_equal(text, expected, size_bytes - 1);
        assert_int_equal(text[size_bytes], 'x');
    }
    assert_int_equal(filch__topology_describe(NULL, text, sizeof text), EINVAL);
    assert_int_equal(filch__topology_describe(topology, NULL, sizeof text), EINVAL);
    assert_int_equal(filch__topology_describe(topology, text, 0), EINVAL);
}

static void description_shows_ranges(void **state)
{
    (void)state;
    char text[512];
    use("core:6 pu:1");
    topology->pus[2].os_index = 9;
    topology->pus[4].os_index = 200;
    topology->cpu_limit = 201;
    topology->pus[1].group[TOPOLOGY_L3] = 3; /* the only cache that is known of */
    assert_int_equal(filch__topology_describe(topology, text, sizeof text), 0);
    assert_non_null(strstr(text, "usable PUs     6 (0-1,3,5,9,200)\n"));
    assert_non_null(strstr(text, "L3 caches      1\n"));
    assert_non_null(strstr(text, "cgroup quota   none\n"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bad_arguments_are_refused),
        cmocka_unit_test(one_worker_per_core),
        cmocka_unit_test(one_worker_per_pu),
        cmocka_unit_test(narrow_pool_is_not_pinned),
        cmocka_unit_test(no_binding_is_obeyed),
        cmocka_unit_test(crowded_pool_is_not_pinned),
        cmocka_unit_test(quota_prevents_pinning),
        cmocka_unit_test(single_pu),
        cmocka_unit_test(fast_cores_come_first),
        cmocka_unit_test(victims_are_the_others_by_distance),
        cmocka_unit_test(distances_follow_the_levels),
        cmocka_unit_test(thieves_spread),
        cmocka_unit_test(unpinned_workers_rotate),
        cmocka_unit_test(description_names_everything),
        cmocka_unit_test(description_shows_ranges),
    };
    return cmocka_run_group_tests(tests, NULL, teardown);
}
