/* SPDX-License-Identifier: Apache-2.0 */
#include "visit.h"

#include "pool.h"

#include "base/section.h"
#include "park/lock.h"

static struct {
    struct lock lock;
    struct visit *first; /* under lock */
} visits;

static bool is_within(const struct cancel *c, const struct cancel *around)
{
    while (c != NULL && c != around && c->also != around) /* what is in `also` is within nothing */
        c = c->parent;
    return c != NULL;
}

void filch__visits_ask(struct cancel *c)
{
    filch__lock(&visits.lock);
    for (struct visit *v = visits.first; v != NULL; v = v->next) {
        if (is_within(v->cancel.parent, c))
            filch__cancel_ask(v->cancel.pool, &v->cancel);
    }
    filch__unlock(&visits.lock);
}

FILCH_WAKE_PATH void filch__visit_begin(struct visit *v, struct cancel *around,
                                        struct filch_pool *pool)
{
    filch__cancel_init(&v->cancel, around, pool);
    v->cancel.also = &pool->tally.cancel;
    filch__lock(&visits.lock);
    v->next = visits.first;
    v->link = &visits.first;
    if (v->next != NULL)
        v->next->link = &v->next;
    visits.first = v;
    filch__unlock(&visits.lock);
}

void filch__visit_end(struct visit *v)
{
    filch__lock(&visits.lock);
    *v->link = v->next;
    if (v->next != NULL)
        v->next->link = v->link;
    filch__unlock(&visits.lock);
}

void filch__visit_after_fork(void)
{
    visits.lock = (struct lock){0}; /* its holder may be a thread that is not here */
    visits.first = NULL;
}
