/* SPDX-License-Identifier: Apache-2.0 */
/* The reader-writer lock: the mutex's dance, for two kinds of waiters. While a writer has it the word
 * holds FILCH__LOCK_WRITING and the owner, else the number of readers in units of FILCH__LOCK_READER. */
#include "sync/queue.h"

#include "base/check.h"
#include "park/self.h"
#include "park/spin.h"

#include <errno.h>
#include <filch/guard.h>
#include <filch/rwlock.h>

#undef filch_rwlock_read
#undef filch_rwlock_unlock_read
#undef filch_rwlock_write
#undef filch_rwlock_unlock_write

#define WRITER (LOCK_OWNER | FILCH__SELF_BITS | FILCH__LOCK_WRITING)

static int result_of(uint64_t word)
{
    return (word & FILCH__LOCK_POISONED) != 0 ? EOWNERDEAD : 0;
}

/* Whether w may have the lock now. Readers wait behind a writer that is the next, but for those that have
 * been woken already. */
static bool may_take(uint64_t word, const struct lock_waiter *w)
{
    if ((word & FILCH__LOCK_WRITING) != 0)
        return false;
    if (w->is_writer)
        return (word & LOCK_OWNER) == 0;
    return (word & FILCH__LOCK_WRITER) == 0 || w->attempts > 0;
}

/* The word when w has it, too. */
static uint64_t with(uint64_t word, const struct lock_waiter *w)
{
    return w->is_writer ? word | w->self | FILCH__LOCK_WRITING : word + FILCH__LOCK_READER;
}

/* Takes the lock if w may, and clears the bits `done`. *seen: the word; on success, before. */
static bool take(struct filch_rwlock *l, uint64_t *seen, const struct lock_waiter *w, uint64_t done)
{
    while (may_take(*seen, w)) {
        if (FILCH_CAS(&l->filch__word, seen, with(*seen & ~done, w), RW_take_slow, acquire))
            return true;
    }
    return false;
}

/* --- the queue --- */

/* What whoever has the queue gives back with it. */
enum giving { NOTHING, READING, WRITING, WRITING_TO_READ };

static uint64_t without(uint64_t word, enum giving giving)
{
    switch (giving) {
    case NOTHING:
        return word;
    case READING:
        return word - FILCH__LOCK_READER;
    case WRITING:
        return word & ~WRITER;
    case WRITING_TO_READ:
        return (word & ~WRITER) + FILCH__LOCK_READER;
    }
    return word;
}

static struct lock_waiter *first_of(struct filch_rwlock *l)
{
    return l->filch__queue;
}

/* The bit for the one that is under way: a writer's thread, until it has the lock or waits again. */
static uint64_t after_wake(const struct lock_waiter *w)
{
    if (!w->is_writer)
        return 0;
    return w->is_thread ? FILCH__LOCK_WAKING : 0;
}

/* Takes the first waiter out, to be woken. Returns the word with it, where it is handed the lock. */
static uint64_t take_first(struct filch_rwlock *l, void **taken, uint64_t word)
{
    struct lock_waiter *w = first_of(l);
    filch__queue_remove(&l->filch__queue, w);
    FILCH_STORE_RELAXED(&w->home, NULL); /* under the queue */
    filch__queue_append(taken, w);
    w->is_handed = filch__wants_handing(w);
    if (w->is_handed)
        return with(word, w);
    return word | after_wake(w);
}

/* Takes out those that may have the lock when the word is `word`: the readers in front, or a writer.
 * Returns the word as it has to be then. */
static uint64_t choose(struct filch_rwlock *l, void **taken, uint64_t word)
{
    if ((word & FILCH__LOCK_WRITING) == 0) {
        while (first_of(l) != NULL && !first_of(l)->is_writer)
            word = take_first(l, taken, word);
        if (*taken == NULL && first_of(l) != NULL &&
            (word & (LOCK_OWNER | FILCH__LOCK_WAKING)) == 0)
            word = take_first(l, taken, word);
    }
    if (first_of(l) != NULL)
        word |= FILCH__LOCK_WAITERS | (first_of(l)->is_writer ? FILCH__LOCK_WRITER : 0);
    return word;
}

static void put_back(struct filch_rwlock *l, void *taken)
{
    while (taken != NULL) {
        struct lock_waiter *last = ((struct lock_waiter *)taken)->prev;
        filch__queue_remove(&taken, last);
        FILCH_STORE_RELAXED(&last->home, &l->filch__word); /* under the queue */
        filch__queue_prepend(&l->filch__queue, last);
    }
}

/* Gives the queue back, and what else is said, and wakes those that may have the lock then. Nothing of
 * *l is touched after the swap. */
static void leave_queue(struct filch_rwlock *l, enum giving giving)
{
    void *taken = NULL;
    uint64_t seen = FILCH_LOAD_RELAXED(&l->filch__word); /* the swap decides */
    while (true) {
        uint64_t word = seen & ~(FILCH__LOCK_QUEUE | FILCH__LOCK_WAITERS | FILCH__LOCK_WRITER);
        word = choose(l, &taken, without(word, giving));
        if (FILCH_CAS(&l->filch__word, &seen, word, RW_leave, acq_rel))
            break;
        put_back(l, taken); /* somebody was quicker */
        taken = NULL;
    }
    for (struct lock_waiter *w = taken; w != NULL; w = taken) {
        filch__queue_remove(&taken, w);
        filch__unpark(&w->waiter);
    }
}

/* Puts w into the queue; those that were woken in vain first. Returns false: it has taken the lock. */
static bool enter_queue(struct filch_rwlock *l, struct lock_waiter *w, uint64_t *seen,
                        uint64_t done)
{
    while (true) {
        *seen = filch__queue_is_free(&l->filch__word);
        if (take(l, seen, w, done))
            return false;
        uint64_t word = (*seen & ~done) | FILCH__LOCK_QUEUE | FILCH__LOCK_WAITERS;
        if ((*seen & FILCH__LOCK_QUEUE) == 0 &&
            FILCH_CAS(&l->filch__word, seen, word, SY_queue, acquire))
            break;
    }
    FILCH_STORE_RELAXED(&w->home, &l->filch__word); /* under the queue */
    if (w->attempts > 0)
        filch__queue_prepend(&l->filch__queue, w);
    else
        filch__queue_append(&l->filch__queue, w);
    leave_queue(l, NOTHING);
    return true;
}

/* Takes the waiter out again. Returns false where somebody has it already, to wake it. */
static bool take_back(struct filch_rwlock *l, struct lock_waiter *w)
{
    filch__queue_enter(&l->filch__word);
    bool was_queued = FILCH_LOAD_RELAXED(&w->home) != NULL; /* under the queue */
    if (was_queued)
        filch__queue_remove(&l->filch__queue, w);
    leave_queue(l, NOTHING);
    return was_queued;
}

/* --- locking --- */

/* Takes the lock if that is possible soon; for threads that wait for threads. */
static bool spin(struct filch_rwlock *l, uint64_t *seen, const struct lock_waiter *w, uint64_t done)
{
#ifndef FILCH_MODEL /* where a look more shows nothing new */
    struct spin state = {0};
    for (;;) {
        *seen = FILCH_LOAD_RELAXED(&l->filch__word); /* the swap decides */
        if (take(l, seen, w, done))
            return true;
        if (!w->is_thread || (*seen & FILCH__SELF_TASK) != 0 || !filch__spin(&state))
            return false;
    }
#endif
    *seen = FILCH_LOAD_RELAXED(&l->filch__word); /* likewise */
    return take(l, seen, w, done);
}

/* Waits in the queue. Returns 0: woken; what park returns: it is in no queue any more. */
static int wait(struct filch_rwlock *l, struct lock_waiter *w, int64_t deadline)
{
    int error = filch__lock_waiter_park(w, deadline);
    if (error != 0 && take_back(l, w))
        return error;
    return error == 0 ? 0 : filch__park_through(&w->waiter, FILCH_FOREVER); /* its wake-up is due */
}

static int lock(struct filch_rwlock *l, bool is_writer, bool resists, int64_t deadline)
{
    if (l == NULL)
        return EINVAL;
    uint64_t self = filch__self_get();
    uint64_t seen = FILCH_LOAD_RELAXED(&l->filch__word); /* is it ours? */
    if ((seen & FILCH__LOCK_WRITING) != 0 && (seen & LOCK_OWNER) == (self & LOCK_OWNER))
        return EDEADLK;
    struct lock_waiter w;
    filch__lock_waiter_init(&w, self);
    w.is_writer = is_writer;
    w.resists = resists;
    for (uint64_t done = 0;; w.attempts++, filch__lock_waiter_renew(&w)) {
        if (spin(l, &seen, &w, done) || !enter_queue(l, &w, &seen, done))
            return result_of(seen);
        int error = wait(l, &w, deadline);
        if (error != 0)
            return error;
        if (w.is_handed)
            return result_of(FILCH_LOAD_RELAXED(&l->filch__word)); /* a bit, no data */
        done = after_wake(&w);
    }
}

static int try_lock(struct filch_rwlock *l, bool is_writer)
{
    if (l == NULL)
        return EINVAL;
    struct lock_waiter w;
    filch__lock_waiter_init(&w, filch__self_get());
    w.is_writer = is_writer;
    uint64_t seen = FILCH_LOAD_RELAXED(&l->filch__word); /* the swap decides */
    return take(l, &seen, &w, 0) ? result_of(seen) : EBUSY;
}

/* Most readers that come here have met with another reader's swap, not with a writer. */
int filch__rwlock_read_slow(struct filch_rwlock *l, int64_t deadline)
{
    uint64_t seen = l == NULL ? WRITER : FILCH_LOAD_RELAXED(&l->filch__word); /* the swap decides */
    while ((seen & (FILCH__LOCK_WRITING | FILCH__LOCK_WRITER)) == 0) {
        if (FILCH_CAS(&l->filch__word, &seen, seen + FILCH__LOCK_READER, RW_take_slow, acquire))
            return result_of(seen);
    }
    return lock(l, false, false, deadline);
}

int filch__rwlock_write_slow(struct filch_rwlock *l, int64_t deadline)
{
    return lock(l, true, false, deadline);
}

int filch__guard_read_through(struct filch_rwlock *l)
{
    return lock(l, false, true, FILCH_FOREVER);
}

int filch__guard_write_through(struct filch_rwlock *l)
{
    return lock(l, true, true, FILCH_FOREVER);
}

/* --- unlocking --- */

/* Gives the lock back, with the bits `more`. */
static void give_back(struct filch_rwlock *l, enum giving giving, uint64_t more)
{
    uint64_t seen = FILCH_LOAD_RELAXED(&l->filch__word); /* the swap decides */
    while (true) {
        uint64_t word = without(seen, giving) | more;
        /* Whoever has the queue wakes; and so does the writer that is under way, in the end, unless
         * readers are the next. */
        bool wakes =
            (seen & FILCH__LOCK_WAITERS) != 0 && (seen & FILCH__LOCK_QUEUE) == 0 &&
            ((seen & FILCH__LOCK_WRITER) == 0 || (word & (LOCK_OWNER | FILCH__LOCK_WAKING)) == 0);
        if (wakes) {
            if (FILCH_CAS(&l->filch__word, &seen, seen | FILCH__LOCK_QUEUE | more, SY_queue,
                          acquire)) {
                leave_queue(l, giving);
                return;
            }
        } else if (FILCH_CAS(&l->filch__word, &seen, word, RW_unlock_slow, release)) {
            return;
        }
    }
}

void filch__rwlock_unlock_read_slow(struct filch_rwlock *l)
{
    FILCH_CHECK(l != NULL, "filch_rwlock_unlock_read: the lock is NULL");
    uint64_t seen = FILCH_LOAD_RELAXED(&l->filch__word); /* a reader's */
    FILCH_CHECK((seen & FILCH__LOCK_WRITING) == 0 && (seen & LOCK_OWNER) != 0,
                "filch_rwlock_unlock_read: nobody holds the lock for reading");
    give_back(l, READING, 0);
}

/* Returns the word of the lock, whose writer is the caller. */
static uint64_t check_writer(struct filch_rwlock *l)
{
    uint64_t seen = FILCH_LOAD_RELAXED(&l->filch__word); /* the writer's */
    FILCH_CHECK((seen & FILCH__LOCK_WRITING) != 0 &&
                    (seen & LOCK_OWNER) == (filch__self_get() & LOCK_OWNER),
                "filch_rwlock: the caller does not hold the lock for writing");
    return seen;
}

void filch__rwlock_unlock_write_slow(struct filch_rwlock *l)
{
    FILCH_CHECK(l != NULL, "filch_rwlock_unlock_write: the lock is NULL");
    bool poisons = (filch__self & ~check_writer(l) & FILCH__SELF_PANICKING) != 0;
    give_back(l, WRITING, poisons ? FILCH__LOCK_POISONED : 0);
}

void filch_rwlock_downgrade(struct filch_rwlock *l)
{
    FILCH_CHECK(l != NULL, "filch_rwlock_downgrade: the lock is NULL");
    (void)check_writer(l);
    give_back(l, WRITING_TO_READ, 0);
}

/* --- the rest of the interface --- */

int filch_rwlock_read(struct filch_rwlock *l)
{
    return filch__rwlock_read(l);
}

int filch_rwlock_read_until(struct filch_rwlock *l, int64_t deadline)
{
    int error = try_lock(l, false);
    return error == EBUSY ? lock(l, false, false, deadline) : error;
}

int filch_rwlock_try_read(struct filch_rwlock *l)
{
    return try_lock(l, false);
}

int filch_rwlock_write(struct filch_rwlock *l)
{
    return filch__rwlock_write(l);
}

int filch_rwlock_write_until(struct filch_rwlock *l, int64_t deadline)
{
    int error = try_lock(l, true);
    return error == EBUSY ? lock(l, true, false, deadline) : error;
}

int filch_rwlock_try_write(struct filch_rwlock *l)
{
    return try_lock(l, true);
}

void filch_rwlock_unlock_read(struct filch_rwlock *l)
{
    filch__rwlock_unlock_read(l);
}

void filch_rwlock_unlock_write(struct filch_rwlock *l)
{
    filch__rwlock_unlock_write(l);
}

int filch_rwlock_is_poisoned(const struct filch_rwlock *l)
{
    return l != NULL && (FILCH_LOAD_RELAXED(&l->filch__word) & FILCH__LOCK_POISONED) != 0;
}

void filch_rwlock_clear_poison(struct filch_rwlock *l)
{
    if (l != NULL)
        (void)FILCH_FETCH_AND(&l->filch__word, ~FILCH__LOCK_POISONED, RW_mend, relaxed);
}

int filch_rwlock_destroy(struct filch_rwlock *l)
{
    if (l == NULL)
        return 0;
    uint64_t seen = FILCH_LOAD_RELAXED(&l->filch__word); /* the swap decides */
    while ((seen & ~FILCH__LOCK_POISONED) == 0) {
        if (FILCH_CAS(&l->filch__word, &seen, 0, RW_take_slow, acquire))
            return 0;
    }
    return EBUSY;
}
