/* SPDX-License-Identifier: Apache-2.0 */
/* Who is who: numbers, names and references of threads, whoever started them. */
#include "test.h"

#include "thread/thread.h"

#include <filch/thread.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static void *note_id(void *argument)
{
    *(uint64_t *)argument = filch_thread_id(filch_thread_current());
    return NULL;
}

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

enum { THREADS = 500 };

xt_define(numbers_are_never_used_again)
{
    static uint64_t ids[2 * THREADS];
    size_t count = 0;
    for (size_t i = 0; i < THREADS; i++) {
        struct filch_thread *thread;
        uint64_t *id = &ids[count++];
        assert_int_equal(filch_thread_spawn(&thread, NULL, note_id, id), 0);
        uint64_t from_outside = filch_thread_id(thread);
        assert_int_equal(filch_thread_join(thread, NULL, NULL), 0);
        assert_true(*id != 0);
        assert_int_equal(*id, from_outside);
    }
    for (size_t i = 0; i < THREADS; i++) {
        pthread_t thread; /* as its memory is used again */
        assert_int_equal(pthread_create(&thread, NULL, note_id, &ids[count++]), 0);
        assert_int_equal(pthread_join(thread, NULL), 0);
    }
    qsort(ids, count, sizeof *ids, compare);
    assert_true(ids[0] != 0);
    for (size_t i = 1; i < count; i++)
        assert_true(ids[i] != ids[i - 1]);
}

xt_define(the_main_thread_is_main)
{
    struct filch_thread *self = filch_thread_current();
    assert_non_null(self);
    assert_ptr_equal(self, filch_thread_current());
    assert_string_equal(filch_thread_name(self), "main");
    assert_true(filch_thread_id(self) != 0);
    assert_int_equal(filch_thread_is_finished(self), 0);
}

xt_define(nobody_has_no_name_and_no_number)
{
    assert_null(filch_thread_name(NULL));
    assert_int_equal(filch_thread_id(NULL), 0);
    assert_null(filch_thread_clone(NULL));
    filch_thread_drop(NULL);
    filch_thread_unpark(NULL);
}

static void *look_at_self(void *argument)
{
    struct filch_thread *self = filch_thread_current();
    xt_expect(self != NULL);
    xt_expect(self == filch_thread_current());
    xt_expect(filch_thread_name(self) == NULL);
    filch_thread_unpark(self);
    filch_thread_park();
    *(struct filch_thread **)argument = filch_thread_clone(self);
    return NULL;
}

xt_define(threads_of_others_are_known_without_a_name)
{
    pthread_t thread;
    struct filch_thread *reference = NULL;
    assert_int_equal(pthread_create(&thread, NULL, look_at_self, &reference), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    /* The thread has gone, the reference has not. */
    assert_true(filch_thread_id(reference) != 0);
    assert_null(filch_thread_name(reference));
    assert_int_equal(filch_thread_is_finished(reference), 1);
    filch_thread_unpark(reference);
    filch_thread_drop(reference);
}

static void *know_my_name(void *argument)
{
    xt_expect_equal(strcmp(filch_thread_name(filch_thread_current()), argument), 0);
    return filch_thread_clone(filch_thread_current());
}

xt_define(references_outlive_threads)
{
    char name[] = "a name that the system cuts off, but we do not";
    struct filch_thread *thread;
    struct filch_thread_attr attr = {.name = name};
    assert_int_equal(filch_thread_spawn(&thread, &attr, know_my_name, name), 0);
    struct filch_thread *one = filch_thread_clone(thread);
    uint64_t id = filch_thread_id(thread);
    void *other = NULL;
    assert_int_equal(filch_thread_join(thread, &other, NULL), 0);
    assert_ptr_equal(one, other);
    struct filch_thread *third = filch_thread_clone(one);
    filch_thread_drop(one);
    filch_thread_drop(other);
    assert_int_equal(filch_thread_id(third), id);
    assert_string_equal(filch_thread_name(third), name);
    filch_thread_unpark(third);
    filch_thread_drop(third);
}

/* --- in destructors of thread-locals --- */

static pthread_key_t key;

struct seen {
    uint64_t in_body;
    uint64_t in_destructor;
};

static void look_in_destructor(void *argument)
{
    struct seen *seen = argument;
    seen->in_destructor = filch_thread_id(filch_thread_current());
    xt_expect(filch_thread_current() != NULL);
    filch_thread_unpark(filch_thread_current());
    filch_thread_park();
}

static void *look_and_leave(void *argument)
{
    struct seen *seen = argument;
    xt_expect_equal(pthread_setspecific(key, argument), 0);
    seen->in_body = filch_thread_id(filch_thread_current());
    return NULL;
}

/* Known to us only in its destructor. */
static void *leave(void *argument)
{
    xt_expect_equal(pthread_setspecific(key, argument), 0);
    return NULL;
}

xt_define(destructors_know_their_thread)
{
    struct seen seen = {0};
    struct filch_thread *thread;
    pthread_t foreign;
    assert_int_equal(pthread_key_create(&key, look_in_destructor), 0);
    assert_int_equal(filch_thread_spawn(&thread, NULL, look_and_leave, &seen), 0);
    assert_int_equal(filch_thread_join(thread, NULL, NULL), 0);
    assert_true(seen.in_body != 0);
    assert_int_equal(seen.in_body, seen.in_destructor);
    uint64_t before = seen.in_body;
    seen = (struct seen){0};
    assert_int_equal(pthread_create(&foreign, NULL, look_and_leave, &seen), 0);
    assert_int_equal(pthread_join(foreign, NULL), 0);
    assert_true(seen.in_body > before);
    assert_int_equal(seen.in_body, seen.in_destructor);
    seen = (struct seen){0};
    assert_int_equal(pthread_create(&foreign, NULL, leave, &seen), 0);
    assert_int_equal(pthread_join(foreign, NULL), 0);
    assert_true(seen.in_destructor != 0);
    (void)pthread_key_delete(key);
}

static void *ask_without_memory(void *argument)
{
    (void)argument;
    xt_faults_install();
    xt_faults_arm(XT_ALLOC, 1, XT_FAULT_ONWARD);
    xt_expect(filch_thread_current() == NULL);
    filch_thread_park(); /* returns: nobody could wake it */
    xt_expect_equal(filch_thread_park_until(FILCH_FOREVER), 0);
    (void)xt_faults_disarm();
    xt_expect(filch_thread_current() != NULL);
    return NULL;
}

xt_define(without_memory_nobody_is_known)
{
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, ask_without_memory, NULL), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(xt_faults_live_blocks(), 0);
    xt_faults_remove();
}

static void look_in_child(void *argument)
{
    struct filch_thread *self = filch_thread_current();
    xt_expect_equal(filch_thread_id(self), *(uint64_t *)argument);
    filch_thread_unpark(self);
    filch_thread_park();
}

/* As if another task of this worker were parked, and somebody about to wake it. */
static void look_as_a_worker(void *argument)
{
    look_in_child(argument);
    xt_expect_equal(filch_thread_park_until(0), ETIMEDOUT);
}

xt_define(a_child_forgets_who_was_parked)
{
    struct filch_thread *self = filch_thread_current();
    uint64_t id = filch_thread_id(self);
    self->token = 2; /* TOKEN_PARKED */
    self->token_lock.word = 1;
    self->parked = (void *)&id;
    xt_expect_child(look_as_a_worker, &id, "a forked child");
    self->token = 0;
    self->token_lock.word = 0;
    self->parked = NULL;
}

xt_define(a_child_goes_on_as_the_thread_that_forked)
{
    uint64_t id = filch_thread_id(filch_thread_current());
    xt_expect_child(look_in_child, &id, "a forked child");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        xt_test(without_memory_nobody_is_known), /* first: no other thread is in the library */
        xt_test(numbers_are_never_used_again),
        xt_test(the_main_thread_is_main),
        xt_test(nobody_has_no_name_and_no_number),
        xt_test(threads_of_others_are_known_without_a_name),
        xt_test(references_outlive_threads),
        xt_test(destructors_know_their_thread),
        xt_test(a_child_forgets_who_was_parked),
        xt_test(a_child_goes_on_as_the_thread_that_forked),
    };
    return xt_run(tests);
}
