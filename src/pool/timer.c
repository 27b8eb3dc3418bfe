/* SPDX-License-Identifier: Apache-2.0 */
#include "timer.h"

#include "base/atomic.h"
#include "os/os.h"

#include <errno.h>
#include <filch/attr.h>

enum {
    SLOT_BITS = 17, /* 131 us */
    DIGIT_BITS = 6,
    DRAWERS = 1 << DIGIT_BITS,
    LEVELS = 8, /* for all that is left of 63 bits */
    /* So many are compared to tell when the first of them is due. */
    COMPARED_MAX = 64,
    FETCHED_AHEAD = 4,
};

_Static_assert(SLOT_BITS + LEVELS * DIGIT_BITS >= 63, "a deadline without a drawer");

struct timer_drawers {
    uint64_t used[LEVELS]; /* bit i: drawer i may have a timer */
    struct timer *first[LEVELS][DRAWERS];
};

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

static void put_near(struct timer_list *list, struct timer *timer)
{
    put(list->first == NULL ? timer : meld(list->first, timer), &list->first, NULL);
    list->levels |= TIMER_HEAP;
}

/* Where there is no memory for drawers, everything is near, until the heap is empty: what is in drawers comes
 * after all that is in the heap. */
static bool make_drawers(struct timer_list *list)
{
    int error_number = errno;
    list->drawers = filch__os_alloc_zeroed(1, sizeof *list->drawers, FILCH_CACHE_LINE);
    errno = error_number;
    list->is_all_near = list->drawers == NULL;
    return !list->is_all_near;
}

static int64_t slot_of(int64_t time_ns)
{
    return time_ns >> SLOT_BITS;
}

/* The timer that whoever goes through the drawer is to fetch in time: each is in no cache. */
static const struct timer *some_behind(const struct timer *timer)
{
    for (int i = 0; i < FETCHED_AHEAD && timer != NULL; i++)
        timer = timer->next;
    return timer;
}

static FILCH_COLD bool has_no_drawers(struct timer_list *list)
{
    return list->is_all_near || !make_drawers(list);
}

/* Puts a timer into the drawer, or the heap, where it belongs at the time that was reached. */
static void file(struct timer_list *list, struct timer *timer)
{
    int64_t slot = slot_of(timer->deadline_ns);
    int64_t here = slot_of(list->reached_ns);
    if (slot <= here || (FILCH_UNLIKELY(list->drawers == NULL) && has_no_drawers(list))) {
        put_near(list, timer);
        return;
    }
    unsigned level = (63 - (unsigned)__builtin_clzll((uint64_t)(slot ^ here))) / DIGIT_BITS;
    unsigned digit = (uint64_t)slot >> level * DIGIT_BITS & (DRAWERS - 1);
    struct timer **drawer = &list->drawers->first[level][digit];
    timer->ahead = some_behind(*drawer);
    put(timer, drawer, *drawer);
    list->drawers->used[level] |= UINT64_C(1) << digit;
    list->levels |= UINT64_C(1) << level;
}

/* The drawer whose time comes first, among those with timers; the bits of others are taken back.
 *   start_ns  receives when its time begins                                            [out]
 * Returns NULL: all are empty. */
static struct timer **next_drawer(struct timer_list *list, int64_t *start_ns)
{
    struct timer_drawers *d = list->drawers;
    while ((list->levels & ~TIMER_HEAP) != 0) {
        unsigned level = (unsigned)__builtin_ctzll(list->levels);
        if (d->used[level] == 0) {
            list->levels &= list->levels - 1;
            continue;
        }
        unsigned digit = (unsigned)__builtin_ctzll(d->used[level]);
        if (d->first[level][digit] == NULL) {
            d->used[level] &= d->used[level] - 1;
            continue;
        }
        unsigned shift = SLOT_BITS + level * DIGIT_BITS;
        uint64_t before = (uint64_t)list->reached_ns >> shift & ~(uint64_t)(DRAWERS - 1);
        *start_ns = (int64_t)((before | digit) << shift);
        return &d->first[level][digit];
    }
    return NULL;
}

/* The heap is empty: the first drawer whose time has come by then is sorted into finer ones, or into the heap,
 * until that has some. One at a time: those that are late stay in order, and the heap small. */
static void reach(struct timer_list *list, int64_t now_ns)
{
    struct timer **drawer;
    int64_t start_ns;
    while ((drawer = next_drawer(list, &start_ns)) != NULL && start_ns <= now_ns) {
        struct timer *timer = *drawer;
        *drawer = NULL;
        list->reached_ns = start_ns;
        while (timer != NULL) {
            struct timer *next = timer->next;
            __builtin_prefetch(timer->ahead, 1);
            file(list, timer);
            timer = next;
        }
        if (list->first != NULL)
            return;
    }
    if (now_ns > list->reached_ns)
        list->reached_ns =
            now_ns; /* no drawer begins before that: each timer is where it belongs */
}

static void heap_is_empty(struct timer_list *list)
{
    list->levels &= ~TIMER_HEAP;
    list->is_all_near = false;
}

void filch__timer_destroy(struct timer_list *list)
{
    filch__os->free(list->drawers);
    list->drawers = NULL;
    list->levels = 0;
}

void filch__timer_add(struct timer_list *list, struct timer *timer)
{
    timer->number = list->added++;
    timer->child = NULL;
    file(list, timer);
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
    if (list->first == NULL) {
        heap_is_empty(list);
        reach(list, now_ns);
    }
    struct timer *first = list->first;
    if (first == NULL || first->deadline_ns > now_ns)
        return NULL;
    filch__timer_remove(first);
    return first;
}

int64_t filch__timer_next(struct timer_list *list)
{
    int64_t start_ns;
    if (list->first != NULL)
        return list->first->deadline_ns;
    heap_is_empty(list);
    struct timer **drawer = next_drawer(list, &start_ns);
    if (drawer == NULL)
        return INT64_MAX;
    int64_t first_ns = INT64_MAX;
    int compared = 0;
    for (const struct timer *timer = *drawer; timer != NULL; timer = timer->next) {
        if (++compared > COMPARED_MAX)
            return start_ns;
        if (timer->deadline_ns < first_ns)
            first_ns = timer->deadline_ns;
    }
    return first_ns;
}
