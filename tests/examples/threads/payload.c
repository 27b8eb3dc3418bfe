/* SPDX-License-Identifier: Apache-2.0 */
/* A panic carries a message, or anything that has a type; whoever contains it asks for what it knows. */
#include "must.h"

#include <filch/filch.h>

struct code {
    int number;
};

static void *with_message(void *unused)
{
    (void)unused;
    filch_panic("something went %s!", "wrong");
}

static void *with_code(void *unused)
{
    (void)unused;
    static struct code code = {404};
    filch_panic_any(&code, "code", NULL);
}

static void *with_something(void *unused)
{
    (void)unused;
    static double something;
    filch_panic_any(&something, "something", NULL);
}

static void report(void *(*fn)(void *))
{
    struct filch_thread *thread;
    struct filch_panic *panic;
    MUST(filch_thread_spawn(&thread, NULL, fn, NULL));
    if (filch_thread_join(thread, NULL, &panic) != EOWNERDEAD)
        exit(1);
    const struct code *code = filch_panic_payload(panic, "code");
    const char *message = filch_panic_message(panic);
    if (code != NULL)
        filch_print("Thread panicked with code %d\n", code->number);
    else if (message != NULL)
        filch_print("Thread panicked with: %s\n", message);
    else
        filch_print("Thread panicked with an unknown payload\n");
    filch_panic_free(panic);
}

int main(void)
{
    report(with_message);
    report(with_code);
    report(with_something);
    return 0;
}
