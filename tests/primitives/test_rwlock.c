/* SPDX-License-Identifier: Apache-2.0 */
/* The reader-writer lock among OS threads: many readers or one writer, poison by writers only, deadlines,
 * neither side starves. */
#include "test.h"

#include "park/self.h"

#include <filch/guard.h>
#include <filch/rwlock.h>
#include <stdlib.h>
#include <string.h>

static struct filch_rwlock static_lock = FILCH_RWLOCK_INIT;

static bool is_untouched(const struct filch_rwlock *l)
{
    return l->filch__word == 0 && l->filch__queue == NULL;
}

/* What another thread finds. */
struct attempt {
    struct filch_rwlock *l;
    bool writes;
    bool tries;
    int64_t deadline;
    int error;
};

static void *attempt(void *argument)
{
    struct attempt *a = argument;
    if (a->tries)
        a->error = a->writes ? filch_rwlock_try_write(a->l) : filch_rwlock_try_read(a->l);
    else
        a->error = a->writes ? filch_rwlock_write_until(a->l, a->deadline)
                             : filch_rwlock_read_until(a->l, a->deadline);
    if (a->error != 0 && a->error != EOWNERDEAD)
        return NULL;
    if (a->writes)
        filch_rwlock_unlock_write(a->l);
    else
        filch_rwlock_unlock_read(a->l);
    return NULL;
}

static int try_elsewhere(struct filch_rwlock *l, bool writes)
{
    struct attempt a = {.l = l, .writes = writes, .tries = true};
    xt_run_threads(1, attempt, &a, 0);
    return a.error;
}

static int elsewhere(struct filch_rwlock *l, bool writes, int64_t deadline)
{
    struct attempt a = {.l = l, .writes = writes, .deadline = deadline};
    xt_run_threads(1, attempt, &a, 0);
    return a.error;
}

xt_define(many_readers_or_one_writer)
{
    assert_int_equal(filch_rwlock_read(&static_lock), 0);
    assert_int_equal(try_elsewhere(&static_lock, false), 0);
    assert_int_equal(try_elsewhere(&static_lock, true), EBUSY);
    assert_int_equal(filch_rwlock_read(&static_lock), 0);
    filch_rwlock_unlock_read(&static_lock);
    assert_int_equal(try_elsewhere(&static_lock, true), EBUSY);
    filch_rwlock_unlock_read(&static_lock);
    assert_int_equal(filch_rwlock_write(&static_lock), 0);
    assert_int_equal(try_elsewhere(&static_lock, false), EBUSY);
    assert_int_equal(try_elsewhere(&static_lock, true), EBUSY);
    filch_rwlock_unlock_write(&static_lock);
    assert_true(is_untouched(&static_lock));
    assert_int_equal((filch_rwlock_read)(&static_lock), 0);
    (filch_rwlock_unlock_read)(&static_lock);
    assert_int_equal((filch_rwlock_write)(&static_lock), 0);
    (filch_rwlock_unlock_write)(&static_lock);
    assert_true(is_untouched(&static_lock));
}

xt_define(a_writer_cannot_lock_again)
{
    struct filch_rwlock l = FILCH_RWLOCK_INIT;
    assert_int_equal(filch_rwlock_write(&l), 0);
    assert_int_equal(filch_rwlock_write(&l), EDEADLK);
    assert_int_equal(filch_rwlock_read(&l), EDEADLK);
    assert_int_equal(filch_rwlock_read_until(&l, 0), EDEADLK);
    assert_int_equal(filch_rwlock_write_until(&l, FILCH_FOREVER), EDEADLK);
    assert_int_equal(filch_rwlock_try_read(&l), EBUSY);
    filch_rwlock_unlock_write(&l);
    assert_true(is_untouched(&l));
}

xt_define(null_is_an_error)
{
    assert_int_equal(filch_rwlock_read(NULL), EINVAL);
    assert_int_equal(filch_rwlock_write(NULL), EINVAL);
    assert_int_equal(filch_rwlock_try_read(NULL), EINVAL);
    assert_int_equal(filch_rwlock_try_write(NULL), EINVAL);
    assert_int_equal(filch_rwlock_read_until(NULL, 0), EINVAL);
    assert_int_equal(filch_rwlock_write_until(NULL, 0), EINVAL);
    assert_int_equal(filch_rwlock_is_poisoned(NULL), 0);
    filch_rwlock_clear_poison(NULL);
    assert_int_equal(filch_rwlock_destroy(NULL), 0);
}

static void unlock_read(void *l)
{
    filch_rwlock_unlock_read(l);
}

static void unlock_write(void *l)
{
    filch_rwlock_unlock_write(l);
}

static void downgrade(void *l)
{
    filch_rwlock_downgrade(l);
}

static void *write_and_leave(void *l)
{
    xt_expect_equal(filch_rwlock_write(l), 0);
    return NULL;
}

xt_define(only_holders_can_unlock)
{
    struct filch_rwlock free_one = FILCH_RWLOCK_INIT, read = FILCH_RWLOCK_INIT,
                        written = FILCH_RWLOCK_INIT;
    struct filch_rwlock *locks[] = {&free_one, &read, &written, NULL};
    struct xt_child child;
    assert_int_equal(filch_rwlock_read(&read), 0);
    xt_run_threads(1, write_and_leave, &written, 0);
    for (int i = 0; i < 4; i++) {
        if (i != 1) {
            xt_run_child(&child, unlock_read, locks[i]);
            assert_true(xt_child_aborted(&child, "filch_rwlock_unlock_read: "));
        }
        xt_run_child(&child, unlock_write, locks[i]);
        assert_true(xt_child_aborted(&child, "filch_rwlock"));
        xt_run_child(&child, downgrade, locks[i]);
        assert_true(xt_child_aborted(&child, "filch_rwlock"));
    }
    filch_rwlock_unlock_read(&read);
}

xt_define(deadlines_pass)
{
    struct filch_rwlock l = FILCH_RWLOCK_INIT;
    for (int round = 0; round < 2; round++) {
        assert_int_equal(round == 0 ? filch_rwlock_read_until(&l, 0)
                                    : filch_rwlock_write_until(&l, INT64_MIN),
                         0);
        int64_t deadline = filch_deadline_in(2 * FILCH_MS);
        assert_int_equal(elsewhere(&l, true, deadline), ETIMEDOUT);
        assert_int_equal(elsewhere(&l, false, deadline), round == 0 ? 0 : ETIMEDOUT);
        assert_true(xt_now_ns() >= deadline);
        assert_int_equal(elsewhere(&l, true, 0), ETIMEDOUT);
        if (round == 0)
            filch_rwlock_unlock_read(&l);
        else
            filch_rwlock_unlock_write(&l);
        assert_true(is_untouched(&l));
    }
}

/* A writer that waits keeps new readers out; when it gives up they are let in. */
xt_define(readers_behind_a_writer_that_gives_up)
{
    struct filch_rwlock l = FILCH_RWLOCK_INIT;
    struct attempt writer = {.l = &l, .writes = true, .deadline = filch_deadline_in(30 * FILCH_MS)};
    struct attempt reader = {.l = &l, .deadline = FILCH_FOREVER};
    pthread_t threads[2];
    assert_int_equal(filch_rwlock_read(&l), 0);
    assert_int_equal(pthread_create(&threads[0], NULL, attempt, &writer), 0);
    while ((__atomic_load_n(&l.filch__word, __ATOMIC_RELAXED) & FILCH__LOCK_WAITERS) == 0)
        xt_sleep_ns(50000);
    assert_int_equal(filch_rwlock_try_read(&l), EBUSY);
    assert_int_equal(pthread_create(&threads[1], NULL, attempt, &reader), 0);
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(writer.error, ETIMEDOUT);
    assert_int_equal(reader.error, 0);
    filch_rwlock_unlock_read(&l);
    assert_true(is_untouched(&l));
}

/* --- poison --- */

static void panic(bool is_panicking)
{
    filch__self_set_panicking(is_panicking);
}

xt_define(only_a_writer_poisons)
{
    struct filch_rwlock l = FILCH_RWLOCK_INIT;
    assert_int_equal(filch_rwlock_read(&l), 0);
    panic(true);
    filch_rwlock_unlock_read(&l);
    assert_int_equal(filch_rwlock_write(&l), 0); /* it was panicking before */
    filch_rwlock_unlock_write(&l);
    panic(false);
    assert_true(is_untouched(&l));
    assert_int_equal(filch_rwlock_write(&l), 0);
    panic(true);
    filch_rwlock_unlock_write(&l);
    panic(false);
    assert_true(filch_rwlock_is_poisoned(&l));
    assert_int_equal(filch_rwlock_read(&l), EOWNERDEAD);
    assert_int_equal(elsewhere(&l, false, 0), EOWNERDEAD);
    filch_rwlock_unlock_read(&l);
    assert_int_equal(filch_rwlock_try_read(&l), EOWNERDEAD);
    filch_rwlock_unlock_read(&l);
    assert_int_equal(filch_rwlock_write(&l), EOWNERDEAD);
    assert_int_equal(filch_rwlock_write(&l), EDEADLK);
    filch_rwlock_unlock_write(&l);
    assert_int_equal(filch_rwlock_try_write(&l), EOWNERDEAD);
    filch_rwlock_clear_poison(&l);
    filch_rwlock_unlock_write(&l);
    assert_true(is_untouched(&l));
}

xt_define(destroying_it)
{
    struct filch_rwlock l = FILCH_RWLOCK_INIT;
    assert_int_equal(filch_rwlock_read(&l), 0);
    assert_int_equal(filch_rwlock_destroy(&l), EBUSY);
    filch_rwlock_unlock_read(&l);
    assert_int_equal(filch_rwlock_write(&l), 0);
    assert_int_equal(filch_rwlock_destroy(&l), EBUSY);
    filch_rwlock_unlock_write(&l);
    assert_int_equal(filch_rwlock_destroy(&l), 0);
}

xt_define(guards)
{
    {
        FILCH_READ_GUARD(&static_lock);
        FILCH_READ_GUARD(&static_lock);
        assert_int_equal(try_elsewhere(&static_lock, true), EBUSY);
    }
    {
        FILCH_WRITE_GUARD(&static_lock);
        assert_int_equal(try_elsewhere(&static_lock, false), EBUSY);
    }
    assert_true(is_untouched(&static_lock));
}

/* --- contention --- */

struct contest {
    struct filch_rwlock l;
    size_t rounds;
    uint64_t writers_of_8; /* so many of 8 accesses write */
    uint64_t pair[2];      /* plain, always equal: the lock guards it */
    uint64_t writes;       /* under the lock */
    uint64_t timeouts;
    uint64_t done;
    uint64_t seed;
    uint64_t turn;
    bool has_deadlines;
};

static void read_pair(struct contest *c)
{
    xt_expect_equal(c->pair[0], c->pair[1]);
}

static void write_pair(struct contest *c)
{
    read_pair(c);
    c->pair[0]++;
    c->writes++;
    c->pair[1]++;
}

static void *access_pair(void *argument)
{
    struct contest *c = argument;
    uint64_t seed = c->seed + __atomic_fetch_add(&c->turn, 1, __ATOMIC_RELAXED);
    uint64_t timeouts = 0;
    for (size_t i = 0; i < c->rounds; i++) {
        bool writes = xt_random(&seed) % 8 < c->writers_of_8;
        int64_t deadline = FILCH_FOREVER;
        if (c->has_deadlines)
            deadline = xt_now_ns() + (int64_t)(xt_random(&seed) % 60000);
        int error = writes ? filch_rwlock_write_until(&c->l, deadline)
                           : filch_rwlock_read_until(&c->l, deadline);
        if (error == ETIMEDOUT) {
            xt_expect(xt_now_ns() >= deadline);
            timeouts++;
            continue;
        }
        xt_expect_equal(error, 0);
        if (c->has_deadlines && xt_random(&seed) % 16 == 0)
            xt_sleep_ns((int64_t)(xt_random(&seed) % 30000));
        if (!writes) {
            read_pair(c);
            filch_rwlock_unlock_read(&c->l);
            continue;
        }
        write_pair(c);
        if (xt_random(&seed) % 4 == 0) {
            filch_rwlock_downgrade(&c->l);
            read_pair(c);
            filch_rwlock_unlock_read(&c->l);
        } else {
            filch_rwlock_unlock_write(&c->l);
        }
    }
    __atomic_fetch_add(&c->timeouts, timeouts, __ATOMIC_RELAXED);
    return NULL;
}

xt_define(readers_see_whole_writes)
{
    for (uint64_t share = 1; share <= 7; share += 3) {
        struct contest c = {
            .rounds = xt_scaled(30000), .writers_of_8 = share, .seed = xt_seed() + share};
        xt_run_threads(8, access_pair, &c, 0);
        assert_int_equal(c.pair[0], c.writes);
        assert_true(is_untouched(&c.l));
    }
}

xt_define(deadlines_race_with_wake_ups)
{
    struct contest c = {
        .rounds = xt_scaled(4000), .writers_of_8 = 3, .seed = xt_seed(), .has_deadlines = true};
    xt_run_threads(8, access_pair, &c, 0);
    assert_int_equal(c.pair[0], c.writes);
    assert_true(c.timeouts > 0);
    assert_true(is_untouched(&c.l));
}

static void *keep_reading(void *argument)
{
    struct contest *c = argument;
    while (__atomic_load_n(&c->done, __ATOMIC_RELAXED) == 0) {
        xt_expect_equal(filch_rwlock_read(&c->l), 0);
        read_pair(c);
        filch_rwlock_unlock_read(&c->l);
    }
    return NULL;
}

static void *keep_writing(void *argument)
{
    struct contest *c = argument;
    while (__atomic_load_n(&c->done, __ATOMIC_RELAXED) == 0) {
        xt_expect_equal(filch_rwlock_write(&c->l), 0);
        write_pair(c);
        filch_rwlock_unlock_write(&c->l);
    }
    return NULL;
}

/* The others take turns so closely that the lock is never seen free, or never without a writer. */
static void get_through(void *(*others)(void *), int (*lock)(struct filch_rwlock *),
                        void (*unlock)(struct filch_rwlock *))
{
    struct contest c = {.rounds = 0};
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, others, &c), 0);
    for (int i = 0; i < 20; i++) {
        assert_int_equal(lock(&c.l), 0);
        unlock(&c.l);
    }
    __atomic_store_n(&c.done, 1, __ATOMIC_RELAXED);
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_true(is_untouched(&c.l));
}

xt_define(no_writer_starves_beside_readers)
{
    get_through(keep_reading, (filch_rwlock_write), (filch_rwlock_unlock_write));
}

xt_define(no_reader_starves_beside_writers)
{
    get_through(keep_writing, (filch_rwlock_read), (filch_rwlock_unlock_read));
}

struct order {
    struct filch_rwlock l;
    uint64_t written;     /* under l */
    uint32_t has_arrived; /* atomic: the reader is about to ask, then has it */
};

static void *write_first(void *argument)
{
    struct order *o = argument;
    xt_expect_equal(filch_rwlock_write(&o->l), 0);
    o->written = 1;
    filch_rwlock_unlock_write(&o->l);
    return NULL;
}

static void *read_second(void *argument)
{
    struct order *o = argument;
    __atomic_store_n(&o->has_arrived, 1, __ATOMIC_RELEASE);
    xt_expect_equal(filch_rwlock_read(&o->l), 0);
    __atomic_store_n(&o->has_arrived, 2, __ATOMIC_RELEASE);
    xt_expect_equal(o->written, 1);
    filch_rwlock_unlock_read(&o->l);
    return NULL;
}

static bool is_waited_for(struct filch_rwlock *l)
{
    return (__atomic_load_n(&l->filch__word, __ATOMIC_RELAXED) & FILCH__LOCK_WAITERS) != 0;
}

xt_define(readers_wait_behind_a_writer_that_came_first)
{
    struct order o = {.written = 0};
    pthread_t threads[2];
    assert_int_equal(filch_rwlock_read(&o.l), 0);
    assert_int_equal(pthread_create(&threads[0], NULL, write_first, &o), 0);
    while (!is_waited_for(&o.l))
        xt_sleep_ns(20000);
    assert_int_equal(pthread_create(&threads[1], NULL, read_second, &o), 0);
    while (__atomic_load_n(&o.has_arrived, __ATOMIC_ACQUIRE) == 0)
        xt_sleep_ns(20000);
    for (int i = 0; i < 20 && __atomic_load_n(&o.has_arrived, __ATOMIC_ACQUIRE) == 1; i++)
        xt_sleep_ns(100000);
    filch_rwlock_unlock_read(&o.l);
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_true(is_untouched(&o.l));
}

xt_define(a_writer_that_becomes_a_reader_lets_others_in)
{
    struct order o = {.written = 0};
    pthread_t thread;
    assert_int_equal(filch_rwlock_write(&o.l), 0);
    o.written = 1;
    assert_int_equal(pthread_create(&thread, NULL, read_second, &o), 0);
    while (!is_waited_for(&o.l))
        xt_sleep_ns(20000);
    filch_rwlock_downgrade(&o.l);
    while (__atomic_load_n(&o.has_arrived, __ATOMIC_ACQUIRE) != 2) /* or the test takes too long */
        xt_sleep_ns(20000);
    assert_int_equal(try_elsewhere(&o.l, true), EBUSY);
    filch_rwlock_unlock_read(&o.l);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_true(is_untouched(&o.l));
}

struct passing {
    struct filch_rwlock *l;
    uint64_t references; /* atomic */
};

static void *use_and_free(void *argument)
{
    struct passing *p = *(struct passing **)argument;
    /* The last one to count has seen all others count with the lock held, so once it is the writer, they
     * have given it back. */
    xt_expect_equal(filch_rwlock_read(p->l), 0);
    bool is_last = __atomic_sub_fetch(&p->references, 1, __ATOMIC_ACQ_REL) == 0;
    filch_rwlock_unlock_read(p->l);
    if (is_last) {
        xt_expect_equal(filch_rwlock_write(p->l), 0);
        filch_rwlock_unlock_write(p->l);
        memset(p->l, 0xff, sizeof *p->l);
        free(p->l);
        free(p);
    }
    return NULL;
}

xt_define(unlock_leaves_the_lock_alone_once_it_is_anothers)
{
    for (size_t round = 0; round < xt_scaled(1000); round++) {
        struct passing *p = malloc(sizeof *p);
        *p = (struct passing){.l = malloc(sizeof *p->l), .references = 4};
        *p->l = (struct filch_rwlock)FILCH_RWLOCK_INIT;
        xt_run_threads(4, use_and_free, &p, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        xt_test(many_readers_or_one_writer),
        xt_test(a_writer_cannot_lock_again),
        xt_test(null_is_an_error),
        xt_test(only_holders_can_unlock),
        xt_test(deadlines_pass),
        xt_test(readers_behind_a_writer_that_gives_up),
        xt_test(only_a_writer_poisons),
        xt_test(destroying_it),
        xt_test(guards),
        xt_test(readers_see_whole_writes),
        xt_test(deadlines_race_with_wake_ups),
        xt_test(readers_wait_behind_a_writer_that_came_first),
        xt_test(a_writer_that_becomes_a_reader_lets_others_in),
        xt_test(no_writer_starves_beside_readers),
        xt_test(no_reader_starves_beside_writers),
        xt_test(unlock_leaves_the_lock_alone_once_it_is_anothers),
    };
    return xt_run(tests);
}
