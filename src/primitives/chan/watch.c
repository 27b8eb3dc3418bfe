/* SPDX-License-Identifier: Apache-2.0 */
#include "chan/message.h"
#include "os/os.h"
#include "park/crowd.h"

#include "base/check.h"

#include <filch/watch.h>

/* A sending handle is its address. */
struct watch {
    struct lock lock;
    struct messages values; /* const */
    struct message *latest; /* under the lock, as all below */
    uint64_t version;       /* of the latest */
    size_t senders;
    size_t receivers;
    size_t handles;         /* of both kinds whose drop is not over; the last one frees it */
    struct crowd receiving; /* wait for a newer version */
    struct crowd closing;   /* wait for the last receiver to go */
};

struct filch_watch_receiver {
    struct watch *watch; /* const */
    uint64_t seen;       /* the newest version that it has seen; under the lock */
};

enum { DOES_NOT_WAIT, WAITS };

static struct watch *of_sender(const struct filch_watch_sender *tx)
{
    return (struct watch *)(uintptr_t)tx;
}

/* --- creation and end --- */

static int receiver_new(struct filch_watch_receiver **rx, struct watch *w, uint64_t seen)
{
    struct filch_watch_receiver *r = filch__os->alloc(sizeof *r, _Alignof(max_align_t));
    if (r == NULL)
        return ENOMEM;
    *r = (struct filch_watch_receiver){.watch = w, .seen = seen};
    *rx = r;
    return 0;
}

int filch_watch_create_with(struct filch_watch_sender **tx, struct filch_watch_receiver **rx,
                            const struct filch_watch_config *config, const void *initial)
{
    struct filch_watch_receiver *receiver;
    struct messages values;
    if (tx == NULL || rx == NULL || config == NULL ||
        (initial == NULL && config->element_size != 0))
        return EINVAL;
    int error = filch__messages_init(&values, config->element_size, config->clone, config->drop);
    if (error != 0)
        return error;
    struct watch *w = filch__os_alloc_zeroed(1, sizeof *w, _Alignof(struct watch));
    if (w == NULL)
        return ENOMEM;
    w->values = values;
    error = receiver_new(&receiver, w, 0);
    if (error != 0)
        goto undo_watch;
    w->latest = filch__message_new(&w->values, initial);
    if (w->latest == NULL) {
        error = ENOMEM;
        goto undo_receiver;
    }
    w->senders = 1;
    w->receivers = 1;
    w->handles = 2;
    *tx = (struct filch_watch_sender *)(void *)w;
    *rx = receiver;
    return 0;

undo_receiver:
    filch__os->free(receiver);
undo_watch:
    filch__os->free(w);
    return error;
}

int filch_watch_create(struct filch_watch_sender **tx, struct filch_watch_receiver **rx,
                       size_t element_size, const void *initial)
{
    struct filch_watch_config config = {.element_size = element_size};
    return filch_watch_create_with(tx, rx, &config, initial);
}

/* Ends a handle, and the watch with the last one. Under the lock, which it gives back. */
static void end_handle(struct watch *w, struct crowd_waiter *woken)
{
    bool is_last = --w->handles == 0;
    filch__unlock(&w->lock);
    filch__crowd_wake(woken);
    if (is_last) {
        filch__message_drop(&w->values, w->latest);
        filch__os->free(w);
    }
}

struct filch_watch_sender *filch_watch_sender_clone(struct filch_watch_sender *tx)
{
    struct watch *w = of_sender(tx);
    if (w == NULL)
        return NULL;
    filch__lock(&w->lock);
    FILCH_CHECK(w->senders != 0, "a sender of a watch was cloned that had been dropped");
    w->senders++;
    w->handles++;
    filch__unlock(&w->lock);
    return tx;
}

void filch_watch_sender_drop(struct filch_watch_sender *tx)
{
    struct watch *w = of_sender(tx);
    if (w == NULL)
        return;
    filch__lock(&w->lock);
    FILCH_CHECK(w->senders != 0, "a sender of a watch was dropped twice");
    end_handle(w, --w->senders == 0 ? filch__crowd_take(&w->receiving) : NULL);
}

/* One more receiver; of those that have seen as much as `like`, NULL: everything. */
static int subscribe(struct watch *w, const struct filch_watch_receiver *like,
                     struct filch_watch_receiver **rx)
{
    struct filch_watch_receiver *made;
    int error = receiver_new(&made, w, 0);
    if (error != 0)
        return error;
    filch__lock(&w->lock);
    made->seen = like != NULL ? like->seen : w->version;
    w->receivers++;
    w->handles++;
    filch__unlock(&w->lock);
    *rx = made;
    return 0;
}

int filch_watch_subscribe(struct filch_watch_sender *tx, struct filch_watch_receiver **rx)
{
    return tx == NULL || rx == NULL ? EINVAL : subscribe(of_sender(tx), NULL, rx);
}

int filch_watch_receiver_clone(struct filch_watch_receiver *rx, struct filch_watch_receiver **clone)
{
    return rx == NULL || clone == NULL ? EINVAL : subscribe(rx->watch, rx, clone);
}

void filch_watch_receiver_drop(struct filch_watch_receiver *rx)
{
    if (rx == NULL)
        return;
    struct watch *w = rx->watch;
    filch__os->free(rx);
    filch__lock(&w->lock);
    end_handle(w, --w->receivers == 0 ? filch__crowd_take(&w->closing) : NULL);
}

/* --- sending --- */

/* Makes the message the latest. Under the lock, which it gives back. */
static void publish(struct watch *w, struct message *m)
{
    struct message *replaced = w->latest;
    w->latest = m;
    w->version++;
    struct crowd_waiter *woken = filch__crowd_take(&w->receiving);
    bool is_last = filch__message_let_go(replaced);
    filch__unlock(&w->lock);
    filch__crowd_wake(woken);
    if (is_last)
        filch__message_drop(&w->values, replaced);
}

static int send(struct filch_watch_sender *tx, const void *value, bool needs_receivers)
{
    struct watch *w = of_sender(tx);
    if (w == NULL || (value == NULL && w->values.size_bytes != 0))
        return EINVAL;
    struct message *m = filch__message_new(&w->values, value);
    if (m == NULL)
        return ENOMEM;
    filch__lock(&w->lock);
    if (needs_receivers && w->receivers == 0) {
        filch__unlock(&w->lock);
        filch__message_free(m);
        return EPIPE;
    }
    publish(w, m);
    return 0;
}

int filch_watch_send(struct filch_watch_sender *tx, const void *value)
{
    return send(tx, value, true);
}

int filch_watch_replace(struct filch_watch_sender *tx, const void *value)
{
    return send(tx, value, false);
}

/* Gives up a hold. */
static void give_back(struct watch *w, struct message *m)
{
    filch__lock(&w->lock);
    bool is_last = filch__message_let_go(m);
    filch__unlock(&w->lock);
    if (is_last)
        filch__message_drop(&w->values, m);
}

/* Holds the latest. Under the lock. */
static struct message *hold(struct watch *w)
{
    w->latest->holders++;
    return w->latest;
}

int filch_watch_modify(struct filch_watch_sender *tx, int (*change)(void *value, void *ctx),
                       void *ctx)
{
    struct watch *w = of_sender(tx);
    if (w == NULL || change == NULL)
        return EINVAL;
    for (;;) {
        filch__lock(&w->lock);
        struct message *before = hold(w);
        filch__unlock(&w->lock);
        struct message *m = filch__message_clone(&w->values, before);
        int is_changed = m != NULL && change(filch__message_value(&w->values, m), ctx);
        filch__lock(&w->lock);
        bool is_latest = w->latest == before;
        bool is_last = filch__message_let_go(before); /* never where it is the latest */
        if (is_changed && is_latest)
            publish(w, m);
        else
            filch__unlock(&w->lock);
        if (is_last)
            filch__message_drop(&w->values, before);
        if (m == NULL)
            return ENOMEM;
        if (is_changed && is_latest)
            return 0;
        filch__message_drop(&w->values, m);
        if (!is_changed)
            return EAGAIN;
    }
}

int filch_watch_closed_until(struct filch_watch_sender *tx, int64_t deadline)
{
    struct watch *w = of_sender(tx);
    int error = 0;
    if (w == NULL)
        return EINVAL;
    filch__lock(&w->lock);
    while (error == 0 && w->receivers != 0) {
        error = filch__crowd_wait(&w->closing, &w->lock, deadline);
        filch__lock(&w->lock);
    }
    if (w->receivers == 0)
        error = 0; /* an event is never reported as lost */
    filch__unlock(&w->lock);
    return error;
}

int filch_watch_closed(struct filch_watch_sender *tx)
{
    return filch_watch_closed_until(tx, FILCH_FOREVER);
}

size_t filch_watch_receivers(const struct filch_watch_sender *tx)
{
    struct watch *w = of_sender(tx);
    if (w == NULL)
        return 0;
    filch__lock(&w->lock);
    size_t receivers = w->receivers;
    filch__unlock(&w->lock);
    return receivers;
}

/* --- receiving --- */

/* Until there is a newer version than the receiver has seen.
 *   held  receives it, held; NULL: nothing is held
 * Returns 0; EPIPE; EAGAIN, where it does not wait; what park returns. */
static int see(struct filch_watch_receiver *rx, struct message **held, int waits, int64_t deadline)
{
    struct watch *w = rx->watch;
    int error = 0;
    filch__lock(&w->lock);
    while (error == 0 && rx->seen == w->version) {
        if (w->senders == 0) {
            error = EPIPE;
        } else if (waits == DOES_NOT_WAIT) {
            error = EAGAIN;
        } else {
            error = filch__crowd_wait(&w->receiving, &w->lock, deadline);
            filch__lock(&w->lock);
        }
    }
    if (rx->seen != w->version) {
        error = 0; /* an event is never reported as lost */
        rx->seen = w->version;
        if (held != NULL)
            *held = hold(w);
    }
    filch__unlock(&w->lock);
    return error;
}

static int changed(struct filch_watch_receiver *rx, int waits, int64_t deadline)
{
    return rx == NULL ? EINVAL : see(rx, NULL, waits, deadline);
}

int filch_watch_changed(struct filch_watch_receiver *rx)
{
    return changed(rx, WAITS, FILCH_FOREVER);
}

int filch_watch_try_changed(struct filch_watch_receiver *rx)
{
    return changed(rx, DOES_NOT_WAIT, 0);
}

int filch_watch_changed_until(struct filch_watch_receiver *rx, int64_t deadline)
{
    return changed(rx, WAITS, deadline);
}

static bool is_valid(const struct filch_watch_receiver *rx, const void *value)
{
    return rx != NULL && (value != NULL || rx->watch->values.size_bytes == 0);
}

/* Copies what is held. */
static void copy_out(struct watch *w, struct message *m, void *value)
{
    filch__message_copy(&w->values, m, value);
    give_back(w, m);
}

static int recv(struct filch_watch_receiver *rx, void *value, int waits, int64_t deadline)
{
    struct message *m;
    if (!is_valid(rx, value))
        return EINVAL;
    int error = see(rx, &m, waits, deadline);
    if (error == 0)
        copy_out(rx->watch, m, value);
    return error;
}

int filch_watch_recv(struct filch_watch_receiver *rx, void *value)
{
    return recv(rx, value, WAITS, FILCH_FOREVER);
}

int filch_watch_try_recv(struct filch_watch_receiver *rx, void *value)
{
    return recv(rx, value, DOES_NOT_WAIT, 0);
}

int filch_watch_recv_until(struct filch_watch_receiver *rx, void *value, int64_t deadline)
{
    return recv(rx, value, WAITS, deadline);
}

int filch_watch_get(struct filch_watch_receiver *rx, void *value)
{
    if (!is_valid(rx, value))
        return EINVAL;
    struct watch *w = rx->watch;
    filch__lock(&w->lock);
    rx->seen = w->version;
    struct message *m = hold(w);
    filch__unlock(&w->lock);
    copy_out(w, m, value);
    return 0;
}

const void *filch_watch_borrow(struct filch_watch_receiver *rx)
{
    if (rx == NULL)
        return NULL;
    struct watch *w = rx->watch;
    filch__lock(&w->lock);
    struct message *m = hold(w);
    filch__unlock(&w->lock);
    return filch__message_value(&w->values, m);
}

void filch_watch_give_back(struct filch_watch_receiver *rx, const void *value)
{
    if (rx != NULL && value != NULL)
        give_back(rx->watch, filch__message_of(&rx->watch->values, value));
}

int filch_watch_is_disconnected(const struct filch_watch_receiver *rx)
{
    if (rx == NULL)
        return 0;
    struct watch *w = rx->watch;
    filch__lock(&w->lock);
    bool has_gone = w->senders == 0;
    filch__unlock(&w->lock);
    return has_gone;
}
