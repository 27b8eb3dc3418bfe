/* SPDX-License-Identifier: Apache-2.0 */
/* Watches: one value that senders replace and receivers look at. A receiver sees the newest value, not
 * each: what was replaced before it looked is gone.
 *
 *     struct filch_watch_sender *tx;
 *     struct filch_watch_receiver *rx;
 *     int error = filch_watch_create(&tx, &rx, sizeof settings, &settings);
 *     ...
 *     error = filch_watch_send(tx, &changed);           in one thread
 *     ...
 *     while (filch_watch_recv(rx, &settings) == 0)      in another one: each time it is newer
 *         apply(&settings);
 *
 * A receiver remembers the newest value that it has seen; the value that was there when it was made counts
 * as seen. All functions may be called from threads and tasks, and a handle may be used by many at the
 * same time; what one of them has seen, all that use the handle have. A handle is dropped once for each
 * time that it was made. Not promised: that a value is seen by anybody.
 */
#ifndef FILCH_WATCH_H
#define FILCH_WATCH_H

#include <filch/attr.h>
#include <filch/errors.h>
#include <filch/time.h>
#include <stddef.h>

FILCH_EXTERN_C_BEGIN

struct filch_watch_sender;
struct filch_watch_receiver;

/* What a watch is, where its values are more than their bytes. */
struct filch_watch_config {
    size_t element_size; /* of a value in bytes, 0 to 65536; with C's alignment for that size */
    /* Makes *to a copy of *from, for a receiver or for filch_watch_modify; NULL: the bytes are copied.
     * Must not panic, as drop. */
    void (*clone)(void *to, const void *from);
    /* Called on each value that the watch was given, once, when it has been replaced and is looked at by
     * nobody; on the last one when all handles have gone. In whichever call that is. Needs a clone, since
     * receivers have copies of their own. NULL: values are forgotten. */
    void (*drop)(void *);
};

/* Makes a watch.
 *   tx            receives the first sending handle                                        [out]
 *   rx            receives the first receiving handle                                      [out]
 *   element_size  of the value in bytes, 0 to 65536
 *   initial       the value that it begins with; copied; NULL only for values of no bytes   [in]
 * Returns 0; EINVAL (an argument is NULL, element_size too large); ENOMEM. On failure nothing was made.
 * Ownership: the caller owns both handles until it drops them; the last drop frees the watch.
 * Blocks: never. Panics: never. Callable from: threads and tasks. */
FILCH_API FILCH_NODISCARD int filch_watch_create(struct filch_watch_sender **tx,
                                                 struct filch_watch_receiver **rx,
                                                 size_t element_size, const void *initial);

/* The same, with functions that clone and drop values.
 *   config   read before the call returns                                                   [in]
 *   initial  the watch's own from now on, if it returns 0                                   [in]
 * Returns as filch_watch_create; EINVAL also where config is NULL, or has a drop and no clone. */
FILCH_API FILCH_NODISCARD int filch_watch_create_with(struct filch_watch_sender **tx,
                                                      struct filch_watch_receiver **rx,
                                                      const struct filch_watch_config *config,
                                                      const void *initial);

/* --- senders --- */

/* One more sending handle; it counts as one of its own and is dropped as one.
 *   tx  a handle that has not been dropped; NULL is allowed                                 [in]
 * Returns the handle, which may equal the one given. Ownership: the caller owns the result. Blocks:
 * never. Panics: never. Callable from: threads and tasks. */
FILCH_API struct filch_watch_sender *filch_watch_sender_clone(struct filch_watch_sender *tx);

/* Gives a sending handle up. With the last one, receivers get the newest value if they have not seen it,
 * and then EPIPE; those that wait are woken.
 *   tx  gone afterwards; NULL is allowed                                                    [in]
 * Ownership: takes the handle. Blocks: never, but for drop functions. Panics: never. Callable from:
 * threads and tasks. */
FILCH_API void filch_watch_sender_drop(struct filch_watch_sender *tx);

/* Replaces the value, unless no receiver is left.
 *   tx     a handle                                                                     [in,out]
 *   value  copied; NULL only for values of no bytes                                         [in]
 * Returns 0: it is the newest one; EPIPE (no receiver is left), ENOMEM and EINVAL: it is not, and still
 * the caller's. Blocks: never, but for drop functions. Panics: never. Callable from: threads and tasks.
 * Ordering: happens before whatever sees the value. */
FILCH_API FILCH_NODISCARD int filch_watch_send(struct filch_watch_sender *tx, const void *value);

/* The same whether or not there are receivers: those that subscribe later begin with it.
 * Returns as filch_watch_send, but not EPIPE. */
FILCH_API FILCH_NODISCARD int filch_watch_replace(struct filch_watch_sender *tx, const void *value);

/* Changes the value: calls change(copy, ctx) with a copy of the newest one, which replaces that one where
 * the call returns other than 0. Where another sender was quicker, it is called anew, with the newest
 * one. Whether or not there are receivers.
 *   change  must not panic; under no lock: it may use the watch, and wait
 *   ctx     handed to it; borrowed
 * Returns 0: changed; EAGAIN (change returned 0; the copy is dropped); ENOMEM; EINVAL (tx or change
 * NULL). Blocks: as change. Panics: never. Callable from: threads and tasks. */
FILCH_API FILCH_NODISCARD int filch_watch_modify(struct filch_watch_sender *tx,
                                                 int (*change)(void *value, void *ctx), void *ctx);

/* Waits until no receiver is left.
 *   tx  a handle                                                                        [in,out]
 * Returns 0; ECANCELED; EINVAL (tx NULL). Blocks: yes; a task suspends, its worker goes on. Panics:
 * never. Callable from: threads and tasks. Ordering: all uses of receivers happen before the return. */
FILCH_API FILCH_NODISCARD int filch_watch_closed(struct filch_watch_sender *tx);

/* The same, at most until a deadline (absolute ns on CLOCK_MONOTONIC).
 * Returns as filch_watch_closed; ETIMEDOUT. */
FILCH_API FILCH_NODISCARD int filch_watch_closed_until(struct filch_watch_sender *tx,
                                                       int64_t deadline);

/* How many receivers there are, at some moment during the call; 0 for NULL.
 * Blocks: never. Panics: never. Callable from: threads and tasks. */
FILCH_API size_t filch_watch_receivers(const struct filch_watch_sender *tx);

/* --- receivers --- */

/* One more receiver, for which the present value counts as seen.
 *   tx  a handle                                                                            [in]
 *   rx  receives the handle                                                                [out]
 * Returns 0; EINVAL (an argument is NULL); ENOMEM. Ownership: the caller owns *rx. Blocks: never.
 * Panics: never. Callable from: threads and tasks. */
FILCH_API FILCH_NODISCARD int filch_watch_subscribe(struct filch_watch_sender *tx,
                                                    struct filch_watch_receiver **rx);

/* One more receiver, which has seen what this one has seen.
 * Returns as filch_watch_subscribe. Everything else as filch_watch_subscribe. */
FILCH_API FILCH_NODISCARD int filch_watch_receiver_clone(struct filch_watch_receiver *rx,
                                                         struct filch_watch_receiver **clone);

/* Gives a receiving handle up. With the last one, senders get EPIPE; those that wait for it are woken.
 *   rx  gone afterwards; nothing borrowed through it is used any more; NULL is allowed      [in]
 * Ownership: takes the handle. Blocks: never, but for drop functions. Panics: never. Callable from:
 * threads and tasks. */
FILCH_API void filch_watch_receiver_drop(struct filch_watch_receiver *rx);

/* Waits until there is a value that this receiver has not seen, which then counts as seen.
 *   rx  a handle                                                                        [in,out]
 * Returns 0; EPIPE (it has seen the newest, and no sender is left); ECANCELED; EINVAL (rx NULL).
 * Blocks: yes; a task suspends, its worker goes on. Panics: never. Callable from: threads and tasks.
 * Ordering: the send of the value happens before the return. */
FILCH_API FILCH_NODISCARD int filch_watch_changed(struct filch_watch_receiver *rx);

/* The same without waiting. Returns as filch_watch_changed; EAGAIN (it has seen the newest). */
FILCH_API FILCH_NODISCARD int filch_watch_try_changed(struct filch_watch_receiver *rx);

/* The same, at most until a deadline (absolute ns on CLOCK_MONOTONIC).
 * Returns as filch_watch_changed; ETIMEDOUT. */
FILCH_API FILCH_NODISCARD int filch_watch_changed_until(struct filch_watch_receiver *rx,
                                                        int64_t deadline);

/* Waits likewise, and receives a copy of the value.
 *   rx     a handle                                                                     [in,out]
 *   value  receives it; NULL only for values of no bytes                                   [out]
 * Returns as filch_watch_changed; EINVAL also where value is NULL. Ownership: the caller owns the copy.
 * Everything else as filch_watch_changed. */
FILCH_API FILCH_NODISCARD int filch_watch_recv(struct filch_watch_receiver *rx, void *value);

/* The same without waiting. Returns as filch_watch_recv; EAGAIN (it has seen the newest). */
FILCH_API FILCH_NODISCARD int filch_watch_try_recv(struct filch_watch_receiver *rx, void *value);

/* The same, at most until a deadline (absolute ns on CLOCK_MONOTONIC).
 * Returns as filch_watch_recv; ETIMEDOUT. */
FILCH_API FILCH_NODISCARD int filch_watch_recv_until(struct filch_watch_receiver *rx, void *value,
                                                     int64_t deadline);

/* Receives a copy of the newest value, seen or not, which counts as seen from now on.
 * Returns 0, also where no sender is left; EINVAL. Blocks: never. Everything else as filch_watch_recv. */
FILCH_API FILCH_NODISCARD int filch_watch_get(struct filch_watch_receiver *rx, void *value);

/* The newest value in its place, without a copy. It stays as it is, whatever is sent, until it is given
 * back; for senders that is no hindrance. What counts as seen does not change.
 *   rx  a handle                                                                            [in]
 * Returns the value; NULL for NULL. Ownership: borrowed; filch_watch_give_back ends that, before the
 * handle is dropped. Blocks: never. Panics: never. Callable from: threads and tasks. */
FILCH_API FILCH_NODISCARD const void *filch_watch_borrow(struct filch_watch_receiver *rx);

/* Gives a borrowed value back.
 *   rx     the handle that it was borrowed through                                          [in]
 *   value  what filch_watch_borrow has returned; NULL is allowed                            [in]
 * Blocks: never, but for drop functions. Panics: never. Callable from: threads and tasks. */
FILCH_API void filch_watch_give_back(struct filch_watch_receiver *rx, const void *value);

/* Whether all senders have gone. There may be a value that has not been seen nevertheless.
 * Returns 1 or 0; 0 for NULL. Blocks: never. Panics: never. Callable from: threads and tasks. */
FILCH_API int filch_watch_is_disconnected(const struct filch_watch_receiver *rx);

FILCH_EXTERN_C_END

#endif
