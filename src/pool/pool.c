/* SPDX-License-Identifier: Apache-2.0 */
/* The life of a pool: create, shut down, destroy. */
#include "pool.h"

#include "process.h"

#include "base/check.h"
#include "os/env.h"
#include "thread/start.h"

#include <stdio.h>
#include <string.h>

/* --- the threads --- */

void filch__pool_thread_ended(struct filch_pool *pool)
{
    /* The last to end tells those that wait for it. The pool's memory stays until the threads have been
     * joined. */
    if (FILCH_FETCH_SUB(&pool->running, 1, PL_running, acq_rel) == 1)
        filch__event_set(&pool->ended);
}

static void *worker_main(void *argument)
{
    struct worker *w = argument;
    struct filch_pool *pool = w->pool;
    for (size_t failures = filch__machine_settle(w); failures > 0; failures--)
        filch__count(&w->stats.bind_failures);
    w->error_number = &errno;
    filch__ambient_save(&w->ambient, w->error_number);
    filch__worker_enter(w);
    FILCH_STORE(&w->has_started, true, WK_started, release);
    if (pool->tasks_may_migrate)
        filch__roam_leave_base(w);
    filch__work(w);
    filch__tally_flush(&w->credits);
    filch__worker_exit(w);
    filch__pool_thread_ended(pool);
    return NULL;
}

static void stop_workers(struct filch_pool *pool)
{
    FILCH_STORE(&pool->state, POOL_STOPPED, PL_state, seq_cst);
    for (size_t i = 0; i < pool->width; i++)
        filch__idle_wake(pool->places[i]);
    filch__blocking_stop(&pool->blocking);
}

/* "Wakes" the one that waits for the pool's tally: no task is left, and none can come. */
static void tally_is_zero(struct waiter *waiter)
{
    stop_workers(FILCH_CONTAINER_OF(waiter, struct filch_pool, all_done));
}

static const struct waiter_ops all_done_ops = {.wake = tally_is_zero};

static void join_workers(struct filch_pool *pool, size_t count)
{
    for (size_t i = 0; i < count; i++)
        filch__pool_join_thread(pool->places[i]->thread);
}

static int start_worker(struct filch_pool *pool, size_t index)
{
    /* Room for the name, a dash, and the digits of a number below POOL_WORKERS_MAX. */
    size_t name_bytes = strlen(pool->name) + 6;
    char *name = filch__os->alloc(name_bytes, 1);
    if (name == NULL)
        return ENOMEM;
    snprintf(name, name_bytes, "%s-%u", pool->name, (unsigned)index % 10000u);
    struct filch_thread_attr attr = {.name = name, .stack_size_bytes = pool->stack_size_bytes};
    struct worker *w = pool->places[index];
    static const struct thread_start ours = {.is_internal = true};
    int error = filch__thread_start(&w->thread, &attr, worker_main, w, &ours);
    filch__os->free(name);
    return error;
}

static int start_workers(struct filch_pool *pool)
{
    /* They count as awake and searching, and each finds out for itself; but the last one may have
     * something else to find out first. */
    bool is_known = filch__machine_is_known(&pool->machine);
    size_t searching = is_known ? pool->width : pool->width - 1;
    pool->idle.word = pool->width * IDLE_SEAT + searching * IDLE_SEARCHING;
    pool->running = pool->width;
    for (size_t i = 0; i < pool->width; i++) {
        pool->places[i]->is_searching = i < searching;
        int error = start_worker(pool, i);
        if (error == 0)
            continue;
        stop_workers(pool);
        join_workers(pool, i);
        return error;
    }
    return 0;
}

/* --- create --- */

struct settings {
    const char *name;
    size_t workers;
    size_t stack_size_bytes;
    size_t blocking_threads_max;
    enum filch_bind bind;
    void *hwloc_topology;
};

static int read_settings(struct settings *settings, const struct filch_pool_config *config)
{
    static const char *const words[] = {"default", "cores", "none"};
    static const struct filch_pool_config defaults;
    if (config == NULL)
        config = &defaults;
    *settings = (struct settings){
        .name = config->name != NULL ? config->name : "filch",
        .workers = config->workers,
        .stack_size_bytes = config->stack_size_bytes,
        .blocking_threads_max = config->blocking_threads_max != 0 ? config->blocking_threads_max
                                                                  : BLOCKING_THREADS_DEFAULT,
        .bind = config->bind,
        .hwloc_topology = config->hwloc_topology,
    };
    int error = 0;
    if (settings->workers == 0)
        error = filch__env_size("FILCH_WORKERS", 0, &settings->workers);
    if (error == 0 && settings->stack_size_bytes == 0)
        error = filch__env_size("FILCH_STACK_SIZE", FILCH_STACK_SIZE_DEFAULT_BYTES,
                                &settings->stack_size_bytes);
    size_t bind = (size_t)settings->bind;
    if (error == 0 && settings->bind == FILCH_BIND_DEFAULT)
        error = filch__env_word("FILCH_BIND", words, sizeof words / sizeof words[0], &bind);
    settings->bind = (enum filch_bind)bind;
    if (bind > FILCH_BIND_NONE || settings->workers > POOL_WORKERS_MAX ||
        settings->blocking_threads_max > BLOCKING_THREADS_MAX)
        return EINVAL;
    return error;
}

/* Guests look at all workers, in the order of their numbers from their own on. */
static int make_guest_victims(struct filch_pool *pool, struct worker *w)
{
    w->victims = filch__os_alloc_zeroed(pool->width, sizeof *w->victims, FILCH_CACHE_LINE);
    if (w->victims == NULL)
        return ENOMEM;
    w->victim_count = pool->width;
    for (size_t i = 0; i < pool->width; i++)
        w->victims[i] = (uint32_t)((w->index + i) % pool->width);
    return 0;
}

/* The memory of a guest is there from the start, so that others may look at it; what it needs to run
 * comes with the first guest. */
static int make_places(struct filch_pool *pool)
{
    pool->guest_count = pool->width > POOL_GUESTS_MIN ? pool->width : (size_t)POOL_GUESTS_MIN;
    size_t count = pool->width + pool->guest_count;
    pool->places = filch__os_alloc_zeroed(count, sizeof *pool->places, FILCH_CACHE_LINE);
    if (pool->places == NULL)
        return ENOMEM;
    for (size_t i = 0; i < count; i++) {
        bool is_guest = i >= pool->width;
        struct worker *w = filch__os_alloc_zeroed(1, sizeof *w, _Alignof(struct worker));
        if (w == NULL)
            return ENOMEM;
        pool->places[i] = w;
        w->index = i;
        w->pool = pool;
        int error = is_guest ? make_guest_victims(pool, w) : filch__machine_choose_victims(pool, w);
        if (error == 0 && !is_guest)
            error = filch__worker_init(w, pool, i, false);
        if (error != 0)
            return error;
    }
    pool->places_used = pool->width;
    return 0;
}

static void free_pool(struct filch_pool *pool)
{
    size_t count = pool->places == NULL ? 0 : pool->width + pool->guest_count;
    for (size_t i = 0; i < count && pool->places[i] != NULL; i++) {
        struct worker *w = pool->places[i];
        if (w->base != NULL)
            filch__worker_destroy(w);
        filch__os->free(w->victims);
        filch__os->free(w);
    }
    filch__os->free(pool->places);
    filch__blocking_destroy(&pool->blocking);
    filch__stack_store_destroy(&pool->stacks);
    filch__machine_destroy(&pool->machine);
    FILCH_DCHECK(!filch__injector_has_any(&pool->injector)); /* no task is lost */
    filch__injector_destroy(&pool->injector);
    filch__os->free(pool->name);
    filch__os->free(pool);
}

int filch__pool_create(struct filch_pool **out, const struct filch_pool_config *config,
                       bool is_default)
{
    struct settings settings;
    int error = read_settings(&settings, config);
    if (error == 0)
        error = filch__process_init();
    if (error != 0)
        return error;
    struct filch_pool *pool = filch__os_alloc_zeroed(1, sizeof *pool, _Alignof(struct filch_pool));
    if (pool == NULL)
        return ENOMEM;
    error = filch__stack_store_init(&pool->stacks, settings.stack_size_bytes);
    if (error != 0) {
        filch__os->free(pool);
        return error;
    }
    pool->process = filch__process_generation();
    pool->is_default = is_default;
    pool->stack_size_bytes = settings.stack_size_bytes;
    pool->tasks_may_migrate = config != NULL && config->tasks_may_migrate != 0;
    pool->fences = filch__os->barrier_ready() != 0;
    pool->state = POOL_OPEN;
    pool->all_done.ops = &all_done_ops;
    filch__tally_init(&pool->tally);
    pool->tally.waiter = &pool->all_done;
    filch__cancel_init(&pool->tally.cancel, NULL, pool);
    filch__injector_init(&pool->injector);
    size_t name_bytes = strlen(settings.name) + 1;
    pool->name = filch__os->alloc(name_bytes, 1);
    if (pool->name == NULL) {
        error = ENOMEM;
        goto undo;
    }
    memcpy(pool->name, settings.name, name_bytes);
    pool->machine.bind = settings.bind;
    error = filch__machine_init(pool, settings.workers, settings.hwloc_topology, is_default);
    if (error == 0)
        error = filch__blocking_init(&pool->blocking, settings.blocking_threads_max);
    if (error == 0)
        error = make_places(pool);
    if (error == 0)
        error = start_workers(pool);
    if (error != 0)
        goto undo;
    filch__fork_watch_panics();
    *out = pool;
    return 0;
undo:
    free_pool(pool);
    return error;
}

int filch_pool_create(struct filch_pool **pool, const struct filch_pool_config *config)
{
    if (pool == NULL)
        return EINVAL;
    return filch__pool_create(pool, config, false);
}

/* --- end --- */

void filch__pool_release_own_count(struct filch_pool *pool)
{
    if (!FILCH_EXCHANGE(&pool->own_count_released, true, PL_own_count, acq_rel))
        filch__tally_release(&pool->tally, 1);
}

/* Raises the state; it never goes down. */
static void raise_state(struct filch_pool *pool, uint32_t state)
{
    uint32_t seen = FILCH_LOAD_RELAXED(&pool->state); /* the swap decides */
    while (seen < state && !FILCH_CAS(&pool->state, &seen, state, PL_state, seq_cst)) {
    }
}

static int may_end(const struct filch_pool *pool)
{
    if (pool->is_default || pool->process != filch__process_generation())
        return EPERM;
    if (filch__worker != NULL && filch__worker->pool == pool)
        return EDEADLK;
    return 0;
}

int filch_pool_shutdown(struct filch_pool *pool, enum filch_shutdown how, int64_t deadline)
{
    if (pool == NULL || (how != FILCH_DRAIN && how != FILCH_CANCEL))
        return EINVAL;
    int error = may_end(pool);
    if (error != 0)
        return error;
    raise_state(pool, how == FILCH_DRAIN ? POOL_DRAINING : POOL_CANCELLED);
    if (how == FILCH_CANCEL)
        filch__cancel(&pool->tally.cancel);
    /* The last guest gives the pool's own count up, or, where there is none, we do: either it sees
     * the state, or we see that it has gone. */
    uint64_t word = FILCH_LOAD(&pool->idle.word, ID_look, seq_cst);
    if (filch__idle_guests(word) == 0)
        filch__pool_release_own_count(pool);
    return filch__event_wait(&pool->ended, deadline);
}

/* Waits until nobody is on the last steps of a call: a guest that has left, somebody outside who has
 * woken a task. There is nothing to wait for but those steps, so this looks now and then. */
static void wait_for_last_touches(struct filch_pool *pool)
{
    enum { PAUSE_NS = 50000 };
    static uint32_t never; /* nobody writes it, and nobody wakes its sleepers */
    for (size_t i = 0; i < pool->width + pool->guest_count; i++) {
        struct worker *w = pool->places[i];
        while (FILCH_LOAD(&w->is_taken, GU_take, acquire) != 0 ||
               FILCH_LOAD(&w->wakers, RS_waker, acquire) != 0)
            (void)filch__os->futex_wait(&never, 0, filch__os->now_ns() + PAUSE_NS);
    }
}

int filch_pool_destroy(struct filch_pool *pool)
{
    if (pool == NULL)
        return 0;
    if (!pool->is_default && pool->process != filch__process_generation()) {
        /* A forked child: the threads are not here, and the locks are as they happened to be. The
         * memory is a copy that the child pays for only if it writes to it: leave it. */
        return 0;
    }
    int error = may_end(pool);
    if (error != 0)
        return error;
    if (filch__idle_guests(FILCH_LOAD(&pool->idle.word, ID_look, seq_cst)) != 0)
        return EBUSY;
    error = filch_pool_shutdown(pool, FILCH_DRAIN, FILCH_FOREVER);
    if (error != 0)
        return error;
    join_workers(pool, pool->width);
    wait_for_last_touches(pool);
    free_pool(pool);
    return 0;
}

/* --- questions --- */

size_t filch_pool_width(struct filch_pool *pool)
{
    return filch__pool_resolve(&pool) == 0 ? pool->width : 0;
}

size_t filch_pool_places(struct filch_pool *pool)
{
    return filch__pool_resolve(&pool) == 0 ? pool->width + pool->guest_count : 0;
}

struct filch_pool *filch_pool_current(void)
{
    const struct worker *w = filch__guest_here();
    return w == NULL ? NULL : w->pool;
}

size_t filch_worker_index(void)
{
    const struct worker *w = filch__guest_here();
    return w == NULL ? FILCH_NOT_A_WORKER : w->index;
}
