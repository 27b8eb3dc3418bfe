/* SPDX-License-Identifier: Apache-2.0 */
/* Messages that several receivers see: each lies in memory of its own and is held by the channel, for as
 * long as somebody may still ask for it, and by whoever is just copying it. The last one drops it, and
 * nobody calls the user's functions under a lock. */
#ifndef FILCH_CHAN_MESSAGE_H
#define FILCH_CHAN_MESSAGE_H

#include <filch/attr.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct message {
    uint64_t holders;     /* under the lock of its channel, but for the last holder */
    struct message *next; /* the last holder's: in a list of those that are to be dropped */
};

/* What the messages of a channel are. Const after creation. */
struct messages {
    size_t size_bytes;
    size_t value_offset; /* from the beginning of the message */
    size_t align_bytes;
    void (*clone)(void *to, const void *from); /* NULL: their bytes are copied */
    void (*drop)(void *);                      /* NULL: nothing is called */
};

/* Returns 0; EINVAL (too large, or dropped without being cloned). */
FILCH_NODISCARD int filch__messages_init(struct messages *of, size_t size_bytes,
                                         void (*clone)(void *, const void *), void (*drop)(void *));

/* Makes a message of the value's bytes, held once. Returns NULL: no memory. */
struct message *filch__message_new(const struct messages *of, const void *value);

/* The same of a copy. */
struct message *filch__message_clone(const struct messages *of, const struct message *message);

/* Gives the receiver of a message a copy of its own. */
void filch__message_copy(const struct messages *of, const struct message *message, void *value);

/* Gives a message back that nobody else has seen: it stays its sender's. */
void filch__message_free(struct message *message);

/* Drops a list of messages that nobody holds. */
void filch__message_drop(const struct messages *of, struct message *list);

/* Gives up a hold, under the lock. Returns whether it was the last: the caller drops it, later. */
static inline bool filch__message_let_go(struct message *message)
{
    return --message->holders == 0;
}

static inline void *filch__message_value(const struct messages *of, const struct message *message)
{
    return (char *)(uintptr_t)message + of->value_offset;
}

/* The message of such a value. */
static inline struct message *filch__message_of(const struct messages *of, const void *value)
{
    return (struct message *)(void *)((char *)(uintptr_t)value - of->value_offset);
}

#endif
