/* SPDX-License-Identifier: Apache-2.0 */
/* How much CPU time the control groups of Linux leave to this process.
 *
 * A container that may use "1.5 CPUs" usually still sees every CPU of the machine in its affinity
 * mask: the limit is a quota of CPU time per period, kept in the cgroup of the process or in any
 * cgroup above it. A pool that is wider than the quota is put to sleep, all threads at once, for
 * the rest of each period; so the quota limits the width of a pool, and never its mask.
 *
 * Nothing here knows about pools. Two threads may ask at the same time.
 */
#ifndef FILCH_OS_CGROUP_H
#define FILCH_OS_CGROUP_H

#include <filch/attr.h>
#include <stdint.h>

/* No cgroup above this process limits its CPU time. */
#define FILCH__CGROUP_UNLIMITED UINT64_MAX

/* Finds the smallest CPU quota among the cgroup of this process and all its ancestors that can be
 * seen from here: cpu.max in the unified hierarchy (v2), cpu.cfs_quota_us and cpu.cfs_period_us in
 * the hierarchy of the cpu controller (v1), and both where both are mounted. A file that is
 * missing, unreadable or malformed limits nothing.
 *   root         directory that stands for "/", under which proc/self/cgroup, proc/self/mountinfo
 *                and the mounted hierarchies are looked for; NULL for "/" itself            [in]
 *   milli_cpus   thousandths of a CPU, rounded down; FILCH__CGROUP_UNLIMITED for no quota   [out]
 * Returns 0; EINVAL (milli_cpus is NULL); ENOMEM.
 * Ownership: nothing is kept. Blocks: for the reading of kernel files. Panics: never.
 * Callable from: threads and tasks. Ordering: none. */
FILCH_NODISCARD int filch__cgroup_quota(const char *root, uint64_t *milli_cpus);

#endif
