/* SPDX-License-Identifier: Apache-2.0 */
/* What is within what: how a wait tells those around it where it is to be asked. */
#include "test.h"

#include "cancel.h"

#include <errno.h>

struct tree {
    struct cancel pool, outer, inner;
};

static void tree_init(struct tree *t)
{
    filch__cancel_init(&t->pool, NULL, NULL);
    filch__cancel_init(&t->outer, NULL, NULL);
    filch__cancel_init(&t->inner, &t->outer, NULL);
    t->outer.also = &t->pool;
}

static int wait_at(struct tree *t, size_t place)
{
    int64_t deadline_ns = FILCH_FOREVER;
    int error = filch__cancel_before_wait(&t->inner, place, &deadline_ns);
    xt_expect_equal(deadline_ns, FILCH_FOREVER);
    return error;
}

static bool is_known(const struct cancel *c, size_t place)
{
    return (FILCH_LOAD(&c->waited_at, CN_places, seq_cst) >> place % 64 & 1) != 0;
}

/* Nothing has been cancelled in this process yet: only then is there a short way. */
xt_define(all_around_know_the_place_of_a_wait)
{
    struct tree t;
    tree_init(&t);
    assert_int_equal(wait_at(&t, 5), 0);
    assert_int_equal(wait_at(&t, 5), 0);
    assert_true(is_known(&t.inner, 5) && is_known(&t.outer, 5) && is_known(&t.pool, 5));
    assert_false(is_known(&t.inner, 6) || is_known(&t.outer, 6) || is_known(&t.pool, 6));
}

/* Two places whose numbers share a bit: the wait of one has told the innermost, and has yet to tell those
 * around it. That of the other one may not rely on it. */
xt_define(a_wait_that_is_on_its_way_outwards_counts_for_itself_only)
{
    struct tree t;
    tree_init(&t);
    FILCH_STORE(&t.inner.waited_at, UINT64_C(1) << 1, CN_wait, seq_cst);
    assert_int_equal(wait_at(&t, 65), 0);
    assert_true(is_known(&t.outer, 65));
    assert_true(is_known(&t.pool, 65));
}

/* The rest of the way is not made where one is cancelled: the next wait makes it again. */
xt_define(a_wait_that_was_refused_has_not_come_to_the_end)
{
    struct tree t;
    tree_init(&t);
    FILCH_STORE(&t.outer.is_cancelled, 1, CN_cancel, seq_cst);
    assert_int_equal(wait_at(&t, 2), ECANCELED);
    FILCH_STORE(&t.outer.is_cancelled, 0, CN_cancel, seq_cst);
    assert_int_equal(wait_at(&t, 2), 0);
    assert_true(is_known(&t.pool, 2));
}

xt_define(the_earliest_deadline_around_counts)
{
    struct tree t;
    tree_init(&t);
    static const int64_t own_ns[] = {100, 10, FILCH_FOREVER};
    FILCH_STORE(&t.outer.deadline_ns, 50, CN_cancel, seq_cst);
    FILCH_STORE(&t.pool.deadline_ns, 70, CN_cancel, seq_cst);
    for (size_t i = 0; i < sizeof own_ns / sizeof own_ns[0]; i++) {
        int64_t deadline_ns = own_ns[i];
        assert_int_equal(filch__cancel_before_first_wait(&t.inner, 3, &deadline_ns), 0);
        assert_int_equal(deadline_ns, own_ns[i] == 10 ? 10 : 50);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        xt_test(all_around_know_the_place_of_a_wait),
        xt_test(a_wait_that_is_on_its_way_outwards_counts_for_itself_only),
        xt_test(a_wait_that_was_refused_has_not_come_to_the_end),
        xt_test(the_earliest_deadline_around_counts),
    };
    return xt_run(tests);
}
