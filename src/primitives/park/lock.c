/* SPDX-License-Identifier: Apache-2.0 */
/* The three-state futex lock of Ulrich Drepper, "Futexes Are Tricky" (2011), mutex3. */
#include "park/lock.h"

#include "base/section.h"
#include "os/os.h"

enum { FREE, HELD, CONTENDED };

/* About a microsecond: longer than any holder keeps it, shorter than a futex call pays. */
enum { SPIN_MAX = 40 };

static FILCH_COLD void lock_slow(struct lock *l)
{
    for (int i = 0; i < SPIN_MAX; i++) {
        filch__cpu_relax();
        uint32_t seen = FREE;
        /* A relaxed look first: a failed exchange would take the line from the holder. */
        if (FILCH_LOAD_RELAXED(&l->word) == FREE &&
            FILCH_CAS(&l->word, &seen, HELD, LK_lock_slow, acquire))
            return;
    }
    /* Whoever has slept takes it as contended: others may still sleep. */
    while (FILCH_EXCHANGE(&l->word, CONTENDED, LK_lock_slow, acquire) != FREE)
        (void)filch__os->futex_wait(&l->word, CONTENDED, INT64_MAX); /* any return: look again */
}

FILCH_WAKE_PATH void filch__lock(struct lock *l)
{
    uint32_t seen = FREE;
    if (!FILCH_CAS(&l->word, &seen, HELD, LK_lock, acquire))
        lock_slow(l);
}

FILCH_WAKE_PATH void filch__unlock(struct lock *l)
{
    /* After the exchange the lock may be another's, or gone: only its address is used. */
    if (FILCH_EXCHANGE(&l->word, FREE, LK_unlock, release) == CONTENDED)
        filch__os->futex_wake(&l->word, 1);
}
