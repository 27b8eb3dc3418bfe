/* SPDX-License-Identifier: Apache-2.0 */
/* Tokens of threads, and scopes of threads: no wake-up is lost, no time-out swallows a token, the scope
 * may be gone as soon as it has been left, and what was written before is seen after. */
#include "model.h"

#include "base/atomic.h"

#define filch__cpu_relax()                                                                         \
    if (i > 0)                                                                                     \
    break
/* clang-format off */
#define while(condition) MODEL_BOUNDED(condition)
/* clang-format on */
#include "park/lock.c"
#undef while
#undef filch__cpu_relax

#include "park/park.c"
#include "park/park_thread.c"

/* Nothing panics here. */
#include "panic/panic.h"
__thread struct filch_panic *filch__panic_current;
void filch_panic_free(struct filch_panic *panic)
{
    (void)panic;
}
void filch__panic_join(struct filch_panic *first, struct filch_panic *other)
{
    (void)first;
    (void)other;
}
void filch_resume_unwind(struct filch_panic *panic)
{
    (void)panic;
    abort();
}
void filch__try_nothing(void (*fn)(void *), void *arg, const char *message)
{
    (void)message;
    fn(arg);
}

/* What a thread knows of itself, as far as tokens need it. */
static struct filch_thread *the_thread;
#include "thread/thread.h"
struct filch_thread *filch__thread_here(void)
{
    return the_thread;
}
struct filch_thread *filch__handle_use(const struct filch_thread *handle)
{
    (void)handle;
    return NULL;
}
#include "primitives/thread/token.c"

#include "thread/start.h"
uint64_t filch__thread_process(void)
{
    return 0;
}
int filch__thread_start(struct filch_thread **thread, const struct filch_thread_attr *attr,
                        void *(*fn)(void *), void *arg, const struct thread_start *start)
{
    (void)thread;
    (void)attr;
    (void)fn;
    (void)arg;
    (void)start;
    return ENOMEM;
}
#include "primitives/thread/scope.c"

static int data[2]; /* plain */

#if SCENARIO <= 2

static struct filch_thread thread;

static void *gives(void *unused)
{
    (void)unused;
    data[0] = 1;
    filch_thread_unpark(&thread);
    return NULL;
}

static void *parks(void *unused)
{
    (void)unused;
    int error = ETIMEDOUT;
#if SCENARIO == 2
    error = filch_thread_park_until(1);
#endif
    if (error == ETIMEDOUT)
        filch_thread_park();
    assert(data[0] == 1);
    return NULL;
}

#if SCENARIO == 1 /* a token, before or after */
#define BODIES gives, parks
#else /* a deadline may pass first */
#define BODIES gives, time_passes, parks
#endif

int main(void)
{
    the_thread = &thread;
    MODEL_RUN(BODIES);
    assert(thread.parked == NULL);
    return 0;
}

#else /* a scope with two threads */

static struct filch_thread_scope *the_scope;

static void *leaves_first(void *unused)
{
    (void)unused;
    data[0] = 1;
    filch__thread_scope_release(the_scope);
    return NULL;
}

static void *leaves_second(void *unused)
{
    (void)unused;
    data[1] = 1;
    filch__thread_scope_release(the_scope);
    return NULL;
}

static void *closes(void *unused)
{
    (void)unused;
    close_scope(the_scope);
    assert(data[0] + data[1] == 2);
    free(the_scope);
    return NULL;
}

int main(void)
{
    the_scope = malloc(sizeof *the_scope);
    open_scope(the_scope);
    the_scope->count += 2;
    MODEL_RUN(leaves_first, leaves_second, closes);
    return 0;
}

#endif
