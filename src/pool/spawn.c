/* SPDX-License-Identifier: Apache-2.0 */
/* Giving tasks to a pool, and running a call inside one. */
#include "pool.h"
#include "strand.h"
#include "task.h"
#include "visit.h"

#include "base/section.h"
#include "panic/panic.h"

/* A detached task without a drop function: cancelling it drops nothing. */
static void drop_nothing(void *arg)
{
    (void)arg;
}

/* Counts `count` tasks from outside, unless the pool has ended, or, from outside, is ending. A count
 * of 0 stays 0: the workers are being told to stop. */
static FILCH_ALWAYS_INLINE int count_in(struct filch_pool *pool, int64_t count)
{
    int64_t seen = FILCH_LOAD_RELAXED(&pool->tally.count); /* the swap decides */
    do {
        if (seen == 0)
            return ESHUTDOWN;
    } while (!FILCH_CAS(&pool->tally.count, &seen, seen + count, TL_enter, acq_rel));
    bool is_inside = filch__worker != NULL && filch__worker->pool == pool;
    if (is_inside || filch__pool_state(pool) == POOL_OPEN)
        return 0;
    filch__tally_release(&pool->tally, count);
    return ESHUTDOWN;
}

/* Puts tasks that are counted where any worker finds them. */
static FILCH_ALWAYS_INLINE int put(struct filch_pool *pool, const struct task_item *model,
                                   void *const *args, size_t count)
{
    int error = filch__injector_put(&pool->injector, model, args, count);
    if (error != 0)
        filch__tally_release(&pool->tally, (int64_t)count);
    else
        filch__idle_wake_server(pool);
    return error;
}

/* Gives one task to a worker that sleeps, or puts it where any finds it. */
FILCH_WAKE_PATH static int inject(struct filch_pool *pool, const struct task_item *item)
{
    int error = count_in(pool, 1);
    if (error != 0)
        return error;
    uint64_t word = FILCH_LOAD_RELAXED(&pool->idle.word); /* a hint */
    if (FILCH_UNLIKELY(filch__idle_wants_server(word, pool->width)) && filch__idle_give(pool, item))
        return 0;
    return put(pool, item, &item->arg, 1);
}

static FILCH_ALWAYS_INLINE int spawn_item(struct filch_pool *pool, const struct task_item *item)
{
    struct worker *w = filch__worker;
    /* A guest runs no such tasks, so it has no use for them in its deque. */
    if (w == NULL || w->pool != pool || w->is_guest)
        return inject(pool, item);
    filch__tally_spawned(&w->credits, &pool->tally);
    int error = filch__worker_push(w, item);
    if (error != 0)
        filch__tally_ended(&w->credits, &pool->tally);
    else
        filch__strand_bound_spawns(w);
    return error;
}

static FILCH_ALWAYS_INLINE int spawn(struct filch_pool *pool, struct filch_task **task,
                                     const struct filch_task_attr *attr, void (*fn)(void *),
                                     void *arg)
{
    if (fn == NULL)
        return EINVAL;
    int error = filch__pool_resolve(&pool);
    if (error != 0)
        return error;
    if (((uintptr_t)task | (uintptr_t)attr->name | (uintptr_t)attr->arg_drop |
         (unsigned)attr->may_migrate) == 0) {
        void (*drop)(void *) = attr->drop != NULL ? attr->drop : drop_nothing;
        return spawn_item(
            pool, &(struct task_item){.fn = fn, .arg = arg, .tally = &pool->tally, .drop = drop});
    }
    struct filch_task *made = filch__task_new(attr, fn, arg, &pool->tally.cancel);
    if (made == NULL)
        return ENOMEM;
    struct filch_task *handle =
        filch__task_handle_begin(made); /* it may end before the spawn does */
    struct task_item item = filch__task_item(made, &pool->tally);
    error = spawn_item(pool, &item);
    if (error != 0)
        filch__task_free_unspawned(made);
    else if (task != NULL)
        *task = handle;
    else
        filch_task_detach(handle);
    return error;
}

/* Apart from filch_pool_spawn, which has nothing left to do after a spawn. */
static __attribute__((noinline)) int spawn_owning(struct filch_pool *pool, struct filch_task **task,
                                                  const struct filch_task_attr *attr,
                                                  void (*fn)(void *), void *arg)
{
    int error = spawn(pool, task, attr, fn, arg);
    if (error != 0)
        filch__worker_drop(attr->arg_drop, arg);
    return error;
}

/* Whether the caller is a worker of this pool. */
static FILCH_ALWAYS_INLINE bool is_at_home(const struct worker *w, const struct filch_pool *pool)
{
    return w != NULL && (pool == NULL ? w->serves_default : w->pool == pool && !w->is_guest);
}

FILCH_WAKE_PATH static __attribute__((noinline)) int
spawn_from_anywhere(struct filch_pool *pool, struct filch_task **task,
                    const struct filch_task_attr *attr, void (*fn)(void *), void *arg)
{
    const struct filch_task_attr defaults = {
        0}; /* not static: one page less, where all of them are cold */
    if (attr == NULL)
        attr = &defaults;
    if (FILCH_LIKELY(attr->arg_drop == NULL))
        return spawn(pool, task, attr, fn, arg);
    return spawn_owning(pool, task, attr, fn, arg);
}

FILCH_WAKE_PATH int filch_pool_spawn(struct filch_pool *pool, struct filch_task **task,
                                     const struct filch_task_attr *attr, void (*fn)(void *),
                                     void *arg)
{
    if (task != NULL && attr == NULL) {
        struct worker *w = filch__worker;
        if (FILCH_LIKELY(fn != NULL && is_at_home(w, pool))) {
            if (FILCH_UNLIKELY(!filch__task_spawn_here(w, task, fn, arg)))
                return spawn_from_anywhere(w->pool, task, NULL, fn, arg);
            return filch__strand_has_spawned(w);
        }
    }
    return spawn_from_anywhere(pool, task, attr, fn, arg);
}

int filch_pool_spawn_batch(struct filch_pool *pool, void (*fn)(void *), void *const *args,
                           size_t count)
{
    if (fn == NULL || (args == NULL && count > 0) || count > INT64_MAX / 2)
        return EINVAL;
    int error = filch__pool_resolve(&pool);
    if (error != 0 || count == 0)
        return error;
    struct task_item model = {.fn = fn, .tally = &pool->tally, .drop = drop_nothing};
    error = count_in(pool, (int64_t)count);
    return error != 0 ? error : put(pool, &model, args, count);
}

/* --- install --- */

struct install {
    void (*fn)(void *);
    void *arg;
    struct waiter *waiter; /* the caller */
    struct visit visit;    /* of a caller that can be cancelled */
    int result;
    struct filch_panic *panic; /* where the result is EOWNERDEAD */
};

static void install_end(struct install *install, int result)
{
    install->result = result;
    filch__visit_end(&install->visit);
    filch__unpark(install->waiter);
}

FILCH_WAKE_PATH static void install_run(void *argument)
{
    struct install *install = argument;
    struct worker *w = filch__worker;
    const struct strand *s = w->strand;
    const struct filch__slot *forked = filch__forks_level();
    struct level level;
    filch__level_init(&level, NULL, &install->visit.cancel);
    filch__level_enter(w, &level);
    int result = filch__try_task(install->fn, install->arg, &install->panic, filch__forks->tail);
    filch__forks_check(forked);    /* before the caller goes on */
    filch__level_leave(s->worker); /* it may have migrated */
    install_end(install, result);
}

static void install_drop(void *argument)
{
    install_end(argument, ECANCELED);
}

FILCH_WAKE_PATH int filch_pool_install(struct filch_pool *pool, void (*fn)(void *), void *arg)
{
    if (fn == NULL)
        return EINVAL;
    int error = filch__pool_resolve(&pool);
    if (error != 0)
        return error;
    const struct worker *here = filch__guest_here();
    if (here != NULL && here->pool == pool) {
        fn(arg);
        return 0;
    }
    struct install install = {.fn = fn, .arg = arg};
    struct waiter waiter;
    filch__waiter_init(&waiter);
    install.waiter = &waiter;
    struct task_item item = {
        .fn = install_run, .arg = &install, .tally = &pool->tally, .drop = install_drop};
    filch__visit_begin(&install.visit, filch__cancel_here(), pool);
    error = inject(pool, &item);
    if (error != 0) {
        filch__visit_end(&install.visit);
        return error;
    }
    (void)filch__park_through(&waiter, FILCH_FOREVER); /* fn may use what is the caller's */
    if (install.result == EOWNERDEAD)
        filch_resume_unwind(install.panic);
    return install.result;
}
