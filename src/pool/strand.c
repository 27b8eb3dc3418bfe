/* SPDX-License-Identifier: Apache-2.0 */
/* Strands: making them, and leaving one for another. */
#include "strand.h"
#include "switch.h"

#include "base/check.h"

enum {
    /* So many forks may be open at once before the innermost ones run one after the other, see
     * fork.c. A thread's own stack is where deep recursion starts; memory is touched as far as used. */
    BASE_SLOTS = 32768,
    /* With its room 64 KiB. */
    STRAND_SLOTS = 1020,
    /* A worker's first rooms have as many as that of its base: where few wait, it is with these that the
     * work goes on. */
    DEEP_ROOMS = 5,
};

_Static_assert(offsetof(struct strand, fiber.context) % FILCH_CACHE_LINE == 0 &&
                   offsetof(struct strand, forks) ==
                       offsetof(struct strand, fiber.context) + FILCH_CACHE_LINE,
               "what a switch needs is on two lines");

static struct fiber *strand_main(void *argument)
{
    struct worker *w = filch__worker;
    (void)argument;
    filch__ambient_restore(&w->ambient, w->error_number);
    filch__roam_settle(w);
    filch__work(w);
    FILCH_CHECK(false, "a strand ended outside its loop");
    return NULL;
}

/* --- rooms for forks --- */

static struct fork_room *room_new(struct worker *w, size_t count)
{
    size_t size_bytes = sizeof(struct fork_room) + count * sizeof(struct filch__slot);
    struct fork_room *room = filch__os->map(size_bytes);
    if (room == NULL)
        return NULL;
    room->size_bytes = size_bytes;
    filch__forks_init(&room->forks, (struct filch__slot *)(void *)(room + 1), count);
    room->made = w->made_room;
    w->made_room = room;
    return room;
}

static struct fork_room *room_here(struct worker *w)
{
    return FILCH_LOAD_RELAXED(&w->room); /* owner */
}

/* The next strand runs with this room. Whoever has asked for work has asked the one that we leave. */
static void use_room(struct worker *w, struct fork_room *room)
{
    FILCH_STORE_RELAXED(&room->forks.owner.asked, 1); /* the answer looks at the idle word */
    FILCH_STORE(&w->room, room, WK_room, release);
}

/* How many slots the next room is to have. */
static size_t slots_of_next(const struct worker *w)
{
    size_t rooms = 0;
    for (const struct fork_room *r = w->made_room; r != NULL && rooms < DEEP_ROOMS; r = r->made)
        rooms++;
    return rooms < DEEP_ROOMS ? BASE_SLOTS : STRAND_SLOTS;
}

/* A room without forks; NULL: none is spare, and there is no memory for another one. */
static struct fork_room *other_room(struct worker *w)
{
    struct fork_room *room = w->spare_room;
    if (room == NULL)
        return room_new(w, slots_of_next(w));
    w->spare_room = room->next;
    return room;
}

bool filch__strand_find_room(struct worker *w)
{
    struct fork_room *room = other_room(w);
    if (room == NULL)
        return false;
    FILCH_STORE_RELAXED(&room->region,
                        FILCH_LOAD_RELAXED(&w->region)); /* owner: it has no forks yet */
    FILCH_STORE_RELAXED(&room->level, w->strand->level); /* the same */
    use_room(w, room);
    filch__forks = &room->forks.owner;
    return true;
}

void filch__strand_change_rooms(struct worker *w, struct strand *from, struct strand *next)
{
    struct fork_room *room = room_here(w);
    if (!filch__strand_has_no_forks(w)) {
        from->room = room;
        from->forks = filch__forks;
    } else if (room != &w->no_room) {
        room->next = w->spare_room;
        w->spare_room = room;
    }
    room = next->room;
    if (room != NULL) {
        filch__forks = next->forks;
        next->room = NULL;
    } else {
        room = other_room(w);
        if (room == NULL)
            room = &w->no_room;
        FILCH_STORE_RELAXED(&room->region, from->region); /* it has no forks yet */
        FILCH_STORE_RELAXED(&room->level, next->level);   /* the same */
        filch__forks = &room->forks.owner;
    }
    use_room(w, room);
}

/* --- strands --- */

int filch__strand_init(struct worker *w)
{
    struct strand *base = filch__os_alloc_zeroed(1, sizeof *base, FILCH_CACHE_LINE);
    struct fork_room *room = room_new(w, BASE_SLOTS);
    if (base == NULL || room == NULL) {
        filch__os->free(base);
        if (room != NULL)
            (void)filch__os->unmap(room, room->size_bytes);
        w->made_room = NULL;
        return ENOMEM;
    }
    base->worker = w;
    base->region = w->is_guest ? w : NULL;
    base->level = &w->outermost;
    w->base = w->strand = base;
    FILCH_STORE_RELAXED(&room->level, base->level); /* handed over with each fork */
    /* Workers that sleep already have asked all places that there were. */
    use_room(w, room);
    filch__worker_set_region(w, base->region);
    /* Some address: NULL would say that there is no pool. */
    filch__forks_init(&w->no_room.forks, (struct filch__slot *)(void *)&w->no_room, 0);
    w->trim_ns = FILCH_FOREVER;
    return 0;
}

void filch__strand_end(struct worker *w)
{
    filch__strand_give_up_spares(w);
    FILCH_DCHECK(w->strand_count == 0);
    filch__stack_cache_drain(&w->stacks);
    while (w->made_room != NULL) {
        struct fork_room *room = w->made_room;
        w->made_room = room->made;
        (void)filch__os->unmap(room, room->size_bytes);
    }
    filch__os->free(w->base);
}

static struct strand *strand_new(struct worker *w)
{
    struct fiber *fiber;
    if (filch__fiber_create(&fiber, sizeof(struct strand), &w->stacks, strand_main, NULL) != 0)
        return NULL;
    struct strand *s = (struct strand *)fiber;
    s->worker = w;
    s->next = NULL;
    s->room = NULL;
    s->region = w->is_guest ? w : NULL;
    s->self = 0;
    s->task = NULL;
    s->level = &w->outermost;
    s->may_migrate = !w->is_guest && w->pool->tasks_may_migrate;
    s->stays = 0;
    s->roamer = NULL;
    if (++w->strand_count > w->stats.strands)
        filch__count(&w->stats.strands);
    return s;
}

void filch__strand_switch(struct worker *w, struct strand *next)
{
    filch__strand_switch_here(w, next);
}

/* Functions of their own: on both sides of a move, each access finds its thread anew. */
static __attribute__((noinline)) void depart(struct worker *w, struct strand *next,
                                             struct strand_kept *kept)
{
    filch__strand_leaves(w, next, kept);
}

static __attribute__((noinline)) void arrive(struct strand *s, const struct strand_kept *kept)
{
    struct worker *w = s->worker;
    if (++w->strand_count > w->stats.strands)
        filch__count(&w->stats.strands);
    filch__strand_goes_on(w, kept);
}

void filch__strand_depart(struct worker *w, struct strand *next)
{
    struct strand *from = w->strand;
    struct strand_kept kept;
    depart(w, next, &kept);
    filch__fiber_switch(&from->fiber, &next->fiber);
    arrive(from, &kept);
}

/* A task costs a stack only when it waits: every stack has frames that cannot go on now, or those that
 * are about to be left. */
__attribute__((unused)) static bool is_stack_needed(const struct worker *w)
{
    size_t stacks = (w->is_base_spare ? 0 : 1) + w->strand_count;
    size_t left = w->suspended + (w->leaving != NULL);
    for (const struct strand *s = w->yielded; s != NULL; s = s->next)
        left++;
    return stacks <= left + 1;
}

struct strand *filch__strand_other_slow(struct worker *w)
{
    struct strand *s = w->surplus;
    if (s != NULL) {
        w->surplus = s->next;
        s->next = NULL;
        if (--w->spare_count < w->spare_low)
            w->spare_low = w->spare_count;
        return s;
    }
    if (!w->is_base_spare || w->has_roamers) {
        FILCH_DCHECK(is_stack_needed(w));
        s = strand_new(w);
        if (s != NULL || !w->is_base_spare)
            return s;
    }
    w->is_base_spare = false;
    return w->base;
}

bool filch__strand_wake_here(struct waiter *waiter, struct waiter_row *row, bool is_front)
{
    struct worker *w = filch__worker;
    if (w == NULL || w->suspended < STRANDS_MANY) {
        row->is_over = true;
        return false;
    }
    struct strand *s = waiter->sleeper;
    if (s->may_migrate || s->worker != w) /* of one that may, another worker writes it meanwhile */
        return false;
    const bool waits = FILCH_LOAD_RELAXED(&waiter->state) /* owner */ == WAITER_PARKED;
    FILCH_STORE_RELAXED(&waiter->state, WAITER_WOKEN); /* owner */
    if (!waits)
        return true;
    if (!row->has_begun)
        row->middle = w->ready == NULL ? NULL : w->ready_last;
    row->has_begun = true;
    struct strand *middle = row->middle;
    struct strand **link = middle == NULL ? &w->ready : &middle->next;
    s->next = *link;
    if (s->next == NULL)
        w->ready_last = s;
    *link = s;
    if (is_front)
        row->middle = s;
    return true;
}

int filch__strand_look_round(struct worker *w)
{
    filch__worker_has_pushed(w);
    if (filch__deque_size(&w->deque) > SPAWNED_MAX)
        filch__strand_yield(w);
    return 0;
}

/* --- giving back --- */

enum {
    SPARE_KEPT = 16,
    /* Where strands come from other workers, more than this are passed on by way of the store. */
    SPARE_MAX = 64,
    /* Between two looks. What was spare all the time between them is too much. */
    TRIM_EVERY_NS = 500 * 1000 * 1000,
    /* Strands that are given up at once: 50 us or so. */
    PORTION = 512,
    /* A guest gives the memory of so many stacks back itself, since no worker may look for long. */
    GUEST_GAVE_UP_MANY = 1024,
};

/* Gives up to `count` strands of a list up. */
static void give_up(struct worker *w, struct strand **list, size_t count)
{
    for (; count > 0 && *list != NULL; count--) {
        struct strand *s = *list;
        *list = s->next;
        w->spare_count--;
        w->strand_count--;
        filch__fiber_destroy(&s->fiber, &w->stacks);
    }
}

void filch__strand_give_up_spares(struct worker *w)
{
    give_up(w, &w->spare, SIZE_MAX);
    give_up(w, &w->surplus, SIZE_MAX);
}

void filch__strand_bound_spares(struct worker *w)
{
    if (FILCH_UNLIKELY(w->spare_count > SPARE_MAX))
        give_up(w, &w->spare, SPARE_KEPT);
}

/* All spare strands but the `keep` newest become surplus. */
static void set_apart(struct worker *w, size_t keep)
{
    struct strand **end = &w->spare;
    for (; keep > 0 && *end != NULL; keep--)
        end = &(*end)->next;
    w->surplus = *end;
    *end = NULL;
}

/* Looks whether there is too much. */
static void look_for_surplus(struct worker *w)
{
    if (w->spare_count <= SPARE_KEPT) {
        w->trim_ns = FILCH_FOREVER;
        return;
    }
    int64_t now_ns = filch__os->now_ns();
    if (w->trim_ns != FILCH_FOREVER && now_ns < w->trim_ns)
        return;
    size_t low = w->spare_low < w->spare_count ? w->spare_low : w->spare_count;
    if (low > SPARE_KEPT)
        set_apart(w, w->spare_count - (low - SPARE_KEPT));
    w->spare_low = w->spare_count;
    w->trim_ns = now_ns + TRIM_EVERY_NS;
}

bool filch__strand_trim(struct worker *w)
{
    if (w->is_guest)
        return false;
    if (w->surplus == NULL && !w->trims_store)
        look_for_surplus(w);
    if (w->surplus != NULL) {
        give_up(w, &w->surplus, PORTION);
        w->trims_store = true;
        return true;
    }
    w->trims_store = w->trims_store && filch__stack_store_trim(w->stacks.store);
    return w->trims_store;
}

void filch__strand_trim_guest(struct worker *w)
{
    size_t before = w->spare_count;
    set_apart(w, SPARE_KEPT);
    give_up(w, &w->surplus, SIZE_MAX);
    if (before - w->spare_count < GUEST_GAVE_UP_MANY)
        return;
    while (filch__stack_store_trim(w->stacks.store)) {
    }
}
