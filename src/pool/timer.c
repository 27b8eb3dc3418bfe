/* SPDX-License-Identifier: Apache-2.0 */
#include "timer.h"

static bool is_before(const struct timer *a, const struct timer *b)
{
    return a->deadline_ns != b->deadline_ns ? a->deadline_ns < b->deadline_ns
                                            : (int64_t)(a->number - b->number) < 0;
}

/* Makes the later one a child of the other. Returns the earlier one. */
static struct timer *meld(struct timer *a, struct timer *b)
{
    struct timer *first = is_before(b, a) ? b : a;
    struct timer *second = first == a ? b : a;
    second->next = first->child;
    if (second->next != NULL)
        second->next->link = &second->next;
    second->link = &first->child;
    first->child = second;
    return first;
}

/* Puts `timer` where something else was: behind `link`, before `next`. */
static void put(struct timer *timer, struct timer **link, struct timer *next)
{
    timer->link = link;
    timer->next = next;
    *link = timer;
    if (next != NULL)
        next->link = &timer->next;
}

/* Makes one heap of siblings: in pairs from the first to the last, then all of those from the last to
 * the first, which is what keeps the heap flat. Returns it; NULL: there are none. */
static struct timer *meld_all(struct timer *siblings)
{
    struct timer *pairs = NULL; /* the last first */
    while (siblings != NULL) {
        struct timer *a = siblings;
        struct timer *b = a->next;
        siblings = b == NULL ? NULL : b->next;
        if (b != NULL)
            a = meld(a, b);
        a->next = pairs;
        pairs = a;
    }
    struct timer *all = pairs;
    if (pairs != NULL)
        pairs = pairs->next;
    while (pairs != NULL) {
        struct timer *pair = pairs;
        pairs = pair->next;
        all = meld(all, pair);
    }
    return all;
}

void filch__timer_add(struct timer_list *list, struct timer *timer)
{
    timer->number = list->added++;
    timer->child = NULL;
    put(list->first == NULL ? timer : meld(list->first, timer), &list->first, NULL);
}

void filch__timer_remove(struct timer *timer)
{
    if (timer->link == NULL)
        return;
    /* What came after it takes its place: it comes after whatever that one came after. */
    struct timer *rest = meld_all(timer->child);
    if (rest != NULL) {
        put(rest, timer->link, timer->next);
    } else {
        *timer->link = timer->next;
        if (timer->next != NULL)
            timer->next->link = timer->link;
    }
    timer->link = NULL;
}

struct timer *filch__timer_due(struct timer_list *list, int64_t now_ns)
{
    struct timer *first = list->first;
    if (first == NULL || first->deadline_ns > now_ns)
        return NULL;
    filch__timer_remove(first);
    return first;
}

int64_t filch__timer_next(const struct timer_list *list)
{
    return list->first == NULL ? INT64_MAX : list->first->deadline_ns;
}
