/* SPDX-License-Identifier: Apache-2.0 */
/* Broadcasts: messages from any number of senders, each of them to every receiver.
 *
 *     struct filch_broadcast_sender *tx;
 *     struct filch_broadcast_receiver *rx, *other;
 *     int error = filch_broadcast_create(&tx, &rx, sizeof(struct event), 256);
 *     error = filch_broadcast_subscribe(tx, &other);
 *     error = filch_broadcast_send(tx, &event);         to both
 *     ...
 *     uint64_t missed;
 *     while ((error = filch_broadcast_recv(rx, &event, &missed)) != EPIPE) {
 *         if (error == 0)
 *             work_on(&event);
 *         else if (error == EOVERFLOW)
 *             report(missed);                           it was too slow for so many
 *     }
 *
 * The newest messages, as many as the capacity, are kept for those that have not received them. A send
 * does not wait for slow receivers: it replaces the oldest message, and those that have not received that
 * one are told how many they have missed. A receiver begins with the first message that is sent after it
 * was made. All functions may be called from threads and tasks, and a handle may be used by many at the
 * same time, of which each message goes to one. A handle is dropped once for each time that it was made.
 * Promised: all receivers see messages in one order, and those of one sender in the order in which it
 * sent them. Not promised: that a message is received.
 */
#ifndef FILCH_BROADCAST_H
#define FILCH_BROADCAST_H

#include <filch/attr.h>
#include <filch/errors.h>
#include <filch/time.h>
#include <stddef.h>
#include <stdint.h>

FILCH_EXTERN_C_BEGIN

struct filch_broadcast_sender;
struct filch_broadcast_receiver;

/* What a broadcast is. */
struct filch_broadcast_config {
    size_t element_size; /* of a message in bytes, 0 to 65536; with C's alignment for that size */
    size_t capacity;     /* how many messages are kept, above 0 */
    /* Makes *to a copy of *from, for a receiver; NULL: the bytes are copied. Must not panic, as drop. */
    void (*clone)(void *to, const void *from);
    /* Called on each message that was sent, once: when all receivers have received or missed it or have
     * gone. In whichever call that is. Needs a clone, since receivers have copies of their own. NULL:
     * messages are forgotten. */
    void (*drop)(void *);
};

/* Makes a broadcast.
 *   tx            receives the first sending handle                                        [out]
 *   rx            receives the first receiving handle                                      [out]
 *   element_size  of a message in bytes, 0 to 65536
 *   capacity      how many messages are kept, above 0
 * Returns 0; EINVAL (tx or rx NULL, element_size too large, capacity 0); ENOMEM. On failure nothing was
 * made. Ownership: the caller owns both handles until it drops them; the last drop frees the broadcast.
 * Blocks: never. Panics: never. Callable from: threads and tasks. */
FILCH_API FILCH_NODISCARD int filch_broadcast_create(struct filch_broadcast_sender **tx,
                                                     struct filch_broadcast_receiver **rx,
                                                     size_t element_size, size_t capacity);

/* The same, with functions that clone and drop messages.
 *   config  read before the call returns                                                    [in]
 * Returns as filch_broadcast_create; EINVAL also where config is NULL, or has a drop and no clone. */
FILCH_API FILCH_NODISCARD int
filch_broadcast_create_with(struct filch_broadcast_sender **tx,
                            struct filch_broadcast_receiver **rx,
                            const struct filch_broadcast_config *config);

/* --- senders --- */

/* One more sending handle; it counts as one of its own and is dropped as one.
 *   tx  a handle that has not been dropped; NULL is allowed                                 [in]
 * Returns the handle, which may equal the one given. Ownership: the caller owns the result. Blocks:
 * never. Panics: never. Callable from: threads and tasks. */
FILCH_API struct filch_broadcast_sender *
filch_broadcast_sender_clone(struct filch_broadcast_sender *tx);

/* Gives a sending handle up. With the last one, receivers get what is kept for them and then EPIPE; those
 * that wait are woken.
 *   tx  gone afterwards; NULL is allowed                                                    [in]
 * Ownership: takes the handle. Blocks: never. Panics: never. Callable from: threads and tasks. */
FILCH_API void filch_broadcast_sender_drop(struct filch_broadcast_sender *tx);

/* Sends a message to all receivers that there are.
 *   tx     a handle                                                                     [in,out]
 *   value  the message; copied; NULL only for messages of no bytes                          [in]
 * Returns 0: sent, but not necessarily received; EPIPE (there is no receiver), ENOMEM and EINVAL: the
 * message is still the caller's. Blocks: never, but for drop functions. Panics: never. Callable from:
 * threads and tasks. Ordering: happens before each receive of the message. */
FILCH_API FILCH_NODISCARD int filch_broadcast_send(struct filch_broadcast_sender *tx,
                                                   const void *value);

/* How many receivers there are, at some moment during the call; 0 for NULL.
 * Blocks: never. Panics: never. Callable from: threads and tasks. */
FILCH_API size_t filch_broadcast_receivers(const struct filch_broadcast_sender *tx);

/* --- receivers --- */

/* One more receiver, which begins with the next message that is sent.
 *   tx  a handle                                                                            [in]
 *   rx  receives the handle                                                                [out]
 * Returns 0; EINVAL (an argument is NULL); ENOMEM. Ownership: the caller owns *rx. Blocks: never.
 * Panics: never. Callable from: threads and tasks. */
FILCH_API FILCH_NODISCARD int filch_broadcast_subscribe(struct filch_broadcast_sender *tx,
                                                        struct filch_broadcast_receiver **rx);

/* The same, of another receiver's broadcast; it does not begin where that one is.
 * Returns as filch_broadcast_subscribe. Everything else as filch_broadcast_subscribe. */
FILCH_API FILCH_NODISCARD int
filch_broadcast_resubscribe(struct filch_broadcast_receiver *rx,
                            struct filch_broadcast_receiver **another);

/* Gives a receiving handle up; it need not receive any more what is kept. With the last one, senders get
 * EPIPE.
 *   rx  gone afterwards; NULL is allowed                                                    [in]
 * Ownership: takes the handle. Blocks: never, but for drop functions. Panics: never. Callable from:
 * threads and tasks. */
FILCH_API void filch_broadcast_receiver_drop(struct filch_broadcast_receiver *rx);

/* Receives the next message: waits for one.
 *   rx      a handle                                                                    [in,out]
 *   value   receives a copy; NULL only for messages of no bytes                            [out]
 *   missed  receives how many messages were missed, with EOVERFLOW only; NULL is allowed   [out]
 * Returns 0; EOVERFLOW (the next messages have been replaced since: *missed of them; the call after this
 * one receives the oldest that is kept); EPIPE (no sender is left, and everything that was kept is
 * received); ECANCELED; EINVAL. Ownership: the caller owns the copy. Blocks: yes; a task suspends, its
 * worker goes on. Panics: never. Callable from: threads and tasks. Ordering: the send of the message
 * happens before the return. */
FILCH_API FILCH_NODISCARD int filch_broadcast_recv(struct filch_broadcast_receiver *rx, void *value,
                                                   uint64_t *missed);

/* The same without waiting. Returns as filch_broadcast_recv; EAGAIN (there is no message). */
FILCH_API FILCH_NODISCARD int filch_broadcast_try_recv(struct filch_broadcast_receiver *rx,
                                                       void *value, uint64_t *missed);

/* The same, at most until a deadline.
 *   deadline  absolute ns on CLOCK_MONOTONIC; FILCH_FOREVER for none
 * Returns as filch_broadcast_recv; ETIMEDOUT. */
FILCH_API FILCH_NODISCARD int filch_broadcast_recv_until(struct filch_broadcast_receiver *rx,
                                                         void *value, uint64_t *missed,
                                                         int64_t deadline);

/* How many messages are kept for this receiver, at some moment during the call; 0 for NULL.
 * Blocks: never. Panics: never. Callable from: threads and tasks. */
FILCH_API size_t filch_broadcast_len(const struct filch_broadcast_receiver *rx);

/* Whether all senders have gone. There may be messages nevertheless.
 * Returns 1 or 0; 0 for NULL. Blocks: never. Panics: never. Callable from: threads and tasks. */
FILCH_API int filch_broadcast_is_disconnected(const struct filch_broadcast_receiver *rx);

FILCH_EXTERN_C_END

#endif
