/* SPDX-License-Identifier: Apache-2.0 */
/* Tasks with a handle. */
#include "task.h"

#include "run.h"
#include "strand.h"

#include "base/check.h"
#include "base/section.h"
#include "panic/panic.h"
#include "park/self.h"

/* The task has ended, and nobody has its handle. */
static void free_task(struct filch_task *task)
{
    filch_panic_free(task->panic); /* nobody wanted it */
    task->panic = NULL;
    task->result = 0;
    filch__task_place_give(task);
}

/* The function has ended: nothing of what an attr has said is needed any more. */
static FILCH_COLD void forget_attr(struct filch_task *task)
{
    if (task->arg_drop != NULL)
        filch__worker_drop(task->arg_drop, task->arg);
    task->drop = NULL;
    task->arg_drop = NULL;
    task->name = NULL;
    task->may_migrate = false;
    task->has_attr = false;
}

FILCH_WAKE_PATH void filch__task_end(struct filch_task *task, int result)
{
    if (FILCH_UNLIKELY(task->has_attr))
        forget_attr(task);
    task->result = result;
    if (filch__ending_set(&task->place.ending))
        free_task(task);
}

/* The task has been cancelled before it began. Returns its result. */
static FILCH_COLD int drop(struct filch_task *task)
{
    if (task->drop != NULL)
        filch__worker_drop(task->drop, task->arg);
    return ECANCELED;
}

void filch__task_cancel_item(void *argument)
{
    filch__task_end(argument, drop(argument));
}

/* Runs the function of the task, unless it has been cancelled. Returns the task's result. */
static FILCH_ALWAYS_INLINE int run_function(struct worker *w, struct filch_task *task)
{
    if (FILCH_UNLIKELY(filch__cancel_look(&task->cancel) != 0))
        return drop(task);
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
    return result;
}

void filch__task_panicked(struct filch_task *task, struct filch_panic *panic)
{
    task->panic = panic;
    filch__task_end(task, EOWNERDEAD);
}

FILCH_WAKE_PATH void filch__task_run(void *argument)
{
    filch__task_end(argument, run_function(filch__worker, argument));
}

static void run_task(struct filch_task *task)
{
    filch__task_run(task);
}

static void run_roaming(void *argument)
{
    filch__roam_run(argument, run_task);
}

const char *filch__task_name(const struct filch_task *task)
{
    return task->name;
}

/* --- making one --- */

FILCH_WAKE_PATH struct filch_task *filch__task_new(const struct filch_task_attr *attr,
                                                   void (*fn)(void *), void *arg,
                                                   struct cancel *around)
{
    struct filch_task *task = filch__task_place_take();
    if (task == NULL)
        return NULL;
    task->fn = fn;
    task->arg = arg;
    task->process = filch__process_generation();
    if (filch__worker != NULL && filch__worker->pool == around->pool)
        filch__cancel_renew_at(&task->cancel, around, around->pool, filch__worker->index);
    else
        filch__cancel_renew(&task->cancel, around, around->pool, 0, 0);
    task->has_attr = true;
    task->drop = attr->drop;
    task->arg_drop = attr->arg_drop;
    task->name = attr->name;
    task->may_migrate = attr->may_migrate != 0;
    return task;
}

void filch__task_free_unspawned(struct filch_task *task)
{
    /* Nobody has been given the handle. What would be done to the argument is the spawner's business. */
    task->arg_drop = NULL;
    forget_attr(task);
    (void)filch__ending_give_up(&task->place.ending,
                                FILCH_LOAD_RELAXED(&task->place.number) & ~(TASK_USE - 1));
    filch__task_place_give(task);
}

FILCH_WAKE_PATH struct task_item filch__task_item(struct filch_task *task, struct tally *tally)
{
    void (*fn)(void *) = FILCH_UNLIKELY(task->may_migrate) ? run_roaming : filch__task_run;
    return (struct task_item){
        .fn = fn, .arg = task, .tally = tally, .drop = filch__task_cancel_item};
}

/* --- joining it --- */

static const char joined_twice[] = "a task was joined twice, or joined after it was detached";
static const char detached_twice[] = "a task was detached twice, or detached after it was joined";

/* The task of a handle that is about to be used. */
static struct filch_task *find(const struct filch_task *handle, const char *misuse)
{
    struct filch_task *task = filch__task_handle_find(handle);
    FILCH_CHECK(task != NULL, misuse);
    return task;
}

/* take_result where there is more to do than usually. */
static __attribute__((noinline)) int take_slowly(struct filch_task *task, int result,
                                                 struct filch_panic **panic)
{
    struct filch_panic *ended_by = task->panic;
    task->panic = NULL;
    task->result = 0;
    filch__task_place_give(task);
    if (ended_by != NULL && panic != NULL)
        *panic = ended_by;
    else
        filch_panic_free(ended_by);
    return result;
}

/* The caller has the place of a task that has ended. Returns its result.
 *   w  the caller */
static FILCH_ALWAYS_INLINE int take_result(struct worker *w, struct filch_task *task, int result,
                                           struct filch_panic **panic)
{
    if (FILCH_UNLIKELY(result != 0) || FILCH_UNLIKELY(w == NULL) ||
        FILCH_UNLIKELY(w->task_places.count >= TASK_PLACES_KEPT_MAX))
        return take_slowly(task, result, panic);
    FILCH_DCHECK(task->panic == NULL && task->result == 0 && !task->has_attr);
    task->place.next = w->task_places.first;
    w->task_places.first = task;
    w->task_places.count++;
    return 0;
}

/* As filch_task_join_panic where the task is not the newest of the own deque. */
FILCH_WAKE_PATH static __attribute__((noinline)) int
join(struct filch_task *handle, int64_t deadline, struct filch_panic **panic)
{
    if (handle == NULL)
        return EINVAL;
    struct filch_task *task = find(handle, joined_twice);
    if (task->process != filch__process_generation())
        return EPERM; /* a forked child: the task is not here */
    uintptr_t use = filch__task_use(handle);
    bool had_to_wait = !filch__ending_take(&task->place.ending, use);
    if (had_to_wait) {
        const struct worker *w = filch__worker;
        if (w != NULL && w->strand->task == task)
            return EDEADLK;
        int error = filch__ending_wait(&task->place.ending, use, deadline);
        FILCH_CHECK(error != EINVAL, joined_twice);
        if (error == ECANCELED)
            filch_task_detach(handle); /* so that the handle is gone whoever has been cancelled */
        if (error != 0)
            return error;
        FILCH_CHECK(filch__ending_give_up(&task->place.ending, use) == ENDING_IS_OVER,
                    joined_twice);
    }
    int result = take_result(filch__worker, task, task->result, panic);
    return had_to_wait && result == 0 ? filch__back() : result;
}

/* The task of a handle if it lies newest in the deque of the calling worker, by which it is taken from there; else
 * NULL. It is run then, on top of the one that joins it: that one cannot go on before it has ended. Not where
 * that one is to wait no more. */
static FILCH_ALWAYS_INLINE struct filch_task *take_own(struct worker *w, struct filch_task *handle,
                                                       struct tally **tally)
{
    struct deque_newest newest = filch__deque_newest(&w->deque);
    if (newest.slot == NULL)
        return NULL;
    const struct deque_slot *slot = newest.slot;
    uintptr_t fn = FILCH_LOAD_RELAXED(&slot->words[0]); /* its owner */
    if (fn != (uintptr_t)filch__task_run && FILCH_UNLIKELY(fn != (uintptr_t)run_roaming))
        return NULL;
    struct filch_task *task =
        (struct filch_task *)FILCH_LOAD_RELAXED(&slot->words[1]); /* as above */
    *tally = (struct tally *)FILCH_LOAD_RELAXED(&slot->words[2]); /* as above */
    if (!filch__task_handle_is_of(handle, task))
        return NULL;
    if (FILCH_UNLIKELY(FILCH_LOAD_RELAXED(&filch__cancel_is_used) != 0) /* a hint */ &&
        filch_canceled() != 0)
        return NULL;
    return filch__deque_take(&w->deque, &newest) ? task : NULL;
}

static FILCH_ALWAYS_INLINE int run_own(struct worker *w, struct filch_task *task,
                                       struct filch_task *handle, struct tally *tally,
                                       struct filch_panic **panic)
{
    struct filch_panic *own_panic = filch__panic_set_aside();
    const struct strand *s = w->strand;
    int error_number = *w->error_number;
    uint64_t self = filch__self;
    filch__self = 0; /* another one than the one below: it does not own that one's locks */
    filch__worker_begins(w, tally);
    int result = run_function(w, task);
    if (FILCH_UNLIKELY(task->has_attr))
        forget_attr(task);
    FILCH_CHECK(filch__ending_both(&task->place.ending, filch__task_use(handle)), joined_twice);
    w = s->worker; /* it may have migrated */
    filch__worker_ends(w, tally);
    filch__self = self;
    *w->error_number = error_number;
    filch__panic_give_back(own_panic);
    return take_result(w, task, result, panic);
}

/* As filch_task_join_panic without a deadline, where something lies in the own deque. */
FILCH_WAKE_PATH static __attribute__((noinline)) int
join_beside_own(struct filch_task *handle, struct filch_panic **panic, struct worker *w)
{
    struct tally *tally = NULL; /* as in filch__park */
    struct filch_task *task = take_own(w, handle, &tally);
    if (FILCH_LIKELY(task != NULL))
        return run_own(w, task, handle, tally, panic);
    return join(handle, FILCH_FOREVER, panic);
}

/* As filch_task_join_panic. Where nothing lies in the own deque the task has probably ended. Then this saves no
 * registers: all else is left to others. */
static FILCH_ALWAYS_INLINE int join_now(struct filch_task *handle, int64_t deadline,
                                        struct filch_panic **panic)
{
    struct worker *w = filch__worker;
    if (FILCH_UNLIKELY(w == NULL))
        return join(handle, deadline, panic);
    if (filch__deque_size(&w->deque) > 0 && deadline == FILCH_FOREVER)
        return join_beside_own(handle, panic, w);
    struct filch_task *task = filch__task_at((uintptr_t)handle);
    if (FILCH_LIKELY(task != NULL) && FILCH_LIKELY(task->process == filch__process_generation()) &&
        FILCH_LIKELY(filch__ending_take(&task->place.ending, filch__task_use(handle))))
        return take_result(w, task, task->result, panic);
    return join(handle, deadline, panic);
}

FILCH_WAKE_PATH int filch_task_join_panic(struct filch_task *handle, int64_t deadline,
                                          struct filch_panic **panic)
{
    return join_now(handle, deadline, panic);
}

FILCH_WAKE_PATH int filch_task_join_until(struct filch_task *handle, int64_t deadline)
{
    return join_now(handle, deadline, NULL);
}

FILCH_WAKE_PATH int filch_task_join(struct filch_task *handle)
{
    return join_now(handle, FILCH_FOREVER, NULL);
}

void filch_task_detach(struct filch_task *handle)
{
    if (handle == NULL)
        return;
    struct filch_task *task = find(handle, detached_twice);
    uintptr_t use = filch__task_use(handle);
    if (FILCH_UNLIKELY(task->process != filch__process_generation())) {
        filch__ending_forget(&task->place.ending, use);
        return;
    }
    enum ending_given_up given_up = filch__ending_give_up(&task->place.ending, use);
    FILCH_CHECK(given_up != ENDING_NOT_HELD, detached_twice);
    if (given_up == ENDING_IS_OVER)
        free_task(task);
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
    filch__ending_precede(&task->place.ending, filch__task_use(handle), cancel_inside,
                          &task->cancel);
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
    return filch__ending_has_ended(&task->place.ending);
}
