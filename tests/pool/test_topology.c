/* SPDX-License-Identifier: Apache-2.0 */
/* What is found out about machines that are described: synthetic ones, files, a caller's tree. */
#define _GNU_SOURCE 1 /* mkdtemp */

#include "os/cgroup.h"
#include "os/os.h"
#include "topology.h"

#include <errno.h>
#include <hwloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static struct topology *create(const struct topology_source *source)
{
    struct topology *t = NULL;
    errno = ENOTTY;
    assert_int_equal(filch__topology_create(&t, source), 0);
    assert_int_equal(errno, ENOTTY);
    assert_non_null(t);
    return t;
}

static struct topology *synthetic(const char *description)
{
    return create(&(struct topology_source){.synthetic = description});
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

static void bad_arguments_are_refused(void **state)
{
    (void)state;
    struct topology *t = NULL;
    hwloc_topology_t not_loaded;
    assert_int_equal(hwloc_topology_init(&not_loaded), 0);
    assert_int_equal(filch__topology_create(NULL, NULL), EINVAL);
    const struct topology_source bad[] = {
        {.synthetic = "core:2 pu:1", .xml_path = "/dev/null"},
        {.synthetic = "core:2 pu:1", .hwloc_topology = not_loaded},
        {.synthetic = "no such thing"},
        {.xml_path = "/nonexistent/file.xml"},
        {.xml_path = "/dev/null"},
        {.hwloc_topology = not_loaded},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(filch__topology_create(&t, &bad[i]), EINVAL);
    assert_null(t);
    hwloc_topology_destroy(not_loaded);
    assert_int_equal(filch__topology_width(NULL), 0);
    filch__topology_destroy(NULL);
}

static void groups_of_two_packages(void **state)
{
    (void)state;
    struct topology *t = synthetic("pack:2 numa:1 l3:2 l2:2 core:1 pu:2");
    assert_false(t->is_this_machine);
    assert_int_equal(t->pu_count, 16);
    assert_int_equal(t->core_count, 8);
    assert_int_equal(t->cpu_limit, 16);
    for (uint32_t i = 0; i < t->pu_count; i++) {
        assert_int_equal(t->pus[i].os_index, i);
        assert_int_equal(t->pus[i].sibling, i % 2);
        assert_int_equal(t->pus[i].efficiency, -1);
        assert_int_equal(t->pus[i].group[TOPOLOGY_CORE], i / 2);
        assert_int_equal(t->pus[i].group[TOPOLOGY_L2], i / 2);
        assert_int_equal(t->pus[i].group[TOPOLOGY_L3], i / 4);
        assert_int_equal(t->pus[i].group[TOPOLOGY_NUMA], i / 8);
        assert_int_equal(t->pus[i].group[TOPOLOGY_PACKAGE], i / 8);
    }
    assert_int_equal(filch__topology_width(t), 16);
    filch__topology_destroy(t);
}

static void levels_that_do_not_exist(void **state)
{
    (void)state;
    struct topology *t = synthetic("pu:3");
    assert_int_equal(t->core_count, 3); /* without cores, every PU is one */
    for (uint32_t i = 0; i < t->pu_count; i++) {
        assert_int_equal(t->pus[i].group[TOPOLOGY_CORE], i);
        assert_true(t->pus[i].group[TOPOLOGY_L2] == TOPOLOGY_NO_GROUP);
        assert_true(t->pus[i].group[TOPOLOGY_PACKAGE] == TOPOLOGY_NO_GROUP);
    }
    filch__topology_destroy(t);
}

static void many_pus(void **state)
{
    (void)state;
    struct topology *t = synthetic("pack:2 l3:8 core:8 pu:2");
    assert_int_equal(filch__topology_width(t), 256);
    assert_int_equal(t->core_count, 128);
    filch__topology_destroy(t);
    t = synthetic("pack:4 core:256 pu:2");
    assert_int_equal(filch__topology_width(t), 2048);
    assert_int_equal(t->cpu_limit, 2048);
    filch__topology_destroy(t);
}

static void supplied_topology_is_kept_to_and_kept(void **state)
{
    (void)state;
    hwloc_topology_t machine =
        hwloc_synthetic("pack:1 core:6 pu:2", HWLOC_TOPOLOGY_FLAG_INCLUDE_DISALLOWED);
    hwloc_bitmap_t set = hwloc_bitmap_alloc();
    hwloc_bitmap_set_range(set, 0, 3);
    assert_int_equal(hwloc_cpukinds_register(machine, set, 90, 0, NULL, 0), 0);
    hwloc_bitmap_zero(set);
    hwloc_bitmap_set_range(set, 4, 11);
    assert_int_equal(hwloc_cpukinds_register(machine, set, 10, 0, NULL, 0), 0);
    hwloc_bitmap_zero(set);
    hwloc_bitmap_set_range(set, 3, 8);
    assert_int_equal(hwloc_topology_allow(machine, set, NULL, HWLOC_ALLOW_FLAG_CUSTOM), 0);
    struct topology *t = create(&(struct topology_source){.hwloc_topology = machine});
    assert_int_equal(hwloc_get_nbobjs_by_type(machine, HWLOC_OBJ_PU), 12);
    hwloc_bitmap_free(set);
    hwloc_topology_destroy(machine);

    static const int32_t efficiencies[] = {1, 0, 0, 0, 0, 0};
    static const uint32_t siblings[] = {0, 0, 1, 0, 1, 0};
    assert_int_equal(t->pu_count, 6);
    assert_int_equal(t->core_count, 4);
    assert_int_equal(t->cpu_limit, 9);
    for (uint32_t i = 0; i < t->pu_count; i++) {
        assert_int_equal(t->pus[i].os_index, i + 3);
        assert_int_equal(t->pus[i].efficiency, efficiencies[i]);
        assert_int_equal(t->pus[i].sibling, siblings[i]);
    }
    filch__topology_destroy(t);
}

static void xml_file_is_read(void **state)
{
    (void)state;
    char path[] = "/tmp/filch-xml-XXXXXX";
    int file = mkstemp(path);
    assert_int_not_equal(file, -1);
    hwloc_topology_t machine = hwloc_synthetic("pack:2 l3:1 core:3 pu:1", 0);
    assert_int_equal(hwloc_topology_export_xml(machine, path, 0), 0);
    hwloc_topology_destroy(machine);
    struct topology *t = create(&(struct topology_source){.xml_path = path});
    assert_int_equal(filch__topology_width(t), 6);
    assert_int_equal(t->pus[3].group[TOPOLOGY_L3], 1);
    assert_false(t->is_this_machine);
    filch__topology_destroy(t);
    close(file);
    unlink(path);
}

static void put(const char *root, const char *name, const char *content)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", root, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(content, file);
    assert_int_equal(fclose(file), 0);
}

static void quota_limits_the_width_and_not_the_mask(void **state)
{
    (void)state;
    static const struct {
        const char *quota;
        size_t width;
    } cases[] = {{"150000 100000\n", 1}, {"50000 100000\n", 1},    {"299999 100000\n", 2},
                 {"700000 100000\n", 7}, {"9900000 100000\n", 16}, {"max 100000\n", 16}};
    static const char *const directories[] = {"", "/proc", "/proc/self", "/cg"};
    char root[] = "/tmp/filch-quota-XXXXXX";
    assert_non_null(mkdtemp(root));
    char path[64];
    for (size_t i = 1; i < 4; i++) {
        snprintf(path, sizeof path, "%s%s", root, directories[i]);
        assert_int_equal(mkdir(path, 0700), 0);
    }
    put(root, "proc/self/cgroup", "0::/\n");
    put(root, "proc/self/mountinfo", "30 23 0:26 / /cg rw - cgroup2 cgroup2 rw\n");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        put(root, "cg/cpu.max", cases[i].quota);
        struct topology *t =
            create(&(struct topology_source){.synthetic = "core:8 pu:2", .cgroup_root = root});
        assert_int_equal(filch__topology_width(t), cases[i].width);
        assert_int_equal(t->pu_count, 16);
        filch__topology_destroy(t);
    }
    static const char *const files[] = {"/proc/self/cgroup", "/proc/self/mountinfo", "/cg/cpu.max"};
    for (size_t i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "%s%s", root, files[i]);
        unlink(path);
    }
    for (size_t i = 4; i-- > 0;) {
        snprintf(path, sizeof path, "%s%s", root, directories[i]);
        rmdir(path);
    }
}

static int allocations_before_failure;

static void *alloc_but_once(size_t size_bytes, size_t align_bytes)
{
    return allocations_before_failure-- == 0 ? NULL
                                             : filch__os_linux.alloc(size_bytes, align_bytes);
}

static void each_allocation_may_fail(void **state)
{
    (void)state;
    struct os_table table = filch__os_linux;
    table.alloc = alloc_but_once;
    int error = ENOMEM;
    int failures = 0;
    for (; error == ENOMEM; failures++) {
        struct topology *t = NULL;
        allocations_before_failure = failures;
        filch__os_replace(&table);
        error = filch__topology_create(&t, NULL);
        filch__os_replace(NULL);
        assert_true((t != NULL) == (error == 0));
        filch__topology_destroy(t);
    }
    assert_int_equal(error, 0);
    assert_in_range(failures - 1, 4, 7); /* two masks, the topology, the search for the quota */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bad_arguments_are_refused),
        cmocka_unit_test(groups_of_two_packages),
        cmocka_unit_test(levels_that_do_not_exist),
        cmocka_unit_test(many_pus),
        cmocka_unit_test(supplied_topology_is_kept_to_and_kept),
        cmocka_unit_test(xml_file_is_read),
        cmocka_unit_test(quota_limits_the_width_and_not_the_mask),
        cmocka_unit_test(each_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
