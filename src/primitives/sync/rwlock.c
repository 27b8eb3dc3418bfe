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

/* What a writer takes out of the word with itself. */
#define WRITER (LOCK_HELD | FILCH__LOCK_WRITING)

static int result_of(uint64_t word)
{
    return (word & FILCH__LOCK_POISONED) != 0 ? EOWNERDEAD : 0;
}

/* Whether w may have the lock now. Readers wait behind those that wait, of whom the first is a writer, but
 * for readers that have been woken already. */
static bool may_take(uint64_t word, const struct lock_waiter *w)
{
    if ((word & (FILCH__LOCK_WRITING | FILCH__SELF_BITS)) != 0 || filch__lock_is_left(word))
        return false;
    if (w->is_writer)
        return (word & LOCK_OWNER) == 0;
    return (word & (FILCH__LOCK_WAITERS | FILCH__LOCK_LEFT)) == 0 || w->attempts > 0;
}

/* The word when w has it, too. */
static uint64_t with(uint64_t word, const struct lock_waiter *w)
{
    if ((word & FILCH__LOCK_LEFT) != 0)
        word ^= FILCH__LOCK_LEFT | FILCH__LOCK_WAITERS;
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
    if ((word & (FILCH__LOCK_WRITING | FILCH__SELF_BITS)) == 0) {
        while (first_of(l) != NULL && !first_of(l)->is_writer)
            word = take_first(l, taken, word);
        if (*taken == NULL && first_of(l) != NULL &&
            (word & (LOCK_OWNER | FILCH__LOCK_WAKING)) == 0)
            word = take_first(l, taken, word);
    }
    if (first_of(l) != NULL)
        word |= (word & LOCK_HELD) != 0 ? FILCH__LOCK_WAITERS : FILCH__LOCK_LEFT;
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

/* Gives the queue back, and what the caller has left of the lock, and wakes those that may have it then. Nothing
 * of *l is touched after the swap.
 *   seen  the word; the swap decides */
static void leave_queue(struct filch_rwlock *l, uint64_t seen)
{
    void *taken = NULL;
    while (true) {
        uint64_t word = choose(l, &taken, seen & ~LOCK_QUEUE_BITS);
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
        *seen = filch__lock_queue_is_free(&l->filch__word);
        if (take(l, seen, w, done))
            return false;
        uint64_t word =
            (*seen & ~(done | FILCH__LOCK_LEFT)) | FILCH__LOCK_QUEUE | FILCH__LOCK_WAITERS;
        if (!filch__lock_has_queue(*seen) &&
            FILCH_CAS(&l->filch__word, seen, word, SY_queue, acquire))
            break;
    }
    FILCH_STORE_RELAXED(&w->home, &l->filch__word); /* under the queue */
    if (w->attempts > 0)
        filch__queue_prepend(&l->filch__queue, w);
    else
        filch__queue_append(&l->filch__queue, w);
    leave_queue(l, FILCH_LOAD_RELAXED(&l->filch__word)); /* the swap decides */
    return true;
}

/* Takes the waiter out again. Returns false where somebody has it already, to wake it. */
static bool take_back(struct filch_rwlock *l, struct lock_waiter *w)
{
    filch__lock_queue_enter(&l->filch__word);
    bool was_queued = FILCH_LOAD_RELAXED(&w->home) != NULL; /* under the queue */
    if (was_queued)
        filch__queue_remove(&l->filch__queue, w);
    leave_queue(l, FILCH_LOAD_RELAXED(&l->filch__word)); /* the swap decides */
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

/* Takes the lock, and clears the bits `done` as soon as it has it or waits. */
static int lock_with(struct filch_rwlock *l, struct lock_waiter *w, uint64_t done, int64_t deadline)
{
    while (true) {
        uint64_t seen;
        if (spin(l, &seen, w, done) || !enter_queue(l, w, &seen, done))
            return result_of(seen);
        int error = wait(l, w, deadline);
        if (error != 0)
            return error;
        if (w->is_handed)
            return result_of(FILCH_LOAD_RELAXED(&l->filch__word)); /* a bit, no data */
        done = after_wake(w);
        w->attempts++;
        filch__lock_waiter_renew(w);
    }
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
    return lock_with(l, &w, 0, deadline);
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
    /* SELF_PANICKING: a writer was panicking when it locked, has just left, and has to touch the word once more. */
    while ((seen & (FILCH__LOCK_WRITING | FILCH__LOCK_WAITERS | FILCH__LOCK_LEFT |
                    FILCH__SELF_PANICKING)) == 0) {
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

/* The caller has taken itself out of the word, which left `word`. Where others wait and nobody has the lock
 * any more, that is not free yet: it is the caller's, and so is the queue, unless somebody has that, who wakes
 * then. */
static void settle(struct filch_rwlock *l, uint64_t word)
{
    if (filch__lock_is_left(word))
        leave_queue(l, FILCH_LOAD(&l->filch__word, SY_queue, acquire));
}

/* Gives the lock back.
 *   held  what of the word goes with the owner */
static void unlock(struct filch_rwlock *l, uint64_t held)
{
    settle(l, FILCH_FETCH_SUB(&l->filch__word, held, RW_unlock_slow, release) - held);
}

void filch__rwlock_unlock_read_slow(struct filch_rwlock *l, uint64_t seen)
{
    FILCH_CHECK(l != NULL, "filch_rwlock_unlock_read: the lock is NULL");
    FILCH_CHECK((seen & FILCH__LOCK_WRITING) == 0 && (seen & LOCK_OWNER) != 0,
                "filch_rwlock_unlock_read: nobody holds the lock for reading");
    settle(l, seen - FILCH__LOCK_READER);
}

static void check_writer(uint64_t seen)
{
    FILCH_CHECK((seen & FILCH__LOCK_WRITING) != 0 &&
                    (seen & LOCK_OWNER) == (filch__self_get() & LOCK_OWNER),
                "filch_rwlock: the caller does not hold the lock for writing");
}

void filch__rwlock_unlock_write_slow(struct filch_rwlock *l, uint64_t seen)
{
    FILCH_CHECK(l != NULL, "filch_rwlock_unlock_write: the lock is NULL");
    uint64_t self = filch__self;
    bool is_out = filch__self_is_usual(self);
    if (!is_out)
        seen = FILCH_LOAD_RELAXED(&l->filch__word); /* the writer's */
    check_writer(seen);
    uint64_t held = seen & WRITER;
    if (is_out && (held & FILCH__SELF_PANICKING) == 0)
        settle(l, seen - held);
    else if (is_out) /* it was panicking when it locked */
        unlock(l, FILCH__SELF_PANICKING);
    else if ((seen & (FILCH__SELF_PANICKING | FILCH__LOCK_POISONED)) != 0)
        unlock(l, held);
    else /* it poisons: nobody else sets that bit */
        unlock(l, held - FILCH__LOCK_POISONED);
}

void filch_rwlock_downgrade(struct filch_rwlock *l)
{
    FILCH_CHECK(l != NULL, "filch_rwlock_downgrade: the lock is NULL");
    uint64_t seen = FILCH_LOAD_RELAXED(&l->filch__word); /* the writer's */
    check_writer(seen);
    uint64_t held = (seen & WRITER) - FILCH__LOCK_READER;
    uint64_t word = FILCH_FETCH_SUB(&l->filch__word, held, RW_unlock_slow, release) - held;
    if ((word & (FILCH__LOCK_WAITERS | FILCH__LOCK_QUEUE)) != FILCH__LOCK_WAITERS)
        return; /* or whoever has the queue lets readers in */
    filch__lock_queue_enter(&l->filch__word);
    leave_queue(l, FILCH_LOAD_RELAXED(&l->filch__word)); /* the swap decides */
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
