/* SPDX-License-Identifier: Apache-2.0 */
#include "compare/pthread/threads.h"

#include "threads/threads.h"

#include <pthread.h>
#include <stdlib.h>

static void *count_one(void *argument)
{
    ++((struct threads_data *)argument)->done;
    return NULL;
}

void pthread_case_thread_spawn(void *data)
{
    const struct threads_data *work = data;
    for (uint64_t i = 0; i < work->count; i++) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, count_one, data) != 0 || pthread_join(thread, NULL) != 0)
            abort();
    }
}
