/* SPDX-License-Identifier: Apache-2.0 */
/* Tasks with a handle. */
#include "task.h"

#include "pool.h"
#include "process.h"

#include "base/check.h"
#include "panic/panic.h"
#include "park/event.h"
#include "park/self.h"

static void release(struct filch_task *task)
{
    if (FILCH_FETCH_SUB(&task->references, 1, TK_release, acq_rel) != 1)
        return;
    filch_panic_free(task->panic); /* nobody wanted it */
    filch__task_place_give(task);
}

static void end(struct filch_task *task, int result)
{
    if (task->arg_drop != NULL)
        filch__worker_drop(task->arg_drop, task->arg);
    task->result = result;
    filch__event_set(&task->ended);
    if (!task->is_on_joiner)
        release(task);
}

static void cancel(void *argument)
{
    struct filch_task *task = argument;
    if (task->drop != NULL)
        filch__worker_drop(task->drop, task->arg);
    end(task, ECANCELED);
}

static void run_task(struct filch_task *task)
{
    if (filch__cancel_look(&task->cancel) != 0) {
        cancel(task);
        return;
    }
    struct worker *w = filch__worker;
    struct strand *s = w->strand;
    struct filch_task *outer = s->task;
    const struct filch__slot *forked = filch__forks_level();
    struct level level;
    filch__level_init(&level, NULL, &task->cancel);
    filch__level_enter(w, &level);
    s->task = task;
    int result = filch__try_task(task->fn, task->arg, &task->panic, filch__forks->tail);
    filch__forks_check(forked); /* before anybody knows that the task has ended */
    s->task = outer;
    filch__level_leave(s->worker); /* it may have migrated */
    end(task, result);
}

static void run(void *argument)
{
    run_task(argument);
}

static void run_roaming(void *argument)
{
    filch__roam_run(argument, run_task);
}

const char *filch__task_name(const struct filch_task *task)
{
    return task->name;
}

struct filch_task *filch__task_new(const struct filch_task_attr *attr, void (*fn)(void *),
                                   void *arg, struct cancel *around)
{
    struct filch_task *task = filch__task_place_take();
    if (task == NULL)
        return NULL;
    task->fn = fn;
    task->arg = arg;
    task->drop = attr->drop;
    task->arg_drop = attr->arg_drop;
    task->name = attr->name;
    task->may_migrate = attr->may_migrate != 0;
    task->is_on_joiner = false;
    task->process = filch__process_generation();
    task->panic = NULL;
    filch__cancel_init(&task->cancel, around, around->pool);
    filch__event_renew(&task->ended);
    task->references = 2;
    return task;
}

void filch__task_free_unspawned(struct filch_task *task)
{
    FILCH_STORE_RELAXED(&task->place.valid, 0); /* nobody has been given the handle */
    filch__task_place_give(task);
}

struct task_item filch__task_item(struct filch_task *task, struct tally *tally)
{
    void (*fn)(void *) = FILCH_UNLIKELY(task->may_migrate) ? run_roaming : run;
    return (struct task_item){.fn = fn, .arg = task, .tally = tally, .drop = cancel};
}

/* Whether the task lies newest in the deque of the calling worker. It is run then, on top of the one that
 * joins it: that one cannot go on before it has ended. Not where that one is to wait no more. */
static bool run_own(struct worker *w, struct filch_task *task)
{
    struct task_item item;
    if (filch_canceled() != 0)
        return false;
    if (!filch__deque_peek(&w->deque, &item) || item.arg != task ||
        (item.fn != run && item.fn != run_roaming) || !filch__deque_pop(&w->deque, &item))
        return false;
    task->is_on_joiner = true;
    struct filch_panic *panic = filch__panic_set_aside();
    int error_number = *w->error_number;
    uint64_t self = filch__self;
    filch__self = 0; /* another one than the one below: it does not own that one's locks */
    filch__worker_run(w, &item);
    filch__self = self;
    *filch__worker->error_number = error_number; /* another one than w if they have migrated */
    filch__panic_give_back(panic);
    return true;
}

/* The task of a handle that is about to be used. */
static struct filch_task *find(const struct filch_task *handle, const char *misuse)
{
    struct filch_task *task = filch__task_handle_find(handle);
    FILCH_CHECK(task != NULL, misuse);
    return task;
}

/* The handle is used for the last time. */
static void give_up(struct filch_task *task, const struct filch_task *handle, const char *misuse)
{
    FILCH_CHECK(filch__task_handle_end(task, handle), misuse);
}

static const char joined_twice[] = "a task was joined twice, or joined after it was detached";
static const char detached_twice[] = "a task was detached twice, or detached after it was joined";

int filch_task_join_panic(struct filch_task *handle, int64_t deadline, struct filch_panic **panic)
{
    if (handle == NULL)
        return EINVAL;
    struct filch_task *task = find(handle, joined_twice);
    struct worker *w = filch__worker;
    if (w != NULL && w->strand->task == task)
        return EDEADLK;
    if (task->process != filch__process_generation())
        return EPERM; /* a forked child: the task is not here */
    bool is_own = w != NULL && deadline == FILCH_FOREVER && run_own(w, task);
    if (!is_own) {
        int error = filch__event_wait(&task->ended, deadline);
        if (error == ECANCELED)
            filch_task_detach(handle); /* so that the handle is gone whoever has been cancelled */
        if (error != 0)
            return error;
    }
    give_up(task, handle, joined_twice);
    int result = task->result;
    struct filch_panic *ended_by = task->panic;
    task->panic = NULL;
    if (is_own)
        filch__task_place_give(task);
    else
        release(task);
    if (ended_by != NULL && panic != NULL)
        *panic = ended_by;
    else
        filch_panic_free(ended_by);
    return result;
}

int filch_task_join_until(struct filch_task *handle, int64_t deadline)
{
    return filch_task_join_panic(handle, deadline, NULL);
}

int filch_task_join(struct filch_task *handle)
{
    return filch_task_join_until(handle, FILCH_FOREVER);
}

void filch_task_detach(struct filch_task *handle)
{
    if (handle == NULL)
        return;
    struct filch_task *task = find(handle, detached_twice);
    give_up(task, handle, detached_twice);
    release(task);
}

static void cancel_inside(void *argument)
{
    filch__cancel(argument);
}

int filch_task_cancel(struct filch_task *handle)
{
    if (handle == NULL)
        return EINVAL;
    struct filch_task *task = find(handle, "a task was cancelled after it was joined or detached");
    if (task->process != filch__process_generation())
        return EPERM;
    filch__event_precede(&task->ended, cancel_inside, &task->cancel);
    return 0;
}

int filch_canceled(void)
{
    return FILCH_LIKELY(FILCH_LOAD_RELAXED(&filch__cancel_is_used) == 0) /* a hint */
               ? 0
               : filch__cancel_find(filch__cancel_here());
}

int filch_task_is_finished(const struct filch_task *handle)
{
    if (handle == NULL)
        return 0;
    struct filch_task *task =
        find(handle, "the handle of a task was used after it was joined or detached");
    return filch__event_has_happened(&task->ended);
}
