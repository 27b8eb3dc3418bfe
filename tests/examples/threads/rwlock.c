/* SPDX-License-Identifier: Apache-2.0 */
/* Many readers at a time, or one writer: five readers meet while they hold the lock; the writer comes when
 * they have gone. */
#include "must.h"

#include <filch/filch.h>
#include <stdint.h>

enum { READERS = 5 };

static struct filch_rwlock lock = FILCH_RWLOCK_INIT;
static int value = 5; /* under lock */
static struct filch_barrier inside = FILCH_BARRIER_INIT(READERS + 1);

static void *read_value(void *number)
{
    FILCH_READ_GUARD(&lock);
    MUST(filch_barrier_wait(&inside, NULL)); /* all readers are inside */
    filch_print("Reader %zu reads: %d\n", (size_t)(uintptr_t)number, value);
    return NULL;
}

static void *write_value(void *unused)
{
    (void)unused;
    MUST(filch_barrier_wait(&inside, NULL));
    FILCH_WRITE_GUARD(&lock);
    value += 10;
    filch_print("Writer modified data to: %d\n", value);
    return NULL;
}

int main(void)
{
    struct filch_thread *threads[READERS + 1];
    for (uintptr_t i = 0; i < READERS; i++)
        MUST(filch_thread_spawn(&threads[i], NULL, read_value, (void *)i));
    MUST(filch_thread_spawn(&threads[READERS], NULL, write_value, NULL));
    for (int i = 0; i <= READERS; i++)
        MUST(filch_thread_join(threads[i], NULL, NULL));
    FILCH_READ_GUARD(&lock);
    filch_print("Final value: %d\n", value);
    return 0;
}
