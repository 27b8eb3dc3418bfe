/* SPDX-License-Identifier: Apache-2.0 */
/* Threads from outside that take part in their own call. */
#include "pool.h"

#include "base/check.h"

enum { BITS_PER_WORD = 64 };

/* The place that this thread had last: asked for first, since its memory is warm. */
static __thread size_t last_place __attribute__((tls_model("initial-exec")));

static bool take_place(struct filch_pool *pool, size_t place)
{
    uint64_t bit = UINT64_C(1) << place % BITS_PER_WORD;
    uint64_t *word = &pool->guests_taken[place / BITS_PER_WORD];
    if ((FILCH_LOAD_RELAXED(word) & bit) != 0) /* a look */
        return false;
    return (FILCH_FETCH_OR(word, bit, GU_take, acquire) & bit) == 0;
}

static void give_place(struct filch_pool *pool, size_t place)
{
    uint64_t bit = UINT64_C(1) << place % BITS_PER_WORD;
    (void)FILCH_FETCH_AND(&pool->guests_taken[place / BITS_PER_WORD], ~bit, GU_give, release);
}

/* A free place, by its number among the guests; guest_count: none. */
static size_t find_place(struct filch_pool *pool)
{
    size_t count = pool->guest_count;
    for (size_t i = 0; i < count; i++) {
        size_t place = (last_place + i) % count;
        if (take_place(pool, place)) {
            last_place = place;
            return place;
        }
    }
    return count;
}

/* The first guest at this place: makes it ready, and shows it to thieves. */
static int start_place(struct filch_pool *pool, struct worker *w)
{
    int error = filch__worker_init(w, pool, w->index, true);
    if (error != 0)
        return error;
    FILCH_STORE(&w->has_started, true, WK_started, release);
    size_t used = FILCH_LOAD_RELAXED(&pool->places_used); /* the swap decides */
    while (used < w->index + 1 &&
           !FILCH_CAS(&pool->places_used, &used, w->index + 1, PL_places, release)) {
    }
    return 0;
}

struct worker *filch__guest_enter(struct filch_pool *pool)
{
    size_t place = find_place(pool);
    if (place == pool->guest_count)
        return NULL;
    struct worker *w = pool->places[pool->width + place];
    filch__idle_guest_enter(pool);
    /* Either a shutdown sees us inside, or we see that it has begun. */
    if (FILCH_LOAD(&pool->state, PL_state_guest, seq_cst) != POOL_OPEN)
        goto undo;
    if (FILCH_UNLIKELY(!w->has_started) && start_place(pool, w) != 0)
        goto undo;
    w->ambient = filch__ambient_save();
    filch__worker_enter(w);
    return w;
undo:
    filch__idle_guest_leave(pool);
    give_place(pool, place);
    return NULL;
}

void filch__guest_leave(struct worker *guest)
{
    struct filch_pool *pool = guest->pool;
    FILCH_DCHECK(guest->is_guest && guest->strand == guest->base);
    filch__strand_wait_for_others(guest);
    filch__tally_flush(&guest->credits);
    FILCH_DCHECK(filch__deque_size(&guest->deque) == 0);
    filch__worker_exit(guest);
    filch__idle_guest_leave(pool);
    give_place(pool, guest->index - pool->width);
}
