/* SPDX-License-Identifier: Apache-2.0 */
/* Select: one of several sends and receives, whichever can be done first; and channels of moments.
 *
 *     struct filch_select_case cases[] = {
 *         {.rx = jobs, .value = &job},
 *         {.tx = results, .value = &result},
 *     };
 *     size_t index;
 *     int error = filch_select(cases, 2, filch_deadline_in(FILCH_S), &index);
 *     if (error == 0 && cases[index].error == 0)
 *         ...                                         that one was done, the other one was not
 *
 * The same channel may stand in several cases, with both its ends too: a select never sends to itself.
 * All functions may be called from threads and tasks, each with cases of its own. Not promised: which
 * of several cases that are ready is chosen, but none of n is passed over with a chance of more than
 * 1 - 1/n each time, unless the order is asked for.
 */
#ifndef FILCH_SELECT_H
#define FILCH_SELECT_H

#include <filch/channel.h>

FILCH_EXTERN_C_BEGIN

/* One operation: of tx and rx one is set. With neither it is never ready. */
struct filch_select_case {
    struct filch_sender *tx;   /* sends there */
    struct filch_receiver *rx; /* or receives from there */
    void *
        value; /* the message to send, which is only read; or where to receive. NULL only for messages
                    of no bytes, and where nothing is done */
    int error; /* of the case that was chosen: 0: done; else as filch_send or filch_recv */
};

/* Does one of the operations: waits until one can be done, or has lost its other side.
 *   cases     the operations; `error` of the chosen one is written                       [in,out]
 *   count     how many; with 0, it waits for the deadline
 *   deadline  absolute ns on CLOCK_MONOTONIC; FILCH_FOREVER for none
 *   index     receives which one was chosen                                                [out]
 * Returns 0: look at the error of the chosen case; ETIMEDOUT: none was done; EINVAL (index NULL, a case
 * with both ends or without a value); ENOMEM (more than 16 cases; none was done).
 * Blocks: yes; a task suspends, its worker goes on. Panics: never. Callable from: threads and tasks.
 * Ordering: as filch_send and filch_recv. */
FILCH_API FILCH_NODISCARD int filch_select(struct filch_select_case *cases, size_t count,
                                           int64_t deadline, size_t *index);

/* The same, but of those that are ready the first. */
FILCH_API FILCH_NODISCARD int filch_select_in_order(struct filch_select_case *cases, size_t count,
                                                    int64_t deadline, size_t *index);

/* Does nothing, but waits until one of the operations could be done, or has lost its other side; others
 * may be quicker to do it. `value` and `error` of the cases are not looked at, except that `error` of
 * the one at *index is 0 afterwards. Everything else as filch_select. */
FILCH_API FILCH_NODISCARD int filch_select_ready(struct filch_select_case *cases, size_t count,
                                                 int64_t deadline, size_t *index);

/* filch_select without waiting. Returns EAGAIN where no case is ready. Blocks: never. */
FILCH_API FILCH_NODISCARD int filch_try_select(struct filch_select_case *cases, size_t count,
                                               size_t *index);

/* filch_select_in_order without waiting, likewise. */
FILCH_API FILCH_NODISCARD int filch_try_select_in_order(struct filch_select_case *cases,
                                                        size_t count, size_t *index);

/* filch_select_ready without waiting, likewise. */
FILCH_API FILCH_NODISCARD int filch_try_select_ready(struct filch_select_case *cases, size_t count,
                                                     size_t *index);

/* Channels of moments: each message is an int64_t, the moment at which it was due, in ns on
 * CLOCK_MONOTONIC. Nothing runs and nothing is kept for a moment that nobody waits for. A clone of the
 * handle shares the moments; they are never disconnected.
 *   rx          receives the handle, which filch_receiver_drop frees                        [out]
 *   timeout_ns  one moment, so many ns from now; a negative value counts as 0
 *   moment      one moment, absolute
 *   period_ns   moments at least so many ns apart, the first after one period; above 0. Those that
 *               nobody receives do not pile up
 * Returns 0; EINVAL (rx NULL, or a period that is not above 0); ENOMEM. Ownership: the caller owns
 * *rx. Blocks: never. Panics: never. Callable from: threads and tasks. */
FILCH_API FILCH_NODISCARD int filch_after(struct filch_receiver **rx, int64_t timeout_ns);

/* filch_after with an absolute moment: of one that has passed already, the message is there at once. */
FILCH_API FILCH_NODISCARD int filch_at(struct filch_receiver **rx, int64_t moment);

/* filch_after again and again, every period_ns. */
FILCH_API FILCH_NODISCARD int filch_tick(struct filch_receiver **rx, int64_t period_ns);

/* A channel on which nothing ever comes. As above. */
FILCH_API FILCH_NODISCARD int filch_never(struct filch_receiver **rx);

FILCH_EXTERN_C_END

#endif
