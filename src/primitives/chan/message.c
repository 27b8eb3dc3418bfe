/* SPDX-License-Identifier: Apache-2.0 */
#include "chan/message.h"

#include "chan/slot.h"
#include "os/os.h"

#include <errno.h>

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

int filch__messages_init(struct messages *of, size_t size_bytes,
                         void (*clone)(void *, const void *), void (*drop)(void *))
{
    if (size_bytes > ELEMENT_SIZE_MAX || (drop != NULL && clone == NULL))
        return EINVAL;
    size_t align = filch__align_for(size_bytes);
    *of = (struct messages){.size_bytes = size_bytes,
                            .value_offset = larger(sizeof(struct message), align),
                            .align_bytes = larger(_Alignof(struct message), align),
                            .clone = clone,
                            .drop = drop};
    return 0;
}

static struct message *message_alloc(const struct messages *of)
{
    struct message *m = filch__os->alloc(of->value_offset + of->size_bytes, of->align_bytes);
    if (m != NULL)
        *m = (struct message){.holders = 1};
    return m;
}

struct message *filch__message_new(const struct messages *of, const void *value)
{
    struct message *m = message_alloc(of);
    if (m != NULL)
        filch__copy(filch__message_value(of, m), value, of->size_bytes);
    return m;
}

struct message *filch__message_clone(const struct messages *of, const struct message *message)
{
    struct message *m = message_alloc(of);
    if (m != NULL)
        filch__message_copy(of, message, filch__message_value(of, m));
    return m;
}

void filch__message_copy(const struct messages *of, const struct message *message, void *value)
{
    const void *from = filch__message_value(of, message);
    if (of->clone != NULL)
        of->clone(value, from);
    else
        filch__copy(value, from, of->size_bytes);
}

void filch__message_free(struct message *message)
{
    filch__os->free(message);
}

void filch__message_drop(const struct messages *of, struct message *list)
{
    while (list != NULL) {
        struct message *next = list->next;
        if (of->drop != NULL)
            of->drop(filch__message_value(of, list));
        filch__message_free(list);
        list = next;
    }
}
