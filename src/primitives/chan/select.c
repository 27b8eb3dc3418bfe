/* SPDX-License-Identifier: Apache-2.0 */
#include "chan/channel.h"

#include "os/os.h"

#include <filch/select.h>

enum { ON_STACK = 16 };

struct frame {
    struct op ops[ON_STACK];
    struct entry entries[ON_STACK];
};

/* Fills in the operations. Returns 0; EINVAL. */
static int read_cases(const struct filch_select_case *cases, size_t count, bool only_looks,
                      struct op *ops)
{
    for (size_t i = 0; i < count; i++) {
        const struct filch_select_case *one = &cases[i];
        if (one->tx != NULL && one->rx != NULL)
            return EINVAL;
        bool sends = one->tx != NULL;
        struct channel *c =
            sends ? filch__sender_channel(one->tx) : filch__receiver_channel(one->rx);
        if (c != NULL && one->value == NULL && c->size_bytes != 0 && !only_looks)
            return EINVAL;
        ops[i] = (struct op){c, sends ? SENDERS : RECEIVERS, one->value};
    }
    return 0;
}

/* With room for all operations and their entries. */
static int choose_in(const struct choice *model, struct op *ops, struct entry *entries,
                     struct filch_select_case *cases, int64_t deadline, size_t *index)
{
    struct choice choice = *model;
    size_t chosen;
    choice.ops = ops;
    int error = read_cases(cases, choice.count, choice.only_looks, ops);
    if (error != 0)
        return error;
    error = filch__choice_try(&choice, &chosen);
    if (error == EAGAIN && entries != NULL)
        error = filch__choice_wait(&choice, entries, deadline, &chosen);
    if (error == EAGAIN || error == ETIMEDOUT || error == ECANCELED)
        return error;
    cases[chosen].error = error;
    *index = chosen;
    return 0;
}

static int choose(const struct choice *model, struct filch_select_case *cases, bool waits,
                  int64_t deadline, size_t *index)
{
    if (index == NULL || (cases == NULL && model->count > 0))
        return EINVAL;
    if (FILCH_LIKELY(model->count <= ON_STACK)) {
        if (!waits) {
            struct op ops[ON_STACK];
            return choose_in(model, ops, NULL, cases, deadline, index);
        }
        struct frame frame;
        return choose_in(model, frame.ops, frame.entries, cases, deadline, index);
    }
    if (model->count > UINT32_MAX / 4)
        return EINVAL;
    struct entry *entries = filch__os_alloc_zeroed(
        model->count, sizeof *entries + sizeof(struct op), _Alignof(struct entry));
    if (entries == NULL)
        return ENOMEM;
    struct op *ops = (struct op *)(void *)(entries + model->count);
    int error = choose_in(model, ops, waits ? entries : NULL, cases, deadline, index);
    filch__os->free(entries);
    return error;
}

int filch_select(struct filch_select_case *cases, size_t count, int64_t deadline, size_t *index)
{
    struct choice choice = {.count = count};
    return choose(&choice, cases, true, deadline, index);
}

int filch_select_in_order(struct filch_select_case *cases, size_t count, int64_t deadline,
                          size_t *index)
{
    struct choice choice = {.count = count, .in_order = true};
    return choose(&choice, cases, true, deadline, index);
}

int filch_select_ready(struct filch_select_case *cases, size_t count, int64_t deadline,
                       size_t *index)
{
    struct choice choice = {.count = count, .only_looks = true};
    return choose(&choice, cases, true, deadline, index);
}

int filch_try_select(struct filch_select_case *cases, size_t count, size_t *index)
{
    struct choice choice = {.count = count};
    return choose(&choice, cases, false, 0, index);
}

int filch_try_select_in_order(struct filch_select_case *cases, size_t count, size_t *index)
{
    struct choice choice = {.count = count, .in_order = true};
    return choose(&choice, cases, false, 0, index);
}

int filch_try_select_ready(struct filch_select_case *cases, size_t count, size_t *index)
{
    struct choice choice = {.count = count, .only_looks = true};
    return choose(&choice, cases, false, 0, index);
}
