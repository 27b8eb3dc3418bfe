/* SPDX-License-Identifier: Apache-2.0 */
/* Once, cells and lazy values among OS threads. An unwinding thread (pthread_exit) stands for a panic. */
#include "test.h"

#include <filch/once.h>
#include <pthread.h>

struct calls {
    struct filch_once once;
    struct filch_once_cell cell;
    struct filch_lazy lazy;
    uint64_t count; /* plain: the once orders it */
    int error;
    void *value;
    bool is_slow;
    int was_poisoned;
};

static void count(void *argument)
{
    struct calls *c = argument;
    c->count++;
    if (c->is_slow)
        xt_sleep_ns(2000000);
}

static void *call(void *argument)
{
    struct calls *c = argument;
    xt_expect_equal(filch_once_call(&c->once, count, c), 0);
    xt_expect_equal(c->count, 1);
    return NULL;
}

xt_define(it_is_called_once_and_all_see_what_it_did)
{
    for (size_t round = 0; round < xt_scaled(200); round++) {
        struct calls c = {.is_slow = round % 16 == 0};
        assert_false(filch_once_is_completed(&c.once));
        xt_run_threads(6, call, &c, 0);
        assert_int_equal(c.count, 1);
        assert_true(filch_once_is_completed(&c.once));
        assert_int_equal(filch_once_wait_until(&c.once, 0), 0);
        assert_null(c.once.filch__queue);
    }
}

static void call_within(void *argument)
{
    struct calls *c = argument;
    c->error = filch_once_call(&c->once, count, c);
    xt_expect_equal(filch_once_wait_until(&c->once, FILCH_FOREVER), EDEADLK);
}

xt_define(a_call_within_itself_is_an_error)
{
    struct calls c = {.count = 0};
    assert_int_equal(filch_once_call(&c.once, call_within, &c), 0);
    assert_int_equal(c.error, EDEADLK);
    assert_int_equal(c.count, 0);
}

static void nothing(void *unused)
{
    (void)unused;
}

xt_define(bad_arguments_are_refused)
{
    struct calls c = {.count = 0};
    void *value;
    assert_int_equal(filch_once_call(NULL, nothing, NULL), EINVAL);
    assert_int_equal(filch_once_call(&c.once, NULL, NULL), EINVAL);
    assert_int_equal(filch_once_call_until(&c.once, NULL, NULL, 0), EINVAL);
    assert_int_equal(filch_once_call_force(&c.once, NULL, NULL), EINVAL);
    assert_int_equal(filch_once_call_force_until(NULL, NULL, NULL, 0), EINVAL);
    assert_int_equal(filch_once_cell_set_until(NULL, NULL, 0), EINVAL);
    assert_int_equal(filch_once_cell_get_or_init_until(NULL, NULL, NULL, &value, 0), EINVAL);
    assert_int_equal(filch_lazy_get_until(NULL, &value, 0), EINVAL);
    assert_int_equal(filch_once_wait_until(NULL, 0), EINVAL);
    assert_int_equal(filch_once_wait_force_until(NULL, 0), EINVAL);
    assert_int_equal(filch_once_cell_set(NULL, NULL), EINVAL);
    assert_int_equal(filch_once_cell_get_or_init(&c.cell, NULL, NULL, &value), EINVAL);
    assert_int_equal(filch_lazy_get(NULL, &value), EINVAL);
    assert_int_equal(filch_lazy_get(&c.lazy, &value), EINVAL);
    assert_int_equal(filch_once_wait_until(&c.once, 0), ETIMEDOUT);
    assert_false(filch_once_is_completed(&c.once));
}

/* --- calls that do not return --- */

static void leave(void *unused)
{
    (void)unused;
    pthread_exit(NULL);
}

static void *call_and_leave(void *argument)
{
    struct calls *c = argument;
    int error = filch_once_call(&c->once, leave, NULL);
    xt_expect_equal(error, -1); /* not reached */
    return NULL;
}

static void repair(void *argument, int is_poisoned)
{
    struct calls *c = argument;
    c->was_poisoned = is_poisoned;
    c->count++;
}

static void repair_and_leave(void *unused, int is_poisoned)
{
    xt_expect_equal(is_poisoned, 1);
    leave(unused);
}

static void *repair_in_vain(void *argument)
{
    struct calls *c = argument;
    int error = filch_once_call_force(&c->once, repair_and_leave, NULL);
    xt_expect_equal(error, -1); /* not reached */
    return NULL;
}

static void *wait_on(void *argument)
{
    struct calls *c = argument;
    xt_expect_equal(filch_once_wait_force_until(&c->once, FILCH_FOREVER), 0);
    xt_expect_equal(c->count, 1);
    return NULL;
}

xt_define(a_call_that_panics_poisons_until_it_is_repaired)
{
    struct calls c = {.count = 0};
    pthread_t waiting;
    assert_int_equal(pthread_create(&waiting, NULL, wait_on, &c), 0);
    xt_run_threads(1, call_and_leave, &c, 0);
    assert_false(filch_once_is_completed(&c.once));
    assert_int_equal(filch_once_call(&c.once, count, &c), EOWNERDEAD);
    assert_int_equal(filch_once_call_until(&c.once, count, &c, 0), EOWNERDEAD);
    assert_int_equal(filch_once_wait_until(&c.once, FILCH_FOREVER), EOWNERDEAD);
    assert_int_equal(filch_once_wait_force_until(&c.once, 0), ETIMEDOUT);
    xt_run_threads(1, repair_in_vain, &c, 0);
    assert_int_equal(filch_once_call(&c.once, count, &c), EOWNERDEAD);
    assert_int_equal(c.count, 0);
    assert_int_equal(filch_once_call_force(&c.once, repair, &c), 0);
    assert_int_equal(c.was_poisoned, 1);
    assert_int_equal(filch_once_call(&c.once, count, &c), 0);
    assert_int_equal(filch_once_call_force(&c.once, repair, &c), 0);
    assert_int_equal(c.count, 1);
    assert_int_equal(pthread_join(waiting, NULL), 0);
}

static void *slow_call(void *argument)
{
    return call(argument);
}

/* A call, and the making of a cell and of a lazy value, that last until they are released. */
struct held {
    struct filch_once once;
    struct filch_once_cell cell;
    struct filch_lazy lazy;
    uint32_t running; /* atomic, as the next */
    uint32_t released;
};

static void hold(void *argument)
{
    struct held *h = argument;
    __atomic_fetch_add(&h->running, 1, __ATOMIC_RELEASE);
    while (__atomic_load_n(&h->released, __ATOMIC_ACQUIRE) == 0)
        xt_sleep_ns(20000);
}

static void *hold_making(void *argument)
{
    hold(argument);
    return argument;
}

static void *hold_once(void *argument)
{
    struct held *h = argument;
    xt_expect_equal(filch_once_call_until(&h->once, hold, h, 0), 0); /* nobody else calls */
    return NULL;
}

static void *hold_cell(void *argument)
{
    struct held *h = argument;
    xt_expect_equal(filch_once_cell_get_or_init_until(&h->cell, hold_making, h, NULL, 0), 0);
    return NULL;
}

static void *hold_lazy(void *argument)
{
    struct held *h = argument;
    xt_expect_equal(filch_lazy_get_until(&h->lazy, NULL, 0), 0);
    return NULL;
}

static void force_nothing(void *unused, int is_poisoned)
{
    (void)unused;
    (void)is_poisoned;
}

xt_define(every_wait_for_a_call_has_a_deadline)
{
    struct held h = {.lazy = FILCH_LAZY_INIT(hold_making, &h)};
    void *(*const bodies[3])(void *) = {hold_once, hold_cell, hold_lazy};
    pthread_t threads[3];
    void *value = NULL;
    for (int i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, bodies[i], &h), 0);
    while (__atomic_load_n(&h.running, __ATOMIC_ACQUIRE) != 3)
        xt_sleep_ns(20000);
    for (int i = 0; i < 2; i++) { /* one that has passed, one that has yet to */
        int64_t deadline = i == 0 ? 0 : xt_now_ns() + 1000000;
        assert_int_equal(filch_once_call_until(&h.once, nothing, NULL, deadline), ETIMEDOUT);
        assert_int_equal(filch_once_call_force_until(&h.once, force_nothing, NULL, deadline),
                         ETIMEDOUT);
        assert_int_equal(filch_once_wait_until(&h.once, deadline), ETIMEDOUT);
        assert_int_equal(filch_once_wait_force_until(&h.once, deadline), ETIMEDOUT);
        assert_int_equal(filch_once_cell_set_until(&h.cell, &h, deadline), ETIMEDOUT);
        assert_int_equal(
            filch_once_cell_get_or_init_until(&h.cell, hold_making, &h, &value, deadline),
            ETIMEDOUT);
        assert_int_equal(filch_lazy_get_until(&h.lazy, &value, deadline), ETIMEDOUT);
    }
    assert_null(value);
    __atomic_store_n(&h.released, 1, __ATOMIC_RELEASE);
    assert_int_equal(filch_once_call_force_until(&h.once, force_nothing, NULL, FILCH_FOREVER), 0);
    assert_int_equal(filch_once_cell_set_until(&h.cell, NULL, FILCH_FOREVER), EBUSY);
    assert_int_equal(filch_lazy_get_until(&h.lazy, &value, FILCH_FOREVER), 0);
    assert_ptr_equal(value, &h);
    assert_ptr_equal(filch_once_cell_get(&h.cell), &h);
    for (int i = 0; i < 3; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_null(h.once.filch__queue);
    assert_null(h.cell.filch__once.filch__queue);
}

xt_define(deadlines_of_those_that_wait)
{
    struct calls c = {.is_slow = true};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, slow_call, &c), 0);
    int error = filch_once_call_until(&c.once, count, &c, xt_now_ns() + 200000);
    assert_true(error == 0 || error == ETIMEDOUT);
    assert_int_equal(filch_once_call(&c.once, count, &c), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(c.count, 1);
    assert_null(c.once.filch__queue);
}

/* --- cells and lazy values --- */

static void *make(void *argument)
{
    struct calls *c = argument;
    c->count++;
    return &c->count;
}

static void *leave_making(void *unused)
{
    leave(unused);
    return NULL;
}

static void *make_and_leave(void *argument)
{
    struct calls *c = argument;
    int error = filch_once_cell_get_or_init(&c->cell, leave_making, NULL, NULL);
    xt_expect_equal(error, -1); /* not reached */
    return NULL;
}

static void *make_within(void *argument)
{
    struct calls *c = argument;
    c->error = filch_once_cell_get_or_init(&c->cell, make, c, NULL);
    xt_expect_equal(filch_once_cell_set(&c->cell, c), EDEADLK);
    return c;
}

xt_define(a_cell)
{
    struct calls c = {.count = 0}, other = {.count = 0}, third = {.count = 0};
    void *value = NULL;
    assert_null(filch_once_cell_get(&c.cell));
    xt_run_threads(1, make_and_leave, &c, 0); /* leaves it empty */
    assert_null(filch_once_cell_get(&c.cell));
    assert_int_equal(filch_once_cell_get_or_init(&c.cell, make, &c, &value), 0);
    assert_int_equal(filch_once_cell_get_or_init(&c.cell, make, &c, NULL), 0);
    assert_ptr_equal(value, &c.count);
    assert_ptr_equal(filch_once_cell_get(&c.cell), value);
    assert_int_equal(c.count, 1);
    assert_int_equal(filch_once_cell_set(&c.cell, &other), EBUSY);
    assert_int_equal(filch_once_cell_set(&other.cell, &other), 0);
    assert_int_equal(filch_once_cell_get_or_init(&other.cell, make, &other, &value), 0);
    assert_ptr_equal(value, &other);
    assert_int_equal(filch_once_cell_get_or_init(&third.cell, make_within, &third, &value), 0);
    assert_int_equal(third.error, EDEADLK);
}

static uint64_t made;

static void *make_number(void *unused)
{
    (void)unused;
    made++;
    xt_sleep_ns(1000000);
    return &made;
}

static struct filch_lazy number = FILCH_LAZY_INIT(make_number, NULL);
static struct filch_lazy never = FILCH_LAZY_INIT(leave_making, NULL);

static void *use_number(void *argument)
{
    void *value = NULL;
    xt_expect_equal(filch_lazy_get(&number, &value), 0);
    xt_expect(value == &made && made == 1);
    return argument;
}

static void *use_never(void *argument)
{
    int error = filch_lazy_get(&never, NULL);
    xt_expect_equal(error, -1); /* not reached */
    return argument;
}

xt_define(a_lazy_value)
{
    xt_run_threads(4, use_number, NULL, 0);
    assert_int_equal(made, 1);
    xt_run_threads(1, use_never, NULL, 0);
    assert_int_equal(filch_lazy_get(&never, NULL), EOWNERDEAD); /* for good */
    assert_int_equal(filch_lazy_get(&never, NULL), EOWNERDEAD);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        xt_test(it_is_called_once_and_all_see_what_it_did),
        xt_test(a_call_within_itself_is_an_error),
        xt_test(bad_arguments_are_refused),
        xt_test(a_call_that_panics_poisons_until_it_is_repaired),
        xt_test(every_wait_for_a_call_has_a_deadline),
        xt_test(deadlines_of_those_that_wait),
        xt_test(a_cell),
        xt_test(a_lazy_value),
    };
    return xt_run(tests);
}
