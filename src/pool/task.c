/* SPDX-License-Identifier: Apache-2.0 */
/* Tasks with a handle. */
#include "task.h"

#include "pool.h"
#include "process.h"

#include "base/check.h"
#include "panic/panic.h"
#include "park/event.h"

/* Two hold it: the handle, and the queue or worker that it is with. The last one frees it. */
struct filch_task {
    void (*fn)(void *);
    void *arg;
    void (*drop)(void *);
    void (*arg_drop)(void *);
    const char *name;
    uint64_t process; /* const: that spawned it */
    struct cancel cancel;
    struct event ended;
    int result;                        /* written before `ended` */
    struct filch_panic *panic;         /* the same; NULL: none, or it has been taken */
    FILCH_SHARED(uint32_t) references; /* 2, 1, 0 */
    FILCH_SHARED(bool) is_given_up;    /* the handle has been joined or detached */
};

/* Tasks that nobody holds any more are kept for a while, so that a handle that is used once too often
 * is recognised by what it still says. */
enum { RETIRED_MAX = 64 };
static struct {
    struct lock lock;
    struct filch_task *tasks[RETIRED_MAX]; /* under lock; the oldest at `next`, or NULL */
    size_t next;                           /* under lock */
} retired;

static void retire(struct filch_task *task)
{
    if (task != NULL && task->panic != NULL) {
        filch_panic_free(task->panic); /* nobody wanted it */
        task->panic = NULL;
    }
    filch__lock(&retired.lock);
    struct filch_task *oldest = retired.tasks[retired.next];
    retired.tasks[retired.next] = task;
    retired.next = (retired.next + 1) % RETIRED_MAX;
    filch__unlock(&retired.lock);
    filch__os->free(oldest);
}

void filch__task_free_retired(void)
{
    for (size_t i = 0; i < RETIRED_MAX; i++)
        retire(NULL);
}

void filch__task_after_fork(void)
{
    retired.lock = (struct lock){0}; /* its holder may be a thread that is not here */
}

/* The handle is used for the last time. */
static void give_up(struct filch_task *task)
{
    bool was_given_up = FILCH_EXCHANGE(&task->is_given_up, true, TK_given_up, acq_rel);
    FILCH_CHECK(!was_given_up, "a task was joined or detached twice");
}

static void release(struct filch_task *task)
{
    if (FILCH_FETCH_SUB(&task->references, 1, TK_release, acq_rel) == 1)
        retire(task);
}

static void end(struct filch_task *task, int result)
{
    if (task->arg_drop != NULL)
        filch__worker_drop(task->arg_drop, task->arg);
    task->result = result;
    filch__event_set(&task->ended);
    release(task);
}

static void cancel(void *argument)
{
    struct filch_task *task = argument;
    if (task->drop != NULL)
        filch__worker_drop(task->drop, task->arg);
    end(task, ECANCELED);
}

static void run(void *argument)
{
    struct filch_task *task = argument;
    if (filch__cancel_look(&task->cancel) != 0) {
        cancel(task);
        return;
    }
    struct strand *s = filch__worker->strand;
    struct filch_task *outer = s->task;
    struct level level;
    filch__level_init(&level, NULL, &task->cancel);
    filch__strand_enter_level(s, &level);
    s->task = task;
    int result = filch__try_task(task->fn, task->arg, &task->panic, filch__forks->tail);
    s->task = outer;
    filch__strand_leave_level(s);
    end(task, result);
}

const char *filch__task_name(const struct filch_task *task)
{
    return task->name;
}

struct filch_task *filch__task_new(const struct filch_task_attr *attr, void (*fn)(void *),
                                   void *arg, struct cancel *around)
{
    struct filch_task *task = filch__os_alloc_zeroed(1, sizeof *task, FILCH_CACHE_LINE);
    if (task == NULL)
        return NULL;
    task->fn = fn;
    task->arg = arg;
    task->drop = attr->drop;
    task->arg_drop = attr->arg_drop;
    task->name = attr->name;
    task->process = filch__process_generation();
    filch__cancel_init(&task->cancel, around, around->pool);
    task->references = 2;
    return task;
}

void filch__task_free_unspawned(struct filch_task *task)
{
    filch__os->free(task);
}

struct task_item filch__task_item(struct filch_task *task, struct tally *tally)
{
    return (struct task_item){.fn = run, .arg = task, .tally = tally, .drop = cancel};
}

int filch_task_join_panic(struct filch_task *task, int64_t deadline, struct filch_panic **panic)
{
    if (task == NULL)
        return EINVAL;
    if (filch__worker != NULL && filch__worker->strand->task == task)
        return EDEADLK;
    if (task->process != filch__process_generation())
        return EPERM; /* a forked child: the task is not here */
    FILCH_CHECK(!FILCH_LOAD(&task->is_given_up, TK_given_up_look, acquire),
                "a task was joined twice, or joined after it was detached");
    int error = filch__event_wait(&task->ended, deadline);
    if (error == ECANCELED)
        filch_task_detach(task); /* so that the handle is gone whoever has been cancelled */
    if (error != 0)
        return error;
    give_up(task);
    int result = task->result;
    struct filch_panic *ended_by = task->panic;
    task->panic = NULL;
    release(task);
    if (ended_by != NULL && panic != NULL)
        *panic = ended_by;
    else
        filch_panic_free(ended_by);
    return result;
}

int filch_task_join_until(struct filch_task *task, int64_t deadline)
{
    return filch_task_join_panic(task, deadline, NULL);
}

int filch_task_join(struct filch_task *task)
{
    return filch_task_join_until(task, FILCH_FOREVER);
}

void filch_task_detach(struct filch_task *task)
{
    if (task == NULL)
        return;
    give_up(task);
    release(task);
}

static void cancel_inside(void *argument)
{
    filch__cancel(argument);
}

int filch_task_cancel(struct filch_task *task)
{
    if (task == NULL)
        return EINVAL;
    if (task->process != filch__process_generation())
        return EPERM;
    FILCH_CHECK(!FILCH_LOAD(&task->is_given_up, TK_given_up_look, acquire),
                "a task was cancelled after it was joined or detached");
    filch__event_precede(&task->ended, cancel_inside, &task->cancel);
    return 0;
}

int filch_canceled(void)
{
    return FILCH_LIKELY(FILCH_LOAD_RELAXED(&filch__cancel_is_used) == 0) /* a hint */
               ? 0
               : filch__cancel_find(filch__cancel_here());
}

int filch_task_is_finished(const struct filch_task *task)
{
    if (task == NULL)
        return 0;
    /* The event is not changed by the look; it takes no const because a wait would change it. */
    return filch__event_has_happened(&((struct filch_task *)(uintptr_t)task)->ended);
}
