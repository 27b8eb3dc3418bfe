/* SPDX-License-Identifier: Apache-2.0 */
#include "cancel.h"

#include "pool.h"
#include "visit.h"

FILCH_SHARED(uint32_t) filch__cancel_is_used;

/* --- looking upwards --- */

/* Notes from c up to `cause`, which is around it, why something was not done. */
static void cut(struct cancel *c, struct cancel *cause, int error)
{
    for (; c != cause; c = c->also == cause ? cause : c->parent)
        FILCH_STORE_RELAXED(&c->cut, (uint32_t)error); /* read when all that is inside has ended */
    FILCH_STORE_RELAXED(&cause->cut, (uint32_t)error); /* the same */
}

/* Whether this one has been cancelled; *first becomes the one of the two whose deadline is earlier. */
static bool is_cancelled(struct cancel *c, struct cancel **first, int64_t *deadline_ns)
{
    int64_t its_ns = FILCH_LOAD_RELAXED(&c->deadline_ns); /* a number */
    if (its_ns < *deadline_ns) {
        *deadline_ns = its_ns;
        *first = c;
    }
    return FILCH_LOAD(&c->is_cancelled, CN_look, acquire) != 0;
}

int filch__cancel_find(struct cancel *c)
{
    struct cancel *first = NULL;
    int64_t deadline_ns = FILCH_FOREVER;
    for (struct cancel *around = c; around != NULL; around = around->parent) {
        struct cancel *cause = NULL;
        if (is_cancelled(around, &first, &deadline_ns))
            cause = around;
        else if (around->also != NULL && is_cancelled(around->also, &first, &deadline_ns))
            cause = around->also;
        if (cause != NULL) {
            cut(c, cause, ECANCELED);
            return ECANCELED;
        }
    }
    if (first == NULL || filch__os->now_ns() < deadline_ns)
        return 0;
    cut(c, first, ETIMEDOUT);
    return ETIMEDOUT;
}

/* Either whoever cancels this one sees the bit, or we see that it has. Returns whether we do. */
static FILCH_ALWAYS_INLINE bool is_over(struct cancel *c, uint64_t bit, int64_t *deadline_ns)
{
    if (FILCH_UNLIKELY((FILCH_LOAD(&c->waited_at, CN_wait, seq_cst) & bit) == 0))
        (void)FILCH_FETCH_OR(&c->waited_at, bit, CN_wait, seq_cst);
    int64_t its_ns = FILCH_LOAD(&c->deadline_ns, CN_wait_look, seq_cst);
    if (its_ns < *deadline_ns)
        *deadline_ns = its_ns;
    return FILCH_LOAD(&c->is_cancelled, CN_wait_look, seq_cst) != 0;
}

int filch__cancel_before_first_wait(struct cancel *c, size_t place, int64_t *deadline_ns)
{
    uint64_t bit = UINT64_C(1) << place % 64;
    struct cancel *innermost = c;
    for (; c != NULL; c = c->parent) {
        if (FILCH_UNLIKELY(is_over(c, bit, deadline_ns)))
            return ECANCELED;
        if (FILCH_UNLIKELY(c->also != NULL) && is_over(c->also, bit, deadline_ns))
            return ECANCELED;
    }
    /* All of them: what begins inside one of them later starts with its bit. */
    for (c = innermost; c != NULL; c = c->parent) {
        if ((FILCH_LOAD(&c->walked_from, CN_walk, seq_cst) & bit) == 0)
            (void)FILCH_FETCH_OR(&c->walked_from, bit, CN_walk, seq_cst);
    }
    return 0;
}

int filch__cancel_after_wait(struct cancel *c, int64_t deadline_ns)
{
    int error = filch__cancel_find(c);
    if (error != 0)
        return error;
    return filch__os->now_ns() >= deadline_ns ? ETIMEDOUT
                                              : 0; /* 0: the deadline around was put off */
}

/* --- asking --- */

void filch__cancel_ask(struct filch_pool *pool, struct cancel *c)
{
    uint64_t places = FILCH_LOAD(&c->waited_at, CN_places, seq_cst);
    size_t used = FILCH_LOAD(&pool->places_used, PL_places, acquire);
    for (size_t i = 0; i < used && places != 0; i++) {
        if ((places >> i % 64 & 1) != 0)
            filch__worker_ask_waiting(pool->places[i]);
    }
}

static void ask(struct cancel *c)
{
    filch__cancel_ask(c->pool, c);
    filch__visits_ask(c);
}

void filch__cancel(struct cancel *c)
{
    FILCH_STORE(&filch__cancel_is_used, 1, CN_used, seq_cst);
    FILCH_STORE(&c->is_cancelled, 1, CN_cancel, seq_cst);
    ask(c);
}

void filch__cancel_set_deadline(struct cancel *c, int64_t deadline_ns)
{
    FILCH_STORE(&filch__cancel_is_used, 1, CN_used, seq_cst);
    FILCH_STORE(&c->deadline_ns, deadline_ns, CN_cancel, seq_cst);
    ask(c);
}

/* --- answering --- */

/* Looks again at a wait. Owner only. */
static void look_again(struct worker *w, struct wait *wait)
{
    int64_t deadline_ns = wait->deadline_ns;
    if (filch__cancel_before_wait(wait->cancel, w->index, &deadline_ns) != 0) {
        filch__timer_remove(&wait->timer);
        filch__worker_end_wait(w, wait->waiter);
    } else if (deadline_ns < wait->timer.deadline_ns) {
        filch__timer_remove(&wait->timer);
        wait->timer.deadline_ns = deadline_ns;
        filch__timer_add(&w->timers, &wait->timer);
    }
}

void filch__cancel_answer(struct worker *w)
{
    /* Whoever asks after this is answered once more. */
    (void)FILCH_EXCHANGE(&w->is_asked, 0, CN_ask, acq_rel);
    for (struct wait *wait = w->waits; wait != NULL; wait = wait->next)
        look_again(w, wait);
    filch__roam_answer(w);
}
