/* SPDX-License-Identifier: Apache-2.0 */
/* The internal lock: exclusion, sleeping contenders, hand-over of plain data. */
#include "test.h"

#include "os/os.h"
#include "park/lock.h"

#include <errno.h>

struct shared {
    struct lock lock;
    uint64_t value; /* plain: the lock orders it */
    size_t rounds;
};

static void *count_up(void *argument)
{
    struct shared *s = argument;
    for (size_t i = 0; i < s->rounds; i++) {
        filch__lock(&s->lock);
        s->value++;
        filch__unlock(&s->lock);
    }
    return NULL;
}

static void count_with(size_t threads, size_t rounds)
{
    struct shared s = {.rounds = rounds};
    xt_run_threads(threads, count_up, &s, 0);
    assert_int_equal(s.value, threads * s.rounds);
    assert_int_equal(s.lock.word, 0);
}

xt_define(only_one_at_a_time)
{
    count_with(1, 1000);
    count_with(2, xt_scaled(200000));
    count_with(4, xt_scaled(100000));
    count_with(16, xt_scaled(20000));
}

xt_define(only_one_at_a_time_on_one_cpu)
{
    xt_use_one_cpu(true);
    count_with(4, xt_scaled(50000));
    xt_use_one_cpu(false);
}

static void *take_once(void *argument)
{
    struct shared *s = argument;
    filch__lock(&s->lock);
    s->value++;
    filch__unlock(&s->lock);
    return NULL;
}

/* The holder keeps it so long that the contenders sleep; each of them wakes the next one. */
xt_define(sleepers_are_woken)
{
    for (int round = 0; round < 20; round++) {
        struct shared s = {0};
        pthread_t threads[5];
        filch__lock(&s.lock);
        for (int i = 0; i < 5; i++)
            assert_int_equal(pthread_create(&threads[i], NULL, take_once, &s), 0);
        xt_sleep_ns(2000000);
        assert_int_equal(s.value, 0);
        filch__unlock(&s.lock);
        for (int i = 0; i < 5; i++)
            assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(s.value, 5);
    }
}

static int futex_wait_never(uint32_t *word, uint32_t expected, int64_t deadline_ns)
{
    static uint32_t turn;
    (void)word;
    (void)expected;
    (void)deadline_ns;
    switch (__atomic_fetch_add(&turn, 1, __ATOMIC_RELAXED) % 3) {
    case 0:
        return EINTR;
    case 1:
        return EAGAIN;
    default:
        return 0;
    }
}

/* The kernel may return from a wait without reason. */
xt_define(spurious_wake_ups_do_no_harm)
{
    struct os_table table = filch__os_linux;
    table.futex_wait = futex_wait_never;
    filch__os_replace(&table);
    count_with(4, xt_scaled(20000));
    filch__os_replace(NULL);
}

xt_define(errno_is_preserved)
{
    struct lock lock = {0};
    errno = ENOTTY;
    filch__lock(&lock);
    filch__unlock(&lock);
    assert_int_equal(errno, ENOTTY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        xt_test(only_one_at_a_time), xt_test(only_one_at_a_time_on_one_cpu),
        xt_test(sleepers_are_woken), xt_test(spurious_wake_ups_do_no_harm),
        xt_test(errno_is_preserved),
    };
    return xt_run(tests);
}
