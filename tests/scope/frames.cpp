/* SPDX-License-Identifier: Apache-2.0 */
/* C++ frames for test_cxx.c. */
#include <filch/panic.h>
#include <filch/scope.h>

extern "C" {
extern unsigned destructors_run;
void cxx_destructors(void *fn);
void cxx_rethrow(void *fn);
void cxx_swallow(void *fn);
void cxx_noexcept(void *fn);
void cxx_throw(void *unused);
void cxx_join_between(void *fn);
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
