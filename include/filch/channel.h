/* SPDX-License-Identifier: Apache-2.0 */
/* Channels: messages from any number of senders to any number of receivers, each message to one of them.
 *
 *     struct filch_sender *tx;
 *     struct filch_receiver *rx;
 *     int error = filch_channel_create(&tx, &rx, sizeof(struct job), 64);
 *     ...
 *     error = filch_send(tx, &job);                  waits while 64 are on their way
 *     filch_sender_drop(tx);                         no more to come
 *     ...
 *     struct job next;
 *     FILCH_RECV_EACH(rx, &next)                     until all senders have gone and all is received
 *         work_on(&next);
 *     filch_receiver_drop(rx);
 *
 * Messages are copied, as bytes of a fixed size. A channel of capacity 0 hands over: a send returns when
 * a receiver has the message. Whatever waits, does so until the other side has gone, at most until its
 * deadline; a task that waits is set aside. All functions may be called from threads and tasks, and a
 * handle may be used by many at the same time; it is dropped once for each time that it was created or
 * cloned. Promised: messages of one sender are received in the order in which it sent them; those that
 * lie in a channel are received although their senders have gone. Not promised: that what was sent is
 * received, nor any order between senders, or fairness between receivers; nor that a forked child can use
 * or drop handles that other threads of its parent have used.
 */
#ifndef FILCH_CHANNEL_H
#define FILCH_CHANNEL_H

#include <filch/attr.h>
#include <filch/errors.h>
#include <filch/time.h>
#include <stddef.h>
#include <stdint.h>

FILCH_EXTERN_C_BEGIN

struct filch_sender;
struct filch_receiver;

/* A capacity: as many messages as there is memory for. */
#define FILCH_UNBOUNDED SIZE_MAX

/* What a channel is. Zero-initialised, it hands over messages of no bytes. */
struct filch_channel_config {
    size_t element_size; /* of a message in bytes, 0 to 65536; with C's alignment for that size */
    size_t capacity;     /* how many messages may lie in it; 0: none, it hands over */
    void (*drop)(
        void *); /* called on each message that is never received; NULL: it is forgotten. It
                           * may run in whichever call ends the channel, and must not use it */
};

/* Makes a channel.
 *   tx            receives the first sending handle                                        [out]
 *   rx            receives the first receiving handle                                      [out]
 *   element_size  of a message in bytes, 0 to 65536
 *   capacity      how many messages may lie in it; 0: none; FILCH_UNBOUNDED
 * Returns 0; EINVAL (tx or rx NULL, element_size too large); ENOMEM. On failure nothing was made.
 * Ownership: the caller owns both handles until it drops them; the last drop frees the channel.
 * Blocks: never. Panics: never. Callable from: threads and tasks. */
FILCH_API FILCH_NODISCARD int filch_channel_create(struct filch_sender **tx,
                                                   struct filch_receiver **rx, size_t element_size,
                                                   size_t capacity);

/* The same, with a drop function for messages.
 *   config  read before the call returns                                                    [in]
 * Everything else as filch_channel_create; EINVAL also where config is NULL. */
FILCH_API FILCH_NODISCARD int filch_channel_create_with(struct filch_sender **tx,
                                                        struct filch_receiver **rx,
                                                        const struct filch_channel_config *config);

/* One more handle of the same side; it counts as a handle of its own and is dropped as one.
 *   tx, rx  a handle that has not been dropped; NULL is allowed                             [in]
 * Returns the handle, which may equal the one given. Aborts with a message beyond 2^31 handles.
 * Ownership: the caller owns the result. Blocks: never. Panics: never. Callable from: threads and
 * tasks. */
FILCH_API struct filch_sender *filch_sender_clone(struct filch_sender *tx);

/* The same of a receiver. */
FILCH_API struct filch_receiver *filch_receiver_clone(struct filch_receiver *rx);

/* Gives a handle up. With the last sender, receivers get what lies in the channel and then EPIPE; with
 * the last receiver, what lies in the channel is dropped, and senders get EPIPE. Those that wait are
 * woken.
 *   tx, rx  gone afterwards; NULL is allowed                                                [in]
 * Ownership: takes the handle. Blocks: never, but for drop functions. Panics: never. Callable from:
 * threads and tasks. Ordering: all uses of the handle happen before the channel is freed. */
FILCH_API void filch_sender_drop(struct filch_sender *tx);

/* The same of a receiver. */
FILCH_API void filch_receiver_drop(struct filch_receiver *rx);

/* Sends a message: waits while the channel is full, or until a receiver has taken it over.
 *   tx     a handle                                                                     [in,out]
 *   value  the message; copied; NULL only for messages of no bytes                          [in]
 * Returns 0: sent, but not necessarily received; EPIPE (no receiver is left); ENOMEM (only
 * unbounded channels); EINVAL. On failure the message is still the caller's.
 * Blocks: yes, unless the channel is unbounded; a task suspends, its worker goes on. Panics: never.
 * Callable from: threads and tasks. Ordering: the send happens before the receive of the message. */
FILCH_API FILCH_NODISCARD int filch_send(struct filch_sender *tx, const void *value);

/* The same without waiting.
 * Returns as filch_send; EAGAIN (full, or no receiver waits for a hand-over). Blocks: never. Everything
 * else as filch_send. */
FILCH_API FILCH_NODISCARD int filch_try_send(struct filch_sender *tx, const void *value);

/* The same, at most until a deadline.
 *   deadline  absolute ns on CLOCK_MONOTONIC; FILCH_FOREVER for none
 * Returns as filch_send; ETIMEDOUT. Everything else as filch_send. */
FILCH_API FILCH_NODISCARD int filch_send_until(struct filch_sender *tx, const void *value,
                                               int64_t deadline);

/* Receives a message: waits for one.
 *   rx     a handle                                                                     [in,out]
 *   value  receives the message; NULL only for messages of no bytes                        [out]
 * Returns 0; EPIPE (no sender is left, and everything that was sent is received); EINVAL.
 * Blocks: yes; a task suspends, its worker goes on. Panics: never. Callable from: threads and tasks.
 * Ordering: the send of the message happens before the return; in a channel of capacity n, the k-th
 * receive happens before the return of the send that needs its room. */
FILCH_API FILCH_NODISCARD int filch_recv(struct filch_receiver *rx, void *value);

/* The same without waiting.
 * Returns as filch_recv; EAGAIN (there is no message). Blocks: never. Everything else as filch_recv. */
FILCH_API FILCH_NODISCARD int filch_try_recv(struct filch_receiver *rx, void *value);

/* The same, at most until a deadline.
 *   deadline  absolute ns on CLOCK_MONOTONIC; FILCH_FOREVER for none
 * Returns as filch_recv; ETIMEDOUT. Everything else as filch_recv. */
FILCH_API FILCH_NODISCARD int filch_recv_until(struct filch_receiver *rx, void *value,
                                               int64_t deadline);

/* Sends several messages, one after the other; others may come between.
 *   values    `count` messages, one behind the other in memory                              [in]
 *   deadline  absolute ns on CLOCK_MONOTONIC; FILCH_FOREVER for none
 *   sent      receives how many were sent, on failure too (but for EINVAL)                  [out]
 * Returns 0: all; else why the next one was not: as filch_send_until. Everything else as filch_send. */
FILCH_API FILCH_NODISCARD int filch_send_many(struct filch_sender *tx, const void *values,
                                              size_t count, int64_t deadline, size_t *sent);

/* Receives what is there, at least one message: waits for the first only.
 *   values    room for `max` messages, one behind the other in memory                      [out]
 *   max       above 0
 *   deadline  absolute ns on CLOCK_MONOTONIC; FILCH_FOREVER for none
 *   received  receives how many there were                                                 [out]
 * Returns as filch_recv_until. Everything else as filch_recv. */
FILCH_API FILCH_NODISCARD int filch_recv_many(struct filch_receiver *rx, void *values, size_t max,
                                              int64_t deadline, size_t *received);

/* FILCH_RECV_EACH(rx, &value) statement: the statement, for each message, until all senders have gone and
 * everything is received. */
#define FILCH_RECV_EACH(rx, value) while (filch_recv((rx), (value)) == 0)

/* How many messages lie in the channel, at some moment during the call; 0 for NULL.
 * Blocks: never. Panics: never. Callable from: threads and tasks. */
FILCH_API size_t filch_sender_len(const struct filch_sender *tx);

/* The same, asked by a receiver. */
FILCH_API size_t filch_receiver_len(const struct filch_receiver *rx);

/* How many may: as it was created; 0 for NULL.
 * Blocks: never. Panics: never. Callable from: threads and tasks. */
FILCH_API size_t filch_sender_capacity(const struct filch_sender *tx);

/* The same, asked by a receiver. */
FILCH_API size_t filch_receiver_capacity(const struct filch_receiver *rx);

/* Whether the other side has gone. A receiver may find messages nevertheless.
 * Returns 1 or 0; 0 for NULL. Blocks: never. Panics: never. Callable from: threads and tasks. */
FILCH_API int filch_sender_is_disconnected(const struct filch_sender *tx);

/* The same, asked by a receiver. */
FILCH_API int filch_receiver_is_disconnected(const struct filch_receiver *rx);

/* A channel for one message. Its handles are those of a channel and may be used as such, in a select too;
 * these two calls use each of them up.
 *   element_size, drop  as in struct filch_channel_config
 * Returns as filch_channel_create. Everything else as there. */
FILCH_API FILCH_NODISCARD int filch_oneshot_create(struct filch_sender **tx,
                                                   struct filch_receiver **rx, size_t element_size,
                                                   void (*drop)(void *));

/* Sends the one message, and drops the handle whatever comes of it.
 * Returns 0; EPIPE (the receiver has gone; the message is still the caller's); EINVAL (and the handle
 * stays). Ownership: takes tx. Blocks: never. Panics: never. Callable from: threads and tasks.
 * Ordering: as filch_send. */
FILCH_API FILCH_NODISCARD int filch_oneshot_send(struct filch_sender *tx, const void *value);

/* Receives the one message, at most until a deadline, and drops the handle unless it is ETIMEDOUT.
 * Returns 0; EPIPE (the sender went without sending); ETIMEDOUT and EINVAL (and the handle stays).
 * Ownership: takes rx. Blocks: yes; a task suspends, its worker goes on. Panics: never.
 * Callable from: threads and tasks. Ordering: as filch_recv. */
FILCH_API FILCH_NODISCARD int filch_oneshot_recv(struct filch_receiver *rx, void *value,
                                                 int64_t deadline);

FILCH_EXTERN_C_END

/* FILCH_CHANNEL_TYPE(name, T) defines channels of T that the compiler checks: struct name_sender and
 * struct name_receiver, each with the untyped `handle`, and the functions above with `name` for `filch`
 * and a T for its bytes:
 *
 *     FILCH_CHANNEL_TYPE(jobs, struct job);
 *     struct jobs_sender tx;
 *     struct jobs_receiver rx;
 *     error = jobs_create(&tx, &rx, 64);
 *     error = jobs_send(tx, job);
 *     error = jobs_recv(rx, &job);
 */
#define FILCH_CHANNEL_TYPE(name, T)                                                                \
    struct name##_sender {                                                                         \
        struct filch_sender *handle;                                                               \
    };                                                                                             \
    struct name##_receiver {                                                                       \
        struct filch_receiver *handle;                                                             \
    };                                                                                             \
    FILCH__TYPED int name##_create_with(struct name##_sender *tx, struct name##_receiver *rx,      \
                                        size_t capacity, void (*drop)(void *))                     \
    {                                                                                              \
        struct filch_channel_config config = {sizeof(T), capacity, drop};                          \
        return filch_channel_create_with(&tx->handle, &rx->handle, &config);                       \
    }                                                                                              \
    FILCH__TYPED int name##_create(struct name##_sender *tx, struct name##_receiver *rx,           \
                                   size_t capacity)                                                \
    {                                                                                              \
        return name##_create_with(tx, rx, capacity, NULL);                                         \
    }                                                                                              \
    FILCH__TYPED int name##_send(struct name##_sender tx, T value)                                 \
    {                                                                                              \
        return filch_send(tx.handle, &value);                                                      \
    }                                                                                              \
    FILCH__TYPED int name##_try_send(struct name##_sender tx, T value)                             \
    {                                                                                              \
        return filch_try_send(tx.handle, &value);                                                  \
    }                                                                                              \
    FILCH__TYPED int name##_send_until(struct name##_sender tx, T value, int64_t deadline)         \
    {                                                                                              \
        return filch_send_until(tx.handle, &value, deadline);                                      \
    }                                                                                              \
    FILCH__TYPED int name##_recv(struct name##_receiver rx, T *value)                              \
    {                                                                                              \
        return filch_recv(rx.handle, value);                                                       \
    }                                                                                              \
    FILCH__TYPED int name##_try_recv(struct name##_receiver rx, T *value)                          \
    {                                                                                              \
        return filch_try_recv(rx.handle, value);                                                   \
    }                                                                                              \
    FILCH__TYPED int name##_recv_until(struct name##_receiver rx, T *value, int64_t deadline)      \
    {                                                                                              \
        return filch_recv_until(rx.handle, value, deadline);                                       \
    }                                                                                              \
    FILCH__TYPED struct name##_sender name##_sender_clone(struct name##_sender tx)                 \
    {                                                                                              \
        struct name##_sender clone = {filch_sender_clone(tx.handle)};                              \
        return clone;                                                                              \
    }                                                                                              \
    FILCH__TYPED struct name##_receiver name##_receiver_clone(struct name##_receiver rx)           \
    {                                                                                              \
        struct name##_receiver clone = {filch_receiver_clone(rx.handle)};                          \
        return clone;                                                                              \
    }                                                                                              \
    static inline __attribute__((unused)) void name##_sender_drop(struct name##_sender tx)         \
    {                                                                                              \
        filch_sender_drop(tx.handle);                                                              \
    }                                                                                              \
    static inline __attribute__((unused)) void name##_receiver_drop(struct name##_receiver rx)     \
    {                                                                                              \
        filch_receiver_drop(rx.handle);                                                            \
    }                                                                                              \
    struct name##_sender

#define FILCH__TYPED static inline __attribute__((unused, warn_unused_result))

#endif
