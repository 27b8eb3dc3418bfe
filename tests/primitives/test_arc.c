/* SPDX-License-Identifier: Apache-2.0 */
/* Shared values: dropped once, by the last owner, after all that the others did. */
#include "test.h"

#include <errno.h>
#include <filch/arc.h>
#include <filch/thread.h>
#include <string.h>

struct point {
    int x;
    int y;
};

static int drops; /* plain: the counts order the last drop after everything */

static void count_drop(void *value)
{
    (void)value;
    drops++;
}

static struct point *make(int x)
{
    struct point *point = NULL;
    drops = 0;
    assert_int_equal(FILCH_ARC_CREATE(&point, count_drop), 0);
    assert_int_equal(point->x, 0);
    assert_int_equal(point->y, 0);
    point->x = x;
    return point;
}

xt_define(the_last_owner_drops_the_value)
{
    struct point *one = make(1);
    assert_int_equal(filch_arc_strong_count(one), 1);
    struct point *two = FILCH_ARC_CLONE(one);
    const struct point *three = FILCH_ARC_CLONE((const struct point *)two);
    assert_ptr_equal(one, two);
    assert_ptr_equal(one, three);
    assert_int_equal(filch_arc_strong_count(one), 3);
    filch_arc_drop(one);
    filch_arc_drop(two);
    assert_int_equal(drops, 0);
    assert_int_equal(three->x, 1);
    filch_arc_drop((void *)(uintptr_t)three);
    assert_int_equal(drops, 1);
}

xt_define(nobody_owns_nothing)
{
    assert_null(filch_arc_clone(NULL));
    filch_arc_drop(NULL);
    assert_null(filch_arc_get_mut(NULL));
    assert_null(filch_arc_downgrade(NULL));
    assert_null(filch_weak_upgrade(NULL));
    assert_null(filch_weak_clone(NULL));
    filch_weak_drop(NULL);
    assert_int_equal(filch_arc_strong_count(NULL), 0);
    assert_int_equal(filch_arc_weak_count(NULL), 0);
}

xt_define(bad_arguments_are_refused)
{
    struct point out;
    void *value = &out;
    assert_int_equal(filch_arc_create(NULL, 1, 1, NULL), EINVAL);
    assert_int_equal(filch_arc_create(&value, 1, 0, NULL), EINVAL);
    assert_int_equal(filch_arc_create(&value, 1, 24, NULL), EINVAL);
    assert_int_equal(filch_arc_create(&value, SIZE_MAX, 1, NULL), ENOMEM);
    if (!XT_ASAN && !XT_TSAN) /* which end a program that asks for so much */
        assert_int_equal(filch_arc_create(&value, SIZE_MAX - 64, 1, NULL), ENOMEM);
    assert_ptr_equal(value, &out);
    assert_int_equal(filch_arc_try_unwrap(NULL, &out), EINVAL);
    assert_int_equal(filch_arc_into_inner(NULL, &out), EINVAL);
    struct point *point = make(1);
    assert_int_equal(filch_arc_try_unwrap(point, NULL), EINVAL);
    assert_int_equal(filch_arc_into_inner(point, NULL), EINVAL);
    assert_int_equal(filch_arc_strong_count(point), 1);
    filch_arc_drop(point);
}

xt_define(values_are_aligned)
{
    static const size_t sizes[] = {0, 1, 24, 100000};
    for (size_t align = 1; align <= 4096; align *= 2) {
        for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
            void *value = NULL;
            assert_int_equal(filch_arc_create(&value, sizes[i], align, NULL), 0);
            assert_int_equal((uintptr_t)value % align, 0);
            memset(value, 0xff, sizes[i]);
            filch_arc_drop(value);
        }
    }
}

xt_define(only_the_sole_owner_may_change)
{
    struct point *point = make(1);
    assert_ptr_equal(FILCH_ARC_GET_MUT(point), point);
    struct point *other = FILCH_ARC_CLONE(point);
    assert_null(FILCH_ARC_GET_MUT(point));
    filch_arc_drop(other);
    assert_ptr_equal(FILCH_ARC_GET_MUT(point), point);
    struct filch_weak *weak = filch_arc_downgrade(point);
    assert_null(FILCH_ARC_GET_MUT(point)); /* it could become an owner */
    assert_int_equal(filch_arc_weak_count(point), 1);
    filch_weak_drop(weak);
    assert_ptr_equal(FILCH_ARC_GET_MUT(point), point);
    assert_int_equal(filch_arc_weak_count(point), 0);
    filch_arc_drop(point);
}

xt_define(the_sole_owner_may_take_the_value)
{
    struct point out = {0, 0};
    struct point *point = make(7);
    struct point *other = FILCH_ARC_CLONE(point);
    assert_int_equal(filch_arc_try_unwrap(point, &out), EBUSY);
    assert_int_equal(out.x, 0);
    filch_arc_drop(other);
    struct filch_weak *weak = filch_arc_downgrade(point);
    assert_int_equal(filch_arc_try_unwrap(point, &out), 0); /* a weak one does not hinder */
    assert_int_equal(out.x, 7);
    assert_null(filch_weak_upgrade(weak));
    filch_weak_drop(weak);
    assert_int_equal(drops, 0); /* it lives on, elsewhere */
}

xt_define(the_last_owner_gets_the_value)
{
    struct point out = {0, 0};
    struct point *point = make(7);
    struct point *other = FILCH_ARC_CLONE(point);
    assert_int_equal(filch_arc_into_inner(point, &out), EBUSY);
    assert_int_equal(filch_arc_strong_count(other), 1); /* it is given up all the same */
    assert_int_equal(filch_arc_into_inner(other, &out), 0);
    assert_int_equal(out.x, 7);
    assert_int_equal(drops, 0);
}

xt_define(weak_references_do_not_keep_the_value)
{
    struct point *point = make(3);
    struct filch_weak *weak = filch_arc_downgrade(point);
    struct filch_weak *other = filch_weak_clone(weak);
    assert_int_equal(filch_arc_weak_count(point), 2);
    assert_int_equal(filch_arc_strong_count(point), 1);
    struct point *again = FILCH_WEAK_UPGRADE(struct point, weak);
    assert_ptr_equal(again, point);
    assert_int_equal(filch_arc_strong_count(point), 2);
    filch_arc_drop(point);
    assert_int_equal(drops, 0);
    assert_int_equal(again->x, 3);
    filch_arc_drop(again);
    assert_int_equal(drops, 1);
    assert_null(filch_weak_upgrade(weak));
    struct filch_weak *late = filch_weak_clone(weak);
    assert_null(filch_weak_upgrade(late));
    filch_weak_drop(weak);
    filch_weak_drop(other);
    filch_weak_drop(late);
    assert_int_equal(drops, 1);
}

/* A value that has a weak reference to itself: no cycle. */
struct node {
    struct filch_weak *self;
};

static void drop_node(void *value)
{
    struct node *node = value;
    assert_null(filch_weak_upgrade(node->self)); /* it is being dropped */
    filch_weak_drop(node->self);
    drops++;
}

xt_define(a_weak_reference_may_be_dropped_by_its_own_value)
{
    struct node *node = NULL;
    drops = 0;
    assert_int_equal(FILCH_ARC_CREATE(&node, drop_node), 0);
    node->self = filch_arc_downgrade(node);
    filch_arc_drop(node);
    assert_int_equal(drops, 1);
}

xt_define(failures_leave_nothing_behind)
{
    xt_faults_install();
    xt_faults_arm(XT_ALLOC, 1, XT_FAULT_ONCE);
    struct point *point = NULL;
    assert_int_equal(FILCH_ARC_CREATE(&point, count_drop), ENOMEM);
    assert_null(point);
    assert_int_equal(FILCH_ARC_CREATE(&point, count_drop), 0);
    (void)xt_faults_disarm();
    struct filch_weak *weak = filch_arc_downgrade(point);
    filch_arc_drop(point);
    assert_int_equal(xt_faults_live_blocks(), 1); /* the weak one keeps the memory */
    filch_weak_drop(weak);
    assert_int_equal(xt_faults_live_blocks(), 0);
    xt_faults_remove();
}

static void overflow_strong(void *unused)
{
    struct point *point = NULL;
    (void)unused;
    if (FILCH_ARC_CREATE(&point, NULL) != 0)
        return;
    filch__arc_of(point)->strong = SIZE_MAX / 2 + 1; /* as so many clones would have made it */
    (void)filch_arc_clone(point);
}

static void overflow_by_upgrade(void *unused)
{
    struct point *point = NULL;
    (void)unused;
    if (FILCH_ARC_CREATE(&point, NULL) != 0)
        return;
    struct filch_weak *weak = filch_arc_downgrade(point);
    filch__arc_of(point)->strong = SIZE_MAX / 2 + 1;
    if (filch_weak_upgrade(weak) == NULL)
        return;
}

static void overflow_weak(void *unused)
{
    struct point *point = NULL;
    (void)unused;
    if (FILCH_ARC_CREATE(&point, NULL) != 0)
        return;
    filch__arc_of(point)->weak = SIZE_MAX / 2 + 1;
    if (filch_arc_downgrade(point) == NULL)
        return;
}

xt_define(counts_do_not_overflow)
{
    static void (*const overflows[])(void *) = {overflow_strong, overflow_by_upgrade,
                                                overflow_weak};
    for (size_t i = 0; i < sizeof overflows / sizeof overflows[0]; i++) {
        struct xt_child child;
        xt_run_child(&child, overflows[i], NULL);
        assert_true(xt_child_aborted(&child, "filch: a shared value has too many references"));
    }
}

/* --- races --- */

enum { OWNERS = 4, RACES = 2000 };

struct race {
    struct point *point; /* a reference for each owner */
    struct filch_weak *weak;
    uint32_t winners;
};

static void *drop_it(void *argument)
{
    struct race *race = argument;
    struct point *mine = race->point;
    __atomic_fetch_add(&mine->y, mine->x, __ATOMIC_RELAXED);
    filch_arc_drop(mine);
    return NULL;
}

/* Reads what all owners have written with no other order than that of the counts. */
static void expect_all(void *value)
{
    struct point *point = value;
    xt_expect_equal(point->y, OWNERS * point->x);
    point->y = 0;
    __atomic_fetch_add(&drops, 1, __ATOMIC_RELAXED);
}

xt_define(one_of_racing_owners_drops)
{
    size_t races = xt_scaled(RACES);
    drops = 0;
    for (size_t i = 0; i < races; i++) {
        struct race race = {0};
        assert_int_equal(FILCH_ARC_CREATE(&race.point, expect_all), 0);
        race.point->x = (int)i + 1;
        for (int j = 1; j < OWNERS; j++)
            assert_ptr_equal(FILCH_ARC_CLONE(race.point), race.point);
        xt_run_threads(OWNERS, drop_it, &race, 0);
    }
    assert_int_equal(drops, races);
}

static void *take_it(void *argument)
{
    struct race *race = argument;
    struct point out = {0, 0};
    struct point *mine = race->point;
    __atomic_fetch_add(&mine->y, mine->x, __ATOMIC_RELAXED);
    if (filch_arc_into_inner(mine, &out) == 0) {
        xt_expect_equal(out.y, OWNERS * out.x);
        __atomic_fetch_add(&race->winners, 1, __ATOMIC_RELAXED);
    }
    return NULL;
}

xt_define(one_of_racing_owners_gets_the_value)
{
    size_t races = xt_scaled(RACES);
    for (size_t i = 0; i < races; i++) {
        struct race race = {0};
        race.point = make((int)i + 1);
        for (int j = 1; j < OWNERS; j++)
            assert_ptr_equal(FILCH_ARC_CLONE(race.point), race.point);
        xt_run_threads(OWNERS, take_it, &race, 0);
        assert_int_equal(race.winners, 1);
        assert_int_equal(drops, 0);
    }
}

/* Owners that come and go by weak references, while the first one goes. */
static void *upgrade_often(void *argument)
{
    struct race *race = argument;
    struct filch_weak *weak = filch_weak_clone(race->weak);
    for (int i = 0; i < 100; i++) {
        struct point *point = filch_weak_upgrade(weak);
        if (point == NULL)
            break;
        xt_expect_equal(point->x, 5);
        filch_arc_drop(point);
    }
    filch_weak_drop(weak);
    struct filch_weak *mine = race->weak;
    if (__atomic_add_fetch(&race->winners, 1, __ATOMIC_ACQ_REL) == OWNERS)
        filch_weak_drop(mine);
    return NULL;
}

static void poison(void *value)
{
    ((struct point *)value)->x = 0;
    __atomic_fetch_add(&drops, 1, __ATOMIC_RELAXED);
}

static void *drop_first(void *argument)
{
    struct race *race = argument;
    for (int i = 0; i < 20; i++)
        (void)!filch_arc_get_mut(race->point);
    filch_arc_drop(race->point);
    return NULL;
}

static void *race_body(void *argument)
{
    struct race *race = argument;
    static uint32_t turn;
    if (__atomic_fetch_add(&turn, 1, __ATOMIC_RELAXED) % (OWNERS + 1) == 0)
        return drop_first(race);
    return upgrade_often(race);
}

xt_define(what_has_been_upgraded_is_there)
{
    size_t races = xt_scaled(RACES);
    drops = 0;
    for (size_t i = 0; i < races; i++) {
        struct race race = {0};
        assert_int_equal(FILCH_ARC_CREATE(&race.point, poison), 0);
        race.point->x = 5;
        race.weak = filch_arc_downgrade(race.point);
        xt_run_threads(OWNERS + 1, race_body, &race, 0);
    }
    assert_int_equal(drops, races);
}

/* --- cycles --- */

/* Knows its child, which knows it in one of two ways. */
struct relative {
    struct relative *owned;
    struct filch_weak *known;
};

static void drop_relative(void *value)
{
    struct relative *relative = value;
    drops++;
    filch_arc_drop(relative->owned);
    filch_weak_drop(relative->known);
}

static struct relative *make_relative(void)
{
    struct relative *relative = NULL;
    assert_int_equal(FILCH_ARC_CREATE(&relative, drop_relative), 0);
    return relative;
}

xt_define(a_cycle_of_owners_leaks)
{
    xt_faults_install();
    drops = 0;
    struct relative *parent = make_relative();
    struct relative *child = make_relative();
    parent->owned = FILCH_ARC_CLONE(child);
    child->owned = FILCH_ARC_CLONE(parent);
    filch_arc_drop(parent);
    filch_arc_drop(child);
    /* Each is held by the other one. */
    assert_int_equal(drops, 0);
    assert_int_equal(xt_faults_live_blocks(), 2);
    assert_int_equal(filch_arc_strong_count(parent), 1);
    assert_int_equal(filch_arc_strong_count(child), 1);
    /* Whoever can still reach them may break it. */
    struct relative *held = child->owned;
    child->owned = NULL;
    filch_arc_drop(held);
    assert_int_equal(drops, 2);
    assert_int_equal(xt_faults_live_blocks(), 0);
    xt_faults_remove();
}

xt_define(a_weak_reference_breaks_a_cycle)
{
    xt_faults_install();
    drops = 0;
    struct relative *parent = make_relative();
    struct relative *child = make_relative();
    parent->owned = FILCH_ARC_CLONE(child);
    child->known = filch_arc_downgrade(parent);
    struct relative *seen = FILCH_WEAK_UPGRADE(struct relative, child->known);
    assert_ptr_equal(seen, parent);
    filch_arc_drop(seen);
    filch_arc_drop(parent);
    assert_int_equal(drops, 1);
    assert_null(filch_weak_upgrade(child->known));
    filch_arc_drop(child);
    assert_int_equal(drops, 2);
    assert_int_equal(xt_faults_live_blocks(), 0);
    xt_faults_remove();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        xt_test(the_last_owner_drops_the_value),
        xt_test(nobody_owns_nothing),
        xt_test(bad_arguments_are_refused),
        xt_test(values_are_aligned),
        xt_test(only_the_sole_owner_may_change),
        xt_test(the_sole_owner_may_take_the_value),
        xt_test(the_last_owner_gets_the_value),
        xt_test(weak_references_do_not_keep_the_value),
        xt_test(a_weak_reference_may_be_dropped_by_its_own_value),
        xt_test(failures_leave_nothing_behind),
        xt_test(counts_do_not_overflow),
        xt_test(a_cycle_of_owners_leaks),
        xt_test(a_weak_reference_breaks_a_cycle),
        xt_test(one_of_racing_owners_drops),
        xt_test(one_of_racing_owners_gets_the_value),
        xt_test(what_has_been_upgraded_is_there),
    };
    return xt_run(tests);
}
