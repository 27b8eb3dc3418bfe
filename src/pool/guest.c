/* SPDX-License-Identifier: Apache-2.0 */
/* Threads from outside that take part in their own call. */
#include "pool.h"
#include "strand.h"

#include "base/check.h"
#include "base/section.h"
#include "panic/panic.h"
#include "park/self.h"

_Alignas(FILCH_CACHE_LINE) __thread struct outsider filch__outsider
    __attribute__((tls_model("initial-exec")));

/* Takes a free place; NULL: there is none. */
FILCH_WAKE_PATH static struct worker *find_place(struct filch_pool *pool)
{
    size_t count = pool->guest_count;
    size_t first = filch__outsider.number < count ? filch__outsider.number : 0;
    for (size_t i = 0; i < count; i++) {
        size_t place = first + i < count ? first + i : first + i - count;
        struct worker *w = pool->places[pool->width + place];
        if (filch__guest_take(w)) {
            filch__outsider.number = place;
            return w;
        }
    }
    return NULL;
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

FILCH_WAKE_PATH struct worker *filch__guest_enter(struct filch_pool *pool)
{
    struct worker *w = filch__outsider.held;
    if (FILCH_LIKELY(w == NULL) || w->pool != pool)
        w = find_place(pool);
    if (w == NULL)
        return NULL;
    filch__idle_guest_enter(pool);
    /* Either a shutdown sees us inside, or we see that it has begun. */
    if (FILCH_LOAD(&pool->state, PL_state_guest, seq_cst) != POOL_OPEN)
        goto undo;
    if (FILCH_UNLIKELY(!w->has_started) && start_place(pool, w) != 0)
        goto undo;
    if (FILCH_UNLIKELY(w->visitor != &filch__outsider)) {
        filch__strand_give_up_spares(w); /* fibers go on only on the thread that they stopped on */
        w->visitor = &filch__outsider;
        w->error_number = &errno;
    }
    if (FILCH_UNLIKELY(filch__self == 0))
        (void)filch__self_get(); /* as the thread that it also is outside, before it is a task */
    filch__worker_enter(w);
    return w;
undo:
    filch__idle_guest_leave(pool);
    if (w != filch__outsider.held)
        FILCH_STORE(&w->is_taken, 0, GU_give, release);
    return NULL;
}

/* What lies in the guest's deque was spawned on another thread's scope: the workers' from now on. */
static void hand_over_rest(void *argument)
{
    struct task_run *run = argument;
    struct worker *guest = run->w;
    while (filch__deque_pop(&guest->deque, &run->item)) {
        if (filch__injector_put(&guest->pool->injector, &run->item, &run->item.arg, 1) != 0)
            filch__worker_run(guest, run); /* no memory for that: here, then */
        else
            filch__idle_wake_server(guest->pool);
    }
}

void filch__guest_leave(struct worker *guest)
{
    struct filch_pool *pool = guest->pool;
    FILCH_DCHECK(guest->is_guest && guest->strand == guest->base);
    while (FILCH_UNLIKELY(filch__deque_size(&guest->deque) > 0 || guest->suspended > 0 ||
                          guest->yielded != NULL)) {
        struct filch_panic *panic = filch__panic_set_aside();
        struct task_run rest = {.w = guest};
        filch__worker_run_loop(hand_over_rest, &rest);
        filch__strand_wait_for_others(guest);
        filch__panic_give_back(panic);
    }
    filch__tally_flush(&guest->credits);
    if (FILCH_UNLIKELY(guest->spare_count > 0))
        filch__strand_trim_guest(guest);
    filch__worker_exit(guest);
    filch__idle_guest_leave(pool);
    if (guest != filch__outsider.held)
        FILCH_STORE(&guest->is_taken, 0, GU_give, release); /* last: see filch_pool_destroy */
}
