/* SPDX-License-Identifier: Apache-2.0 */
/* What happens once. While a call runs the word holds the identity of the one that makes it. */
#include "sync/queue.h"

#include "base/check.h"
#include "park/self.h"

#include <errno.h>
#include <filch/once.h>

/* The call that this frame makes; its end, by a panic too, is the end of the frame. */
struct call {
    struct filch_once *once;
    uint64_t end; /* what the word becomes */
};

static void end_call(struct call *call)
{
    struct filch_once *once = call->once;
    (void)filch__queue_enter(&once->filch__word);
    struct lock_waiter *waiters = filch__queue_wake_here(&once->filch__queue);
    FILCH_STORE(&once->filch__word, call->end, OC_end, release);
    filch__queue_wake_all(waiters);
}

enum wanting {
    TO_CALL,
    TO_FORCE,
    TO_WAIT,
    TO_WAIT_ON, /* through poison */
};

/* Waits until there is something to say, or to do.
 * Returns 0: complete; EINPROGRESS: the call is the caller's to make; EOWNERDEAD; ETIMEDOUT; EDEADLK. */
static int begin_call(struct filch_once *once, enum wanting wanting, bool *was_poisoned,
                      int64_t deadline)
{
    uint64_t self = filch__self_get();
    while (true) {
        uint64_t seen = FILCH_LOAD(&once->filch__word, OC_look, acquire);
        if ((seen & FILCH__ONCE_DONE) != 0)
            return 0;
        bool runs = (seen & LOCK_OWNER) != 0;
        bool poisoned = (seen & FILCH__LOCK_POISONED) != 0;
        if (runs && (seen & LOCK_OWNER) == (self & LOCK_OWNER))
            return EDEADLK;
        if (poisoned && (wanting == TO_CALL || wanting == TO_WAIT))
            return EOWNERDEAD;
        if (!runs && (wanting == TO_CALL || wanting == TO_FORCE)) {
            *was_poisoned = poisoned;
            uint64_t word = (seen & ~FILCH__LOCK_POISONED) | self;
            if ((seen & FILCH__LOCK_QUEUE) == 0 &&
                FILCH_CAS(&once->filch__word, &seen, word, OC_begin, acquire))
                return EINPROGRESS;
            (void)filch__queue_is_free(&once->filch__word);
            continue;
        }
        uint64_t now = filch__queue_enter(&once->filch__word);
        if ((now ^ seen) & ~(FILCH__LOCK_QUEUE | FILCH__LOCK_WAITERS)) {
            filch__queue_leave(&once->filch__word, &once->filch__queue, now);
            continue;
        }
        int error = filch__queue_wait(&once->filch__word, deadline, &once->filch__queue, NULL);
        if (error != 0)
            return error;
    }
}

int filch__once_call_slow(struct filch_once *once, void (*fn)(void *), void *arg, int64_t deadline)
{
    bool was_poisoned;
    if (once == NULL || fn == NULL)
        return EINVAL;
    int error = begin_call(once, TO_CALL, &was_poisoned, deadline);
    if (error != EINPROGRESS)
        return error;
    struct call call __attribute__((cleanup(end_call))) = {once, FILCH__LOCK_POISONED};
    fn(arg);
    call.end = FILCH__ONCE_DONE;
    return 0;
}

int filch_once_call_until(struct filch_once *once, void (*fn)(void *), void *arg, int64_t deadline)
{
    return filch__once_call_slow(once, fn, arg, deadline);
}

int filch_once_call_force_until(struct filch_once *once, void (*fn)(void *arg, int is_poisoned),
                                void *arg, int64_t deadline)
{
    bool was_poisoned = false;
    if (once == NULL || fn == NULL)
        return EINVAL;
    int error = begin_call(once, TO_FORCE, &was_poisoned, deadline);
    if (error != EINPROGRESS)
        return error;
    struct call call __attribute__((cleanup(end_call))) = {once, FILCH__LOCK_POISONED};
    fn(arg, was_poisoned);
    call.end = FILCH__ONCE_DONE;
    return 0;
}

int filch_once_call_force(struct filch_once *once, void (*fn)(void *arg, int is_poisoned),
                          void *arg)
{
    return filch_once_call_force_until(once, fn, arg, FILCH_FOREVER);
}

int filch_once_wait_until(struct filch_once *once, int64_t deadline)
{
    bool unused;
    return once == NULL ? EINVAL : begin_call(once, TO_WAIT, &unused, deadline);
}

int filch_once_wait_force_until(struct filch_once *once, int64_t deadline)
{
    bool unused;
    return once == NULL ? EINVAL : begin_call(once, TO_WAIT_ON, &unused, deadline);
}

/* --- cells --- */

int filch_once_cell_set_until(struct filch_once_cell *cell, void *value, int64_t deadline)
{
    bool unused;
    if (cell == NULL)
        return EINVAL;
    int error = begin_call(&cell->filch__once, TO_CALL, &unused, deadline);
    if (error != EINPROGRESS)
        return error == 0 ? EBUSY : error;
    cell->filch__value = value;
    end_call(&(struct call){&cell->filch__once, FILCH__ONCE_DONE});
    return 0;
}

int filch_once_cell_set(struct filch_once_cell *cell, void *value)
{
    return filch_once_cell_set_until(cell, value, FILCH_FOREVER);
}

/*   after_panic  what the cell becomes where `make` panics: empty, or poisoned */
static int get_or_init(struct filch_once_cell *cell, void *(*make)(void *), void *ctx, void **value,
                       uint64_t after_panic, int64_t deadline)
{
    bool unused;
    int error = begin_call(&cell->filch__once, TO_CALL, &unused, deadline);
    if (error == EINPROGRESS) {
        struct call call __attribute__((cleanup(end_call))) = {&cell->filch__once, after_panic};
        cell->filch__value = make(ctx);
        call.end = FILCH__ONCE_DONE;
        error = 0;
    }
    if (error == 0 && value != NULL)
        *value = cell->filch__value;
    return error;
}

int filch_once_cell_get_or_init_until(struct filch_once_cell *cell, void *(*make)(void *ctx),
                                      void *ctx, void **value, int64_t deadline)
{
    return cell == NULL || make == NULL ? EINVAL : get_or_init(cell, make, ctx, value, 0, deadline);
}

int filch_once_cell_get_or_init(struct filch_once_cell *cell, void *(*make)(void *ctx), void *ctx,
                                void **value)
{
    return filch_once_cell_get_or_init_until(cell, make, ctx, value, FILCH_FOREVER);
}

int filch_lazy_get_until(struct filch_lazy *lazy, void **value, int64_t deadline)
{
    if (lazy == NULL || lazy->filch__make == NULL)
        return EINVAL;
    return get_or_init(&lazy->filch__cell, lazy->filch__make, lazy->filch__ctx, value,
                       FILCH__LOCK_POISONED, deadline);
}

int filch_lazy_get(struct filch_lazy *lazy, void **value)
{
    return filch_lazy_get_until(lazy, value, FILCH_FOREVER);
}
