/* SPDX-License-Identifier: Apache-2.0 */
/* What a returned errno value means in this library. Functions return 0 or one of these, never set
 * the variable `errno`, and write their out-parameters only on success.
 *
 *   EBUSY       a try-lock lost; the object is in use
 *   EAGAIN      no thread to be had; a try operation found nothing, or no room
 *   EPIPE       the other side of a channel, watch or broadcast is gone
 *   ETIMEDOUT   the deadline passed first
 *   ECANCELED   the scope, task or pool was cancelled before the work could be done
 *   EOWNERDEAD  a lock: it IS held, its data is poisoned; a join: the task panicked
 *   EDEADLK     the caller would wait for itself
 *   EPERM       the caller is not the one who may do this (a forked child, a stranger)
 *   EINVAL      an argument is NULL, out of range or contradicts another one
 *   ENOMEM      memory could not be had; nothing was changed
 *   EOVERFLOW   a receiver of a broadcast was too slow: messages are missed
 *   ENOENT      all ends of a task set have been handed over
 *   ESHUTDOWN   the pool no longer takes work; the thread-local has been dropped
 */
#ifndef FILCH_ERRORS_H
#define FILCH_ERRORS_H

#include <errno.h>

#endif
