/* SPDX-License-Identifier: Apache-2.0 */
/* The quota of control groups, read from trees of files that look like those of the kernel. */
#define _GNU_SOURCE 1 /* nftw, asprintf */

#include "os/cgroup.h"
#include "os/os.h"

#include <errno.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define V2_MOUNT "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n"
#define V1_MOUNT "32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"

static char root[64];

static void make_path(char *path, size_t size_bytes, const char *name)
{
    int length = snprintf(path, size_bytes, "%s%s", root, name);
    assert_in_range(length, 1, size_bytes - 1);
}

/* Makes the directories above `path`. */
static void make_parents(char *path)
{
    for (char *slash = strchr(path + strlen(root) + 1, '/'); slash != NULL;
         slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        assert_true(mkdir(path, 0700) == 0 || errno == EEXIST);
        *slash = '/';
    }
}

static void put(const char *name, const char *content)
{
    char path[512];
    make_path(path, sizeof path, name);
    make_parents(path);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fputs(content, file) >= 0, 1);
    assert_int_equal(fclose(file), 0);
}

static void put_process(const char *groups, const char *mounts)
{
    put("/proc/self/cgroup", groups);
    put("/proc/self/mountinfo", mounts);
}

static uint64_t quota(void)
{
    uint64_t milli_cpus = 7;
    errno = ENOTTY;
    assert_int_equal(filch__cgroup_quota(root, &milli_cpus), 0);
    assert_int_equal(errno, ENOTTY);
    return milli_cpus;
}

static int setup(void **state)
{
    (void)state;
    strcpy(root, "/tmp/filch-cgroup-XXXXXX");
    return mkdtemp(root) == NULL;
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *walk)
{
    (void)status;
    (void)type;
    (void)walk;
    return remove(path);
}

static int teardown(void **state)
{
    (void)state;
    return nftw(root, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void nothing_there_limits_nothing(void **state)
{
    (void)state;
    assert_true(quota() == FILCH__CGROUP_UNLIMITED);
    put_process("", "");
    assert_true(quota() == FILCH__CGROUP_UNLIMITED);
    put_process("0::/\n", V2_MOUNT);
    assert_true(quota() == FILCH__CGROUP_UNLIMITED);
}

static void v2_own_quota_counts(void **state)
{
    (void)state;
    put_process("0::/job\n", V2_MOUNT);
    put("/sys/fs/cgroup/job/cpu.max", "150000 100000\n");
    assert_int_equal(quota(), 1500);
    put("/sys/fs/cgroup/job/cpu.max", "1 3"); /* a kernel in user space, less careful */
    assert_int_equal(quota(), 333);
    put("/sys/fs/cgroup/job/cpu.max", "max 100000\n");
    assert_true(quota() == FILCH__CGROUP_UNLIMITED);
}

static void v2_root_of_a_container_counts(void **state)
{
    (void)state;
    put_process("0::/\n", V2_MOUNT);
    put("/sys/fs/cgroup/cpu.max", "400000 200000\n");
    assert_int_equal(quota(), 2000);
}

static void smallest_ancestor_counts(void **state)
{
    (void)state;
    put_process("0::/a/b/c\n", V2_MOUNT);
    put("/sys/fs/cgroup/a/b/c/cpu.max", "800000 100000\n");
    put("/sys/fs/cgroup/a/b/cpu.max", "max 100000\n");
    put("/sys/fs/cgroup/a/cpu.max", "600000 100000\n");
    assert_int_equal(quota(), 6000);
    put("/sys/fs/cgroup/a/b/cpu.max", "250000 100000\n");
    assert_int_equal(quota(), 2500);
    put("/sys/fs/cgroup/a/b/c/cpu.max", "100000 100000\n");
    assert_int_equal(quota(), 1000);
    put("/sys/fs/cgroup/cpu.max", "50000 100000\n");
    assert_int_equal(quota(), 500);
    /* Not an ancestor, though its name begins like one. */
    put("/sys/fs/cgroup/a/bc/cpu.max", "1000 100000\n");
    assert_int_equal(quota(), 500);
}

static void v1_cpu_controller_counts(void **state)
{
    (void)state;
    /* cpuset and cpuacct are other controllers, whose names begin alike. */
    put_process("3:cpuset:/wrong\n2:cpuacct,cpu:/a/b\n1:cpuset,pids:/wrong\n", V1_MOUNT);
    put("/sys/fs/cgroup/cpu,cpuacct/a/b/cpu.cfs_quota_us", "-1\n");
    put("/sys/fs/cgroup/cpu,cpuacct/a/b/cpu.cfs_period_us", "100000\n");
    assert_true(quota() == FILCH__CGROUP_UNLIMITED);
    put("/sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_quota_us", "30000\n");
    assert_true(quota() == FILCH__CGROUP_UNLIMITED); /* no period */
    put("/sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_period_us", "10000\n");
    assert_int_equal(quota(), 3000);
    put("/sys/fs/cgroup/cpu,cpuacct/a/b/cpu.cfs_quota_us", "200000\n");
    assert_int_equal(quota(), 2000);
}

static void both_versions_count_where_both_are_mounted(void **state)
{
    (void)state;
    put_process("4:cpu:/one\n0::/two\n",
                V1_MOUNT "41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n");
    put("/sys/fs/cgroup/cpu,cpuacct/one/cpu.cfs_quota_us", "500000\n");
    put("/sys/fs/cgroup/cpu,cpuacct/one/cpu.cfs_period_us", "100000\n");
    assert_int_equal(quota(), 5000);
    put("/sys/fs/cgroup/unified/two/cpu.max", "300000 100000\n");
    assert_int_equal(quota(), 3000);
}

static void mounts_of_other_controllers_do_not_count(void **state)
{
    (void)state;
    put_process("4:cpu:/job\n",
                "33 31 0:30 / /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset,cpuacct\n");
    put("/sys/fs/cgroup/cpuset/job/cpu.cfs_quota_us", "100000\n");
    put("/sys/fs/cgroup/cpuset/job/cpu.cfs_period_us", "100000\n");
    assert_true(quota() == FILCH__CGROUP_UNLIMITED);
}

static void mounted_part_of_a_hierarchy_is_found(void **state)
{
    (void)state;
    put_process("0::/docker/7f/job\n", "30 23 0:26 /docker/7f /cg rw - cgroup2 cgroup2 rw\n");
    put("/cg/cpu.max", "200000 100000\n");
    assert_int_equal(quota(), 2000);
    put("/cg/job/cpu.max", "100000 100000\n");
    assert_int_equal(quota(), 1000);
    put_process("0::/docker/7f\n", "30 23 0:26 /docker/7f /cg rw - cgroup2 cgroup2 rw\n");
    assert_int_equal(quota(), 2000);
    /* The cgroup of somebody else, whose name begins alike; a process outside its namespace. */
    put_process("0::/docker/7fe\n", "30 23 0:26 /docker/7f /cg rw - cgroup2 cgroup2 rw\n");
    assert_true(quota() == FILCH__CGROUP_UNLIMITED);
    put_process("0::/../job\n", "30 23 0:26 / /cg rw - cgroup2 cgroup2 rw\n");
    assert_true(quota() == FILCH__CGROUP_UNLIMITED);
}

static void escaped_mount_point_is_decoded(void **state)
{
    (void)state;
    put_process("0::/job\n", "30 23 0:26 / /my\\040\\134cg rw - cgroup2 cgroup2 rw\n");
    put("/my \\cg/job/cpu.max", "100000 100000\n");
    assert_int_equal(quota(), 1000);
}

static void malformed_quotas_are_ignored(void **state)
{
    (void)state;
    static const char *const contents[] = {
        "",
        "\n",
        "100000",
        "100000\n",
        "100000 \n",
        " 1 1\n",
        "0 100000\n",
        "100000 0\n",
        "-5 100000\n",
        "+5 100000\n",
        "1.5 100\n",
        "100 100 1\n",
        "100  100\n",
        "0x10 0x10\n",
        "100000 max\n",
        "9e9 100\n",
        "1 1 \n",
        "99999999999999999999 1\n",
        "18446744073709551615 1\n",
        "1 99999999999999999999\n",
        "max\n",
        "junk\n",
    };
    put_process("0::/job\n", V2_MOUNT);
    for (size_t i = 0; i < sizeof contents / sizeof contents[0]; i++) {
        put("/sys/fs/cgroup/job/cpu.max", contents[i]);
        if (quota() != FILCH__CGROUP_UNLIMITED)
            fail_msg("\"%s\" counts as %llu", contents[i], (unsigned long long)quota());
    }
}

static void malformed_lines_are_ignored(void **state)
{
    (void)state;
    put("/sys/fs/cgroup/job/cpu.max", "100000 100000\n");
    put_process("\n:\n::\n0:\njunk\n4:cpu\n0::/job\n0::\n0::job\n9:cpu:relative\n",
                "\njunk\n1 2 3\n1 2 3 / /sys\n1 2 3 / /sys rw -\n1 2 3 / /x rw - cgroup2\n"
                "1 2 3 / /x rw - cgroup2 source\n" V2_MOUNT);
    assert_int_equal(quota(), 1000);
}

static void very_long_lines_are_skipped(void **state)
{
    (void)state;
    /* The line after this many bytes looks like a mount, wherever a power of two cuts it. */
    enum { LONG_BYTES = 65536 };
    static const char wrong[] = "30 23 0:26 / /wrong rw - cgroup2 cgroup2 rw\n";
    char *mounts = malloc(LONG_BYTES + sizeof wrong + sizeof V2_MOUNT);
    assert_non_null(mounts);
    memset(mounts, 'x', LONG_BYTES);
    strcpy(stpcpy(mounts + LONG_BYTES, wrong), V2_MOUNT);
    put_process("0::/job\n", mounts);
    free(mounts);
    put("/wrong/job/cpu.max", "1000 100000\n");
    put("/sys/fs/cgroup/job/cpu.max", "100000 100000\n");
    assert_int_equal(quota(), 1000);
}

static void lines_may_lie_across_buffers(void **state)
{
    (void)state;
    enum { BUFFER_BYTES = 8192 }; /* of the reader, or a multiple of it */
    char mounts[BUFFER_BYTES + sizeof V2_MOUNT];
    put("/sys/fs/cgroup/job/cpu.max", "100000 100000\n");
    for (size_t before = 0; before < sizeof V2_MOUNT; before++) {
        size_t filler_bytes = BUFFER_BYTES - before;
        memset(mounts, 'x', filler_bytes - 1);
        mounts[filler_bytes - 1] = '\n';
        strcpy(mounts + filler_bytes, V2_MOUNT);
        put_process("0::/job\n", mounts);
        assert_int_equal(quota(), 1000);
    }
}

static void unreadable_files_are_ignored(void **state)
{
    (void)state;
    put_process("0::/a/b\n", V2_MOUNT);
    put("/sys/fs/cgroup/a/b/cpu.max/is-a-directory", "");
    put("/sys/fs/cgroup/a/cpu.max", "100000 100000\n");
    assert_int_equal(quota(), 1000);
    char path[128];
    make_path(path, sizeof path, "/sys/fs/cgroup/cpu.max");
    assert_int_equal(symlink("cpu.max", path), 0); /* a loop */
    assert_int_equal(quota(), 1000);
}

static void this_machine_is_readable(void **state)
{
    (void)state;
    uint64_t with_null = 0;
    uint64_t with_empty = 1;
    assert_int_equal(filch__cgroup_quota(NULL, &with_null), 0);
    assert_int_equal(filch__cgroup_quota("", &with_empty), 0);
    assert_true(with_null == with_empty);
    assert_true(with_null > 0);
}

static void *alloc_nothing(size_t size_bytes, size_t align_bytes)
{
    (void)size_bytes;
    (void)align_bytes;
    return NULL;
}

static void failures_leave_the_result_alone(void **state)
{
    (void)state;
    assert_int_equal(filch__cgroup_quota(root, NULL), EINVAL);
    struct os_table table = filch__os_linux;
    table.alloc = alloc_nothing;
    filch__os_replace(&table);
    uint64_t milli_cpus = 7;
    int error = filch__cgroup_quota(root, &milli_cpus);
    filch__os_replace(NULL);
    assert_int_equal(error, ENOMEM);
    assert_int_equal(milli_cpus, 7);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(nothing_there_limits_nothing),
        TEST(v2_own_quota_counts),
        TEST(v2_root_of_a_container_counts),
        TEST(smallest_ancestor_counts),
        TEST(v1_cpu_controller_counts),
        TEST(both_versions_count_where_both_are_mounted),
        TEST(mounts_of_other_controllers_do_not_count),
        TEST(mounted_part_of_a_hierarchy_is_found),
        TEST(escaped_mount_point_is_decoded),
        TEST(malformed_quotas_are_ignored),
        TEST(malformed_lines_are_ignored),
        TEST(very_long_lines_are_skipped),
        TEST(lines_may_lie_across_buffers),
        TEST(unreadable_files_are_ignored),
        TEST(this_machine_is_readable),
        TEST(failures_leave_the_result_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
