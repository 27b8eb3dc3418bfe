/* SPDX-License-Identifier: Apache-2.0 */
/* Shared values; the counts and their meaning are those of Rust's Arc. */
#include <filch/arc.h>

#include "base/atomic.h"
#include "base/check.h"
#include "os/os.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

static void *value_of(struct filch__arc *arc)
{
    return arc + 1;
}

int filch_arc_create(void **value, size_t size_bytes, size_t align_bytes, void (*drop)(void *value))
{
    if (value == NULL || align_bytes == 0 || (align_bytes & (align_bytes - 1)) != 0)
        return EINVAL;
    if (align_bytes < _Alignof(struct filch__arc))
        align_bytes = _Alignof(struct filch__arc);
    /* The value is aligned, and the counts lie before it. */
    size_t offset_bytes = (sizeof(struct filch__arc) + align_bytes - 1) & ~(align_bytes - 1);
    if (size_bytes > SIZE_MAX - offset_bytes)
        return ENOMEM;
    char *block = filch__os->alloc(offset_bytes + size_bytes, align_bytes);
    if (block == NULL)
        return ENOMEM;
    memset(block + offset_bytes, 0, size_bytes);
    struct filch__arc *arc = filch__arc_of(block + offset_bytes);
    *arc = (struct filch__arc){
        .strong = 1, .weak = 1, .drop = drop, .size_bytes = size_bytes, .block = block};
    *value = value_of(arc);
    return 0;
}

void filch__arc_overflow(void)
{
    filch__abort("a shared value has too many references", __FILE__, __LINE__);
}

static void sub_weak(struct filch__arc *arc)
{
    if (FILCH_FETCH_SUB(&arc->weak, 1, AR_sub_weak, release) != 1)
        return;
    (void)FILCH_LOAD(&arc->weak, AR_last_weak, acquire);
    filch__os->free(arc->block);
}

void filch__arc_drop_value(struct filch__arc *arc)
{
    if (arc->drop != NULL)
        arc->drop(value_of(arc));
    sub_weak(arc);
}

void *filch_arc_get_mut(void *value)
{
    if (value == NULL)
        return NULL;
    struct filch__arc *arc = filch__arc_of(value);
    size_t seen = 1;
    /* While it is locked nobody can make a weak reference, so nobody can get from one to a new
     * reference between the two looks. */
    if (!FILCH_CAS(&arc->weak, &seen, FILCH__ARC_LOCKED, AR_lock, acquire))
        return NULL;
    bool is_only = FILCH_LOAD(&arc->strong, AR_only, acquire) == 1;
    FILCH_STORE(&arc->weak, 1, AR_unlock, release);
    return is_only ? value : NULL;
}

static void move_out(struct filch__arc *arc, void *out)
{
    memcpy(out, value_of(arc), arc->size_bytes);
    sub_weak(arc);
}

int filch_arc_try_unwrap(void *value, void *out)
{
    if (value == NULL || out == NULL)
        return EINVAL;
    struct filch__arc *arc = filch__arc_of(value);
    size_t seen = 1;
    if (!FILCH_CAS(&arc->strong, &seen, 0, AR_take, acquire))
        return EBUSY;
    move_out(arc, out);
    return 0;
}

int filch_arc_into_inner(void *value, void *out)
{
    if (value == NULL || out == NULL)
        return EINVAL;
    struct filch__arc *arc = filch__arc_of(value);
    if (!filch__arc_sub(arc))
        return EBUSY;
    move_out(arc, out);
    return 0;
}

size_t filch_arc_strong_count(const void *value)
{
    return value == NULL ? 0 : FILCH_LOAD_RELAXED(&filch__arc_of(value)->strong); /* a look */
}

size_t filch_arc_weak_count(const void *value)
{
    if (value == NULL)
        return 0;
    size_t weak = FILCH_LOAD_RELAXED(&filch__arc_of(value)->weak); /* a look */
    return weak == FILCH__ARC_LOCKED ? 0 : weak - 1;
}

/* --- weak references --- */

static struct filch__arc *arc_of_weak(const struct filch_weak *weak)
{
    return (struct filch__arc *)(uintptr_t)weak;
}

static bool try_to_add_weak(struct filch__arc *arc, size_t *seen)
{
    if (*seen == FILCH__ARC_LOCKED) { /* for a few instructions */
        filch__os->yield();
        *seen = FILCH_LOAD_RELAXED(&arc->weak); /* the swap decides */
        return false;
    }
    if (*seen > FILCH__ARC_MAX)
        filch__arc_overflow();
    return FILCH_CAS(&arc->weak, seen, *seen + 1, AR_add_weak, acquire);
}

/* The reference that the caller has keeps the memory. */
static struct filch_weak *add_weak(struct filch__arc *arc)
{
    size_t seen = FILCH_LOAD_RELAXED(&arc->weak); /* the swap decides */
    while (!try_to_add_weak(arc, &seen))
        continue;
    return (struct filch_weak *)(void *)arc;
}

struct filch_weak *filch_arc_downgrade(const void *value)
{
    return value == NULL ? NULL : add_weak(filch__arc_of(value));
}

struct filch_weak *filch_weak_clone(const struct filch_weak *weak)
{
    return weak == NULL ? NULL : add_weak(arc_of_weak(weak));
}

void filch_weak_drop(struct filch_weak *weak)
{
    if (weak != NULL)
        sub_weak(arc_of_weak(weak));
}

void *filch_weak_upgrade(const struct filch_weak *weak)
{
    if (weak == NULL)
        return NULL;
    struct filch__arc *arc = arc_of_weak(weak);
    size_t seen = FILCH_LOAD_RELAXED(&arc->strong); /* the swap decides */
    while (seen != 0) {
        if (seen > FILCH__ARC_MAX)
            filch__arc_overflow();
        if (FILCH_CAS(&arc->strong, &seen, seen + 1, AR_upgrade, relaxed))
            return value_of(arc);
    }
    return NULL;
}
