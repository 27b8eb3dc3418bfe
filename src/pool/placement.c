/* SPDX-License-Identifier: Apache-2.0 */
/* What follows from a topology: width, places, victims. Pure computation but for bind_self. */
#define _GNU_SOURCE 1 /* sched_setaffinity */

#include "topology.h"

#include "base/check.h"
#include "os/cgroup.h"
#include "os/cpu_set.h"
#include "thread/start.h"

#include <errno.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>

/* A text that is appended to and cut off at the end of its buffer, as snprintf does. */
struct text {
    char *buffer;
    size_t size_bytes;
    size_t length; /* as long as it would be with room for everything */
};

__attribute__((format(printf, 2, 3))) static void append(struct text *text, const char *format, ...)
{
    bool is_full = text->length >= text->size_bytes;
    va_list arguments;
    va_start(arguments, format);
    int count = vsnprintf(is_full ? NULL : text->buffer + text->length,
                          is_full ? 0 : text->size_bytes - text->length, format, arguments);
    va_end(arguments);
    if (count > 0)
        text->length += (size_t)count;
}

/* The PUs that the quota pays for in full, which may be 0. */
static size_t quota_cpus(const struct topology *t)
{
    uint64_t cpus = t->quota_milli_cpus / 1000;
    return cpus < t->pu_count ? (size_t)cpus : t->pu_count;
}

size_t filch__topology_width(const struct topology *t)
{
    if (t == NULL)
        return 0;
    size_t width = quota_cpus(t);
    return width > 0 ? width : 1;
}

static bool pins(const struct topology *t, size_t count, enum filch_bind policy)
{
    if (policy == FILCH_BIND_NONE || count > t->pu_count)
        return false;
    return policy == FILCH_BIND_CORES || (count >= t->core_count && quota_cpus(t) == t->pu_count);
}

static int32_t max_efficiency(const struct topology *t)
{
    int32_t max = -1;
    for (size_t i = 0; i < t->pu_count; i++) {
        if (t->pus[i].efficiency > max)
            max = t->pus[i].efficiency;
    }
    return max;
}

/* A place on the PU `index`, and on the rest of its core if the core is for one worker alone. */
static struct placement pinned_place(const struct topology *t, uint32_t index, bool owns_core)
{
    const struct topology_pu *pu = &t->pus[index];
    struct placement place = {.topology = t,
                              .first_pu = index,
                              .pu_count = 1,
                              .is_pinned = true,
                              .efficiency = pu->efficiency};
    while (owns_core && index + place.pu_count < t->pu_count &&
           t->pus[index + place.pu_count].sibling > 0)
        place.pu_count++;
    struct text name = {place.name, sizeof place.name, 0};
    append(&name, "core %u (PU%s %u", pu->group[TOPOLOGY_CORE], place.pu_count > 1 ? "s" : "",
           pu->os_index);
    for (uint32_t i = 1; i < place.pu_count; i++)
        append(&name, ",%u", t->pus[index + i].os_index);
    append(&name, ")");
    return place;
}

static struct placement free_place(const struct topology *t)
{
    struct placement place = {.topology = t, .pu_count = t->pu_count, .efficiency = -1};
    struct text name = {place.name, sizeof place.name, 0};
    append(&name, "any of %u PU%s", t->pu_count, t->pu_count > 1 ? "s" : "");
    return place;
}

/* Places workers on one PU of every core that has so many, core by core, from *placed on. */
static void place_round(const struct topology *t, uint32_t sibling, size_t count, size_t *placed,
                        struct placement *out)
{
    bool owns_core = count <= t->core_count;
    for (int32_t efficiency = max_efficiency(t); efficiency >= -1; efficiency--) {
        for (uint32_t i = 0; i < t->pu_count && *placed < count; i++) {
            if (t->pus[i].sibling == sibling && t->pus[i].efficiency == efficiency)
                out[(*placed)++] = pinned_place(t, i, owns_core);
        }
    }
}

/* Law 10, as far as it can be told here: a place is made of PUs that this process may use; nobody is tied
 * down who was not to be, or where there are too few PUs; and those that are do not share theirs. */
__attribute__((unused)) static bool are_lawful(const struct topology *t, size_t count,
                                               enum filch_bind policy,
                                               const struct placement *places)
{
    for (size_t i = 0; i < count; i++) {
        const struct placement *p = &places[i];
        if (p->pu_count == 0 || p->first_pu + p->pu_count > t->pu_count)
            return false;
        if (!p->is_pinned && p->pu_count != t->pu_count)
            return false;
        if (p->is_pinned && (policy == FILCH_BIND_NONE || count > t->pu_count))
            return false;
        for (size_t k = 0; p->is_pinned && k < i; k++) {
            const struct placement *q = &places[k];
            if (p->first_pu < q->first_pu + q->pu_count && q->first_pu < p->first_pu + p->pu_count)
                return false;
        }
    }
    return true;
}

int filch__topology_place(const struct topology *t, size_t count, enum filch_bind policy,
                          struct placement *out)
{
    if (t == NULL || out == NULL || count == 0 ||
        (policy != FILCH_BIND_DEFAULT && policy != FILCH_BIND_CORES && policy != FILCH_BIND_NONE))
        return EINVAL;
    size_t placed = 0;
    if (!pins(t, count, policy)) {
        for (; placed < count; placed++)
            out[placed] = free_place(t);
    }
    for (uint32_t sibling = 0; placed < count; sibling++)
        place_round(t, sibling, count, &placed, out);
    FILCH_DCHECK(are_lawful(t, count, policy, out));
    return 0;
}

unsigned filch__topology_distance(const struct placement *a, const struct placement *b)
{
    if (!a->is_pinned || !b->is_pinned)
        return TOPOLOGY_LEVEL_COUNT;
    const struct topology_pu *pu_a = &a->topology->pus[a->first_pu];
    const struct topology_pu *pu_b = &b->topology->pus[b->first_pu];
    unsigned distance = 0;
    for (size_t level = 0; level < TOPOLOGY_LEVEL_COUNT; level++)
        distance += pu_a->group[level] != pu_b->group[level];
    return distance;
}

/* Rotates the workers order[0 .. count - 1] to the left by `steps` < count. */
static void rotate(uint32_t *order, size_t count, size_t steps)
{
    /* Reversing both parts and then the whole swaps the parts. */
    const size_t bounds[3][2] = {{0, steps}, {steps, count}, {0, count}};
    for (size_t part = 0; part < 3; part++) {
        size_t low = bounds[part][0];
        size_t high = bounds[part][1];
        for (; low + 1 < high; low++, high--) {
            uint32_t kept = order[low];
            order[low] = order[high - 1];
            order[high - 1] = kept;
        }
    }
}

int filch__topology_victims(const struct topology *t, const struct placement *placements,
                            size_t count, size_t self, uint32_t *order)
{
    if (t == NULL || placements == NULL || self >= count || (order == NULL && count > 1))
        return EINVAL;
    size_t filled = 0;
    for (unsigned distance = 0; distance <= TOPOLOGY_LEVEL_COUNT; distance++) {
        size_t begin = filled;
        for (size_t i = 0; i < count; i++) {
            if (i != self &&
                filch__topology_distance(&placements[self], &placements[i]) == distance)
                order[filled++] = (uint32_t)i;
        }
        if (filled > begin)
            rotate(order + begin, filled - begin, self % (filled - begin));
    }
    FILCH_DCHECK(filled == count - 1);
    for (size_t i = 1; FILCH_DEBUG && i < filled; i++) /* the nearest first */
        FILCH_DCHECK(filch__topology_distance(&placements[self], &placements[order[i - 1]]) <=
                     filch__topology_distance(&placements[self], &placements[order[i]]));
    return 0;
}

enum { BIND_FEW_WORDS = 16 };

static void add_pus(struct cpu_set *set, const struct topology *t, size_t first, size_t count)
{
    for (size_t i = 0; i < count; i++)
        filch__cpu_set_add(set, t->pus[first + i].os_index);
}

/* Makes the set of `count` PUs from `first` on; false where memory is short. */
static bool make_set(struct cpu_set *set, const struct topology *t, size_t first, size_t count)
{
    if (!filch__cpu_set_init(set, t->cpu_limit))
        return false;
    add_pus(set, t, first, count);
    return true;
}

static int bind_self(const void *set, size_t set_bytes)
{
    int saved_errno = errno;
    int error = sched_setaffinity(0, set_bytes, set) == 0 ? 0 : errno;
    errno = saved_errno;
    return error;
}

int filch__topology_bind(const struct placement *place, const struct filch_thread *thread)
{
    if (place == NULL)
        return EINVAL;
    if (!place->topology->is_this_machine)
        return 0;
    /* A thread that has just begun had to set up the allocator for the larger ones. */
    unsigned long few[BIND_FEW_WORDS] = {0};
    struct cpu_set set = {.word_count = BIND_FEW_WORDS, .words = few};
    bool is_small = place->topology->cpu_limit <= filch__cpu_set_limit(&set);
    if (is_small)
        add_pus(&set, place->topology, place->first_pu, place->pu_count);
    else if (!make_set(&set, place->topology, place->first_pu, place->pu_count))
        return ENOMEM;
    size_t set_bytes = set.word_count * sizeof *set.words;
    int error = thread == NULL ? bind_self(set.words, set_bytes)
                               : filch__thread_bind(thread, set.words, set_bytes);
    if (!is_small)
        filch__cpu_set_fini(&set);
    return error;
}

bool filch__topology_is_bound(const struct placement *place, const struct filch_thread *thread)
{
    unsigned long few[BIND_FEW_WORDS] = {0};
    struct cpu_set set = {.word_count = BIND_FEW_WORDS, .words = few};
    if (!place->is_pinned || filch__thread_read_binding(thread, few, sizeof few) != 0)
        return false;
    size_t within = 0; /* not all of them, where one has been switched off */
    for (uint32_t i = 0; i < place->pu_count; i++)
        within += filch__cpu_set_has(&set, place->topology->pus[place->first_pu + i].os_index);
    return within > 0 && within == filch__cpu_set_count(&set);
}

/* Appends "0-3,8" and the like. */
static void append_ranges(struct text *text, const struct cpu_set *set)
{
    const char *separator = "";
    size_t limit = filch__cpu_set_limit(set);
    for (size_t cpu = 0; cpu < limit; cpu++) {
        if (!filch__cpu_set_has(set, cpu))
            continue;
        size_t first = cpu;
        while (filch__cpu_set_has(set, cpu + 1))
            cpu++;
        append(text, "%s%zu", separator, first);
        if (cpu > first)
            append(text, "-%zu", cpu);
        separator = ",";
    }
}

/* How many different groups of one level the PUs belong to; members of a group are neighbours. */
static size_t group_count(const struct topology *t, enum topology_level level)
{
    size_t count = 0;
    uint32_t before = TOPOLOGY_NO_GROUP;
    for (size_t i = 0; i < t->pu_count; i++) {
        uint32_t group = t->pus[i].group[level];
        count += group != before && group != TOPOLOGY_NO_GROUP;
        before = group;
    }
    return count;
}

static void append_kind(struct text *text, const struct topology *t, int32_t efficiency)
{
    size_t cores = 0;
    size_t pus = 0;
    for (size_t i = 0; i < t->pu_count; i++) {
        bool is_member = t->pus[i].efficiency == efficiency;
        pus += is_member;
        cores += is_member && t->pus[i].sibling == 0;
    }
    if (pus > 0)
        append(text, "core kind %-4d %zu cores, %zu PUs\n", (int)efficiency, cores, pus);
}

int filch__topology_describe(const struct topology *t, char *buffer, size_t size_bytes)
{
    if (t == NULL || buffer == NULL || size_bytes == 0)
        return EINVAL;
    struct cpu_set set;
    if (!make_set(&set, t, 0, t->pu_count))
        return ENOMEM;
    struct text text = {buffer, size_bytes, 0};
    append(&text, "machine        %s\n",
           t->is_this_machine ? "this one" : "described, not this one");
    append(&text, "usable PUs     %u (", t->pu_count);
    append_ranges(&text, &set);
    append(&text, ")\ncores          %u\n", t->core_count);
    append(&text, "L2 caches      %zu\n", group_count(t, TOPOLOGY_L2));
    append(&text, "L3 caches      %zu\n", group_count(t, TOPOLOGY_L3));
    append(&text, "NUMA nodes     %zu\n", group_count(t, TOPOLOGY_NUMA));
    append(&text, "packages       %zu\n", group_count(t, TOPOLOGY_PACKAGE));
    for (int32_t efficiency = max_efficiency(t); efficiency >= 0; efficiency--)
        append_kind(&text, t, efficiency); /* 0 is the slowest */
    if (t->quota_milli_cpus == FILCH__CGROUP_UNLIMITED)
        append(&text, "cgroup quota   none\n");
    else
        append(&text, "cgroup quota   %llu.%03llu CPUs\n",
               (unsigned long long)(t->quota_milli_cpus / 1000),
               (unsigned long long)(t->quota_milli_cpus % 1000));
    append(&text, "width          %zu\n", filch__topology_width(t));
    filch__cpu_set_fini(&set);
    return text.length < size_bytes ? 0 : ENOSPC;
}
