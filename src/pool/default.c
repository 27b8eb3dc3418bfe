/* SPDX-License-Identifier: Apache-2.0 */
/* The default pool, and what a forked child makes of its parent's pools. */
#include "pool.h"
#include "process.h"
#include "task.h"
#include "visit.h"

#include "base/section.h"
#include "park/lock.h"

#include <pthread.h>

static struct lock default_lock;
static FILCH_SHARED(struct filch_pool *) default_pool; /* written under the lock */
FILCH_SHARED(uint64_t) filch__process_forks;
static FILCH_SHARED(uint32_t) is_watching;
static struct lock watch_lock;

static void before_fork(void)
{
    filch__topology_before_fork();
}

static void after_fork_in_parent(void)
{
    filch__topology_after_fork(false);
}

/* In the child, where only the forking thread is left. */
static void after_fork(void)
{
    filch__topology_after_fork(true);
    FILCH_STORE_RELAXED(&filch__process_forks, filch__process_forks + 1); /* one thread */
    /* The parent's pool stays in memory, unused: its locks may be held by threads that are not here. */
    FILCH_STORE_RELAXED(&default_pool, NULL); /* one thread */
    default_lock = (struct lock){0};
    filch__task_places_after_fork();
    filch__visit_after_fork();
    filch__outsider = (struct outsider){.held = NULL};
    if (filch__worker != NULL) {
        filch__forks_forget();
        filch__worker_forget();
    }
}

int filch__process_init(void)
{
    if (FILCH_LOAD(&is_watching, PR_watch, acquire) != 0)
        return 0;
    /* Nobody may go on before the handler is there: it could fork. */
    filch__lock(&watch_lock);
    int error = 0;
    if (FILCH_LOAD_RELAXED(&is_watching) == 0) /* under the lock */
        error = pthread_atfork(before_fork, after_fork_in_parent, after_fork);
    if (error == 0)
        FILCH_STORE(&is_watching, 1, PR_watch, release);
    filch__unlock(&watch_lock);
    return error;
}

FILCH_WAKE_PATH int filch_pool_default(struct filch_pool **pool)
{
    if (pool == NULL)
        return EINVAL;
    struct filch_pool *found = FILCH_LOAD(&default_pool, PL_default, acquire);
    int error = 0;
    if (FILCH_UNLIKELY(found == NULL)) {
        filch__lock(&default_lock);
        found = FILCH_LOAD_RELAXED(&default_pool); /* under the lock */
        if (found == NULL)
            error = filch__pool_create(&found, NULL, true);
        if (error == 0)
            FILCH_STORE(&default_pool, found, PL_default, release);
        filch__unlock(&default_lock);
    }
    if (error == 0)
        *pool = found;
    return error;
}

FILCH_WAKE_PATH int filch__pool_resolve(struct filch_pool **pool)
{
    if (*pool == NULL)
        return filch_pool_default(pool);
    return (*pool)->process == filch__process_generation() ? 0 : EPERM;
}
