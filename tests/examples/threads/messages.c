/* SPDX-License-Identifier: Apache-2.0 */
/* Messages from two threads to a third one, which takes them until both senders have gone. */
#include "must.h"

#include <filch/filch.h>

FILCH_CHANNEL_TYPE(strings, const char *);

struct producer {
    struct strings_sender tx;
    const char *const *values;
    int64_t pause_ns;
};

static void *produce(void *argument)
{
    struct producer *p = argument;
    for (size_t i = 0; i < 4; i++) {
        MUST(strings_send(p->tx, p->values[i]));
        filch_sleep_ns(p->pause_ns);
    }
    strings_sender_drop(p->tx); /* the last one closes the channel */
    return NULL;
}

int main(void)
{
    static const char *const first[] = {"hi", "from", "the", "thread 1"};
    static const char *const second[] = {"more", "messages", "for", "you (thread 2)"};
    struct strings_sender tx;
    struct strings_receiver rx;
    MUST(strings_create(&tx, &rx, FILCH_UNBOUNDED));
    const char *received;
    if (strings_try_recv(rx, &received) != EAGAIN) /* nothing there yet, and nobody waits for it */
        return 1;

    struct producer producers[] = {{strings_sender_clone(tx), first, 2 * FILCH_MS},
                                   {tx, second, 3 * FILCH_MS}};
    struct filch_thread *threads[2];
    for (int i = 0; i < 2; i++)
        MUST(filch_thread_spawn(&threads[i], NULL, produce, &producers[i]));
    FILCH_RECV_EACH(rx.handle, &received)
    {
        filch_print("Got: %s\n", received);
    }
    filch_print("Channel closed.\n");
    for (int i = 0; i < 2; i++)
        MUST(filch_thread_join(threads[i], NULL, NULL));
    strings_receiver_drop(rx);
    return 0;
}
