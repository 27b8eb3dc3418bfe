/* SPDX-License-Identifier: Apache-2.0 */
/* The forms that do not wait say why they could not do it: a channel is empty, full or closed, a lock is
 * held. */
#include "must.h"

#include <filch/filch.h>

static void *try_it(void *lock)
{
    int error = filch_mutex_try_lock(lock);
    filch_print("Lock from another thread: %s\n", error == EBUSY ? "would block" : "not held");
    if (error == 0)
        filch_mutex_unlock(lock);
    return NULL;
}

static const char *outcome(int error)
{
    switch (error) {
    case 0:
        return "done";
    case EAGAIN:
        return "not now";
    case EPIPE:
        return "the channel is closed";
    default:
        return "?";
    }
}

int main(void)
{
    struct filch_sender *tx;
    struct filch_receiver *rx;
    int message = 1, received = 0;
    MUST(filch_channel_create(&tx, &rx, sizeof message, 1));
    filch_print("Receive from an empty channel: %s\n", outcome(filch_try_recv(rx, &received)));
    filch_print("Send where there is room: %s\n", outcome(filch_try_send(tx, &message)));
    filch_print("Send to a full channel: %s\n", outcome(filch_try_send(tx, &message)));
    filch_sender_drop(tx);
    int error = filch_try_recv(rx, &received);
    filch_print("Receive what is left: %s, %d\n", outcome(error), received);
    filch_print("Receive when all senders have gone: %s\n", outcome(filch_try_recv(rx, &received)));
    filch_receiver_drop(rx);

    static struct filch_mutex lock = FILCH_MUTEX_INIT;
    struct filch_thread *thread;
    MUST(filch_mutex_lock(&lock));
    MUST(filch_thread_spawn(&thread, NULL, try_it, &lock));
    MUST(filch_thread_join(thread, NULL, NULL));
    filch_mutex_unlock(&lock);
    MUST(filch_thread_spawn(&thread, NULL, try_it, &lock));
    MUST(filch_thread_join(thread, NULL, NULL));
    return 0;
}
