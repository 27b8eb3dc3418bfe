/* SPDX-License-Identifier: Apache-2.0 */
/* Tasks with a handle. */
#include "task.h"

#include "pool.h"
#include "process.h"

#include "base/check.h"
#include "panic/panic.h"
#include "park/event.h"
#include "park/self.h"

/* Two hold it: the handle, and the queue or worker that it is with. The last one frees it. */
struct filch_task {
    void (*fn)(void *);
    void *arg;
    void (*drop)(void *);
    void (*arg_drop)(void *);
    const char *name;
    uint64_t process; /* const: that spawned it */
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

static void run(void *argument)
{
    struct filch_task *task = argument;
    struct strand *s = filch__worker->strand;
    struct filch_task *outer = s->task;
    s->task = task;
    int result = filch__try_task(task->fn, task->arg, &task->panic, filch__forks->tail);
    s->task = outer;
    end(task, result);
}

const char *filch__task_name(const struct filch_task *task)
{
    return task->name;
}

static void cancel(void *argument)
{
    struct filch_task *task = argument;
    if (task->drop != NULL)
        filch__worker_drop(task->drop, task->arg);
    end(task, ECANCELED);
}

struct filch_task *filch__task_new(const struct filch_task_attr *attr, void (*fn)(void *),
                                   void *arg)
{
    /* Not on lines of its own: that takes the allocator four times as long. */
    struct filch_task *task = filch__os_alloc_zeroed(1, sizeof *task, _Alignof(struct filch_task));
    if (task == NULL)
        return NULL;
    task->fn = fn;
    task->arg = arg;
    task->drop = attr->drop;
    task->arg_drop = attr->arg_drop;
    task->name = attr->name;
    task->process = filch__process_generation();
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

/* Whether the task lies newest in the deque of the calling worker. It is run then, on top of the one that
 * joins it: that one cannot go on before it has ended. */
static bool run_own(struct worker *w, struct filch_task *task)
{
    struct task_item item;
    if (!filch__deque_peek(&w->deque, &item) || item.arg != task || item.fn != run ||
        !filch__deque_pop(&w->deque, &item))
        return false;
    struct filch_panic *panic = filch__panic_set_aside();
    uint64_t self = filch__self;
    filch__self = 0; /* another one than the one below: it does not own that one's locks */
    filch__worker_run(w, &item);
    filch__self = self;
    filch__panic_give_back(panic);
    return true;
}

int filch_task_join_panic(struct filch_task *task, int64_t deadline, struct filch_panic **panic)
{
    if (task == NULL)
        return EINVAL;
    struct worker *w = filch__worker;
    if (w != NULL && w->strand->task == task)
        return EDEADLK;
    if (task->process != filch__process_generation())
        return EPERM; /* a forked child: the task is not here */
    FILCH_CHECK(!FILCH_LOAD(&task->is_given_up, TK_given_up_look, acquire),
                "a task was joined twice, or joined after it was detached");
    if (w == NULL || deadline != FILCH_FOREVER || !run_own(w, task)) {
        int error = filch__event_wait(&task->ended, deadline);
        if (error != 0)
            return error;
    }
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

int filch_task_is_finished(const struct filch_task *task)
{
    if (task == NULL)
        return 0;
    /* The event is not changed by the look; it takes no const because a wait would change it. */
    return filch__event_has_happened(&((struct filch_task *)(uintptr_t)task)->ended);
}
