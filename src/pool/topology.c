/* SPDX-License-Identifier: Apache-2.0 */
/* From hwloc's tree to struct topology.
 *
 * The tree is restricted to the affinity mask here and not by hwloc's RESTRICT_TO_CPUBINDING: that
 * flag takes the union of the masks of all threads. One background thread of some library that has
 * bound itself to the whole machine would undo a `taskset`, and a process that starts and ends
 * threads at the time can make the walk over all threads fail.
 */
#include "topology.h"

#include "os/cgroup.h"
#include "os/cpu_set.h"
#include "os/os.h"
#include "park/lock.h"

#include <errno.h>
#include <hwloc.h>
#include <unistd.h>

/* The object types that struct topology_pu has a group for, by level. */
static const hwloc_obj_type_t level_types[TOPOLOGY_LEVEL_COUNT] = {
    [TOPOLOGY_CORE] = HWLOC_OBJ_CORE,       [TOPOLOGY_L2] = HWLOC_OBJ_L2CACHE,
    [TOPOLOGY_L3] = HWLOC_OBJ_L3CACHE,      [TOPOLOGY_NUMA] = HWLOC_OBJ_NUMANODE,
    [TOPOLOGY_PACKAGE] = HWLOC_OBJ_PACKAGE,
};

/* Held while hwloc is at work, for a fork to wait for. */
static struct lock discovery;

static int errno_of_failure(void)
{
    return errno == ENOMEM ? ENOMEM : EINVAL;
}

/* Says what is to be looked for, and that nothing else is: most of the time of a discovery goes
 * into devices, distances and memory attributes. The x86 back end, which visits the CPUs one after
 * the other by binding the calling thread to them, stays off; Linux itself tells enough. */
static int configure(hwloc_topology_t machine, const struct topology_source *source)
{
    const unsigned long flags = HWLOC_TOPOLOGY_FLAG_DONT_CHANGE_BINDING |
                                HWLOC_TOPOLOGY_FLAG_NO_DISTANCES | HWLOC_TOPOLOGY_FLAG_NO_MEMATTRS;
    if (hwloc_topology_set_flags(machine, flags) != 0 ||
        hwloc_topology_set_all_types_filter(machine, HWLOC_TYPE_FILTER_KEEP_NONE) != 0)
        return errno_of_failure();
    for (size_t level = 0; level < TOPOLOGY_LEVEL_COUNT; level++) {
        if (hwloc_topology_set_type_filter(machine, level_types[level],
                                           HWLOC_TYPE_FILTER_KEEP_ALL) != 0)
            return errno_of_failure();
    }
    /* hwloc hangs a memory node whose CPUs are no object of their own under a group that it makes
     * for the purpose. Without groups it lands at the top, and is local to every PU. */
    if (hwloc_topology_set_type_filter(machine, HWLOC_OBJ_GROUP,
                                       HWLOC_TYPE_FILTER_KEEP_STRUCTURE) != 0)
        return errno_of_failure();
    if (source->synthetic != NULL && hwloc_topology_set_synthetic(machine, source->synthetic) != 0)
        return errno_of_failure();
    if (source->xml_path != NULL && hwloc_topology_set_xml(machine, source->xml_path) != 0)
        return errno_of_failure();
    return 0;
}

static int load(hwloc_topology_t *out, const struct topology_source *source)
{
    hwloc_topology_t machine;
    if (hwloc_topology_init(&machine) != 0)
        return ENOMEM;
    int error = configure(machine, source);
    if (error == 0 && hwloc_topology_load(machine) != 0)
        error = errno_of_failure();
    if (error != 0) {
        hwloc_topology_destroy(machine);
        return error;
    }
    *out = machine;
    return 0;
}

/* The masks of the calling thread and of the main one, united. */
static int read_process_mask(struct cpu_set *mask)
{
    int error = filch__cpu_set_read(mask, 0);
    if (error != 0)
        return error;
    struct cpu_set of_main;
    error = filch__cpu_set_read(&of_main, getpid());
    if (error == ENOMEM) {
        filch__cpu_set_fini(mask);
        return error;
    }
    if (error != 0)
        return 0; /* the main thread has ended, and with it what it was allowed */
    for (size_t i = 0; i < mask->word_count && i < of_main.word_count; i++)
        mask->words[i] |= of_main.words[i];
    filch__cpu_set_fini(&of_main);
    return 0;
}

static struct topology *alloc_topology(size_t pu_count)
{
    size_t size_bytes = sizeof(struct topology) + pu_count * sizeof(struct topology_pu);
    struct topology *t = filch__os_alloc_zeroed(1, size_bytes, _Alignof(struct topology));
    if (t != NULL)
        t->quota_milli_cpus = FILCH__CGROUP_UNLIMITED;
    return t;
}

/* Appends a PU whose index and groups the caller has filled in, in the order of the machine. */
static void append_pu(struct topology *t, const struct topology_pu *pu)
{
    struct topology_pu *added = &t->pus[t->pu_count];
    const struct topology_pu *before = t->pu_count == 0 ? NULL : added - 1;
    *added = *pu;
    if (before != NULL && before->group[TOPOLOGY_CORE] == pu->group[TOPOLOGY_CORE]) {
        added->sibling = before->sibling + 1;
    } else {
        added->sibling = 0;
        t->core_count++;
    }
    if (pu->os_index >= t->cpu_limit)
        t->cpu_limit = pu->os_index + 1;
    t->pu_count++;
}

/* The description for a machine of which nothing is known but the mask. */
static struct topology *flat_topology(const struct cpu_set *mask)
{
    size_t limit = filch__cpu_set_limit(mask);
    size_t pu_count = 0;
    for (size_t cpu = 0; cpu < limit; cpu++)
        pu_count += filch__cpu_set_has(mask, cpu);
    struct topology *t = alloc_topology(pu_count);
    if (t == NULL)
        return NULL;
    for (size_t cpu = 0; cpu < limit; cpu++) {
        if (!filch__cpu_set_has(mask, cpu))
            continue;
        struct topology_pu pu = {.os_index = (uint32_t)cpu, .efficiency = -1};
        for (size_t level = 0; level < TOPOLOGY_LEVEL_COUNT; level++)
            pu.group[level] = TOPOLOGY_NO_GROUP;
        pu.group[TOPOLOGY_CORE] = (uint32_t)cpu;
        append_pu(t, &pu);
    }
    return t;
}

static struct topology_pu read_pu(hwloc_topology_t machine, hwloc_obj_t object)
{
    struct topology_pu pu = {.os_index = object->os_index, .efficiency = -1};
    for (size_t level = 0; level < TOPOLOGY_LEVEL_COUNT; level++) {
        hwloc_obj_t above = hwloc_get_ancestor_obj_by_type(machine, level_types[level], object);
        pu.group[level] = above != NULL ? above->logical_index : TOPOLOGY_NO_GROUP;
    }
    if (pu.group[TOPOLOGY_CORE] == TOPOLOGY_NO_GROUP)
        pu.group[TOPOLOGY_CORE] = object->logical_index;
    /* Memory hangs beside the tree of caches, not above the PU. The first of several local nodes
     * stands for all of them. */
    int node = object->nodeset != NULL ? hwloc_bitmap_first(object->nodeset) : -1;
    if (node >= 0)
        pu.group[TOPOLOGY_NUMA] = (uint32_t)node;
    return pu;
}

/* Fills in which kind of core each PU is, where there are several kinds and hwloc can rank them. */
static int read_efficiencies(struct topology *t, hwloc_topology_t machine)
{
    int kind_count = hwloc_cpukinds_get_nr(machine, 0);
    if (kind_count < 2)
        return 0;
    hwloc_bitmap_t members = hwloc_bitmap_alloc();
    if (members == NULL)
        return ENOMEM;
    for (int kind = 0; kind < kind_count; kind++) {
        int efficiency;
        if (hwloc_cpukinds_get_info(machine, (unsigned)kind, members, &efficiency, NULL, NULL, 0))
            continue;
        for (size_t i = 0; i < t->pu_count; i++) {
            if (hwloc_bitmap_isset(members, t->pus[i].os_index))
                t->pus[i].efficiency = efficiency;
        }
    }
    hwloc_bitmap_free(members);
    return 0;
}

/* Copies the PUs that the machine's description and the mask both allow.
 *   mask   NULL: not limited
 * EINVAL where none is left. */
static int copy_machine(struct topology **out, hwloc_topology_t machine, const struct cpu_set *mask)
{
    hwloc_const_bitmap_t allowed = hwloc_topology_get_allowed_cpuset(machine);
    int object_count = hwloc_get_nbobjs_by_type(machine, HWLOC_OBJ_PU);
    if (allowed == NULL || object_count <= 0)
        return EINVAL;
    struct topology *t = alloc_topology((size_t)object_count);
    if (t == NULL)
        return ENOMEM;
    hwloc_obj_t object = NULL;
    while ((object = hwloc_get_next_obj_by_type(machine, HWLOC_OBJ_PU, object)) != NULL) {
        if (!hwloc_bitmap_isset(allowed, object->os_index) ||
            (mask != NULL && !filch__cpu_set_has(mask, object->os_index)))
            continue;
        struct topology_pu pu = read_pu(machine, object);
        append_pu(t, &pu);
    }
    int error = t->pu_count == 0 ? EINVAL : read_efficiencies(t, machine);
    if (error != 0) {
        filch__os->free(t);
        return error;
    }
    t->is_this_machine = mask != NULL;
    *out = t;
    return 0;
}

/* Copies what the caller's topology or a freshly loaded one says, within the affinity mask where it
 * is about this machine.
 *   machine   NULL: nothing could be found out about this machine */
static int copy_allowed(struct topology **out, hwloc_topology_t machine)
{
    if (machine != NULL && !hwloc_topology_is_thissystem(machine))
        return copy_machine(out, machine, NULL);
    struct cpu_set mask;
    int error = read_process_mask(&mask);
    if (error != 0)
        return error;
    error = machine != NULL ? copy_machine(out, machine, &mask) : EINVAL;
    if (error == EINVAL) {
        /* The description does not fit the CPUs that we run on; the mask is the truth. */
        struct topology *t = flat_topology(&mask);
        if (t != NULL) {
            t->is_this_machine = true;
            *out = t;
        }
        error = t != NULL ? 0 : ENOMEM;
    }
    filch__cpu_set_fini(&mask);
    return error;
}

static int description_count(const struct topology_source *source)
{
    return (source->hwloc_topology != NULL) + (source->synthetic != NULL) +
           (source->xml_path != NULL);
}

void filch__topology_before_fork(void)
{
    filch__lock(&discovery);
}

void filch__topology_after_fork(bool is_child)
{
    if (is_child)
        discovery = (struct lock){0}; /* those who wait for it are not here */
    else
        filch__unlock(&discovery);
}

/* Sets *t only where it returns 0. */
static int discover(struct topology **t, const struct topology_source *source)
{
    hwloc_topology_t machine = source->hwloc_topology;
    int error = 0;
    if (machine == NULL)
        error = load(&machine, source);
    else if (hwloc_topology_abi_check(machine) != 0 ||
             hwloc_get_nbobjs_by_type(machine, HWLOC_OBJ_PU) <= 0) /* never loaded */
        error = EINVAL;
    if (error != 0 && (description_count(source) > 0 || error == ENOMEM))
        return error;
    error = copy_allowed(t, machine);
    if (machine != NULL && source->hwloc_topology == NULL)
        hwloc_topology_destroy(machine);
    return error;
}

int filch__topology_create(struct topology **out, const struct topology_source *source)
{
    static const struct topology_source this_machine;
    if (source == NULL)
        source = &this_machine;
    if (out == NULL || description_count(source) > 1)
        return EINVAL;
    int saved_errno = errno;
    struct topology *t;
    filch__lock(&discovery);
    int error = discover(&t, source);
    filch__unlock(&discovery);
    if (error == 0 && (t->is_this_machine || source->cgroup_root != NULL)) {
        error = filch__cgroup_quota(source->cgroup_root, &t->quota_milli_cpus);
        if (error != 0)
            filch__os->free(t);
    }
    if (error == 0)
        *out = t;
    errno = saved_errno;
    return error;
}

int filch__topology_create_flat(struct topology **out)
{
    int saved_errno = errno;
    struct topology *t;
    int error = copy_allowed(&t, NULL);
    if (error == 0) {
        error = filch__cgroup_quota(NULL, &t->quota_milli_cpus);
        if (error != 0)
            filch__os->free(t);
    }
    if (error == 0)
        *out = t;
    errno = saved_errno;
    return error;
}

void filch__topology_destroy(struct topology *t)
{
    filch__os->free(t);
}
