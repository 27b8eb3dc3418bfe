/* SPDX-License-Identifier: Apache-2.0 */
#include "ending.h"

#include "base/section.h"
#include "park/park.h"
#include "park/spin.h"

#include <errno.h>
#include <stddef.h>

/* Lives in the frame of the wait. */
struct ending_waiter {
    struct waiter waiter;
    struct ending_waiter *next; /* with ENDING_LOCKED */
};

static bool is_of(uintptr_t word, uintptr_t use)
{
    return (word & ~(ENDING_USE - 1)) == use;
}

/* The word, as soon as nobody has it locked. */
static uintptr_t unlocked(struct ending *e)
{
    uintptr_t seen;
    for (int step = 0; ((seen = FILCH_LOAD_RELAXED(&e->word)) & ENDING_LOCKED) != 0;) /* a look */
        filch__spin_on(step++);
    return seen;
}

/* Locks the word of a task that has not ended. Returns it as it was; 0: the task has ended. */
static uintptr_t lock(struct ending *e, uintptr_t use)
{
    uintptr_t seen = FILCH_LOAD_RELAXED(&e->word); /* the swap decides */
    while (is_of(seen, use) && (seen & ENDING_HAS_ENDED) == 0) {
        if (FILCH_UNLIKELY((seen & ENDING_LOCKED) != 0))
            seen = unlocked(e);
        else if (FILCH_CAS(&e->word, &seen, seen | ENDING_LOCKED, EN_lock, acquire))
            return seen | ENDING_LOCKED;
    }
    return 0;
}

static void unlock(struct ending *e, uintptr_t word)
{
    if (e->waiters != NULL)
        word |= ENDING_WAITED;
    else
        word &= ~(uintptr_t)ENDING_WAITED;
    FILCH_STORE(&e->word, word & ~(uintptr_t)ENDING_LOCKED, EN_unlock, release);
}

/* With the lock: the word is to be `next`, and all that wait are woken. */
static FILCH_COLD void take_and_wake(struct ending *e, uintptr_t next)
{
    struct ending_waiter *list = e->waiters;
    e->waiters = NULL;
    unlock(e, next); /* the last touch */
    while (list != NULL) {
        struct ending_waiter *w = list;
        list = w->next; /* its frame may be gone after the unpark */
        filch__unpark(&w->waiter);
    }
}

FILCH_WAKE_PATH bool filch__ending_set(struct ending *e)
{
    uintptr_t seen = FILCH_LOAD_RELAXED(&e->word); /* the swap decides */
    for (;;) {
        if (FILCH_UNLIKELY((seen & ENDING_LOCKED) != 0)) {
            seen = unlocked(e);
        } else if ((seen & ENDING_WAITED) == 0) {
            if (FILCH_CAS(&e->word, &seen, seen | ENDING_HAS_ENDED, EN_set, acq_rel))
                return (seen & ENDING_HELD) == 0;
        } else if (FILCH_CAS(&e->word, &seen, seen | ENDING_LOCKED, EN_lock, acquire)) {
            take_and_wake(e, seen | ENDING_HAS_ENDED);
            return (seen & ENDING_HELD) == 0;
        }
    }
}

bool filch__ending_both_slowly(struct ending *e, uintptr_t use)
{
    uintptr_t word = lock(e, use);
    if (word == 0)
        return false;
    bool was_held = (word & ENDING_HELD) != 0;
    take_and_wake(e, use | ENDING_HAS_ENDED);
    return was_held;
}

enum ending_given_up filch__ending_give_up(struct ending *e, uintptr_t use)
{
    uintptr_t seen = FILCH_LOAD_RELAXED(&e->word); /* the swap decides */
    while (is_of(seen, use) && (seen & ENDING_HELD) != 0) {
        if (FILCH_UNLIKELY((seen & ENDING_LOCKED) != 0))
            seen = unlocked(e);
        else if (FILCH_CAS(&e->word, &seen, seen & ~(uintptr_t)ENDING_HELD, EN_give_up, acq_rel))
            return (seen & ENDING_HAS_ENDED) != 0 ? ENDING_IS_OVER : ENDING_WILL_END;
    }
    return ENDING_NOT_HELD;
}

/* Takes the waiter out again. Returns false where whoever ends the task has it. */
static bool take_back(struct ending *e, uintptr_t use, struct ending_waiter *w)
{
    uintptr_t word = lock(e, use);
    if (word == 0)
        return false;
    struct ending_waiter **link = &e->waiters;
    while (*link != w)
        link = &(*link)->next;
    *link = w->next;
    unlock(e, word);
    return true;
}

/* What a wait returns for one that does not last. */
static int look(struct ending *e, uintptr_t use)
{
    uintptr_t word = FILCH_LOAD(&e->word, EN_look, acquire);
    if (!is_of(word, use))
        return EINVAL;
    return (word & ENDING_HELD) == 0 ? EINVAL : 0;
}

FILCH_WAKE_PATH int filch__ending_wait(struct ending *e, uintptr_t use, int64_t deadline_ns)
{
    struct ending_waiter w;
    if (!filch__ending_is_held(e, use))
        return EINVAL;
    if (filch__ending_has_ended(e))
        return 0;
    filch__waiter_init(&w.waiter);
    uintptr_t word = lock(e, use);
    if (word == 0)
        return look(e, use);
    if (FILCH_UNLIKELY((word & ENDING_HELD) == 0)) {
        unlock(e, word);
        return EINVAL;
    }
    w.next = e->waiters;
    e->waiters = &w;
    unlock(e, word);
    int error = filch__park(&w.waiter, deadline_ns);
    if (error == 0)
        return filch__back();
    if (take_back(e, use, &w))
        return error;
    return filch__park_through(&w.waiter, FILCH_FOREVER); /* its touch is due */
}

void filch__ending_precede(struct ending *e, uintptr_t use, void (*fn)(void *), void *arg)
{
    uintptr_t word = lock(e, use);
    if (word == 0)
        return;
    fn(arg);
    unlock(e, word);
}
