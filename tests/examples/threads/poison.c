/* SPDX-License-Identifier: Apache-2.0 */
/* A thread that panics with a lock leaves it free, and poisoned: the next one gets the lock, and is told that
 * the data may be half changed. */
#include "must.h"

#include <filch/filch.h>

static struct filch_mutex lock = FILCH_MUTEX_INIT;
static int halves[2]; /* under lock: always the same */

static void *change_half(void *unused)
{
    (void)unused;
    FILCH_LOCK_GUARD(&lock);
    halves[0] = 1;
    filch_panic("before the other half");
}

int main(void)
{
    struct filch_thread *thread;
    MUST(filch_thread_spawn(&thread, NULL, change_half, NULL));
    if (filch_thread_join(thread, NULL, NULL) != EOWNERDEAD)
        return 1;
    int error = filch_mutex_lock(&lock);
    filch_print("Locked: %s\n", error == EOWNERDEAD ? "but poisoned" : "and sound");
    halves[1] = halves[0]; /* mended */
    filch_mutex_clear_poison(&lock);
    filch_mutex_unlock(&lock);

    error = filch_mutex_try_lock(&lock);
    filch_print("Locked: %s\n", error == EOWNERDEAD ? "but poisoned" : "and sound");
    filch_mutex_unlock(&lock);
    return 0;
}
