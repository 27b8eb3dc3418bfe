/* SPDX-License-Identifier: Apache-2.0 */
/* Data that moves into a thread: the thread owns it from then on, and its drop function runs exactly
 * once, whatever becomes of the thread. */
#include "must.h"

#include <filch/filch.h>

struct vector {
    size_t count;
    int items[];
};

static void drop(void *vector)
{
    filch_print("dropped by %s\n", filch_thread_name(filch_thread_current()));
    free(vector);
}

static void *show(void *argument)
{
    const struct vector *v = argument;
    filch_print("Here's a vector: [%d, %d, %d]\n", v->items[0], v->items[1], v->items[2]);
    return NULL;
}

int main(void)
{
    struct vector *v = malloc(sizeof *v + 3 * sizeof *v->items);
    if (v == NULL)
        return 1;
    v->count = 3;
    for (int i = 0; i < 3; i++)
        v->items[i] = i + 1;
    struct filch_thread_attr attr = {.name = "its new owner", .arg_drop = drop};
    struct filch_thread *thread;
    MUST(filch_thread_spawn(&thread, &attr, show, v)); /* v is not ours any more */
    MUST(filch_thread_join(thread, NULL, NULL));
    return 0;
}
