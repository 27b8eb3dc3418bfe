/* SPDX-License-Identifier: Apache-2.0 */
/* park and unpark: a token per thread, at most one.
 *
 *     NONE    --unpark--> TOKEN   --park--> NONE     park returns at once
 *     NONE    --park--> PARKED    --unpark--> TOKEN  and everybody in the list is woken, takes the
 *                                                    token where it is still there, and returns
 *
 * The list has one entry for a thread, and one for each task of a worker that is parked: they share
 * the worker's token. So unpark wakes all of them: nobody but they themselves can know whom it was
 * for, and for the others it is one of the wake-ups without a reason that park may have. A task that
 * has looked for what it waits for and does not find it yet is on the processor until it is parked,
 * so none of the others can take the token before it.
 */
#include "thread/thread.h"

#include "os/os.h"
#include "park/park.h"

#include <errno.h>
#include <stddef.h>

enum token_state { TOKEN_NONE, TOKEN_THERE, TOKEN_PARKED };

/* Lives in the frame of the park. */
struct parked {
    struct waiter waiter;
    struct parked *next; /* under token_lock, like the next */
    bool is_listed;
};

static bool take(struct filch_thread *self)
{
    uint32_t seen = TOKEN_THERE;
    return FILCH_CAS(&self->token, &seen, TOKEN_NONE, UP_take, acquire);
}

/* Lists the waiter; false: the token came meanwhile, and has been taken. */
static bool enlist(struct filch_thread *self, struct parked *p)
{
    filch__lock(&self->token_lock);
    uint32_t seen = TOKEN_NONE;
    bool must_wait =
        FILCH_CAS(&self->token, &seen, TOKEN_PARKED, UP_park, relaxed) || seen == TOKEN_PARKED;
    if (must_wait) {
        p->next = self->parked;
        self->parked = p;
        p->is_listed = true;
    } else {
        must_wait = !take(self); /* only the thread itself takes tokens: it is still there */
    }
    filch__unlock(&self->token_lock);
    return must_wait;
}

/* Takes the waiter out again. Returns false where an unpark has it already. */
static bool take_back(struct filch_thread *self, struct parked *p)
{
    filch__lock(&self->token_lock);
    bool was_listed = p->is_listed;
    for (struct parked **link = &self->parked; was_listed && *link != NULL; link = &(*link)->next) {
        if (*link == p) {
            *link = p->next;
            break;
        }
    }
    if (self->parked == NULL) {
        uint32_t seen = TOKEN_PARKED;
        (void)FILCH_CAS(&self->token, &seen, TOKEN_NONE, UP_park, relaxed);
    }
    filch__unlock(&self->token_lock);
    return was_listed;
}

static int park_slow(struct filch_thread *self, int64_t deadline)
{
    struct parked p = {.is_listed = false};
    filch__waiter_init(&p.waiter);
    if (!enlist(self, &p))
        return 0;
    filch__stay(1); /* the token is this thread's, who alone takes it */
    int error = filch__park(&p.waiter, deadline);
    if (error != 0 && !take_back(self, &p))
        error =
            filch__park_through(&p.waiter, FILCH_FOREVER); /* the unpark has it: its touch is due */
    if (error == 0)
        (void)take(self); /* false: another task of this worker has it */
    filch__stay(-1);
    return error;
}

static inline int park_until(int64_t deadline)
{
    struct filch_thread *self = filch__thread_here();
    if (self == NULL) { /* unknown to all: nobody could end the wait */
        filch__os->yield();
        return 0;
    }
    return FILCH_LIKELY(take(self)) ? 0 : park_slow(self, deadline);
}

void filch_thread_park(void)
{
    (void)park_until(FILCH_FOREVER); /* it cannot run out of time */
}

int filch_thread_park_until(int64_t deadline)
{
    return park_until(deadline);
}

static FILCH_COLD void wake_all(struct filch_thread *thread)
{
    filch__lock(&thread->token_lock);
    struct parked *list = thread->parked;
    thread->parked = NULL;
    for (struct parked *p = list; p != NULL; p = p->next)
        p->is_listed = false;
    filch__unlock(&thread->token_lock);
    while (list != NULL) {
        struct parked *next = list->next; /* the frame may be gone after the unpark */
        filch__unpark(&list->waiter);
        list = next;
    }
}

void filch_thread_unpark(struct filch_thread *thread)
{
    if (thread == NULL)
        return;
    struct filch_thread *t = filch__thread_of(thread);
    if (FILCH_EXCHANGE(&t->token, TOKEN_THERE, UP_give, release) == TOKEN_PARKED)
        wake_all(t);
}

void filch__token_after_fork(struct filch_thread *thread)
{
    thread->token_lock = (struct lock){0}; /* its holder may be a thread that is not here */
    thread->parked = NULL;
    if (thread->token == TOKEN_PARKED)
        thread->token = TOKEN_NONE;
}
