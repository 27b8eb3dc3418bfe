/* SPDX-License-Identifier: Apache-2.0 */
#include "filch/cases.h"

#include "panics/panics.h"

#include <filch/panic.h>
#include <stdlib.h>

static void return_at_once(void *argument)
{
    ++((struct panics_data *)argument)->returned;
}

/* So that the compiler does not know what is called. */
static void (*volatile returns)(void *) = return_at_once;

void filch_case_catch(void *data)
{
    const struct panics_data *work = data;
    for (uint64_t i = 0; i < work->count; i++) {
        if (filch_catch_unwind(returns, data, NULL) != 0)
            abort();
    }
}

static __attribute__((noinline)) void clean(struct panics_data *const *work)
{
    (*work)->cleaned++;
}

static void go_down(struct panics_data *work, uint64_t frames);
static void (*volatile down)(struct panics_data *work, uint64_t frames) = go_down;

static void go_down(struct panics_data *work, uint64_t frames)
{
    struct panics_data *frame __attribute__((cleanup(clean))) = work;
    if (frames == 1)
        filch_panic_any(frame, "bench", NULL);
    down(frame, frames - 1);
}

static void fail(void *argument)
{
    struct panics_data *work = argument;
    down(work, work->frames);
}

static void say_nothing(const struct filch_panic *panic)
{
    (void)panic;
}

void filch_case_panic(void *data)
{
    struct panics_data *work = data;
    (void)filch_panic_set_hook(say_nothing);
    for (uint64_t i = 0; i < work->count; i++) {
        struct filch_panic *panic;
        if (filch_catch_unwind(fail, data, &panic) == 0)
            abort();
        work->caught++;
        filch_panic_free(panic);
    }
}
