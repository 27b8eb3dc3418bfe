/* SPDX-License-Identifier: Apache-2.0 */
/* Compiles alone (with os/os.h for the barrier), so that a model checker reads it as it is. */
#include "forks.h"

#include "base/check.h"
#include "os/os.h"

_Static_assert(sizeof(struct filch__slot) == FILCH_CACHE_LINE, "a slot is one cache line");
_Static_assert(__builtin_offsetof(struct forks, owner) == 0, "the inline code sees only the owner");

static uint64_t index_of(const struct forks *f, const struct filch__slot *slot)
{
    return (uint64_t)(slot - f->base);
}

void filch__forks_init(struct forks *f, struct filch__slot *slots, size_t count)
{
    f->base = slots;
    f->floor = slots;
    f->owner.tail = slots;
    f->owner.end = slots + count;
    f->owner.asked = 0;
    f->owner.split = slots;
    f->shared = filch__forks_word(0, 0, FORKS_EXPOSER_NONE);
}

struct filch__slot *filch__forks_claim(struct forks *f)
{
    uint64_t seen = FILCH_LOAD_RELAXED(&f->shared); /* the swap decides */
    uint64_t top = filch__forks_top(seen);
    if (top >= filch__forks_split(seen))
        return NULL;
    uint64_t claimed =
        filch__forks_word(top + 1, filch__forks_split(seen), filch__forks_exposer(seen));
    if (!FILCH_CAS(&f->shared, &seen, claimed, FK_claim, acquire))
        return NULL;
    return f->base + top;
}

static struct filch__slot *look_at_tail(struct forks *f)
{
    /* Ordered behind the show of a worker that goes to sleep; else a hint. */
    return FILCH_LOAD(&f->owner.tail, FK_tail_look, seq_cst);
}

bool filch__forks_are_hidden(struct forks *f)
{
    uint64_t split = filch__forks_split(FILCH_LOAD_RELAXED(&f->shared)); /* a hint */
    return look_at_tail(f) > f->base + split;
}

bool filch__forks_have_any(struct forks *f)
{
    uint64_t top = filch__forks_top(FILCH_LOAD_RELAXED(&f->shared)); /* a hint, or owner */
    return look_at_tail(f) > f->base + top;
}

bool filch__forks_are_changing(struct forks *f)
{
    /* Ordered behind the show of a worker that goes to sleep; else a hint. */
    uint64_t word = FILCH_LOAD(&f->shared, FK_shared_look, seq_cst);
    return filch__forks_exposer(word) != FORKS_EXPOSER_NONE;
}

bool filch__forks_have_public(struct forks *f)
{
    uint64_t word = FILCH_LOAD_RELAXED(&f->shared); /* a hint */
    return filch__forks_top(word) < filch__forks_split(word);
}

void filch__forks_ask(struct forks *f)
{
    /* A look first: where the question has been put already, the owner keeps its line. */
    if (FILCH_LOAD_RELAXED(&f->owner.asked) == 0) /* a hint */
        FILCH_STORE_RELAXED(&f->owner.asked, 1);  /* the asker's barrier orders it */
}

bool filch__forks_expose(struct forks *f, unsigned place)
{
    uint64_t exposer = place + 1u;
    uint64_t seen = FILCH_LOAD_RELAXED(&f->shared); /* the swap decides */
    uint64_t top = filch__forks_top(seen);
    uint64_t split = filch__forks_split(seen);
    if (top < split)
        return true;
    /* Above a full stack there is no slot to raise the guard to. */
    if (filch__forks_exposer(seen) != FORKS_EXPOSER_NONE || split == index_of(f, f->owner.end))
        return false;
    if (!FILCH_CAS(&f->shared, &seen, filch__forks_word(top, split, exposer), FK_expose_begin,
                   acquire))
        return false;
    /* (a) The owner's take lowers tail, then reads owner.split: (A) we raise owner.split, then read
     * tail. With a barrier on every processor between our two, it cannot be that the owner misses
     * our split and we miss its tail. The swap, not a store: only ever raise what we know. */
    uint64_t hidden = index_of(f, FILCH_LOAD_RELAXED(&f->owner.tail)) - split; /* a hint */
    uint64_t wanted = (int64_t)hidden > 1 ? split + (hidden + 1) / 2 : split + 1;
    struct filch__slot *guard = f->base + split;
    (void)FILCH_CAS(&f->owner.split, &guard, f->base + wanted, FK_guard_raise, relaxed);
    filch__os_barrier();
    struct filch__slot *tail = FILCH_LOAD(&f->owner.tail, FK_tail_expose, acquire);
    guard = FILCH_LOAD_RELAXED(&f->owner.split); /* ours or higher, while the field is ours */
    uint64_t end = index_of(f, tail < guard ? tail : guard);
    bool there = end > split && tail > f->base + split;
    seen = filch__forks_word(top, split, exposer);
    uint64_t result = filch__forks_word(top, there ? end : split, FORKS_EXPOSER_NONE);
    /* Fails where the owner has taken the field: it has come by, and will do what is right. */
    return FILCH_CAS(&f->shared, &seen, result, FK_expose, acq_rel) && there;
}

/* Locks exposers out, and ends one that is under way; the owner may then lower owner.split without
 * it being raised behind its back for a stale reason. Returns the word, the field being ours. */
static uint64_t owner_enter(struct forks *f)
{
    uint64_t seen = FILCH_LOAD_RELAXED(&f->shared); /* the swap decides */
    uint64_t mine;
    do
        mine = filch__forks_word(filch__forks_top(seen), filch__forks_split(seen),
                                 FORKS_EXPOSER_OWNER);
    while (!FILCH_CAS(&f->shared, &seen, mine, FK_owner_enter, acq_rel));
    return mine;
}

/* Sets top and split where nobody has claimed a slot since *word was read. Returns false, with *word
 * renewed and nothing changed, where somebody has. The guard may never lie below split: where split
 * goes up, the caller raises owner.split before this; where it goes down, owner_done lowers it. */
static bool owner_set(struct forks *f, uint64_t *word, uint64_t top, uint64_t split)
{
    return FILCH_CAS(&f->shared, word, filch__forks_word(top, split, FORKS_EXPOSER_OWNER),
                     FK_publish, acq_rel);
}

/* Moves the guard to where split is, and lets exposers in again. */
static void owner_done(struct forks *f, uint64_t split)
{
    struct filch__slot *guard = f->base + split;
    FILCH_STORE(&f->owner.split, guard > f->floor ? guard : f->floor, FK_guard, release);
    uint64_t seen = FILCH_LOAD_RELAXED(&f->shared); /* the swap decides */
    while (!FILCH_CAS(
        &f->shared, &seen,
        filch__forks_word(filch__forks_top(seen), filch__forks_split(seen), FORKS_EXPOSER_NONE),
        FK_owner_done, release)) {
    }
}

bool filch__forks_publish(struct forks *f)
{
    struct filch__slot *tail = FILCH_LOAD_RELAXED(&f->owner.tail); /* owner */
    uint64_t word = owner_enter(f);
    uint64_t split;
    do {
        uint64_t old_split = filch__forks_split(word);
        uint64_t hidden = index_of(f, tail) > old_split ? index_of(f, tail) - old_split : 0;
        split = old_split + (hidden + 1) / 2;
        FILCH_STORE_RELAXED(&f->owner.split, f->base + split); /* owner; up, so before the swap */
    } while (!owner_set(f, &word, filch__forks_top(word), split));
    owner_done(f, split);
    return filch__forks_top(FILCH_LOAD_RELAXED(&f->shared)) < split; /* a hint */
}

bool filch__forks_reclaim(struct forks *f, struct filch__slot *slot)
{
    FILCH_DCHECK(slot < f->owner.end);
    uint64_t index = index_of(f, slot);
    uint64_t word = owner_enter(f);
    uint64_t top;
    uint64_t split;
    do {
        top = filch__forks_top(word);
        split = filch__forks_split(word);
        if (index < top)
            break;
        /* Lower it half-way only where more than this slot is public: the next takes are then fast
         * and thieves still find something. */
        if (index < split)
            split = top + (index - top) / 2;
    } while (!owner_set(f, &word, top, split));
    owner_done(f, split);
    return index >= top;
}

void filch__forks_collect(struct forks *f, struct filch__slot *slot)
{
    uint64_t index = index_of(f, slot);
    uint64_t word = owner_enter(f);
    FILCH_DCHECK(filch__forks_top(word) > index);
    FILCH_DCHECK(filch__forks_top(word) == filch__forks_split(word));
    while (!owner_set(f, &word, index, index)) {
    }
    owner_done(f, index);
}

struct filch__slot *filch__forks_claim_all(struct forks *f, struct filch__slot **first)
{
    struct filch__slot *tail = FILCH_LOAD_RELAXED(&f->owner.tail); /* owner */
    uint64_t word = owner_enter(f);
    uint64_t count = index_of(f, tail);
    uint64_t top;
    FILCH_STORE_RELAXED(&f->owner.split, tail); /* owner; up, so before the swap */
    do
        top = filch__forks_top(word);
    while (!owner_set(f, &word, count, count));
    owner_done(f, count);
    *first = f->base + (top < count ? top : count);
    return tail;
}
