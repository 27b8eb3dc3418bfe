/* SPDX-License-Identifier: Apache-2.0 */
/* A value with several owners: each thread has a reference, and the last one to go drops the value. */
#include "must.h"

#include <filch/filch.h>

struct data {
    int items[3];
};

struct part {
    struct data *data;
    int index;
};

static void gone(void *data)
{
    (void)data;
    filch_print("The data has gone.\n");
}

static void *look(void *argument)
{
    struct part *part = argument;
    filch_print("Thread %d sees data item: %d\n", part->index, part->data->items[part->index]);
    filch_arc_drop(part->data);
    return NULL;
}

int main(void)
{
    struct data *data;
    MUST(FILCH_ARC_CREATE(&data, gone));
    struct filch_thread *threads[3];
    struct part parts[3];
    for (int i = 0; i < 3; i++)
        data->items[i] = 10 * (i + 1);
    for (int i = 0; i < 3; i++) {
        parts[i] = (struct part){FILCH_ARC_CLONE(data), i};
        MUST(filch_thread_spawn(&threads[i], NULL, look, &parts[i]));
    }
    for (int i = 0; i < 3; i++)
        MUST(filch_thread_join(threads[i], NULL, NULL));
    filch_print("Original data (ref count = %zu): [%d, %d, %d]\n", filch_arc_strong_count(data),
                data->items[0], data->items[1], data->items[2]);
    filch_arc_drop(data);
    return 0;
}
