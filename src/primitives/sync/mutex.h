/* SPDX-License-Identifier: Apache-2.0 */
/* The mutex, as condition variables see it. */
#ifndef FILCH_SYNC_MUTEX_H
#define FILCH_SYNC_MUTEX_H

#include "sync/queue.h"

#include <filch/mutex.h>

/* Gives the lock back for a wait that will take it again: poisons nothing.
 *   self  the owner, as filch__mutex_owner_word has said                                     */
void filch__mutex_release(struct filch_mutex *m, uint64_t self);

/* The owner's part of the word, where the caller is the owner; else 0. */
uint64_t filch__mutex_owner_word(struct filch_mutex *m);

/* Puts a waiter that is in no queue into that of m; where nobody holds the lock, one is woken. */
void filch__mutex_enqueue(struct filch_mutex *m, struct lock_waiter *w);

/* Takes the lock after a wait that has ended with a wake-up, whoever has woken w: filch__mutex_enqueue,
 * in the end, or the deadline.
 *   was_queued  w has been in the queue of m, and not been taken out by its owner
 * Returns 0; EOWNERDEAD. */
int filch__mutex_lock_again(struct filch_mutex *m, struct lock_waiter *w, bool was_queued);

#endif
