/* SPDX-License-Identifier: Apache-2.0 */
/* One message: a channel with room for one, whose handles are used up. */
#include "chan/channel.h"

int filch_oneshot_create(struct filch_sender **tx, struct filch_receiver **rx, size_t element_size,
                         void (*drop)(void *))
{
    struct filch_channel_config config = {
        .element_size = element_size, .capacity = 1, .drop = drop};
    return filch_channel_create_with(tx, rx, &config);
}

int filch_oneshot_send(struct filch_sender *tx, const void *value)
{
    int error = filch_try_send(tx, value);
    if (error != EINVAL)
        filch_sender_drop(tx);
    return error;
}

int filch_oneshot_recv(struct filch_receiver *rx, void *value, int64_t deadline)
{
    int error = filch_recv_until(rx, value, deadline);
    if (error == 0 || error == EPIPE)
        filch_receiver_drop(rx);
    return error;
}
