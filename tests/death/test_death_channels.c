/* SPDX-License-Identifier: Apache-2.0 */
/* Misuse of handles of channels, watches, broadcasts and task sets that can be recognised ends the process
 * with a message that names it; each case runs in a child. */
#include "test.h"

#include <filch/filch.h>
#include <stdio.h>
#include <stdlib.h>

static void expect_abort(void (*misuse)(void *), const char *message)
{
    struct xt_child child;
    xt_run_child(&child, misuse, NULL);
    if (!xt_child_aborted(&child, message))
        fprintf(stderr, "status %#x: %s\n", (unsigned)child.status, child.output);
    assert_true(xt_child_aborted(&child, message));
}

/* --- handles that were dropped; the other side's keeps the memory --- */

static struct filch_sender *tx;
static struct filch_receiver *rx;

static void make_channel(void)
{
    if (filch_channel_create(&tx, &rx, 8, 1) != 0)
        exit(3);
}

static void drop_sender_twice(void *unused)
{
    (void)unused;
    make_channel();
    filch_sender_drop(tx);
    filch_sender_drop(tx);
}

static void drop_receiver_twice(void *unused)
{
    (void)unused;
    make_channel();
    filch_receiver_drop(rx);
    filch_receiver_drop(rx);
}

static void clone_dropped_sender(void *unused)
{
    (void)unused;
    make_channel();
    filch_sender_drop(tx);
    (void)filch_sender_clone(tx);
}

static void clone_dropped_receiver(void *unused)
{
    (void)unused;
    make_channel();
    filch_receiver_drop(rx);
    (void)filch_receiver_clone(rx);
}

xt_define(handles_of_channels)
{
    expect_abort(drop_sender_twice, "a handle of a channel was dropped twice");
    expect_abort(drop_receiver_twice, "a handle of a channel was dropped twice");
    expect_abort(clone_dropped_sender, "a handle of a channel was cloned that had been dropped");
    expect_abort(clone_dropped_receiver, "a handle of a channel was cloned that had been dropped");
}

static struct filch_watch_sender *make_watch(void)
{
    struct filch_watch_sender *sender;
    struct filch_watch_receiver *receiver;
    if (filch_watch_create(&sender, &receiver, 8, &(uint64_t){1}) != 0)
        exit(3);
    filch_watch_sender_drop(sender);
    return sender;
}

static void drop_watch_twice(void *unused)
{
    (void)unused;
    filch_watch_sender_drop(make_watch());
}

static void clone_dropped_watch(void *unused)
{
    (void)unused;
    (void)filch_watch_sender_clone(make_watch());
}

static struct filch_broadcast_sender *make_broadcast(void)
{
    struct filch_broadcast_sender *sender;
    struct filch_broadcast_receiver *receiver;
    if (filch_broadcast_create(&sender, &receiver, 8, 1) != 0)
        exit(3);
    filch_broadcast_sender_drop(sender);
    return sender;
}

static void drop_broadcast_twice(void *unused)
{
    (void)unused;
    filch_broadcast_sender_drop(make_broadcast());
}

static void clone_dropped_broadcast(void *unused)
{
    (void)unused;
    (void)filch_broadcast_sender_clone(make_broadcast());
}

xt_define(handles_of_watches_and_broadcasts)
{
    expect_abort(drop_watch_twice, "a sender of a watch was dropped twice");
    expect_abort(clone_dropped_watch, "a sender of a watch was cloned that had been dropped");
    expect_abort(drop_broadcast_twice, "a sender of a broadcast was dropped twice");
    expect_abort(clone_dropped_broadcast,
                 "a sender of a broadcast was cloned that had been dropped");
}

/* --- a task set that waits for itself --- */

static void *drop_own_set(void *set)
{
    filch_task_set_drop(set);
    return NULL;
}

static void nothing(void *argument)
{
    (void)argument;
}

static void drop_set(void *set)
{
    filch_task_set_drop(set);
}

/* The task waits for this half, and the half for the task. */
static void *drop_own_set_below(void *set)
{
    filch_join(drop_set, set, nothing, NULL);
    return NULL;
}

/* The same while it panics, when what runs here looks different. */
static void drop_in_handler(struct filch_task_set **set)
{
    filch_task_set_drop(*set);
}

static void *drop_own_set_panicking(void *argument)
{
    struct filch_task_set *set __attribute__((cleanup(drop_in_handler))) = argument;
    filch_panic("set aside");
    return set;
}

static void run_in_set(void *(*misuse)(void *))
{
    struct filch_task_set *set;
    struct filch_task_end end;
    if (filch_task_set_create(&set, NULL) != 0 ||
        filch_task_set_spawn(set, NULL, misuse, set) != 0 || filch_task_set_next(set, &end) != 0)
        exit(3);
}

static void misuse_set(void *unused)
{
    (void)unused;
    run_in_set(drop_own_set);
}

static void misuse_set_below(void *unused)
{
    (void)unused;
    run_in_set(drop_own_set_below);
}

static void misuse_set_panicking(void *unused)
{
    (void)unused;
    run_in_set(drop_own_set_panicking);
}

xt_define(a_set_that_its_own_task_drops)
{
    static const char message[] = "a task set was dropped by one of its own tasks";
    xt_skip_if_emulated();
    expect_abort(misuse_set, message);
    expect_abort(misuse_set_below, message);
    expect_abort(misuse_set_panicking, message);
}

static void panic_now(void *result)
{
    filch_panic("on %p", result);
}

static int has_begun; /* atomically */

static void *give_back(void *argument)
{
    __atomic_store_n(&has_begun, 1, __ATOMIC_RELEASE);
    return argument;
}

static void panic_in_result_drop(void *unused)
{
    (void)unused;
    struct filch_task_set *set;
    struct filch_task_set_config config = {.result_drop = panic_now};
    if (filch_task_set_create(&set, &config) != 0 ||
        filch_task_set_spawn(set, NULL, give_back, NULL) != 0)
        exit(3);
    while (__atomic_load_n(&has_begun, __ATOMIC_ACQUIRE) == 0)
        xt_sleep_ns(FILCH_MS); /* a task that has not begun would be cancelled */
    filch_task_set_drop(set);
}

xt_define(a_drop_function_that_panics)
{
    xt_skip_if_emulated();
    expect_abort(panic_in_result_drop, "a drop function panicked");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        xt_test(handles_of_channels),
        xt_test(handles_of_watches_and_broadcasts),
        xt_test(a_set_that_its_own_task_drops),
        xt_test(a_drop_function_that_panics),
    };
    return xt_run(tests);
}
