/* SPDX-License-Identifier: Apache-2.0 */
/* The machine, as far as this process may use it, and where the workers of a pool go on it.
 *
 *     struct topology *t;
 *     int error = filch__topology_create(&t, NULL);
 *     ...
 *     size_t count = filch__topology_width(t);
 *     error = filch__topology_place(t, count, FILCH_BIND_DEFAULT, placements);
 *     ...                                          in worker i, at its start:
 *     error = filch__topology_bind_self(&placements[i]);
 *     error = filch__topology_victims(t, placements, count, i, order);
 *
 * hwloc is asked once, in create; what the pool needs is copied and hwloc's own tree is given back
 * at once. So a topology is one small immutable block: any number of threads may read it, it needs
 * no lock, and the tree that a caller supplied is not needed after create.
 *
 * "PU" (processing unit) is hwloc's word for what Linux numbers as a CPU: one hardware thread.
 *
 * topology.c is the only file that knows hwloc; placement.c computes on what it found. Neither
 * looks at the machine again: CPUs that are unplugged or taken away later make bind_self fail,
 * which does no harm.
 */
#ifndef FILCH_POOL_TOPOLOGY_H
#define FILCH_POOL_TOPOLOGY_H

#include <filch/attr.h>
#include <filch/pool.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct filch_thread;

/* What two PUs can have in common, from near to far. */
enum topology_level {
    TOPOLOGY_CORE,
    TOPOLOGY_L2,
    TOPOLOGY_L3,
    TOPOLOGY_NUMA,
    TOPOLOGY_PACKAGE,
    TOPOLOGY_LEVEL_COUNT,
};

/* Where the description comes from. All NULL: this machine, from the operating system. At most one
 * of the first three may be set. Everything is borrowed until create returns. */
struct topology_source {
    /* A loaded hwloc_topology_t. Its set of allowed PUs is kept to; it is only read. Where hwloc
     * says that it describes this very system, the affinity mask and the quota count as well. */
    void *hwloc_topology;
    const char *synthetic; /* hwloc's synthetic description of a machine that does not exist */
    const char *xml_path;  /* file written by `lstopo file.xml`; a machine that is elsewhere */
    /* Stands for "/" in the search for a cgroup quota, see filch__cgroup_quota. Where it is set, the
     * quota counts even for a machine that is not this one. */
    const char *cgroup_root;
};

/* One PU that this process may use. */
struct topology_pu {
    uint32_t os_index; /* the CPU number of Linux */
    /* The numbers (hwloc's logical ones, as lstopo shows them) of the core, cache, node and package
     * that it belongs to; TOPOLOGY_NO_GROUP where the machine has none of that kind. */
    uint32_t group[TOPOLOGY_LEVEL_COUNT];
    uint32_t sibling;   /* how many usable PUs of the same core come before this one */
    int32_t efficiency; /* 0 the slowest kind of core, greater is faster; -1 unknown */
};

#define TOPOLOGY_NO_GROUP UINT32_MAX

/* Constant after create. Readable by placement.c and tests; all others use the functions. */
struct topology {
    uint64_t quota_milli_cpus; /* FILCH__CGROUP_UNLIMITED for none */
    bool is_this_machine;      /* binding a thread makes sense */
    uint32_t cpu_limit;        /* above every os_index */
    uint32_t core_count;       /* cores with at least one usable PU */
    uint32_t pu_count;         /* at least 1 */
    struct topology_pu pus[];  /* neighbours on the machine are neighbours here */
};

enum { PLACEMENT_NAME_BYTES = 32 };

/* Where one worker runs. A plain value: nothing to be freed. */
struct placement {
    const struct topology *topology; /* borrowed */
    uint32_t first_pu;               /* index into topology->pus of the PUs to bind to */
    uint32_t pu_count;
    bool is_pinned;     /* to one core or PU of its own, rather than to all that there are */
    int32_t efficiency; /* of its core, see struct topology_pu; -1 unknown or not pinned */
    char name[PLACEMENT_NAME_BYTES]; /* "core 3 (PU 6)", "core 3 (PUs 6,7)", "any of 8 PUs" */
};

/* Finds out what this process may use.
 *   out      the description, to be given to filch__topology_destroy                       [out]
 *   source   NULL for this machine                                                          [in]
 * For this machine it is what all of these allow: the affinity masks of the main thread and of the
 * calling one (either; the caller may be a thread that somebody has pinned), the cpuset, and for
 * the width the cgroup quota. The discovery binds no thread, not even for a moment. It does not
 * fail where hwloc finds nothing out: then every allowed CPU counts as a core.
 * Returns 0; EINVAL (out is NULL, more than one source, or a source that is no valid description);
 * ENOMEM.
 * Ownership: the caller owns *out. Blocks: for the reading of kernel files, about a millisecond.
 * Panics: never. Callable from: threads and tasks. Ordering: none. */
FILCH_NODISCARD int filch__topology_create(struct topology **out,
                                           const struct topology_source *source);

/* The same without hwloc, in a tenth of the time: every CPU of the affinity masks counts as a core, and
 * caches, nodes and packages are not known. The width is the same as that of filch__topology_create.
 * Returns 0; ENOMEM. */
FILCH_NODISCARD int filch__topology_create_flat(struct topology **out);

/* Around a fork: no discovery is under way while the process is copied, since hwloc has locks. */
void filch__topology_before_fork(void);
void filch__topology_after_fork(bool is_child);

/* Gives the description back.
 *   t   NULL is allowed; no placement on it is used any more
 * Blocks: never. Panics: never. */
void filch__topology_destroy(struct topology *t);

/* How many workers keep busy what this process may use: the number of its PUs, or the cgroup quota
 * rounded down where that is less, but at least 1. 0 where t is NULL.
 * Blocks: never. Panics: never. */
size_t filch__topology_width(const struct topology *t);

/* Chooses a place for each worker of a pool.
 *   count     number of workers, at least 1
 *   policy    DEFAULT ties the workers down only where they cover every core and no quota makes
 *             the pool narrower than the PUs: on a machine that is shared with others, a worker
 *             that may not move is stuck behind whoever else runs on its core. CORES ties them
 *             down wherever there are enough PUs, NONE never
 *   out       count entries; borrow t                                                       [out]
 * Fast cores come first, and every core gets one worker before any gets a second. A worker that has
 * a core for itself is bound to all its PUs. With more workers than PUs nobody is tied down.
 * Returns 0; EINVAL (NULL, count 0, no such policy). Blocks: never. Panics: never. */
FILCH_NODISCARD int filch__topology_place(const struct topology *t, size_t count,
                                          enum filch_bind policy, struct placement *out);

/* Orders the other workers by how near they are to worker `self`: those on its core first, then
 * those behind its L2 cache, its L3 cache, on its NUMA node, in its package, elsewhere. Workers at
 * equal distance are rotated by `self`, so that thieves spread over their victims. Workers that are
 * not pinned are all equally far.
 *   placements   count entries as filch__topology_place wrote them                          [in]
 *   order        count - 1 entries; NULL is allowed where count is 1                       [out]
 * Returns 0; EINVAL (NULL, self >= count). Blocks: never. Panics: never. */
FILCH_NODISCARD int filch__topology_victims(const struct topology *t,
                                            const struct placement *placements, size_t count,
                                            size_t self, uint32_t *order);

/* How far two places are from each other: the number of levels that they do not share, 0 (one core)
 * to TOPOLOGY_LEVEL_COUNT (different packages). */
unsigned filch__topology_distance(const struct placement *a, const struct placement *b);

/* Binds a thread to its place; where it is not pinned, to all PUs of the topology, so that
 * a worker does not inherit the narrow mask of the thread that happened to create its pool.
 *   thread   started by this library, and not joined or detached; NULL: the calling one
 * Returns 0, also where the topology is not of this machine and there is nothing to be done; the
 * error of sched_setaffinity(2), ENOMEM or EINVAL (NULL). A failure is worth counting and no more:
 * the thread runs on where it may.
 * Blocks: never. Panics: never. Callable from: anywhere. Ordering: none. */
FILCH_NODISCARD int filch__topology_bind(const struct placement *place,
                                         const struct filch_thread *thread);

/* Whether a thread is tied to nothing but PUs of a place where it may be pinned; as filch__topology_bind leaves it, if nobody
 * else has bound it since. False where that cannot be told, and on machines of more than 1024 PUs. */
bool filch__topology_is_bound(const struct placement *place, const struct filch_thread *thread);

static inline int filch__topology_bind_self(const struct placement *place)
{
    return filch__topology_bind(place, NULL);
}

/* Writes a few lines for people: PUs, cores, caches, nodes, packages, kinds of cores, quota, width.
 *   buffer       ends in a NUL byte, also where the text is cut off                         [out]
 *   size_bytes   512 are enough for most machines
 * Returns 0; ENOSPC (cut off); EINVAL (NULL, no room at all); ENOMEM. Blocks: never.
 * Panics: never. */
FILCH_NODISCARD int filch__topology_describe(const struct topology *t, char *buffer,
                                             size_t size_bytes);

#endif
