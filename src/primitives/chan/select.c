/* SPDX-License-Identifier: Apache-2.0 */
#include "chan/channel.h"

#include "os/os.h"

#include <filch/select.h>

enum {
    ON_STACK = 16,
    COUNT_MAX = INT32_MAX / 2, /* what an entry's index and a claim can hold */
};

struct frame {
    struct op ops[ON_STACK];
    struct entry entries[ON_STACK];
};

static FILCH_ALWAYS_INLINE struct op op_of(const struct filch_select_case *one)
{
    if (one->tx != NULL)
        return (struct op){filch__sender_channel(one->tx), SENDERS, one->value};
    return (struct op){filch__receiver_channel(one->rx), RECEIVERS, one->value};
}

static FILCH_ALWAYS_INLINE bool is_value_missing(const struct filch_select_case *one,
                                                 const struct channel *c, bool only_looks)
{
    return FILCH_UNLIKELY(one->value == NULL) && c->size_bytes != 0 && !only_looks;
}

/* What a look at the cases has found. */
struct found {
    size_t ready; /* so many may be */
    size_t any;   /* one of those */
};

/* Looks at those in front that are the most frequent of all: that receive from a bounded channel. Where all are,
 * and none is ready, this is all there is to do. Returns how many those are. */
static FILCH_ALWAYS_INLINE size_t look_quickly(const struct filch_select_case *cases, size_t count,
                                               struct found *f)
{
    size_t i;
    *f = (struct found){0, 0};
    for (i = 0; i < count; i++) {
        const struct filch_select_case *one = &cases[i];
        struct channel *c = filch__receiver_channel(one->rx);
        if (FILCH_UNLIKELY(c == NULL) || FILCH_UNLIKELY(one->tx != NULL) ||
            FILCH_UNLIKELY(one->value == NULL) || FILCH_UNLIKELY(c->flavour != BOUNDED))
            break;
        const bool has_gone = (filch__waits_word(&c->waits, SENDERS) & WAITS_GONE) != 0;
        if (FILCH_LIKELY(!has_gone) &&
            FILCH_LIKELY(!filch__ring_may_be_good(&c->ring, &c->ring.head, 1)))
            continue;
        f->ready++;
        f->any = i;
    }
    return i;
}

/* Looks at all from `first` on. Each side is compiled apart. Returns 0; EINVAL. */
static FILCH_ALWAYS_INLINE int look(const struct filch_select_case *cases, size_t first,
                                    size_t count, bool only_looks, struct found *f)
{
    *f = (struct found){0, 0};
    for (size_t i = first; i < count; i++) {
        const struct filch_select_case *one = &cases[i];
        if (one->tx != NULL) {
            struct channel *c = filch__sender_channel(one->tx);
            if (FILCH_UNLIKELY(one->rx != NULL) || is_value_missing(one, c, only_looks))
                return EINVAL;
            if (!filch__op_may_be_ready(c, SENDERS))
                continue;
        } else {
            struct channel *c = filch__receiver_channel(one->rx);
            if (FILCH_UNLIKELY(c == NULL))
                continue;
            if (is_value_missing(one, c, only_looks))
                return EINVAL;
            if (!filch__op_may_be_ready(c, RECEIVERS))
                continue;
        }
        f->ready++;
        f->any = i;
    }
    return 0;
}

/* How to choose. */
enum { IN_ORDER = 1, ONLY_LOOKS = 2, WAITS = 4 };

/* With room for all operations and, where it waits, their entries. */
static int choose_in(struct op *ops, struct entry *entries, struct filch_select_case *cases,
                     size_t count, int how, int64_t deadline, size_t *index)
{
    struct choice choice = {.ops = ops,
                            .count = count,
                            .in_order = (how & IN_ORDER) != 0,
                            .only_looks = (how & ONLY_LOOKS) != 0};
    size_t chosen;
    for (size_t i = 0; i < count; i++)
        ops[i] = op_of(&cases[i]);
    int error = filch__choice_try(&choice, &chosen);
    if (error == EAGAIN && (how & WAITS) != 0)
        error = filch__choice_wait(&choice, entries, deadline, &chosen);
    if (error == EAGAIN || error == ETIMEDOUT || error == ECANCELED)
        return error;
    cases[chosen].error = error;
    *index = chosen;
    return 0;
}

static __attribute__((noinline)) int choose_any(struct filch_select_case *cases, size_t count,
                                                int how, int64_t deadline, size_t *index)
{
    if (FILCH_LIKELY(count <= ON_STACK)) {
        struct frame frame;
        return choose_in(frame.ops, frame.entries, cases, count, how, deadline, index);
    }
    struct entry *entries =
        filch__os_alloc_zeroed(count, sizeof *entries + sizeof(struct op), _Alignof(struct entry));
    if (entries == NULL)
        return ENOMEM;
    struct op *ops = (struct op *)(void *)(entries + count);
    int error = choose_in(ops, entries, cases, count, how, deadline, index);
    filch__os->free(entries);
    return error;
}

static __attribute__((noinline)) int choose_one(struct filch_select_case *cases, size_t any,
                                                size_t *index)
{
    struct op op = op_of(&cases[any]);
    int error = filch__op_try(&op);
    if (error == EAGAIN)
        return EAGAIN;
    cases[any].error = error;
    *index = any;
    return 0;
}

/* Where one only may be ready it is tried first.
 *   only  that one; at or above count: there are more, or none */
static __attribute__((noinline)) int choose_found(struct filch_select_case *cases, size_t count,
                                                  int how, int64_t deadline, size_t *index,
                                                  size_t only)
{
    if (only < count && (how & ONLY_LOOKS) == 0 && choose_one(cases, only, index) == 0)
        return 0;
    return choose_any(cases, count, how, deadline, index);
}

/* Any cases, those in front of `first` known not to be ready. */
static __attribute__((noinline)) int choose_from(struct filch_select_case *cases, size_t count,
                                                 int how, int64_t deadline, size_t *index,
                                                 size_t first)
{
    struct found found;
    if (index == NULL || (cases == NULL && count > 0) || count > COUNT_MAX)
        return EINVAL;
    int error = look(cases, first, count, (how & ONLY_LOOKS) != 0, &found);
    if (FILCH_UNLIKELY(error != 0))
        return error;
    if (found.ready == 0 && (how & WAITS) == 0)
        return EAGAIN;
    return choose_found(cases, count, how, deadline, index, found.ready == 1 ? found.any : count);
}

static FILCH_ALWAYS_INLINE int choose(struct filch_select_case *cases, size_t count, int how,
                                      int64_t deadline, size_t *index)
{
    struct found found;
    if (FILCH_UNLIKELY(index == NULL) || FILCH_UNLIKELY(cases == NULL) ||
        FILCH_UNLIKELY(count > COUNT_MAX))
        return choose_from(cases, count, how, deadline, index, 0);
    const size_t looked = look_quickly(cases, count, &found);
    if (FILCH_UNLIKELY(looked < count))
        return choose_from(cases, count, how, deadline, index, found.ready == 0 ? looked : 0);
    if (found.ready == 0 && (how & WAITS) == 0)
        return EAGAIN;
    return choose_found(cases, count, how, deadline, index, found.ready == 1 ? found.any : count);
}

int filch_select(struct filch_select_case *cases, size_t count, int64_t deadline, size_t *index)
{
    return choose(cases, count, WAITS, deadline, index);
}

int filch_select_in_order(struct filch_select_case *cases, size_t count, int64_t deadline,
                          size_t *index)
{
    return choose(cases, count, WAITS | IN_ORDER, deadline, index);
}

int filch_select_ready(struct filch_select_case *cases, size_t count, int64_t deadline,
                       size_t *index)
{
    return choose(cases, count, WAITS | ONLY_LOOKS, deadline, index);
}

int filch_try_select(struct filch_select_case *cases, size_t count, size_t *index)
{
    return choose(cases, count, 0, 0, index);
}

int filch_try_select_in_order(struct filch_select_case *cases, size_t count, size_t *index)
{
    return choose(cases, count, IN_ORDER, 0, index);
}

int filch_try_select_ready(struct filch_select_case *cases, size_t count, size_t *index)
{
    return choose(cases, count, ONLY_LOOKS, 0, index);
}
