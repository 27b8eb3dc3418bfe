/* SPDX-License-Identifier: Apache-2.0 */
/* C++ frames for test_cxx.c. */
#include <filch/panic.h>
#include <filch/scope.h>
#include <filch/semaphore.h>
#include <filch/task.h>

#include <exception>

extern "C" {
extern unsigned destructors_run;
void cxx_destructors(void *fn);
void cxx_rethrow(void *fn);
void cxx_swallow(void *fn);
void cxx_noexcept(void *fn);
void cxx_throw(void *unused);
void cxx_join_between(void *fn);
void cxx_wait_in_handlers(void *unused);
}

namespace
{

using body = void (*)(void *);

void call(void *fn)
{
    (*static_cast<body *>(fn))(nullptr);
}

struct counted {
    ~counted()
    {
        destructors_run += filch_panicking() != 0 ? 1 : 100;
    }
};

void deep(int depth, void *fn)
{
    counted here;
    if (depth > 1)
        deep(depth - 1, fn);
    else
        call(fn);
}

} // namespace

void cxx_destructors(void *fn)
{
    deep(3, fn);
}

void cxx_rethrow(void *fn)
{
    try {
        deep(2, fn);
    } catch (...) {
        destructors_run += 10;
        throw;
    }
}

void cxx_swallow(void *fn)
{
    try {
        call(fn);
    } catch (...) {
        destructors_run += 10;
    }
}

static void must_not_throw(void *fn) noexcept
{
    call(fn);
}

void cxx_noexcept(void *fn)
{
    must_not_throw(fn);
}

void cxx_throw(void *)
{
    counted here;
    throw 7;
}

static void nothing(void *)
{
}

void cxx_join_between(void *fn)
{
    counted here;
    filch_join(cxx_destructors, fn, nothing, nullptr);
}

/* --- exceptions of tasks that wait --- */

namespace
{

/* The turn goes round between the tasks. */
filch_semaphore turn[3];

void count(unsigned more)
{
    __atomic_fetch_add(&destructors_run, more, __ATOMIC_RELAXED);
}

void pass_on(int self)
{
    filch_semaphore_release(&turn[(self + 1) % 3], 1);
    if (filch_semaphore_acquire(&turn[self]) != 0)
        count(1000);
}

void expect(bool condition)
{
    if (!condition)
        count(1000);
}

struct waits_when_unwound {
    int self;
    ~waits_when_unwound()
    {
        expect(std::uncaught_exceptions() == 1);
        pass_on(self);
        expect(std::uncaught_exceptions() == 1);
        count(1);
    }
};

void throw_and_wait(int self)
{
    expect(std::uncaught_exceptions() == 0 && std::current_exception() == nullptr);
    waits_when_unwound here{self};
    throw self;
}

void wait_in_handler(int self)
{
    try {
        try {
            throw_and_wait(self);
        } catch (int &caught) {
            expect(caught == self && std::uncaught_exceptions() == 0);
            pass_on(self);
            caught += 10;
            pass_on(self);
            expect(std::uncaught_exceptions() == 0);
            throw;
        }
    } catch (int caught) {
        expect(caught == self + 10);
        count(1);
    }
    expect(std::current_exception() == nullptr);
    filch_semaphore_release(&turn[(self + 1) % 3], 1);
}

void wait_in_handler_0(void *)
{
    wait_in_handler(0);
}

void wait_in_handler_1(void *)
{
    wait_in_handler(1);
}

void wait_in_handler_2(void *)
{
    wait_in_handler(2);
}

} // namespace

/* On a worker of a pool. */
void cxx_wait_in_handlers(void *)
{
    filch_task *tasks[3];
    const body bodies[] = {wait_in_handler_0, wait_in_handler_1, wait_in_handler_2};
    filch_pool *pool = filch_pool_current();
    for (int i = 0; i < 3; i++)
        expect(filch_pool_spawn(pool, &tasks[i], nullptr, bodies[i], nullptr) == 0);
    for (filch_task *task : tasks)
        expect(filch_task_join(task) == 0);
    for (filch_semaphore &left : turn) {
        while (filch_semaphore_try_acquire(&left) == 0) {
        }
    }
}
