/* SPDX-License-Identifier: Apache-2.0 */
/* Waiting for one of several operations; a lone one is the case of one. */
#include "chan/channel.h"

#include "os/os.h"
#include "park/spin.h"

enum {
    PAUSES_MAX = 64,   /* about a microsecond */
    MOVES_ENOUGH = 64, /* the lines that are taken do not count any more */
};

/* A party's number for chance: cheap, and no two threads alike. */
static uint32_t chance(void)
{
    static __thread uint32_t state __attribute__((tls_model("initial-exec")));
    uint32_t x = state;
    if (x == 0)
        x = (uint32_t)((uintptr_t)&state >> 4) | 1;
    x ^= x << 13;
    x ^= x >> 17;
    x ^= x << 5;
    state = x;
    return x;
}

/* --- trying --- */

static int try_one(const struct choice *choice, size_t i)
{
    const struct op *op = &choice->ops[i];
    if (op->channel == NULL)
        return EAGAIN;
    if (!filch__op_may_be_ready(op->channel, op->side))
        return EAGAIN;
    if (!choice->only_looks)
        return filch__op_try(op);
    return filch__op_is_ready(op) ? 0 : EAGAIN;
}

/* Beginning anywhere and going either way, so that of two that are ready neither is always first. */
static FILCH_ALWAYS_INLINE int try_all(const struct choice *choice, size_t *index)
{
    size_t count = choice->count;
    size_t i = 0;
    size_t step = 1;
    if (!choice->in_order && count > 1) {
        uint32_t random = chance();
        i = (size_t)(((uint64_t)random * count) >> 32);
        step = (random & 1) != 0 ? 1 : count - 1;
    }
    for (size_t k = 0; k < count; k++) {
        int error = try_one(choice, i);
        if (error != EAGAIN) {
            *index = i;
            return error;
        }
        i += step;
        if (i >= count)
            i -= count;
    }
    return EAGAIN;
}

int filch__choice_try(const struct choice *choice, size_t *index)
{
    return try_all(choice, index);
}

/* --- waiting --- */

/* Where messages stream, one that looks again as soon as there is one takes the cache lines from the other
 * side for each of them. So a wait begins with pauses: more of them where the last one was followed by a few
 * operations that did not have to wait, until there are many of these; fewer where there was none. */
static void be_patient(struct alone *end, uint64_t moves)
{
    /* Relaxed, all of it: guesses. */
    uint64_t newly = moves - FILCH_LOAD_RELAXED(&end->waited_at);
    uint32_t pauses = FILCH_LOAD_RELAXED(&end->patience);
    if (newly < 2)
        pauses /= 2;
    else if (newly < MOVES_ENOUGH)
        pauses = pauses < PAUSES_MAX / 2 ? 2 * pauses + 2 : PAUSES_MAX;
    FILCH_STORE_RELAXED(&end->waited_at, moves);
    FILCH_STORE_RELAXED(&end->patience, pauses);
    for (uint32_t i = 0; i < pauses; i++)
        filch__cpu_relax();
}

static void be_patient_for(const struct op *op)
{
    struct channel *c = op->channel;
    if (c->flavour == BOUNDED) {
        struct alone *end = op->side == SENDERS ? &c->ring.tail.alone : &c->ring.head.alone;
        be_patient(end, filch__ring_before(&c->ring, FILCH_LOAD_RELAXED(&end->position)));
    } else if (c->flavour == UNBOUNDED) {
        be_patient(&c->list.head.alone, FILCH_LOAD_RELAXED(&c->list.head.alone.position));
    }
}

/* A thread tries for some microseconds before it shows itself: what it waits for is often under way on
 * another processor. A task has better to do: its worker goes on with another one. */
static FILCH_ALWAYS_INLINE int try_for_a_moment(const struct choice *choice, size_t *index)
{
    int error = EAGAIN;
    if (filch__waiter_kind.ops != &filch__waiter_thread_ops)
        return error;
    struct spin spin = {0};
    if (choice->count == 1)
        be_patient_for(choice->ops);
    while (error == EAGAIN && filch__spin_closely(&spin))
        error = try_all(choice, index);
    return error;
}

/* The deadline, or an earlier moment at which one of the channels has a message. */
static FILCH_ALWAYS_INLINE int64_t until(const struct choice *choice, int64_t deadline_ns)
{
    for (size_t i = 0; i < choice->count; i++) {
        struct channel *c = choice->ops[i].channel;
        if (c == NULL || c->flavour != TIMED)
            continue;
        int64_t due_ns = filch__timed_due(&c->timed);
        if (due_ns < deadline_ns)
            deadline_ns = due_ns;
    }
    return deadline_ns;
}

/* Whether nobody but the list of one channel knows of the party. */
static FILCH_ALWAYS_INLINE bool is_lone(const struct choice *choice)
{
    return choice->count == 1 && choice->ops->channel != NULL &&
           choice->ops->channel->flavour != TIMED;
}

/* Shows the party to each channel, up to the first that is ready. Returns how many it was shown to. */
static FILCH_ALWAYS_INLINE size_t show(const struct choice *choice, struct entry *entries,
                                       struct party *party, bool *is_ready)
{
    size_t i;
    *is_ready = false;
    for (i = 0; i < choice->count && !*is_ready; i++) {
        const struct op *op = &choice->ops[i];
        entries[i] = (struct entry){.party = party,
                                    .value = op->value,
                                    .index = (uint32_t)i,
                                    .only_looks = choice->only_looks,
                                    .is_lone = is_lone(choice)};
        *is_ready = op->channel != NULL && filch__op_show(op, &entries[i]);
    }
    return i;
}

/* Takes back all entries but the one that a waker has taken out. */
static FILCH_ALWAYS_INLINE void take_back(const struct choice *choice, struct entry *entries,
                                          size_t shown, uint32_t claim)
{
    for (size_t i = 0; i < shown; i++) {
        const struct op *op = &choice->ops[i];
        bool is_claimed = claim >= CLAIM_TRY && i == claim / 2 - 1;
        if (op->channel != NULL && op->channel->flavour != TIMED && !is_claimed)
            (void)filch__waits_take_back(&op->channel->waits, op->side, &entries[i]);
    }
}

/* Ends the wait from its own side. Returns false where somebody has claimed the party. */
static FILCH_ALWAYS_INLINE bool withdraw(const struct choice *choice, struct entry *entries,
                                         struct party *party, size_t shown)
{
    const struct op *op = choice->ops;
    if (is_lone(choice))
        return filch__waits_take_back(&op->channel->waits, op->side, entries);
    if (!filch__party_withdraw(party))
        return false;
    take_back(choice, entries, shown, CLAIM_WITHDRAWN);
    return true;
}

/* Waits once. Returns 0: woken, and *claim says how; EAGAIN: one is ready; what park returns. */
static FILCH_ALWAYS_INLINE int wait_once(const struct choice *choice, struct entry *entries,
                                         int64_t until_ns, uint32_t *claim)
{
    struct party party;
    bool is_ready;
    filch__party_init(&party);
    size_t shown = show(choice, entries, &party, &is_ready);
    int error = is_ready ? EAGAIN : filch__park(&party.waiter, until_ns);
    if (error != 0 && withdraw(choice, entries, &party, shown))
        return error;
    if (error != 0)
        (void)filch__park_through(&party.waiter,
                                  FILCH_FOREVER); /* somebody has it: its touch is due */
    /* The party's own by now: what claimed it has unparked it. */
    *claim = FILCH_LOAD_RELAXED(is_lone(choice) ? &entries->lone_claim : &party.claim);
    if (!is_lone(choice))
        take_back(choice, entries, shown, *claim);
    return 0;
}

/* One that was woken does what it was woken for, if nobody was quicker. */
static FILCH_ALWAYS_INLINE int try_claimed(const struct choice *choice, uint32_t claim,
                                           size_t *index)
{
    size_t i = claim / 2 - 1;
    *index = i;
    if ((claim & 1) != 0)
        return 0; /* it was done for it */
    int error = try_one(choice, i);
    if (error == 0 && !choice->only_looks)
        filch__op_pass_on(&choice->ops[i]);
    return error;
}

/* Whether a wait has ended at a moment of a channel, whose message somebody else may have taken. */
static bool is_moment(int wait_error, int64_t until_ns, int64_t deadline_ns)
{
    return wait_error == ETIMEDOUT && until_ns != deadline_ns && filch__os->now_ns() >= until_ns;
}

/* Compiled for a choice of one, and for any. */
static FILCH_ALWAYS_INLINE int wait_for(const struct choice *choice, struct entry *entries,
                                        int64_t deadline_ns, size_t *index)
{
    int error = try_for_a_moment(choice, index);
    while (error == EAGAIN) {
        uint32_t claim = 0; /* as far as a compiler can tell */
        int64_t until_ns = until(choice, deadline_ns);
        int wait_error = wait_once(choice, entries, until_ns, &claim);
        if (wait_error == 0)
            error = try_claimed(choice, claim, index);
        if (error == EAGAIN) /* after a deadline too: an event is never reported as lost */
            error = try_all(choice, index);
        bool is_over = wait_error != 0 && wait_error != EAGAIN &&
                       !is_moment(wait_error, until_ns, deadline_ns);
        if (error == EAGAIN && is_over)
            return wait_error;
    }
    return error;
}

int filch__choice_wait(const struct choice *choice, struct entry *entries, int64_t deadline_ns,
                       size_t *index)
{
    return wait_for(choice, entries, deadline_ns, index);
}

int filch__op_wait(struct channel *c, enum side side, void *value, int64_t deadline_ns)
{
    struct op op = {c, side, value};
    struct choice choice = {.ops = &op, .count = 1, .in_order = true};
    struct entry entry;
    size_t index;
    return wait_for(&choice, &entry, deadline_ns, &index);
}
