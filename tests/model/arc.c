/* SPDX-License-Identifier: Apache-2.0 */
/* Shared values: dropped once and after all that was done with them; of several that take the value one
 * gets it; whoever finds itself alone is. */
#include "model.h"

#include "base/atomic.h"

/* The checker knows no copies of variable length. */
static void copy_words(void *to, const void *from, size_t size_bytes)
{
    for (size_t i = 0; i < size_bytes / sizeof(uint64_t); i++)
        ((uint64_t *)to)[i] = ((const uint64_t *)from)[i];
}

static void clear_words(void *to, int byte, size_t size_bytes)
{
    assert(byte == 0);
    for (size_t i = 0; i < size_bytes / sizeof(uint64_t); i++)
        ((uint64_t *)to)[i] = 0;
}

/* clang-format off */
#include <string.h>
#define memcpy copy_words
#define memset clear_words
#define while(condition) MODEL_BOUNDED(condition)
/* clang-format on */
#include "primitives/share/arc.c"
#undef while
#undef memset
#undef memcpy

struct shared {
    uint64_t parts[2]; /* plain: each written by one thread */
};

static struct shared *value;
static struct filch_weak *weak;
static int taken;

static void drop_shared(void *object)
{
    struct shared *shared = object;
    assert(shared->parts[0] + shared->parts[1] == 2);
    taken++; /* plain, and so only once */
}

static void make(void)
{
    void *made;
    int error = filch_arc_create(&made, sizeof *value, 8, drop_shared);
    assert(error == 0);
    value = made;
}

static void drop_with(int part)
{
    value->parts[part] = 1;
    filch_arc_drop(value);
}

#if SCENARIO <= 3

/* Two owners: each of them has a part. */
static int winners;

static void check(const struct shared *out)
{
    assert(out->parts[0] + out->parts[1] == 2);
    winners++; /* plain, and so only once */
}

static void get_with(int part)
{
    struct shared out;
    value->parts[part] = 1;
    if (filch_arc_into_inner(value, &out) == 0)
        check(&out);
}

static void *first(void *unused)
{
#if SCENARIO == 1 /* both drop */
    drop_with(0);
#elif SCENARIO == 2 /* one takes the value if it is the only one, the other drops */
    struct shared out;
    value->parts[0] = 1;
    if (filch_arc_try_unwrap(value, &out) == 0)
        check(&out);
    else
        filch_arc_drop(value);
#else               /* both take the value, whoever is the last */
    get_with(0);
#endif
    return unused;
}

static void *second(void *unused)
{
    if (SCENARIO == 3)
        get_with(1);
    else
        drop_with(1);
    return unused;
}

int main(void)
{
    make();
    (void)filch_arc_clone(value);
    MODEL_RUN(first, second);
    assert(taken == 1 || SCENARIO != 1);
    assert(winners == 1 || SCENARIO != 3);
    assert(taken + winners == 1);
    return 0;
}

#elif SCENARIO == 4 /* the one that is alone may change, another has a weak reference */

static void *changes(void *unused)
{
    (void)unused;
    struct shared *mine = filch_arc_get_mut(value);
    if (mine != NULL)
        mine->parts[0]++; /* nobody else looks */
    filch_arc_drop(value);
    return NULL;
}

static void *upgrades(void *unused)
{
    (void)unused;
    struct shared *mine = filch_weak_upgrade(weak);
    filch_weak_drop(weak);
    if (mine != NULL) {
        mine->parts[0]++;
        filch_arc_drop(mine);
    }
    return NULL;
}

int main(void)
{
    make();
    value->parts[1] = 1;
    value->parts[0] = 1;
    ((struct filch__arc *)filch__arc_of(value))->drop = NULL;
    weak = filch_arc_downgrade(value);
    MODEL_RUN(changes, upgrades);
    return 0;
}

#else /* the value and two weak references go: the memory goes once */

static void *drops_value(void *unused)
{
    value->parts[0] = 1;
    drop_with(1);
    return unused;
}

static void *drops_weak(void *unused)
{
    (void)unused;
    struct filch_weak *mine = filch_weak_clone(weak);
    filch_weak_drop(weak);
    filch_weak_drop(mine);
    return NULL;
}

int main(void)
{
    make();
    weak = filch_arc_downgrade(value);
    MODEL_RUN(drops_value, drops_weak);
    assert(taken == 1);
    return 0;
}

#endif
