/* SPDX-License-Identifier: Apache-2.0 */
#include "filch/cases.h"

#include "tasks/flat.h"

#include <filch/filch.h>
#include <stdlib.h>

void filch_case_flat(void *data)
{
    struct flat_data *flat = data;
    FILCH_SCOPE (scope) {
        for (size_t i = 0; i < flat->count; i++) {
            if (filch_scope_spawn(scope, flat_task, &flat->ran[i]) != 0)
                abort();
        }
    }
}

static struct flat_data *submitted; /* written before the first task is handed in */

static void submit_task(void *argument)
{
    flat_task(argument);
    flat_left_down(submitted);
}

void filch_case_submit(void *data)
{
    struct flat_data *flat = data;
    submitted = flat;
    flat_left_set(flat);
    for (size_t i = 0; i < flat->count; i++) {
        if (filch_pool_spawn(NULL, NULL, NULL, submit_task, &flat->ran[i]) != 0)
            abort();
    }
    flat_left_wait(flat);
}

void filch_case_submit_batch(void *data)
{
    enum { BATCH = 256 };
    struct flat_data *flat = data;
    submitted = flat;
    flat_left_set(flat);
    void *arguments[BATCH];
    for (size_t begin = 0; begin < flat->count; begin += BATCH) {
        const size_t left = flat->count - begin;
        const size_t count = left < BATCH ? left : BATCH;
        for (size_t i = 0; i < count; i++)
            arguments[i] = &flat->ran[begin + i];
        if (filch_pool_spawn_batch(NULL, submit_task, arguments, count) != 0)
            abort();
    }
    flat_left_wait(flat);
}
