/* SPDX-License-Identifier: Apache-2.0 */
/* Lines stay whole, whoever writes beside, and however little the system takes at once. */
#define _GNU_SOURCE 1 /* sizes of pipes */
#include "test.h"

#include "os/os.h"

#include <errno.h>
#include <fcntl.h>
#include <filch/print.h>
#include <filch/thread.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* --- a file of our own --- */

static struct {
    char text[1 << 20];
    size_t length; /* only one writes at a time: ThreadSanitizer sees whether that is so */
    unsigned writes;
    size_t most; /* bytes that are taken at once; 0: all */
    unsigned interruptions;
    int error;
    int file;
} kept;

static int keep(int file, const void *data, size_t size_bytes, size_t *written)
{
    kept.writes++;
    kept.file = file;
    if (kept.error != 0)
        return kept.error;
    if (kept.interruptions > 0)
        return kept.interruptions-- % 2 == 0 ? EINTR : EAGAIN;
    if (kept.most != 0 && size_bytes > kept.most)
        size_bytes = kept.most;
    if (size_bytes > sizeof kept.text - 1 - kept.length)
        return ENOSPC;
    memcpy(kept.text + kept.length, data, size_bytes);
    kept.length += size_bytes;
    *written = size_bytes;
    return 0;
}

static void begin_keeping(void)
{
    static struct os_table table;
    table = filch__os_linux;
    table.write = keep;
    memset(&kept, 0, sizeof kept);
    filch__os_replace(&table);
}

static void expect_kept(const char *text)
{
    filch__os_replace(NULL);
    assert_string_equal(kept.text, text);
}

xt_define(a_line_ends_in_one_newline)
{
    begin_keeping();
    assert_int_equal(filch_print("number %d, word %s", 5, "five"), 0);
    assert_int_equal(filch_print("it has one\n"), 0);
    assert_int_equal(filch_print("%s", ""), 0);
    assert_int_equal(filch_print("two\nlines"), 0);
    assert_int_equal(kept.file, STDOUT_FILENO);
    assert_int_equal(kept.writes, 4);
    assert_int_equal(filch_eprint("to %s", "standard error"), 0);
    assert_int_equal(kept.file, STDERR_FILENO);
    assert_int_equal(kept.writes, 5);
    expect_kept("number 5, word five\nit has one\n\ntwo\nlines\nto standard error\n");
}

xt_define(lines_of_all_lengths_are_one_write)
{
    static char line[5000];
    static const size_t lengths[] = {1, 100, 509, 510, 511, 512, 513, 514, 4999};
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        memset(line, 'x', sizeof line);
        line[lengths[i]] = '\0';
        begin_keeping();
        assert_int_equal(filch_print("%s", line), 0);
        line[lengths[i] - 1] = '\n';
        assert_int_equal(filch_print("%s", line), 0);
        assert_int_equal(kept.writes, 2);
        assert_int_equal(kept.length, 2 * lengths[i] + 1);
        filch__os_replace(NULL);
    }
}

xt_define(bad_formats_are_refused)
{
    const char *volatile none = NULL;
    begin_keeping();
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
#pragma GCC diagnostic ignored "-Wformat-security"
    assert_int_equal(filch_print(none), EINVAL);
    assert_int_equal(filch_eprint(none), EINVAL);
#pragma GCC diagnostic pop
    assert_int_equal(kept.writes, 0);
    expect_kept("");
}

xt_define(what_the_system_says_is_returned)
{
    begin_keeping();
    kept.error = EPIPE;
    errno = ENOTTY;
    assert_int_equal(filch_print("nobody reads"), EPIPE);
    assert_int_equal(errno, ENOTTY);
    kept.error = 0;
    assert_int_equal(filch_print("somebody reads"), 0); /* the lock was given back */
    expect_kept("somebody reads\n");
}

xt_define(without_memory_long_lines_fail)
{
    static char line[2000];
    memset(line, 'x', sizeof line - 1);
    xt_faults_install();
    xt_faults_arm(XT_ALLOC, 1, XT_FAULT_ONWARD);
    int error = filch_print("%s", line);
    (void)xt_faults_disarm();
    assert_int_equal(xt_faults_live_blocks(), 0);
    xt_faults_remove();
    assert_int_equal(error, ENOMEM);
}

/* --- many writers --- */

enum { WRITERS = 4, LINES = 300 };

/* A line says who wrote it, its number, and repeats one letter. */
static void *write_lines(void *argument)
{
    int writer = *(int *)argument;
    char letters[120];
    for (int i = 0; i < LINES; i++) {
        size_t length = (size_t)(1 + (i * 7 + writer) % 100);
        memset(letters, 'a' + writer, length);
        letters[length] = '\0';
        xt_expect_equal(filch_print("%d %d %zu %s", writer, i, length, letters), 0);
    }
    return NULL;
}

static void expect_whole_lines(const char *text)
{
    int next[WRITERS] = {0};
    for (int count = 0; count < WRITERS * LINES; count++) {
        int writer = -1;
        int number = -1;
        size_t length = 0;
        int used = 0;
        assert_int_equal(sscanf(text, "%d %d %zu %n", &writer, &number, &length, &used), 3);
        assert_true(writer >= 0 && writer < WRITERS);
        assert_int_equal(number, next[writer]++);
        text += used;
        for (size_t i = 0; i < length; i++)
            assert_int_equal(*text++, 'a' + writer);
        assert_int_equal(*text++, '\n');
    }
    assert_int_equal(*text, '\0');
}

static void write_together(size_t most)
{
    int numbers[WRITERS] = {0, 1, 2, 3};
    begin_keeping();
    kept.most = most;
    kept.interruptions = 20;
    xt_run_threads(WRITERS, write_lines, numbers, sizeof numbers[0]);
    filch__os_replace(NULL);
    expect_whole_lines(kept.text);
}

xt_define(concurrent_lines_are_not_torn)
{
    write_together(0);
}

xt_define(lines_that_are_written_in_parts_are_not_torn)
{
    write_together(7);
}

/* The real thing: a small pipe that does not block, and a reader that is slow. */
static void *read_slowly(void *argument)
{
    static char text[sizeof kept.text];
    size_t total = 0;
    ssize_t count;
    while ((count = read(*(int *)argument, text + total, 512)) > 0) {
        total += (size_t)count;
        xt_sleep_ns(20000);
    }
    return text;
}

xt_define(a_full_pipe_tears_nothing)
{
    int numbers[WRITERS] = {0, 1, 2, 3};
    int ends[2];
    struct filch_thread *reader;
    void *text = NULL;
    assert_int_equal(pipe(ends), 0);
    assert_true(fcntl(ends[1], F_SETPIPE_SZ, 4096) > 0);
    assert_int_equal(fcntl(ends[1], F_SETFL, O_NONBLOCK), 0);
    assert_int_equal(filch_thread_spawn(&reader, NULL, read_slowly, &ends[0]), 0);
    (void)fflush(stdout);
    int before = dup(STDOUT_FILENO);
    assert_int_equal(dup2(ends[1], STDOUT_FILENO), STDOUT_FILENO);
    (void)close(ends[1]);
    xt_run_threads(WRITERS, write_lines, numbers, sizeof numbers[0]);
    (void)dup2(before, STDOUT_FILENO); /* and closes the last end for writing */
    (void)close(before);
    assert_int_equal(filch_thread_join(reader, &text, NULL), 0);
    (void)close(ends[0]);
    expect_whole_lines(text);
}

/* --- a block --- */

static uint32_t is_writing;

static void *write_one(void *argument)
{
    __atomic_store_n(&is_writing, 1, __ATOMIC_RELEASE);
    xt_expect_equal(filch_print("other"), 0);
    return argument;
}

static int return_from_block(void)
{
    FILCH_STDOUT_LOCK
    {
        filch_print("2");
        return 1;
    }
    return 2;
}

xt_define(nobody_writes_into_a_block)
{
    struct filch_thread *thread;
    begin_keeping();
    FILCH_STDOUT_LOCK
    {
        filch_print("1");
        assert_int_equal(filch_thread_spawn(&thread, NULL, write_one, NULL), 0);
        while (!__atomic_load_n(&is_writing, __ATOMIC_ACQUIRE))
            xt_sleep_ns(20000);
        xt_sleep_ns(2 * FILCH_MS); /* time enough to write, for one who could */
        FILCH_STDOUT_LOCK
        {
            assert_int_equal(return_from_block(), 1); /* the owner may lock again */
            filch_eprint("3");                        /* another stream */
            break;
        }
        filch_print("4");
    }
    assert_int_equal(filch_thread_join(thread, NULL, NULL), 0);
    filch_stdout_lock();
    filch_print("5");
    filch_stdout_unlock();
    expect_kept("1\n2\n3\n4\nother\n5\n");
}

static void *hold(void *argument)
{
    FILCH_STDOUT_LOCK
    {
        __atomic_store_n((uint32_t *)argument, 1, __ATOMIC_RELEASE);
        while (__atomic_load_n((uint32_t *)argument, __ATOMIC_ACQUIRE) != 2)
            xt_sleep_ns(20000);
    }
    return NULL;
}

/* One that gives up leaves the queue in order, for those before and behind it. */
static void *print_behind(void *argument)
{
    __atomic_fetch_add((uint32_t *)argument, 1, __ATOMIC_RELEASE);
    xt_expect_equal(filch_print("behind"), 0);
    return NULL;
}

xt_define(a_lock_of_the_output_has_a_deadline)
{
    uint32_t state = 0, behind = 0;
    pthread_t holder, writers[2];
    begin_keeping();
    assert_int_equal(filch_stdout_lock_until(0), 0); /* a free one is taken in any case */
    assert_int_equal(filch_stdout_lock_until(0), 0); /* once more */
    filch_stdout_unlock();
    filch_stdout_unlock();
    assert_int_equal(pthread_create(&holder, NULL, hold, &state), 0);
    while (__atomic_load_n(&state, __ATOMIC_ACQUIRE) != 1)
        xt_sleep_ns(20000);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(filch_stdout_lock_until(0), ETIMEDOUT);
        assert_int_equal(filch_stdout_lock_until(xt_now_ns() + 1000000), ETIMEDOUT);
        assert_int_equal(pthread_create(&writers[i], NULL, print_behind, &behind), 0);
        while (__atomic_load_n(&behind, __ATOMIC_ACQUIRE) != (uint32_t)i + 1)
            xt_sleep_ns(20000);
        xt_sleep_ns(1000000); /* it waits by now, most times */
    }
    assert_int_equal(filch_stdout_lock_until(xt_now_ns() + 1000000), ETIMEDOUT);
    __atomic_store_n(&state, 2, __ATOMIC_RELEASE);
    assert_int_equal(filch_stdout_lock_until(FILCH_FOREVER), 0);
    filch_stdout_unlock();
    assert_int_equal(pthread_join(holder, NULL), 0);
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_join(writers[i], NULL), 0);
    expect_kept("behind\nbehind\n");
}

static void print_in_child(void *unused)
{
    (void)unused;
    xt_expect_equal(filch_print("the child writes"), 0);
}

xt_define(a_child_does_not_wait_for_writers_of_its_parent)
{
    xt_skip_if_emulated();
    uint32_t state = 0;
    struct filch_thread *thread;
    struct xt_child child;
    assert_int_equal(filch_thread_spawn(&thread, NULL, hold, &state), 0);
    while (__atomic_load_n(&state, __ATOMIC_ACQUIRE) != 1)
        xt_sleep_ns(20000);
    xt_run_child(&child, print_in_child, NULL);
    assert_int_equal(child.status, 0);
    assert_string_equal(child.output, "the child writes\n");
    __atomic_store_n(&state, 2, __ATOMIC_RELEASE);
    assert_int_equal(filch_thread_join(thread, NULL, NULL), 0);
}

static void unlock_what_is_not_locked(void *unused)
{
    (void)unused;
    filch_stdout_unlock();
}

static void *unlock_it(void *argument)
{
    filch_stdout_unlock();
    return argument;
}

static void unlock_what_another_has_locked(void *unused)
{
    struct filch_thread *thread;
    (void)unused;
    filch_stdout_lock();
    if (filch_thread_spawn(&thread, NULL, unlock_it, NULL) == 0)
        xt_expect_equal(filch_thread_join(thread, NULL, NULL), 0);
}

xt_define(an_unlock_by_a_stranger_is_named)
{
    xt_skip_if_emulated();
    struct xt_child child;
    xt_run_child(&child, unlock_what_is_not_locked, NULL);
    assert_true(xt_child_aborted(&child, "filch: standard output was unlocked by somebody"));
    xt_run_child(&child, unlock_what_another_has_locked, NULL);
    assert_true(xt_child_aborted(&child, "filch: standard output was unlocked by somebody"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        xt_test(a_line_ends_in_one_newline),
        xt_test(lines_of_all_lengths_are_one_write),
        xt_test(bad_formats_are_refused),
        xt_test(what_the_system_says_is_returned),
        xt_test(without_memory_long_lines_fail),
        xt_test(concurrent_lines_are_not_torn),
        xt_test(lines_that_are_written_in_parts_are_not_torn),
        xt_test(a_full_pipe_tears_nothing),
        xt_test(a_lock_of_the_output_has_a_deadline),
        xt_test(nobody_writes_into_a_block),
        xt_test(a_child_does_not_wait_for_writers_of_its_parent),
        xt_test(an_unlock_by_a_stranger_is_named),
    };
    return xt_run(tests);
}
