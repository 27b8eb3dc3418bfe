/* SPDX-License-Identifier: Apache-2.0 */
/* Threads that borrow what stands in this function: the end of the block waits for all of them. */
#include "must.h"

#include <filch/filch.h>

struct numbers {
    int items[8];
    size_t count;
};

static void *push(void *argument)
{
    struct numbers *data = argument;
    data->items[data->count++] = 4;
    filch_print("Thread 1: data has %zu items\n", data->count);
    return NULL;
}

static void *look(void *data)
{
    filch_print("Thread sees: %d items\n", (int)((struct numbers *)data)->count);
    return NULL;
}

static void *extend(void *message)
{
    strcat(message, " from scoped thread!");
    filch_print("Thread 2: modified message = %s\n", (char *)message);
    return NULL;
}

int main(void)
{
    struct numbers data = {{1, 2, 3}, 3};
    char message[64] = "Hello";
    FILCH_THREAD_SCOPE (s) {
        MUST(filch_thread_scope_spawn(s, NULL, NULL, push, &data));
        MUST(filch_thread_scope_spawn(s, NULL, NULL, extend, message));
    }
    filch_print("After scope: last item %d, message = \"%s\"\n", data.items[data.count - 1],
                message);

    FILCH_THREAD_SCOPE (s) {
        MUST(filch_thread_scope_spawn(s, NULL, NULL, look, &data)); /* two that only read it */
        MUST(filch_thread_scope_spawn(s, NULL, NULL, look, &data));
    }
    data.items[data.count++] = 6; /* ours again */
    filch_print("After threads: %zu items\n", data.count);
    return 0;
}
