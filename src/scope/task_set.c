/* SPDX-License-Identifier: Apache-2.0 */
/* Task sets: a list of ends, and the pool's tasks, each of which adds its own. */
#include <filch/task_set.h>

#include "pool.h"
#include "process.h"
#include "strand.h"

#include "base/check.h"
#include "panic/panic.h"
#include "park/crowd.h"

/* One task. Its queue's, then its worker's, then the set's. */
struct member {
    struct filch_task_set *set; /* const, as all down to arg_drop */
    void *(*fn)(void *);
    void *arg;
    void (*drop)(void *);
    void (*arg_drop)(void *);
    struct filch_task_end end; /* written before it has ended */
    uint64_t self;             /* what it runs on; the task's */
    struct member *next;       /* in the list of those that run, or have ended; under the lock */
    struct member **link;      /* what points here; under the lock, while it runs */
};

struct filch_task_set {
    struct filch_pool *pool; /* const, as the next two */
    void (*result_drop)(void *);
    uint64_t process;
    struct cancel cancel; /* of its tasks, all of them */
    struct lock lock;
    bool is_cancelled;         /* under the lock, as all below */
    size_t unended;            /* tasks that were spawned and have not ended */
    size_t left;               /* the same, and those that have and were not handed over */
    struct member *running;    /* have begun */
    struct member *ended;      /* the first that has ended and was not handed over */
    struct member **ended_end; /* where the next one goes */
    struct crowd waiting;      /* for an end */
    struct crowd dropping;     /* waits for the last one */
};

enum { DOES_NOT_WAIT, WAITS };

int filch_task_set_create(struct filch_task_set **set, const struct filch_task_set_config *config)
{
    static const struct filch_task_set_config defaults;
    if (set == NULL)
        return EINVAL;
    if (config == NULL)
        config = &defaults;
    struct filch_pool *pool = config->pool;
    int error = filch__pool_resolve(&pool);
    if (error != 0)
        return error;
    struct filch_task_set *s = filch__os_alloc_zeroed(1, sizeof *s, _Alignof(max_align_t));
    if (s == NULL)
        return ENOMEM;
    s->pool = pool;
    s->result_drop = config->result_drop;
    s->process = filch__process_generation();
    s->ended_end = &s->ended;
    /* A set is of no scope: its handle may leave the one that it was made in. */
    filch__cancel_init(&s->cancel, &pool->tally.cancel, pool);
    *set = s;
    return 0;
}

/* --- a task --- */

/* Enters a task into the list of those that run, unless the set is cancelled. */
static bool begin(struct member *m)
{
    struct filch_task_set *s = m->set;
    m->self = filch__self_get();
    filch__lock(&s->lock);
    bool begins = !s->is_cancelled;
    if (begins) {
        m->next = s->running;
        m->link = &s->running;
        if (m->next != NULL)
            m->next->link = &m->next;
        s->running = m;
    }
    filch__unlock(&s->lock);
    return begins;
}

/* One task less has not ended. Under the lock, which it gives back; the set may be gone then. */
static void count_out(struct filch_task_set *s)
{
    s->unended--;
    struct crowd_waiter *woken = filch__crowd_take(&s->waiting);
    struct crowd_waiter *dropping = s->unended == 0 ? filch__crowd_take(&s->dropping) : NULL;
    filch__unlock(&s->lock);
    filch__crowd_wake(woken);
    filch__crowd_wake(dropping);
}

/* The task has ended; set and member may be gone when it returns. */
static void end(struct member *m)
{
    struct filch_task_set *s = m->set;
    if (m->arg_drop != NULL)
        filch__worker_drop(m->arg_drop, m->arg);
    filch__lock(&s->lock);
    if (m->link != NULL) {
        *m->link = m->next;
        if (m->next != NULL)
            m->next->link = m->link;
    }
    m->next = NULL;
    *s->ended_end = m;
    s->ended_end = &m->next;
    count_out(s);
}

static void cancel(void *argument)
{
    struct member *m = argument;
    m->end.error = ECANCELED;
    if (m->drop != NULL)
        filch__worker_drop(m->drop, m->arg);
    end(m);
}

static void call(void *argument)
{
    struct member *m = argument;
    m->end.result = m->fn(m->arg);
}

static void run(void *argument)
{
    struct member *m = argument;
    if (!begin(m)) {
        cancel(m);
        return;
    }
    struct worker *w = filch__worker;
    const struct strand *s = w->strand;
    struct level level;
    filch__level_init(&level, NULL, &m->set->cancel);
    filch__level_enter(w, &level);
    m->end.error = filch__try_task(call, m, &m->end.panic, filch__forks->tail);
    filch__level_leave(s->worker); /* it may have migrated */
    end(m);
}

/* --- spawning --- */

static struct member *member_new(struct filch_task_set *s, const struct filch_task_attr *attr,
                                 void *(*fn)(void *), void *arg)
{
    struct member *m = filch__os->alloc(sizeof *m, _Alignof(max_align_t));
    if (m != NULL)
        *m = (struct member){.set = s,
                             .fn = fn,
                             .arg = arg,
                             .drop = attr->drop,
                             .arg_drop = attr->arg_drop,
                             .end = {.arg = arg}};
    return m;
}

static int count_in(struct filch_task_set *s)
{
    filch__lock(&s->lock);
    bool is_cancelled = s->is_cancelled;
    if (!is_cancelled) {
        s->unended++;
        s->left++;
    }
    filch__unlock(&s->lock);
    return is_cancelled ? ECANCELED : 0;
}

/* The task could not be spawned after all. */
static void take_out(struct filch_task_set *s)
{
    filch__lock(&s->lock);
    s->left--; /* it may have been the last one that somebody waits for */
    count_out(s);
}

static int spawn(struct filch_task_set *s, const struct filch_task_attr *attr, void *(*fn)(void *),
                 void *arg)
{
    if (s->process != filch__process_generation())
        return EPERM;
    struct member *m = member_new(s, attr, fn, arg);
    if (m == NULL)
        return ENOMEM;
    int error = count_in(s);
    if (error != 0)
        goto undo_member;
    struct filch_task_attr of_member = {.name = attr->name, .drop = cancel};
    error = filch_pool_spawn(s->pool, NULL, &of_member, run, m);
    if (error == 0)
        return 0;
    take_out(s);
undo_member:
    filch__os->free(m);
    return error;
}

int filch_task_set_spawn(struct filch_task_set *set, const struct filch_task_attr *attr,
                         void *(*fn)(void *), void *arg)
{
    static const struct filch_task_attr defaults;
    if (attr == NULL)
        attr = &defaults;
    int error = set == NULL || fn == NULL ? EINVAL : spawn(set, attr, fn, arg);
    if (error != 0 && attr->arg_drop != NULL)
        filch__worker_drop(attr->arg_drop, arg);
    return error;
}

/* --- ends --- */

/* Takes the oldest end out. Returns NULL: there is none. Under the lock. */
static struct member *take(struct filch_task_set *s)
{
    struct member *m = s->ended;
    if (m == NULL)
        return NULL;
    s->ended = m->next;
    if (s->ended == NULL)
        s->ended_end = &s->ended;
    s->left--;
    return m;
}

static int next(struct filch_task_set *s, struct filch_task_end *end, int waits, int64_t deadline)
{
    int wait_error = waits == WAITS ? 0 : EAGAIN;
    if (s == NULL || end == NULL)
        return EINVAL;
    if (s->process != filch__process_generation())
        return EPERM;
    filch__lock(&s->lock);
    struct member *m = take(s);
    while (m == NULL && s->left != 0 && wait_error == 0) {
        wait_error = filch__crowd_wait(&s->waiting, &s->lock, deadline);
        filch__lock(&s->lock);
        m = take(s); /* after a deadline too: an end is never overlooked */
    }
    bool has_left = s->left != 0;
    filch__unlock(&s->lock);
    if (m == NULL)
        return has_left ? wait_error : ENOENT;
    *end = m->end;
    filch__os->free(m);
    return 0;
}

int filch_task_set_next(struct filch_task_set *set, struct filch_task_end *end)
{
    return next(set, end, WAITS, FILCH_FOREVER);
}

int filch_task_set_try_next(struct filch_task_set *set, struct filch_task_end *end)
{
    return next(set, end, DOES_NOT_WAIT, 0);
}

int filch_task_set_next_until(struct filch_task_set *set, struct filch_task_end *end,
                              int64_t deadline)
{
    return next(set, end, WAITS, deadline);
}

size_t filch_task_set_left(const struct filch_task_set *set)
{
    if (set == NULL)
        return 0;
    struct filch_task_set *s = (struct filch_task_set *)(uintptr_t)set; /* only its lock changes */
    filch__lock(&s->lock);
    size_t left = s->left;
    filch__unlock(&s->lock);
    return left;
}

/* --- the end of the set --- */

/* Under the lock, which it gives back. */
static void cancel_rest(struct filch_task_set *s)
{
    s->is_cancelled = true; /* those that have not begun will see it */
    filch__unlock(&s->lock);
    filch__cancel(&s->cancel); /* and those that wait */
}

void filch_task_set_cancel(struct filch_task_set *set)
{
    if (set == NULL || set->process != filch__process_generation())
        return;
    filch__lock(&set->lock);
    cancel_rest(set);
}

/* Whether the caller runs on top of one of the set's tasks. Under the lock. */
static bool is_within(const struct filch_task_set *s, uint64_t self)
{
    const struct member *m = s->running;
    while (m != NULL && ((m->self ^ self) & ~FILCH__SELF_BITS) != 0) /* panicking or not */
        m = m->next;
    return m != NULL;
}

static void give_up_ends(struct filch_task_set *s)
{
    for (struct member *m; (m = take(s)) != NULL;) {
        if (m->end.error == 0 && s->result_drop != NULL)
            filch__worker_drop(s->result_drop, m->end.result);
        filch_panic_free(m->end.panic);
        filch__os->free(m);
    }
}

void filch_task_set_drop(struct filch_task_set *set)
{
    if (set == NULL || set->process != filch__process_generation())
        return;
    uint64_t self = filch__self_get();
    filch__lock(&set->lock);
    FILCH_CHECK(!is_within(set, self), "a task set was dropped by one of its own tasks");
    cancel_rest(set);
    filch__lock(&set->lock);
    while (set->unended != 0) {
        filch__crowd_wait_through(&set->dropping, &set->lock);
        filch__lock(&set->lock);
    }
    filch__unlock(&set->lock);
    give_up_ends(set); /* nobody else uses it any more */
    filch__os->free(set);
}
