/* SPDX-License-Identifier: Apache-2.0 */
/* The mutex. The shape of its word and queue is that of nsync's mu, the dance between unlock and the woken
 * that of parking_lot (spin, overtake, hand over in the end) and of the smallest futex locks: an unlock
 * that wakes forgets those that still wait, and the one that was woken says again that they do. */
#include "sync/mutex.h"

#include "base/check.h"
#include "os/os.h"
#include "park/self.h"
#include "park/spin.h"

#include <errno.h>
#include <filch/guard.h>

#undef filch_mutex_lock
#undef filch_mutex_try_lock
#undef filch_mutex_unlock

/* The first waiter that is overtaken for so long is helped: tens of thousands of acquisitions, but less
 * than the system lets a thread run while others wait for the processor. */
enum { OVERTAKEN_NS = 500 * 1000 };

static int result_of(uint64_t word)
{
    return (word & FILCH__LOCK_POISONED) != 0 ? EOWNERDEAD : 0;
}

/* Whether nobody has the lock. */
static bool is_free(uint64_t word)
{
    return (word & LOCK_HELD) == 0 && !filch__lock_is_left(word);
}

/* Takes the lock if nobody has it. *seen: the word; on success, before.
 *   adds  what the word gets: the owner, and what it has to say */
static bool take_free(struct filch_mutex *m, uint64_t *seen, uint64_t adds)
{
    while (is_free(*seen)) {
        uint64_t left = (*seen & FILCH__LOCK_LEFT) != 0 ? FILCH__LOCK_WAITERS : 0;
        uint64_t word = (*seen & ~FILCH__LOCK_LEFT) | adds | left;
        if (FILCH_CAS(&m->filch__word, seen, word, MX_lock_slow, acquire))
            return true;
    }
    return false;
}

/* Whether the first waiter has been the first for long. Of tasks their attempts are counted only. */
static FILCH_COLD bool is_overdue(struct lock_waiter *first)
{
    int64_t now_ns = filch__os->now_ns();
    if (first->first_ns == 0)
        first->first_ns = now_ns;
    return now_ns - first->first_ns >= OVERTAKEN_NS;
}

/* With the queue, where the word is to be `word` but for what it says of it: takes the first waiter out if
 * it is to be woken, or handed the lock. *wakes: that one, or NULL. Returns the word as it has to be then. Where a
 * thread is woken it says nothing of those that still wait, so that locking and unlocking go the short way
 * until that one comes and says it. A task may not come before the one that runs here waits.
 *   goes  the caller is about to wait: one that is the next to run is handed the lock */
static inline uint64_t choose(struct filch_mutex *m, struct lock_waiter **wakes, uint64_t word,
                              bool goes)
{
    struct lock_waiter *w = m->filch__queue;
    *wakes = NULL;
    if (w == NULL)
        return word;
    if ((word & LOCK_HELD) != 0)
        return word | FILCH__LOCK_WAITERS;
    bool is_late = w->is_thread && is_overdue(w);
    w->is_handed = filch__wants_handing(w) || (is_late && w->attempts > 0) ||
                   (goes && filch__runs_next(&w->waiter));
    filch__queue_remove(&m->filch__queue, w);
    FILCH_STORE_RELAXED(&w->home, NULL); /* under the queue */
    *wakes = w;
    w->more = 0;
    if (w->is_handed)
        word |= w->self;
    if (m->filch__queue == NULL)
        return word;
    ((struct lock_waiter *)m->filch__queue)->first_ns = 0;
    if (w->is_handed)
        return word | FILCH__LOCK_WAITERS;
    if (!w->is_thread)
        return word | FILCH__LOCK_LEFT;
    w->more = FILCH__LOCK_WAITERS;
    return word;
}

/* Gives the queue back. Where the lock is free then, the first waiter is woken, or gets it.
 * Nothing of *m is touched after the swap. */
static void leave_queue(struct filch_mutex *m)
{
    struct lock_waiter *wakes;
    uint64_t seen = FILCH_LOAD_RELAXED(&m->filch__word); /* the swap decides */
    while (true) {
        uint64_t word = choose(m, &wakes, seen & ~LOCK_QUEUE_BITS, false);
        if (FILCH_CAS(&m->filch__word, &seen, word, MX_leave, acq_rel))
            break;
        if (wakes != NULL) { /* somebody has taken the lock meanwhile */
            FILCH_STORE_RELAXED(&wakes->home, &m->filch__word); /* under the queue */
            filch__queue_prepend(&m->filch__queue, wakes);
        }
    }
    if (wakes != NULL)
        filch__unpark(&wakes->waiter);
}

/* Gives the lock and the queue back, likewise. Nobody else changes the word meanwhile. */
static inline void drop(struct filch_mutex *m, bool goes)
{
    struct lock_waiter *wakes;
    uint64_t word = FILCH_LOAD(&m->filch__word, SY_queue, acquire);
    word = choose(m, &wakes, word & ~LOCK_QUEUE_BITS, goes);
    bool wakes_thread = wakes != NULL && wakes->is_thread;
    FILCH_STORE(&m->filch__word, word, MX_drop, release);
    if (wakes != NULL)
        filch__unpark(&wakes->waiter);
    if (wakes_thread)
        filch__give_way();
}

/* Takes the lock if it becomes free soon. A task goes on with other work instead, and whoever waits for
 * a task would wait in vain where that one is set aside. */
static bool spin(struct filch_mutex *m, uint64_t *seen, const struct lock_waiter *w)
{
    for (struct spin state = {0};;) {
        *seen = FILCH_LOAD_RELAXED(&m->filch__word); /* the swap decides */
        if (take_free(m, seen, w->self | w->more)) {
            filch__spin_has_lock(&state, m);
            return true;
        }
        if (!w->is_thread || (*seen & FILCH__SELF_TASK) != 0 || !filch__spin_at_lock(&state, m))
            return false;
    }
}

/* Puts w into the queue; those that were woken in vain first. Returns false: it has taken the lock. */
static bool enter_queue(struct filch_mutex *m, struct lock_waiter *w, uint64_t *seen)
{
    while (true) {
        *seen = filch__lock_queue_is_free(&m->filch__word);
        if (take_free(m, seen, w->self | w->more))
            return false;
        uint64_t word = *seen | FILCH__LOCK_QUEUE | FILCH__LOCK_WAITERS;
        if (!filch__lock_has_queue(*seen) &&
            FILCH_CAS(&m->filch__word, seen, word, SY_queue, acquire))
            break;
    }
    if (w->is_thread && m->filch__queue != NULL)
        w->waiter.ops =
            &filch__waiter_worker_ops; /* others will be woken before: it need not look */
    FILCH_STORE_RELAXED(&w->home, &m->filch__word); /* under the queue */
    if (w->attempts > 0)
        filch__queue_prepend(&m->filch__queue, w);
    else
        filch__queue_append(&m->filch__queue, w);
    leave_queue(m);
    return true;
}

/* Takes the waiter out again. Returns false where somebody has it already, to wake it. */
static bool take_back(struct filch_mutex *m, struct lock_waiter *w)
{
    filch__lock_queue_enter(&m->filch__word);
    bool was_queued = FILCH_LOAD_RELAXED(&w->home) != NULL; /* under the queue */
    if (was_queued)
        filch__queue_remove(&m->filch__queue, w);
    leave_queue(m);
    return was_queued;
}

/* Waits in the queue. Returns 0: woken; what park returns: it is in no queue any more. */
static int wait(struct filch_mutex *m, struct lock_waiter *w, int64_t deadline)
{
    int error = filch__lock_waiter_park(w, deadline);
    if (error != 0 && take_back(m, w))
        return error;
    return error == 0 ? 0 : filch__park_through(&w->waiter, FILCH_FOREVER); /* its wake-up is due */
}

static int lock_with(struct filch_mutex *m, struct lock_waiter *w, int64_t deadline)
{
    while (true) {
        uint64_t seen;
        if (spin(m, &seen, w) || !enter_queue(m, w, &seen))
            return result_of(seen);
        int error = wait(m, w, deadline);
        if (error != 0)
            return error;
        if (w->is_thread)
            filch__turn_begins();
        if (w->is_handed)
            return result_of(FILCH_LOAD_RELAXED(&m->filch__word)); /* the owner's */
        w->attempts++;
        filch__lock_waiter_renew(w);
    }
}

static int lock(struct filch_mutex *m, bool resists, int64_t deadline)
{
    if (m == NULL)
        return EINVAL;
    uint64_t self = filch__self_get();
    uint64_t seen = FILCH_LOAD_RELAXED(&m->filch__word); /* is it ours? */
    if ((seen & LOCK_OWNER) == (self & LOCK_OWNER))
        return EDEADLK;
    struct lock_waiter w;
    filch__lock_waiter_init(&w, self);
    w.resists = resists;
    int error = lock_with(m, &w, deadline);
    const bool has_left = !w.is_thread && (w.is_handed || w.attempts > 0); /* as a task does */
    return FILCH_LIKELY(error == 0) && has_left ? filch__back() : error;
}

int filch__mutex_lock_slow(struct filch_mutex *m, int64_t deadline)
{
    return lock(m, false, deadline);
}

int filch__guard_lock_through(struct filch_mutex *m)
{
    return lock(m, true, FILCH_FOREVER);
}

int filch__mutex_try_lock_slow(struct filch_mutex *m)
{
    if (m == NULL)
        return EINVAL;
    uint64_t seen = FILCH_LOAD_RELAXED(&m->filch__word); /* the swap decides */
    return take_free(m, &seen, filch__self_get()) ? result_of(seen) : EBUSY;
}

/* The owner has taken itself out of the word, which left `word`. Where others wait the lock is not free
 * yet: it is still the caller's, and so is the queue, unless somebody had that, who wakes then. */
static inline void settle(struct filch_mutex *m, uint64_t word, bool goes)
{
    if (filch__lock_is_left(word))
        drop(m, goes);
}

/* Gives the lock back.
 *   held  what of the word goes with the owner */
static void unlock(struct filch_mutex *m, uint64_t held)
{
    settle(m, FILCH_FETCH_SUB(&m->filch__word, held, MX_unlock_slow, release) - held, false);
}

void filch__mutex_unlock_slow(struct filch_mutex *m, uint64_t seen)
{
    FILCH_CHECK(m != NULL, "filch_mutex_unlock: the mutex is NULL");
    uint64_t self = filch__self;
    bool is_out = filch__self_is_usual(self);
    if (!is_out)
        seen = FILCH_LOAD_RELAXED(&m->filch__word); /* the owner's */
    FILCH_CHECK(self != 0 && (seen & LOCK_OWNER) == (self & LOCK_OWNER),
                "filch_mutex_unlock: the caller does not hold the mutex");
    uint64_t held = seen & LOCK_HELD;
    if (is_out && held == self)
        settle(m, seen - self, false);
    else if (is_out) /* it was panicking when it locked */
        unlock(m, FILCH__SELF_PANICKING);
    else if ((seen & (FILCH__SELF_PANICKING | FILCH__LOCK_POISONED)) != 0)
        unlock(m, held);
    else /* it poisons: nobody else sets that bit */
        unlock(m, held - FILCH__LOCK_POISONED);
}

/* --- for condition variables --- */

uint64_t filch__mutex_owner_word(struct filch_mutex *m)
{
    uint64_t seen = FILCH_LOAD_RELAXED(&m->filch__word); /* is it ours? */
    return (seen & LOCK_OWNER) == (filch__self_get() & LOCK_OWNER) ? seen & LOCK_HELD : 0;
}

void filch__mutex_release(struct filch_mutex *m, uint64_t self)
{
    settle(m, FILCH_FETCH_SUB(&m->filch__word, self, MX_unlock_slow, release) - self, true);
}

void filch__mutex_enqueue(struct filch_mutex *m, struct lock_waiter *w)
{
    filch__lock_queue_enter(&m->filch__word);
    FILCH_STORE_RELAXED(&w->home, &m->filch__word); /* under the queue */
    filch__queue_append(&m->filch__queue, w);
    uint64_t word = FILCH_LOAD_RELAXED(&m->filch__word); /* ours, or the swap decides */
    if ((word & LOCK_OWNER) == (filch__self & LOCK_OWNER) && (word & LOCK_OWNER) != 0)
        filch__queue_leave(&m->filch__word, &m->filch__queue, word);
    else
        leave_queue(m);
}

int filch__mutex_lock_again(struct filch_mutex *m, struct lock_waiter *w, bool was_queued)
{
    if (was_queued && w->is_thread)
        filch__turn_begins();
    if (was_queued && w->is_handed)
        return result_of(FILCH_LOAD_RELAXED(&m->filch__word)); /* the owner's */
    w->attempts = was_queued ? 1 : 0;
    w->resists = true; /* the caller counts on holding it */
    filch__lock_waiter_renew(w);
    return lock_with(m, w, FILCH_FOREVER);
}

/* --- the rest of the interface --- */

int filch_mutex_lock(struct filch_mutex *m)
{
    return filch__mutex_lock(m);
}

int filch_mutex_lock_until(struct filch_mutex *m, int64_t deadline)
{
    uint64_t self = filch__self, seen = 0;
    if (m != NULL && self != 0 && FILCH_CAS(&m->filch__word, &seen, self, MX_lock, acquire))
        return 0;
    return filch__mutex_lock_slow(m, deadline);
}

int filch_mutex_try_lock(struct filch_mutex *m)
{
    return filch__mutex_try_lock(m);
}

void filch_mutex_unlock(struct filch_mutex *m)
{
    filch__mutex_unlock(m);
}

int filch_mutex_is_poisoned(const struct filch_mutex *m)
{
    return m != NULL && (FILCH_LOAD_RELAXED(&m->filch__word) & FILCH__LOCK_POISONED) != 0;
}

void filch_mutex_clear_poison(struct filch_mutex *m)
{
    if (m == NULL)
        return;
    uint64_t seen =
        filch__lock_queue_is_free(&m->filch__word); /* nobody else changes it for an owner */
    while (!FILCH_CAS(&m->filch__word, &seen, seen & ~FILCH__LOCK_POISONED, MX_mend, relaxed))
        seen = filch__lock_queue_is_free(&m->filch__word);
}

int filch_mutex_destroy(struct filch_mutex *m)
{
    if (m == NULL)
        return 0;
    uint64_t seen = FILCH_LOAD_RELAXED(&m->filch__word); /* the swap decides */
    while ((seen & ~FILCH__LOCK_POISONED) == 0) {
        if (!FILCH_CAS(&m->filch__word, &seen, seen | FILCH__LOCK_QUEUE, SY_queue, acquire))
            continue;
        /* The word does not tell of those that wait behind one that was woken. */
        seen |= FILCH__LOCK_QUEUE;
        if (m->filch__queue == NULL && FILCH_CAS(&m->filch__word, &seen, 0, MX_leave, acq_rel))
            return 0;
        leave_queue(m);
        break;
    }
    return EBUSY;
}
