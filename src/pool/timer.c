/* SPDX-License-Identifier: Apache-2.0 */
#include "timer.h"

void filch__timer_add(struct timer_list *list, struct timer *timer)
{
    struct timer **link = &list->first;
    while (*link != NULL && (*link)->deadline_ns <= timer->deadline_ns)
        link = &(*link)->next;
    timer->next = *link;
    timer->link = link;
    if (timer->next != NULL)
        timer->next->link = &timer->next;
    *link = timer;
}

void filch__timer_remove(struct timer *timer)
{
    if (timer->link == NULL)
        return;
    *timer->link = timer->next;
    if (timer->next != NULL)
        timer->next->link = timer->link;
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
