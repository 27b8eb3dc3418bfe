/* SPDX-License-Identifier: Apache-2.0 */
/* The reader-writer lock: writers are alone, readers see what the last one did, and nobody is left asleep
 * beside a lock that it could have. */
#include "locks.h"

#if SCENARIO == 3
#define ATTEMPTS_MAX 0u /* handed over at once */
#endif

#include "park/park.c"
#include "park/park_thread.c"
/* Swaps are tried again where another thread was quicker, which is followed only so far. */
/* clang-format off */
#define while(condition) MODEL_BOUNDED(condition)
/* clang-format on */
#include "primitives/sync/queue.c"
#include "primitives/sync/rwlock.c"
#undef while

static struct filch_rwlock l;
static int data; /* plain: the lock guards it */
static int seen;

static void begin(int number)
{
    filch__self = (uint64_t)number << FILCH__SELF_SHIFT;
}

static void *writes(void *unused)
{
    (void)unused;
    begin(1);
    int error = filch__rwlock_write(&l);
    assert(error == 0);
    data++;
    filch__rwlock_unlock_write(&l);
    return NULL;
}

static void *writes_too(void *unused)
{
    (void)unused;
    begin(2);
    int error = filch__rwlock_write(&l);
    assert(error == 0);
    data++;
#if SCENARIO == 4
    filch_rwlock_downgrade(&l);
    seen = data;
    filch__rwlock_unlock_read(&l);
#else
    filch__rwlock_unlock_write(&l);
#endif
    return NULL;
}

static void *reads(void *unused)
{
    (void)unused;
    begin(3);
    int error = filch__rwlock_read(&l);
    assert(error == 0);
    int mine = data;
    filch__rwlock_unlock_read(&l);
    assert(mine == 0 || mine == 1);
    return NULL;
}

/* A reader goes, and another one comes: while a writer waits, perhaps. */
static void *reads_again(void *unused)
{
    begin(4);
    filch__rwlock_unlock_read(&l);
    return reads(unused);
}

/* A writer that waits already. */
static struct lock_waiter waiting;

static void prepare(uint64_t word)
{
    l.filch__word = word | FILCH__LOCK_WAITERS;
    filch__lock_waiter_init(&waiting, UINT64_C(1) << FILCH__SELF_SHIFT);
    waiting.is_writer = true;
    waiting.home = &l.filch__word;
    filch__queue_append(&l.filch__queue, &waiting);
}

static void *goes_on(void *unused)
{
    (void)unused;
    begin(1);
    int error = wait(&l, &waiting, FILCH_FOREVER);
    uint64_t done = after_wake(&waiting);
    waiting.attempts++;
    if (error == 0 && !waiting.is_handed) {
        filch__lock_waiter_renew(&waiting);
        error = lock_with(&l, &waiting, done, FILCH_FOREVER);
    }
    assert(error == 0);
    data++;
    filch__rwlock_unlock_write(&l);
    return NULL;
}

static void *writer_leaves(void *unused)
{
    (void)unused;
    begin(3);
    filch__rwlock_unlock_write(&l);
    return NULL;
}

static void *reader_leaves(void *unused)
{
    (void)unused;
    begin(3);
    filch__rwlock_unlock_read(&l);
    return NULL;
}

/* A reader that was woken once, so that it waits behind nobody. */
static void *reads_at_last(void *unused)
{
    (void)unused;
    begin(2);
    struct lock_waiter w;
    filch__lock_waiter_init(&w, filch__self);
    w.attempts = 1;
    int error = lock_with(&l, &w, 0, FILCH_FOREVER);
    assert(error == 0);
    seen = data;
    filch__rwlock_unlock_read(&l);
    return NULL;
}

static void *reads_after_all(void *unused)
{
    (void)unused;
    begin(2);
    int error = filch__rwlock_read(&l);
    assert(error == 0);
    /* Nobody touches the lock any more, but those that have it, or wait. */
    assert((FILCH_LOAD_RELAXED(&l.filch__word) & FILCH__SELF_PANICKING) == 0);
    filch__rwlock_unlock_read(&l);
    return NULL;
}

#if SCENARIO == 1 /* two writers */
enum { WRITERS = 2 };
#define BODIES writes, writes_too
#elif SCENARIO == 2 || SCENARIO == 3 /* a reader beside a writer; the lock is handed over */
enum { WRITERS = 1 };
#define BODIES reads, writes
#elif SCENARIO == 4 /* a writer that becomes a reader */
enum { WRITERS = 1 };
#define BODIES reads, writes_too
#elif SCENARIO == 5 /* a reader comes while a writer waits for another one */
enum { WRITERS = 1 };
#define BODIES reads_again, writes
#elif SCENARIO == 6 /* a writer comes while another one gives the lock back */
enum { WRITERS = 2 };
#define BODIES writer_leaves, goes_on, writes_too
#elif SCENARIO == 7 /* a reader comes while another one does */
enum { WRITERS = 1 };
#define BODIES reader_leaves, goes_on, reads_at_last
#elif SCENARIO == 8 /* a reader comes while a writer leaves that was panicking when it came */
enum { WRITERS = 0 };
#define BODIES writer_leaves, reads_after_all
#endif

int main(void)
{
    if (SCENARIO == 5)
        l.filch__word = FILCH__LOCK_READER;
    else if (SCENARIO == 6)
        prepare(UINT64_C(3) << FILCH__SELF_SHIFT | FILCH__LOCK_WRITING);
    else if (SCENARIO == 8)
        l.filch__word =
            UINT64_C(3) << FILCH__SELF_SHIFT | FILCH__LOCK_WRITING | FILCH__SELF_PANICKING;
    else if (SCENARIO == 7)
        prepare(FILCH__LOCK_READER);
    MODEL_RUN(BODIES);
    assert(data == WRITERS);
    assert(l.filch__word == 0);
    assert(l.filch__queue == NULL);
    (void)seen;
    return 0;
}
